"""Energy of a mapped netlist from what its pins do, and from the library's own power tables.

No wires, no glitches: each pin changes at most once a clock, which makes it a lower bound.  The
clock is ideal: it changes at once, high in the first half of its period, without a tree.  Data
change after the clock's active edge, while it has the level of that edge.  What counts as what is
told in docs/energy.md.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache

from hw.foundation.errors import InputError
from hw.netlist.gate_netlist import GateNetlist, register_of
from hw.netlist.power_library import (
    LOAD,
    SLEW,
    CellPower,
    InternalEnergy,
    PowerLibrary,
    holding,
)
from hw.netlist.simple_gates import Gate, Net
from hw.netlist.slews import AT_ONCE, Slew, capacitance, loads, slews

Changes = Mapping[tuple[int, int], int]
"""In how many clocks a gate had a state, by the state before and that state: `power_library` says
what a state is.  The clock pin of a flip-flop has the level after its active edge."""

_PJ_OF_A_FJ = 1e-3
_PJ_OF_A_NW_NS = 1e-6


@dataclass(frozen=True)
class Energy:
    """Energies in pJ, summed over clocks.

    Attributes:
        switching: of the capacitances of input pins other than clocks.
        internal: of the cells, where pins other than clocks change.
        clock: both of these at clock pins.
        leakage: over the clocks' time.
    """

    switching: float = 0.0
    internal: float = 0.0
    clock: float = 0.0
    leakage: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return sum(self.parts.values())

    @property
    def parts(self) -> dict[str, float]:
        """Its parts by name."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    def __add__(self, other: "Energy") -> "Energy":
        return Energy(
            self.switching + other.switching,
            self.internal + other.internal,
            self.clock + other.clock,
            self.leakage + other.leakage,
        )


def energy(
    netlist: GateNetlist,
    power: PowerLibrary,
    activity: Mapping[str, Changes],
    clock_period_ns: float,
) -> Energy:
    """The energy of the clocks in which the gates' pins did this.

    Args:
        power: of the cells that the netlist has.
        activity: by the name of each gate.

    Raises:
        InputError: it is not known what a gate did, or a table cannot be read.
    """
    if unknown := [gate.name for gate in netlist.gates if gate.name not in activity]:
        raise InputError(
            f"{netlist.top}: gate '{unknown[0]}' ({len(unknown)} in all) leads to no output or "
            "drives a clock, so that it was not simulated and its energy is not known"
        )
    at_nets = loads(netlist)
    at_slews = slews(netlist, at_nets)
    design = _Design(netlist, power, at_nets, at_slews, clock_period_ns, cache(_table_energy))
    return sum((_of_gate(design, gate, activity[gate.name]) for gate in netlist.gates), Energy())


@dataclass(frozen=True)
class _Design:
    """A netlist with all that the energies of its gates follow from."""

    netlist: GateNetlist
    power: PowerLibrary
    loads: Mapping[Net, float]
    slews: Mapping[Net, Slew]
    clock_period_ns: float
    table_energy: Callable[[InternalEnergy, float, float, bool], float]


def _of_gate(design: _Design, gate: Gate, changes: Changes) -> Energy:
    cell = design.power.cells[gate.kind]
    register = register_of(gate, design.netlist.library)
    clock = register.flip_flop.clock if register else None
    found = _leakage(design, cell, clock, changes)
    for pin in cell.pins:
        if pin == clock:
            found += _at_clock(design, gate, cell, pin, changes)
        else:
            found += _at_pin(design, gate, cell, pin, clock, changes)
    return found


def _leakage(design: _Design, cell: CellPower, clock: str | None, changes: Changes) -> Energy:
    """Half of each clock a flip-flop's clock pin is high, half of it low."""
    flipped = cell.bits[clock] if clock else 0
    clocks: Counter[int] = Counter()
    for (_, state), count in changes.items():
        clocks[state] += count
    nanowatts = sum(
        count * (cell.leakage_in(state) + cell.leakage_in(state ^ flipped)) / 2
        for state, count in clocks.items()
    )
    return Energy(leakage=nanowatts * design.clock_period_ns * _PJ_OF_A_NW_NS)


