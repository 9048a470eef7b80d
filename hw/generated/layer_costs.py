"""What each layer of a network takes of its logic, by alkaid's estimates; parts of the whole."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

from hw.foundation.strict_config import StrictRecord
from hw.generated.layer_labels import NO_LAYER

_ADDERS = (0, 1, 4, 11)  # opcodes of sums of two, differences, sums with a constant, sums of three
_DELAY_DIGITS = 3


class LayerCost(StrictRecord):
    """A layer's part of the whole logic.

    Attributes:
        layer: as the network names it; NO_LAYER for what is between layers.
        adders: sums of two or three numbers, or with a constant, that take look-up tables.
        lut: look-up tables, estimated.
        depth: operations that take time, one after the other, on the slowest path.
        delay_ns: on that path, estimated for an UltraScale+ FPGA.
    """

    layer: str
    adders: int
    lut: int
    depth: int
    delay_ns: float


def layer_costs(logic: Any, layers: Sequence[str], order: Iterable[str]) -> tuple[LayerCost, ...]:
    """The costs of each layer, in the network's order, then those between layers.

    The sums over all are `whole`: each operation belongs to one layer, and the slowest path of
    the logic from input to output passes through each of its operations once.

    Args:
        logic: alkaid's CombLogic with its estimates.
        layers: that of each operation.
        order: of the network's layers.
    """
    names = [*dict.fromkeys(name for name in order if name != NO_LAYER), NO_LAYER]
    adders, luts = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
    depths, delays = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
    for op, layer in zip(logic.ops, layers, strict=True):
        adders[layer] += op.opcode in _ADDERS and op.cost > 0
        luts[layer] += op.cost
    for number in _slowest_path(logic):
        if own := own_delay(logic, logic.ops[number]):
            depths[layers[number]] += 1
            delays[layers[number]] += own
    lut = _rounded_parts(luts.values(), 0)
    delay = _rounded_parts(delays.values(), _DELAY_DIGITS)
    return tuple(
        LayerCost(layer=n, adders=adders[n], lut=int(tables), depth=depths[n], delay_ns=time)
        for n, tables, time in zip(names, lut, delay, strict=True)
    )


def whole(parts: Iterable[LayerCost]) -> LayerCost:
    """The costs of all parts together."""
    parts = tuple(parts)
    return LayerCost(
        layer=NO_LAYER,
        adders=sum(part.adders for part in parts),
        lut=sum(part.lut for part in parts),
        depth=sum(part.depth for part in parts),
        delay_ns=round(math.fsum(part.delay_ns for part in parts), _DELAY_DIGITS),
    )


def own_delay(logic: Any, op: Any) -> float:
    """How long after the last of its sources an operation's result is there, in ns."""
    return float(op.latency - max((logic.ops[i].latency for i in op.addr), default=op.latency))


def _slowest_path(logic: Any) -> list[int]:
    """The operations on the way to the latest output, each the latest source of the one after."""
    path = []
    sources: Iterable[int] = [number for number in logic.out_idxs if number >= 0]
    while sources := list(sources):
        path.append(max(sources, key=lambda number: logic.ops[number].latency))
        sources = logic.ops[path[-1]].addr
    return path[::-1]


def _rounded_parts(parts: Iterable[float], digits: int) -> list[float]:
    """Parts rounded so that their sum is the rounded sum."""
    ends = [0.0, *(round(end, digits) for end in itertools.accumulate(parts))]
    return [round(after - before, digits) for before, after in itertools.pairwise(ends)]
