"""One trial: a model of its own goes through the ordinary stages, each a process of its own.

This is what a worker carries out.  It reads and writes files of the search's build folder only, and
nothing of the study.  A stage that is done is not done again, so that a trial that was cut off goes
on where it was.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from flows.artefacts.stage_results import state
from flows.layout import DesignLayout, TrialLayout, data_layout, design_layout
from flows.search.stopping import StopRule
from flows.stages import BY_NAME, STAGES
from hw.foundation.errors import InputError
from reports.catalogue import find_row
from reports.report import Progress

_PROJECT = Path(__file__).resolve().parents[2]
_ALWAYS = ("evaluate", "flops", "csim")
"""Stages of every trial: no design counts whose codes were not compared."""
_WITH_VECTORS = ("csim", "rtlsim", "gatesim")
_WITH_SEED = (*_WITH_VECTORS, "equivalence", "vendor", "emd-cnn")
_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
# the line that a training prints after each epoch (flows/training/train_models.py)
_EPOCH = re.compile(r"^epoch\s+(\d+)/\d+\s.*\bval_loss\s+([\d.eE+-]+)")
_REPORT = "report"
_INTERRUPTED = 130
_REASON_LINES = 4
_REASON_LENGTH = 600  # characters


class Ending(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"  # its training was given up
    FAILED = "failed"


@dataclass(frozen=True)
class TrialOrder:
    """All that a worker is told.

    Attributes:
        files: of the trial; its model is written.
        build: the search's build folder; its data are there.
        target: hardware target.
        stages: to carry out, in order; the report comes after them.
        vectors: least number of modules in each comparison of codes.
        seed: of training and comparisons.
        stop: when to give up the training; None for never.
        threads: for TensorFlow and the like; None for its own choice.
    """

    files: TrialLayout
    build: Path
    target: str
    stages: tuple[str, ...]
    vectors: int
    seed: int
    stop: StopRule | None = None
    threads: int | None = None

    @property
    def design(self) -> DesignLayout:
        return design_layout(self.build, str(self.files.model), self.target)


@dataclass(frozen=True)
class TrialOutcome:
    """What came of it.

    Attributes:
        reason: why it did not come to its end; empty where it did.
        seconds: this run took; one that was cut off before is not counted.
    """

    ending: Ending
    reason: str
    seconds: float


class StageError(Exception):
    """A stage ended with an error; the message is what it said."""


def stages_of(metrics: Iterable[str]) -> tuple[str, ...]:
    """The stages that measure these metrics, and all that they need, in the order of the work."""
    wanted = {*_ALWAYS, *(row.stage for name in metrics if (row := find_row(name)))}
    while needed := {need for name in wanted for need in BY_NAME[name].needs} - wanted:
        wanted |= needed
    return tuple(stage.name for stage in STAGES if stage.name in wanted and stage.name != "data")


def run_trial(order: TrialOrder) -> TrialOutcome:
    """Carry out one trial.

    Raises:
        KeyboardInterrupt: a stage was interrupted; what it finished is kept.
    """
    start = time.monotonic()

    def outcome(ending: Ending, reason: str = "") -> TrialOutcome:
        return TrialOutcome(ending, reason, time.monotonic() - start)

    try:
        for name in order.stages:
            if _is_done(name, order):
                continue
            given_up = run_stage(_command(name, order), order.files, order.stop, order.threads)
            if given_up:
                return outcome(Ending.STOPPED, given_up)
            if not _is_done(name, order):
                raise StageError(f"{name} left no result")
        _report(order)
    except (StageError, InputError) as error:
        return outcome(Ending.FAILED, str(error))
    return outcome(Ending.COMPLETE)


def _report(order: TrialOrder) -> None:
    """Gather all figures; whether the target's budgets hold is not for the search to judge."""
    summary = order.design.target.summary
    summary.unlink(missing_ok=True)
    try:
        command = [_REPORT, *_design_options(order), "--skip-plot"]
        run_stage(command, order.files, threads=order.threads)
    except StageError:
        if not summary.is_file():
            raise


def _is_done(name: str, order: TrialOrder) -> bool:
    return state(BY_NAME[name], order.design).progress in (Progress.DONE, Progress.SKIPPED)


def _design_options(order: TrialOrder) -> list[str]:
    model = str(order.files.model)
    return ["--build", str(order.build), "--model", model, "--target", order.target]


def _command(name: str, order: TrialOrder) -> list[str]:
    """The stage with its options, as `make` gives them."""
    model = str(order.files.model)
    if name == "train":
        csv = data_layout(order.build, None).generated_csv
        return [
            "train", "-i", str(csv), "-o", str(order.build), "--models", model,
            "--seed", str(order.seed), "--nrowsPerFile", "0", "--overrideInput", "--trainOnly",
        ]  # fmt: skip
    if name == "evaluate":
        return [
            "evaluate", "--build", str(order.build), "--model", model,
            "--skipBaselines", "--skipPlot",
        ]  # fmt: skip
    if "target" not in BY_NAME[name].scope.value:
        return [name, "--build", str(order.build), "--model", model]
    options = _design_options(order)
    if name in _WITH_VECTORS:
        options += ["--vectors", str(order.vectors)]
    if name in _WITH_SEED:
        options += ["--seed", str(order.seed)]
    return [name, *options]


def run_stage(
    command: list[str],
    files: TrialLayout,
    stop: StopRule | None = None,
    threads: int | None = None,
) -> str | None:
    """Run one command of the flow as a process; what it prints goes to the trial's log.

    Args:
        stop: when to give up a training.
        threads: for TensorFlow and the like.

    Returns:
        Why it was given up; None where it came to its end.

    Raises:
        StageError: it failed.
        KeyboardInterrupt: it was interrupted from outside.
    """
    files.folder.mkdir(parents=True, exist_ok=True)
    module = "flows.search.stage_process"
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(files.lock), str(os.getpid()), *command],
        cwd=_PROJECT,
        env=_environment(threads),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,  # the terminal's interruption reaches the driver alone
    )
    given_up: str | None = None
    lines: list[str] = []
    assert process.stdout
    with process, files.log.open("a", encoding="utf-8") as log:
        print(f"== {' '.join(command)}", file=log, flush=True)
        for line in process.stdout:
            print(line, end="", file=log, flush=True)
            lines.append(line.strip())
            found = _EPOCH.match(line)
            if stop and found and not given_up:
                given_up = stop.reason(int(found[1]), float(found[2]))
                if given_up:
                    process.send_signal(signal.SIGINT)
    if given_up:
        return given_up
    if process.returncode in (_INTERRUPTED, -signal.SIGINT):
        raise KeyboardInterrupt
    if process.returncode:
        raise StageError(f"{command[0]}: {_what_went_wrong(lines, process.returncode)}")
    return None


def _environment(threads: int | None) -> Mapping[str, str]:
    limits = dict.fromkeys(_THREADS, str(threads)) if threads else {}
    return {**os.environ, **limits, "PYTHONUNBUFFERED": "1"}


def _what_went_wrong(lines: list[str], status: int) -> str:
    """The command's own message, else the end of what it printed."""
    told = [line for line in lines if line]
    errors = [index for index, line in enumerate(told) if line.startswith("error: ")]
    if errors:
        message = " ".join(told[errors[-1] :])[len("error: ") :]
    else:
        message = " / ".join(told[-_REASON_LINES:]) or "it printed nothing"
        message += f" (exit status {status})"
    return message if len(message) <= _REASON_LENGTH else message[:_REASON_LENGTH] + " ..."
