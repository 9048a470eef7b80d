"""Metric records of a measure's values: in all, and in bins of occupancy and of summed charge."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.quality.quality import (
    CHARGE_BINS,
    OCCUPANCY_BINS,
    Statistics,
    in_bin,
    occupancy,
    profile,
    statistics,
    summed_charge,
)
from reports.catalogue import records
from reports.metrics import Evidence, Metric

ALL_PARTS = ("mean", "std", "standard_error", "median", "quantile_16", "quantile_84")
MEAN_AND_ERROR = ("mean", "standard_error")

_NO_ERROR = "one module alone has no standard error"
_FIELDS = {"quantile_16": "low", "quantile_84": "high"}  # of Statistics, where named otherwise


@dataclass(frozen=True)
class Coordinates:
    """What modules are binned in, each of shape (n,).

    Attributes:
        occupancy: trigger cells above one transverse MIP.
        charge: summed charge in transverse MIPs.
        empty: whether there is no charge at all.
    """

    occupancy: npt.NDArray[np.int64]
    charge: npt.NDArray[np.float64]
    empty: npt.NDArray[np.bool_]


def coordinates(calq: npt.NDArray) -> Coordinates:
    """Of charges in CALQ counts, shape (n, 48)."""
    charge = summed_charge(calq)
    return Coordinates(occupancy(calq), charge, charge == 0)


def mean_in_words(mean: float | int | str, error: float | int | str | None) -> str:
    """A mean with its standard error, if it has one."""
    return f"{mean:.4f} +- {error:.4f}" if error is not None else f"{mean:.4f} (of one module)"


def estimates(
    values: Mapping[str, float | None], reason: str | None = None, names: Iterable[str] = ()
) -> list[Metric]:
    """Records of what was measured on the Keras model, as `reports.catalogue.records` makes them.

    Where nothing was measured there is no direction of improvement either.
    """
    return [
        metric if metric.value is not None else metric.model_copy(update={"better": None})
        for metric in records(values, evidence=Evidence.ESTIMATE, reason=reason, names=names)
    ]


def statistics_metrics(
    name: str, found: Statistics, *, none: str, parts: Sequence[str] = ALL_PARTS
) -> list[Metric]:
    """Records `<name>.<part>`, as `part_metrics` makes them, and `<name>.modules`."""
    metrics = part_metrics(name, found, none=none, parts=parts)
    return metrics + estimates({f"{name}.modules": found.count})


def part_metrics(
    name: str, found: Statistics, *, none: str, parts: Sequence[str] = ALL_PARTS
) -> list[Metric]:
    """Records `<name>.<part>`.

    Args:
        none: why there is no value, for an empty sample.
    """
    values = {f"{name}.{part}": getattr(found, _FIELDS.get(part, part)) for part in parts}
    known = {part: None if math.isnan(value) else value for part, value in values.items()}
    return estimates(known, _NO_ERROR if found.count else none)


def binned_metrics(
    name: str,
    values: npt.NDArray[np.floating],
    where: Coordinates,
    *,
    parts: Sequence[str] = ALL_PARTS,
) -> list[Metric]:
    """Records of each bin, `<name>.occupancy.0-2.mean`, `<name>.charge.100-inf.mean` and so on.

    `<bin>.empty_output` counts the modules with charge that have no value: they came back empty.
    """
    metrics = []
    unanswered = np.isnan(values) & ~where.empty
    for title, coordinate, edges in (
        ("occupancy", where.occupancy, OCCUPANCY_BINS),
        ("charge", where.charge, CHARGE_BINS),
    ):
        for group in profile(values, coordinate, edges):
            inside = in_bin(coordinate, group.lower, group.upper, edges)
            nothing = int(np.count_nonzero(unanswered & inside))
            bin_name = f"{name}.{title}.{group.lower:g}-{group.upper:g}"
            none = (
                "all modules in this bin come back empty"
                if nothing
                else "no validation module with charge in this bin"
            )
            metrics += statistics_metrics(bin_name, group.statistics, none=none, parts=parts)
            metrics += estimates({f"{bin_name}.empty_output": nothing})
    return metrics


def measured_metrics(
    name: str,
    values: npt.NDArray[np.floating],
    where: Coordinates,
    *,
    parts: Sequence[str] = ALL_PARTS,
) -> list[Metric]:
    """Records in all, with the modules left out of the mean, and of each bin."""
    nothing = int(np.count_nonzero(np.isnan(values) & ~where.empty))
    return [
        *statistics_metrics(
            name,
            statistics(values),
            none="no validation module has charge before and after",
            parts=parts,
        ),
        *estimates({f"{name}.empty": int(where.empty.sum()), f"{name}.empty_output": nothing}),
        *binned_metrics(name, values, where, parts=parts),
    ]
