"""Compile the HLS C++ and compare its integer output codes with Keras, vector by vector.

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
from flows.artefacts.validation import read_validation
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
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import CheckFailed, InputError, ToolMissing
from hw.foundation.fixed_point import Codes, FixedFormat
from hw.hls.conversion import HlsProject, NoFixedPoint, read_project
from reports.metrics import Evidence, Metric, read_metrics, with_provenance, write_metrics
from testbench.comparison import (
    Comparison,
    Difference,
    LayerDifference,
    compare,
    first_differing_layer,
)
from testbench.simulators.csim import (
    COMPILER,
    Simulator,
    compile_project,
    compiler_version,
    weight_differences,
)
from testbench.stimulus import directed_images
from testbench.vectors import (
    Images,
    Reference,
    VectorGroup,
    evenly_spaced,
    module_group,
    reference,
)


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
        help="vectors of the CMS emulator, as the conformance step takes them: the whole chip "
        "block of an encoder in the ECON-T's arithmetic is compared with them, if they are there",
    )
    add_or_skip(parser, OR_VERDICT)


def run(arguments: argparse.Namespace) -> None:
    check_stimulus(arguments)
    of_model = model_layout(arguments.build, arguments.model)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    layout.csim_metrics.unlink(missing_ok=True)
    layout.csim_difference.unlink(missing_ok=True)

    def record(reason: str) -> None:
        write_metrics(layout.csim_metrics, _skipped(reason, of_model.network("encoder")))

    with or_verdict(arguments, "csim", (NoFixedPoint, ToolMissing), record):
        _simulate(of_model, layout, arguments.vectors, arguments.seed, arguments.recorded)


@dataclass(frozen=True)
class _Case:
    """All vectors, the network that tells what they should give, and the C++ that must give it."""

    encoder: Any
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


def _simulate(
    of_model: ModelLayout, layout: TargetLayout, vectors: int, seed: int, recorded: Path
) -> None:
    encoder_file = of_model.network("encoder")
    project = hls_project(layout, encoder_file)
    print(f"compiling {layout.hls}", file=sys.stderr, flush=True)
    simulator = compile_project(layout.hls, project, layout.csim)

    from models.networks.encoder import load_network

    encoder = load_network(encoder_file)
    groups = vector_groups(of_model, encoder, vectors, seed)
    images = np.concatenate([group.images for group in groups])
    origins = [origin for group in groups for origin in group.origins]
    expected = expected_codes(encoder, groups, project.output.fixed, len(images))
    case = _Case(encoder, simulator, images, origins, expected)

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
    block = _check_block(case, layout, groups, seed, recorded)
    outcome = replace(outcome, golden=golden, block=block)
    if golden and golden.first:
        messages.append(
            f"golden model: {golden.mismatches:,} of {golden.vectors:,} vectors differ; "
            f"{in_words(golden.first)}"
        )
    messages += block.failures if block else ()
    message = "; ".join(messages) or None

    source = provenance(
        model_hash=project.encoder_hash,
        data_hash=file_hash(of_model.validation),
        seed=seed,
        packages=("hls4ml", "tf-keras", "qkeras"),
        tools={COMPILER: compiler_version()},
    )
    metrics = _metrics(case, outcome, groups, rate, message)
    write_metrics(layout.csim_metrics, with_provenance(metrics, source))
    if message:
        raise CheckFailed(f"{of_model.folder.name} on {project.target.name}: {message}")
    kinds = ", ".join(f"{len(group.images):,} {group.kind}" for group in groups)
    of_whom = " of Keras, golden model and C++" if golden else ""
    print(
        f"csim passed: {len(images):,} vectors ({kinds}), 0 mismatches{of_whom}, "
        f"{rate:,.0f} vectors/s"
    )
    if block:
        print(block.summary)


def hls_project(layout: TargetLayout, encoder_file: Path) -> HlsProject:
    """The record of the HLS project, which must have been made from this encoder.

    Raises:
        NoFixedPoint: the hls step was skipped.
        InputError: there is no encoder or no project, or it is another encoder's.
    """
    if not encoder_file.is_file():
        raise InputError(
            f"{encoder_file}: no such file; train the model first: make train "
            f"MODEL={layout.folder.parent.name}"
        )
    if not layout.hls.is_dir() and layout.hls_metrics.is_file():
        skipped = [m for m in read_metrics(layout.hls_metrics) if m.value is None]
        if skipped:
            raise NoFixedPoint(skipped[0].reason)
    project = read_project(layout.hls)
    if project.encoder_hash != file_hash(encoder_file):
        raise InputError(
            f"{layout.hls} was not made from {encoder_file}; run the hls step anew: "
            f"make hls MODEL={layout.folder.parent.name} TARGET={layout.folder.name}"
        )
    return project


def vector_groups(
    of_model: ModelLayout, encoder: Any, vectors: int, seed: int
) -> list[VectorGroup]:
    """The vectors of a comparison: directed, golden where there are any, and modules.

    Args:
        vectors: modules, those of the validation first, evenly spaced over all.

    Raises:
        NoFixedPoint: the encoder's input is not quantised.
        InputError: a file of the model is missing or damaged.
    """
    from models.networks.number_formats import input_format

    number = input_format(encoder)
    if number is None:
        raise NoFixedPoint("the encoder's input is not quantised")
    validation = read_validation(of_model)
    names, images = directed_images(validation.arrangement, number, seed)
    groups = [VectorGroup("directed", images, names)]
    if of_model.golden.is_file():
        groups.append(_golden(of_model.golden))
    chosen = evenly_spaced(len(validation.calq), vectors)
    calq = validation.calq[chosen]
    groups.append(module_group("validation", validation.to_images(calq), chosen.tolist(), calq))
    lacking = vectors - len(chosen)
    if lacking > 0:
        from models.data.generator import generate_modules

        with progress("generating modules", lacking) as advance:
            calq = generate_modules(lacking, seed, progress=advance).calq
        groups.append(module_group("generated", validation.to_images(calq), calq=calq))
    return groups


def _golden(file: Path) -> VectorGroup:
    try:
        with np.load(file, allow_pickle=False) as stored:
            images, latents = stored["images"], stored["latents"]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{file}: cannot be read: {error}; import the model anew") from error
    names = [f"golden vector {index}" for index in range(len(images))]
    return VectorGroup("golden", images, names, latents)


def expected_codes(
    encoder: Any, groups: Sequence[VectorGroup], output_format: FixedFormat, total: int
) -> Reference:
    """The codes that a design with this output format should give for `total` vectors.

    Raises:
        CheckFailed: the encoder's outputs have no integer codes.
    """
    try:
        with progress("Keras", total) as advance:
            return reference(encoder, groups, output_format, advance)
    except ValueError as error:
        raise CheckFailed(
            f"the encoder's outputs have no integer codes: {error}; quantise its output"
        ) from error


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


def in_words(first: Difference) -> str:
    """The first difference: which vector and output, and both codes."""
    return (
        f"first difference: vector {first.vector} ({first.origin}), output {first.output}: "
        f"expected code {first.expected}, found {first.found}"
    )


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
    """The first layer that differs from Keras for one vector, and the same in words."""
    from models.networks.layer_values import layer_values

    image = case.images[vector]
    graph = {layer.name: layer.inputs for layer in case.simulator.project.layers}
    try:
        traces = case.simulator.trace(image, text_weights=text_weights)
        layer = first_differing_layer(layer_values(case.encoder, image[None], graph), traces)
    except Exception as error:  # the difference itself must be told whatever happens here
        return None, f"its layers could not be compared: {type(error).__name__}: {error}"
    if layer is None:
        return None, "every layer agrees with Keras"
    return layer, (
        f"first layer that differs: {layer.layer}, element {layer.element}: expected code "
        f"{layer.expected}, found {layer.found} (in steps of 2**-{layer.fraction}; "
        f"{layer.differing} of its numbers differ)"
    )


# --- results -------------------------------------------------------------------------------------
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


def _metric(name: str, value: float | None, unit: str, **more: Any) -> Metric:
    return Metric(name=name, value=value, unit=unit, evidence=Evidence.CSIM, **more)


def _metrics(
    case: _Case,
    outcome: _Outcome,
    groups: Sequence[VectorGroup],
    rate: float,
    message: str | None,
) -> list[Metric]:
    comparison, golden, mismatches = outcome.comparison, outcome.golden, outcome.mismatches
    # weight files that disagree without changing a latent: no count of vectors tells that
    undecided = message is not None and not mismatches
    metrics = [
        _metric("csim.vectors", comparison.vectors, "vectors"),
        _metric(
            "csim.mismatches",
            None if undecided else mismatches,
            "vectors",
            better="lower",
            reason=message,
        ),
        _metric("csim.mismatching_codes", comparison.mismatching_codes, "codes", better="lower"),
        _metric("csim.vectors_per_second", round(rate), "vectors/s", better="higher"),
    ]
    if golden:
        name, wrong = "csim.golden_model", golden.mismatches
        metrics += [
            _metric(f"{name}.vectors", golden.vectors, "vectors"),
            _metric(f"{name}.mismatches", wrong, "vectors", better="lower"),
        ]
    metrics += outcome.block.metrics if outcome.block else ()
    start = 0
    for group in groups:
        end = start + len(group.images)
        metrics.append(_metric(f"csim.vectors.{group.kind}", end - start, "vectors"))
        if group.kind == "golden":
            wrong = (case.expected.codes[start:end] != outcome.found[start:end]).any(axis=1)
            metrics += [
                _metric("csim.golden.vectors", end - start, "vectors"),
                _metric("csim.golden.mismatches", int(wrong.sum()), "vectors", better="lower"),
            ]
        start = end
    return metrics


def _skipped(reason: str, encoder_file: Path) -> list[Metric]:
    why = {
        "reason": reason,
        "provenance": provenance(model_hash=file_hash(encoder_file)),
    }
    return [
        _metric("csim.vectors", None, "vectors", **why),
        _metric("csim.mismatches", None, "vectors", better="lower", **why),
    ]
