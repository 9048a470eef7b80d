"""Modules that stand for all of a sample."""

import numpy as np
import numpy.typing as npt

from models.quality.quality import occupancy, summed_charge


def representative(calq: npt.NDArray, count: int) -> npt.NDArray[np.int64]:
    """Indices of `count` modules whose occupancies and charges are distributed as those of all.

    The modules are put in order of occupancy, then of charge, and taken at even distances: each
    occupancy has its share, and the mean over them varies less than that of a random choice.
    Empty modules are left out.

    Args:
        calq: charges, shape (n, 48), in CALQ counts.
        count: of modules; all where there are no more.
    """
    filled = np.flatnonzero(calq.sum(axis=1) > 0)
    if len(filled) <= count:
        return filled
    order = np.lexsort((summed_charge(calq[filled]), occupancy(calq[filled])))
    ranks = ((np.arange(count) + 0.5) * len(filled) / count).astype(np.int64)
    return np.sort(filled[order[ranks]])
