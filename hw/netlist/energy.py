"""Energy of a mapped netlist from what its pins do, and from the library's own power tables.

No wires, no glitches: each pin changes at most once a clock, which makes it a lower bound.  The
clock is ideal: it changes at once, high in the first half of its period, without a tree.  Data
change after the clock's active edge, while it has the level of that edge.  What counts as what is
told in docs/energy.md.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
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


@dataclass(frozen=True)
class _Part:
    """A gate of a design; `clock` is its clock pin where it is a flip-flop."""

    design: _Design
    gate: Gate
    cell: CellPower
    clock: str | None

    def slew(self, pin: str, rising: bool) -> float:
        """That of the net at an input pin."""
        return self.design.slews.get(self.gate.pins[pin], AT_ONCE).of(rising)

    def load(self, output: str) -> float:
        """What an output drives; nothing where no net is at it."""
        net = self.gate.pins.get(output)
        return 0.0 if net is None else self.design.loads.get(net, 0.0)

    def charging(self, pin: str, transitions: int) -> float:
        """Energy of an input pin's capacitance in pJ: C V^2 / 2 a transition."""
        power = self.design.power
        femtofarads = capacitance(self.design.netlist, self.cell.cell, pin) * power.load_ff
        return transitions * femtofarads * power.supply_v**2 / 2 * _PJ_OF_A_FJ

    def picojoules(self, internal: float) -> float:
        """Internal energy in pJ, from the library's unit."""
        return internal * self.design.power.energy_fj * _PJ_OF_A_FJ


def _of_gate(design: _Design, gate: Gate, changes: Changes) -> Energy:
    register = register_of(gate, design.netlist.library)
    clock = register.flip_flop.clock if register else None
    part = _Part(design, gate, design.power.cells[gate.kind], clock)
    found = _leakage(part, changes)
    for pin in part.cell.cell.inputs:
        found += _clock(part, changes) if pin == clock else _input(part, pin, changes)
    for pin in part.cell.cell.functions:
        found += _output(part, pin, changes)
    return found


def _leakage(part: _Part, changes: Changes) -> Energy:
    """Half of each clock a flip-flop's clock pin is high, half of it low."""
    cell = part.cell
    flipped = cell.bits[part.clock] if part.clock else 0
    clocks: Counter[int] = Counter()
    for (_, state), count in changes.items():
        clocks[state] += count
    nanowatts = sum(
        count * (cell.leakage_in(state) + cell.leakage_in(state ^ flipped)) / 2
        for state, count in clocks.items()
    )
    return Energy(leakage=nanowatts * part.design.clock_period_ns * _PJ_OF_A_NW_NS)


def _clock(part: _Part, changes: Changes) -> Energy:
    """Two edges a clock: one out of the state before it, and one in its middle."""
    assert part.clock is not None
    internal = 0.0
    for (before, state), count in changes.items():
        active = bool(state & part.cell.bits[part.clock])
        internal += count * _input_energy(part, part.clock, before, active)
        internal += count * _input_energy(part, part.clock, state, not active)
    edges = 2 * sum(changes.values())
    return Energy(clock=part.picojoules(internal) + part.charging(part.clock, edges))


def _input(part: _Part, pin: str, changes: Changes) -> Energy:
    bit = part.cell.bits[pin]
    internal, transitions = 0.0, 0
    for (before, state), count in changes.items():
        if (before ^ state) & bit:
            internal += count * _input_energy(part, pin, state, bool(state & bit))
            transitions += count
    return Energy(switching=part.charging(pin, transitions), internal=part.picojoules(internal))


def _output(part: _Part, pin: str, changes: Changes) -> Energy:
    bit = part.cell.bits[pin]
    internal = sum(
        count * _output_energy(part, pin, before, state)
        for (before, state), count in changes.items()
        if (before ^ state) & bit
    )
    return Energy(internal=part.picojoules(internal))


def _input_energy(part: _Part, pin: str, state: int, rising: bool) -> float:
    """Internal energy of an input pin's edge in a state, in the library's unit: the mean of the
    groups that hold; 0 where none does."""
    own = [group for group in part.cell.internal[pin] if not group.related]
    slew = part.slew(pin, rising)
    return _mean(
        part.design.table_energy(group, slew, 0.0, rising) for group in holding(own, state)
    )


def _output_energy(part: _Part, pin: str, before: int, state: int) -> float:
    """Internal energy of an output's change, in the library's unit: the mean over the input pins
    that changed with it (of a flip-flop: its clock), of the arcs whose condition holds after it.
    Where no arc's does, all arcs of these pins count alike; and all arcs where these have none."""
    bits, groups = part.cell.bits, part.cell.internal[pin]
    related = dict.fromkeys(name for group in groups for name in group.related)
    changed = [n for n in related if n == part.clock or (before ^ state) & bits[n]]
    arcs = {name: [g for g in groups if name in g.related] for name in changed or related}
    held = {name: holding(of_pin, state) for name, of_pin in arcs.items()}
    chosen = {name: found for name, found in held.items() if found} or arcs
    load, rising = part.load(pin), bool(state & bits[pin])
    means = []
    for name, found in chosen.items():
        slew = part.slew(name, bool(state & bits[name]))
        means.append(_mean(part.design.table_energy(arc, slew, load, rising) for arc in found))
    return _mean(means)


def _mean(values: Iterable[float]) -> float:
    """Their mean; 0 of none."""
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def _table_energy(group: InternalEnergy, slew: float, load: float, rising: bool) -> float:
    return (group.rise if rising else group.fall).at({SLEW: slew, LOAD: load})
