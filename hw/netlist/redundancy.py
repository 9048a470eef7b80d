"""Whether synthesis kept the copies of tripled registers, and their votes.

A stored bit with three copies is safe in a netlist if, whatever stands elsewhere, what follows from
its copies is what two of them say.  It is shown so: what depends on a copy is computed for all
states of the copies and of the other signals that it meets, gate by gate, until no single wrong
copy changes it any more.  If that is so before a flip-flop or an output is reached, it holds for
all inputs and times, whatever names and gates synthesis left.
"""

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter

from hw.netlist.gate_netlist import GateNetlist, Register
from hw.netlist.simple_gates import ONE, ZERO, Gate, Net, evaluate

_STATES = 8
_ONES = (1 << _STATES) - 1
# bit s is the value of copy i in state s
_COPIES = tuple(sum(1 << s for s in range(_STATES) if s >> i & 1) for i in range(3))
_AGREED = ((0, 1, 2, 4), (7, 6, 5, 3))  # states in which two copies or more are 0, and 1
_MOST_GATES = 32  # of a vote
_MOST_OTHERS = 10  # signals that copies meet before they are voted
_GATES_DEEP, _MOST_LEAVES = 4, 8


@dataclass(frozen=True)
class Kept:
    """What is left of a tripled bit in a netlist.

    Attributes:
        bit: its name.
        copies: flip-flops that were found.
        voter: the net with their majority, where there is one.
        fault: why it is not safe; empty where it is.
    """

    bit: str
    copies: tuple[Register, ...]
    voter: Net | None
    fault: str = ""


