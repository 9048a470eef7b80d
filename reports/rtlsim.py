"""The records of an RTL simulation: the same names for every form of the design."""

from collections.abc import Mapping

from reports.form_metrics import Names, form_metrics
from reports.metrics import Evidence, Metric

_NAMES: Names = (
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
    """Records of the figures measured, by metric name; else as `form_metrics`."""
    return form_metrics(_NAMES, Evidence.RTLSIM, variant, figures, reason)
