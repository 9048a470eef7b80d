"""Simulate the generated RTL, one module a clock, and compare its integer codes with Keras."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

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
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import CheckFailed, InputError, ToolMissing
from hw.foundation.fixed_point import Codes, parse_format
from hw.generated.network_logic import NoLogic
from hw.generated.verilog import GeneratedRtl, RtlPort, read_rtl
from hw.open_tools.verilator import Design, version
from reports.metrics import read_metrics, with_provenance, write_metrics
from reports.rtlsim import rtlsim_metrics
from reports.side_by_side import GENERATED
from testbench.comparison import Comparison
from testbench.simulators.rtlsim import (
    DataPort,
    Feed,
    RtlDesign,
    RtlRun,
    RtlSimulator,
    compile_design,
    verify,
)
from testbench.vectors import Images, Reference, VectorGroup


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    add_stimulus(parser)
    add_or_skip(parser, OR_VERDICT)


def run(arguments: argparse.Namespace) -> None:
    check_stimulus(arguments)
    of_model = model_layout(arguments.build, arguments.model)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    for file in (layout.rtlsim_metrics, layout.rtlsim_difference, layout.rtlsim_waveform):
        file.unlink(missing_ok=True)

    def record(reason: str) -> None:
        source = provenance(model_hash=file_hash(of_model.network("encoder")))
        metrics = rtlsim_metrics(GENERATED, {}, reason)
        write_metrics(layout.rtlsim_metrics, with_provenance(metrics, source))

    with or_verdict(arguments, "rtlsim", (NoLogic, ToolMissing), record):
        _simulate(of_model, layout, arguments.vectors, arguments.seed)


def generated_design(layout: TargetLayout, encoder_file: Path) -> GeneratedRtl:
    """The generated RTL's record, which must have been made from this encoder.

    Raises:
        NoLogic: the rtl step was skipped.
        InputError: there is no encoder or no RTL, or it is another encoder's or incomplete.
    """
    if not encoder_file.is_file():
        raise InputError(
            f"{encoder_file}: no such file; train the model first: make train "
            f"MODEL={layout.folder.parent.name}"
        )
    if not layout.rtl.is_dir() and layout.rtl_metrics.is_file():
        skipped = [m for m in read_metrics(layout.rtl_metrics) if m.value is None]
        if skipped:
            raise NoLogic(skipped[0].reason)
    design = read_rtl(layout.rtl)
    if design.encoder_hash != file_hash(encoder_file):
        raise InputError(
            f"{layout.rtl} was not made from {encoder_file}; run the rtl step anew: "
            f"make rtl MODEL={layout.folder.parent.name} TARGET={layout.folder.name}"
        )
    if lacking := [name for name in design.sources if not (layout.rtl / name).is_file()]:
        raise InputError(
            f"{layout.rtl} lacks {', '.join(lacking)}; run the rtl step anew: "
            f"make clean-rtl rtl MODEL={layout.folder.parent.name} TARGET={layout.folder.name}"
        )
    return design


def simulated_design(design: GeneratedRtl, folder: Path) -> RtlDesign:
    """A generated design in `folder` as the simulation takes it."""
    return RtlDesign(
        Design(tuple(folder / source for source in design.sources), design.top),
        _data_port(design.input),
        _data_port(design.output),
    )


def shown_groups(groups: Sequence[VectorGroup], design: GeneratedRtl) -> list[VectorGroup]:
    """The vectors as the design's input port can show them.

    What the port has no elements for becomes 0, what is beyond its range is limited; where the
    expected outputs are known and a vector would change, it is left out.
    """
    shown = []
    for group in groups:
        images = design.images_of(design.inputs(group.images)).reshape(group.images.shape)
        if group.latents is None:
            shown.append(replace(group, images=images))
            continue
        same = (images == group.images).reshape(len(images), -1).all(axis=1)
        if not same.all():
            print(
                f"{np.count_nonzero(~same)} {group.kind} vectors are no modules and left out",
                file=sys.stderr,
            )
        origins = [origin for origin, kept in zip(group.origins, same, strict=True) if kept]
        shown.append(VectorGroup(group.kind, images[same], origins, group.latents[same]))
    return [group for group in shown if len(group.images)]


def port_codes(images: Images, design: GeneratedRtl) -> Codes:
    """Codes of the design's input port for images that it can show."""
    return parse_format(design.network_input).to_codes(design.inputs(images))


