"""The groups of trigger cells that the telescope loss compares: cells, 2 x 2 supercells, sectors.

The supercells are all 36 overlapping 2 x 2 groups of neighbours of a module, across the seams of
its sectors too.  A cell at the module's edge is in fewer supercells than one inside; the weights of
the supercells make up for that.
Source: Ecoder telescope.py.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from models.data.geometry import SECTOR_SIDE, SECTORS, TRIGGER_CELLS

_CELLS = np.arange(TRIGGER_CELLS).reshape(SECTORS, SECTOR_SIDE, SECTOR_SIDE)
# cells on both sides of each seam between two sectors, in step
_SEAMS = (
    (_CELLS[0, 0, :], _CELLS[1, ::-1, 3]),
    (_CELLS[0, :, 3], _CELLS[2, 0, ::-1]),
    (_CELLS[1, 0, :], _CELLS[2, ::-1, 3]),
)


@cache
def supercells() -> npt.NDArray[np.int64]:
    """Trigger cells of each overlapping 2 x 2 supercell, shape (36, 4)."""
    inside = np.lib.stride_tricks.sliding_window_view(_CELLS, (2, 2), axis=(1, 2)).reshape(-1, 4)
    across = [
        (near[step], near[step + 1], far[step], far[step + 1])
        for near, far in _SEAMS
        for step in range(SECTOR_SIDE - 1)
    ]
    groups = np.vstack([inside, across])
    groups.flags.writeable = False
    return groups


@cache
def supercell_weights() -> npt.NDArray[np.float64]:
    """Weight of each supercell in the telescope loss, shape (36,).

    The sum over its four cells of a quarter of 1/n, where a cell is in n supercells.  The three
    cells around the module's centre are in 3 supercells, and the reference counts them with
    1/16 + 1/12 in place of 1/12; so does this, that losses are comparable.
    """
    memberships = np.bincount(supercells().ravel(), minlength=TRIGGER_CELLS)
    share = np.where(memberships == 3, 1 / 16 + 1 / 12, 0.25 / memberships)
    weights = share[supercells()].sum(axis=1)
    weights.flags.writeable = False
    return weights


@cache
def supercell_sums() -> npt.NDArray[np.float32]:
    """Matrix that sums cells, (n, 48), to supercells, (n, 36); shape (48, 36)."""
    matrix = np.zeros((TRIGGER_CELLS, len(supercells())), dtype=np.float32)
    matrix[supercells(), np.arange(len(supercells()))[:, None]] = 1.0
    matrix.flags.writeable = False
    return matrix


@cache
def sector_sums() -> npt.NDArray[np.float32]:
    """Matrix that sums cells, (n, 48), to sectors, (n, 3); shape (48, 3)."""
    matrix = np.repeat(np.eye(SECTORS, dtype=np.float32), TRIGGER_CELLS // SECTORS, axis=0)
    matrix.flags.writeable = False
    return matrix
