"""The silicon modules of HGCAL layer 9: their places, their sensors, their calibration.

The `nElinks_5` data of the signal allocation are the full modules of this one layer (five elinks:
`signalAllocation` in the ECON-T emulator's sortByLinks.py), so the place of a module fixes its
pseudorapidity, its sensor thickness and the pile-up that reaches it.
Sources: sensor class of each module, ECON-T emulator Utils/ModuleLinkSummary.csv (geometry v11);
calibration factors, its getDataFromMC.py; sensor pitch and layer position, CMS-TDR-019 (rounded).
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
import numpy.typing as npt

from models.data.geometry import HALF_PITCH_CM, cell_coordinates

LAYER = 9
SUBDETECTOR = 1  # the electromagnetic section, as geometry v11 numbers it
LAYER_Z_CM = 332.0
WAFER_PITCH_CM = 16.744
CALIBRATION_BITS = 11


class Sensor(IntEnum):
    """Sensor class of a full module: position in every per-class list of this package."""

    FI = 0  # 120 um, high density: 9 sensor cells a trigger cell
    FM = 1  # 200 um, low density: 4 sensor cells a trigger cell
    FO = 2  # 300 um, low density


# (u, v) of the full modules in one sixth of the disc; rotations by 60 degrees give the others
_FULL_MODULES = {
    Sensor.FI: [(3, v) for v in range(3)]
    + [(4, v) for v in range(4)]
    + [(5, v) for v in (1, 2, 3)],
    Sensor.FM: [(5, 0), (5, 4)]
    + [(6, v) for v in range(6)]
    + [(7, v) for v in range(7)]
    + [(8, v) for v in range(2, 7)],
    Sensor.FO: [(8, 0), (8, 1), (8, 7)] + [(9, v) for v in range(1, 9)] + [(10, 4), (10, 6)],
}


@dataclass(frozen=True)
class WaferMap:
    """The full modules of the layer, one a row; lengths in cm.

    Attributes:
        u, v: wafer indices, shape (wafers,).
        sensor: `Sensor` of each, shape (wafers,).
        xy: centres, shape (wafers, 2).
        radius: distance of the centre from the beam, shape (wafers,).
        cell_radius: the same of each trigger cell, shape (wafers, 48).
        calibration: factor of each trigger cell to transverse charge in units of
            2**-CALIBRATION_BITS, shape (wafers, 48), integer.
    """

    u: npt.NDArray[np.int64]
    v: npt.NDArray[np.int64]
    sensor: npt.NDArray[np.int64]
    xy: npt.NDArray[np.float64]
    radius: npt.NDArray[np.float64]
    cell_radius: npt.NDArray[np.float64]
    calibration: npt.NDArray[np.int64]

    def eta(self) -> npt.NDArray[np.float64]:
        """Pseudorapidity of the centres, shape (wafers,)."""
        return np.arcsinh(LAYER_Z_CM / self.radius)

    def phi(self) -> npt.NDArray[np.float64]:
        """Azimuth of the centres in (-pi, pi], shape (wafers,)."""
        return np.arctan2(self.xy[:, 1], self.xy[:, 0])


@cache
def module_frame() -> npt.NDArray[np.float64]:
    """Trigger cell centres about the centre of the module, shape (48, 2), in half pitches."""
    return cell_coordinates() - cell_coordinates().mean(axis=0)


@cache
def wafer_map() -> WaferMap:
    """The full modules of layer 9 of one endcap."""
    indices, sensors = [], []
    for sensor, sixth in _FULL_MODULES.items():
        for u, v in sixth:
            turned = [(u, v), (u - v, u), (-v, u - v)]
            indices += turned + [(-a, -b) for a, b in turned]
            sensors += [sensor] * 6
    u, v = np.array(indices).T
    xy = WAFER_PITCH_CM * np.stack([v / 2 - u, v * 3**0.5 / 2], axis=1)
    cells = xy[:, None] + module_frame() * HALF_PITCH_CM
    cell_radius = np.hypot(cells[..., 0], cells[..., 1])
    to_transverse = 1 / np.cosh(np.arcsinh(LAYER_Z_CM / cell_radius))
    return WaferMap(
        u=u,
        v=v,
        sensor=np.array(sensors, dtype=np.int64),
        xy=xy,
        radius=np.hypot(xy[:, 0], xy[:, 1]),
        cell_radius=cell_radius,
        calibration=np.round(2**CALIBRATION_BITS * to_transverse).astype(np.int64),
    )