@dataclass(frozen=True)
class _Case:
    """All vectors, the design that runs them, and what they should give."""

    simulator: RtlSimulator
    design: GeneratedRtl
    groups: Sequence[VectorGroup]
    codes: Codes
    origins: Sequence[str]
    expected: Reference


def _simulate(of_model: ModelLayout, layout: TargetLayout, vectors: int, seed: int) -> None:
    encoder_file = of_model.network("encoder")
    design = generated_design(layout, encoder_file)
    print(f"compiling {layout.rtl} with Verilator", file=sys.stderr, flush=True)
    simulator = compile_design(simulated_design(design, layout.rtl), layout.rtlsim / "simulator")

    from models.networks.encoder import load_network

    encoder = load_network(encoder_file)
    groups = shown_groups(vector_groups(of_model, encoder, vectors, seed), design)
    images = np.concatenate([group.images for group in groups])
    origins = [origin for group in groups for origin in group.origins]
    expected = expected_codes(encoder, groups, design.output.fixed, len(images))
    case = _Case(simulator, design, groups, port_codes(images, design), origins, expected)
    figures, message = _verify(case, layout)
    source = provenance(
        model_hash=design.encoder_hash,
        data_hash=file_hash(of_model.validation),
        seed=seed,
        packages=("tf-keras", "qkeras"),
        tools={**design.tools, "verilator": version()},
    )
    metrics = rtlsim_metrics(GENERATED, figures, message)
    write_metrics(layout.rtlsim_metrics, with_provenance(metrics, source))
    if message:
        raise CheckFailed(f"{of_model.folder.name} on {design.target.name}: {message}")
    kinds = ", ".join(f"{len(group.images):,} {group.kind}" for group in groups)
    print(
        f"rtlsim passed: {len(origins):,} vectors ({kinds}), 0 mismatches of Keras and RTL; "
        f"latency {figures['latency.cycles']} clocks, one module every {figures['ii.cycles']}; "
        f"{figures['rtlsim.vectors_per_second']:,.0f} vectors/s"
    )


def _verify(case: _Case, layout: TargetLayout) -> tuple[dict[str, float], str | None]:
    """What was measured, by metric name, and what is wrong, in words."""
    expected, design = case.expected, case.design
    figures: dict[str, float] = {"rtlsim.vectors": len(case.origins)}
    try:
        result = verify(
            case.simulator,
            [Feed(case.codes)],
            expected.codes,
            case.origins,
            layout.rtlsim_waveform,
            finer=expected.fraction - design.output.fixed.fraction,
        )
        figures |= timing(result.run, design.target.clock_period_ns)
    except CheckFailed as error:  # answers are missing, or come at irregular times
        return figures, str(error)
    comparison = result.comparison
    figures |= {
        "rtlsim.mismatches": comparison.mismatches,
        "rtlsim.vectors_per_second": round(len(case.origins) / result.run.seconds),
    }
    if comparison.first is None:
        return figures, None
    message = (
        f"{comparison.mismatches:,} of {comparison.vectors:,} vectors differ "
        f"({comparison.mismatching_codes:,} codes); {in_words(comparison.first)} (in steps of "
        f"2**-{expected.fraction}); waveforms: {result.waveform}"
    )
    _write_difference(layout.rtlsim_difference, case, comparison, message)
    return figures, message


def timing(run: RtlRun, clock_period_ns: float) -> dict[str, float]:
    """Latency and initiation interval as the simulation showed them, by metric name.

    Raises:
        CheckFailed: the latency is not the same for all vectors.
    """
    return {
        "latency.cycles": run.latency,
        "latency.ns": run.latency * clock_period_ns,
        "ii.cycles": run.initiation_interval,
    }


def _write_difference(file: Path, case: _Case, comparison: Comparison, message: str) -> None:
    first = comparison.first
    assert first is not None
    content = {
        **asdict(first),
        "fraction_bits": case.expected.fraction,
        "number_format": case.design.output.number_format,
        "message": message,
        "input_codes": case.codes[first.vector].tolist(),
    }
    write_text(file, json.dumps(content, indent=1) + "\n")


def _data_port(port: RtlPort) -> DataPort:
    number = port.fixed
    return DataPort(port.name, number.width, port.count, number.signed)
