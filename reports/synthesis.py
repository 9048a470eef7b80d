"""To go once no step imports it: reports/catalogue.py makes the records."""

from collections.abc import Mapping

from hw.forms import FORMS
from reports.catalogue import Value, names_measured_by, records
from reports.metrics import Evidence, Metric


def synthesis_metrics(variant: str, values: Mapping[str, Value]) -> list[Metric]:
    """Records of a mapped design."""
    form = {form.name: form for form in FORMS}[variant]
    return records(values, evidence=Evidence.SYNTH, form=form)


def unmeasured_synthesis(variant: str, reason: str) -> list[Metric]:
    """The records of synthesis without values, for that reason."""
    form = {form.name: form for form in FORMS}[variant]
    names = names_measured_by("synth")
    return records({}, evidence=Evidence.SYNTH, form=form, reason=reason, names=names)
