"""The driver of a search: asks the study for trials, has workers carry them out, tells what came.

It alone touches the study.  What it must not lose is on disk before the next step: a trial's record
is written before the study is told, and a trial that was asked for and never told is carried out as
it was asked, its finished stages taken as they are.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.layout import (
    DesignLayout,
    SearchLayout,
    TrialLayout,
    data_layout,
    design_layout,
    search_layout,
)
from flows.search.records import TrialRecord, figures, read_record, read_records, write_record
from flows.search.results import collect, model_text, violations, write_results
from flows.search.space import SearchSpace, short_key, value_text
from flows.search.stopping import Curve, StopRule, bit_operations
from flows.search.study import Asked, Study, only_driver
from flows.search.trial import (
    Ending,
    StageError,
    TrialOrder,
    TrialOutcome,
    run_stage,
    run_trial,
    stages_of,
)
from flows.search.workers import Workers, finished, workers_of
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import CheckFailed, InputError
from models.networks.zoo import ModelSpec
from reports.search import SearchReport

_LOOK_S = 5.0  # between two looks at the workers
_SIGN_OF_LIFE_S = 60.0
_BETWEEN_PAGES_S = 60.0  # between two writings of the results, which take seconds


@dataclass(frozen=True)
class SearchOptions:
    """How a search is carried out, which decides nothing of its trials.

    Attributes:
        workers: local processes; None for as many as cores and memory allow.
        scheduler: address of a Dask scheduler in place of local processes.
        seconds: no trial is begun after this time; None for no limit.
    """

    workers: int | None = None
    scheduler: str | None = None
    seconds: float | None = None


@dataclass
class _Running:
    """A trial that a worker has."""

    asked: Asked
    spec: ModelSpec
    since: float = field(default_factory=time.monotonic)


def search(build: Path, space: SearchSpace, options: SearchOptions) -> SearchReport:
    """Carry out a search, or go on with it.

    Raises:
        InputError: the search was begun with another space, another process has it, or the data or
            a result cannot be used.
        CheckFailed: no trial came to its end.
    """
    layout = search_layout(build.resolve(), space.name)
    with only_driver(layout.lock):
        _settle(layout, space)
        _make_data(layout, space)
        driver = _Driver(layout, space, options)
        try:
            with workers_of(
                space.cluster, options.scheduler, options.workers, layout.folder / "jobs"
            ) as workers:
                driver.run(workers)
        finally:
            report = driver.write()
    if not any(trial.ending == Ending.COMPLETE for trial in report.trials):
        last = report.trials[-1].reason if report.trials else "none was begun"
        raise CheckFailed(f"no trial of {space.name} came to its end; the last one: {last}")
    return report


def _settle(layout: SearchLayout, space: SearchSpace) -> None:
    """Keep what decides the trials, and refuse to go on with anything else."""
    decisive = space.decisive()
    if not layout.settings.is_file():
        write_text(layout.settings, json.dumps(decisive, indent=1) + "\n")
        return
    try:
        before = json.loads(layout.settings.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{layout.settings}: cannot be read: {error}; delete {layout.folder} to search afresh"
        ) from error
    now = json.loads(json.dumps(decisive))
    if changed := [key for key in {**before, **now} if before.get(key) != now.get(key)]:
        raise InputError(
            f"{layout.folder} was begun with another {', '.join(changed)}; give the space's file "
            "another name for a search of its own, or delete that folder"
        )


def _make_data(layout: SearchLayout, space: SearchSpace) -> None:
    """The modules that all trials share."""
    data = data_layout(layout.designs, None)
    if data.metrics.is_file():
        return
    print(f"generating {space.events:,} modules, which all trials share", flush=True)
    files = TrialLayout(layout.data, "data")
    command = ["data", "--build", str(layout.designs), "--events", str(space.events)]
    try:
        run_stage([*command, "--seed", str(space.seed)], files)
    except StageError as error:
        raise InputError(f"no data: {error}") from error


class _Driver:
    def __init__(self, layout: SearchLayout, space: SearchSpace, options: SearchOptions) -> None:
        self._layout = layout
        self._space = space
        self._options = options
        self._study = Study(layout.study, space)
        self._stages = stages_of(space.measured)
        self._records = read_records(layout, len(self._study))
        self._begun = self._written = time.monotonic()
        self._ended_now: list[float] = []  # seconds of the trials that ended in this run

    def write(self) -> SearchReport:
        """Write the results as they are."""
        self._written = time.monotonic()
        self._records.sort(key=lambda record: record.number)
        return write_results(self._layout, self._space, self._records)

    def run(self, workers: Workers) -> None:
        """Carry out what is left to do."""
        waiting = self._left_over()
        self._print_start(len(waiting))
        running: dict[Any, _Running] = {}
        told = time.monotonic()
        try:
            while True:
                while len(running) < workers.places and (asked := self._next(waiting)):
                    self._begin(asked, workers, running)
                if not running:
                    return
                for future in finished(list(running), _LOOK_S):
                    self._end(running.pop(future), future, workers)
                    told = time.monotonic()
                if time.monotonic() - told > _SIGN_OF_LIFE_S:
                    told = time.monotonic()
                    self._print_running(running)
        finally:
            workers.forget(list(running))

    # --- before and after a trial ----------------------------------------------------------------
    def _left_over(self) -> list[Asked]:
        """Trials that were never told; those that have ended are told now."""
        waiting = []
        for asked in self._study.unfinished():
            record = read_record(self._layout.trial(asked.number))
            if record:
                self._tell(record)
            else:
                waiting.append(asked)
        return waiting

    def _next(self, waiting: list[Asked]) -> Asked | None:
        if waiting:
            return waiting.pop(0)
        limit = self._options.seconds
        if limit is not None and time.monotonic() - self._begun > limit:
            return None
        return self._study.ask() if len(self._study) < self._space.trials else None

    def _begin(self, asked: Asked, workers: Workers, running: dict[Any, _Running]) -> None:
        """Hand a trial to a worker; one that cannot be, or was carried out before, ends here."""
        files = self._layout.trial(asked.number)
        print(f"trial {asked.number}: {_in_words(asked)}", flush=True)
        if same := self._carried_out(asked):
            repeats = same.measured_by
            self._settle_trial(
                same.model_copy(update={"number": asked.number, "repeats": repeats, "seconds": 0.0})
            )
            return
        try:
            spec = self._space.model(asked.settings, files.name)
        except InputError as error:
            self._settle_trial(_record(asked, Ending.FAILED, f"no model: {error}"))
            return
        write_text(files.model, model_text(spec, [f"Trial {asked.number} of {self._space.name}"]))
        order = TrialOrder(
            files,
            self._layout.designs,
            self._space.target,
            self._stages,
            self._space.vectors,
            self._space.seed,
            self._stop_rule(spec),
            workers.threads,
        )
        name = f"{files.name}-{time.time_ns()}"  # never that of an earlier driver's task
        running[workers.submit(run_trial, order, name=name)] = _Running(asked, spec)

    def _end(self, trial: _Running, future: Any, workers: Workers) -> None:
        asked = trial.asked
        failure = future.exception()
        if failure is not None:
            reason = f"its worker failed: {type(failure).__name__}: {failure}"
            outcome = TrialOutcome(Ending.FAILED, reason, time.monotonic() - trial.since)
        else:
            outcome = future.result()
        workers.forget([future])
        record = _record(asked, outcome.ending, outcome.reason, outcome.seconds)
        record = record.model_copy(update={"bit_operations": bit_operations(trial.spec)})
        if record.is_complete:
            record = self._measured(record)
        self._ended_now.append(record.seconds)
        self._settle_trial(record)

    def _measured(self, record: TrialRecord) -> TrialRecord:
        """A complete trial with its curve; failed where a metric that decides has no value."""
        files = self._layout.trial(record.number)
        values = self._values(record)
        if lacking := [name for name in self._space.measured if name not in values]:
            reason = f"not measured: {', '.join(lacking)}"
            return record.model_copy(update={"ending": Ending.FAILED, "reason": reason})
        history = json.loads(self._design(files.name).model.history.read_text(encoding="utf-8"))
        return record.model_copy(update={"val_loss": history["val_loss"]})

    def _settle_trial(self, record: TrialRecord) -> None:
        """Keep the record, then tell the study: in this order nothing is lost."""
        write_record(self._layout.trial(record.number), record)
        self._records.append(record)
        self._tell(record)
        if time.monotonic() - self._written > _BETWEEN_PAGES_S:
            self.write()
        self._print_end(record, collect(self._layout, self._space, self._records))

    def _tell(self, record: TrialRecord) -> None:
        if record.is_complete:
            values = self._values(record)
            excess = violations(self._space, values)
            objectives = [values[name] for name in self._space.objectives]
            self._study.tell_complete(record.number, objectives, excess)
        elif record.ending == Ending.STOPPED:
            self._study.tell_stopped(record.number)
        else:
            self._study.tell_failed(record.number)

    def _values(self, record: TrialRecord) -> dict[str, float]:
        name = self._layout.trial(record.measured_by).name
        found = figures(self._design(name).target.summary, self._space.measured)
        return {
            name: float(metric.value)
            for name, metric in found.items()
            if isinstance(metric.value, int | float)
        }

    def _design(self, name: str) -> DesignLayout:
        return design_layout(self._layout.designs, name, self._space.target)

    def _carried_out(self, asked: Asked) -> TrialRecord | None:
        """The trial that had the same settings and came to an end that a repetition would share."""
        for record in self._records:
            if record.settings == asked.settings and record.ending != Ending.FAILED:
                return record
        return None

    def _stop_rule(self, spec: ModelSpec) -> StopRule | None:
        rule = self._space.early_stop
        if rule is None or (spec.epochs or 0) <= rule.after:
            return None
        others = []
        for record in self._records:
            if record.repeats is None and record.is_complete and record.bit_operations is not None:
                other = self._space.model(record.settings, spec.name)
                comparable = other.loss == spec.loss and other.epochs == spec.epochs
                if comparable and len(record.val_loss) >= rule.after:
                    loss = record.val_loss[rule.after - 1]
                    others.append(Curve(record.number, record.bit_operations, loss))
        return StopRule(rule.after, rule.margin, bit_operations(spec), tuple(others))

    # --- what the user sees ----------------------------------------------------------------------
    def _print_start(self, waiting: int) -> None:
        done, planned = len(self._records), self._space.trials
        go_on = f", {waiting} go on where they were" if waiting else ""
        print(f"search {self._space.name}: {done} of {planned} trials ended{go_on}", flush=True)

    def _print_running(self, running: dict[Any, _Running]) -> None:
        for trial in running.values():
            log = self._layout.trial(trial.asked.number).log
            since = (time.monotonic() - trial.since) / 60
            print(f"trial {trial.asked.number}, {since:.0f} min: {_last_line(log)}", flush=True)

    def _print_end(self, record: TrialRecord, report: SearchReport) -> None:
        shown = next(trial for trial in report.trials if trial.number == record.number)
        told = [
            f"{name} {metric.value:.5g} {metric.unit}".rstrip()
            for name, metric in shown.figures.items()
            if isinstance(metric.value, int | float)
        ]
        end = ", ".join(told) if told else ""
        reason = f" ({shown.reason})" if shown.reason else ""
        print(
            f"trial {record.number} {record.ending}: {end or shown.reason}{reason if end else ''}; "
            f"{record.seconds:.0f} s",
            flush=True,
        )
        done = len(self._records)
        print(
            f"{done} of {self._space.trials} trials, front: {_front(report)}{self._time_to_go()}",
            flush=True,
        )

    def _time_to_go(self) -> str:
        left = self._space.trials - len(self._records)
        if left <= 0 or not self._ended_now:
            return ""
        passed = time.monotonic() - self._begun
        minutes = passed / len(self._ended_now) * left / 60
        return f"; about {minutes:.0f} min to go" if minutes >= 1 else "; less than 1 min to go"


def _record(asked: Asked, ending: Ending, reason: str, seconds: float = 0.0) -> TrialRecord:
    return TrialRecord(
        number=asked.number,
        ending=ending.value,
        reason=reason,
        settings=asked.settings,
        seconds=round(seconds, 1),
    )


def _in_words(asked: Asked) -> str:
    return ", ".join(
        f"{short_key(key)} {value_text(value)}" for key, value in asked.settings.items()
    )


def _front(report: SearchReport) -> str:
    points: Iterator[str] = (
        " / ".join(f"{trial.value(name):.4g}" for name in report.objectives)
        for trial in report.front
    )
    return "; ".join(points) or "none yet"


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "waiting for a worker"
    return lines[-1][:120] if lines else "begun"
