"""YAML and JSON files read into strict, frozen records: an unknown key is an error."""

import difflib
import re
import reprlib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hw.foundation.errors import InputError


class StrictRecord(BaseModel):
    """Base of every record in this project: immutable, and no key is silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Record = TypeVar("Record", bound=BaseModel)


def did_you_mean(name: str, known: list[str]) -> str:
    """A sentence that offers the nearest known name, or lists all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known))}"


class _Lines(dict[tuple[Any, ...], int]):
    """Line number (from 1) of each key path in a YAML document."""


class _LineLoader(yaml.SafeLoader):
    """YAML's safe subset; a key given twice is an error, since one value would be lost."""


# PyYAML speaks YAML 1.1, where 1e-3 without a point is a text; it is a number as in YAML 1.2
_LineLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789")
)


_MOST_NODES = 200_000  # of a document, with aliases written out
_LARGEST_TEXT = 20_000_000  # bytes


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Nodes of a document with its aliases written out; a node within itself counts as too many."""
    if id(node) not in known:
        known[id(node)] = _MOST_NODES + 1  # until it is known: it may stand within itself
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        known[id(node)] = 1 + sum(_size(child, known) for child in children)
    return known[id(node)]


def _collect_lines(node: yaml.Node, path: tuple[Any, ...], lines: _Lines, file: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                line = key_node.start_mark.line + 1
                raise InputError(f"{file}:{line}: a key must be a plain word")
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                raise InputError(f"{file}:{line}: key '{key}' is given twice; remove one")
            seen.add(key)
            lines[(*path, key)] = line
            _collect_lines(value_node, (*path, key), lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*path, index)] = item.start_mark.line + 1
            _collect_lines(item, (*path, index), lines, file)


def read_yaml(file: Path | str) -> tuple[Any, dict[tuple[Any, ...], int]]:
    """Read one YAML file; return its data and the line of each key path.

    Raises:
        InputError: no such file, not YAML, or a key given twice.
    """
    file = Path(file)
    try:
        if file.stat().st_size > _LARGEST_TEXT:
            raise InputError(f"{file}: too large for a file of settings")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not a UTF-8 text file: {error.reason}") from error
    lines = _Lines()
    try:
        node = yaml.compose(text, Loader=_LineLoader)
        if node is not None:
            if _size(node, {}) > _MOST_NODES:
                raise InputError(
                    f"{file}: its aliases (*name) stand for more than {_MOST_NODES:,} values; "
                    "write out what is meant"
                )
            _collect_lines(node, (), lines, file)
        return yaml.load(text, Loader=_LineLoader), lines
    except InputError:
        raise
    except Exception as error:  # bad syntax, number, alias, date: PyYAML raises nearly anything
        raise InputError(f"{file}: not valid YAML: {error}") from error


def validate_record(
    record: type[Record], data: Any, file: Path | str, lines: dict[tuple[Any, ...], int]
) -> Record:
    """Check `data` against `record`; every fault is told with its file, line and key.

    Raises:
        InputError: unknown keys (with a suggestion), missing keys, wrong types.
    """
    try:
        return record.model_validate(data)
    except ValidationError as error:
        raise InputError(
            "\n".join(_explain(record, fault, Path(file), lines) for fault in error.errors())
        ) from error


def read_mapping(file: Path | str) -> tuple[dict[Any, Any], dict[tuple[Any, ...], int]]:
    """Read one YAML file whose top level is a mapping, as `read_yaml` does.

    Raises:
        InputError: as `read_yaml`; also no mapping.
    """
    data, lines = read_yaml(file)
    if not isinstance(data, dict):
        raise InputError(f"{file}: expected a mapping of keys to values at the top level")
    return data, lines


def load_record(file: Path | str, record: type[Record]) -> Record:
    """Read one YAML file into one record. Raises InputError as the two steps above do."""
    data, lines = read_mapping(file)
    return validate_record(record, data, file, lines)


def load_json_record(file: Path, record: type[Record], remedy: str) -> Record:
    """Read one JSON file, which a program wrote, into one record.

    Args:
        remedy: what to do where it is damaged: how to have it written anew.

    Raises:
        InputError: it cannot be read, or is no such record.
    """
    try:
        return record.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; {remedy}") from error
    except ValidationError as error:
        faults = "; ".join(
            _explain(record, fault, file, {}).removeprefix(f"{file}: ") for fault in error.errors()
        )
        raise InputError(f"{file}: damaged: {faults}; {remedy}") from error


def _explain(
    record: type[BaseModel], fault: Any, file: Path, lines: dict[tuple[Any, ...], int]
) -> str:
    location = tuple(fault["loc"])
    while location and location not in lines:
        known_line = lines.get(location[:-1])
        if known_line or len(location) == 1:
            break
        location = location[:-1]
    line = lines.get(location) or lines.get(location[:-1]) or 1
    place = f"{file}:{line}" if lines else f"{file}"
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        owner = _record_at(record, tuple(fault["loc"][:-1]))
        hint = did_you_mean(str(fault["loc"][-1]), list(owner.model_fields)) if owner else ""
        return f"{place}: unknown key '{key}'; {hint}"
    if fault["type"] == "missing":
        return f"{place}: key '{key}' is missing"
    if fault["type"] == "value_error":  # a record's own check, which says all there is to say
        where = f"{place}: key '{key}'" if key else f"{file}"
        return f"{where}: {fault['ctx']['error']}"
    where = f"{place}: key '{key}'" if key else place
    return f"{where}: {fault['msg']} (found {reprlib.repr(fault['input'])})"


def _record_at(record: type[BaseModel], path: tuple[Any, ...]) -> type[BaseModel] | None:
    """The nested record type that a key path leads to, as far as the types tell."""
    current: Any = record
    for part in path:
        if isinstance(part, int):
            continue
        if not _is_record(current) or part not in current.model_fields:
            continue
        current = nested_record(current, part)
        if current is None:
            return None
    return current if _is_record(current) else None


def nested_record(record: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The record that the key of another holds, or holds many of; None where it holds none."""
    return next(iter(_record_types(record.model_fields[key].annotation)), None)


def _record_types(annotation: Any) -> list[type[BaseModel]]:
    if _is_record(annotation):
        return [annotation]
    return [kind for inner in getattr(annotation, "__args__", ()) for kind in _record_types(inner)]


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
