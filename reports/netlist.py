"""The records of what is measured on a mapped netlist: timing, simulation, equivalence."""

from collections.abc import Mapping

from reports.form_metrics import Names, Value, form_metrics
from reports.metrics import Evidence, Metric

TIMING: Names = (
    ("timing.critical_path_ns", "ns", "lower"),
    ("timing.slack_ns", "ns", "higher"),
)
OPENSTA: Names = (
    ("timing.opensta.critical_path_ns", "ns", "lower"),
    ("timing.opensta.slack_ns", "ns", "higher"),
)
ECP5: Names = (
    ("timing.ecp5.fmax_mhz", "MHz", "higher"),
    ("timing.ecp5.cells", "logic cells", "lower"),
)
GATESIM: Names = (
    ("gatesim.vectors", "vectors", None),
    ("gatesim.mismatches", "vectors", "lower"),
    ("gatesim.vectors_per_second", "vectors/s", "higher"),
)
EQUIVALENCE: Names = (
    ("equivalence.proved", "", "higher"),
    ("equivalence.functions", "functions", None),
    ("equivalence.control_caught", "", "higher"),
)


def netlist_metrics(
    names: Names, variant: str, values: Mapping[str, Value], reason: str | None = None
) -> list[Metric]:
    """Records of the values measured, by metric name; else as `form_metrics`.

    Args:
        names: one of the groups above.
    """
    evidence = Evidence.PNR if names is ECP5 else Evidence.SYNTH
    return form_metrics(names, evidence, variant, values, reason)
