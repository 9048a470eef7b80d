"""Gate-level simulation: what a bench does with a design, done with its mapped netlist.

As the RTL's simulator (`testbench.simulators.rtlsim`) does; see
`testbench.simulators.gate_machine` for how.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import CheckFailed, InputError
from hw.netlist.gate_netlist import GateNetlist
from hw.netlist.simple_gates import Gate, Net
from testbench.simulators.gate_machine import GateMachine
from testbench.simulators.rtlsim import DataPort, Feed, Idle, Read, RtlDesign, RtlRun, Step, Write

_CLOCKS_AT_ONCE = 20_000
_RESET_CLOCKS = 4
_ADDRESS_BITS, _BYTE = 16, 8
_READ_DATA, _UPSET, _VALID_OUT = "read_data", "upset", "valid_out"

Bits = npt.NDArray[np.bool_]


def simulate(
    netlist: GateNetlist,
    design: RtlDesign,
    steps: Iterable[Step],
    progress: Callable[[int], None] = lambda count: None,
) -> RtlRun:
    """Carry out `steps` from reset on, then wait for the last answers.

    Args:
        netlist: of the design.
        progress: called with the number of vectors fed since its last call.

    Raises:
        InputError: a port is missing, or the netlist cannot be followed.
        CheckFailed: not as many answers as vectors.
        ValueError: a step that only RTL can do.
    """
    start = time.perf_counter()
    stimulus = _Stimulus(design.input)
    stimulus.idle(_RESET_CLOCKS)
    for step in [*steps, Idle()]:
        stimulus.add(step)
    done = stimulus.done()
    machine = GateMachine(netlist)
    found: list[_Seen] = []
    for first in range(0, done.clocks, _CLOCKS_AT_ONCE):
        block = slice(first, min(first + _CLOCKS_AT_ONCE, done.clocks))
        clocks = block.stop - first
        values = machine.run(_at_inputs(netlist, design, done, block), clocks)
        found.append(_seen(netlist, design, values, clocks))
        progress(int(done.valid[block].sum()))
    valid = np.concatenate([seen.valid for seen in found])
    valid[:_RESET_CLOCKS] = False
    fed, answered = np.flatnonzero(done.valid), np.flatnonzero(valid)
    if len(fed) != len(answered):
        raise CheckFailed(f"{netlist.top}: {len(fed)} vectors were fed, {len(answered)} answered")
    words = np.concatenate([seen.words for seen in found])[answered]
    read_data = np.concatenate([seen.read_data for seen in found])
    upsets = np.concatenate([seen.upset for seen in found])
    upsets[:_RESET_CLOCKS] = False
    return RtlRun(
        design.output.to_codes(words),
        fed - _RESET_CLOCKS,
        answered - _RESET_CLOCKS,
        read_data[np.flatnonzero(done.read) + 1],
        np.flatnonzero(upsets) - _RESET_CLOCKS,
        time.perf_counter() - start,
    )


def states_after(
    netlist: GateNetlist, design: RtlDesign, parts: Iterable[Sequence[Step]]
) -> Iterator[dict[str, int]]:
    """What the registers hold after each part of a stimulus, one after another, from reset on.

    Yields:
        0 or 1, by the names of the registers' gates; of those that outputs depend on.

    Raises:
        InputError, ValueError: as `simulate`.
    """
    machine = GateMachine(netlist)
    stimulus = _Stimulus(design.input)
    stimulus.idle(_RESET_CLOCKS)
    first = 0
    for steps in parts:
        for step in steps:
            stimulus.add(step)
        done = stimulus.done()
        for start in range(first, done.clocks, _CLOCKS_AT_ONCE):
            block = slice(start, min(start + _CLOCKS_AT_ONCE, done.clocks))
            machine.run(_at_inputs(netlist, design, done, block), block.stop - block.start)
        first = done.clocks
        yield dict(machine.held)


def observe(
    netlist: GateNetlist,
    design: RtlDesign,
    codes: npt.NDArray[np.int64],
    observer: Callable[[int, int, Gate, Mapping[str, int]], None],
    progress: Callable[[int], None] = lambda count: None,
) -> None:
    """Let vectors flow from reset on, one each clock, and tell what the gates' pins do.

    Args:
        codes: shape (n, codes); the bus, where there is one, is idle.
        observer: called for each block of clocks and each gate that the outputs follow from, with
            the vector that comes in in the block's first clock, the block's number of clocks, the
            gate, and the values of its pins (as `gate_machine.Observer` says).
        progress: as in `simulate`.

    Raises:
        InputError: as `simulate`; or a pin's values are not known.
    """
    stimulus = _Stimulus(design.input)
    stimulus.idle(_RESET_CLOCKS)
    stimulus.add(Feed(codes))
    fed = stimulus.done()
    machine = GateMachine(netlist)
    reset = slice(0, _RESET_CLOCKS)
    machine.run(_at_inputs(netlist, design, fed, reset), _RESET_CLOCKS)
    for start in range(_RESET_CLOCKS, fed.clocks, _CLOCKS_AT_ONCE):
        block = slice(start, min(start + _CLOCKS_AT_ONCE, fed.clocks))
        clocks = block.stop - block.start
        tell = partial(observer, start - _RESET_CLOCKS, clocks)
        machine.run(_at_inputs(netlist, design, fed, block), clocks, tell)
        progress(clocks)


def inputs_of_vectors(
    netlist: GateNetlist, design: RtlDesign, codes: npt.NDArray[np.int64]
) -> list[dict[Net, int]]:
    """Values (0 or 1) of the nets at the input ports, one clock a vector, shape (n, codes).

    The bus, where there is one, is idle.

    Raises:
        InputError: as `simulate`.
    """
    stimulus = _Stimulus(design.input)
    stimulus.idle(_RESET_CLOCKS)
    stimulus.add(Feed(codes))
    block = slice(_RESET_CLOCKS, _RESET_CLOCKS + len(codes))
    together = _at_inputs(netlist, design, stimulus.done(), block)
    return [
        {net: word >> clock & 1 for net, word in together.items()} for clock in range(len(codes))
    ]


# --- what stands at the inputs --------------------------------------------------------------------
@dataclass(frozen=True)
class _Inputs:
    """What stands at the inputs, clock by clock; words have shape (clocks, words of the port)."""

    words: npt.NDArray[np.uint32]
    valid: Bits
    address: npt.NDArray[np.uint16]
    write: Bits
    write_data: npt.NDArray[np.uint8]
    read: Bits

    @property
    def clocks(self) -> int:
        return len(self.valid)


class _Stimulus:
    """Steps as what stands at the inputs.  As the RTL's bench does, without valid input that is
    the complement of the last vector, and the bus shows what it showed last."""

    def __init__(self, port: DataPort) -> None:
        self._port = port
        self._last = np.zeros(port.words, dtype=np.uint32)
        self._bus = (0, 0)
        self._parts: list[_Inputs] = []

    def add(self, step: Step) -> None:
        match step:
            case Write(pairs):
                address, data = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
                self.idle(len(address), address, data, write=True)
            case Read(addresses):
                address = np.array(addresses, dtype=np.int64)
                self.idle(len(address), address, read=True)
            case Idle(clocks):
                self.idle(clocks)
            case Feed(codes, gaps):
                self._feed(self._port.to_words(codes), gaps)
            case _:
                raise ValueError(f"a netlist cannot carry out {step}")

    def idle(
        self,
        clocks: int,
        address: npt.NDArray[np.int64] | None = None,
        data: npt.NDArray[np.int64] | None = None,
        *,
        write: bool = False,
        read: bool = False,
    ) -> None:
        words = np.tile(~self._last, (clocks, 1))
        self._append(words, np.zeros(clocks, dtype=bool), address, data, write=write, read=read)

    def _feed(self, vectors: npt.NDArray[np.uint32], gaps: npt.NDArray[np.int64] | None) -> None:
        if not len(vectors):
            return
        clocks = np.ones(len(vectors), dtype=np.int64) if gaps is None else gaps + 1
        before = np.concatenate([self._last[None], vectors[:-1]])
        words = ~np.repeat(before, clocks, axis=0)
        valid = np.zeros(len(words), dtype=bool)
        valid[np.cumsum(clocks) - 1] = True
        words[valid] = vectors
        self._last = vectors[-1]
        self._append(words, valid)

    def _append(
        self,
        words: npt.NDArray[np.uint32],
        valid: Bits,
        address: npt.NDArray[np.int64] | None = None,
        data: npt.NDArray[np.int64] | None = None,
        *,
        write: bool = False,
        read: bool = False,
    ) -> None:
        clocks = len(words)
        held = [np.full(clocks, value) for value in self._bus]
        on_bus = [
            at_once if given is None else given
            for given, at_once in zip((address, data), held, strict=True)
        ]
        if clocks:
            self._bus = (int(on_bus[0][-1]), int(on_bus[1][-1]))
        self._parts.append(
            _Inputs(
                words,
                valid,
                on_bus[0].astype(np.uint16),
                np.full(clocks, write),
                on_bus[1].astype(np.uint8),
                np.full(clocks, read),
            )
        )

    def done(self) -> _Inputs:
        return _Inputs(*(np.concatenate([getattr(p, n) for p in self._parts]) for n in _NAMES))


_NAMES = ("words", "valid", "address", "write", "write_data", "read")


def _at_inputs(
    netlist: GateNetlist, design: RtlDesign, inputs: _Inputs, block: slice
) -> dict[Net, int]:
    """The values of the nets at the input ports."""
    bits = {
        "clock": np.zeros((block.stop - block.start, 1), dtype=bool),
        "reset": (np.arange(block.start, block.stop) < _RESET_CLOCKS)[:, None],
        "valid_in": inputs.valid[block, None],
        design.input.name: _bits(inputs.words[block], design.input.width),
    }
    if design.bus:
        bits |= {
            "address": _bits(inputs.address[block, None], _ADDRESS_BITS),
            "write": inputs.write[block, None],
            "write_data": _bits(inputs.write_data[block, None], _BYTE),
        }
    found: dict[Net, int] = {}
    for port, nets in netlist.inputs.items():
        if port not in bits or bits[port].shape[1] != len(nets):
            raise InputError(f"{netlist.top}: input port '{port}' is not one of this bench")
        packed = np.packbits(bits[port], axis=0, bitorder="little").T
        for net, values in zip(nets, np.ascontiguousarray(packed), strict=True):
            found[net] = int.from_bytes(values.tobytes(), "little")
    return found


def _bits(words: npt.NDArray[np.unsignedinteger], width: int) -> Bits:
    """Bits, shape (clocks, width), of words of any size, the lowest first."""
    little = np.ascontiguousarray(words.astype(words.dtype.newbyteorder("<")))
    return np.unpackbits(little.view(np.uint8), axis=1, bitorder="little", count=width) > 0


# --- what stands at the outputs -------------------------------------------------------------------
@dataclass(frozen=True)
class _Seen:
    """What stands at the outputs, clock by clock."""

    valid: Bits
    words: npt.NDArray[np.uint32]
    read_data: npt.NDArray[np.uint8]
    upset: Bits


def _seen(netlist: GateNetlist, design: RtlDesign, values: dict[Net, int], clocks: int) -> _Seen:
    def port(name: str, width: int) -> Bits:
        """Shape (clocks, width)."""
        if len(netlist.outputs.get(name, ())) != width:
            raise InputError(f"{netlist.top}: there is no output port '{name}' of {width} bits")
        size = -(-clocks // 8)
        columns = [values[net].to_bytes(size, "little") for net in netlist.outputs[name]]
        packed = np.frombuffer(b"".join(columns), dtype=np.uint8).reshape(width, size)
        return np.unpackbits(packed, axis=1, bitorder="little", count=clocks).T > 0

    answers = np.zeros((clocks, design.output.words * 32), dtype=bool)
    answers[:, : design.output.width] = port(design.output.name, design.output.width)
    read_data, upset = np.zeros((clocks, _BYTE), dtype=bool), np.zeros((clocks, 1), dtype=bool)
    if design.bus:
        read_data, upset = port(_READ_DATA, _BYTE), port(_UPSET, 1)
    return _Seen(
        port(_VALID_OUT, 1)[:, 0],
        np.packbits(answers, axis=1, bitorder="little").view("<u4"),
        np.packbits(read_data, axis=1, bitorder="little")[:, 0],
        upset[:, 0],
    )
