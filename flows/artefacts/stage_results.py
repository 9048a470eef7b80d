"""How far each stage of a design has come, and what it measured."""

from datetime import UTC, datetime
from pathlib import Path

from flows.artefacts.settings import compared_layout, read_settings
from flows.layout import DataLayout, DesignLayout, data_layout, design_layout, model_layout
from flows.provenance import file_hash
from flows.stages import BY_NAME, STAGES, Scope, Stage
from flows.tasks import Task
from reports.catalogue import records
from reports.metrics import Metric, read_metrics
from reports.report import Progress, StageState
from reports.tables.values import format_value


def design_of(build: Path, model: str, target: str, data: Path | None = None) -> DesignLayout:
    """The folders of a design; its data set is the one named, else the one it was trained on.

    Raises:
        InputError: the model's settings are damaged.
    """
    if data is not None:
        return design_layout(build, model, target, data_layout(build, data))
    settings = read_settings(model_layout(build, model))
    known = settings.data if settings else None
    own = DataLayout(build / "data" / known.name) if known else None
    return design_layout(build, model, target, own)


def stages_of(design: DesignLayout) -> list[Stage]:
    """The stages that a report on the design speaks of."""
    of_chip, about_modules = is_of_the_chip(design), task_of(design).about_modules
    return [
        stage
        for stage in STAGES
        if stage.reported
        and (of_chip or not stage.chip_only)
        and (about_modules or not (stage.modules_only or stage.scope is Scope.FORM))
    ]


def task_of(design: DesignLayout) -> Task:
    """What the model is for; a model that is not there yet is one of the zoo."""
    settings = read_settings(design.model)
    return settings.task if settings else Task.MODULES


def is_of_the_chip(design: DesignLayout) -> bool:
    """Whether it is a model of the zoo in the ECON-T's arithmetic."""
    settings = read_settings(design.model)
    return settings is not None and settings.of_chip


def metrics_file(stage: Stage, design: DesignLayout) -> Path:
    """Where the stage's metrics lie for this design."""
    match stage.scope:
        case Scope.DATA:
            return design.data.metrics
        case Scope.MODEL:
            return design.model.metrics(stage.name)
        case Scope.TARGET:
            return design.target.metrics(stage.name)
        case Scope.FORM:
            assert stage.form is not None  # the scope says so
            return design.shared(stage.form).metrics(stage.name)


def remedy(stage: Stage, design: DesignLayout) -> str:
    """The command that does the stage for this design."""
    model = f"MODEL={design.model.folder.name}"
    target = f"TARGET={design.target.folder.name}"
    generated = design.data == data_layout(design.build, None)
    variables = {
        Scope.DATA: "" if generated else f"DATA=<path of {design.data.folder.name}>",
        Scope.MODEL: model,
        Scope.TARGET: f"{model} {target}",
        Scope.FORM: target,
    }[stage.scope]
    note = f" ({stage.remedy_note})" if stage.remedy_note else ""
    return f"make {stage.name} {variables}".rstrip() + note


def state(stage: Stage, design: DesignLayout) -> StageState:
    """How far the stage is.

    Raises:
        InputError: its metrics file is damaged.
    """
    return result(stage, design)[0]


def result(stage: Stage, design: DesignLayout) -> tuple[StageState, list[Metric]]:
    """How far the stage is, and its metrics; those of a replaced encoder lose their values.

    Raises:
        InputError: its metrics file is damaged.
    """
    file, command = metrics_file(stage, design), remedy(stage, design)
    if not file.is_file():
        return StageState(stage.name, Progress.MISSING, command), _promised(stage, design, command)
    metrics = read_metrics(file)
    written = datetime.fromtimestamp(file.stat().st_mtime, tz=UTC)
    if _is_stale(stage, design, metrics):
        reason = f"measured on an encoder that has been replaced; {command}"
        return StageState(stage.name, Progress.STALE, reason, written), [
            metric.model_copy(update={"value": None, "reason": reason}) for metric in metrics
        ]
    measured = [metric for metric in metrics if metric.value is not None]
    if metrics and not measured:
        return StageState(stage.name, Progress.SKIPPED, metrics[0].reason or "", written), metrics
    return StageState(stage.name, Progress.DONE, _key_figure(stage, measured), written), metrics


def _promised(stage: Stage, design: DesignLayout, command: str) -> list[Metric]:
    """The stage's metrics without values, where a report names them though it is not done."""
    of_other_arithmetic = stage.form and stage.form.shared_folder and not is_of_the_chip(design)
    if not stage.promised or of_other_arithmetic:
        return []
    return records(
        {},
        names=stage.records,
        evidence=stage.evidence,
        form=stage.form,
        reason=f"not done; {command}",
    )


def _is_stale(stage: Stage, design: DesignLayout, metrics: list[Metric]) -> bool:
    """Whether the encoder has been replaced since the stage measured it."""
    encoder = design.model.network("encoder")
    if "train" not in _ancestors(stage) or not encoder.is_file():
        return False
    measured = {m.provenance.model_hash for m in metrics if m.provenance} - {None}
    files = [encoder, design.model.network("decoder")]
    if stage.beside and (plain := compared_layout(design.model)):
        files.append(plain.network("encoder"))
    return bool(measured - {file_hash(file) for file in files if file.is_file()})


def _ancestors(stage: Stage) -> set[str]:
    """The names of all stages that it needs, directly or not."""
    direct = set(stage.needs)
    return direct.union(*(_ancestors(BY_NAME[name]) for name in direct))


def _key_figure(stage: Stage, measured: list[Metric]) -> str:
    by_name = {metric.name: metric for metric in measured}
    for name in stage.key_figures:
        if name in by_name:
            metric = by_name[name]
            return f"{name} = {format_value(metric.value)} {metric.unit}".rstrip()
    return f"{len(measured)} figures"
