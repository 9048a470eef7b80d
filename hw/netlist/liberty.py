"""Liberty cell libraries: the parts of one that timing and equivalence need, read and written.

Syntax: a group is `kind (arguments) { ... }`, an attribute `name : value ;` or `name (values) ;`
(Liberty User Guide, Synopsys; published as an open standard).
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hw.foundation.errors import InputError, ToolFailed
from hw.netlist.cell_logic import CellLogic, read_cell_logic

_STORAGE = ("ff", "ff_bank", "latch", "latch_bank", "statetable")
_NAME = re.compile(r"[A-Za-z_][\w\[\]]*")
# how yosys tells of a function that it cannot read
_UNREADABLE = re.compile(r"^ERROR: (?P<why>.*?) *in (?P<cell>\S+)\.$", re.MULTILINE)
_TOKEN = re.compile(
    r"""(?P<skip>\s+|/\*.*?\*/|//[^\n]*|\\\n)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[(){};:,])"""
    r"""|(?P<word>[^\s(){};:,"\\]+)""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class LibertyGroup:
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
    groups: list["LibertyGroup"] = field(default_factory=list)

    def all(self, *kinds: str) -> list["LibertyGroup"]:
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
class Setup:
    """Setup times of rising and falling data by the data's slew, in the library's time unit."""

    slews: tuple[float, ...]
    rise: tuple[float, ...]
    fall: tuple[float, ...]


@dataclass(frozen=True)
class Table:
    """Values by one or several variables, the last axis changing first.

    Attributes:
        axes: the variable of each, as Liberty calls it, and its steps.
    """

    axes: tuple[tuple[str, tuple[float, ...]], ...]
    values: tuple[float, ...]

    def at(self, where: Mapping[str, float]) -> float:
        """The value where the variables have these values, linear between and beyond its steps.

        Raises:
            KeyError: a variable of the table is not given.
        """
        axes = [(steps, where[variable]) for variable, steps in self.axes]
        return interpolate(self.values, axes)


@dataclass(frozen=True)
class Cell:
    """A cell of a library.

    Attributes:
        functions: of each output pin, as the file has it; empty where it has none.
        storage: whether it stores anything (flip-flop, latch, clock gate).
        is_logic: whether a netlist of logic can have it: it is no pad, and each of its pins is an
            input or an output, not of both directions, not with a third state, not in a bus.
        templates: of the library's tables, by name.
    """

    group: LibertyGroup
    inputs: tuple[str, ...]
    functions: Mapping[str, str]
    storage: bool
    is_logic: bool
    templates: Mapping[str, LibertyGroup] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.group.arguments[0]

    @property
    def dont_use(self) -> bool:
        """Whether the library asks not to use it."""
        return self.group.attributes.get("dont_use") == "true"

    def pin(self, name: str) -> LibertyGroup:
        """The group of that pin."""
        return next(p for p in self.group.all("pin") if name in p.arguments)

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
        axes = dict(self.table(tables["rise"][0]).axes)
        slews = next((axes[name] for name in axes if _is_of_data(name)), (0.0,))
        times = {
            edge: tuple(max(self._constraint(t, slew) for t in found) for slew in slews)
            for edge, found in tables.items()
        }
        return Setup(slews, times["rise"], times["fall"])

    def _constraint(self, group: LibertyGroup, slew: float) -> float:
        """A setup time at that slew of the data and an ideal clock edge."""
        table = self.table(group)
        return table.at({name: slew if _is_of_data(name) else 0.0 for name, _ in table.axes})

    def table(self, group: LibertyGroup) -> Table:
        """A group of values as a table; its axes are its own or those of its template."""
        template = self.templates.get(group.arguments[0]) if group.arguments else None
        axes = []
        for number in (1, 2, 3):
            own = group.lists.get(f"index_{number}")
            steps = own or (template.lists.get(f"index_{number}") if template else None)
            if steps:
                variable = template.attributes.get(f"variable_{number}", "") if template else ""
                axes.append((variable, tuple(_numbers(steps))))
        return Table(tuple(axes), tuple(_numbers(group.lists["values"])))


def _is_of_data(variable: str) -> bool:
    """Whether an axis of a constraint is the slew of the data."""
    return variable.startswith("constrained")


@dataclass(frozen=True)
class Library:
    """A cell library.

    Attributes:
        file: that it was read from.
        header: its attributes and groups other than cells.
        time_unit_ns: what a time of 1 in it is, in ns.
    """

    file: Path
    header: LibertyGroup
    cells: Mapping[str, Cell]
    time_unit_ns: float

    @cached_property
    def logic(self) -> Mapping[str, CellLogic]:
        """What its cells compute: those of logic alone, and flip-flops.  Cells are left out where
        that does not follow from their pins and from what one flip-flop stores, and cells not to
        be used whose functions cannot be read.

        Raises:
            InputError: a function of a cell that may be used cannot be read.
            ToolMissing: yosys is not installed.
            ToolFailed: yosys failed otherwise.
        """
        cells = {
            name: cell
            for name, cell in self.cells.items()
            if cell.is_logic and _follows_from_its_pins(cell)
        }
        while True:
            functions = [_function(cell) for cell in cells.values()]
            inputs = {name: cell.inputs for name, cell in cells.items()}
            liberty = LibertyGroup("library", ("cells",), {}, {}, functions).lines()
            try:
                return read_cell_logic(liberty, inputs, f"the cells of {self.file}")
            except ToolFailed as error:
                told = _UNREADABLE.search(str(error))
                if told is None or told["cell"] not in cells:
                    raise
                cell = cells.pop(told["cell"])
                if not cell.dont_use:
                    raise InputError(
                        f"{self.file}: cell '{cell.name}': what it computes cannot be read "
                        f"({told['why']}); correct it, or exclude the cell by 'dont_use : true'"
                    ) from error

    @cached_property
    def gates(self) -> Mapping[str, CellLogic]:
        """Those of `logic` that store nothing."""
        return {name: cell for name, cell in self.logic.items() if not cell.flip_flops}


def _follows_from_its_pins(cell: Cell) -> bool:
    stored = cell.group.all(*_STORAGE)
    known = {*cell.inputs, *(name for group in stored for name in group.arguments)}
    return [group.kind for group in stored] in ([], ["ff"]) and all(
        function and known.issuperset(_NAME.findall(function))
        for function in cell.functions.values()
    )


def _function(cell: Cell) -> LibertyGroup:
    """A cell without all but what it computes."""
    pins = [LibertyGroup("pin", (name,), {"direction": "input"}) for name in cell.inputs]
    for name, function in cell.functions.items():
        pins.append(LibertyGroup("pin", (name,), {"direction": "output", "function": function}))
    return LibertyGroup("cell", (cell.name,), {}, {}, [*cell.group.all("ff"), *pins])


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
    if not isinstance(top, LibertyGroup) or top.kind != "library":
        raise InputError(f"{file}:1: not a Liberty file: it does not start with 'library (...) {{'")
    templates = {
        g.arguments[0]: g for g in top.groups if g.kind.endswith("_template") and g.arguments
    }
    cells = {g.arguments[0]: _cell(g, templates) for g in top.all("cell")}
    if not cells:
        raise InputError(f"{file}: the library has no cells")
    header = LibertyGroup(
        top.kind,
        top.arguments,
        top.attributes,
        top.lists,
        [group for group in top.groups if group.kind != "cell"],
    )
    return Library(file, header, cells, _time_unit(top, file))


def _cell(group: LibertyGroup, templates: Mapping[str, LibertyGroup]) -> Cell:
    pins = group.all("pin")
    names = {name: pin for pin in pins for name in pin.arguments}
    inputs = tuple(n for n, p in names.items() if p.attributes.get("direction") == "input")
    functions = {
        n: p.attributes.get("function", "")
        for n, p in names.items()
        if p.attributes.get("direction") == "output"
    }
    is_logic = (
        group.attributes.get("pad_cell") != "true"
        and not group.all("bus", "bundle")
        and not any("three_state" in pin.attributes for pin in pins)
        and not any(pin.attributes.get("direction") == "inout" for pin in pins)
    )
    return Cell(group, inputs, functions, bool(group.all(*_STORAGE)), is_logic, templates)


def _time_unit(top: LibertyGroup, file: Path) -> float:
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

    def statement(self) -> "LibertyGroup | tuple[str, str | tuple[str, ...]]":
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
        group = LibertyGroup(name, tuple(values))
        while self.token != "}":
            inner = self.statement()
            if isinstance(inner, LibertyGroup):
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

    def row(i: int) -> float:
        return interpolate(values[i * size : (i + 1) * size], rest)

    if len(steps) == 1:
        return row(0)
    i = min(max(bisect_right(steps, at) - 1, 0), len(steps) - 2)
    share = (at - steps[i]) / (steps[i + 1] - steps[i])
    below = row(i)
    return below + share * (row(i + 1) - below)
