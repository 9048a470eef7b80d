"""Say which stages of a design are done, and what to run for those that are not."""

import argparse
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from flows.command_line.console import output_console
from flows.command_line.step_options import add_design
from flows.stages import Stage, data_of_model, stages, state
from hw.foundation.errors import CheckFailed, InputError
from hw.foundation.strict_config import did_you_mean
from reports.metrics import read_metrics
from reports.report import Progress

_COMPARED = ("csim.mismatches", "rtlsim.mismatches", "gatesim.mismatches")


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


def run(arguments: argparse.Namespace) -> None:
    data = data_of_model(arguments.build, arguments.model, arguments.data)
    steps = stages(arguments.build, arguments.model, arguments.target, data)
    if arguments.require:
        _require(_named(steps, arguments.require))
        return
    title = Text(f"{arguments.model} on {arguments.target}")
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("stage", "state", "written (UTC)", "detail"):
        table.add_column(heading)
    for step in steps:
        found = state(step)
        written = found.time.strftime("%Y-%m-%d %H:%M") if found.time else ""
        detail = found.detail
        if found.progress is Progress.MISSING:
            detail = f"run: {step.remedy}"
        table.add_row(step.name, found.progress.value, written, Text(detail))
    output_console().print(table)


def _named(steps: list[Stage], name: str) -> Stage:
    by_name = {step.name: step for step in steps}
    if name not in by_name:
        raise InputError(
            f"--require {name}: this design has no such stage; {did_you_mean(name, list(by_name))}"
        )
    return by_name[name]


def _require(step: Stage) -> None:
    found = state(step)
    if found.progress is not Progress.DONE:
        what = {Progress.SKIPPED: "was skipped", Progress.MISSING: "is not done; run"}
        raise CheckFailed(
            f"stage {step.name} {what.get(found.progress, 'is stale')}: {found.detail}"
        )
    for metric in read_metrics(step.metrics):
        if metric.name == "equivalence.proved" and metric.value is not True:
            raise CheckFailed(f"the netlist was not proved equal to the RTL: {metric.reason}")
        if metric.name in _COMPARED and metric.value != 0:
            why = f": {metric.reason}" if metric.reason else ""
            raise CheckFailed(f"{metric.name} is {metric.value}, demanded 0{why}")
