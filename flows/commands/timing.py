"""Critical path and slack of the netlist mapped to a cell library."""

import argparse

from flows.artefacts.generated_rtl import generated_design, simulated_design
from flows.artefacts.netlists import chip_design, netlist_of
from flows.artefacts.seals import metrics_file
from flows.command_line.options import add_design, add_or_skip
from flows.frame import Found
from flows.layout import DesignLayout
from flows.stages import Stage
from hw.forms import GENERATED
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import ToolMissing
from hw.generated.network_logic import NoLogic
from hw.netlist.gate_netlist import GateNetlist
from hw.netlist.opensta import NOT_INSTALLED, OPENSTA, opensta_version
from hw.netlist.static_timing import (
    CriticalPath,
    NoDelays,
    critical_path,
    opensta_critical_path,
)
from hw.open_tools.yosys import DISTRIBUTION
from hw.targets.target import Target, load_target
from reports.catalogue import Value

CANNOT = (NoLogic, NoDelays, ToolMissing)

_BY_OPENSTA = ("timing.opensta.critical_path_ns", "timing.opensta.slack_ns")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser, "hardware target: its clock period in ns, and its Liberty file")
    add_or_skip(parser, "where there is no netlist, tool or delay, record that and succeed")


def measure(stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    assert stage.form is not None
    target = load_target(arguments.target)
    if stage.form is GENERATED:
        rtl = simulated_design(generated_design(design), design.target.rtl).verilog
    else:
        rtl = chip_design(stage.form)
    netlist = netlist_of(design, stage.form, rtl, target)
    paths = _critical_paths(netlist, target)
    text = "\n\n".join(path.report for path in paths) + "\n"
    write_text(metrics_file(stage, design).with_suffix(".txt"), text)
    values: dict[str, Value] = {}
    for path in paths:
        prefix = "timing.opensta" if path.tool == OPENSTA else "timing"
        values[f"{prefix}.critical_path_ns"] = round(path.delay_ns, 4)
        values[f"{prefix}.slack_ns"] = round(target.clock_period_ns - path.delay_ns, 4)
    has_opensta = len(paths) > 1
    return Found(
        values,
        reasons={} if has_opensta else dict.fromkeys(_BY_OPENSTA, NOT_INSTALLED),
        packages=(DISTRIBUTION,),
        tools={OPENSTA: opensta_version() or ""} if has_opensta else {},
        told=tuple(
            f"{path.tool}: critical path {path.delay_ns:.3f} ns, slack "
            f"{target.clock_period_ns - path.delay_ns:.3f} ns, {len(path.cells)} cells, from "
            f"{path.start} to {path.end}"
            for path in paths
        ),
    )


def _critical_paths(netlist: GateNetlist, target: Target) -> list[CriticalPath]:
    paths = [critical_path(netlist)]
    if opensta_version() is not None:
        paths.append(opensta_critical_path(netlist, target.clock_period_ns))
    return paths
