"""Take the HLS projects through the vendor's tools, where they are installed, and read the reports.

Hours of work may lie in this stage, so it runs only when asked for; the report shows what it left.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from flows.artefacts.encoder import trained_encoder
from flows.artefacts.hls_project import hls_project, network_in_integers
from flows.artefacts.seals import discard_results, read_now, write_results
from flows.artefacts.stimulus import expected_codes, vector_groups
from flows.artefacts.vendor_results import vendor_metrics
from flows.command_line.console import output_console
from flows.command_line.options import add_design, add_stimulus, check_options
from flows.layout import ModelLayout, design_layout
from flows.stages import BY_NAME
from hw.backends.hls_backend import Request
from hw.backends.tool_reports import Figure
from hw.backends.vendor_runs import (
    VendorRun,
    carry_out,
    plan,
    plan_block,
    prepare,
    read_vendor_reports,
)
from hw.foundation.errors import CheckFailed, ToolFailed
from hw.hls.chip_block import TOP as BLOCK
from reports.metrics import Metric
from reports.tables.values import format_value

VECTORS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    parser.add_argument(
        "--cosim",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="simulate the RTL that HLS makes and compare its outputs with Keras",
    )
    parser.add_argument(
        "--synthesis",
        action="store_true",
        help="let Vivado synthesise that RTL too (FPGA targets)",
    )
    add_stimulus(
        parser,
        "modules in the co-simulation, besides the directed set",
        "seed of the directed set",
        default=VECTORS,
    )


def run(arguments: argparse.Namespace) -> None:
    check_options(arguments)
    stage, design = (
        BY_NAME["vendor"],
        design_layout(arguments.build, arguments.model, arguments.target),
    )
    read = read_now(stage, design)
    layout, project = design.target, hls_project(design)
    request = Request(cosim=arguments.cosim, synthesis=arguments.synthesis)
    runs = plan(layout.hls, project.target, request)
    block = plan_block(layout.block) if layout.block.is_dir() else []

    discard_results(stage, design)
    vectors = None
    if request.cosim:
        vectors = _vectors(design.model, arguments.vectors, arguments.seed)
    prepare(layout.hls, project.top, project.target, request, vectors)
    _carry_out(runs)
    _require_reports(read_vendor_reports(layout.hls), layout.hls, request)
    if block:
        prepare(layout.block, BLOCK, project.target, Request(), None)
        _carry_out(block)
        _require_reports(read_vendor_reports(layout.block), layout.block, Request())

    metrics = vendor_metrics(layout, project.encoder_hash)
    write_results(stage, design, metrics, read)
    _show(metrics)
    _judge(metrics)


def _vectors(
    of_model: ModelLayout, count: int, seed: int
) -> tuple[list[list[float]], list[list[float]]]:
    """Inputs of the bench and what must come of them, one row a vector."""
    from models.networks.network_files import load_network

    encoder = load_network(trained_encoder(of_model))
    network = network_in_integers(encoder)
    groups = vector_groups(of_model, network, count, seed)
    images = np.concatenate([group.images for group in groups])
    expected = expected_codes(network, encoder, groups, len(images))
    outputs = expected.codes * 2.0**-expected.fraction
    return images.reshape(len(images), -1).tolist(), outputs.tolist()


def _carry_out(runs: list[VendorRun]) -> None:
    for call in runs:
        print(f"running {' '.join(call.command)}\n  in {call.folder}", file=sys.stderr)
        print(f"  log: {call.log}", file=sys.stderr, flush=True)
        start = time.monotonic()
        carry_out(call)
        print(f"  done in {(time.monotonic() - start) / 60:.1f} min", file=sys.stderr, flush=True)


def _require_reports(figures: list[Figure], project: Path, request: Request) -> None:
    """A tool that ended well and left no report did not do what was asked."""
    found = {(figure.name, figure.report.evidence) for figure in figures}
    wanted = {("latency.cycles", "estimate"): "of synthesis to RTL"}
    if request.cosim:
        wanted["cosim.passed", "rtlsim"] = "of co-simulation"
    if request.synthesis:
        wanted["fpga.lut", "synth"] = "of logic synthesis"
    lacking = [words for key, words in wanted.items() if key not in found]
    if lacking:
        raise ToolFailed(
            f"the vendor's tool ended without an error, but left no report {', '.join(lacking)} in "
            f"{project}; see vendor_*.log there"
        )


def _show(metrics: list[Metric]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("metric", "value", "unit", "evidence", "tool"):
        table.add_column(heading)
    for metric in metrics:
        tools = metric.provenance.tools if metric.provenance else {}
        value, tool = format_value(metric.value), " ".join(next(iter(tools.items()), ()))
        table.add_row(metric.name, value, metric.unit, metric.evidence.value, tool)
    output_console().print(table)


def _judge(metrics: list[Metric]) -> None:
    """Simulated RTL that differs is a failure, whatever the tool says of itself."""
    wrong = [
        f"{metric.name} is {format_value(metric.value)}"
        + (f" ({metric.reason})" if metric.reason else "")
        for metric in metrics
        if (metric.name.endswith("cosim.passed") and metric.value is not True)
        or (metric.name.endswith("cosim.mismatches") and metric.value != 0)
    ]
    if wrong:
        raise CheckFailed(
            "the simulated RTL is not the design that was proved: " + "; ".join(wrong)
        )
