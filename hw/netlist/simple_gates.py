"""Gates in netlists, and the simple ones of yosys: what each computes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

Net = int
ZERO: Net = 0
ONE: Net = 1
# yosys numbers nets from 2 on and writes constants as text; an undefined bit counts as 0
_CONSTANTS = {"0": ZERO, "1": ONE, "x": ZERO, "z": ZERO}


@dataclass(frozen=True)
class Gate:
    """A gate: its cell kind, and the net at each pin."""

    name: str
    kind: str
    pins: Mapping[str, Net]


@dataclass(frozen=True)
class SimpleGate:
    """A kind of simple gate, whose output pin is `Y`.

    Attributes:
        inputs: its input pins.
        rows: the rows of its truth table that give 1, as BLIF writes them.
        function: of integers, bit by bit; the first is the one with all bits set.
    """

    inputs: tuple[str, ...]
    rows: tuple[str, ...]
    function: Callable[..., int]


SIMPLE_GATES: Mapping[str, SimpleGate] = {
    "$_BUF_": SimpleGate(("A",), ("1",), lambda ones, a: a),
    "$_NOT_": SimpleGate(("A",), ("0",), lambda ones, a: a ^ ones),
    "$_AND_": SimpleGate(("A", "B"), ("11",), lambda ones, a, b: a & b),
    "$_NAND_": SimpleGate(("A", "B"), ("0-", "-0"), lambda ones, a, b: a & b ^ ones),
    "$_OR_": SimpleGate(("A", "B"), ("1-", "-1"), lambda ones, a, b: a | b),
    "$_NOR_": SimpleGate(("A", "B"), ("00",), lambda ones, a, b: (a | b) ^ ones),
    "$_XOR_": SimpleGate(("A", "B"), ("10", "01"), lambda ones, a, b: a ^ b),
    "$_XNOR_": SimpleGate(("A", "B"), ("00", "11"), lambda ones, a, b: a ^ b ^ ones),
    "$_ANDNOT_": SimpleGate(("A", "B"), ("10",), lambda ones, a, b: a & (b ^ ones)),
    "$_ORNOT_": SimpleGate(("A", "B"), ("1-", "-0"), lambda ones, a, b: a | (b ^ ones)),
    "$_MUX_": SimpleGate(
        ("A", "B", "S"), ("1-0", "-11"), lambda ones, a, b, s: a & (s ^ ones) | b & s
    ),
}


def net_of(bit: int | str) -> Net:
    """The net of a bit in yosys's JSON."""
    return _CONSTANTS[bit] if isinstance(bit, str) else bit


def evaluate(gates: Iterable[Gate], values: dict[Net, int], ones: int) -> None:
    """Add the values of what simple gates drive to `values`, gate by gate in the order given.

    Args:
        values: of each net; an integer stands for many cases, one a bit.
        ones: the integer with the bits of all cases set.
    """
    for gate in gates:
        simple = SIMPLE_GATES[gate.kind]
        inputs = [values[gate.pins[pin]] for pin in simple.inputs]
        values[gate.pins["Y"]] = simple.function(ones, *inputs)
