"""The measures of compression quality other than the distance, one row each."""

import math
from dataclasses import dataclass

from reports.catalogue import MEASURES, QUALITY_MEASURES, row_of
from reports.metrics import Metric, Summary
from reports.tables.values import MISSING, format_value

_MEASURES = {measure.name: measure for measure in QUALITY_MEASURES}


@dataclass(frozen=True)
class MeasureRow:
    """One measure, over the modules that have a value of it.

    Attributes:
        best: the direction of improvement, or the value of a perfect copy, in words.
    """

    label: str
    mean: str
    std: str
    median: str
    modules: str
    unit: str
    best: str


def measure_rows(summary: Summary) -> list[MeasureRow]:
    """A row for each `quality.<measure>.*` of the summary, in its order."""
    measures: dict[str, dict[str, Metric]] = {}
    for metric in summary.metrics:
        if row_of(metric.name).section == MEASURES:
            _, name, part = metric.name.split(".")
            measures.setdefault(name, {})[part] = metric
    return [_row(name, parts) for name, parts in measures.items() if "mean" in parts]


def _row(name: str, parts: dict[str, Metric]) -> MeasureRow:
    def shown(part: str) -> str:
        return format_value(parts[part].value if part in parts else None)

    mean = parts["mean"]
    measure = _MEASURES[name]
    return MeasureRow(
        label=measure.label,
        mean=_with_error(mean, parts.get("standard_error")),
        std=shown("std"),
        median=shown("median"),
        modules=shown("modules"),
        unit=mean.unit,
        best=measure.better or f"nearest to {measure.nearest_to}",
    )


def _with_error(mean: Metric, error: Metric | None) -> str:
    """Both with as many decimals as the error has two digits in."""
    value, spread = mean.value, error.value if error else None
    if not isinstance(value, int | float):
        return MISSING
    if not isinstance(spread, int | float):
        return f"{format_value(value)} \u00b1 {MISSING}"
    if spread == 0:
        return format_value(value)
    decimals = max(1 - math.floor(math.log10(spread)), 0)
    return f"{value:.{decimals}f} \u00b1 {spread:.{decimals}f}"
