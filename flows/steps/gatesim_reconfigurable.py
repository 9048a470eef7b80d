"""Simulate the netlist of the ECON-T's own, reconfigurable encoder with a model's weights.

They are loaded over its bus, as are corners and random ones, and its answers compared with the
golden model.  Where recorded vectors of the CMS emulator are there, the netlist also takes the
encoder's place in the golden model of the whole path, whose output links must be those recorded.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from flows.command_line.progress import progress
from flows.command_line.step_options import (
    OR_VERDICT,
    add_build,
    add_or_skip,
    add_stimulus,
    check_stimulus,
    or_verdict,
)
from flows.layout import (
    DEFAULT_TARGET,
    ModelLayout,
    TargetLayout,
    model_layout,
    reconfigurable_synth,
    target_layout,
)
from flows.provenance import file_hash, provenance
from flows.steps.csim import in_words, vector_groups
from flows.steps.rtlsim_reconfigurable import (
    add_recorded,
    chip_encoder,
    emulator_metrics,
    encoder_sets,
    recorded_by_emulator,
)
from flows.steps.synth import ASIC, RECONFIGURABLE_TOP
from flows.steps.timing import cell_library
from hw.foundation.errors import CheckFailed, ToolMissing
from hw.netlist.gate_netlist import mapped_netlist
from hw.open_tools.yosys import DISTRIBUTION
from hw.targets.target import load_target
from reports.form_metrics import Value
from reports.metrics import Evidence, with_provenance, write_metrics
from reports.netlist import GATESIM, netlist_metrics
from reports.side_by_side import RECONFIGURABLE
from testbench.comparison import Comparison, compare
from testbench.simulators.gatesim import simulate
from testbench.simulators.rtlsim import Read, RtlRun, Step

if TYPE_CHECKING:
    from testbench.econ_t.block_sets import BlockSet
    from testbench.econ_t.golden_model import AutoencoderStages
    from testbench.econ_t.reconfigurable import EncoderSet, Pair


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_build(parser)
    parser.add_argument("--model", default="econ_t", help="model in the chip's arithmetic")
    parser.add_argument(
        "--target", default=DEFAULT_TARGET, help="hardware target: its Liberty file"
    )
    add_stimulus(
        parser, "modules that the netlist runs", "seed of random weights and of generated modules"
    )
    add_recorded(parser)
    add_or_skip(parser, OR_VERDICT)


def run(arguments: argparse.Namespace) -> None:
    check_stimulus(arguments)
    of_model = model_layout(arguments.build, arguments.model)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    layout.gatesim_reconfigurable_metrics.unlink(missing_ok=True)
    results = _Results(layout, of_model, arguments.seed, arguments.recorded)

    def record(reason: str) -> None:
        results.write({}, None, reason)

    with or_verdict(arguments, "gatesim", (ToolMissing,), record):
        _simulate(results, arguments)


@dataclass(frozen=True)
class _Results:
    """Where the results go, and what they are of."""

    layout: TargetLayout
    of_model: ModelLayout
    seed: int
    recorded: Path

    def write(
        self, values: dict[str, Value], emulator: Comparison | None, reason: str | None
    ) -> None:
        source = provenance(
            model_hash=file_hash(self.of_model.network("encoder")),
            data_hash=file_hash(self.of_model.validation),
            seed=self.seed,
            packages=("tf-keras", "qkeras", DISTRIBUTION),
        )
        metrics = [
            *netlist_metrics(GATESIM, RECONFIGURABLE, values, reason),
            *emulator_metrics("gatesim", Evidence.SYNTH, emulator, self.recorded),
        ]
        write_metrics(self.layout.gatesim_reconfigurable_metrics, with_provenance(metrics, source))


def _simulate(results: _Results, arguments: argparse.Namespace) -> None:
    encoder, weights = chip_encoder(results.of_model)

    from testbench.econ_t.reconfigurable import encoder_design, encoder_stimulus, weight_writes

    print(f"reading the netlist of {RECONFIGURABLE_TOP}", file=sys.stderr, flush=True)
    library = cell_library(load_target(arguments.target))
    folder = reconfigurable_synth(arguments.build) / ASIC
    netlist = mapped_netlist(folder, RECONFIGURABLE_TOP, library)
    groups = vector_groups(results.of_model, encoder, arguments.vectors, arguments.seed)
    chip = encoder_stimulus(encoder_sets(results.of_model, weights, groups, arguments.seed))
    written = weight_writes(weights)
    steps: list[Step] = [*chip.steps, Read([address for address, _ in written])]
    recorded = [_Recorded.of(item) for item in recorded_by_emulator(results.recorded)]
    if recorded:
        steps += encoder_stimulus([item.vectors for item in recorded]).steps
    vectors = len(chip.origins) + sum(len(item.vectors.inputs) for item in recorded)
    values: dict[str, Value] = {"gatesim.vectors": vectors}
    design = encoder_design()
    try:
        with progress("gate-level simulation", vectors) as advance:
            ran = simulate(netlist, design, steps, advance)
        if ran.latency != design.verilog.parameters["LATENCY"]:
            raise CheckFailed(f"latency {ran.latency} clocks is not that of the RTL")
        _check_reads(ran, written)
    except CheckFailed as error:
        results.write(values, None, str(error))
        raise
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
    message = "; ".join(failures) or None
    results.write(values, emulator, message)
    if message:
        raise CheckFailed(f"netlist of {RECONFIGURABLE_TOP}: {message}")
    print(
        f"gatesim passed: {count:,} vectors, 0 mismatches of golden model and netlist, "
        f"{len(written):,} bytes of weights read back, {rate:,.0f} vectors/s"
    )
    if emulator:
        print(f"on the CMS emulator's vectors: {emulator.vectors:,} BX, 0 mismatches of links")


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
