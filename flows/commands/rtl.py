"""Make Verilog of the trained encoder, its weights wired in, from hls4ml's model graph."""

import argparse
import sys
import time

from flows.artefacts.encoder import trained_encoder
from flows.artefacts.generated_rtl import module_wiring
from flows.artefacts.hls_project import hls_project, network_in_integers
from flows.artefacts.settings import read_settings
from flows.artefacts.validation import read_validation
from flows.command_line.options import add_design, add_or_skip
from flows.frame import Found
from flows.layout import DesignLayout, ModelLayout
from flows.stages import Stage
from hw.foundation.integer_network import IntegerNetwork, NoFixedPoint
from hw.generated.layer_costs import whole
from hw.generated.layer_labels import NO_LAYER
from hw.generated.network_logic import NoLogic, Wiring, network_logic, straight_wiring
from hw.generated.verilog import GeneratedRtl, wanted_stage_delay_ns, write_rtl
from hw.targets.target import Target, load_target, target_names
from reports.catalogue import Value

CANNOT = (NoFixedPoint, NoLogic)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(
        parser, f"hardware target ({', '.join(target_names())}), or a path to such a YAML file"
    )
    add_or_skip(parser, "where no logic can be made of the encoder, record that and succeed")


def measure(_stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    target = load_target(arguments.target)
    rtl = _generate(design, target)
    return Found(
        {
            "latency.cycles": rtl.latency_cycles,
            "latency.ns": rtl.latency_cycles * target.clock_period_ns,
            "fpga.lut": rtl.estimated_lut,
            "fpga.ff": rtl.register_bits + rtl.latency_cycles,
            "timing.critical_path_ns": rtl.estimated_stage_delay_ns,
            **_by_layer(rtl),
        },
        packages=("tf-keras", "qkeras"),
        tools=dict(rtl.tools),
        told=(
            f"Verilog: {rtl.estimated_lut:,} LUT estimated, {rtl.latency_cycles} clocks of "
            f"{target.clock_period_ns:g} ns, {rtl.estimated_stage_delay_ns:.1f} ns estimated from "
            f"register to register: {design.target.rtl}",
            *_too_slow(rtl, target),
        ),
    )


def _by_layer(rtl: GeneratedRtl) -> dict[str, Value]:
    """What each layer takes, what is between layers, and the whole where no other metric has it."""
    together = whole(rtl.layers)
    values: dict[str, Value] = {
        "logic.adders": together.adders,
        "logic.depth": together.depth,
        "logic.delay_ns": together.delay_ns,
    }
    for part in rtl.layers:
        prefix = "between_layers" if part.layer == NO_LAYER else f"layers.{part.layer}"
        costs = part.model_dump(exclude={"layer"})
        values |= {f"{prefix}.{cost}": value for cost, value in costs.items()}
    return values


def _too_slow(rtl: GeneratedRtl, target: Target) -> tuple[str, ...]:
    delay, wanted = rtl.estimated_stage_delay_ns, wanted_stage_delay_ns(target)
    if target.rtl.pipeline_stages is not None or delay <= wanted:
        return ()
    return (
        f"one operation alone is estimated at {delay:.2f} ns, above the {wanted:g} ns of target "
        f"{target.name}: no pipeline cuts it; timing decides, or a target with a longer "
        "rtl: stage_delay_ns",
    )


def _generate(design: DesignLayout, target: Target) -> GeneratedRtl:
    """Make the Verilog of the encoder that the HLS project of this layout was made from.

    Raises:
        NoFixedPoint: the hls stage was skipped.
        NoLogic: a layer or number format that cannot be built.
        InputError: there is no HLS project, or it is another encoder's or target's.
    """
    layout, encoder_file = design.target, trained_encoder(design.model)
    project = hls_project(design)
    print(f"making logic of {encoder_file}", file=sys.stderr, flush=True)

    from models.networks.network_files import load_network

    network = network_in_integers(load_network(encoder_file))
    start = time.perf_counter()
    wiring = _wiring(design.model, target, network)
    logic = network_logic(network, wiring)
    rtl = write_rtl(logic, wiring, target, layout.rtl, encoder_hash=project.encoder_hash)
    print(f"made in {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    return rtl


def _wiring(of_model: ModelLayout, target: Target, network: IntegerNetwork) -> Wiring:
    settings = read_settings(of_model)
    of_modules = settings is not None and settings.task.about_modules
    if target.rtl.inputs == "image" or not of_modules:
        return straight_wiring(network.input_size)
    validation = read_validation(of_model)
    return module_wiring(validation.arrangement, validation.normalisation)
