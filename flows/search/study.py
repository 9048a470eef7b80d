"""The study: Optuna's record of what was asked and told, on disk, in the hands of one driver.

This is the only module that speaks to Optuna.  The sampler is seeded anew for each trial from the
space's seed and the trial's number, so that a trial depends on what was told before it and on
nothing else: a search that was interrupted asks for the same trials as one that was not.
"""

import contextlib
import fcntl
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

from flows.search.space import Alternatives, Range, SearchSpace
from hw.foundation.errors import InputError
from reports.catalogue import row_of

_RANDOM_FIRST = 8  # trials drawn at random before Parzen estimators have something to go by
_POPULATION = 16  # of NSGA-II: a search has tens of trials, not thousands


@dataclass(frozen=True)
class Asked:
    """A trial to carry out.

    Attributes:
        settings: the value of each key that varies.
    """

    number: int
    settings: dict[str, Any]


@contextlib.contextmanager
def only_driver(lock: Path) -> Iterator[None]:
    """Hold a search for this process alone.

    Raises:
        InputError: another process has it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"{lock.parent}: another process carries out this search; wait for it or end it"
            ) from error
        yield


class Study:
    """The study of one search; call with the search's lock held.

    Args:
        file: Optuna's journal; made where there is none.
    """

    def __init__(self, file: Path, space: SearchSpace) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        _mend(file)
        self._space = space
        self._distributions = {
            key: _distribution(alternatives) for key, alternatives in space.space.items()
        }
        self._study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(file))),
            study_name=space.name,
            directions=[_direction(name) for name in space.objectives],
            load_if_exists=True,
        )

    def __len__(self) -> int:
        """Trials asked for so far."""
        return len(self._study.get_trials(deepcopy=False))

    def unfinished(self) -> list[Asked]:
        """Trials that were asked for and never told, as they were asked."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [self._suggest(frozen.number, frozen._trial_id) for frozen in running]

    def ask(self) -> Asked:
        """The next trial."""
        number = len(self)
        self._seed(number)
        trial = self._study.ask(self._distributions)
        assert trial.number == number
        return Asked(number, self._settings(trial.params))

    def tell_complete(
        self, number: int, values: Sequence[float], violations: Mapping[str, float]
    ) -> None:
        """Tell what was measured.

        Args:
            values: of the objectives.
            violations: by how much each constraint is broken; 0 or less where it is kept.
        """
        trial = Trial(self._study, self._trial_id(number)) if violations else None
        for name, excess in violations.items():
            assert trial
            trial.set_constraint(name, excess)
        self._study.tell(number, list(values))

    def tell_stopped(self, number: int) -> None:
        """Tell that its training was given up: the sampler counts it among the worse ones."""
        self._study.tell(number, state=TrialState.PRUNED)

    def tell_failed(self, number: int) -> None:
        """Tell that it came to nothing, of which the sampler learns nothing."""
        self._study.tell(number, state=TrialState.FAIL)

    def _suggest(self, number: int, trial_id: int) -> Asked:
        """The settings of a trial; those that were not yet drawn are drawn now."""
        self._seed(number)
        trial = Trial(self._study, trial_id)
        for key, distribution in self._distributions.items():
            if key not in trial.params:
                _draw(trial, key, distribution)
        return Asked(number, self._settings(trial.params))

    def _settings(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: params[key] if isinstance(alternatives, Range) else json.loads(params[key])
            for key, alternatives in self._space.space.items()
        }

    def _trial_id(self, number: int) -> int:
        return self._study.get_trials(deepcopy=False)[number]._trial_id

    def _seed(self, number: int) -> None:
        """Give the study a sampler whose draws depend on the space's seed and this trial alone."""
        seed = int(np.random.SeedSequence((self._space.seed, number)).generate_state(1)[0])
        match self._space.sampler:
            case "tpe":
                sampler: Any = optuna.samplers.TPESampler(n_startup_trials=_RANDOM_FIRST, seed=seed)
            case "nsga2":
                sampler = optuna.samplers.NSGAIISampler(population_size=_POPULATION, seed=seed)
            case "random":
                sampler = optuna.samplers.RandomSampler(seed=seed)
        self._study.sampler = sampler


def _distribution(alternatives: Alternatives) -> optuna.distributions.BaseDistribution:
    if not isinstance(alternatives, Range):
        texts = [json.dumps(value, sort_keys=True) for value in alternatives.values]
        return optuna.distributions.CategoricalDistribution(texts)
    low, high, step, log = (getattr(alternatives, key) for key in ("low", "high", "step", "log"))
    if alternatives.whole:
        return optuna.distributions.IntDistribution(low, high, log=log, step=step or 1)
    return optuna.distributions.FloatDistribution(float(low), float(high), log=log, step=step)


def _draw(trial: Trial, key: str, distribution: optuna.distributions.BaseDistribution) -> None:
    match distribution:
        case optuna.distributions.CategoricalDistribution():
            trial.suggest_categorical(key, distribution.choices)
        case optuna.distributions.IntDistribution(low=low, high=high, step=step, log=log):
            trial.suggest_int(key, low, high, step=step, log=log)
        case optuna.distributions.FloatDistribution(low=low, high=high, step=step, log=log):
            trial.suggest_float(key, low, high, step=step, log=log)


def _direction(objective: str) -> Literal["maximize", "minimize"]:
    return "maximize" if row_of(objective).better == "higher" else "minimize"


def _mend(journal: Path) -> None:
    """Take back what a driver that was killed left half-written."""
    journal.with_name(journal.name + ".lock").unlink(missing_ok=True)
    if not journal.is_file():
        return
    content = journal.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with journal.open("r+b") as file:
            file.truncate(whole)
