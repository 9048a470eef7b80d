"""Combinational equivalence of RTL and the netlist mapped from it, proved by ABC's `cec`.

Registers need no common names where data only flow forward: the value of an output is then a
function of the inputs of this clock and of some clocks before, and these functions are compared
(every register is replaced by its input, one clock earlier).  Registers on a loop, such as those
that hold a value, are cut: both designs get the same unknown values from them and must give them
the same new ones.  Such registers are paired by their names.  No initial values are assumed.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import networkx

from hw.foundation.atomic_file import write_text
from hw.foundation.errors import CheckFailed, InputError, OutOfTime
from hw.netlist.gate_netlist import (
    FLATTEN,
    GateNetlist,
    Module,
    Register,
    input_pins,
    port_bit,
    read_modules_apart,
    read_netlist,
    register_name,
    register_of,
)
from hw.netlist.liberty import Library
from hw.netlist.simple_gates import ONE, SIMPLE_GATES, ZERO, Gate, Net
from hw.open_tools import abc
from hw.open_tools.verilog_design import VerilogDesign
from hw.open_tools.yosys import quoted, run
from hw.synthesis.mapping import elaborate

_SYNTHESIS = Path(__file__).parents[1] / "synthesis"
_ADDERS = ("full_adders.v", "full_adder_cell.v")
_MUTATIONS = 5
_TRIAL_S = 60.0  # for each of these


@dataclass(frozen=True)
class Verdict:
    """What `cec` found.

    Attributes:
        equal: whether all functions are the same.
        functions: how many were compared.
        differing: names of some that differ.
    """

    equal: bool
    functions: int
    differing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mutation:
    """A gate that was changed."""

    gate: str
    change: str

    def __str__(self) -> str:
        return f"{self.gate}: {self.change}"


class ControlFailed(CheckFailed):
    """Changed netlists were not told from the RTL, so that a proof would mean nothing."""


def gates_of(design: VerilogDesign, library: Library) -> GateNetlist:
    """RTL as simple gates, before any mapping to cells; `library` is only kept with it.

    Sums are taken apart as synthesis does before it maps them (where this differs, proofs that
    take seconds take hours); full adders, flip-flops and logic are then those of the RTL.

    Raises:
        ToolMissing: yosys is not installed.
        ToolFailed: it cannot read the design.
    """
    with _read_rtl(design, flat=True) as file:
        return read_netlist(file, design.top, library)


def modules_of(design: VerilogDesign, library: Library) -> dict[str, Module]:
    """As `gates_of`, but each module by itself.

    Raises:
        ToolMissing: yosys is not installed.
        ToolFailed: it cannot read the design.
    """
    with _read_rtl(design, flat=False) as file:
        return read_modules_apart(file, design.top, library)


@contextmanager
def _read_rtl(design: VerilogDesign, *, flat: bool) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="econt-rtl-") as scratch:
        folder = Path(scratch)
        adders = [f"techmap -map {quoted(_SYNTHESIS / file)}" for file in _ADDERS]
        script = [
            *elaborate(design, folder),
            *("alumacc", "maccmap"),
            *([*FLATTEN, "opt -full"] if flat else ["opt -full"]),
            *(command for adder in adders for command in (adder, "opt -fast")),
            *("techmap", "opt -full"),
            *("dfflegalize -cell $_DFF_P_ x", "simplemap", "clean -purge", "write_json rtl.json"),
        ]
        run("\n".join(script) + "\n", folder, f"reading {design.top}")
        yield folder / "rtl.json"


def control(
    rtl: GateNetlist, netlist: GateNetlist, seed: int, *, seconds: float | None = None
) -> Mutation:
    """A netlist with one gate changed, which `compare` does tell from the RTL.

    A gate may be redundant, or nearly, so some are tried, none for long.

    Raises:
        ControlFailed: none was told apart, and each was proved equal.
        OutOfTime: none was told apart, and of some there was no verdict in time.
        InputError, ToolMissing, ToolFailed: as `compare`.
    """
    late = None
    for mutation, mutated in mutations(netlist, seed):
        try:
            if not compare(rtl, mutated, seconds=min(seconds or _TRIAL_S, _TRIAL_S)).equal:
                return mutation
        except OutOfTime as error:
            late = error
    if late:
        raise late
    raise ControlFailed(
        f"{netlist.top}: the control failed: netlists with a gate changed were not told from the "
        "RTL, so that a proof of equality would mean nothing"
    )


def mutations(netlist: GateNetlist, seed: int) -> Iterator[tuple[Mutation, GateNetlist]]:
    """Some netlists with one gate changed each; the same ones for the same seed.

    The gate is replaced by another with the same pins, or one of its inputs is stuck at 0 where
    the library has no such other: full adders, flip-flops.
    """
    random = Random(seed)
    library = netlist.library
    partners = {kind: _partners(kind, library) for kind in {gate.kind for gate in netlist.gates}}
    pins = {gate.name: _pins_in_use(gate, library) for gate in netlist.gates}
    candidates = [gate for gate in netlist.gates if partners[gate.kind] or pins[gate.name]]
    for gate in random.sample(candidates, min(_MUTATIONS, len(candidates))):
        if others := partners[gate.kind]:
            other = random.choice(others)
            change, changed = f"replaced by {other}", replace(gate, kind=other)
        else:
            pin = random.choice(pins[gate.name])
            change, changed = f"{pin} stuck at 0", replace(gate, pins={**gate.pins, pin: ZERO})
        yield Mutation(gate.name, f"{gate.kind} {change}"), netlist.with_gate(changed)


def _partners(kind: str, library: Library) -> list[str]:
    """Cells with the same pins and another function."""
    gate = library.gates.get(kind)
    if gate is None or not gate.outputs:
        return []
    return [
        name
        for name, other in library.gates.items()
        if [*other.inputs] == [*gate.inputs]
        and other.outputs.keys() == gate.outputs.keys()
        and other.truth_tables != gate.truth_tables
    ]


def _pins_in_use(gate: Gate, library: Library) -> list[str]:
    """Its data inputs at which something else than 0 can stand."""
    register = register_of(gate, library)
    pins = (register.flip_flop.data,) if register else input_pins(gate, library)
    return [pin for pin in pins if gate.pins[pin] != ZERO]


def compare(rtl: GateNetlist, netlist: GateNetlist, *, seconds: float | None = None) -> Verdict:
    """Whether both compute the same.

    Args:
        seconds: after which ABC is stopped; None for no limit.

    Raises:
        CheckFailed: a register has no counterpart.
        InputError: other ports, or registers that cannot be followed.
        ToolMissing: ABC is not installed.
        OutOfTime: ABC was stopped.
        ToolFailed: ABC gives no verdict.
    """
    for ports, name in ((rtl.inputs, "inputs"), (rtl.outputs, "outputs")):
        theirs = netlist.inputs if name == "inputs" else netlist.outputs
        if {p: len(n) for p, n in ports.items()} != {p: len(n) for p, n in theirs.items()}:
            raise InputError(f"{netlist.top}: RTL and netlist have other {name}")
    clocks = [_clock(design) for design in (rtl, netlist)]
    if None not in clocks and clocks[0] != clocks[1]:
        raise CheckFailed(
            f"{netlist.top}: registers of the RTL store at {clocks[0]}, those of the netlist at "
            f"{clocks[1]}"
        )
    pairs = _pairs(rtl, netlist)
    of_rtl = _Functions(rtl, {p.of_rtl.gate.name: p.state for p in pairs})
    of_netlist = _Functions(netlist, {p.of_netlist.gate.name: p.state for p in pairs})
    pending = pairs
    while reached := [p for p in pending if p.state in of_rtl.states | of_netlist.states]:
        pending = [p for p in pending if p not in reached]
        for pair in reached:
            of_rtl.add(pair.function, pair.of_rtl.data)
            of_netlist.add(pair.function, pair.of_netlist.data)
    inputs = sorted(of_rtl.inputs | of_netlist.inputs)
    what = f"equivalence of {netlist.top}"
    with tempfile.TemporaryDirectory(prefix="econt-equivalence-") as scratch:
        folder = Path(scratch)
        write_text(folder / "rtl.blif", "\n".join(of_rtl.blif(inputs)) + "\n")
        write_text(folder / "netlist.blif", "\n".join(of_netlist.blif(inputs)) + "\n")
        commands: list[str] = []
        for design in ("rtl", "netlist"):
            commands += [f"read_blif {design}.blif", "strash", f"write_aiger {design}.aig"]
        # `cec` tells which functions differ; `iprove` is far the sooner where none does
        miter = [*commands, "miter rtl.aig netlist.aig", "iprove"]
        output = abc.run(miter, folder, what, seconds=seconds)
        if re.search(r"^UNSATISFIABLE", output, re.MULTILINE):
            return Verdict(True, len(of_rtl.outputs))
        output = abc.run(["cec -n rtl.aig netlist.aig"], folder, what, seconds=seconds)
    verdict = parse_cec(output, of_rtl.outputs)
    if verdict is None:
        raise abc.failed(what, output)
    return verdict


def parse_cec(output: str, functions: Sequence[str]) -> Verdict | None:
    """The verdict in the output of ABC's `cec`, which numbers the functions; None without one."""
    if "Networks are equivalent" in output:
        return Verdict(True, len(functions))
    failed = re.search(r"Verification failed for at least (\d+) outputs: +(.*)", output)
    if "Networks are NOT EQUIVALENT" not in output or not failed:
        return None
    numbers = [int(number) for number in re.findall(r"po(\d+)", failed[2])]
    return Verdict(False, len(functions), tuple(functions[n] for n in numbers))


