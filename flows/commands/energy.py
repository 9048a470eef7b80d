"""Energy per module of the netlist mapped to a cell library, from the switching of real modules."""

import argparse

from flows.artefacts.generated_rtl import generated_design, port_codes, simulated_design
from flows.artefacts.netlists import netlist_of
from flows.artefacts.validation import read_validation
from flows.command_line.options import add_design, add_or_skip, require_at_least
from flows.command_line.progress import progress
from flows.frame import Found
from flows.layout import DesignLayout
from flows.stages import Stage
from hw.forms import GENERATED
from hw.foundation.errors import InputError, ToolMissing
from hw.generated.network_logic import NoLogic
from hw.netlist.energy import energy
from hw.netlist.opensta import NOT_INSTALLED, OPENSTA, opensta_version
from hw.netlist.opensta_power import opensta_power
from hw.netlist.power_library import NoPower, read_power
from hw.open_tools.yosys import DISTRIBUTION
from hw.targets.target import load_target
from reports.catalogue import Value
from testbench.simulators.switching import switching, vectors_to_fill

CANNOT = (NoLogic, NoPower, ToolMissing)

_MODULES = 10_000
_BY_OPENSTA = "energy.opensta.power_mw"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser, "hardware target: its clock period in ns, and its Liberty file")
    parser.add_argument(
        "--modules",
        type=int,
        default=_MODULES,
        metavar="MODULES",
        help="validation modules that flow through the netlist: the first ones, in their order",
    )
    add_or_skip(
        parser, "where there is no netlist, tool or power in the library, record that and succeed"
    )


def measure(_stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    require_at_least(1, arguments, "modules")
    target = load_target(arguments.target)
    rtl = generated_design(design)
    ports = simulated_design(rtl, design.target.rtl)
    netlist = netlist_of(design, GENERATED, ports.verilog, target)
    power = read_power(netlist.library, {gate.kind for gate in netlist.gates})
    validation = read_validation(design.model)
    images = validation.to_images(validation.calq[: arguments.modules])
    modules = len(images)
    if not modules:
        raise InputError(f"{design.model.validation}: no modules; train with more data")
    fed = modules + vectors_to_fill(rtl.latency_cycles)
    with progress("switching of the netlist", fed) as advance:
        activity = switching(netlist, ports, port_codes(images, rtl), rtl.latency_cycles, advance)
    found = energy(netlist, power, activity, target.clock_period_ns)
    each = {part: picojoules / modules for part, picojoules in found.parts.items()}
    total = sum(each.values())
    values: dict[str, Value] = {
        "energy.per_module_pj": round(total, 4),
        **{f"energy.{part}_pj": round(picojoules, 4) for part, picojoules in each.items()},
        "energy.power_mw": round(total / target.clock_period_ns, 6),
        "energy.modules": modules,
    }
    version = opensta_version()
    if version:
        theirs = opensta_power(netlist, activity, target.clock_period_ns)
        values[_BY_OPENSTA] = round(theirs.total_mw, 6)
    shares = ", ".join(f"{part} {picojoules / total:.0%}" for part, picojoules in each.items())
    return Found(
        values,
        reasons={} if version else {_BY_OPENSTA: NOT_INSTALLED},
        packages=(DISTRIBUTION,),
        tools={OPENSTA: version} if version else {},
        of_modules=True,
        told=(
            f"energy: {total:.2f} pJ a module ({shares}), {total / target.clock_period_ns:.3f} mW "
            f"at a clock of {target.clock_period_ns:g} ns, over {modules:,} modules; no wires, no "
            "glitches: a lower bound",
        ),
    )