class RedundantNetlist:
    """A flat netlist whose tripled bits are looked at.

    Attributes:
        unused: output ports that may show a single wrong copy, such as one that tells of upsets.
    """

    def __init__(self, netlist: GateNetlist, unused: Collection[str] = ()) -> None:
        self._netlist, self._unused = netlist, unused

    def kept(self, bits: Mapping[str, Net]) -> Iterator[Kept]:
        """Look at each bit, given by the net with its voted value."""
        for name, voted in bits.items():
            yield self._one(name, voted)

    def _one(self, name: str, voted: Net) -> Kept:
        copies = self._copies_behind(voted)
        if len(copies) != 3:
            return Kept(name, copies, None, f"{len(copies)} flip-flops in place of 3")
        if not self._store_the_same(copies):
            return Kept(name, copies, None, "its flip-flops do not store the same")
        follows = _Following(self, copies)
        fault = follows.fault()
        if not follows.is_vote(voted):
            return Kept(name, copies, None, "its value is not the vote of its flip-flops")
        return Kept(name, copies, voted, fault)

    def _copies_behind(self, voted: Net) -> tuple[Register, ...]:
        """The flip-flops that a net follows from, at most four of them."""
        found: dict[str, Register] = {}
        pending, seen = [voted], set[Net]()
        while pending and len(found) < 4:
            net = pending.pop()
            if net in seen:
                continue
            seen.add(net)
            if register := self._stored.get(net):
                found[register.gate.name] = register
            elif gate := self._netlist.drivers.get(net):
                pending += self.inputs(gate)
        return tuple(found[name] for name in sorted(found))

    def _store_the_same(self, copies: Sequence[Register]) -> bool:
        """Whether what the flip-flops store is one function of nets that all of them depend on.

        Each copy may have gates of its own, such as that of its reset.
        """
        if len({(register.clock, register.flip_flop.rising) for register in copies}) > 1:
            return False
        cones = [self._nearest_behind(register.data) for register in copies]
        shared = frozenset.intersection(*cones)
        expanded: list[list[Gate]] = []
        leaves: set[Net] = set()
        for register in copies:
            gates: list[Gate] = []
            pending, seen = [register.data], set[Net]()
            while pending:
                net = pending.pop()
                if net in seen or net in (ZERO, ONE):
                    continue
                seen.add(net)
                gate = self._netlist.drivers.get(net)
                if net in shared or gate is None:
                    leaves.add(net)
                    continue
                gates.append(gate)
                pending += self.inputs(gate)
            expanded.append(gates)
        if len(leaves) > _MOST_LEAVES:
            return False
        cases = 1 << len(leaves)
        ones = (1 << cases) - 1
        given = {
            net: sum(1 << case for case in range(cases) if case >> i & 1)
            for i, net in enumerate(sorted(leaves))
        }
        found = set()
        for register, gates in zip(copies, expanded, strict=True):
            values = {ZERO: 0, ONE: ones, **given}
            waiting = gates
            while waiting:  # as many rounds as gates lie behind one another
                ready = [g for g in waiting if all(net in values for net in self.inputs(g))]
                for gate in ready:
                    values |= self.compute(gate, values, ones)
                waiting = [gate for gate in waiting if gate not in ready]
            found.add(values[register.data])
        return len(found) == 1

    def _nearest_behind(self, net: Net) -> frozenset[Net]:
        """A net and those that it follows from, a few gates deep."""
        found, edge = {net}, {net}
        for _ in range(_GATES_DEEP):
            gates = (self._netlist.drivers.get(one) for one in edge)
            edge = {i for gate in gates if gate for i in self.inputs(gate)} - found - {ZERO, ONE}
            found |= edge
        return frozenset(found)

    # --- the netlist as a graph --------------------------------------------------------------
    def inputs(self, gate: Gate) -> list[Net]:
        cell = self._netlist.library.gates[gate.kind]
        return [gate.pins[pin] for pin in cell.inputs]

    def outputs(self, gate: Gate) -> list[Net]:
        cell = self._netlist.library.gates[gate.kind]
        return [gate.pins[pin] for pin in cell.outputs if pin in gate.pins]

    def compute(self, gate: Gate, values: Mapping[Net, int], ones: int = _ONES) -> dict[Net, int]:
        cell = self._netlist.library.gates[gate.kind]
        constants = {ZERO: 0, ONE: ones}
        known = dict(constants)
        for pin, net in cell.inputs.items():
            at = gate.pins[pin]
            known[net] = constants[at] if at in constants else values[at]
        evaluate(cell.gates, known, ones)
        return {gate.pins[pin]: known[net] for pin, net in cell.outputs.items() if pin in gate.pins}

    @cached_property
    def _stored(self) -> Mapping[Net, Register]:
        return {net: r for r in self._netlist.registers for net in r.outputs}

    @cached_property
    def _logic(self) -> Sequence[Gate]:
        stored = {register.gate.name for register in self._netlist.registers}
        return [gate for gate in self._netlist.gates if gate.name not in stored]

    @cached_property
    def order(self) -> Mapping[str, int]:
        """The place of each gate in an order in which each comes after those it depends on."""
        drivers = self._netlist.drivers
        before = {
            gate.name: [drivers[net].name for net in self.inputs(gate) if net in drivers]
            for gate in self._logic
        }
        return {name: at for at, name in enumerate(TopologicalSorter(before).static_order())}

    def driver(self, net: Net) -> Gate | None:
        """The gate that drives a net; None where a flip-flop, a port or a constant does."""
        return self._netlist.drivers.get(net)

    def name(self, net: Net) -> str:
        return self._netlist.name(net)

    @cached_property
    def readers(self) -> Mapping[Net, list[Gate]]:
        found: dict[Net, list[Gate]] = {}
        for gate in self._logic:
            for net in self.inputs(gate):
                found.setdefault(net, []).append(gate)
        return found

    @cached_property
    def ends(self) -> frozenset[Net]:
        """Nets that a flip-flop stores or an output shows, but those of `unused`."""
        shown = (
            net
            for port, nets in self._netlist.outputs.items()
            if port not in self._unused
            for net in nets
        )
        return frozenset([*shown, *(register.data for register in self._netlist.registers)])

    @cached_property
    def counting(self) -> frozenset[Net]:
        """Nets that some of `_ends` depends on, and these."""
        found: set[Net] = set()
        pending: list[Net] = list(self.ends)
        while pending:
            net = pending.pop()
            if net in found:
                continue
            found.add(net)
            if gate := self._netlist.drivers.get(net):
                pending += self.inputs(gate)
        return frozenset(found)


