"""The records of an RTL simulation: the same names for every form of the design."""

from collections.abc import Mapping
from typing import Literal

from reports.metrics import Evidence, Metric

_NAMES: tuple[tuple[str, str, Literal["lower", "higher"] | None], ...] = (
    ("rtlsim.vectors", "vectors", None),
    ("rtlsim.mismatches", "vectors", "lower"),
    ("rtlsim.vectors_per_second", "vectors/s", "higher"),
    ("latency.cycles", "cycles", "lower"),
    ("latency.ns", "ns", "lower"),
    ("ii.cycles", "cycles", "lower"),
)


def rtlsim_metrics(
    variant: str, figures: Mapping[str, float], reason: str | None = None
) -> list[Metric]:
    """Records of the figures measured, by metric name; what was not has the reason.

    Args:
        variant: the form of the design.
        reason: what went wrong, or why nothing was measured.
    """
    metrics = []
    for name, unit, better in _NAMES:
        value = figures.get(name)
        telling = value is None or (name == "rtlsim.mismatches" and value)
        metrics.append(
            Metric(
                name=name,
                value=value,
                unit=unit,
                evidence=Evidence.RTLSIM,
                better=better,
                reason=reason if telling else None,
                variant=variant,
            )
        )
    return metrics
