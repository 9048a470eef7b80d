"""Simulate the ECON-T's own, reconfigurable RTL with a model's weights loaded over its bus.

The encoder runs the model's modules and is compared with the golden model; so is the whole path
from input links to output links, also with other weights and registers, and where recorded vectors
of the CMS emulator are there, with those.  The compiled simulations serve all models.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flows.artefacts.chip_encoder import (
    RANDOM_SETS,
    add_recorded,
    chip_encoder,
    emulator_metrics,
    encoder_sets,
    recorded_by_emulator,
)
from flows.artefacts.hls_project import network_in_integers
from flows.artefacts.stimulus import vector_groups
from flows.command_line.options import (
    LEAVE_VERDICT,
    add_build,
    add_or_skip,
    add_stimulus,
    add_target,
)
from flows.frame import Found
from flows.layout import DesignLayout, TargetLayout, shared_folder
from flows.stages import Stage
from hw.forms import RECONFIGURABLE
from hw.foundation.errors import ToolMissing
from hw.open_tools.verilator import version
from hw.targets.target import load_target
from testbench.comparison import in_words
from testbench.simulators.rtlsim import (
    RtlDesign,
    RtlSimulator,
    Verification,
    compile_design,
    measured_latency,
    verify,
)
from testbench.vectors import VectorGroup

if TYPE_CHECKING:
    from testbench.econ_t.block_sets import BlockSet
    from testbench.econ_t.encoder_weights import EncoderWeights
    from testbench.econ_t.reconfigurable import Stimulus

CANNOT = (ToolMissing,)

_PATH_MODULES = 10_000  # modules that take the whole path too; the encoder runs all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_build(parser)
    parser.add_argument("--model", default="econ_t", help="model in the chip's arithmetic")
    add_target(parser, "hardware target: the clock period of its report")
    add_stimulus(
        parser, "modules that the encoder runs", "seed of random weights, registers and modules"
    )
    add_recorded(parser)
    add_or_skip(parser, LEAVE_VERDICT)


def measure(stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    target, layout = load_target(arguments.target), design.target
    encoder, weights = chip_encoder(design.model)

    from testbench.econ_t.reconfigurable import (
        autoencoder_design,
        encoder_design,
        encoder_stimulus,
    )

    compiled = shared_folder(design.build, RECONFIGURABLE)
    network = network_in_integers(encoder)
    groups = vector_groups(design.model, network, arguments.vectors, arguments.seed)
    stimulus = encoder_stimulus(encoder_sets(design.model, weights, groups, arguments.seed))
    simulator = _compile(encoder_design(), compiled / "encoder")
    of_encoder = _verify(simulator, stimulus, layout, "encoder")

    simulator = _compile(autoencoder_design(), compiled / "path")
    sets = _path_sets(weights, groups, arguments.seed)
    found = {
        "encoder": of_encoder,
        "whole path": _verify(simulator, _path_stimulus(sets), layout, "path"),
    }
    of_emulator = None
    if recorded := recorded_by_emulator(arguments.recorded):
        of_emulator = _verify(simulator, _path_stimulus(recorded), layout, "emulator")
        found["whole path on the CMS emulator's vectors"] = of_emulator
    failures = [
        f"{name}: {v.comparison.mismatches:,} of {v.comparison.vectors:,} vectors differ; "
        f"{in_words(v.comparison.first)}; waveforms: {v.waveform}"
        for name, v in found.items()
        if v.comparison.first
    ]
    emulated = of_emulator.comparison if of_emulator else None
    return Found(
        {
            "rtlsim.vectors": sum(v.comparison.vectors for v in found.values()),
            "rtlsim.mismatches": sum(v.comparison.mismatches for v in found.values()),
            "rtlsim.vectors_per_second": round(
                of_encoder.comparison.vectors / of_encoder.run.seconds
            ),
            **measured_latency(of_encoder.run, target.clock_period_ns),
        },
        more=emulator_metrics("rtlsim", stage.evidence, emulated, arguments.recorded),
        failure="; ".join(failures) or None,
        subject="reconfigurable RTL",
        told=tuple(
            f"{name}: {v.comparison.vectors:,} vectors, 0 mismatches, latency "
            f"{v.run.latency} clocks, one vector every {v.run.initiation_interval}"
            for name, v in found.items()
        ),
        tools={"verilator": version()},
        of_modules=True,
    )


def _path_sets(
    weights: "EncoderWeights", groups: Sequence[VectorGroup], seed: int
) -> list["BlockSet"]:
    """Modules with the model's weights; corners and random registers with others."""
    from models.networks.econ_t_formats import LATENT
    from testbench.econ_t.block_sets import corner_sets, module_sets, random_sets

    left = _PATH_MODULES
    sets: list[BlockSet] = []
    for group in groups:
        if group.calq is None or not left:
            continue
        calq, origins = group.calq[:left], group.origins[:left]
        sets += module_sets("this model", calq, origins, weights, LATENT.width)
        left -= len(calq)
    return [*sets, *corner_sets(), *random_sets(np.random.default_rng(seed), RANDOM_SETS)]


def _path_stimulus(sets: Iterable["BlockSet"]) -> "Stimulus":
    from testbench.econ_t.reconfigurable import AutoencoderSet, autoencoder_stimulus

    return autoencoder_stimulus(
        [AutoencoderSet(item.name, item.registers, item.words, item.links) for item in sets]
    )


def _compile(design: RtlDesign, folder: Path) -> RtlSimulator:
    print(
        f"compiling {design.verilog.top} with Verilator: minutes, the first time",
        file=sys.stderr,
        flush=True,
    )
    return compile_design(design, folder)


def _verify(
    simulator: RtlSimulator, stimulus: "Stimulus", layout: TargetLayout, name: str
) -> Verification:
    print(f"{name}: {len(stimulus.origins):,} vectors", file=sys.stderr, flush=True)
    waveform = layout.rtlsim_reconfigurable / f"{name}.vcd"
    return verify(simulator, stimulus.steps, stimulus.expected, stimulus.origins, waveform)
