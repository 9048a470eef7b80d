"""To go once no step imports it: reports/catalogue.py makes the records."""

from collections.abc import Mapping

from hw.forms import FORMS
from reports.catalogue import names_measured_by, records
from reports.metrics import Evidence, Metric


def rtlsim_metrics(
    variant: str, figures: Mapping[str, float], reason: str | None = None
) -> list[Metric]:
    """Records of an RTL simulation."""
    form = {form.name: form for form in FORMS}[variant]
    names = names_measured_by("rtlsim")
    return records(figures, evidence=Evidence.RTLSIM, form=form, reason=reason, names=names)
