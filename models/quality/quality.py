"""Statistics of a quality measure over modules, in all and in bins of occupancy or of charge.

A measure has one value a module, NaN where the module is empty; empty modules are counted apart and
enter no mean.  The occupancy of a module is its number of trigger cells above one transverse MIP,
its charge is the sum over its cells.  Bins are half open, the last one closed, as in
numpy.histogram.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from models.data.geometry import CALQ_PER_MIPT, TRIGGER_CELLS

# the reference's coarse bins, closed by all that is above its last edge
OCCUPANCY_BINS = (0, 2, 5, 10, 15, TRIGGER_CELLS)
# the reference's profile, 12 bins over 0 to 24 trigger cells, carried on to all cells
PROFILE_BINS = tuple(range(0, TRIGGER_CELLS + 1, 2))
# summed charge in MIP_T: about two bins a decade over the charges of nElinks_5, and all above
CHARGE_BINS = (0, 1, 3, 10, 30, 100, float("inf"))

_MEDIAN_AND_SIGMA = (0.16, 0.5, 0.84)


@dataclass(frozen=True)
class Statistics:
    """Summary of one sample of a measure; every number but `count` is NaN for an empty sample.

    One module alone tells nothing of its spread: its standard error is NaN too.

    Attributes:
        count: modules with a value.
        mean, std: arithmetic mean and standard deviation (of the sample, ddof = 0).
        standard_error: of the mean, std / sqrt(count).
        median, low, high: 50 %, 16 % and 84 % quantiles.
    """

    count: int
    mean: float
    std: float
    standard_error: float
    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Bin:
    """Statistics of the modules whose occupancy (or charge) lies from `lower` to below `upper`."""

    lower: float
    upper: float
    statistics: Statistics


def occupancy(calq: npt.NDArray) -> npt.NDArray[np.int64]:
    """Trigger cells above one transverse MIP, shape (n,), of charges (n, 48) in CALQ counts."""
    return (calq > CALQ_PER_MIPT).sum(axis=1)


def summed_charge(calq: npt.NDArray) -> npt.NDArray[np.float64]:
    """Summed charge in transverse MIPs, shape (n,), of charges (n, 48) in CALQ counts."""
    return calq.sum(axis=1, dtype=np.float64) / CALQ_PER_MIPT


def statistics(values: npt.NDArray[np.floating]) -> Statistics:
    """Statistics of the values that are not NaN."""
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        return Statistics(0, *[float("nan")] * 6)
    low, median, high = np.quantile(known, _MEDIAN_AND_SIGMA)
    std = float(known.std())
    return Statistics(
        count=len(known),
        mean=float(known.mean()),
        std=std,
        standard_error=std / len(known) ** 0.5 if len(known) > 1 else float("nan"),
        median=float(median),
        low=float(low),
        high=float(high),
    )


def profile(
    values: npt.NDArray[np.floating], coordinate: npt.NDArray, edges: Sequence[float]
) -> list[Bin]:
    """Statistics of `values` in each bin of `coordinate` (both (n,)); those outside are left."""
    return [
        Bin(lower, upper, statistics(values[in_bin(coordinate, lower, upper, edges)]))
        for lower, upper in pairwise(edges)
    ]


def in_bin(
    coordinate: npt.NDArray, lower: float, upper: float, edges: Sequence[float]
) -> npt.NDArray[np.bool_]:
    """Which modules lie in one bin of `edges`; the last bin includes its upper edge."""
    below = coordinate <= upper if upper == edges[-1] else coordinate < upper
    return (coordinate >= lower) & below


def worst_modules(values: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
    """Indices of the `count` modules of the largest values, the largest first."""
    known = np.flatnonzero(~np.isnan(values))
    return known[np.argsort(-values[known], kind="stable")[:count]]


def typical_modules(
    values: npt.NDArray[np.float64], occupancies: npt.NDArray, count: int
) -> npt.NDArray[np.int64]:
    """Indices of about `count` modules to show: spread over occupancy, typical in their value.

    Each occupied bin of OCCUPANCY_BINS gives the same number of modules, at evenly spaced quantiles
    of its values (one module: the median), so the choice is neither the best nor the worst.
    """
    known = ~np.isnan(values)
    bins = [
        members
        for lower, upper in pairwise(OCCUPANCY_BINS)
        if len(members := np.flatnonzero(known & in_bin(occupancies, lower, upper, OCCUPANCY_BINS)))
    ]
    if not bins:
        return np.zeros(0, dtype=np.int64)
    per_bin = -(-count // len(bins))
    quantiles = (np.arange(per_bin) + 0.5) / per_bin
    chosen: list[int] = []
    for members in bins:
        by_value = members[np.argsort(values[members], kind="stable")]
        ranks = np.unique((quantiles * len(by_value)).astype(int))
        chosen += by_value[ranks].tolist()
    return np.array(chosen, dtype=np.int64)
