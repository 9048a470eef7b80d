"""A cell library for static timing by ABC: combinational cells with one output each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from hw.netlist.cell_logic import FlipFlop
from hw.netlist.liberty import Cell, LibertyGroup, Library, Setup

SETUP_OUTPUT = "captured"


def output_cell(kind: str, pin: str) -> str:
    """Name of the part of a library cell that drives one of its outputs; see `split_library`."""
    return f"{kind}__{pin}"


def setup_cell(kind: str) -> str:
    """Name of the part of a flip-flop at its data pin; see `split_library`."""
    return f"{kind}__{SETUP_OUTPUT}"


def split_library(
    library: Library, kinds: Iterable[str], registers: Mapping[str, FlipFlop]
) -> Iterator[str]:
    """A Liberty file, line by line, of combinational cells with one output each.

    Tools that know no others can then follow all paths, at the same loads.  Each output of the
    cells `kinds` becomes a cell; the capacitance of an input pin stays with the first of them.  An
    output of a flip-flop is a buffer (or inverter) of its clock with the delay from clock to
    output, and its data pin is a buffer whose delay is the setup time.  There is no wire load.

    Args:
        registers: how those of the cells that are flip-flops work.
    """
    header = library.header
    attributes = {k: v for k, v in header.attributes.items() if "wire_load" not in k}
    groups = [group for group in header.groups if "wire_load" not in group.kind]
    cells = [library.cells[kind] for kind in sorted(kinds)]
    clocked = [(c, registers[c.name], _setup(c, registers[c.name])) for c in cells if c.storage]
    groups += [_template(cell, setup) for cell, _, setup in clocked]
    whole = replace(header, attributes=attributes, groups=groups)
    *lines, end = whole.lines()
    yield from lines
    for part in (
        *(part for cell in cells if not cell.storage for part in _parts(cell)),
        *(part for found in clocked for part in _clocked_parts(*found)),
    ):
        yield from part.lines("  ")
    yield end


def _parts(cell: Cell) -> Iterator[LibertyGroup]:
    for number, (pin, function) in enumerate(cell.functions.items()):
        inputs = [_input(cell, name, loads=number == 0) for name in cell.inputs]
        yield _part(cell, output_cell(cell.name, pin), [*inputs, _output(cell, pin, function)])


def _clocked_parts(cell: Cell, flip_flop: FlipFlop, setup: Setup) -> Iterator[LibertyGroup]:
    for pin, inverted in flip_flop.outputs.items():
        function = f"!{flip_flop.clock}" if inverted else flip_flop.clock
        pins = [_input(cell, flip_flop.clock, loads=False), _output(cell, pin, function)]
        yield _part(cell, output_cell(cell.name, pin), pins)
    no_time = [0.0] * len(setup.slews)
    tables = [
        _table(cell, "cell_rise", setup.rise),
        _table(cell, "cell_fall", setup.fall),
        _table(cell, "rise_transition", no_time),
        _table(cell, "fall_transition", no_time),
    ]
    sense = {"related_pin": flip_flop.data, "timing_sense": "positive_unate"}
    timing = LibertyGroup("timing", (), sense, {}, tables)
    attributes = {"direction": "output", "function": flip_flop.data}
    captured = LibertyGroup("pin", (SETUP_OUTPUT,), attributes, {}, [timing])
    yield _part(cell, setup_cell(cell.name), [_input(cell, flip_flop.data, loads=True), captured])


def _setup(cell: Cell, flip_flop: FlipFlop) -> Setup:
    """Its setup times on an axis of at least two slews."""
    setup = cell.setup(flip_flop.data) or Setup((0.0,), (0.0,), (0.0,))
    if len(setup.slews) > 1:
        return setup
    slew = setup.slews[0]
    return Setup((slew, slew + 1), setup.rise * 2, setup.fall * 2)


def _template(cell: Cell, setup: Setup) -> LibertyGroup:
    variables = ("input_net_transition", "total_output_net_capacitance")
    return LibertyGroup(
        "lu_table_template",
        (setup_cell(cell.name),),
        {f"variable_{number}": name for number, name in enumerate(variables, start=1)},
        {"index_1": (", ".join(f"{slew:.9g}" for slew in setup.slews),), "index_2": ("0, 1",)},
    )


def _table(cell: Cell, name: str, times: Sequence[float]) -> LibertyGroup:
    """Times by slew, the same at all loads."""
    values = {"values": tuple(f"{time:.9g}, {time:.9g}" for time in times)}
    return LibertyGroup(name, (setup_cell(cell.name),), {}, values)


def _part(cell: Cell, name: str, pins: list[LibertyGroup]) -> LibertyGroup:
    area = {k: v for k, v in cell.group.attributes.items() if k == "area"}
    return LibertyGroup("cell", (name,), area, {}, pins)


def _input(cell: Cell, name: str, *, loads: bool) -> LibertyGroup:
    pin = cell.pin(name)
    load = {k: v if loads else "0" for k, v in pin.attributes.items() if "capacitance" in k}
    return LibertyGroup("pin", (name,), {"direction": "input"} | load)


def _output(cell: Cell, name: str, function: str) -> LibertyGroup:
    pin = cell.pin(name)
    kept = {k: v for k, v in pin.attributes.items() if k.startswith("max_")}
    arcs = [
        replace(arc, attributes={"timing_sense": "non_unate"} | _without_edge(arc.attributes))
        for arc in pin.all("timing")
        if not arc.attributes.get("timing_type", "").startswith(("three_state", "clear", "preset"))
    ]
    attributes = {"direction": "output", "function": function} | kept
    return LibertyGroup("pin", (name,), attributes, {}, arcs)


def _without_edge(attributes: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in attributes.items() if k != "timing_type"}
