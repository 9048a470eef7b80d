"""Static timing of a mapped netlist: ABC's `stime`, and OpenSTA where it is installed.

Both see the same: an ideal clock, inputs that change at its edge, outputs that must stand at the
next one, no wires (neither delay nor load), one corner, that of the Liberty file.  A path's delay
includes clock to output of the register where it starts and setup time of that where it ends.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError
from hw.netlist import opensta
from hw.netlist.gate_netlist import (
    GateNetlist,
    input_pins,
    port_bit,
    register_name,
)
from hw.netlist.simple_gates import Net
from hw.netlist.timing_library import SETUP_OUTPUT, output_cell, setup_cell, split_library
from hw.open_tools import abc

ABC = "yosys-abc"
_LIBRARY = "cells.lib"


class NoDelays(InputError):
    """The cell library tells no delays, so that no path can be timed."""


@dataclass(frozen=True)
class CriticalPath:
    """The slowest path.

    Attributes:
        tool: that found it.
        delay_ns: from clock edge to clock edge at least.
        start, end: `register <name>`, `input <name>` or `output <name>`.
        cells: kinds of the cells on it, in order.
        report: what the tool printed of it.
    """

    tool: str
    delay_ns: float
    start: str
    end: str
    cells: tuple[str, ...]
    report: str


# --- ABC -----------------------------------------------------------------------------------------
def critical_path(netlist: GateNetlist) -> CriticalPath:
    """The slowest path as ABC's `stime` finds it.

    Raises:
        NoDelays: a cell has none.
        ToolMissing: ABC is not installed.
        ToolFailed: it printed no path, as where nothing lies between inputs and outputs.
    """
    what = f"timing of {netlist.top}"
    _require_delays(netlist)
    network = _Network(netlist)
    with tempfile.TemporaryDirectory(prefix="econt-timing-") as scratch:
        folder = Path(scratch)
        # ABC takes no library of less than three kinds of gates: give it all the others too
        kinds = {gate.kind for gate in netlist.gates}
        kinds |= {name for name, cell in netlist.library.gates.items() if cell.inputs}
        registers = {register.gate.kind: register.flip_flop for register in netlist.registers}
        parts = split_library(netlist.library, kinds, registers)
        write_text(folder / _LIBRARY, "\n".join(parts) + "\n")
        write_text(folder / "netlist.blif", "\n".join(network.blif()) + "\n")
        commands = [f"read_lib {_LIBRARY}", "read_blif netlist.blif", "topo", "stime -p"]
        output = abc.run(commands, folder, what)
    found = parse_stime(output)
    if found is None:
        raise abc.failed(what, output)
    cells = [kind.split("__")[0] for kind in found.cells]
    return CriticalPath(
        ABC,
        found.delay_ps / 1000,
        network.start(found.start),
        network.ends[found.end],
        tuple(cells),
        found.report,
    )


def _require_delays(netlist: GateNetlist) -> None:
    library = netlist.library
    for kind in sorted({gate.kind for gate in netlist.gates}):
        cell = library.cells[kind]
        if cell.inputs and not any(cell.pin(pin).all("timing") for pin in cell.functions):
            raise NoDelays(
                f"{library.file}: cell '{kind}' has no delays (no group 'timing' at its outputs), "
                "and timing needs them"
            )


@dataclass(frozen=True)
class StimePath:
    """What `stime -p` tells: numbers of the first input and the last output of the path."""

    delay_ps: float
    start: int
    end: int
    cells: tuple[str, ...]
    report: str


def parse_stime(output: str) -> StimePath | None:
    """The path in the output of ABC's `stime -p`; None where there is none."""
    delay = re.search(r"Delay = *([\d.]+) ps", output)
    ends = re.search(r"Start-point = pi(\d+).*?End-point = po(\d+)", output)
    if not delay or not ends:
        return None
    steps = re.findall(r"^Path +\d+ --.*$", output, re.MULTILINE)
    cells = [m[1] for step in steps if (m := re.search(r": *\d+ +\d+ +(\S+) +A =", step))]
    return StimePath(
        float(delay[1]), int(ends[1]), int(ends[2]), tuple(cells[1:]), "\n".join(steps)
    )


