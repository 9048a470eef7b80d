"""The search space: which keys of a model's record vary, what is sought, and how long.

A space is a YAML file read into strict records; docs/codesign.md tells its keys.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_origin

import numpy as np
from pydantic import Field, PositiveInt, field_validator, model_validator

from flows.stages import BY_NAME, Scope
from hw.foundation.errors import InputError, about
from hw.foundation.strict_config import (
    StrictRecord,
    did_you_mean,
    nested_record,
    read_mapping,
    validate_record,
)
from hw.targets.target import Budget, load_target
from models.networks.zoo import ModelSpec, load_model_spec
from reports.catalogue import find_row, named_rows

_FOLDER = Path(__file__).resolve().parent / "spaces"
_SUFFIXES = (".yaml", ".yml")
DEFAULT_SPACE = "hard_wired"
_YAML_LIST = Field(strict=False)
_OWN = {"name": "a trial is named by its number", "label": "a trial is labelled by its settings"}
_TRIED = 200  # combinations looked at before a value is said to fit none


class Range(StrictRecord):
    """Numbers from `low` to `high`, both included; whole ones where both are whole.

    Attributes:
        step: distance between neighbours, counted from `low`; 1 for whole numbers.
        log: numbers of each order of magnitude are equally likely.
    """

    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low {self.low:g}: a range with 'log: true' begins above 0")
        if self.step is not None:
            if self.log:
                raise ValueError("give either 'step' or 'log: true'")
            if not 0 < self.step <= self.high - self.low:
                raise ValueError(f"step {self.step:g} does not fit between low and high")
            if self.whole and not isinstance(self.step, int):
                raise ValueError(f"step {self.step:g}: low and high are whole, so must the step be")
        return self

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


class Choices(StrictRecord):
    """Some values of any kind, which YAML can tell."""

    values: tuple[Any, ...]


Alternatives = Range | Choices


class EarlyStop(StrictRecord):
    """When a training is given up: see flows/search/stopping.py.

    Attributes:
        after: epochs, after which the validation loss is looked at.
        margin: how much lower, relative to its own, that of a cheaper trial must have been.
    """

    after: PositiveInt
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.1


class Cluster(StrictRecord):
    """Workers that a batch system starts, through dask-jobqueue.

    Attributes:
        system: the batch system.
        jobs: how many workers are asked for, each a job of its own.
        cores, memory, walltime: what each job asks for; memory such as `8GB`, time as the batch
            system writes it, where it is needed.
        options: further options of dask-jobqueue's cluster of that system, such as `queue`.
    """

    system: Literal["htcondor", "lsf", "moab", "oar", "pbs", "sge", "slurm"]
    jobs: PositiveInt
    cores: PositiveInt = 1
    memory: str = "4GB"
    walltime: str | None = None
    options: dict[str, Any] = Field(default={})


class SearchSpace(StrictRecord):
    """One search.

    Attributes:
        name: stem of its YAML file.
        description: one line for its report.
        base: the model's record that trials start from: a model of the zoo, a path of a YAML file
            (relative to the space's), or the record itself.
        space: what varies: by dotted key of a model's record, a list of choices or a range.
        objectives: metrics to improve, in the direction that the catalogue gives them.
        constraints: bounds by metric name; a design out of them is never of the front.
        trials: how many are made.
        epochs: of each training; null as the base says.
        events: modules to generate.
        vectors: least number of modules in each comparison of codes.
        seed: of everything.
        target: hardware target, or a path of a YAML file (relative to the space's).
        sampler: Optuna's tree-structured Parzen estimator, NSGA-II, or random draws.
        early_stop: when a training is given up; null for never.
        cluster: a batch system that starts the workers; null for processes on this machine.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.+-]*$")]
    description: str = ""
    base: ModelSpec
    space: dict[str, Alternatives]
    objectives: Annotated[tuple[str, ...], _YAML_LIST] = ("emd.mean", "fpga.lut")
    constraints: dict[str, Budget] = Field(default={})
    trials: PositiveInt = 24
    epochs: PositiveInt | None = None
    events: Annotated[int, Field(ge=100)] = 500_000
    vectors: PositiveInt = 20_000
    seed: Annotated[int, Field(ge=0)] = 1
    target: str = "econ_t"
    sampler: Literal["tpe", "nsga2", "random"] = "tpe"
    early_stop: EarlyStop | None = None
    cluster: Cluster | None = None

    @field_validator("space")
    @classmethod
    def _varies(cls, space: dict[str, Alternatives]) -> dict[str, Alternatives]:
        if not space:
            raise ValueError("nothing varies; give at least one key of a model's record")
        return space

    @field_validator("objectives")
    @classmethod
    def _have_directions(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names or len(set(names)) < len(names):
            raise ValueError("give at least one metric, and each once")
        for name in names:
            _require_metric(name)
            if (row := find_row(name)) and row.better is None:
                raise ValueError(f"'{name}' has no direction of improvement")
        return names

    @field_validator("constraints")
    @classmethod
    def _are_metrics(cls, bounds: dict[str, Budget]) -> dict[str, Budget]:
        for name in bounds:
            _require_metric(name)
        return bounds

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.training_epochs is None and "epochs" not in self.space:
            raise ValueError("epochs: neither the space nor its base says how many; give 'epochs'")
        return self

    @property
    def training_epochs(self) -> int | None:
        return self.epochs or self.base.epochs

    @property
    def measured(self) -> tuple[str, ...]:
        """The metrics that decide: objectives and constraints."""
        return tuple(dict.fromkeys((*self.objectives, *self.constraints)))

    def decisive(self) -> dict[str, Any]:
        """All that decides what the trials are, as JSON values: not how many, nor where."""
        return self.model_dump(mode="json", exclude={"trials", "cluster", "description"})

    def model(self, settings: Mapping[str, Any], name: str) -> ModelSpec:
        """The record of a trial's model.

        Args:
            settings: the values of the keys that vary.

        Raises:
            InputError: together they make no model.
        """
        record = self.base.model_dump(mode="json", exclude={"name"}, exclude_defaults=True)
        record["epochs"] = self.training_epochs
        for key in sorted(settings, key=lambda key: key.count(".")):  # a record before its keys
            _put(record, key, settings[key])
        told = ", ".join(f"{short_key(key)} {value_text(value)}" for key, value in settings.items())
        return validate_record(ModelSpec, {**record, "name": name, "label": told}, name, {})


def short_key(key: str) -> str:
    """The key without what all such keys have in common: `weight.total` of the quantisation."""
    return key.removeprefix("quantisation.")


def value_text(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def space_names() -> list[str]:
    """Names of the spaces that come with the project."""
    return sorted(file.stem for file in _FOLDER.glob("*.yaml"))


def load_space(name: str) -> SearchSpace:
    """The space of that name, or the one described by the YAML file at that path.

    Raises:
        InputError: no such space (with a suggestion), or a fault in the file, told with its line.
    """
    if name.endswith(_SUFFIXES):
        file = Path(name)
    elif name in space_names():
        file = _FOLDER / f"{name}.yaml"
    else:
        raise InputError(
            f"unknown search space '{name}'; {did_you_mean(name, space_names())} "
            "(a path that ends in .yaml names a space of your own)"
        )
    data, lines = read_mapping(file)
    if "name" in data:
        raise InputError(
            f"{file}:{lines[('name',)]}: key 'name': a space is named by its file ('{file.stem}'); "
            "remove the key"
        )
    resolved = {"name": file.stem, **data}
    if "base" in data:
        resolved["base"] = _base(data["base"], file, lines)
    if isinstance(data.get("space"), dict):
        resolved["space"] = {
            str(key): _alternatives(str(key), value, file, lines)
            for key, value in data["space"].items()
        }
    if isinstance(data.get("target"), str) and data["target"].endswith(_SUFFIXES):
        resolved["target"] = str((file.parent / data["target"]).resolve())
    space = validate_record(SearchSpace, resolved, file, lines)
    with about(f"{file}:{lines.get(('target',), 1)}: key 'target'"):
        load_target(space.target)
    for key in space.space:
        _require_fitting(space, key, file, lines[("space", key)])
    return space


def _base(value: Any, file: Path, lines: Mapping[tuple[Any, ...], int]) -> ModelSpec:
    place = f"{file}:{lines[('base',)]}: key 'base'"
    if isinstance(value, dict):
        for key, why in _OWN.items():
            if key == "name" and key in value:
                raise InputError(f"{file}:{lines[('base', key)]}: key 'base.{key}': {why}")
        below = {path[1:]: line for path, line in lines.items() if path[0] == "base" and path[1:]}
        return validate_record(ModelSpec, {"label": "", **value, "name": "base"}, file, below)
    if not isinstance(value, str):
        raise InputError(f"{place}: expected the name of a model or its record (found {value!r})")
    with about(place):
        own = value.endswith(_SUFFIXES)
        return load_model_spec(str(file.parent / value) if own else value)


def _alternatives(
    key: str, value: Any, file: Path, lines: Mapping[tuple[Any, ...], int]
) -> Alternatives:
    line = lines[("space", key)]
    place = f"{file}:{line}: space key '{key}'"
    _require_key(key, place)
    if isinstance(value, list):
        if not value:
            raise InputError(f"{place}: no choices; give at least one")
        texts = [json.dumps(choice, sort_keys=True) for choice in value]
        if twice := [text for text in texts if texts.count(text) > 1]:
            raise InputError(f"{place}: choice {twice[0]} is given twice; remove one")
        return Choices(values=tuple(value))
    if isinstance(value, dict):
        below = {path[2:]: at for path, at in lines.items() if path[:2] == ("space", key)}
        with about(f"space key '{key}'"):
            return validate_record(Range, value, file, below)
    raise InputError(
        f"{place}: expected a list of choices, or a range {{low: 1, high: 8}} (found {value!r})"
    )


def _require_metric(name: str) -> None:
    row = find_row(name)
    if row is None:
        known = [row.name for row in named_rows()]
        raise ValueError(f"unknown metric '{name}'; {did_you_mean(name, known)}")
    if BY_NAME[row.stage].scope not in (Scope.MODEL, Scope.TARGET):
        raise ValueError(f"'{name}' is no metric of a model: it is measured by {row.stage}")


def _require_key(key: str, place: str) -> None:
    """Refuse what is no key of a model's record."""
    parts, record = key.split("."), ModelSpec
    current: Any = record
    is_name = False
    for index, part in enumerate(parts):
        if is_name or (part.isdigit() and index):
            is_name = False
            continue  # an element of a list or mapping: that it can be is looked at later
        if current is None:
            above = ".".join(parts[:index])
            raise InputError(f"{place}: unknown key; '{above}' has no keys below it")
        if part not in current.model_fields:
            known = [".".join((*parts[:index], name)) for name in current.model_fields]
            suggestion = did_you_mean(".".join(parts[: index + 1]), known)
            raise InputError(f"{place}: unknown key of a model's record; {suggestion}")
        is_name = get_origin(current.model_fields[part].annotation) is dict
        current = nested_record(current, part)
    if key in _OWN:
        raise InputError(f"{place}: {_OWN[key]}; remove the key")


def _put(record: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key; records above it that are null come into being."""
    *above, last = key.split(".")
    current: Any = record
    for position, part in enumerate((*above, last)):
        is_last = position == len(above)
        if isinstance(current, list):
            if not part.isdigit() or int(part) >= len(current):
                raise InputError(
                    f"{key}: there is no element {part} in the list before it, which has "
                    f"{len(current)}; give the base as many"
                )
            index: Any = int(part)
        else:
            index = part
            if not is_last and current.get(part) is None:
                current[part] = {}
        if is_last:
            current[index] = value
        else:
            current = current[index]
            if not isinstance(current, dict | list):
                raise InputError(f"{key}: there are no keys below {current!r}")


def ends(alternatives: Alternatives) -> list[Any]:
    """All choices; of a range, both ends."""
    if isinstance(alternatives, Range):
        return [alternatives.low, alternatives.high]
    return list(alternatives.values)


def _require_fitting(space: SearchSpace, key: str, file: Path, line: int) -> None:
    """Refuse a value with which no combination of the others makes a model."""
    choices = {name: ends(alternatives) for name, alternatives in space.space.items()}
    generator = np.random.default_rng(0)
    for value in choices[key]:
        first: InputError | None = None
        for attempt in range(_TRIED):
            settings = {
                name: found[generator.integers(len(found)) if attempt else 0]
                for name, found in choices.items()
            }
            try:
                space.model(settings | {key: value}, "base")
                break
            except InputError as error:
                first = first or error
        else:
            raise InputError(
                f"{file}:{line}: space key '{key}': with {value_text(value)} there is no model: "
                f"{first}"
            )
