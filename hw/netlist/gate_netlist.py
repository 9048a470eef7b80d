"""A netlist of gates and flip-flops, read from yosys, and its forms for other tools.

Gates are cells of a Liberty library or yosys's own simple ones (`$_AND_`, `$_DFF_P_`, ...), so that
RTL and the netlist mapped from it are the same kind of thing here.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hw.foundation.errors import InputError
from hw.netlist.cell_logic import FlipFlop
from hw.netlist.liberty import Library
from hw.netlist.simple_gates import ONE, SIMPLE_GATES, ZERO, Gate, Net, net_of
from hw.open_tools.yosys import quoted, run
from hw.synthesis.mapping import NETLIST_JSON, instances, is_leaf, netlist_modules

_SIMPLE_FLIP_FLOPS = {
    "$_DFF_P_": FlipFlop("D", "C", True, {"Q": False}),
    "$_DFF_N_": FlipFlop("D", "C", False, {"Q": False}),
}


@dataclass(frozen=True)
class Register:
    """A flip-flop of a netlist.

    Attributes:
        flip_flop: how its cell works.
        data, clock: nets.
        outputs: nets; True where the net carries the complement.
    """

    gate: Gate
    flip_flop: FlipFlop
    data: Net
    clock: Net
    outputs: Mapping[Net, bool]


@dataclass(frozen=True)
class GateNetlist:
    """A flat netlist.

    Attributes:
        inputs, outputs: nets of each port, the lowest bit first.
        gates: all of them, flip-flops too.
        net_names: names of each net that has any.
        library: that its gates come from.
    """

    top: str
    inputs: Mapping[str, tuple[Net, ...]]
    outputs: Mapping[str, tuple[Net, ...]]
    gates: tuple[Gate, ...]
    net_names: Mapping[Net, tuple[str, ...]]
    library: Library

    @cached_property
    def registers(self) -> tuple[Register, ...]:
        """Its flip-flops; inverters and buffers before their clocks are taken into account.

        Raises:
            InputError: a storage cell other than a flip-flop that stores at each edge.
        """
        found = [r for gate in self.gates if (r := register_of(gate, self.library))]
        return tuple(_clocked_from_the_source(register, self._buffered) for register in found)

    @cached_property
    def _buffered(self) -> Mapping[Net, tuple[Net, bool]]:
        """The source of each net behind an inverter (True) or a buffer."""
        return {
            gate.pins[pin]: (source, inverted)
            for gate in self.gates
            for pin, source, inverted in _buffer_outputs(gate, self.library)
            if pin in gate.pins
        }

    @cached_property
    def drivers(self) -> Mapping[Net, Gate]:
        """The gate that drives each net; ports, constants and flip-flops drive the others."""
        stored = {register.gate.name for register in self.registers}
        return {
            net: gate
            for gate in self.gates
            if gate.name not in stored
            for pin, net in gate.pins.items()
            if pin not in input_pins(gate, self.library)
        }

    def with_gate(self, gate: Gate) -> "GateNetlist":
        """The same netlist but for the gate of this name."""
        gates = tuple(gate if g.name == gate.name else g for g in self.gates)
        return replace(self, gates=gates)

    def name(self, net: Net) -> str:
        """The shortest name of a net."""
        return min(self.net_names.get(net, (f"net {net}",)), key=lambda name: (len(name), name))


def read_netlist(file: Path, top: str, library: Library) -> GateNetlist:
    """Read what yosys's `write_json` wrote of a flat design.

    Raises:
        InputError: no such module, or a gate that neither library nor yosys's simple ones have.
    """
    with _reading(file):
        return _read_module(file, top, _modules(file, top)[top], {}, library)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Something else where a part of a netlist should be is damage."""
    try:
        yield
    except InputError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise InputError(
            f"{file}: damaged: {type(error).__name__}: {error}; map the design anew: make synth"
        ) from error


