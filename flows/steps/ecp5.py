"""Place and route the generated RTL on a Lattice ECP5: what wires do to its clock frequency."""

import argparse

from flows.command_line.step_options import add_design, add_or_skip, require_some_seconds
from flows.layout import (
    TargetLayout,
    model_layout,
    target_layout,
)
from flows.provenance import file_hash, provenance
from flows.steps.rtlsim import generated_design, simulated_design
from hw.foundation.errors import ToolMissing
from hw.generated.network_logic import NoLogic
from hw.open_tools.ecp5 import DEVICE, DISTRIBUTION, DoesNotFit, place_and_route
from hw.open_tools.yosys import DISTRIBUTION as YOSYS
from hw.targets.target import load_target
from reports.form_metrics import Value
from reports.metrics import Provenance, with_provenance, write_metrics
from reports.netlist import ECP5, netlist_metrics
from reports.side_by_side import GENERATED

SECONDS = 1800.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser, "hardware target, for its clock period in ns: what the router aims at")
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        metavar="SECONDS",
        help="give up placing and routing after this time",
    )
    add_or_skip(
        parser, "where it cannot be done, does not fit or takes too long, record that and succeed"
    )


def run(arguments: argparse.Namespace) -> None:
    require_some_seconds(arguments)
    target = load_target(arguments.target)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    encoder_file = model_layout(arguments.build, arguments.model).network("encoder")
    layout.ecp5_metrics.unlink(missing_ok=True)
    try:
        design = generated_design(layout, encoder_file)
        if not design.latency_cycles:
            raise DoesNotFit("logic without registers has no clock frequency")
        verilog = simulated_design(design, layout.rtl).verilog
        found = place_and_route(verilog, target.clock_period_ns, arguments.seconds)
    except (NoLogic, ToolMissing, DoesNotFit) as error:
        if not arguments.or_skip:
            raise
        _write(layout, provenance(model_hash=file_hash(encoder_file)), {}, str(error))
        print(f"ecp5 skipped: {error}")
        return
    source = provenance(model_hash=design.encoder_hash, packages=(YOSYS, DISTRIBUTION))
    values: dict[str, Value] = {
        "timing.ecp5.fmax_mhz": found.fmax_mhz,
        "timing.ecp5.cells": found.cells,
    }
    _write(layout, source, values, None)
    print(
        f"{DEVICE} after place and route: {found.fmax_mhz:g} MHz, {found.cells:,} of "
        f"{found.available:,} logic cells (no other FPGA's figures, nor the target's)"
    )


def _write(
    layout: TargetLayout, source: Provenance, values: dict[str, Value], reason: str | None
) -> None:
    metrics = netlist_metrics(ECP5, GENERATED, values, reason)
    write_metrics(layout.ecp5_metrics, with_provenance(metrics, source))
