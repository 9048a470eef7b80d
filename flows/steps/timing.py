"""Critical path and slack of the netlist mapped to a cell library."""

import argparse
from pathlib import Path

from flows.command_line.step_options import add_design, add_or_skip
from flows.layout import (
    TargetLayout,
    model_layout,
    reconfigurable_synth,
    reconfigurable_timing,
    target_layout,
)
from flows.provenance import file_hash, provenance
from flows.steps.rtlsim import generated_design, simulated_design
from flows.steps.synth import ASIC, RECONFIGURABLE_TOP
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError, ToolMissing
from hw.generated.network_logic import NoLogic
from hw.netlist.gate_netlist import GateNetlist, mapped_netlist
from hw.netlist.liberty import Library, read_liberty
from hw.netlist.static_timing import (
    OPENSTA,
    CriticalPath,
    NoDelays,
    critical_path,
    opensta_critical_path,
    opensta_version,
)
from hw.open_tools.verilator import Design
from hw.open_tools.yosys import DISTRIBUTION
from hw.rtl import sources
from hw.synthesis.asic import is_mapped, nangate45, read_library
from hw.targets.target import Target, load_target
from reports.metrics import Metric, read_metrics, with_provenance, write_metrics
from reports.netlist import OPENSTA as OPENSTA_NAMES
from reports.netlist import TIMING, netlist_metrics
from reports.side_by_side import GENERATED, RECONFIGURABLE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser, "hardware target: its clock period in ns, and its Liberty file")
    parser.add_argument(
        "--reconfigurable",
        action="store_true",
        help="time the chip's own encoder, in place of the model's generated RTL",
    )
    add_or_skip(parser, "where there is no netlist, tool or delay, record that and succeed")


def run(arguments: argparse.Namespace) -> None:
    target = load_target(arguments.target)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    encoder_file = model_layout(arguments.build, arguments.model).network("encoder")
    file = layout.timing_metrics
    if arguments.reconfigurable:
        file = reconfigurable_timing(arguments.build, arguments.target)
    file.unlink(missing_ok=True)
    variant = RECONFIGURABLE if arguments.reconfigurable else GENERATED
    model_hash = None
    try:
        if arguments.reconfigurable:
            design = Design(sources(), RECONFIGURABLE_TOP)
            folder, remedy = reconfigurable_synth(arguments.build) / ASIC, "synth-reconfigurable"
        else:
            generated = generated_design(layout, encoder_file)
            design = simulated_design(generated, layout.rtl).verilog
            folder, remedy = synthesised(layout), f"synth MODEL={layout.folder.parent.name}"
            model_hash = generated.encoder_hash
        netlist = mapped_netlist(folder, design.top, cell_library(target))
        library = read_library(netlist.library.file, target.gate_equivalent_cell)
        if not is_mapped(design, library, folder):
            raise InputError(
                f"{folder} was not made from the RTL, cell library and tools that there are now; "
                f"run the synth step anew: make {remedy} TARGET={layout.folder.name}"
            )
        paths = _measure(netlist, target)
    except (NoLogic, NoDelays, ToolMissing) as error:
        if not arguments.or_skip:
            raise
        model_hash = None if arguments.reconfigurable else file_hash(encoder_file)
        source = provenance(model_hash=model_hash)
        metrics = netlist_metrics(TIMING, variant, {}, str(error))
        write_metrics(file, with_provenance(metrics, source))
        print(f"timing skipped: {error}")
        return
    tools = {OPENSTA: opensta_version() or ""} if len(paths) > 1 else {}
    source = provenance(model_hash=model_hash, packages=(DISTRIBUTION,), tools=tools)
    metrics = _metrics(paths, target, variant)
    write_text(file.with_suffix(".txt"), "\n\n".join(path.report for path in paths) + "\n")
    write_metrics(file, with_provenance(metrics, source))
    for path in paths:
        print(
            f"{path.tool}: critical path {path.delay_ns:.3f} ns, slack "
            f"{target.clock_period_ns - path.delay_ns:.3f} ns, {len(path.cells)} cells, from "
            f"{path.start} to {path.end}"
        )


def synthesised(layout: TargetLayout) -> Path:
    """The folder of the netlist mapped to the cell library.

    Raises:
        ToolMissing: the synth step was skipped for want of a tool.
    """
    folder = layout.synth / ASIC
    if not folder.is_dir() and layout.synth_metrics.is_file():
        found = read_metrics(layout.synth_metrics)
        if found and all(metric.value is None for metric in found):
            raise ToolMissing(found[0].reason)
    return folder


def cell_library(target: Target) -> Library:
    """The library that the target's netlists are mapped to."""
    return read_liberty(Path(target.liberty) if target.liberty else nangate45())


def _measure(gates: GateNetlist, target: Target) -> list[CriticalPath]:
    paths = [critical_path(gates)]
    if opensta_version() is not None:
        paths.append(opensta_critical_path(gates, target.clock_period_ns))
    return paths


def _metrics(paths: list[CriticalPath], target: Target, variant: str) -> list[Metric]:
    values: dict[str, float] = {}
    for path in paths:
        prefix = "timing.opensta" if path.tool == OPENSTA else "timing"
        values[f"{prefix}.critical_path_ns"] = round(path.delay_ns, 4)
        values[f"{prefix}.slack_ns"] = round(target.clock_period_ns - path.delay_ns, 4)
    missing = "OpenSTA is not installed; Debian/Ubuntu: apt install opensta"
    return [
        *netlist_metrics(TIMING, variant, values),
        *netlist_metrics(OPENSTA_NAMES, variant, values, missing),
    ]
