"""Loads and slews of a netlist's nets without wires, for tables by slew and load.

As in static timing, inputs and clock change at once (slew 0), and a gate's output has the largest
slew that any of its arcs gives; conditions of arcs are not looked at.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from hw.foundation.errors import InputError
from hw.netlist.gate_netlist import GateNetlist
from hw.netlist.liberty import Cell, Table
from hw.netlist.simple_gates import Gate, Net

_SLEW, _LOAD = "input_net_transition", "total_output_net_capacitance"
_NO_TRANSITION = ("three_state", "clear", "preset")  # arcs of edges other than a value's


@dataclass(frozen=True)
class Slew:
    """Transition times of a net, in the library's unit of time."""

    rise: float = 0.0
    fall: float = 0.0

    def of(self, rising: bool) -> float:
        """That of the edge."""
        return self.rise if rising else self.fall


AT_ONCE = Slew()


def loads(netlist: GateNetlist) -> Mapping[Net, float]:
    """The sum of the input capacitances on each net that has any, in the library's unit."""
    found: dict[Net, float] = defaultdict(float)
    for gate in netlist.gates:
        cell = netlist.library.cells[gate.kind]
        for pin in cell.inputs:
            found[gate.pins[pin]] += capacitance(netlist, cell, pin)
    return dict(found)


def capacitance(netlist: GateNetlist, cell: Cell, pin: str) -> float:
    """That of an input pin, in the library's unit; the library's default where it has none.

    Raises:
        InputError: neither is there, or it is no number.
    """
    text = cell.pin(pin).attributes.get("capacitance")
    text = text or netlist.library.header.attributes.get("default_input_pin_cap", "")
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"{netlist.library.file}: cell '{cell.name}': pin '{pin}' has no capacitance, and "
            "energy needs it"
        ) from None


def slews(netlist: GateNetlist, of_nets: Mapping[Net, float]) -> Mapping[Net, Slew]:
    """The slews of all nets that gates drive; others change at once.

    Args:
        of_nets: the loads.

    Raises:
        InputError: a table of a cell cannot be read; the message names the cell.
    """
    found: dict[Net, Slew] = {}
    arcs: dict[tuple[str, str], tuple[_Arc, ...]] = {}
    for gate in _in_order(netlist):
        cell = netlist.library.cells[gate.kind]
        for pin in cell.functions:
            if pin not in gate.pins:
                continue
            if (gate.kind, pin) not in arcs:
                arcs[gate.kind, pin] = tuple(_arcs(netlist, cell, pin))
            net = gate.pins[pin]
            causes = [(a, found.get(gate.pins[a.related], AT_ONCE)) for a in arcs[gate.kind, pin]]
            load = of_nets.get(net, 0.0)
            rise, fall = (
                max((arc.slew(related, edge, load) for arc, related in causes), default=0.0)
                for edge in (True, False)
            )
            found[net] = Slew(rise, fall)
    return found


@dataclass(frozen=True)
class _Arc:
    """A timing arc to an output; `inverts` is None where either input edge may cause either."""

    related: str
    inverts: bool | None
    tables: Mapping[bool, Table]

    def slew(self, related: Slew, rising: bool, load: float) -> float:
        """That of the output at this edge."""
        edges = (True, False) if self.inverts is None else (rising ^ self.inverts,)
        table = self.tables[rising]
        return max(table.at({_SLEW: related.of(edge), _LOAD: load}) for edge in edges)


def _arcs(netlist: GateNetlist, cell: Cell, pin: str) -> Iterator[_Arc]:
    senses = {"positive_unate": False, "negative_unate": True}
    try:
        for timing in cell.pin(pin).all("timing"):
            if timing.attributes.get("timing_type", "").startswith(_NO_TRANSITION):
                continue
            tables = {
                edge: cell.table(group)
                for edge, kind in ((True, "rise_transition"), (False, "fall_transition"))
                for group in timing.all(kind)
            }
            sense = senses.get(timing.attributes.get("timing_sense", ""))
            for related in timing.attributes.get("related_pin", "").split():
                yield _checked(_Arc(related, sense, tables))
    except (ValueError, LookupError) as error:
        raise InputError(
            f"{netlist.library.file}: cell '{cell.name}': the slews of pin '{pin}' cannot be "
            f"read: {error}"
        ) from error


def _checked(arc: _Arc) -> _Arc:
    """It, once a slew has been read from each of its tables."""
    for edge in (True, False):
        arc.slew(AT_ONCE, edge, 0.0)
    return arc


def _in_order(netlist: GateNetlist) -> Iterator[Gate]:
    """All gates: those that store something, then the others, each after what drives it."""
    storing = [gate for gate in netlist.gates if netlist.library.cells[gate.kind].storage]
    yield from storing
    drivers = netlist.drivers
    stored = {gate.name for gate in storing}
    others = {gate.name: gate for gate in netlist.gates if gate.name not in stored}
    before = {
        name: [
            drivers[net].name
            for pin in netlist.library.cells[gate.kind].inputs
            if (net := gate.pins[pin]) in drivers
        ]
        for name, gate in others.items()
    }
    yield from (others[name] for name in TopologicalSorter(before).static_order())
