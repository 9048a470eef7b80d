"""Records of what a step measures of one form of a design, whether it was measured or not."""

from collections.abc import Mapping
from typing import Literal

from reports.metrics import Evidence, Metric

Value = float | int | bool | str
Names = tuple[tuple[str, str, Literal["lower", "higher"] | None], ...]
"""Name, unit and better direction of each metric."""


def form_metrics(
    names: Names,
    evidence: Evidence,
    variant: str,
    values: Mapping[str, Value],
    reason: str | None = None,
) -> list[Metric]:
    """Records of the values measured, by metric name; what was not, or is wrong, has the reason.

    Args:
        variant: the form of the design.
        reason: what went wrong, or why nothing was measured.
    """
    metrics = []
    for name, unit, better in names:
        value = values.get(name)
        wrong = value is False or (name.endswith(".mismatches") and value)
        metrics.append(
            Metric(
                name=name,
                value=value,
                unit=unit,
                evidence=evidence,
                better=better,
                reason=reason if value is None or wrong else None,
                variant=variant,
            )
        )
    return metrics
