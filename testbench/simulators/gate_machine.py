"""A mapped netlist as a machine that computes many clocks at once.

The values of a net over time are the bits of one integer, so a gate is a few operations on integers
for thousands of clocks, and a register moves them by one clock.  A register that holds its value
until it is written gets that value back through gates: stored(t + 1) = written(t) or (kept(t) and
stored(t)).  That is how a carry runs through an adder, so one addition gives its values in all
clocks.  Nothing has to be compiled.  Cells are the functions in their Liberty file; yosys's simple
gates are known.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import networkx

from hw.foundation.errors import InputError
from hw.netlist.gate_netlist import GateNetlist, Register, input_pins, register_name
from hw.netlist.simple_gates import ONE, SIMPLE_GATES, ZERO, Gate, Net, evaluate


@dataclass(frozen=True)
class _Holding:
    """A register whose value comes back to it, and the gates on the way in their order."""

    register: Register
    gates: tuple[Gate, ...]


_Step = Gate | Register | _Holding

Observer = Callable[[Gate, Mapping[str, int]], None]
"""Is told, once a run, what a gate's pins do; bit t is the value in clock t.  The clock pin of a
flip-flop has the level after its active edge."""


class GateMachine:
    """A netlist, and what its registers hold: at first 0.

    Raises:
        InputError: gates on a loop without register, registers on a loop with others, registers
            that store at different clock edges, or a net that nothing drives.
    """

    def __init__(self, netlist: GateNetlist) -> None:
        self._netlist = netlist
        edges = {(register.clock, register.flip_flop.rising) for register in netlist.registers}
        if len(edges) > 1:
            names = ", ".join(netlist.name(net) for net, _ in sorted(edges))
            raise InputError(f"{netlist.top}: one clock and one edge can be simulated: {names}")
        self._steps = _in_order(netlist)
        self._done_with = _last_uses(netlist, self._steps)
        self._held: dict[str, int] = {}
        self._clocks = self._all = 0
        self._of: dict[Net, int] = {}

    @property
    def held(self) -> Mapping[str, int]:
        """What the registers that outputs depend on hold in the clock after the last, 0 or 1, by
        the names of their gates."""
        return dict(self._held)

    def run(
        self, inputs: Mapping[Net, int], clocks: int, observer: Observer | None = None
    ) -> dict[Net, int]:
        """The values of the nets at the output ports in the next clocks.

        Args:
            inputs: those of the nets at the input ports; bit t is the value in clock t.
            observer: of the gates that the outputs follow from; None for none.

        Raises:
            InputError: a register toggles; or, with an observer, a pin's values are not known.
        """
        self._clocks, self._all = clocks, (1 << clocks) - 1
        self._of = {**inputs, ZERO: 0, ONE: self._all}
        for step, done_with in zip(self._steps, self._done_with, strict=True):
            match step:
                case Gate():
                    self._compute(step)
                case Register():
                    data = self._of[step.data]
                    self._show(step, data << 1 | self._held.get(step.gate.name, 0))
                case _Holding(register, gates):
                    self._hold(register, gates)
            if observer:
                for part in _parts(step):
                    observer(part if isinstance(part, Gate) else part.gate, self._pins(part))
            for net in done_with:
                del self._of[net]
        return self._of

    def _hold(self, register: Register, gates: Iterable[Gate]) -> None:
        """Solve a register that holds its value: what follows where it stores 0, and where 1."""
        following = []
        for stored in (0, self._all):
            self._show(register, stored, keep=False)
            for gate in gates:
                self._compute(gate)
            following.append(self._of[register.data])
        written, kept = following
        if written & ~kept:
            name = register_name(self._netlist, register)
            raise InputError(
                f"{self._netlist.top}: register '{name}' toggles; of the registers whose value "
                "comes back to them only those that hold it can be simulated so"
            )
        total = written + kept + self._held.get(register.gate.name, 0)
        self._show(register, total ^ written ^ kept)
        for gate in gates:
            self._compute(gate)

    def _show(self, register: Register, stored: int, *, keep: bool = True) -> None:
        """What its outputs show; `stored` has one clock more than these, which is kept."""
        if keep:
            self._held[register.gate.name] = stored >> self._clocks & 1
        stored &= self._all
        for net, inverted in register.outputs.items():
            self._of[net] = stored ^ self._all if inverted else stored

    def _compute(self, gate: Gate) -> None:
        if gate.kind in SIMPLE_GATES:
            evaluate((gate,), self._of, self._all)
            return
        for pin, value in self._outputs(gate).items():
            if pin in gate.pins:
                self._of[gate.pins[pin]] = value

    def _outputs(self, gate: Gate) -> dict[str, int]:
        """The values of a gate's output pins, those at no net too."""
        cell = self._netlist.library.gates[gate.kind]
        values = {ZERO: 0, ONE: self._all}
        values |= {net: self._of[gate.pins[pin]] for pin, net in cell.inputs.items()}
        evaluate(cell.gates, values, self._all)
        return {pin: values[net] for pin, net in cell.outputs.items()}

    def _pins(self, part: Gate | Register) -> dict[str, int]:
        """The values of all pins of a gate whose nets have their values."""
        if isinstance(part, Gate):
            inputs = self._netlist.library.cells[part.kind].inputs
            return {pin: self._of[part.pins[pin]] for pin in inputs} | self._outputs(part)
        flip_flop, nets = part.flip_flop, part.gate.pins
        net, inverted = next(iter(part.outputs.items()))
        stored = self._of[net] ^ (self._all if inverted else 0)
        values = {pin: stored ^ (self._all if inv else 0) for pin, inv in flip_flop.outputs.items()}
        values[flip_flop.clock] = self._all if flip_flop.rising else 0
        for pin in self._netlist.library.cells[part.gate.kind].inputs:
            if pin in (flip_flop.data, *_tied(part)):
                values[pin] = self._of[nets[pin]]
            elif pin not in values:
                name = register_name(self._netlist, part)
                raise InputError(
                    f"{self._netlist.top}: register '{name}': the values of its pin '{pin}' do "
                    "not follow from the clocks simulated"
                )
        return values


