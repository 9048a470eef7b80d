"""The earth mover's distance of the modules of each occupancy bin, a row each."""

import re
from dataclasses import dataclass

from reports.metrics import Metric, Summary
from reports.tables.values import MISSING, format_value

_NAME = re.compile(r"emd\.occupancy\.(\d+)-(\d+)\.(\w+)")


@dataclass(frozen=True)
class OccupancyRow:
    """The distance in one bin, in half pitches.

    Attributes:
        cells: the bin, in trigger cells.
        quantiles: from 16 % to 84 %.
    """

    cells: str
    modules: str
    mean: str
    std: str
    median: str
    quantiles: str


def occupancy_rows(summary: Summary) -> list[OccupancyRow]:
    """A row for each bin of the summary; none if no bin was measured."""
    bins: dict[tuple[int, int], dict[str, Metric]] = {}
    for metric in summary.metrics:
        if match := _NAME.fullmatch(metric.name):
            bins.setdefault((int(match[1]), int(match[2])), {})[match[3]] = metric
    if not any(metric.value for parts in bins.values() for metric in parts.values()):
        return []
    last = max(upper for _, upper in bins)
    rows = []
    for (lower, upper), parts in sorted(bins.items()):
        shown = {
            name: format_value(m.value) if name == "modules" else _three_decimals(m.value)
            for name, m in parts.items()
        }
        measured = parts["mean"].value is not None
        rows.append(
            OccupancyRow(
                cells=f"{lower} to {upper if upper == last else upper - 1}",
                modules=shown["modules"],
                mean=f"{shown['mean']} \u00b1 {shown['standard_error']}" if measured else MISSING,
                std=shown["std"],
                median=shown["median"],
                quantiles=f"{shown['quantile_16']} to {shown['quantile_84']}"
                if measured
                else MISSING,
            )
        )
    return rows


def _three_decimals(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float | int) else MISSING
