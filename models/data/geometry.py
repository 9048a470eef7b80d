"""The hexagonal module: its 48 trigger cells, their places, and how they form images.

A module has three rhombic sectors of 4 x 4 trigger cells; cell 16*s + 4*a + b is row a, column b of
sector s (the CALQ order of the training data).  Lengths are in units of half a trigger-cell pitch
(1.2084 cm), the unit of the earth mover's distance in the ECON-T literature.
Source: Ecoder utils/metrics.py (coordinates) and networks.py (arrangements); ASIC image order:
Di Guglielmo et al., arXiv 2105.01683.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

TRIGGER_CELLS = 48
SECTORS = 3
SECTOR_SIDE = 4
HALF_PITCH_CM = 1.20840075
CALQ_PER_MIPT = 35.0  # CALQ counts of one transverse MIP (getGeom.py of the data set's makers)

_SQRT3 = 3.0**0.5
# origin, step of row a, step of column b of each sector: multiples of (sqrt 3, 1) half pitches
_SECTOR_LATTICE = (
    ((0.0, 0.0), (1.0, -1.0), (0.0, -2.0)),
    ((-4.0, -8.5), (0.0, 2.0), (1.0, 1.0)),
    ((2.25, -10.25), (-1.0, -1.0), (-1.0, 1.0)),
)


@cache
def cell_coordinates() -> npt.NDArray[np.float64]:
    """Centres of the trigger cells, shape (48, 2), x and y in half pitches."""
    rows, columns = np.mgrid[0:SECTOR_SIDE, 0:SECTOR_SIDE]
    sectors = [
        np.array(origin) + rows.reshape(-1, 1) * row_step + columns.reshape(-1, 1) * column_step
        for origin, row_step, column_step in (
            (o, np.array(r), np.array(c)) for o, r, c in _SECTOR_LATTICE
        )
    ]
    coordinates = np.concatenate(sectors) * (_SQRT3, 1.0)
    coordinates.flags.writeable = False
    return coordinates


@cache
def cell_distances() -> npt.NDArray[np.float64]:
    """Euclidean distances between trigger cells, shape (48, 48), in half pitches."""
    xy = cell_coordinates()
    distances = np.linalg.norm(xy[:, None] - xy[None, :], axis=2)
    distances.flags.writeable = False
    return distances


@dataclass(frozen=True)
class Arrangement:
    """How the 48 trigger cells are laid out as the image that a network reads.

    Attributes:
        name: key used in the model zoo.
        shape: image shape (rows, columns, channels), or (channels, rows, columns).
        cell: trigger cell shown at each pixel, in C order of `shape`.
        shown: False where the network sees 0 instead of the cell (arrMask of the reference).
        primary: True at the one pixel from which a cell's charge is read back (calQMask).
        channels_first: whether `shape` starts with the channels.
    """

    name: str
    shape: tuple[int, int, int]
    cell: npt.NDArray[np.int64]
    shown: npt.NDArray[np.bool_]
    primary: npt.NDArray[np.bool_]
    channels_first: bool = False

    def pixel_of_cell(self) -> npt.NDArray[np.int64]:
        """Flat pixel index of each trigger cell, shape (48,)."""
        pixels = np.flatnonzero(self.primary)
        order = np.empty(TRIGGER_CELLS, dtype=np.int64)
        order[self.cell[pixels]] = pixels
        return order

    def to_images(self, cells: npt.NDArray) -> npt.NDArray:
        """Lay out cell values, shape (n, 48), as images, shape (n, *shape)."""
        return (cells[:, self.cell] * self.shown).astype(cells.dtype).reshape(-1, *self.shape)

    def to_cells(self, images: npt.NDArray) -> npt.NDArray:
        """Read cell values, shape (n, 48), back from images, shape (n, *shape)."""
        return images.reshape(len(images), -1)[:, self.pixel_of_cell()]


def _arrange_4x4x3() -> Arrangement:
    row, column, sector = np.mgrid[0:4, 0:4, 0:3]
    cell = (16 * sector + 4 * row + column).ravel()
    everywhere = np.ones(48, dtype=bool)
    return Arrangement("4x4x3", (4, 4, 3), cell, everywhere, everywhere)


def _arrange_8x8() -> Arrangement:
    # sector 1 upper left, sector 0 upper right, sector 2 lower left: neighbours stay neighbours
    row, column = np.mgrid[0:4, 0:4]
    upper = np.hstack([16 + 4 * (3 - row) + column, row + 4 * column])
    lower = np.hstack([32 + (3 - row) + 4 * (3 - column), 32 + 4 * row + (3 - column)])
    primary = np.ones((8, 8), dtype=bool)
    primary[4:, 4:] = False  # the fourth quadrant would repeat sector 2; the ASIC reads 0 there
    cell = np.vstack([upper, lower]).ravel()
    return Arrangement("8x8", (8, 8, 1), cell, primary.ravel(), primary.ravel())


def _arrange_6x6x3(transposed: bool) -> Arrangement:
    # each sector with the bordering cells of the next two sectors at its right and bottom
    cell = np.zeros((3, 6, 6), dtype=np.int64)
    shown = np.zeros((3, 6, 6), dtype=bool)
    primary = np.zeros((3, 6, 6), dtype=bool)
    side = np.arange(4)
    for sector in range(SECTORS):
        cell[sector, 1:5, 1:5] = 16 * sector + 4 * (3 - side[:, None]) + side
        cell[sector, 1:5, 5] = 16 * ((sector + 2) % 3) + side
        cell[sector, 5, 1:5] = 16 * ((sector + 1) % 3) + 15 - 4 * side
        shown[sector, 1:5, 1:6] = True
        shown[sector, 5, 1:5] = True
        primary[sector, 1:5, 1:5] = True
    if not transposed:
        return Arrangement(
            "6x6x3", (3, 6, 6), cell.ravel(), shown.ravel(), primary.ravel(), channels_first=True
        )

    def channels_last(array: npt.NDArray) -> npt.NDArray:
        return array.transpose(1, 2, 0).ravel()

    return Arrangement(
        "6x6x3_tp", (6, 6, 3), channels_last(cell), channels_last(shown), channels_last(primary)
    )


ARRANGEMENTS: dict[str, Arrangement] = {
    arrangement.name: arrangement
    for arrangement in (
        _arrange_4x4x3(),
        _arrange_8x8(),
        _arrange_6x6x3(transposed=False),
        _arrange_6x6x3(transposed=True),
    )
}
