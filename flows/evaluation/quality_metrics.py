"""Metric records of a measure's values: in all, and in bins of occupancy and of summed charge."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
from reports.metrics import Metric

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


def statistics_metrics(
    name: str,
    found: Statistics,
    unit: str,
    *,
    none: str,
    better: Literal["lower", "higher"] | None = "lower",
    parts: Sequence[str] = ALL_PARTS,
) -> list[Metric]:
    """Records `<name>.<part>`, as `part_metrics` makes them, and `<name>.modules`."""
    records = part_metrics(name, found, unit, none=none, better=better, parts=parts)
    return [*records, Metric(name=f"{name}.modules", value=found.count, unit="modules")]


def part_metrics(
    name: str,
    found: Statistics,
    unit: str,
    *,
    none: str,
    better: Literal["lower", "higher"] | None = "lower",
    parts: Sequence[str] = ALL_PARTS,
) -> list[Metric]:
    """Records `<name>.<part>`.

    Args:
        none: why there is no value, for an empty sample.
        better: direction of improvement of mean and median.
    """
    metrics = []
    for part in parts:
        value = getattr(found, _FIELDS.get(part, part))
        known = not math.isnan(value)
        metrics.append(
            Metric(
                name=f"{name}.{part}",
                value=value if known else None,
                unit=unit,
                better=better if known and part in ("mean", "median") else None,
                reason=None if known else _NO_ERROR if found.count else none,
            )
        )
    return metrics


def binned_metrics(
    name: str,
    values: npt.NDArray[np.floating],
    where: Coordinates,
    unit: str,
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
            metrics += statistics_metrics(bin_name, group.statistics, unit, none=none, parts=parts)
            metrics.append(_empty_output(bin_name, nothing))
    return metrics


def measured_metrics(
    name: str,
    values: npt.NDArray[np.floating],
    where: Coordinates,
    unit: str,
    *,
    parts: Sequence[str] = ALL_PARTS,
) -> list[Metric]:
    """Records in all, with the modules left out of the mean, and of each bin."""
    nothing = int(np.count_nonzero(np.isnan(values) & ~where.empty))
    return [
        *statistics_metrics(
            name,
            statistics(values),
            unit,
            none="no validation module has charge before and after",
            parts=parts,
        ),
        Metric(name=f"{name}.empty", value=int(where.empty.sum()), unit="modules"),
        _empty_output(name, nothing),
        *binned_metrics(name, values, where, unit, parts=parts),
    ]


def _empty_output(name: str, count: int) -> Metric:
    return Metric(name=f"{name}.empty_output", value=count, unit="modules", better="lower")
