"""The stages of a design in their order, and how far each has come."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows.layout import DataLayout, data_layout, model_layout, target_layout
from hw.errors import InputError
from reports.metrics import Metric, read_metrics
from reports.report import Progress, StageState
from reports.tables import format_value


@dataclass(frozen=True)
class Stage:
    """One step of the flow and the metrics file that its end leaves.

    Attributes:
        name: as on the Make command line.
        metrics: its metrics file.
        remedy: the command that does it.
        key_figures: metric names, the first one that is there is shown.
    """

    name: str
    metrics: Path
    remedy: str
    key_figures: tuple[str, ...]


def stages(build: Path, model: str, target: str, data: DataLayout) -> list[Stage]:
    """All stages of one model on one target."""
    of_model, of_target = model_layout(build, model), target_layout(build, model, target)
    for_model = f"MODEL={of_model.folder.name}"
    for_target = f"{for_model} TARGET={of_target.folder.name}"
    return [
        Stage("data", data.metrics, "make data", ("data.modules", "data.distance.occ_all")),
        Stage(
            "train",
            of_model.train_metrics,
            f"make train {for_model}",
            ("train.val_loss", "train.loss", "train.epochs"),
        ),
        Stage("evaluate", of_model.evaluate_metrics, f"make evaluate {for_model}", ("emd.mean",)),
        Stage("flops", of_model.complexity_metrics, f"make flops {for_model}", ("flops.total",)),
        Stage("hls", of_target.hls_metrics, f"make hls {for_target}", ("hls.layers",)),
        Stage("csim", of_target.csim_metrics, f"make csim {for_target}", ("csim.mismatches",)),
    ]


def state(stage: Stage) -> StageState:
    """Whether the stage is done, was skipped (and why), or is still to do.

    Raises:
        InputError: its metrics file is damaged.
    """
    if not stage.metrics.is_file():
        return StageState(stage.name, Progress.MISSING, stage.remedy)
    metrics = read_metrics(stage.metrics)
    written = datetime.fromtimestamp(stage.metrics.stat().st_mtime, tz=UTC)
    measured = [metric for metric in metrics if metric.value is not None]
    if metrics and not measured:
        return StageState(stage.name, Progress.SKIPPED, metrics[0].reason or "", written)
    return StageState(stage.name, Progress.DONE, _key_figure(stage, measured), written)


def data_of_model(build: Path, model: str, data: Path | None) -> DataLayout:
    """The data set of a design: the one named, else the one that the model was trained on."""
    if data is not None:
        return data_layout(build, data)
    settings = model_layout(build, model).settings
    if settings.is_file():
        name = _data_name(settings)
        if name is not None:
            return DataLayout(build / "data" / name)
    return data_layout(build, None)


def _data_name(settings: Path) -> str | None:
    try:
        found = json.loads(settings.read_text(encoding="utf-8"))
        return found["data"].get("name")
    except (ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{settings}: no record of the data: {error}; train anew") from error


def _key_figure(stage: Stage, measured: list[Metric]) -> str:
    by_name = {metric.name: metric for metric in measured}
    for name in stage.key_figures:
        if name in by_name:
            metric = by_name[name]
            return f"{name} = {format_value(metric.value)} {metric.unit}".rstrip()
    return f"{len(measured)} figures"
