"""Simulate the generated RTL, one module a clock, and compare its integer codes with Keras."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from flows.artefacts.encoder import trained_encoder
from flows.artefacts.generated_rtl import (
    generated_design,
    port_codes,
    shown_groups,
    simulated_design,
)
from flows.artefacts.hls_project import network_in_integers
from flows.artefacts.stimulus import expected_codes, vector_groups
from flows.command_line.options import LEAVE_VERDICT, add_design, add_or_skip, add_stimulus
from flows.frame import Found
from flows.layout import DesignLayout, TargetLayout
from flows.stages import Stage
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import CheckFailed, ToolMissing
from hw.foundation.fixed_point import Codes
from hw.generated.network_logic import NoLogic
from hw.generated.verilog import GeneratedRtl
from hw.open_tools.verilator import version
from reports.catalogue import Value
from testbench.comparison import Comparison, in_words
from testbench.simulators.rtlsim import (
    Feed,
    RtlSimulator,
    compile_design,
    measured_latency,
    verify,
)
from testbench.vectors import Reference, VectorGroup

CANNOT = (NoLogic, ToolMissing)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    add_stimulus(parser)
    add_or_skip(parser, LEAVE_VERDICT)


@dataclass(frozen=True)
class _Case:
    """All vectors, the design that runs them, and what they should give."""

    simulator: RtlSimulator
    design: GeneratedRtl
    groups: Sequence[VectorGroup]
    codes: Codes
    origins: Sequence[str]
    expected: Reference


def measure(_stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    layout = design.target
    for file in (layout.rtlsim_difference, layout.rtlsim_waveform):
        file.unlink(missing_ok=True)
    rtl = generated_design(design)
    print(f"compiling {layout.rtl} with Verilator", file=sys.stderr, flush=True)
    simulator = compile_design(simulated_design(rtl, layout.rtl), layout.rtlsim / "simulator")

    from models.networks.network_files import load_network

    encoder = load_network(trained_encoder(design.model))
    network = network_in_integers(encoder)
    groups = vector_groups(design.model, network, arguments.vectors, arguments.seed)
    groups = shown_groups(groups, rtl)
    images = np.concatenate([group.images for group in groups])
    origins = [origin for group in groups for origin in group.origins]
    expected = expected_codes(network, encoder, groups, len(images))
    case = _Case(simulator, rtl, groups, port_codes(images, rtl), origins, expected)
    values, failure = _verify(case, layout)
    kinds = ", ".join(f"{len(group.images):,} {group.kind}" for group in groups)
    told = (
        ""
        if failure
        else (
            f"rtlsim passed: {len(origins):,} vectors ({kinds}), 0 mismatches of exact arithmetic "
            f"and RTL; "
            f"latency {values['latency.cycles']} clocks, one module every {values['ii.cycles']}; "
            f"{values['rtlsim.vectors_per_second']:,.0f} vectors/s"
        )
    )
    return Found(
        values,
        failure=failure,
        told=(told,),
        packages=("tf-keras", "qkeras"),
        tools={**rtl.tools, "verilator": version()},
        of_modules=True,
    )


def _verify(case: _Case, layout: TargetLayout) -> tuple[dict[str, Value], str | None]:
    """What was measured, by metric name, and what is wrong, in words."""
    expected, design = case.expected, case.design
    figures: dict[str, Value] = {"rtlsim.vectors": len(case.origins)}
    try:
        result = verify(
            case.simulator,
            [Feed(case.codes)],
            expected.codes,
            case.origins,
            layout.rtlsim_waveform,
            finer=expected.fraction - design.output.fixed.fraction,
        )
        figures |= measured_latency(result.run, design.target.clock_period_ns)
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
