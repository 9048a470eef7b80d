"""A mapped netlist with one flip-flop upset, for many flip-flops at once, clock by clock.

Each bit of an integer is one copy of the design, in which another flip-flop has flipped; the last
copy is left as it is, and what the others do otherwise is what their flip does.  The state of the
flip-flops is carried from clock to clock, so loops through them need no care.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from hw.netlist.gate_netlist import GateNetlist, Register
from hw.netlist.simple_gates import ONE, SIMPLE_GATES, ZERO, Net

State = Mapping[str, int]
"""What each flip-flop holds, by the name of its gate: 0 or 1."""

_AT_ONCE = 4000  # flip-flops


@dataclass(frozen=True)
class Effect:
    """What the flip of one flip-flop does in the clocks after it.

    Attributes:
        register: the flip-flop.
        differs: whether an output differs, shape (clocks,), the first in the clock of the flip.
        stays: whether a flip-flop still holds another value after the last of these clocks.
    """

    register: Register
    differs: npt.NDArray[np.bool_]
    stays: bool

    @property
    def lasts(self) -> int:
        """Clocks from the first with a difference to the last, 0 where there is none."""
        seen = np.flatnonzero(self.differs)
        return int(seen[-1] - seen[0] + 1) if len(seen) else 0


Seen = Callable[[Sequence[Register], int, Mapping[Net, int]], None]
"""Is shown flip-flops, clock and values of the nets at the output ports (bit i: flip-flop i)."""


class FlipMachine:
    """A netlist for such simulations.

    Raises:
        InputError: gates on a loop without register, or a net that nothing drives.
    """

    def __init__(self, netlist: GateNetlist) -> None:
        self._netlist = netlist
        self._functions: dict[str, Callable[..., tuple[int, ...]]] = {}
        self._steps = self._in_order()

    def effects(
        self,
        state: State,
        inputs: Sequence[Mapping[Net, int]],
        registers: Sequence[Register],
        *,
        ports: Iterable[str],
        seen: Seen = lambda registers, clock, values: None,
        progress: Callable[[int], None] = lambda count: None,
    ) -> list[Effect]:
        """What a flip of each of these flip-flops does.

        Args:
            state: of all flip-flops when one of them flips.
            inputs: values (0 or 1) of the nets at the input ports, of one clock each.
            registers: those that flip.
            ports: the output ports that are looked at.
            seen: is shown what stands at the outputs in each clock.
            progress: called with the number of flip-flops done since its last call.
        """
        nets = [net for port in ports for net in self._netlist.outputs[port]]
        found: list[Effect] = []
        for start in range(0, len(registers), _AT_ONCE):
            chosen = registers[start : start + _AT_ONCE]
            found += self._some(state, inputs, chosen, nets, seen)
            progress(len(chosen))
        return found

    def _some(
        self,
        state: State,
        inputs: Sequence[Mapping[Net, int]],
        chosen: Sequence[Register],
        nets: Sequence[Net],
        seen: Seen,
    ) -> list[Effect]:
        lanes = len(chosen) + 1  # the last one has no flip
        every = (1 << lanes) - 1
        held = {name: every if bit else 0 for name, bit in state.items()}
        for lane, register in enumerate(chosen):
            held[register.gate.name] = held.get(register.gate.name, 0) ^ (1 << lane)
        differing = []
        for clock, at_inputs in enumerate(inputs):
            values, held = self._clock(held, at_inputs, every)
            seen(chosen, clock, values)
            differing.append(_unlike_the_last((values[net] for net in nets), lanes))
        stays = _unlike_the_last(held.values(), lanes)
        differs = np.array([_bits(word, lanes) for word in differing])
        after = _bits(stays, lanes)
        return [
            Effect(register, differs[:, lane], bool(after[lane]))
            for lane, register in enumerate(chosen)
        ]

    def _clock(
        self, held: Mapping[str, int], inputs: Mapping[Net, int], every: int
    ) -> tuple[dict[Net, int], dict[str, int]]:
        """Values at the output ports, and what the flip-flops hold in the next clock."""
        values: dict[Net, int] = {ZERO: 0, ONE: every}
        values |= {net: every if bit else 0 for net, bit in inputs.items()}
        for register in self._netlist.registers:
            stored = held.get(register.gate.name, 0)
            for net, inverted in register.outputs.items():
                values[net] = stored ^ every if inverted else stored
        for function, sources, results in self._steps:
            found = function(every, *[values[net] for net in sources])
            for net, value in zip(results, found, strict=True):
                values[net] = value
        after = {r.gate.name: values[r.data] for r in self._netlist.registers}
        shown = {net: values[net] for nets in self._netlist.outputs.values() for net in nets}
        return shown, after

    def _in_order(
        self,
    ) -> list[tuple[Callable[..., tuple[int, ...]], tuple[Net, ...], tuple[Net, ...]]]:
        """Function, input nets and output nets of each gate, each after those it depends on."""
        netlist = self._netlist
        stored = {register.gate.name for register in netlist.registers}
        gates = {gate.name: gate for gate in netlist.gates if gate.name not in stored}
        pins = {name: self._pins(gate.kind, gate.pins) for name, gate in gates.items()}
        driver = {net: name for name, (_, results) in pins.items() for net in results}
        known = {ZERO, ONE, *(net for nets in netlist.inputs.values() for net in nets)}
        known |= {net for register in netlist.registers for net in register.outputs}
        for _, (sources, _) in pins.items():
            if lacking := [net for net in sources if net not in known and net not in driver]:
                name = netlist.name(lacking[0])
                raise InputError(f"{netlist.top}: nothing drives net '{name}'")
        before = {
            name: [driver[net] for net in sources if net in driver]
            for name, (sources, _) in pins.items()
        }
        try:
            order = list(TopologicalSorter(before).static_order())
        except CycleError as error:
            raise InputError(
                f"{netlist.top}: gate '{error.args[1][0]}' is on a loop without register"
            ) from None
        return [(self._function(gates[name].kind), *pins[name]) for name in order]

    def _pins(self, kind: str, pins: Mapping[str, Net]) -> tuple[tuple[Net, ...], tuple[Net, ...]]:
        cell = self._netlist.library.gates[kind]
        # an output without net goes nowhere; nets are numbered from 2 on
        results = tuple(pins.get(pin, -1) for pin in cell.outputs)
        return tuple(pins[pin] for pin in cell.inputs), results

    def _function(self, kind: str) -> Callable[..., tuple[int, ...]]:
        """What a cell computes, of the integer with all bits set and its inputs."""
        if kind not in self._functions:
            cell = self._netlist.library.gates[kind]
            # the place of each of the cell's nets in a list of values
            place = {net: at for at, net in enumerate((ZERO, ONE, *cell.inputs.values()))}
            program = []
            for gate in cell.gates:
                simple = SIMPLE_GATES[gate.kind]
                operands = [place[gate.pins[pin]] for pin in simple.inputs]
                program.append((simple.function, operands))
                place[gate.pins["Y"]] = len(place)
            results = [place[net] for net in cell.outputs.values()]

            def compute(every: int, *inputs: int) -> tuple[int, ...]:
                values = [0, every, *inputs]
                for function, operands in program:
                    values.append(function(every, *[values[at] for at in operands]))
                return tuple([values[at] for at in results])

            self._functions[kind] = compute
        return self._functions[kind]


def _unlike_the_last(words: Iterable[int], lanes: int) -> int:
    """In which lanes any of the words differs from what it is in the last lane."""
    every, found = (1 << lanes) - 1, 0
    for word in words:
        found |= word ^ (every if word >> (lanes - 1) else 0)
    return found


def _bits(word: int, count: int) -> npt.NDArray[np.bool_]:
    """The lowest bits of a word, shape (count,)."""
    return bits_of([word], count)[0]


def bits_of(words: Sequence[int], count: int) -> npt.NDArray[np.bool_]:
    """The lowest bits of words, shape (words, count)."""
    size = -(-count // 8)
    packed = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in words), np.uint8)
    packed = packed.reshape(len(words), size)
    return np.unpackbits(packed, axis=1, bitorder="little", count=count) > 0
