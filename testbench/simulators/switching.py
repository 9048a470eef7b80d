"""What the gates of a netlist do while vectors flow through it: their states, counted.

No glitches: each pin has one value a clock.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hw.netlist.energy import Changes
from hw.netlist.gate_netlist import GateNetlist
from hw.netlist.power_library import pins_of
from hw.netlist.simple_gates import Gate
from testbench.simulators.gatesim import observe
from testbench.simulators.rtlsim import RtlDesign


def vectors_to_fill(latency: int) -> int:
    """How many vectors come in before the first clock that counts."""
    return latency + 1


def switching(
    netlist: GateNetlist,
    design: RtlDesign,
    codes: npt.NDArray[np.int64],
    latency: int,
    progress: Callable[[int], None] = lambda count: None,
) -> Mapping[str, Changes]:
    """What each gate does while these vectors come in, one each clock, all of the pipeline full.

    The vectors are a circle: the last ones come before the first, so that the design is full of
    vectors, and each clock has one before it.

    Args:
        codes: shape (n, codes), n at least 1.
        latency: clocks from input to output of the design.
        progress: called with the number of vectors fed since its last call.

    Returns:
        By the name of each gate that the outputs follow from; n clocks each.

    Raises:
        InputError: the netlist cannot be simulated so.
    """
    filling = vectors_to_fill(latency)
    counter = _Counter(netlist, filling)
    order = np.arange(-filling, len(codes)) % len(codes)
    observe(netlist, design, codes[order], counter.count, progress)
    return counter.changes


@dataclass
class _Counter:
    """Counts states from vector `first` on.

    Attributes:
        last: the state of each gate in the last clock of the block before.
    """

    netlist: GateNetlist
    first: int
    changes: dict[str, Counter[tuple[int, int]]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    def count(self, start: int, clocks: int, gate: Gate, pins: Mapping[str, int]) -> None:
        """Add a block of clocks; `observe` says what the arguments are."""
        names = pins_of(self.netlist.library.cells[gate.kind])
        states = _states([pins[name] for name in names], clocks)
        before = np.concatenate([[self.last.get(gate.name, 0)], states[:-1]])
        self.last[gate.name] = int(states[-1])
        counted = slice(max(0, self.first - start), None)
        pairs = before[counted] << len(names) | states[counted]
        found = self.changes.setdefault(gate.name, Counter())
        for pair, count in zip(*np.unique(pairs, return_counts=True), strict=True):
            found[divmod(int(pair), 1 << len(names))] += int(count)


def _states(values: Sequence[int], clocks: int) -> npt.NDArray[np.int64]:
    """The state of a gate in each clock, from what its pins do, the highest bit first."""
    size = -(-clocks // 8)
    packed = np.frombuffer(b"".join(v.to_bytes(size, "little") for v in values), dtype=np.uint8)
    bits = np.unpackbits(packed.reshape(-1, size), axis=1, bitorder="little", count=clocks)
    return (np.int64(1) << np.arange(len(values) - 1, -1, -1)) @ bits.astype(np.int64)
