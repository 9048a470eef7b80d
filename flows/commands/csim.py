"""Compile the HLS C++ and compare its integer output codes with exact arithmetic and Keras.

An encoder in the ECON-T's arithmetic is compared with the chip's golden model as well, and so is
the whole chip block around it.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from flows.artefacts.chip_block import RECORDED, BlockOutcome, Modules, check_block
from flows.artefacts.encoder import trained_encoder
from flows.artefacts.hls_project import hls_project, network_in_integers
from flows.artefacts.stimulus import expected_codes, vector_groups
from flows.command_line.options import LEAVE_VERDICT, add_design, add_or_skip, add_stimulus
from flows.command_line.progress import progress
from flows.frame import Found
from flows.layout import DesignLayout, TargetLayout
from flows.stages import Stage
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import ToolMissing
from hw.foundation.fixed_point import Codes
from hw.foundation.integer_evaluation import all_results
from hw.foundation.integer_network import IntegerNetwork, NoFixedPoint
from reports.catalogue import Value
from testbench.comparison import (
    Comparison,
    LayerDifference,
    compare,
    first_differing_layer,
    in_words,
)
from testbench.simulators.csim import (
    COMPILER,
    Simulator,
    compile_project,
    compiler_version,
    weight_differences,
)
from testbench.vectors import Images, Reference, VectorGroup

CANNOT = (NoFixedPoint, ToolMissing)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    add_stimulus(
        parser,
        "modules to compare, besides the directed set: validation modules, evenly spaced "
        "over all, and generated ones where those do not suffice",
    )
    parser.add_argument(
        "--recorded",
        type=Path,
        metavar="DIR",
        default=RECORDED,
        help="vectors of the CMS emulator, as the conformance command takes them: the whole chip "
        "block of an encoder in the ECON-T's arithmetic is compared with them, if they are there",
    )
    add_or_skip(parser, LEAVE_VERDICT)


@dataclass(frozen=True)
class _Case:
    """All vectors, the network that tells what they should give, and the C++ that must give it."""

    encoder: Any
    network: IntegerNetwork
    simulator: Simulator
    images: Images
    origins: Sequence[str]
    expected: Reference


@dataclass(frozen=True)
class _Outcome:
    """What was compared and found.

    Attributes:
        found: codes of the C++ on the grid of the expected ones.
        difference: the first difference in words; None if there is none.
        layer: the first layer that differs, where it was found.
        golden: the C++ against the ECON-T's golden model; None for an encoder in another
            arithmetic.
        block: the whole chip block; None likewise.
    """

    comparison: Comparison
    found: Codes
    difference: str | None = None
    layer: LayerDifference | None = None
    golden: Comparison | None = None
    block: BlockOutcome | None = None

    @property
    def mismatches(self) -> int:
        """Vectors that differ in the first comparison that found any."""
        others = (self.golden, self.block)
        found = (self.comparison.mismatches, *(o.mismatches for o in others if o))
        return next((count for count in found if count), 0)


def measure(_stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    layout = design.target
    layout.csim_difference.unlink(missing_ok=True)
    project = hls_project(design)
    print(f"compiling {layout.hls}", file=sys.stderr, flush=True)
    simulator = compile_project(layout.hls, project, layout.csim)

    from models.networks.network_files import load_network

    encoder = load_network(trained_encoder(design.model))
    network = network_in_integers(encoder)
    groups = vector_groups(design.model, network, arguments.vectors, arguments.seed)
    images = np.concatenate([group.images for group in groups])
    origins = [origin for group in groups for origin in group.origins]
    expected = expected_codes(network, encoder, groups, len(images))
    case = _Case(encoder, network, simulator, images, origins, expected)

    with progress("C-simulation", len(images)) as advance:
        start = time.perf_counter()
        found = simulator.run(images, progress=advance)
        rate = len(images) / (time.perf_counter() - start)
    outcome = _compare(case, found)
    disagreements = weight_differences(layout.hls, project)
    if disagreements and outcome.comparison.equal:
        # the vendor's own C-simulation reads the text files: tell what it would meet
        outcome = _compare(case, simulator.run(images, text_weights=True), text_weights=True)
    messages = [str(disagreement) for disagreement in disagreements]
    if outcome.difference:
        messages.append(outcome.difference)
        _write_difference(layout.csim_difference, case, outcome)
    golden = _compare_with_golden_model(case, found)
    block = _check_block(case, layout, groups, arguments.seed, arguments.recorded)
    outcome = replace(outcome, golden=golden, block=block)
    if golden and golden.first:
        messages.append(
            f"golden model: {golden.mismatches:,} of {golden.vectors:,} vectors differ; "
            f"{in_words(golden.first)}"
        )
    messages += block.failures if block else ()
    kinds = ", ".join(f"{len(group.images):,} {group.kind}" for group in groups)
    of_whom = " of exact arithmetic, golden model and C++" if golden else ""
    passed = (
        f"csim passed: {len(images):,} vectors ({kinds}), 0 mismatches{of_whom}, "
        f"{rate:,.0f} vectors/s{_rounding(expected)}"
    )
    return Found(
        _values(case, outcome, groups, rate, undecided=bool(messages)),
        more=block.metrics if block else (),
        failure="; ".join(messages) or None,
        told=(passed, *([block.summary] if block else ())),
        packages=("hls4ml", "tf-keras", "qkeras"),
        tools={COMPILER: compiler_version()},
        of_modules=True,
    )


def _rounding(expected: Reference) -> str:
    if not expected.rounded:
        return ""
    return f"; Keras rounds {expected.rounded:,} of them, in which float32 cannot hold a sum"


# --- the comparison ------------------------------------------------------------------------------
def _compare(case: _Case, found: Codes, *, text_weights: bool = False) -> _Outcome:
    expected = case.expected
    found = found << (expected.fraction - case.simulator.project.output.fixed.fraction)
    comparison = compare(expected.codes, found, case.origins)
    first = comparison.first
    if first is None:
        return _Outcome(comparison, found)
    layer, where = _locate(case, first.vector, text_weights=text_weights)
    difference = (
        f"{comparison.mismatches:,} of {comparison.vectors:,} vectors differ "
        f"({comparison.mismatching_codes:,} codes); {in_words(first)} (in steps of "
        f"2**-{expected.fraction}); {where}"
    )
    return _Outcome(comparison, found, difference, layer)


def _compare_with_golden_model(case: _Case, found: Codes) -> Comparison | None:
    """The C++ against the ECON-T's golden model; None for an encoder in another arithmetic."""
    from models.networks.econ_t_encoder import has_chip_arithmetic
    from testbench.econ_t.keras_encoder import golden_latents, weights_of

    if not has_chip_arithmetic(case.encoder):
        return None
    bits = case.simulator.project.output.fixed.width
    golden = golden_latents(case.images, weights_of(case.encoder), bits)
    return compare(golden, found, case.origins)


