"""Say which stages of a design are done, and what to run for those that are not."""

import argparse
from pathlib import Path

from flows.artefacts.seals import metrics_file
from flows.artefacts.stage_results import (
    design_of,
    is_made_anew,
    remedy,
    require_known,
    stages_of,
    state,
)
from flows.command_line.options import add_design
from flows.layout import DesignLayout
from flows.runtimes import runtime_of
from flows.stages import STAGES, Stage
from hw.foundation.errors import CheckFailed, InputError
from hw.foundation.strict_config import did_you_mean
from reports.catalogue import Demanded, find_row
from reports.metrics import read_metrics
from reports.report import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    parser.add_argument(
        "--data", type=Path, help="data set; default: the one the model was trained on"
    )
    parser.add_argument(
        "--require",
        metavar="STAGE",
        help="print nothing; fail unless this stage is done and, where it compares codes, found no "
        "mismatch; default: print the table of all stages",
    )
    parser.add_argument(
        "--stale",
        action="store_true",
        help="print nothing but the metrics files, below the build folder, of results that count "
        "no more since what they were made of has changed",
    )
    parser.add_argument(
        "--runtimes", action="store_true", help="print how long each stage took when it last ran"
    )


def run(arguments: argparse.Namespace) -> None:
    design = design_of(arguments.build, arguments.model, arguments.target, arguments.data)
    if arguments.stale:
        for stage in STAGES:
            if is_made_anew(stage, design):
                print(metrics_file(stage, design).relative_to(design.build))
        return
    require_known(design)
    stages = stages_of(design)
    if arguments.runtimes:
        _print_runtimes(stages, design)
        return
    if arguments.require:
        _require(_named(stages, arguments.require), design)
        return
    _print_table(stages, design)


def _print_table(stages: list[Stage], design: DesignLayout) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from flows.command_line.console import output_console

    title = Text(f"{design.model_name} on {design.target_name}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("stage", "state", "written (UTC)", "detail"):
        table.add_column(heading)
    for stage in stages:
        found = state(stage, design)
        written = found.time.strftime("%Y-%m-%d %H:%M") if found.time else ""
        detail = found.detail
        if found.progress is Progress.MISSING:
            detail = f"run: {remedy(stage, design)}"
        table.add_row(stage.name, found.progress.value, written, Text(detail))
    output_console().print(table)


def _named(stages: list[Stage], name: str) -> Stage:
    by_name = {stage.name: stage for stage in stages}
    if name not in by_name:
        raise InputError(
            f"--require {name}: this design has no such stage; {did_you_mean(name, list(by_name))}"
        )
    return by_name[name]


def _require(stage: Stage, design: DesignLayout) -> None:
    found = state(stage, design)
    if found.progress is not Progress.DONE:
        what = {Progress.SKIPPED: "was skipped", Progress.MISSING: "is not done; run"}
        raise CheckFailed(
            f"stage {stage.name} {what.get(found.progress, 'is stale')}: {found.detail}"
        )
    for metric in read_metrics(metrics_file(stage, design)):
        row = find_row(metric.name)
        demand = row.demand if row else None
        if not demand or demand.when is Demanded.MEASURED or demand.is_met(metric.value):
            continue
        why = f": {metric.reason}" if metric.reason else ""
        raise CheckFailed(f"{metric.name} is {metric.value}, demanded {demand.max:g}{why}")


def _print_runtimes(stages: list[Stage], design: DesignLayout) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from flows.command_line.console import output_console

    table = Table(title=Text(design.name), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("stage")
    table.add_column("time (s)", justify="right")
    known = {stage.name: runtime_of(stage, design) for stage in stages}
    for name, seconds in known.items():
        table.add_row(name, "not known" if seconds is None else f"{seconds:.1f}")
    total = sum(seconds for seconds in known.values() if seconds is not None)
    table.add_row("in all", f"{total:.1f}")
    output_console().print(table)
