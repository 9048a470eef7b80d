"""Place and route the generated RTL on a Lattice ECP5: what wires do to its clock frequency."""

import argparse

from flows.artefacts.generated_rtl import generated_design, simulated_design
from flows.command_line.options import add_design, add_or_skip, add_seconds
from flows.frame import Found
from flows.layout import DesignLayout
from flows.stages import Stage
from hw.foundation.errors import ToolMissing
from hw.generated.network_logic import NoLogic
from hw.open_tools.ecp5 import DEVICE, DISTRIBUTION, DoesNotFit, place_and_route
from hw.open_tools.yosys import DISTRIBUTION as YOSYS
from hw.targets.target import load_target

CANNOT = (NoLogic, ToolMissing, DoesNotFit)

SECONDS = 1800.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser, "hardware target, for its clock period in ns: what the router aims at")
    add_seconds(parser, SECONDS, "give up placing and routing after this time")
    add_or_skip(
        parser, "where it cannot be done, does not fit or takes too long, record that and succeed"
    )


def measure(_stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    target = load_target(arguments.target)
    rtl = generated_design(design)
    if not rtl.latency_cycles:
        raise DoesNotFit("logic without registers has no clock frequency")
    verilog = simulated_design(rtl, design.target.rtl).verilog
    routed = place_and_route(verilog, target.clock_period_ns, arguments.seconds)
    return Found(
        {"timing.ecp5.fmax_mhz": routed.fmax_mhz, "timing.ecp5.cells": routed.cells},
        packages=(YOSYS, DISTRIBUTION),
        told=(
            f"{DEVICE} after place and route: {routed.fmax_mhz:g} MHz, {routed.cells:,} of "
            f"{routed.available:,} logic cells (no other FPGA's figures, nor the target's)",
        ),
    )
