"""Power of a mapped netlist as OpenSTA reports it, with the activities that were simulated.

OpenSTA works out the activity of a gate's output from those of its inputs, as if they had nothing
to do with each other.  So that each output has the activity that was simulated, its function in the
library is the value of a pin of its own, without load, at an input of the design.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from hw.netlist import opensta
from hw.netlist.energy import Changes
from hw.netlist.gate_netlist import GateNetlist, port_bit
from hw.netlist.liberty import Cell, LibertyGroup, Library
from hw.netlist.power_library import pins_of
from hw.netlist.simple_gates import Gate, Net

_NUMBER = r"\s+(-?[\d.]+(?:[eE][+-]?\d+)?)"
_TOTAL = re.compile(rf"^Total{4 * _NUMBER}\s", re.MULTILINE)
_MW_OF_A_W = 1e3
_PORT = "econt_activity"


@dataclass(frozen=True)
class OpenstaPower:
    """Its figures, in mW."""

    internal_mw: float
    switching_mw: float
    leakage_mw: float
    total_mw: float


def opensta_power(
    netlist: GateNetlist, activity: Mapping[str, Changes], clock_period_ns: float
) -> OpenstaPower:
    """The power as OpenSTA finds it.

    Args:
        activity: by the name of each gate.

    Raises:
        ToolMissing: `sta` is not on PATH.
        ToolFailed: it printed no power.
    """
    design = _with_activity_pins(netlist)
    script = opensta_power_script(design, activity, clock_period_ns)
    library = "\n".join(_library(netlist.library, {gate.kind for gate in netlist.gates}))
    return opensta.read(design, script, parse_report_power, "power", library + "\n")


def _activity_pin(output: str) -> str:
    return f"{_PORT}_{output}"


def _library(library: Library, kinds: set[str]) -> Iterator[str]:
    """The cells of these kinds, the function of each output the value of its activity pin."""
    header = replace(
        library.header,
        attributes={k: v for k, v in library.header.attributes.items() if "wire_load" not in k},
        lists={k: v for k, v in library.header.lists.items() if k != "define"},
        groups=[group for group in library.header.groups if "wire_load" not in group.kind],
    )
    *lines, end = header.lines()
    yield from lines
    for kind in sorted(kinds):
        yield from _cell(library.cells[kind]).lines("  ")
    yield end


def _cell(cell: Cell) -> LibertyGroup:
    unloaded = {"direction": "input", "capacitance": "0"}
    groups = [LibertyGroup("pin", (_activity_pin(name),), unloaded) for name in cell.functions]
    for group in cell.group.groups:
        outputs = [name for name in group.arguments if name in cell.functions]
        if group.kind == "pin" and outputs:
            groups += [_output(group, name) for name in outputs]
        else:
            groups.append(group)
    return replace(cell.group, groups=groups)


def _output(pin: LibertyGroup, name: str) -> LibertyGroup:
    """An output pin of that name with the value of its activity pin.  An arc without time puts it
    after that pin in OpenSTA's order of the work."""
    related = {"related_pin": _activity_pin(name), "timing_sense": "positive_unate"}
    kinds = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
    no_time = [LibertyGroup(kind, ("scalar",), {}, {"values": ("0",)}) for kind in kinds]
    groups = [
        replace(group, attributes={"when": "1"} | group.attributes)
        if group.kind == "internal_power"
        else group
        for group in pin.groups
    ]
    return LibertyGroup(
        "pin",
        (name,),
        pin.attributes | {"function": _activity_pin(name)},
        pin.lists,
        [*groups, LibertyGroup("timing", (), related, {}, no_time)],
    )


def _with_activity_pins(netlist: GateNetlist) -> GateNetlist:
    """The same with a net at each output, also those without one, and an input of the design at
    each activity pin."""
    known = [net for gate in netlist.gates for net in gate.pins.values()]
    known += [net for nets in netlist.inputs.values() for net in nets]
    free = itertools.count(max(known, default=1) + 1)
    gates: list[Gate] = []
    nets: list[Net] = []
    for gate in netlist.gates:
        outputs = netlist.library.cells[gate.kind].functions
        own = {_activity_pin(pin): next(free) for pin in outputs}
        unconnected = {pin: next(free) for pin in outputs if pin not in gate.pins}
        gates.append(replace(gate, pins={**gate.pins, **unconnected, **own}))
        nets += own.values()
    return replace(netlist, gates=tuple(gates), inputs={**netlist.inputs, _PORT: tuple(nets)})


def opensta_power_script(
    design: GateNetlist, activity: Mapping[str, Changes], clock_period_ns: float
) -> list[str]:
    """Commands that make OpenSTA report the power of a design with activity pins."""
    return [
        *opensta.design(design, clock_period_ns),
        *_activities(design, activity),
        "report_power -digits 6",
    ]


def _activities(design: GateNetlist, activity: Mapping[str, Changes]) -> Iterator[str]:
    """Transitions a clock, and the share of the time at 1, of each input but the clocks."""
    found: dict[Net, tuple[float, float]] = {}
    for gate in design.gates:
        cell = design.library.cells[gate.kind]
        for pin in pins_of(cell):
            net = gate.pins[_activity_pin(pin) if pin in cell.functions else pin]
            found[net] = _of_pin(cell, pin, activity[gate.name])
    clocks = {register.clock for register in design.registers}
    for port, nets in design.inputs.items():
        for i, net in enumerate(nets):
            if net in found and net not in clocks:
                toggles, share = found[net]
                yield (
                    f"set_power_activity -input_ports [get_ports {port_bit(port, i)}] "
                    f"-activity {toggles:.9g} -duty {share:.9g}"
                )


def _of_pin(cell: Cell, pin: str, changes: Changes) -> tuple[float, float]:
    pins = pins_of(cell)
    bit = 1 << (len(pins) - 1 - pins.index(pin))
    clocks = sum(changes.values())
    toggles = sum(n for (before, state), n in changes.items() if (before ^ state) & bit)
    high = sum(n for (_, state), n in changes.items() if state & bit)
    return toggles / clocks, high / clocks


def parse_report_power(output: str) -> OpenstaPower | None:
    """The totals in the output of OpenSTA's `report_power`, which are in W; None where there are
    none."""
    found = _TOTAL.search(output)
    return OpenstaPower(*(float(text) * _MW_OF_A_W for text in found.groups())) if found else None
