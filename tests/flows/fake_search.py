"""Searches whose trials are stand-ins: figures by formula, in place of training and synthesis.

    python -m tests.flows.fake_search BUILD SPACE WORKERS SECONDS

carries out a search in a process of its own, which a test can kill.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.layout import SearchLayout
from flows.search import driver
from flows.search.driver import SearchOptions
from flows.search.space import load_space
from flows.search.trial import Ending, TrialOrder, TrialOutcome
from hw.forms import GENERATED
from hw.foundation.atomic_file import write_text
from reports.catalogue import records
from reports.metrics import Evidence, Provenance, Summary, write_summary
from reports.search import SearchReport

SPACE = """\
description: stand-ins
base: 8x8_c8_S2_qK
space:
  convolutions.0.filters: {low: 1, high: 9}
  quantisation.weight.total: {low: 3, high: 9}
constraints: {timing.slack_ns: {min: 0}}
epochs: 4
trials: 8
"""


def fake_trial(order: TrialOrder, seconds: float = 0.0) -> TrialOutcome:
    """Distance falls and tables grow with filters and bits; some filters mean a fate of their own.

    12 filters: no figures, a reason.  11: an exception.  10: the worker is killed once.
    9: a negative slack.
    """
    spec = yaml.safe_load(order.files.model.read_text())
    filters = spec["convolutions"][0]["filters"]
    bits = spec["quantisation"]["weight"]["total"]
    with order.files.log.open("a") as log:
        print(f"carried out by {os.getpid()}", file=log, flush=True)
    time.sleep(seconds)
    if filters == 12:
        return TrialOutcome(Ending.FAILED, "csim: 3 codes differ", 0.1)
    if filters == 11:
        raise RuntimeError("a fault of the worker's own")
    if filters == 10 and len(order.files.log.read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    emd = 0.5 + 1.0 / filters + 1.0 / bits
    _write_results(order, emd, lut=300 * filters * bits, slack=-1.0 if filters == 9 else 5.0)
    if order.stop and (reason := order.stop.reason(order.stop.after, emd)):
        return TrialOutcome(Ending.STOPPED, reason, 0.1)
    return TrialOutcome(Ending.COMPLETE, "", 0.1)


def _write_results(order: TrialOrder, emd: float, lut: int, slack: float) -> None:
    design = order.design
    epochs = yaml.safe_load(order.files.model.read_text())["epochs"]
    write_text(design.model.history, f'{{"val_loss": {[emd] * epochs}}}')
    metrics = [
        *records({"emd.mean": emd}, evidence=Evidence.ESTIMATE),
        *records({"fpga.lut": lut // 2}, evidence=Evidence.ESTIMATE, form=GENERATED),
        *records(
            {"fpga.lut": lut, "timing.slack_ns": slack}, evidence=Evidence.SYNTH, form=GENERATED
        ),
    ]
    write_summary(
        design.target.summary,
        Summary(
            model=order.files.name, target="econ_t", provenance=Provenance(), metrics=tuple(metrics)
        ),
    )
    write_text(design.target.html, "<p>a report</p>")


def no_data(layout: SearchLayout, space: object) -> None:
    """In place of generated modules."""


class Inline:
    """One worker: the driver itself."""

    threads = None
    places = 1

    def submit(self, task: Callable[..., Any], *arguments: Any, name: str) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(task(*arguments))
        except RuntimeError as error:
            future.set_exception(error)
        return future

    def forget(self, futures: list[Any]) -> None:
        """Nothing is running."""


def run(
    build: Path, space: Path, options: SearchOptions | None = None, seconds: float = 0.0
) -> SearchReport:
    """Carry out a search of stand-ins.

    Args:
        options: None for trials in this process, one after the other.
        seconds: that each trial takes.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "run_trial", partial(fake_trial, seconds=seconds))
        patch.setattr(driver, "_make_data", no_data)
        if options is None:
            patch.setattr(driver, "workers_of", lambda *_: nullcontext(Inline()))
            patch.setattr(driver, "finished", lambda futures, _: futures)
        return driver.search(build, load_space(str(space)), options or SearchOptions())


if __name__ == "__main__":
    from tests.flows import fake_search  # by its name, by which the workers know it, too

    build, space, workers, seconds = sys.argv[1:]
    fake_search.run(Path(build), Path(space), SearchOptions(int(workers)), float(seconds))
