"""What the cells of a library compute, as yosys reads it from their Liberty functions."""

import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from hw.netlist.simple_gates import ONE, SIMPLE_GATES, ZERO, Gate, Net, evaluate, net_of
from hw.open_tools.yosys import run

# yosys's flip-flops: edge of the clock, then level of set and reset, or of the one that there is
_FLIP_FLOP = re.compile(r"\$_DFF(?:_([NP])|_([NP])([NP])[01]|SR_([NP])([NP])([NP]))_")


@dataclass(frozen=True)
class FlipFlop:
    """How a flip-flop cell works: at the edge of `clock` it takes the value at pin `data`.

    Attributes:
        outputs: output pins; True where the pin shows the complement of that value.
    """

    data: str
    clock: str
    rising: bool
    outputs: Mapping[str, bool]


@dataclass(frozen=True)
class CellLogic:
    """A cell as simple gates.

    Attributes:
        inputs, outputs: the net at each pin.
        gates: in an order in which each comes after what it depends on.
        flip_flops: yosys's, all of which store the same; none in a cell of logic alone.
    """

    inputs: Mapping[str, Net]
    outputs: Mapping[str, Net]
    gates: tuple[Gate, ...]
    flip_flops: tuple[Gate, ...]

    @cached_property
    def truth_tables(self) -> Mapping[str, tuple[bool, ...]]:
        """The value of each output of a cell of logic alone for all values of its inputs, the last
        input changing first."""
        values, ones = self._all_cases({})
        cases = ones.bit_length()
        return {
            pin: tuple(values[net] >> case & 1 == 1 for case in range(cases))
            for pin, net in self.outputs.items()
        }

    @cached_property
    def cones(self) -> Mapping[str, tuple[Gate, ...]]:
        """Those of its gates that each output depends on."""
        return {pin: self._cone(net) for pin, net in self.outputs.items()}

    def _cone(self, net: Net) -> tuple[Gate, ...]:
        needed, found = {net}, []
        for gate in reversed(self.gates):
            if gate.pins["Y"] in needed:
                needed |= {gate.pins[pin] for pin in SIMPLE_GATES[gate.kind].inputs}
                found.append(gate)
        return tuple(reversed(found))

    def flip_flop(self, tied: Mapping[str, bool] | None = None) -> FlipFlop | None:
        """How it works as a flip-flop that takes one pin's value, or its complement, at each edge;
        None for any other cell.

        Args:
            tied: what stands always at some inputs, as at the set or reset that is not used.
        """
        tied = {pin: value for pin, value in (tied or {}).items() if pin in self.inputs}
        if len({(gate.pins["D"], gate.pins["C"], gate.kind) for gate in self.flip_flops}) != 1:
            return None
        first = self.flip_flops[0]
        levels = _FLIP_FLOP.fullmatch(first.kind)
        assert levels is not None
        edge, *set_reset = [level for level in levels.groups() if level]
        clock = self._follows(first.pins["C"], {})
        data = self._follows(first.pins["D"], tied)
        if clock is None or data is None:
            return None
        values, ones = self._all_cases(tied)
        stored = values[first.pins["Q"]]
        pins = ("S", "R") if len(set_reset) == 2 else ("R",)
        idle = all(
            values[gate.pins[pin]] == (0 if level == "P" else ones)
            for gate in self.flip_flops
            for pin, level in zip(pins, set_reset, strict=False)
        )
        shown = {pin: values[net] ^ stored for pin, net in self.outputs.items()}
        if not idle or not set(shown.values()) <= {0, ones}:
            return None
        outputs = {pin: (inverted == ones) ^ data[1] for pin, inverted in shown.items()}
        return FlipFlop(data[0], clock[0], (edge == "P") ^ clock[1], outputs)

    def _follows(self, net: Net, tied: Mapping[str, bool]) -> tuple[str, bool] | None:
        """The input pin whose value, or complement (True), a net has whatever the others that are
        not tied; None if there is no such."""
        for pin in sorted(self.inputs, key=tied.__contains__):
            others = {other: value for other, value in tied.items() if other != pin}
            values, ones = self._all_cases(others)
            difference = values[net] ^ values[self.inputs[pin]]
            if difference in (0, ones):
                return pin, difference == ones
        return None

    def _all_cases(self, tied: Mapping[str, bool]) -> tuple[dict[Net, int], int]:
        """The values of all nets, for all values of the inputs that are not tied and of what is
        stored; and the integer with the bits of all cases set."""
        free = [net for pin, net in self.inputs.items() if pin not in tied]
        stored = [gate.pins["Q"] for gate in self.flip_flops]
        patterns, ones = _patterns(len(free) + bool(stored))
        values = {ZERO: 0, ONE: ones} | dict(zip(free, patterns, strict=False))
        values |= {self.inputs[pin]: ones * value for pin, value in tied.items()}
        values |= dict.fromkeys(stored, patterns[-1] if patterns else 0)
        evaluate(self.gates, values, ones)
        return values, ones


@cache
def _patterns(variables: int) -> tuple[Sequence[int], int]:
    """An integer a variable, which has the variable's value in each case as a bit; all ones."""
    cases = 1 << variables
    return [
        sum(1 << case for case in range(cases) if case >> (variables - 1 - number) & 1)
        for number in range(variables)
    ], (1 << cases) - 1


def read_cell_logic(
    liberty: Iterable[str], inputs: Mapping[str, Sequence[str]], what: str
) -> dict[str, CellLogic]:
    """What cells compute.

    Args:
        liberty: lines of a Liberty file of cells whose pins are inputs and outputs with functions;
            of those that store something only such with one group `ff`.
        inputs: the input pins of each cell, in the order that truth tables shall have.
        what: is read, for the message of a failure.

    Raises:
        ToolMissing: yosys is not installed.
        ToolFailed: it cannot read a function.
    """
    with tempfile.TemporaryDirectory(prefix="econt-cells-") as scratch:
        folder = Path(scratch)
        (folder / "cells.lib").write_text("\n".join(liberty), encoding="utf-8")
        run("read_liberty cells.lib\nwrite_json cells.json\n", folder, f"reading of {what}")
        modules = json.loads((folder / "cells.json").read_text(encoding="utf-8"))["modules"]
    return {name: _cell_logic(modules[name], pins) for name, pins in inputs.items()}


def _cell_logic(module: Any, inputs: Sequence[str]) -> CellLogic:
    nets = {pin: net_of(port["bits"][0]) for pin, port in module["ports"].items()}
    cells = [
        Gate(
            name, cell["type"], {pin: net_of(bits[0]) for pin, bits in cell["connections"].items()}
        )
        for name, cell in module["cells"].items()
    ]
    gates = {cell.pins["Y"]: cell for cell in cells if cell.kind in SIMPLE_GATES}
    before = {
        net: [gate.pins[pin] for pin in SIMPLE_GATES[gate.kind].inputs]
        for net, gate in gates.items()
    }
    return CellLogic(
        {pin: nets[pin] for pin in inputs},
        {pin: net for pin, net in nets.items() if pin not in inputs},
        tuple(gates[net] for net in TopologicalSorter(before).static_order() if net in gates),
        tuple(cell for cell in cells if _FLIP_FLOP.fullmatch(cell.kind)),
    )
