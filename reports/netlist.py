"""The records of what is measured on a mapped netlist: timing, simulation, equivalence."""

from collections.abc import Mapping
from typing import Literal

from reports.metrics import Evidence, Metric

Value = float | int | bool | str
_Names = tuple[tuple[str, str, Literal["lower", "higher"] | None], ...]

TIMING: _Names = (
    ("timing.critical_path_ns", "ns", "lower"),
    ("timing.slack_ns", "ns", "higher"),
)
OPENSTA: _Names = (
    ("timing.opensta.critical_path_ns", "ns", "lower"),
    ("timing.opensta.slack_ns", "ns", "higher"),
)
ECP5: _Names = (
    ("timing.ecp5.fmax_mhz", "MHz", "higher"),
    ("timing.ecp5.cells", "logic cells", "lower"),
)
GATESIM: _Names = (
    ("gatesim.vectors", "vectors", None),
    ("gatesim.mismatches", "vectors", "lower"),
    ("gatesim.vectors_per_second", "vectors/s", "higher"),
)
EQUIVALENCE: _Names = (
    ("equivalence.proved", "", "higher"),
    ("equivalence.functions", "functions", None),
    ("equivalence.control_caught", "", "higher"),
)


def netlist_metrics(
    names: _Names, variant: str, values: Mapping[str, Value], reason: str | None = None
) -> list[Metric]:
    """Records of the values measured, by metric name; what was not has the reason.

    Args:
        names: one of the groups above.
        variant: the form of the design.
        reason: what went wrong, or why nothing was measured.
    """
    metrics = []
    for name, unit, better in names:
        value = values.get(name)
        wrong = value is False or (name == "gatesim.mismatches" and value)
        metrics.append(
            Metric(
                name=name,
                value=value,
                unit=unit,
                evidence=Evidence.PNR if names is ECP5 else Evidence.SYNTH,
                better=better,
                reason=reason if value is None or wrong else None,
                variant=variant,
            )
        )
    return metrics