def _capacitive(design: _Design, cell: CellPower, pin: str, transitions: int) -> float:
    """Energy of an input pin's capacitance, C V^2 / 2 a transition, in pJ."""
    femtofarads = capacitance(design.netlist, cell.cell, pin) * design.power.load_ff
    return transitions * femtofarads * design.power.supply_v**2 / 2 * _PJ_OF_A_FJ


def _at_clock(
    design: _Design, gate: Gate, cell: CellPower, pin: str, changes: Changes
) -> Energy:
    """Two edges a clock: one to the state, out of the one before it, and one in its middle."""
    bit = cell.bits[pin]
    total = 0.0
    for (before, state), count in changes.items():
        to_active = bool(state & bit)
        total += count * _own_energy(design, gate, cell, pin, before, to_active)
        total += count * _own_energy(design, gate, cell, pin, state, not to_active)
    edges = 2 * sum(changes.values())
    return Energy(
        clock=total * design.power.energy_fj * _PJ_OF_A_FJ + _capacitive(design, cell, pin, edges)
    )


def _at_pin(
    design: _Design,
    gate: Gate,
    cell: CellPower,
    pin: str,
    clock: str | None,
    changes: Changes,
) -> Energy:
    bit = cell.bits[pin]
    is_input = pin in cell.cell.inputs
    total, transitions = 0.0, 0
    for (before, state), count in changes.items():
        if not (before ^ state) & bit:
            continue
        transitions += count
        rising = bool(state & bit)
        if is_input:
            total += count * _own_energy(design, gate, cell, pin, state, rising)
        else:
            total += count * _output_energy(design, gate, cell, pin, clock, before, state)
    switched = _capacitive(design, cell, pin, transitions) if is_input else 0.0
    return Energy(switching=switched, internal=total * design.power.energy_fj * _PJ_OF_A_FJ)


def _own_energy(
    design: _Design, gate: Gate, cell: CellPower, pin: str, state: int, rising: bool
) -> float:
    """Internal energy of an input pin's edge in a state, in the library's unit."""
    own = [group for group in cell.internal[pin] if not group.related]
    slew = design.slews.get(gate.pins[pin], AT_ONCE).of(rising)
    found = [design.table_energy(group, slew, 0.0, rising) for group in holding(own, state)]
    return sum(found) / len(found) if found else 0.0


def _output_energy(
    design: _Design,
    gate: Gate,
    cell: CellPower,
    pin: str,
    clock: str | None,
    before: int,
    state: int,
) -> float:
    """Internal energy of an output's change, in the library's unit: the mean over the input pins
    that changed with it (of a flip-flop: its clock), of the arcs whose condition holds after it.
    Where no arc's does, all arcs of these pins count alike; and all arcs where these have none."""
    groups = cell.internal[pin]
    related = {name for group in groups for name in group.related}
    changed = [
        name
        for name in sorted(related)
        if name == clock or (before ^ state) & cell.bits[name]
    ]
    of_pins = {name: [g for g in groups if name in g.related] for name in changed or related}
    held = {name: holding(of_pin, state) for name, of_pin in of_pins.items()}
    chosen = {name: found for name, found in held.items() if found} or of_pins
    load = design.loads.get(gate.pins[pin], 0.0) if pin in gate.pins else 0.0
    rising = bool(state & cell.bits[pin])
    means = []
    for name, arcs in chosen.items():
        edge = bool(state & cell.bits[name])
        slew = design.slews.get(gate.pins[name], AT_ONCE).of(edge)
        found = [design.table_energy(arc, slew, load, rising) for arc in arcs]
        means.append(sum(found) / len(found))
    return sum(means) / len(means) if means else 0.0


def _table_energy(group: InternalEnergy, slew: float, load: float, rising: bool) -> float:
    return (group.rise if rising else group.fall).at({SLEW: slew, LOAD: load})
