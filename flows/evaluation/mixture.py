"""What the best mixture of the autoencoder and the chip's other algorithms would give.

A chip runs one algorithm at a time, set by its registers; which one may differ from module to
module of the detector, so from one occupancy or charge to another.  The bins are those of the
report's tables.  The best algorithm of each single module is a bound that no setting reaches.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from flows.evaluation.baselines import Baseline
from flows.evaluation.quality_metrics import Coordinates, estimates
from models.quality.quality import CHARGE_BINS, OCCUPANCY_BINS, in_bin
from reports.metrics import Metric
from reports.tables.algorithms import LEAST_ANSWERED

Values = npt.NDArray[np.floating]

_NAMES = [
    f"mixture.{by}.{part}"
    for by in ("occupancy", "charge", "module")
    for part in ("emd.mean", "autoencoder")
]


def mixture_metrics(
    own: Values, own_bits: float | None, others: Sequence[Baseline], where: Coordinates, held: float
) -> list[Metric]:
    """Metrics `mixture.<occupancy|charge|module>.emd.mean` and `.autoencoder`, the share of modules
    for which the autoencoder is chosen.

    Args:
        own: distance of the autoencoder, shape (n,); NaN for a module without value.
        own_bits: bits that it sends of a module, if they have a number.
        others: the other algorithms; those whose mean frame has more than `held` bits have no part.
        held: bits that the links hold.
    """
    filled = ~where.empty
    sent = [
        algorithm.values["emd"]
        for algorithm in others
        if algorithm.bits is not None and filled.any() and algorithm.bits[filled].mean() <= held
    ]
    if own_bits is None or own_bits > held or not filled.any():
        return estimates(dict.fromkeys(_NAMES), "the autoencoder's latents do not fit the links")
    distances = np.stack([own, *sent])[:, filled].astype(np.float64)
    known = ~np.isnan(distances)
    worst = np.where(known, distances, np.inf)
    chosen = {"module": worst.argmin(axis=0)}
    for by, coordinate, edges in (
        ("occupancy", where.occupancy[filled], OCCUPANCY_BINS),
        ("charge", where.charge[filled], CHARGE_BINS),
    ):
        choice = np.zeros(coordinate.shape, dtype=np.int64)
        for lower, upper in pairwise(edges):
            inside = in_bin(coordinate, lower, upper, edges)
            choice[inside] = _best(distances[:, inside], known[:, inside])
        chosen[by] = choice
    values: dict[str, float | None] = {}
    for by, choice in chosen.items():
        found = np.take_along_axis(distances, choice[None], axis=0)[0]
        mean = float(np.nanmean(found)) if np.isfinite(found).any() else None
        values[f"mixture.{by}.emd.mean"] = mean
        values[f"mixture.{by}.autoencoder"] = float(np.mean(choice == 0))
    return estimates(values, "no validation module comes back with charge", _NAMES)


def _best(distances: Values, known: npt.NDArray[np.bool_]) -> int:
    """The algorithm of the smallest mean among those that bring almost every module back."""
    if not distances.shape[1]:
        return 0
    answered = known.mean(axis=1) >= LEAST_ANSWERED
    sums = np.where(known, distances, 0).sum(axis=1)
    means = np.divide(sums, known.sum(axis=1), out=np.full(len(sums), np.inf), where=answered)
    return int(means.argmin())
