"""How long each stage took when it last ran to its end: a small record beside its folder."""

import argparse
import json
from pathlib import Path

from flows.artefacts.seals import metrics_file
from flows.layout import DEFAULT_MODEL, DEFAULT_TARGET, DesignLayout, data_layout, design_layout
from flows.stages import Stage
from hw.foundation.atomic_file import write_text


def record_runtime(stage: Stage, arguments: argparse.Namespace, seconds: float) -> None:
    """Keep the wall time of a run of `stage` that the options describe.

    The train stage takes its time for all models that it is given; only that of a single one is
    kept.
    """
    options = vars(arguments)
    models = options.get("models", options.get("model", DEFAULT_MODEL))
    if "," in models:
        return
    build = options.get("odir") or arguments.build
    design = design_layout(
        build,
        models,
        options.get("target", DEFAULT_TARGET),
        data_layout(build, options.get("data")),
    )
    content = {"stage": stage.name, "seconds": round(seconds, 2)}
    write_text(_file(stage, design), json.dumps(content) + "\n")


def runtime_of(stage: Stage, design: DesignLayout) -> float | None:
    """Seconds of wall time that the stage took; None where that is not known."""
    try:
        content = json.loads(_file(stage, design).read_text(encoding="utf-8"))
        return float(content["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is no result: a stage whose time is lost is as good as before


def _file(stage: Stage, design: DesignLayout) -> Path:
    return metrics_file(stage, design).parents[1] / ".runtimes" / f"{stage.name}.json"
