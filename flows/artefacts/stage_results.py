"""How far each stage of a design has come, and what it measured."""

from datetime import UTC, datetime
from pathlib import Path

from flows.artefacts.judged_target import judged_target
from flows.artefacts.seals import broken_seal, has_results, metrics_file
from flows.artefacts.settings import ModelSettings, read_settings
from flows.layout import (
    DataLayout,
    DesignLayout,
    ModelLayout,
    data_layout,
    design_layout,
    model_layout,
)
from flows.stages import STAGES, Scope, Stage
from flows.tasks import Task
from hw.foundation.errors import InputError
from hw.foundation.strict_config import did_you_mean
from models.networks.zoo import load_model_spec, model_names
from reports.catalogue import records, require_sound
from reports.metrics import Metric, read_metrics
from reports.report import Progress, StageState
from reports.tables.values import format_value


def design_of(build: Path, model: str, target: str, data: Path | None = None) -> DesignLayout:
    """The folders of a design; its data set is the one named, else the one it was trained on."""
    if data is not None:
        return design_layout(build, model, target, data_layout(build, data))
    settings = _settings(model_layout(build, model))
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
    settings = _settings(design.model)
    return settings.task if settings else Task.MODULES


def is_of_the_chip(design: DesignLayout) -> bool:
    """Whether it is a model of the zoo in the ECON-T's arithmetic."""
    settings = _settings(design.model)
    return settings is not None and settings.of_chip


def _settings(layout: ModelLayout) -> ModelSettings | None:
    """Settings of a model; None where there are none, or damaged ones, which a seal tells."""
    try:
        return read_settings(layout)
    except InputError:
        return None


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
    """How far the stage is."""
    return result(stage, design)[0]


def result(stage: Stage, design: DesignLayout) -> tuple[StageState, list[Metric]]:
    """How far the stage is, and its metrics; where its seal is broken, these have no values."""
    file, command = metrics_file(stage, design), remedy(stage, design)
    if not has_results(stage, design):
        return StageState(stage.name, Progress.MISSING, command), _promised(stage, design, command)
    written = datetime.fromtimestamp(file.stat().st_mtime, tz=UTC) if file.is_file() else None
    why = broken_seal(stage, design)
    try:
        metrics = read_metrics(file)
        require_sound(metrics, file)
    except InputError as error:
        why, metrics = str(error), []
    if why:
        reason = f"{why}; {_remedy_of_stale(stage, design)}"
        lost = [m.model_copy(update={"value": None, "reason": reason}) for m in metrics]
        known = {metric.name for metric in metrics}
        lost += [m for m in _without_values(stage, reason) if m.name not in known]
        return StageState(stage.name, Progress.STALE, reason, written), lost
    measured = [metric for metric in metrics if metric.value is not None]
    if metrics and not measured:
        return StageState(stage.name, Progress.SKIPPED, metrics[0].reason or "", written), metrics
    return StageState(stage.name, Progress.DONE, _key_figure(stage, measured), written), metrics


def _remedy_of_stale(stage: Stage, design: DesignLayout) -> str:
    if stage.name == "train" and not is_made_here(design):
        return "nothing here makes the model anew: import it, or its new decoder, again"
    return remedy(stage, design)


def is_made_here(design: DesignLayout) -> bool:
    """Whether the train stage makes the model: not one that was imported, or got a new decoder."""
    settings = _settings(design.model)
    return settings is None or (settings.model is not None and settings.new_decoder is None)


def _promised(stage: Stage, design: DesignLayout, command: str) -> list[Metric]:
    """The stage's metrics without values, where a report names them though it is not done."""
    of_other_arithmetic = stage.form and stage.form.shared_folder and not is_of_the_chip(design)
    if not stage.promised or of_other_arithmetic:
        return []
    return _without_values(stage, f"not done; {command}")


def _without_values(stage: Stage, reason: str) -> list[Metric]:
    return records({}, names=stage.records, evidence=stage.evidence, form=stage.form, reason=reason)


def is_made_anew(stage: Stage, design: DesignLayout) -> bool:
    """Whether the stage left results that count no more, and that Make can have made anew."""
    if stage.name == "train" and not is_made_here(design):
        return False
    return state(stage, design).progress is Progress.STALE


def require_known(design: DesignLayout) -> None:
    """Refuse a design of which nothing can be said: a misspelt one would show nothing but gaps.

    Raises:
        InputError: no such target, or no such model in the zoo or the build folder.
    """
    judged_target(design.target_name)
    name, build = design.model_name, design.build
    trained = {settings.parent.parent.name for settings in build.glob("*/train/*.json")}
    known = sorted({*model_names(), *trained})
    if name.endswith((".yaml", ".yml")) and not design.model.folder.is_dir():
        load_model_spec(name)
    elif not design.model.folder.is_dir() and name not in known:
        raise InputError(f"no model '{name}' in {build} or the zoo; {did_you_mean(name, known)}")


def _key_figure(stage: Stage, measured: list[Metric]) -> str:
    by_name = {metric.name: metric for metric in measured}
    for name in stage.key_figures:
        if name in by_name:
            metric = by_name[name]
            return f"{name} = {format_value(metric.value)} {metric.unit}".rstrip()
    return f"{len(measured)} figures"
