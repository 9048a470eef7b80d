"""Seals for results that tests write by hand, as the stages would have left them."""

from pathlib import Path

from flows.artefacts.seals import metrics_file, write_results
from flows.artefacts.stage_results import design_of
from flows.stages import STAGES
from reports.catalogue import find_row
from reports.metrics import Metric, Provenance, read_metrics


def seal_all(build: Path, model: str, target: str = "econ_t", data: Path | None = None) -> None:
    """Seal all results of a design as they are now; metrics get unit and provenance if need be."""
    design = design_of(build, model, target, data)
    for stage in STAGES:
        file = metrics_file(stage, design)
        if file.is_file():
            write_results(stage, design, [_completed(metric) for metric in read_metrics(file)])


def _completed(metric: Metric) -> Metric:
    row = find_row(metric.name)
    return metric.model_copy(
        update={
            "unit": row.unit if row else metric.unit,
            "provenance": metric.provenance or Provenance(),
        }
    )
