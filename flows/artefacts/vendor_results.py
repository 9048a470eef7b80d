"""What vendor tools have left in the HLS projects."""

from flows.layout import TargetLayout
from flows.provenance import provenance
from hw.backends.tool_reports import Figure
from hw.backends.vendor_runs import read_vendor_reports
from reports.metrics import Evidence, Metric, Provenance


def vendor_metrics(layout: TargetLayout, encoder_hash: str | None) -> list[Metric]:
    """What vendor tools have left in the HLS projects; those of the whole chip block are named
    `block.*`.

    Args:
        encoder_hash: of the encoder that the projects were made from, where it is known.

    Raises:
        InputError: a report is malformed.
    """
    source = provenance(model_hash=encoder_hash) if encoder_hash else Provenance()
    return [
        *(_metric(figure, source) for figure in read_vendor_reports(layout.hls)),
        *(_metric(figure, source, "block.") for figure in read_vendor_reports(layout.block)),
    ]


def _metric(figure: Figure, source: Provenance, prefix: str = "") -> Metric:
    report = figure.report
    return Metric(
        name=prefix + figure.name,
        value=figure.value,
        unit=figure.unit,
        evidence=Evidence(report.evidence),
        better=figure.better,
        reason=figure.reason,
        provenance=source.model_copy(update={"tools": {report.tool: report.version}}),
    )
