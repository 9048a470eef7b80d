"""Liberty cell libraries: the parts of one that timing and equivalence need, read and written.

Syntax: a group is `kind (arguments) { ... }`, an attribute `name : value ;` or `name (values) ;`
(Liberty User Guide, Synopsys; published as an open standard).
"""

import itertools
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hw.foundation.errors import InputError

_TOKEN = re.compile(
    r"""(?P<skip>\s+|/\*.*?\*/|//[^\n]*|\\\n)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[(){};:,])"""
    r"""|(?P<word>[^\s(){};:,"\\]+)""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class Group:
    """A group of a Liberty file.

    Attributes:
        kind: `cell`, `pin`, `timing`, ...
        arguments: what stands in its brackets, such as the cell's name.
        attributes: simple ones, without quotes.
        lists: complex ones: the values of each.
        groups: in it.
    """

    kind: str
    arguments: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    def all(self, *kinds: str) -> list["Group"]:
        """The groups of these kinds directly in it."""
        return [group for group in self.groups if group.kind in kinds]

    def lines(self, indent: str = "") -> Iterator[str]:
        """It as Liberty text."""
        yield f"{indent}{self.kind} ({', '.join(self.arguments)}) {{"
        inner = indent + "  "
        for name, value in self.attributes.items():
            yield f'{inner}{name} : "{value}";'
        for name, values in self.lists.items():
            yield f"{inner}{name} ({', '.join(map(_quoted, values))});"
        for group in self.groups:
            yield from group.lines(inner)
        yield f"{indent}}}"


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[\w.+-]+", value) and "," not in value else f'"{value}"'


@dataclass(frozen=True)
class FlipFlop:
    """How a flip-flop cell works: at the edge of `clock` it takes the value at pin `data`.

    Attributes:
        outputs: output pins; True where the pin shows the complement of that value.
    """

    data: str
    clock: str
    rising: bool
    outputs: Mapping[str, bool]


@dataclass(frozen=True)
class Setup:
    """Setup times of rising and falling data by the data's slew, in the library's time unit."""

    slews: tuple[float, ...]
    rise: tuple[float, ...]
    fall: tuple[float, ...]


@dataclass(frozen=True)
class Cell:
    """A cell of a library.

    Attributes:
        functions: of each output pin, as the file has it; empty where it has none.
        storage: whether it stores anything (flip-flop, latch, clock gate).
        templates: of the library's tables, by name.
    """

    group: Group
    inputs: tuple[str, ...]
    functions: Mapping[str, str]
    storage: bool
    templates: Mapping[str, Group] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.group.arguments[0]

    def pin(self, name: str) -> Group:
        """The group of that pin."""
        return next(p for p in self.group.all("pin") if name in p.arguments)

    def flip_flop(self, tied: Mapping[str, bool] | None = None) -> FlipFlop | None:
        """How it works as a flip-flop that takes one pin's value, or its complement, at each edge;
        None for any other cell.

        Args:
            tied: what stands always at some inputs, as at the set or reset that is not used.
        """
        found = self.group.all("ff")
        if len(found) != 1 or len(found[0].arguments) != 2:
            return None
        state, complement = found[0].arguments
        attributes = found[0].attributes
        try:
            clock = _follows(attributes.get("clocked_on", ""), self.inputs, {})
            names = (*self.inputs, state, complement)
            data = _follows(attributes.get("next_state", ""), names, tied or {})
            shown = {p: _follows(f, (state, complement), {}) for p, f in self.functions.items()}
            idle = not any(
                _can_be_true(attributes[key], names, tied or {})
                for key in ("clear", "preset")
                if key in attributes
            )
        except InputError:
            return None
        if not idle or clock is None or data is None or data[0] not in self.inputs:
            return None
        outputs = {
            pin: (stored[0] == complement) ^ stored[1] ^ data[1]
            for pin, stored in shown.items()
            if stored is not None
        }
        if len(outputs) != len(shown):
            return None
        return FlipFlop(data[0], clock[0], not clock[1], outputs)

    @cached_property
    def expressions(self) -> Mapping[str, "Expression"]:
        """The function of each output.

        Raises:
            InputError: one that cannot be read.
        """
        return {pin: parse_function(text, self.inputs) for pin, text in self.functions.items()}

    @cached_property
    def truth_tables(self) -> Mapping[str, tuple[bool, ...]]:
        """The value of each output for all values of the inputs, the last one changing first.

        Raises:
            InputError: a function that cannot be read.
        """
        return {pin: truth_table(text, self.inputs) for pin, text in self.functions.items()}

    def setup(self, pin: str) -> Setup | None:
        """Setup time of a data pin to an ideal clock edge; None where the library has none."""
        arcs = [
            timing
            for timing in self.pin(pin).all("timing")
            if timing.attributes.get("timing_type", "").startswith("setup")
        ]
        tables = {
            edge: [t for arc in arcs for t in arc.all(f"{edge}_constraint")]
            for edge in ("rise", "fall")
        }
        if not tables["rise"] or not tables["fall"]:
            return None
        axis = self._axes(tables["rise"][0]).get(True)
        slews = axis or [0.0]
        times = {
            edge: tuple(max(self._at(t, slew) for t in found) for slew in slews)
            for edge, found in tables.items()
        }
        return Setup(tuple(slews), times["rise"], times["fall"])

    def _axes(self, table: Group) -> dict[bool, list[float]]:
        """The steps of a constraint's axes in their order; True: that of the data's slew."""
        template = self.templates.get(table.arguments[0]) if table.arguments else None
        axes = {}
        for number in (1, 2):
            own = table.lists.get(f"index_{number}")
            steps = own or (template.lists.get(f"index_{number}") if template else None)
            variable = template.attributes.get(f"variable_{number}", "") if template else ""
            if steps:
                axes[variable.startswith("constrained")] = _numbers(steps)
        return axes

    def _at(self, table: Group, slew: float) -> float:
        axes = [(steps, slew if data else 0.0) for data, steps in self._axes(table).items()]
        return interpolate(_numbers(table.lists["values"]), axes)


@dataclass(frozen=True)
class Library:
    """A cell library.

    Attributes:
        file: that it was read from.
        header: its attributes and groups other than cells.
        time_unit_ns: what a time of 1 in it is, in ns.
    """

    file: Path
    header: Group
    cells: Mapping[str, Cell]
    time_unit_ns: float


def read_liberty(file: Path) -> Library:
    """Read a library.

    Raises:
        InputError: no such file, or no Liberty text; the message names the line.
    """
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    parser = _Parser(text, file)
    top = parser.statement()
    if not isinstance(top, Group) or top.kind != "library":
        raise InputError(f"{file}:1: not a Liberty file: it does not start with 'library (...) {{'")
    templates = {
        g.arguments[0]: g for g in top.groups if g.kind.endswith("_template") and g.arguments
    }
    cells = {g.arguments[0]: _cell(g, templates) for g in top.all("cell")}
    if not cells:
        raise InputError(f"{file}: the library has no cells")
    header = Group(
        top.kind,
        top.arguments,
        top.attributes,
        top.lists,
        [group for group in top.groups if group.kind != "cell"],
    )
    return Library(file, header, cells, _time_unit(top, file))


def _cell(group: Group, templates: Mapping[str, Group]) -> Cell:
    pins = group.all("pin")
    names = {name: pin for pin in pins for name in pin.arguments}
    inputs = tuple(n for n, p in names.items() if p.attributes.get("direction") == "input")
    functions = {
        n: p.attributes.get("function", "")
        for n, p in names.items()
        if p.attributes.get("direction") == "output"
    }
    storage = bool(group.all("ff", "ff_bank", "latch", "latch_bank", "statetable"))
    return Cell(group, inputs, functions, storage, templates)


def _time_unit(top: Group, file: Path) -> float:
    units = {"ns": 1.0, "ps": 1e-3, "us": 1e3}
    text = top.attributes.get("time_unit", "1ns").strip()
    found = re.fullmatch(r"([\d.]+)\s*(ns|ps|us)", text)
    if not found:
        raise InputError(f"{file}: time_unit '{text}' is not understood; expected such as '1ns'")
    return float(found[1]) * units[found[2]]


class _Parser:
    def __init__(self, text: str, file: Path) -> None:
        self.file, self.text = file, text
        self.tokens = self._split()
        self.token, self.at = "", 0
        self.advance()

    def _split(self) -> Iterator[tuple[str, int]]:
        position = 0
        while position < len(self.text):
            found = _TOKEN.match(self.text, position)
            if not found:
                raise self.error(position, "a character that Liberty does not have here")
            if found.lastgroup != "skip":
                yield found[0], position
            position = found.end()

    def error(self, position: int, what: str) -> InputError:
        line = self.text.count("\n", 0, position) + 1
        return InputError(f"{self.file}:{line}: not a Liberty file: {what}")

    def advance(self) -> str:
        token = self.token
        self.token, self.at = next(self.tokens, ("", len(self.text)))
        return token

    def expect(self, mark: str) -> None:
        if self.token != mark:
            raise self.error(self.at, f"found '{self.token or 'the end'}', expected '{mark}'")
        self.advance()

    def statement(self) -> "Group | tuple[str, str | tuple[str, ...]]":
        if not re.match(r"[\w\[]", self.token):
            raise self.error(self.at, f"found '{self.token or 'the end'}', expected a name")
        name = self.advance()
        if self.token == ":":
            self.advance()
            words: list[str] = []
            while self.token not in (";", "}", "") and not self._next_line(words):
                words.append(self.advance())
            if self.token == ";":
                self.advance()
            return name, " ".join(_bare(w) for w in words)
        self.expect("(")
        values = []
        while self.token not in (")", ""):
            values.append(_bare(self.advance()))
        self.expect(")")
        values = [value for value in values if value != ","]
        if self.token != "{":
            if self.token == ";":
                self.advance()
            return name, tuple(values)
        self.advance()
        group = Group(name, tuple(values))
        while self.token != "}":
            inner = self.statement()
            if isinstance(inner, Group):
                group.groups.append(inner)
            elif isinstance(inner[1], str):
                group.attributes[inner[0]] = inner[1]
            else:
                group.lists[inner[0]] = group.lists.get(inner[0], ()) + inner[1]
        self.advance()
        return group

    def _next_line(self, words: Sequence[str]) -> bool:
        """Whether a value has ended with its line: some libraries leave out the semicolon."""
        start = self.text.rfind("\n", 0, self.at)
        return bool(words) and not self.text[start + 1 : self.at].strip()


def _bare(token: str) -> str:
    return re.sub(r"\\\s*\n\s*", "", token[1:-1]) if token.startswith('"') else token


def _numbers(texts: Sequence[str]) -> list[float]:
    return [float(word) for text in texts for word in re.split(r"[\s,]+", text.strip()) if word]


def interpolate(values: Sequence[float], axes: Sequence[tuple[Sequence[float], float]]) -> float:
    """Multilinear interpolation in a table, its last axis changing first; beyond its edges too.

    Args:
        axes: the steps of each axis, and where on it.
    """
    if not axes:
        return values[0]
    (steps, at), rest = axes[0], axes[1:]
    size = len(values) // len(steps)
    rows = [interpolate(values[i * size : (i + 1) * size], rest) for i in range(len(steps))]
    if len(steps) == 1:
        return rows[0]
    i = min(max(bisect_right(steps, at) - 1, 0), len(steps) - 2)
    share = (at - steps[i]) / (steps[i + 1] - steps[i])
    return rows[i] + share * (rows[i + 1] - rows[i])


# functions ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Expression:
    """A logic function.

    Attributes:
        operator: `!`, `&`, `|`, `^`, the name of an input, or a constant `0` or `1`.
        operands: of an operator.
    """

    operator: str
    operands: tuple["Expression", ...] = ()

    def value(self, inputs: Mapping[str, bool]) -> bool:
        """Its value for these inputs."""
        values = [operand.value(inputs) for operand in self.operands]
        match self.operator:
            case "!":
                return not values[0]
            case "&":
                return all(values)
            case "|":
                return any(values)
            case "^":
                return sum(values) % 2 == 1
            case "0" | "1":
                return self.operator == "1"
        return inputs[self.operator]


def truth_table(function: str, inputs: Sequence[str]) -> tuple[bool, ...]:
    """The value of a Liberty function for all values of `inputs`, the last one changing first.

    Raises:
        InputError: as `parse_function`.
    """
    expression = parse_function(function, inputs)
    return tuple(
        expression.value(dict(zip(inputs, values, strict=True)))
        for values in itertools.product((False, True), repeat=len(inputs))
    )


def _follows(
    function: str, names: Sequence[str], tied: Mapping[str, bool]
) -> tuple[str, bool] | None:
    """The name whose value, or complement (True), a function has whatever the others; None if it
    has no such."""
    expression = parse_function(function, names)
    for name in sorted(names, key=lambda name: name in tied):
        values = {
            expression.value(given) ^ given[name]
            for given in _cases(names, {n: v for n, v in tied.items() if n != name})
        }
        if len(values) == 1:
            return name, values.pop()
    return None


def _can_be_true(function: str, names: Sequence[str], tied: Mapping[str, bool]) -> bool:
    expression = parse_function(function, names)
    return any(expression.value(given) for given in _cases(names, tied))


def _cases(names: Sequence[str], tied: Mapping[str, bool]) -> Iterator[dict[str, bool]]:
    free = [name for name in names if name not in tied]
    for values in itertools.product((False, True), repeat=len(free)):
        yield {**tied, **dict(zip(free, values, strict=True))}


def parse_function(function: str, inputs: Sequence[str]) -> Expression:
    """A Liberty function.

    Operators: `!` before or `'` after a term, `*` `&` or a blank for AND, `+` `|` for OR, `^` for
    exclusive or; from the strongest: not, exclusive or, and, or.

    Raises:
        InputError: it cannot be read, or has a name that is no input.
    """
    tokens = re.findall(r"[A-Za-z_][\w\[\]]*|[01!'&*+|^()]", function)
    if not tokens or "".join(tokens) != re.sub(r"[\s\"]", "", function):
        raise InputError(f"function '{function}' is not understood")
    return _FunctionParser(function, tokens, inputs).whole()


class _FunctionParser:
    def __init__(self, text: str, tokens: Sequence[str], inputs: Sequence[str]) -> None:
        self.text, self.tokens, self.inputs, self.at = text, tokens, inputs, 0

    def whole(self) -> Expression:
        result = self.either()
        if self.at != len(self.tokens):
            raise self.error()
        return result

    def error(self) -> InputError:
        return InputError(f"function '{self.text}' is not understood")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def either(self) -> Expression:
        result = self.both()
        while self.peek() and self.peek() in "+|":
            self.at += 1
            result = Expression("|", (result, self.both()))
        return result

    def both(self) -> Expression:
        result = self.differ()
        while (token := self.peek()) and token not in "+|)":
            self.at += token in "&*"
            result = Expression("&", (result, self.differ()))
        return result

    def differ(self) -> Expression:
        result = self.term()
        while self.peek() == "^":
            self.at += 1
            result = Expression("^", (result, self.term()))
        return result

    def term(self) -> Expression:
        token = self.peek()
        self.at += 1
        if token == "!":
            return Expression("!", (self.term(),))
        if token == "(":
            result = self.either()
            if self.peek() != ")":
                raise self.error()
            self.at += 1
        elif token in ("0", "1") or token in self.inputs:
            result = Expression(token)
        else:
            raise self.error()
        while self.peek() == "'":
            self.at += 1
            result = Expression("!", (result,))
        return result
