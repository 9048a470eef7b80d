"""The measures of compression quality other than the distance, one row each."""

import math
import re
from dataclasses import dataclass

from reports.metrics import Metric, Summary
from reports.tables import MISSING, format_value

_LABELS = {
    "emd_threshold": "Earth mover's distance of cells above 2 % of the charge",
    "mean_difference": "Difference of the charge-weighted mean",
    "rms_difference": "Difference of the charge-weighted RMS, before - after",
    "rms_difference_absolute": "Absolute difference of the charge-weighted RMS",
    "rms_reference_difference": "RMS difference as in the FastML benchmark",
    "rms_reference_difference_absolute": "Absolute RMS difference as in the FastML benchmark",
    "cross_correlation": "Cross-correlation of the cells",
    "squared_difference": "Sum of squared differences, normalised",
    "zero_fraction": "Fraction of modules that come back empty",
    "charge_response": "Charge response, after / before",
    "telescope": "Telescope loss",
}
_NAME = re.compile(r"quality\.(\w+)\.(\w+)")


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
        if match := _NAME.fullmatch(metric.name):
            measures.setdefault(match[1], {})[match[2]] = metric
    return [_row(name, parts) for name, parts in measures.items() if "mean" in parts]


def label_of(name: str) -> str | None:
    """Words for a metric `quality.<measure>.<part>`; None for any other."""
    match = _NAME.fullmatch(name)
    return f"{_LABELS.get(match[1], match[1])}, {match[2].replace('_', ' ')}" if match else None


def _row(name: str, parts: dict[str, Metric]) -> MeasureRow:
    def shown(part: str) -> str:
        return format_value(parts[part].value if part in parts else None)

    mean = parts["mean"]
    nearest = "nearest to 1" if name == "charge_response" else "nearest to 0"
    return MeasureRow(
        label=_LABELS.get(name, name),
        mean=_with_error(mean, parts.get("standard_error")),
        std=shown("std"),
        median=shown("median"),
        modules=shown("modules"),
        unit=mean.unit,
        best=mean.better or nearest,
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