class _Network:
    """A netlist as a combinational network for ABC; its cells are those of `split_library`.

    Registers are gates of the clock.  ABC takes no constants beside mapped gates: they are inputs
    here, which changes no path.

    Attributes:
        inputs: nets, in the order of the network's inputs.
        ends: what each of its outputs is.
    """

    def __init__(self, netlist: GateNetlist) -> None:
        self._netlist = netlist
        self._registers = {register.gate.name: register for register in netlist.registers}
        self._gates: list[str] = []
        driven: set[Net] = set()
        used: dict[Net, None] = dict.fromkeys(n for ns in netlist.inputs.values() for n in ns)
        ends: dict[str, str] = {}
        for gate in netlist.gates:
            if register := self._registers.get(gate.name):
                inputs = {register.flip_flop.clock: register.clock}
                data = {register.flip_flop.data: register.data}
                captured = f"captured{len(ends)}"
                self._add(setup_cell(gate.kind), data, SETUP_OUTPUT, captured)
                ends[captured] = f"register {register_name(netlist, register)}"
                used[register.data] = None
            else:
                inputs = {pin: gate.pins[pin] for pin in input_pins(gate, netlist.library)}
            used |= dict.fromkeys(inputs.values())
            for pin in netlist.library.cells[gate.kind].functions:
                if pin in gate.pins:
                    driven.add(gate.pins[pin])
                    self._add(output_cell(gate.kind, pin), inputs, pin, _name(gate.pins[pin]))
        for port, nets in netlist.outputs.items():
            for i, net in enumerate(nets):
                used[net] = None
                ends.setdefault(_name(net), f"output {port}[{i}]")
        self.inputs = [net for net in used if net not in driven]
        self.ends = list(ends.values())
        self._outputs = list(ends)

    def start(self, number: int) -> str:
        """What a path from that input starts at."""
        net = self.inputs[number]
        if any(register.clock == net for register in self._registers.values()):
            return "a register"
        return f"input {self._netlist.name(net)}"

    def blif(self) -> Iterator[str]:
        """The network in BLIF."""
        yield ".model timing"
        yield f".inputs {' '.join(map(_name, self.inputs))}"
        yield f".outputs {' '.join(self._outputs)}"
        yield from self._gates
        yield ".end"

    def _add(self, kind: str, inputs: Mapping[str, Net], pin: str, output: str) -> None:
        wires = " ".join(f"{name}={_name(net)}" for name, net in inputs.items())
        self._gates.append(f".gate {kind} {wires} {pin}={output}")


def _name(net: Net) -> str:
    return f"n{net}"


# --- OpenSTA -------------------------------------------------------------------------------------
def opensta_critical_path(netlist: GateNetlist, clock_period_ns: float) -> CriticalPath:
    """The slowest path as OpenSTA finds it.

    Raises:
        ToolMissing: `sta` is not on PATH.
        ToolFailed: it printed no path.
    """
    script = opensta_script(netlist, clock_period_ns)
    found = opensta.read(netlist, script, parse_opensta, "timing")
    return CriticalPath(
        opensta.OPENSTA,
        clock_period_ns - found.slack_ns,
        _place(netlist, found.start),
        _place(netlist, found.end),
        found.cells,
        found.report,
    )


def opensta_script(netlist: GateNetlist, clock_period_ns: float) -> list[str]:
    """Commands that make OpenSTA report the slowest path."""
    outputs = [port_bit(p, i) for p, nets in netlist.outputs.items() for i in range(len(nets))]
    return [
        *opensta.design(netlist, clock_period_ns),
        f"set_output_delay 0 -clock {opensta.CLOCK} [get_ports {{{' '.join(outputs)}}}]",
        "report_checks -path_delay max -digits 4",
    ]


@dataclass(frozen=True)
class OpenstaPath:
    """What `report_checks` tells: start and end as named in the Verilog."""

    slack_ns: float
    start: str
    end: str
    cells: tuple[str, ...]
    report: str


def parse_opensta(output: str) -> OpenstaPath | None:
    """The path in the output of OpenSTA's `report_checks`; None where there is none."""
    begin = output.find("Startpoint:")
    report = output[begin:] if begin >= 0 else ""
    names = {
        word: re.search(rf"^{word}: (\S+)", report, re.MULTILINE)
        for word in ("Startpoint", "Endpoint")
    }
    slack = re.search(r"^ *(-?[\d.]+) +slack \(\w+\)", report, re.MULTILINE)
    start, end = names.values()
    if not (slack and start and end):
        return None
    steps = report[: report.find("data arrival time")]
    pins = re.findall(r"^ *-?[\d.]+ +-?[\d.]+ [v^] (\S+)/\S+ \((\S+)\)", steps, re.MULTILINE)
    cells = tuple(dict(pins).values())  # one entry an instance, a register has two pins on the path
    return OpenstaPath(float(slack[1]), start[1], end[1], cells, report[: slack.end()])


def _place(netlist: GateNetlist, name: str) -> str:
    """A place of `to_verilog` by its own name."""
    if found := re.fullmatch(r"g(\d+)", name):
        gate = netlist.gates[int(found[1])]
        register = next((r for r in netlist.registers if r.gate.name == gate.name), None)
        return f"register {register_name(netlist, register) if register else gate.name}"
    port, _, bit = name.rpartition("_")
    direction = "input" if port in netlist.inputs else "output"
    return f"{direction} {port}[{bit}]"
