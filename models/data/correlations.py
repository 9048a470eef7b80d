"""How trigger cells of one place vary together, by the distance between them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.data.dataset import ModuleData
from models.data.geometry import TRIGGER_CELLS, cell_distances

# distance classes in half pitches; neighbours in different sectors stand up to 2.3 apart
_ONE_PITCH = (0.0, 2.4)
_TWO_PITCHES = (2.4, 4.2)
_FAR = (6.0, np.inf)
_NO_CHARGE = 0.5  # stands for 0 counts in the logarithm


@dataclass(frozen=True)
class Correlations:
    """Mean correlation coefficient of pairs of trigger cells; nan where it is not defined."""

    one_pitch: float
    two_pitches: float
    far: float  # beyond three pitches


def log_charge(calq: npt.NDArray) -> npt.NDArray[np.float32]:
    """Natural logarithm of the charges, half a count standing for none, shape (n, 48)."""
    return np.log(np.maximum(calq, _NO_CHARGE)).astype(np.float32)


def places(modules: ModuleData) -> npt.NDArray[np.int64]:
    """Number of the place in the detector of each module, told by eta and phi, shape (n,).

    All are of one place where the data does not tell.
    """
    if modules.eta is None or modules.phi is None:
        return np.zeros(len(modules), dtype=np.int64)
    direction = np.stack([modules.eta, modules.phi], axis=1)
    return np.unique(direction, axis=0, return_inverse=True)[1].ravel()


def correlations(values: npt.NDArray[np.float32], place: npt.NDArray[np.int64]) -> Correlations:
    """Correlations of `values`, shape (n, 48), within places, averaged over classes of distance.

    Each cell's mean in its place is taken off first: else the difference between dense and sparse
    places of the detector would correlate all cells.
    """
    count = np.maximum(np.bincount(place), 1)
    residuals = np.empty((len(values), TRIGGER_CELLS), dtype=np.float32)
    for cell in range(TRIGGER_CELLS):
        mean = np.bincount(place, weights=values[:, cell]) / count
        residuals[:, cell] = values[:, cell] - mean[place]
    covariance = (residuals.T @ residuals).astype(np.float64)
    deviation = np.sqrt(np.diag(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix = covariance / np.outer(deviation, deviation)
    distance = cell_distances()
    return Correlations(
        *(
            float(matrix[(distance > low) & (distance <= high)].mean())
            for low, high in (_ONE_PITCH, _TWO_PITCHES, _FAR)
        )
    )