def _read_module(
    file: Path, top: str, module: Any, parts: Mapping[str, str], library: Library
) -> GateNetlist:
    """One module; the pins of its instances `parts` become ports of it."""
    ports: dict[str, dict[str, tuple[Net, ...]]] = {"input": {}, "output": {}}
    for name, port in module["ports"].items():
        if port["direction"] not in ports:
            raise InputError(f"{file}: port '{name}' of {top} is neither input nor output")
        ports[port["direction"]][name] = tuple(map(net_of, port["bits"]))
    gates = []
    for name, found in module["cells"].items():
        kind = found["type"]
        if kind == "$scopeinfo":
            continue
        if name in parts:
            for pin, bits in found["connections"].items():
                outward = found["port_directions"][pin] == "output"
                ports["input" if outward else "output"][f"{name}.{pin}"] = tuple(map(net_of, bits))
            continue
        if not any(kind in known for known in (library.cells, SIMPLE_GATES, _SIMPLE_FLIP_FLOPS)):
            raise InputError(
                f"{file}: cell '{name}' of {top} is a '{kind}', which the Liberty file does not "
                "have; map the design to that library"
            )
        if (cell := library.cells.get(kind)) and not cell.storage and kind not in library.gates:
            raise InputError(
                f"{file}: cell '{name}' of {top} is a '{kind}', which cannot be followed: it is a "
                "pad, has a pin with a third state or in both directions, or no function in "
                f"{library.file}; map the design without it"
            )
        pins = {pin: net_of(bits[0]) for pin, bits in found["connections"].items() if bits}
        gate = Gate(name, kind, pins)
        if open_pins := [pin for pin in input_pins(gate, library) if pin not in pins]:
            raise InputError(f"{file}: cell '{name}' of {top} has no pin {', '.join(open_pins)}")
        gates.append(gate)
    names: dict[Net, list[str]] = {}
    for name, item in module["netnames"].items():
        bits = item["bits"]
        for i, bit in enumerate(bits):
            if not isinstance(bit, str):
                label = f"{name}[{i + item.get('offset', 0)}]" if len(bits) > 1 else name
                names.setdefault(bit, []).append(label)
    return GateNetlist(
        top,
        ports["input"],
        ports["output"],
        tuple(gates),
        {net: tuple(labels) for net, labels in names.items()},
        library,
    )


@dataclass(frozen=True)
class Module:
    """A module of a netlist, by itself.

    Attributes:
        name: as in the Verilog that it was made from, and where one stands.
        instances: of other modules in it: the module of each.
        netlist: its own gates.  Pins of instances are ports: what an instance drives is an input,
            what drives an instance an output.
    """

    name: str
    instances: Mapping[str, str]
    netlist: GateNetlist


def read_modules_apart(file: Path, top: str, library: Library) -> dict[str, Module]:
    """Read what yosys's `write_json` wrote of a design with a hierarchy, each module once.

    Returns:
        Modules by yosys's name, which tells the parameters too; the top comes first.

    Raises:
        InputError: no such module, or a gate that neither library nor yosys's simple ones have.
    """
    with _reading(file):
        return _modules_apart(file, top, library)


def _modules_apart(file: Path, top: str, library: Library) -> dict[str, Module]:
    modules = _modules(file, top)
    found: dict[str, Module] = {}
    pending = [(top, "")]
    while pending:
        kind, path = pending.pop()
        if kind in found:
            continue
        module = modules[kind]
        parts = {
            name: cell["type"]
            for name, cell in module["cells"].items()
            if cell["type"] in modules and not is_leaf(modules[cell["type"]])
        }
        name = module["attributes"].get("hdlname", kind)
        netlist = _read_module(file, kind, module, parts, library)
        found[kind] = Module(f"{name} ({path})" if path else name, parts, netlist)
        inside = [(part, f"{path}.{at}" if path else at) for at, part in parts.items()]
        pending += reversed(inside)
    return found


def _modules(file: Path, top: str) -> Any:
    if not file.is_file():
        raise InputError(
            f"{file}: no such file; map the design first: make synth (or synth-reconfigurable)"
        )
    modules = netlist_modules(file)
    if top not in modules:
        raise InputError(f"{file}: no module '{top}'")
    return modules


FLATTEN = ("setattr -mod -unset keep_hierarchy *", "flatten")
"""Commands of yosys that leave no module, not even those that synthesis must keep apart."""


def mapped_netlist(folder: Path, top: str, library: Library) -> GateNetlist:
    """The netlist that synthesis left in a folder, flattened where it has a hierarchy.

    Raises:
        InputError: no netlist, or a cell that the library does not have.
        ToolMissing: yosys is not installed.
        ToolFailed: yosys cannot flatten it.
    """
    file = folder / NETLIST_JSON
    with _reading(file):
        is_flat = len(instances(_modules(file, top), top)) == 1
    if is_flat:
        return read_netlist(file, top, library)
    script = [f"read_json {quoted(file.resolve())}", f"hierarchy -top {top}", *FLATTEN]
    with tempfile.TemporaryDirectory(prefix="econt-netlist-") as scratch:
        run("\n".join([*script, "clean", "write_json flat.json", ""]), Path(scratch), f"{file}")
        return read_netlist(Path(scratch) / "flat.json", top, library)