@dataclass(frozen=True)
class _Pair:
    """A register on a loop, in both designs."""

    of_rtl: Register
    of_netlist: Register

    @property
    def state(self) -> str:
        """Name of its value; registers of the RTL that became one have one."""
        return f"register.{self.of_netlist.gate.name}"

    @property
    def function(self) -> str:
        """Name of its next value."""
        return f"next.{self.of_rtl.gate.name}"


def _pairs(rtl: GateNetlist, netlist: GateNetlist) -> list[_Pair]:
    known = {
        (name, inverted): register
        for register in looped(netlist)
        for net, inverted in register.outputs.items()
        for name in netlist.net_names.get(net, ())
    }
    pairs = []
    for register in looped(rtl):
        names = [
            (name, inverted)
            for net, inverted in register.outputs.items()
            for name in rtl.net_names.get(net, ())
        ]
        found = next((known[name] for name in names if name in known), None)
        if found is None:
            raise CheckFailed(
                f"{rtl.top}: register '{register_name(rtl, register)}' has none of the same name "
                "in the netlist; keep the names of registers in synthesis"
            )
        pairs.append(_Pair(register, found))
    return pairs


def looped(netlist: GateNetlist) -> list[Register]:
    """The registers on loops: whose value can come back to them."""
    stored = {register.gate.name: register for register in netlist.registers}
    driver = {net: gate for gate in netlist.gates for net in _outputs(gate, netlist)}
    graph = networkx.DiGraph()
    for gate in netlist.gates:
        register = stored.get(gate.name)
        nets = [register.data] if register else _inputs(gate, netlist)
        graph.add_edges_from((driver[net].name, gate.name) for net in nets if net in driver)
    on_loops = {
        name
        for names in networkx.strongly_connected_components(graph)
        for name in names
        if len(names) > 1 or graph.has_edge(name, name)
    }
    return [register for name, register in stored.items() if name in on_loops]


