"""Simulate the netlist mapped to a cell library and compare its integer codes with Keras."""

import argparse

import numpy as np

from flows.command_line.progress import progress
from flows.command_line.step_options import (
    OR_VERDICT,
    add_design,
    add_or_skip,
    add_stimulus,
    check_stimulus,
    or_verdict,
)
from flows.layout import (
    ModelLayout,
    TargetLayout,
    model_layout,
    target_layout,
)
from flows.provenance import file_hash, provenance
from flows.steps.csim import expected_codes, in_words, vector_groups
from flows.steps.rtlsim import generated_design, port_codes, shown_groups, simulated_design
from flows.steps.timing import cell_library, synthesised
from hw.foundation.errors import CheckFailed, ToolMissing
from hw.generated.network_logic import NoLogic
from hw.netlist.gate_netlist import mapped_netlist
from hw.open_tools.yosys import DISTRIBUTION
from hw.targets.target import Target, load_target
from reports.form_metrics import Value
from reports.metrics import Provenance, with_provenance, write_metrics
from reports.netlist import GATESIM, netlist_metrics
from reports.side_by_side import GENERATED
from testbench.comparison import compare
from testbench.simulators.gatesim import simulate
from testbench.simulators.rtlsim import Feed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    add_stimulus(parser)
    add_or_skip(parser, OR_VERDICT)


def run(arguments: argparse.Namespace) -> None:
    check_stimulus(arguments)
    target = load_target(arguments.target)
    of_model = model_layout(arguments.build, arguments.model)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    layout.gatesim_metrics.unlink(missing_ok=True)

    def record(reason: str) -> None:
        source = provenance(model_hash=file_hash(of_model.network("encoder")))
        _write(layout, source, {}, reason)

    with or_verdict(arguments, "gatesim", (NoLogic, ToolMissing), record):
        _simulate(of_model, layout, target, arguments.vectors, arguments.seed)


def _simulate(
    of_model: ModelLayout, layout: TargetLayout, target: Target, vectors: int, seed: int
) -> None:
    encoder_file = of_model.network("encoder")
    design = generated_design(layout, encoder_file)
    netlist = mapped_netlist(synthesised(layout), design.top, cell_library(target))
    ports = simulated_design(design, layout.rtl)

    from models.networks.encoder import load_network

    encoder = load_network(encoder_file)
    groups = shown_groups(vector_groups(of_model, encoder, vectors, seed), design)
    images = np.concatenate([group.images for group in groups])
    origins = [origin for group in groups for origin in group.origins]
    expected = expected_codes(encoder, groups, design.output.fixed, len(images))
    source = provenance(
        model_hash=design.encoder_hash,
        data_hash=file_hash(of_model.validation),
        seed=seed,
        packages=("tf-keras", "qkeras", DISTRIBUTION),
        tools=dict(design.tools),
    )
    values: dict[str, Value] = {"gatesim.vectors": len(origins)}
    try:
        with progress("gate-level simulation", len(images)) as advance:
            ran = simulate(netlist, ports, [Feed(port_codes(images, design))], advance)
        rate = len(images) / ran.seconds
        if ran.latency != design.latency_cycles:
            raise CheckFailed(
                f"latency {ran.latency} clocks, that of the RTL is {design.latency_cycles}"
            )
    except CheckFailed as error:  # answers are missing, or come at irregular times
        _write(layout, source, values, str(error))
        raise
    finer = expected.fraction - design.output.fixed.fraction
    comparison = compare(expected.codes, ran.codes << finer, origins)
    values |= {
        "gatesim.mismatches": comparison.mismatches,
        "gatesim.vectors_per_second": round(rate),
    }
    message = None
    if comparison.first:
        message = (
            f"netlist: {comparison.mismatches:,} of {comparison.vectors:,} vectors differ "
            f"({comparison.mismatching_codes:,} codes); {in_words(comparison.first)} (in steps of "
            f"2**-{expected.fraction})"
        )
    _write(layout, source, values, message)
    if message:
        raise CheckFailed(f"{of_model.folder.name} on {target.name}: {message}")
    print(
        f"gatesim passed: {len(origins):,} vectors, 0 mismatches of Keras and netlist, "
        f"{rate:,.0f} vectors/s"
    )


def _write(
    layout: TargetLayout, source: Provenance, values: dict[str, Value], reason: str | None
) -> None:
    metrics = netlist_metrics(GATESIM, GENERATED, values, reason)
    write_metrics(layout.gatesim_metrics, with_provenance(metrics, source))
