"""Simulate the netlist mapped to a cell library and compare its integer codes with Keras."""

import argparse

import numpy as np

from flows.artefacts.encoder import trained_encoder
from flows.artefacts.generated_rtl import (
    generated_design,
    port_codes,
    shown_groups,
    simulated_design,
)
from flows.artefacts.hls_project import network_in_integers
from flows.artefacts.netlists import cell_library, mapped_folder
from flows.artefacts.stimulus import expected_codes, vector_groups
from flows.command_line.options import LEAVE_VERDICT, add_design, add_or_skip, add_stimulus
from flows.command_line.progress import progress
from flows.frame import Found
from flows.layout import DesignLayout
from flows.stages import Stage
from hw.forms import GENERATED
from hw.foundation.errors import CheckFailed, ToolMissing
from hw.generated.network_logic import NoLogic
from hw.netlist.gate_netlist import mapped_netlist
from hw.open_tools.yosys import DISTRIBUTION
from hw.targets.target import load_target
from reports.catalogue import Value
from testbench.comparison import compare, in_words
from testbench.simulators.gatesim import simulate
from testbench.simulators.rtlsim import Feed

CANNOT = (NoLogic, ToolMissing)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    add_stimulus(parser)
    add_or_skip(parser, LEAVE_VERDICT)


def measure(_stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    library = cell_library(load_target(arguments.target))
    rtl = generated_design(design)
    netlist = mapped_netlist(mapped_folder(design, GENERATED), rtl.top, library)

    from models.networks.network_files import load_network

    encoder = load_network(trained_encoder(design.model))
    network = network_in_integers(encoder)
    groups = vector_groups(design.model, network, arguments.vectors, arguments.seed)
    groups = shown_groups(groups, rtl)
    images = np.concatenate([group.images for group in groups])
    origins = [origin for group in groups for origin in group.origins]
    expected = expected_codes(network, encoder, groups, len(images))
    values: dict[str, Value] = {"gatesim.vectors": len(origins)}

    def found(failure: str | None, *told: str) -> Found:
        return Found(
            values,
            failure=failure,
            told=told,
            packages=("tf-keras", "qkeras", DISTRIBUTION),
            tools=dict(rtl.tools),
            of_modules=True,
        )

    try:
        with progress("gate-level simulation", len(images)) as advance:
            ports = simulated_design(rtl, design.target.rtl)
            ran = simulate(netlist, ports, [Feed(port_codes(images, rtl))], advance)
    except CheckFailed as error:  # answers are missing, or come at irregular times
        return found(str(error))
    if ran.latency != rtl.latency_cycles:
        return found(f"latency {ran.latency} clocks, that of the RTL is {rtl.latency_cycles}")
    finer = expected.fraction - rtl.output.fixed.fraction
    comparison = compare(expected.codes, ran.codes << finer, origins)
    rate = len(images) / ran.seconds
    values |= {
        "gatesim.mismatches": comparison.mismatches,
        "gatesim.vectors_per_second": round(rate),
    }
    if comparison.first:
        return found(
            f"netlist: {comparison.mismatches:,} of {comparison.vectors:,} vectors differ "
            f"({comparison.mismatching_codes:,} codes); {in_words(comparison.first)} (in steps of "
            f"2**-{expected.fraction})"
        )
    return found(
        None,
        f"gatesim passed: {len(origins):,} vectors, 0 mismatches of Keras and netlist, "
        f"{rate:,.0f} vectors/s",
    )
