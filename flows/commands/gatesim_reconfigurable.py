"""Simulate the netlist of the ECON-T's own, reconfigurable encoder with a model's weights.

They are loaded over its bus, as are corners and random ones, and its answers compared with the
golden model.  Where recorded vectors of the CMS emulator are there, the netlist also takes the
encoder's place in the golden model of the whole path, whose output links must be those recorded.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flows.artefacts.chip_encoder import (
    add_recorded,
    chip_encoder,
    emulator_metrics,
    encoder_sets,
    recorded_by_emulator,
)
from flows.artefacts.hls_project import network_in_integers
from flows.artefacts.netlists import cell_library, chip_design, mapped_folder
from flows.artefacts.stimulus import vector_groups
from flows.command_line.options import (
    LEAVE_VERDICT,
    add_build,
    add_or_skip,
    add_stimulus,
    add_target,
)
from flows.command_line.progress import progress
from flows.frame import Found
from flows.layout import DesignLayout
from flows.stages import Stage
from hw.forms import RECONFIGURABLE
from hw.foundation.errors import CheckFailed, ToolMissing
from hw.netlist.gate_netlist import mapped_netlist
from hw.open_tools.yosys import DISTRIBUTION
from hw.targets.target import load_target
from reports.catalogue import Value
from testbench.comparison import Comparison, compare, in_words
from testbench.simulators.gatesim import simulate
from testbench.simulators.rtlsim import Read, RtlRun, Step

if TYPE_CHECKING:
    from testbench.econ_t.block_sets import BlockSet
    from testbench.econ_t.golden_model import AutoencoderStages
    from testbench.econ_t.reconfigurable import EncoderSet, Pair

CANNOT = (ToolMissing,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_build(parser)
    parser.add_argument("--model", default="econ_t", help="model in the chip's arithmetic")
    add_target(parser, "hardware target: its Liberty file")
    add_stimulus(
        parser, "modules that the netlist runs", "seed of random weights and of generated modules"
    )
    add_recorded(parser)
    add_or_skip(parser, LEAVE_VERDICT)


def measure(stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    encoder, weights = chip_encoder(design.model)

    from testbench.econ_t.reconfigurable import encoder_design, encoder_stimulus, weight_writes

    top = chip_design(RECONFIGURABLE).top
    print(f"reading the netlist of {top}", file=sys.stderr, flush=True)
    library = cell_library(load_target(arguments.target))
    netlist = mapped_netlist(mapped_folder(design, RECONFIGURABLE), top, library)
    network = network_in_integers(encoder)
    groups = vector_groups(design.model, network, arguments.vectors, arguments.seed)
    chip = encoder_stimulus(encoder_sets(design.model, weights, groups, arguments.seed))
    written = weight_writes(weights)
    steps: list[Step] = [*chip.steps, Read([address for address, _ in written])]
    recorded = [_Recorded.of(item) for item in recorded_by_emulator(arguments.recorded)]
    if recorded:
        steps += encoder_stimulus([item.vectors for item in recorded]).steps
    vectors = len(chip.origins) + sum(len(item.vectors.inputs) for item in recorded)
    values: dict[str, Value] = {"gatesim.vectors": vectors}

    def found(failure: str | None, emulator: Comparison | None, *told: str) -> Found:
        return Found(
            values,
            more=emulator_metrics("gatesim", stage.evidence, emulator, arguments.recorded),
            failure=failure,
            subject=f"netlist of {top}",
            told=told,
            packages=("tf-keras", "qkeras", DISTRIBUTION),
            of_modules=True,
        )

    rtl = encoder_design()
    try:
        with progress("gate-level simulation", vectors) as advance:
            ran = simulate(netlist, rtl, steps, advance)
        if ran.latency != rtl.verilog.parameters["LATENCY"]:
            raise CheckFailed(f"latency {ran.latency} clocks is not that of the RTL")
        _check_reads(ran, written)
    except CheckFailed as error:
        return found(str(error), None)
    count = len(chip.origins)
    failures = []
    encoded = compare(chip.expected, ran.codes[:count], chip.origins)
    if encoded.first:
        failures.append(_in_words("golden model", encoded))
    emulator = _with_emulator(recorded, ran.codes[count:]) if recorded else None
    if emulator and emulator.first:
        failures.append(_in_words("CMS emulator", emulator))
    rate = vectors / ran.seconds
    values |= {
        "gatesim.mismatches": encoded.mismatches + (emulator.mismatches if emulator else 0),
        "gatesim.vectors_per_second": round(rate),
    }
    told = [
        f"gatesim passed: {count:,} vectors, 0 mismatches of golden model and netlist, "
        f"{len(written):,} bytes of weights read back, {rate:,.0f} vectors/s"
    ]
    if emulator:
        compared = f"{emulator.vectors:,} BX"
        told.append(f"on the CMS emulator's vectors: {compared}, 0 mismatches of links")
    return found("; ".join(failures) or None, emulator, *told)


def _check_reads(ran: RtlRun, written: Sequence["Pair"]) -> None:
    for (address, byte), found in zip(written, ran.reads.tolist(), strict=True):
        if byte != found:
            raise CheckFailed(f"read {found:#04x} at {address:#06x}, where {byte:#04x} was written")


def _in_words(reference: str, comparison: Comparison) -> str:
    assert comparison.first is not None
    return (
        f"{reference}: {comparison.mismatches:,} of {comparison.vectors:,} vectors differ; "
        f"{in_words(comparison.first)}"
    )


@dataclass(frozen=True)
class _Recorded:
    """A recorded set, and what the encoder has to do in it."""

    block: "BlockSet"
    stages: "AutoencoderStages"
    vectors: "EncoderSet"

    @classmethod
    def of(cls, block: "BlockSet") -> "_Recorded":
        from testbench.econ_t.golden_model import autoencoder_stages
        from testbench.econ_t.reconfigurable import EncoderSet

        stages = autoencoder_stages(block.words, block.registers)
        assert block.registers.weights is not None  # sets of the autoencoder have them
        vectors = EncoderSet(block.name, block.registers.weights, stages.converted.inputs)
        return cls(block, stages, vectors)


def _with_emulator(recorded: Sequence[_Recorded], latents: npt.NDArray[np.int64]) -> Comparison:
    """The recorded links against those that carry the netlist's latents."""
    from testbench.econ_t.golden_model import autoencoder_links

    sent, expected, origins = [], [], []
    first = 0
    for item in recorded:
        after = first + len(item.vectors.inputs)
        stages, registers = item.stages, item.block.registers
        links = autoencoder_links(stages.headers, stages.converted, latents[first:after], registers)
        sent.append(links.astype(np.int64))
        assert item.block.links is not None  # recorded
        expected.append(item.block.links.astype(np.int64))
        origins += [item.block.origin(row) for row in range(after - first)]
        first = after
    return compare(np.concatenate(expected), np.concatenate(sent), origins)
