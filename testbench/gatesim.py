"""Gate-level simulation: a mapped netlist clock by clock, all clocks of a net at once.

The values of a net over time are the bits of one integer, so a gate is a few operations on integers
for thousands of clocks, and a register moves them by one clock.  That needs a netlist in which data
only flow forward; nothing has to be compiled.  Cells are the functions in their Liberty file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.errors import CheckFailed, InputError
from hw.fixed_point import Codes
from hw.gate_netlist import ONE, ZERO, GateNetlist, Net, Register
from hw.liberty import Expression
from testbench.rtlsim import DataPort

_VECTORS_AT_ONCE = 20_000
_RESET_CLOCKS = 4
_IDLE_CLOCKS = 256  # before and after the vectors: more than the latency of any design here
_CLOCK, _RESET, _VALID_IN, _VALID_OUT = "clock", "reset", "valid_in", "valid_out"


@dataclass(frozen=True)
class GateRun:
    """What a netlist did.

    Attributes:
        codes: its answers, shape (n, codes of the output port).
        latency: clocks from each vector to its answer.
    """

    codes: Codes
    latency: int


def simulate(
    netlist: GateNetlist,
    inputs: DataPort,
    outputs: DataPort,
    codes: Codes,
    progress: Callable[[int], None] | None = None,
) -> GateRun:
    """Feed vectors, shape (n, codes of the input port), one each clock.

    Args:
        progress: called with the number of vectors done since it was called last.

    Raises:
        InputError: a port is missing, the netlist has a loop or a cell that cannot be followed.
        CheckFailed: not as many answers as vectors, or they come after different numbers of clocks.
    """
    order = _in_order(netlist)
    answers, latencies = [], set()
    for start in range(0, len(codes), _VECTORS_AT_ONCE):
        block = codes[start : start + _VECTORS_AT_ONCE]
        found, latency = _run(netlist, order, inputs, outputs, block)
        answers.append(found)
        latencies.add(latency)
        if progress:
            progress(len(block))
    if len(latencies) != 1:
        raise CheckFailed(f"{netlist.top}: the latency is not constant: {sorted(latencies)} clocks")
    return GateRun(np.concatenate(answers), latencies.pop())


def _run(
    netlist: GateNetlist, order: list[Net], inputs: DataPort, outputs: DataPort, codes: Codes
) -> tuple[Codes, int]:
    first = _RESET_CLOCKS + _IDLE_CLOCKS
    clocks = first + len(codes) + _IDLE_CLOCKS
    valid = np.zeros(clocks, dtype=bool)
    valid[first : first + len(codes)] = True
    # what stands at the input without valid must not matter: ones
    data = np.ones((clocks, inputs.width), dtype=bool)
    data[first : first + len(codes)] = _bits(codes, inputs)
    stimulus = {
        _CLOCK: np.zeros((clocks, 1), dtype=bool),
        _RESET: (np.arange(clocks) < _RESET_CLOCKS)[:, None],
        _VALID_IN: valid[:, None],
        inputs.name: data,
    }
    values = _Values(netlist, stimulus, clocks)
    for net in order:
        values.compute(net)
    answered = np.flatnonzero(values.port(_VALID_OUT)[:, 0])
    fed = np.flatnonzero(valid)
    if len(answered) != len(fed):
        raise CheckFailed(f"{netlist.top}: {len(fed)} vectors were fed, {len(answered)} answered")
    latencies = np.unique(answered - fed)
    if len(latencies) != 1:
        raise CheckFailed(
            f"{netlist.top}: the latency is not constant: {latencies.min()} to "
            f"{latencies.max()} clocks"
        )
    return _codes(values.port(outputs.name)[answered], outputs), int(latencies[0])


class _Values:
    """The values of nets over all clocks: bit t of a number is the value in clock t."""

    def __init__(
        self, netlist: GateNetlist, stimulus: Mapping[str, npt.NDArray[np.bool_]], clocks: int
    ) -> None:
        self._netlist, self._clocks = netlist, clocks
        self._all = (1 << clocks) - 1
        self._registers = _stored(netlist)
        self._of: dict[Net, int] = {ZERO: 0, ONE: self._all}
        for port, nets in netlist.inputs.items():
            if port not in stimulus or stimulus[port].shape[1] != len(nets):
                raise InputError(f"{netlist.top}: input port '{port}' is not one of this bench")
            for net, values in zip(nets, stimulus[port].T, strict=True):
                packed = np.packbits(values, bitorder="little").tobytes()
                self._of[net] = int.from_bytes(packed, "little")

    def compute(self, net: Net) -> None:
        """The values of a net whose sources are known."""
        if register := self._registers.get(net):
            stored = self._of[register.data] << 1 & self._all
            self._of[net] = stored ^ self._all if register.outputs[net] else stored
            return
        gate = self._netlist.drivers[net]
        cell = self._netlist.library.cells[gate.kind]
        pin = next(pin for pin in cell.functions if gate.pins.get(pin) == net)
        values = {name: self._of[gate.pins[name]] for name in cell.inputs}
        self._of[net] = self._value(cell.expressions[pin], values)

    def port(self, name: str) -> npt.NDArray[np.bool_]:
        """The bits of an output port, shape (clocks, bits)."""
        if name not in self._netlist.outputs:
            raise InputError(f"{self._netlist.top}: there is no output port '{name}'")
        size = -(-self._clocks // 8)
        columns = [
            np.unpackbits(
                np.frombuffer(self._of[net].to_bytes(size, "little"), dtype=np.uint8),
                bitorder="little",
            )[: self._clocks]
            for net in self._netlist.outputs[name]
        ]
        return np.stack(columns, axis=1).astype(bool)

    def _value(self, expression: Expression, values: Mapping[str, int]) -> int:
        operands = [self._value(operand, values) for operand in expression.operands]
        match expression.operator:
            case "!":
                return operands[0] ^ self._all
            case "&":
                return operands[0] & operands[1]
            case "|":
                return operands[0] | operands[1]
            case "^":
                return operands[0] ^ operands[1]
            case "0" | "1":
                return self._all if expression.operator == "1" else 0
            case name:
                return values[name]


def _stored(netlist: GateNetlist) -> dict[Net, Register]:
    return {net: register for register in netlist.registers for net in register.outputs}


def _in_order(netlist: GateNetlist) -> list[Net]:
    """The nets that the outputs follow from, each after what it depends on."""
    registers = _stored(netlist)
    known = {ZERO, ONE, *(net for nets in netlist.inputs.values() for net in nets)}
    ordered: dict[Net, None] = {}
    entered: set[Net] = set()
    pending = [(net, False) for nets in netlist.outputs.values() for net in nets]
    while pending:
        net, done = pending.pop()
        if done:
            ordered[net] = None
            continue
        if net in known or net in ordered:
            continue
        if net in entered:
            raise InputError(
                f"{netlist.top}: net '{netlist.name(net)}' is on a loop; only designs in which "
                "data flow forward can be simulated so"
            )
        entered.add(net)
        pending.append((net, True))
        if register := registers.get(net):
            pending.append((register.data, False))
            continue
        gate = netlist.drivers.get(net)
        if gate is None:
            raise InputError(f"{netlist.top}: nothing drives net '{netlist.name(net)}'")
        pending += [(gate.pins[pin], False) for pin in netlist.library.cells[gate.kind].inputs]
    return list(ordered)


def _bits(codes: Codes, port: DataPort) -> npt.NDArray[np.bool_]:
    words = np.ascontiguousarray(port.to_words(codes))
    return np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, : port.width] > 0


def _codes(bits: npt.NDArray[np.bool_], port: DataPort) -> Codes:
    padded = np.zeros((len(bits), port.words * 32), dtype=bool)
    padded[:, : port.width] = bits
    packed = np.packbits(padded, axis=1, bitorder="little")
    return port.to_codes(packed.view("<u4"))