def _tied(register: Register) -> list[str]:
    """The pins of a register that have always the same value."""
    return [pin for pin, net in register.gate.pins.items() if net in (ZERO, ONE)]


def _sources(step: Gate | Register, netlist: GateNetlist) -> list[Net]:
    if isinstance(step, Register):
        return [step.data]
    return [step.pins[pin] for pin in input_pins(step, netlist.library)]


def _results(step: Gate | Register, netlist: GateNetlist) -> list[Net]:
    if isinstance(step, Register):
        return list(step.outputs)
    if step.kind in SIMPLE_GATES:
        return [step.pins["Y"]]
    pins = netlist.library.cells[step.kind].functions
    return [step.pins[pin] for pin in pins if pin in step.pins]


def _in_order(netlist: GateNetlist) -> list[_Step]:
    """What the outputs follow from, each after what it depends on."""
    registers = {register.gate.name: register for register in netlist.registers}
    steps: dict[str, Gate | Register] = {
        gate.name: registers.get(gate.name, gate) for gate in netlist.gates
    }
    driver = {net: name for name, step in steps.items() for net in _results(step, netlist)}
    known = {ZERO, ONE, *(net for nets in netlist.inputs.values() for net in nets)}

    def drivers(nets: Iterable[Net]) -> list[str]:
        if undriven := [net for net in nets if net not in known and net not in driver]:
            name = netlist.name(undriven[0])
            raise InputError(f"{netlist.top}: nothing drives net '{name}'")
        return [driver[net] for net in nets if net not in known]

    graph = networkx.DiGraph()
    pending = drivers([net for nets in netlist.outputs.values() for net in nets])
    graph.add_nodes_from(pending)
    while pending:
        name = pending.pop()
        before = drivers(_sources(steps[name], netlist))
        pending += [other for other in before if other not in graph]
        graph.add_nodes_from(before)
        graph.add_edges_from((name, other) for other in before)
    ordered: list[_Step] = []
    # Tarjan's algorithm finds each component after all that it leads to
    for component in networkx.strongly_connected_components(graph):
        name = min(component)
        if len(component) == 1 and not graph.has_edge(name, name):
            ordered.append(steps[name])
            continue
        on_loop = [steps[name] for name in sorted(component)]
        stored = [step for step in on_loop if isinstance(step, Register)]
        if len(stored) != 1:
            names = ", ".join(register_name(netlist, register) for register in stored)
            raise InputError(
                f"{netlist.top}: net '{netlist.name(_results(on_loop[0], netlist)[0])}' is on a "
                f"loop through {names or 'no register'}; only loops through one register each "
                "can be simulated so"
            )
        gates = [step for step in on_loop if isinstance(step, Gate)]
        ordered.append(_Holding(stored[0], _one_after_another(gates, netlist)))
    return ordered


def _one_after_another(gates: list[Gate], netlist: GateNetlist) -> tuple[Gate, ...]:
    """Gates on the loop of a register in their order."""
    named = {gate.name: gate for gate in gates}
    driver = {net: gate.name for gate in gates for net in _results(gate, netlist)}
    before = {
        name: [driver[net] for net in _sources(gate, netlist) if net in driver]
        for name, gate in named.items()
    }
    try:
        return tuple(named[name] for name in TopologicalSorter(before).static_order())
    except CycleError:
        raise InputError(
            f"{netlist.top}: gate '{gates[0].name}' is on a loop without register"
        ) from None


def _parts(step: _Step) -> list[Gate | Register]:
    return [step.register, *step.gates] if isinstance(step, _Holding) else [step]


def _last_uses(netlist: GateNetlist, steps: list[_Step]) -> list[list[Net]]:
    """For each step the nets that none after it needs: their values take most of the memory."""
    kept = {ZERO, ONE, *(net for nets in netlist.outputs.values() for net in nets)}
    last: dict[Net, int] = {}
    for number, step in enumerate(steps):
        for part in _parts(step):
            for net in (*_sources(part, netlist), *_results(part, netlist)):
                last[net] = number
    done_with: list[list[Net]] = [[] for _ in steps]
    for net, number in last.items():
        if net not in kept:
            done_with[number].append(net)
    return done_with