def input_pins(gate: Gate, library: Library) -> tuple[str, ...]:
    """Names of the input pins of a gate."""
    if gate.kind in SIMPLE_GATES:
        return SIMPLE_GATES[gate.kind].inputs
    if gate.kind in _SIMPLE_FLIP_FLOPS:
        return ("C", "D")
    return library.cells[gate.kind].inputs


def register_of(gate: Gate, library: Library) -> Register | None:
    """A gate as a flip-flop; None if it stores nothing.

    Raises:
        InputError: as `GateNetlist.registers`.
    """
    flip_flop = _SIMPLE_FLIP_FLOPS.get(gate.kind)
    cell = library.cells.get(gate.kind)
    if flip_flop is None and cell is not None and cell.storage:
        tied = {pin: net == ONE for pin, net in gate.pins.items() if net in (ZERO, ONE)}
        logic = library.logic.get(gate.kind)
        flip_flop = logic.flip_flop(tied) if logic else None
        if flip_flop is None:
            raise InputError(
                f"cell '{gate.name}' is a '{gate.kind}': of the cells that store something, only "
                "flip-flops that store at each edge, without set and reset or with those not in "
                "use, can be followed"
            )
    if flip_flop is None:
        return None
    pins = gate.pins
    outputs = {pins[pin]: inverted for pin, inverted in flip_flop.outputs.items() if pin in pins}
    return Register(gate, flip_flop, pins[flip_flop.data], pins[flip_flop.clock], outputs)


def _clocked_from_the_source(
    register: Register, buffered: Mapping[Net, tuple[Net, bool]]
) -> Register:
    """The same but for its clock, which is taken from before inverters and buffers."""
    clock, rising, seen = register.clock, register.flip_flop.rising, set[Net]()
    while clock in buffered and clock not in seen:
        seen.add(clock)
        clock, inverted = buffered[clock]
        rising ^= inverted
    return replace(register, clock=clock, flip_flop=replace(register.flip_flop, rising=rising))


def _buffer_outputs(gate: Gate, library: Library) -> Iterator[tuple[str, Net, bool]]:
    """Outputs of an inverter or buffer: pin, net at its input, whether inverted."""
    if gate.kind in ("$_NOT_", "$_BUF_"):
        yield "Y", gate.pins["A"], gate.kind == "$_NOT_"
        return
    logic = library.gates.get(gate.kind)
    if logic is None or len(logic.inputs) != 1:
        return
    (source,) = logic.inputs
    for pin, table in logic.truth_tables.items():
        if table in ((False, True), (True, False)):
            yield pin, gate.pins[source], table[0]


def register_name(netlist: GateNetlist, register: Register) -> str:
    """Its name: that of the net at its output, as in the Verilog that it was made from."""
    nets = sorted(register.outputs, key=lambda net: (register.outputs[net], net))
    return netlist.name(nets[0]) if nets else register.gate.name


# --- Verilog --------------------------------------------------------------------------------------
def to_verilog(netlist: GateNetlist) -> Iterator[str]:
    """The netlist as plain Verilog, line by line: scalar ports and nets, one instance a gate.

    Timing tools differ in the Verilog that they read; this much all of them do.  Ports are called
    `<port>_<bit>`, instances `g<number>` in the order of `gates`.
    """
    ports = {
        port_bit(port, i): (direction, net)
        for direction, found in (("input", netlist.inputs), ("output", netlist.outputs))
        for port, nets in found.items()
        for i, net in enumerate(nets)
    }
    yield f"module {netlist.top} ({', '.join(ports)});"
    for port, (direction, _) in ports.items():
        yield f"  {direction} {port};"
    for net in sorted({n for g in netlist.gates for n in g.pins.values()} - {ZERO, ONE}):
        yield f"  wire n{net};"
    for port, (direction, net) in ports.items():
        yield (
            f"  assign n{net} = {port};"
            if direction == "input"
            else (f"  assign {port} = {_verilog(net)};")
        )
    for number, gate in enumerate(netlist.gates):
        pins = ", ".join(f".{pin}({_verilog(net)})" for pin, net in gate.pins.items())
        yield f"  {gate.kind} g{number} ({pins});"
    yield "endmodule"


def port_bit(port: str, bit: int) -> str:
    """Name of one bit of a port in `to_verilog`."""
    return f"{port}_{bit}"


def _verilog(net: Net) -> str:
    return {ZERO: "1'b0", ONE: "1'b1"}.get(net, f"n{net}")
