"""Make Verilog of the trained encoder, its weights wired in, from hls4ml's model graph."""

import argparse
import shutil
import sys
import time

import numpy as np

from flows.artefacts.validation import read_validation
from flows.command_line.step_options import add_design, add_or_skip
from flows.layout import (
    ModelLayout,
    TargetLayout,
    model_layout,
    target_layout,
)
from flows.provenance import file_hash, provenance
from flows.steps.csim import hls_project
from flows.steps.hls import for_hls4ml
from hw.foundation.errors import InputError
from hw.generated.network_logic import NoLogic, Wiring, network_logic, straight_wiring
from hw.generated.verilog import GeneratedRtl, write_rtl
from hw.hls.conversion import HlsProject, NoFixedPoint, layer_types, model_graph
from hw.targets.target import Target, load_target, target_names
from models.data.geometry import TRIGGER_CELLS, Arrangement
from models.data.normalisation import LARGEST, Normalisation
from reports.metrics import Metric, with_provenance, write_metrics
from reports.side_by_side import GENERATED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(
        parser, f"hardware target ({', '.join(target_names())}), or a path to such a YAML file"
    )
    add_or_skip(parser, "where no logic can be made of the encoder, record that and succeed")


def run(arguments: argparse.Namespace) -> None:
    target = load_target(arguments.target)
    of_model = model_layout(arguments.build, arguments.model)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    shutil.rmtree(layout.rtl, ignore_errors=True)
    layout.rtl_metrics.unlink(missing_ok=True)
    try:
        design = generate(of_model, layout, target)
    except (NoFixedPoint, NoLogic) as error:
        if not arguments.or_skip:
            raise
        source = provenance(model_hash=file_hash(of_model.network("encoder")))
        skipped = [
            m.model_copy(update={"value": None, "reason": str(error), "provenance": source})
            for m in _PROMISED
        ]
        write_metrics(layout.rtl_metrics, skipped)
        print(f"rtl skipped: {error}")
        return
    source = provenance(
        model_hash=design.encoder_hash, packages=("hls4ml",), tools=dict(design.tools)
    )
    metrics = with_provenance(_metrics(design), source)
    write_metrics(layout.rtl_metrics, metrics)
    print(
        f"Verilog: {design.estimated_lut:,} LUT estimated, {design.latency_cycles} clocks of "
        f"{target.clock_period_ns:g} ns, {design.estimated_stage_delay_ns:.1f} ns estimated from "
        f"register to register: {layout.rtl}"
    )


def generate(of_model: ModelLayout, layout: TargetLayout, target: Target) -> GeneratedRtl:
    """Make the Verilog of the encoder that the HLS project of this layout was made from.

    Raises:
        NoFixedPoint: the hls step was skipped.
        NoLogic: a layer or number format that cannot be built.
        InputError: there is no HLS project, or it is another encoder's or target's.
    """
    encoder_file = of_model.network("encoder")
    project = hls_project(layout, encoder_file)
    print(f"making logic of {encoder_file}", file=sys.stderr, flush=True)

    from models.networks.encoder import load_network

    network, formats = for_hls4ml(load_network(encoder_file))
    start = time.perf_counter()
    graph = model_graph(network, target, log=layout.folder / "rtl.log", formats=formats)
    if layer_types(graph) != project.layers:
        raise InputError(
            f"{layout.hls} has other number formats than the encoder gets for this target now; run "
            f"the hls step anew: make hls MODEL={of_model.folder.name} TARGET={layout.folder.name}"
        )
    wiring = _wiring(of_model, target, project)
    logic = network_logic(graph, wiring)
    design = write_rtl(logic, wiring, target, layout.rtl, encoder_hash=project.encoder_hash)
    print(f"made in {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    return design


def module_wiring(arrangement: Arrangement, normalisation: Normalisation) -> Wiring:
    """The cells of a normalised module, in CALQ order, where the network's image shows them."""
    shown = np.where(arrangement.shown, arrangement.cell, -1)
    return Wiring(TRIGGER_CELLS, shown, LARGEST[normalisation])


def _wiring(of_model: ModelLayout, target: Target, project: HlsProject) -> Wiring:
    if target.rtl.inputs == "image":
        return straight_wiring(project.input.size)
    validation = read_validation(of_model)
    return module_wiring(validation.arrangement, validation.normalisation)


def _metrics(design: GeneratedRtl) -> list[Metric]:
    values = {
        "latency.cycles": design.latency_cycles,
        "latency.ns": design.latency_cycles * design.target.clock_period_ns,
        "fpga.lut": design.estimated_lut,
        "fpga.ff": design.register_bits + design.latency_cycles,
        "timing.critical_path_ns": design.estimated_stage_delay_ns,
    }
    return [m.model_copy(update={"value": values[m.name], "reason": None}) for m in _PROMISED]


_PROMISED = [
    Metric(name=name, value=None, unit=unit, better="lower", variant=GENERATED, reason="not made")
    for name, unit in (
        ("latency.cycles", "cycles"),
        ("latency.ns", "ns"),
        ("fpga.lut", "LUT"),
        ("fpga.ff", "FF"),
        ("timing.critical_path_ns", "ns"),
    )
]
