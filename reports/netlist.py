"""To go once no step imports it: reports/catalogue.py makes the records."""

from collections.abc import Mapping

from hw.forms import FORMS
from reports.catalogue import Value, names_measured_by, records
from reports.metrics import Evidence, Metric

TIMING = names_measured_by("timing")
OPENSTA = ("timing.opensta.critical_path_ns", "timing.opensta.slack_ns")
ECP5 = names_measured_by("ecp5")
GATESIM = names_measured_by("gatesim")
EQUIVALENCE = names_measured_by("equivalence")


def netlist_metrics(
    names: tuple[str, ...], variant: str, values: Mapping[str, Value], reason: str | None = None
) -> list[Metric]:
    """Records of `names` alone."""
    return records(
        {name: value for name, value in values.items() if name in names},
        evidence=Evidence.PNR if names is ECP5 else Evidence.SYNTH,
        form={form.name: form for form in FORMS}[variant],
        reason=reason,
        names=names,
    )
