"""Whether synthesis kept the copies of tripled registers, and their votes.

A stored bit with three copies is safe in a netlist if, whatever stands elsewhere, what follows from
its copies is decided by two of them.  It is shown so: everything that depends on the three copies
alone is computed for their eight states.  Where such a net meets other signals, a flip-flop or an
output, it must be the same for one wrong copy as for none.  That holds for all inputs and times,
and whatever names synthesis left.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from hw.netlist.gate_netlist import GateNetlist, Register
from hw.netlist.simple_gates import ONE, ZERO, Gate, Net, evaluate

_STATES = 8
_ONES = (1 << _STATES) - 1
# bit s is the value of copy i in state s
_COPIES = tuple(sum(1 << s for s in range(_STATES) if s >> i & 1) for i in range(3))
_MAJORITY = sum(1 << s for s in range(_STATES) if s.bit_count() >= 2)
_DECIDED = frozenset((0, _ONES, _MAJORITY, _MAJORITY ^ _ONES))
"""All functions of three copies that no wrong copy among them changes."""
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
        values = {
            net: state ^ _ONES if inverted else state
            for register, state in zip(copies, _COPIES, strict=True)
            for net, inverted in register.outputs.items()
        }
        reached = self._follow(values)
        voter = voted if values.get(voted) == _MAJORITY else None
        if voter is None:
            return Kept(name, copies, None, "its value is not the vote of its flip-flops")
        for net in reached:
            if values[net] not in _DECIDED:
                where = self._netlist.name(net)
                fault = f"one wrong copy gets past the voters at '{where}'"
                return Kept(name, copies, voter, fault)
        return Kept(name, copies, voter)

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
                pending += self._inputs(gate)
        return tuple(found[name] for name in sorted(found))

    def _store_the_same(self, copies: Sequence[Register]) -> bool:
        """Whether what the flip-flops store is one function of nets that all of them depend on.

        Each copy may have gates of its own, such as that of its reset.
        """
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
                pending += self._inputs(gate)
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
                ready = [g for g in waiting if all(net in values for net in self._inputs(g))]
                for gate in ready:
                    values |= self._compute(gate, values, ones)
                waiting = [gate for gate in waiting if gate not in ready]
            found.add(values[register.data])
        return len(found) == 1

    def _nearest_behind(self, net: Net) -> frozenset[Net]:
        """A net and those that it follows from, a few gates deep."""
        found, edge = {net}, {net}
        for _ in range(_GATES_DEEP):
            gates = (self._netlist.drivers.get(one) for one in edge)
            edge = {i for gate in gates if gate for i in self._inputs(gate)} - found - {ZERO, ONE}
            found |= edge
        return frozenset(found)

    def _follow(self, values: dict[Net, int]) -> set[Net]:
        """Add what depends on the nets in `values` alone, and tell which nets others depend on."""
        reached: set[Net] = set()
        pending = list(values)
        while pending:
            net = pending.pop()
            if net in self._ends:
                reached.add(net)
            for gate in self._readers.get(net, ()):
                inputs = self._inputs(gate)
                if any(i not in values and i not in (ZERO, ONE) for i in inputs):
                    # it may come to depend on these alone once more of them are known
                    if not self._is_pending(gate, values):
                        reached.add(net)
                    continue
                new = self._compute(gate, values)
                pending += [n for n in new if n not in values]
                values |= new
        return {net for net in reached if self._matters(net, values)}

    def _is_pending(self, gate: Gate, values: Mapping[Net, int]) -> bool:
        """Whether all inputs of a gate follow from the nets in `values` alone."""
        known, seen = dict(values), set[Net]()
        pending = list(self._inputs(gate))
        while pending:
            net = pending.pop()
            if net in known or net in seen or net in (ZERO, ONE):
                continue
            seen.add(net)
            driver = self._netlist.drivers.get(net)
            if driver is None or len(seen) > 32:
                return False
            pending += self._inputs(driver)
        return True

    def _matters(self, net: Net, values: Mapping[Net, int]) -> bool:
        """Whether something that counts depends on a net other than through nets in `values`."""
        if net in self._ends:
            return True
        for gate in self._readers.get(net, ()):
            outputs = self._outputs(gate)
            if any(out in self._counting and out not in values for out in outputs):
                return True
        return False

    # --- the netlist as a graph --------------------------------------------------------------
    def _inputs(self, gate: Gate) -> list[Net]:
        cell = self._netlist.library.gates[gate.kind]
        return [gate.pins[pin] for pin in cell.inputs]

    def _outputs(self, gate: Gate) -> list[Net]:
        cell = self._netlist.library.gates[gate.kind]
        return [gate.pins[pin] for pin in cell.outputs if pin in gate.pins]

    def _compute(self, gate: Gate, values: Mapping[Net, int], ones: int = _ONES) -> dict[Net, int]:
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
    def _readers(self) -> Mapping[Net, list[Gate]]:
        found: dict[Net, list[Gate]] = {}
        for gate in self._logic:
            for net in self._inputs(gate):
                found.setdefault(net, []).append(gate)
        return found

    @cached_property
    def _ends(self) -> frozenset[Net]:
        """Nets that a flip-flop stores or an output shows, but those of `unused`."""
        shown = (
            net
            for port, nets in self._netlist.outputs.items()
            if port not in self._unused
            for net in nets
        )
        return frozenset([*shown, *(register.data for register in self._netlist.registers)])

    @cached_property
    def _counting(self) -> frozenset[Net]:
        """Nets that some of `_ends` depends on, and these."""
        found: set[Net] = set()
        pending: list[Net] = list(self._ends)
        while pending:
            net = pending.pop()
            if net in found:
                continue
            found.add(net)
            if gate := self._netlist.drivers.get(net):
                pending += self._inputs(gate)
        return frozenset(found)


def named_nets(netlist: GateNetlist, names: Iterable[str]) -> dict[str, Net]:
    """The nets of these names, by name; those that there are not are left out."""
    wanted = set(names)
    return {
        label: net
        for net, labels in netlist.net_names.items()
        for label in labels
        if label in wanted
    }