def _check_block(
    case: _Case, layout: TargetLayout, groups: Sequence[VectorGroup], seed: int, recorded: Path
) -> BlockOutcome | None:
    """The ECON-T's whole block; None for an encoder in another arithmetic."""
    from models.networks.econ_t_encoder import has_chip_arithmetic
    from testbench.econ_t.keras_encoder import weights_of

    if not has_chip_arithmetic(case.encoder):
        return None
    project = case.simulator.project
    return check_block(
        weights_of(case.encoder),
        project.output.fixed.width,
        [Modules(g.calq, g.origins) for g in groups if g.calq is not None],
        target=project.target,
        layout=layout,
        seed=seed,
        recorded=recorded,
    )


def _locate(case: _Case, vector: int, *, text_weights: bool) -> tuple[LayerDifference | None, str]:
    """The first layer that differs from exact arithmetic for one vector, and the same in words."""
    image = case.images[vector]
    try:
        traces = case.simulator.trace(image, text_weights=text_weights)
        results = all_results(case.network, image[None])
        values = {o.name: o.number.to_values(results[o.name]) for o in case.network.operations}
        layer = first_differing_layer(values, traces)
    except Exception as error:  # the difference itself must be told whatever happens here
        return None, f"its layers could not be compared: {type(error).__name__}: {error}"
    if layer is None:
        return None, "every layer agrees with exact arithmetic"
    return layer, (
        f"first layer that differs: {layer.layer}, element {layer.element}: expected code "
        f"{layer.expected}, found {layer.found} (in steps of 2**-{layer.fraction}; "
        f"{layer.differing} of its numbers differ)"
    )


def _write_difference(file: Path, case: _Case, outcome: _Outcome) -> None:
    first = outcome.comparison.first
    assert first is not None
    content = {
        **asdict(first),
        "fraction_bits": case.expected.fraction,
        "number_format": case.simulator.project.output.number_format,
        "first_layer": asdict(outcome.layer) if outcome.layer else None,
        "message": outcome.difference,
        "input": case.images[first.vector].ravel().tolist(),
    }
    write_text(file, json.dumps(content, indent=1) + "\n")


def _values(
    case: _Case,
    outcome: _Outcome,
    groups: Sequence[VectorGroup],
    rate: float,
    *,
    undecided: bool,
) -> dict[str, Value]:
    """The figures by metric name.

    Args:
        undecided: something is wrong; where no vector differs (weight files that disagree without
            changing a latent), no count of vectors tells it, and there is none.
    """
    comparison, golden, mismatches = outcome.comparison, outcome.golden, outcome.mismatches
    values: dict[str, Value] = {"csim.vectors": comparison.vectors}
    if mismatches or not undecided:
        values["csim.mismatches"] = mismatches
    values["keras.rounded_vectors"] = case.expected.rounded
    values["csim.mismatching_codes"] = comparison.mismatching_codes
    values["csim.vectors_per_second"] = round(rate)
    if golden:
        values["csim.golden_model.vectors"] = golden.vectors
        values["csim.golden_model.mismatches"] = golden.mismatches
    start = 0
    for group in groups:
        end = start + len(group.images)
        values[f"csim.vectors.{group.kind}"] = end - start
        if group.kind == "golden":
            wrong = (case.expected.codes[start:end] != outcome.found[start:end]).any(axis=1)
            values["csim.golden.vectors"] = end - start
            values["csim.golden.mismatches"] = int(wrong.sum())
        start = end
    return values