def _inputs(gate: Gate, netlist: GateNetlist) -> list[Net]:
    return [gate.pins[pin] for pin in input_pins(gate, netlist.library)]


def _outputs(gate: Gate, netlist: GateNetlist) -> list[Net]:
    inputs = input_pins(gate, netlist.library)
    return [net for pin, net in gate.pins.items() if pin not in inputs]


Place = tuple[Net, int]
"""A net, some clocks earlier."""


class _Functions:
    """Outputs of a design, and next values of its cut registers, as functions in BLIF.

    Attributes:
        inputs: names of what they depend on: bits of ports and cut registers, some clocks earlier.
        states: the cut registers among these.
        outputs: names of the functions, in their order.
    """

    def __init__(self, netlist: GateNetlist, states: Mapping[str, str]) -> None:
        self._netlist, self._cut = netlist, states
        self._ports = {
            net: port_bit(port, i)
            for port, nets in netlist.inputs.items()
            for i, net in enumerate(nets)
        }
        self._stored = {net: register for register in netlist.registers for net in register.outputs}
        self._functions: dict[str, Net] = {}
        self._lines: dict[Place, str] = {}
        self.inputs: set[str] = set()
        self.states: set[str] = set()
        for port, nets in netlist.outputs.items():
            for i, net in enumerate(nets):
                self.add(port_bit(port, i), net)

    @property
    def outputs(self) -> list[str]:
        return list(self._functions)

    def add(self, name: str, net: Net) -> None:
        """One more function: of the value of a net."""
        self._functions[name] = net
        pending = [(net, 0)]
        while pending:
            place = pending.pop()
            if place not in self._lines:
                self._lines[place], sources = self._define(place)
                pending += sources

    def blif(self, inputs: Sequence[str]) -> Iterator[str]:
        """The functions as a network with these inputs."""
        yield ".model functions"
        yield f".inputs {' '.join(inputs)}"
        yield f".outputs {' '.join(self._functions)}"
        yield from self._lines.values()
        for name, net in self._functions.items():
            yield _names([_place(net, 0)], name, ["1"])
        yield ".end"

    def _define(self, place: Place) -> tuple[str, list[Place]]:
        net, clocks = place
        if net in (ZERO, ONE):
            return _constant(_place(*place), net), []
        if net in self._ports:
            return self._input(f"{self._ports[net]}@{clocks}", place, inverted=False), []
        if register := self._stored.get(net):
            inverted = register.outputs[net]
            if state := self._cut.get(register.gate.name):
                self.states.add(state)
                return self._input(f"{state}@{clocks}", place, inverted=inverted), []
            before = (register.data, clocks + 1)
            return _names([_place(*before)], _place(*place), ["0" if inverted else "1"]), [before]
        gate = self._netlist.drivers.get(net)
        if gate is None:
            return _constant(_place(*place), ZERO), []
        sources = [(n, clocks) for n in _inputs(gate, self._netlist)]
        return "\n".join(self._logic(gate, place)), sources

    def _logic(self, gate: Gate, place: Place) -> Iterator[str]:
        net, clocks = place
        if gate.kind in SIMPLE_GATES:
            yield _names(
                [_place(gate.pins[pin], clocks) for pin in SIMPLE_GATES[gate.kind].inputs],
                _place(*place),
                SIMPLE_GATES[gate.kind].rows,
            )
            return
        cell = self._netlist.library.gates[gate.kind]
        output = next(pin for pin in cell.outputs if gate.pins.get(pin) == net)
        wires = {inner: _place(gate.pins[pin], clocks) for pin, inner in cell.inputs.items()}
        # part by part: equal parts of two designs are the sooner seen
        for part in cell.cones[output]:
            simple = SIMPLE_GATES[part.kind]
            inputs = [wires[part.pins[pin]] for pin in simple.inputs]
            wires[part.pins["Y"]] = f"{_place(*place)}.{part.pins['Y']}"
            yield _names(inputs, wires[part.pins["Y"]], simple.rows)
        if cell.outputs[output] in (ZERO, ONE):
            yield _constant(_place(*place), cell.outputs[output])
        else:
            yield _names([wires[cell.outputs[output]]], _place(*place), ["1"])

    def _input(self, name: str, place: Place, *, inverted: bool) -> str:
        self.inputs.add(name)
        return _names([name], _place(*place), ["0" if inverted else "1"])


def _place(net: Net, clocks: int) -> str:
    return f"n{net}@{clocks}"


def _names(inputs: Sequence[str], output: str, rows: Sequence[str]) -> str:
    """A function in BLIF: the rows of its truth table that give 1."""
    return "\n".join([f".names {' '.join([*inputs, output])}", *(f"{row} 1" for row in rows)])


def _constant(output: str, value: Net) -> str:
    return _names([], output, [""] if value == ONE else [])


def _clock(netlist: GateNetlist) -> str | None:
    """The edge at which all registers store; None without registers.

    Raises:
        InputError: there are several, or it is not that of an input.
    """
    edges = {(register.clock, register.flip_flop.rising) for register in netlist.registers}
    ports = {
        net: port_bit(p, i) for p, nets in netlist.inputs.items() for i, net in enumerate(nets)
    }
    if len(edges) > 1 or any(net not in ports for net, _ in edges):
        names = ", ".join(netlist.name(net) for net, _ in sorted(edges))
        raise InputError(
            f"{netlist.top}: equivalence needs one clock, an input, and one edge, found {names}"
        )
    return next(
        (f"the {'rising' if up else 'falling'} edge of {ports[net]}" for net, up in edges), None
    )