class _Following:
    """What follows from the copies of one bit, for all states of them and of what they meet.

    The value of a net is an integer whose bit s is its value in state s; the lowest three bits of s
    are the copies, each further one is another net.
    """

    def __init__(self, netlist: RedundantNetlist, copies: Sequence[Register]) -> None:
        self._netlist = netlist
        self._states = _STATES
        self._values: dict[Net, int] = {
            net: state ^ _ONES if inverted else state
            for register, state in zip(copies, _COPIES, strict=True)
            for net, inverted in register.outputs.items()
        }
        self._others = 0

    def fault(self) -> str:
        """How a single wrong copy gets to a flip-flop or an output; empty where it does not."""
        of, gates = self._netlist, dict[str, Gate]()
        pending: list[tuple[int, str]] = []

        def reach(net: Net) -> bool:
            """Go on to what reads a net that a wrong copy changes; False where that is an end."""
            for gate in of.readers.get(net, ()):
                counts = any(out in of.counting for out in of.outputs(gate))
                if counts and gate.name not in gates:
                    gates[gate.name] = gate
                    heapq.heappush(pending, (of.order[gate.name], gate.name))
            return net not in of.ends

        for net in list(self._values):
            if not reach(net):
                return f"a copy itself goes on at '{of.name(net)}'"
        while pending:
            gate = gates[heapq.heappop(pending)[1]]
            for net in of.inputs(gate):
                if net not in self._values and net not in (ZERO, ONE):
                    if self._others == _MOST_OTHERS:
                        return f"its copies meet too much before a vote, as at '{of.name(net)}'"
                    self._add(net)
            new = of.compute(gate, self._values, (1 << self._states) - 1)
            self._values |= new
            for net, value in new.items():
                wrong = net in of.counting and not self._is_agreed(value)
                if wrong and not reach(net):
                    return f"one wrong copy gets past the voters at '{of.name(net)}'"
        return ""

    def is_vote(self, net: Net) -> bool:
        """Whether a net is the majority of the copies."""
        self._know(net)
        if net not in self._values:
            return False
        of_zeros, of_ones = ([self._at(self._values[net], s) for s in some] for some in _AGREED)
        return set(of_zeros) == {0} and set(of_ones) == {self._every()}

    def _know(self, net: Net) -> None:
        """Find the value of a net that follows from those known."""
        of, gates = self._netlist, dict[str, Gate]()
        pending = [net]
        while pending:
            one = pending.pop()
            if one in self._values or one in (ZERO, ONE):
                continue
            driver = of.driver(one)
            if driver is None or len(gates) > _MOST_GATES:
                return
            gates[driver.name] = driver
            pending += of.inputs(driver)
        for gate in sorted(gates.values(), key=lambda gate: of.order[gate.name]):
            self._values |= of.compute(gate, self._values, (1 << self._states) - 1)

    def _add(self, net: Net) -> None:
        """Another signal that is free to be 0 or 1."""
        states = self._states
        for known in self._values:
            self._values[known] |= self._values[known] << states
        self._values[net] = ((1 << states) - 1) << states
        self._states, self._others = 2 * states, self._others + 1

    def _every(self) -> int:
        """The lowest state of each state of the other signals."""
        return int.from_bytes(b"\x01" * (self._states // 8), "little")

    def _at(self, value: int, state: int) -> int:
        return value >> state & self._every()

    def _is_agreed(self, value: int) -> bool:
        """Whether no single wrong copy changes a value."""
        return all(len({self._at(value, s) for s in some}) == 1 for some in _AGREED)
