"""Map the RTL to the cells of two FPGA families and of a cell library, and count them."""

import argparse
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from flows.command_line.progress import progress
from flows.command_line.step_options import add_design, add_or_skip
from flows.layout import (
    TargetLayout,
    model_layout,
    reconfigurable_synth,
    reconfigurable_synth_metrics,
    target_layout,
)
from flows.provenance import file_hash, provenance
from flows.steps.rtlsim import generated_design
from hw.foundation.errors import ToolMissing
from hw.generated.network_logic import NoLogic
from hw.open_tools.verilator import Design
from hw.open_tools.yosys import DISTRIBUTION, commands
from hw.rtl import sources
from hw.synthesis.asic import (
    AsicStatistics,
    CellLibrary,
    asic_script,
    nangate45,
    read_library,
    synthesise_asic,
)
from hw.synthesis.fpga import (
    FAMILIES,
    Family,
    FpgaStatistics,
    UnknownFamily,
    family_of,
    fpga_script,
    synthesise_fpga,
)
from hw.targets.target import Target, load_target
from reports.metrics import Metric, with_provenance, write_metrics
from reports.side_by_side import GENERATED, RECONFIGURABLE
from reports.synthesis import Value, synthesis_metrics, unmeasured_synthesis

RECONFIGURABLE_TOP = "econ_t_encoder"
"""The part of the chip's own RTL that does what generated RTL does, and its weight registers."""

ASIC = "asic"
_AT_ONCE = 2  # runs of yosys, each on one core; a run needs up to 2 GB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(
        parser,
        "hardware target: its part gives the FPGA family whose figures stand in front, its "
        "'liberty' the cell library",
    )
    parser.add_argument(
        "--reconfigurable",
        action="store_true",
        help="map the chip's own encoder, whose weights are registers, in place of the model's "
        "generated RTL: the result serves all models",
    )
    add_or_skip(parser, "where there is no RTL or no tool to map it with, record that and succeed")


def run(arguments: argparse.Namespace) -> None:
    target = load_target(arguments.target)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    encoder_file = model_layout(arguments.build, arguments.model).network("encoder")
    if arguments.reconfigurable:
        metrics_file = reconfigurable_synth_metrics(arguments.build, arguments.target)
    else:
        metrics_file = layout.synth_metrics
    metrics_file.unlink(missing_ok=True)
    try:
        if arguments.reconfigurable:
            work = _reconfigurable(reconfigurable_synth(arguments.build))
        else:
            work = _generated(layout, encoder_file)
        results = _synthesise(work, target)
    except (NoLogic, ToolMissing) as error:
        if not arguments.or_skip:
            raise
        variant = RECONFIGURABLE if arguments.reconfigurable else GENERATED
        model_hash = None if arguments.reconfigurable else file_hash(encoder_file)
        source = provenance(model_hash=model_hash)
        metrics = unmeasured_synthesis(variant, str(error))
        write_metrics(metrics_file, with_provenance(metrics, source))
        print(f"synth skipped: {error}")
        return
    write_metrics(metrics_file, _metrics(results, target, work))
    for line in _in_words(results):
        print(line)
    print(f"netlists: {work.folder}")


@dataclass(frozen=True)
class _Work:
    """A design and how to map it.

    Attributes:
        flat: as one module, which takes less area; else each module once, which takes less time.
        encoder_hash: of the model it was made of; None where it serves all.
    """

    design: Design
    variant: str
    folder: Path
    flat: bool
    encoder_hash: str | None = None


@dataclass(frozen=True)
class _Results:
    fpga: Mapping[Family, FpgaStatistics]
    asic: AsicStatistics


def _generated(layout: TargetLayout, encoder_file: Path) -> _Work:
    rtl = generated_design(layout, encoder_file)
    design = Design(tuple(layout.rtl / source for source in rtl.sources), rtl.top)
    return _Work(design, GENERATED, layout.synth, True, rtl.encoder_hash)


def _reconfigurable(folder: Path) -> _Work:
    return _Work(Design(sources(), RECONFIGURABLE_TOP), RECONFIGURABLE, folder, False)


def _library(target: Target) -> CellLibrary:
    file = Path(target.liberty) if target.liberty else nangate45()
    return read_library(file, target.gate_equivalent_cell)


def _synthesise(work: _Work, target: Target) -> _Results:
    library = _library(target)
    scripts = [
        *(fpga_script(work.design, family, work.folder, flat=work.flat) for family in FAMILIES),
        asic_script(work.design, library, work.folder, flat=work.flat),
    ]
    total = sum(len(list(commands(script))) for script in scripts)

    def fpga(family: Family, advance: Callable[[int], None]) -> FpgaStatistics:
        folder = work.folder / family.name
        return synthesise_fpga(work.design, family, folder, flat=work.flat, progress=advance)

    def asic(advance: Callable[[int], None]) -> AsicStatistics:
        folder = work.folder / ASIC
        return synthesise_asic(work.design, library, folder, flat=work.flat, progress=advance)

    with (
        progress(f"synthesis of the {work.variant} RTL, commands", total) as advance,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        asic_run = pool.submit(asic, advance)
        fpga_runs = {family: pool.submit(fpga, family, advance) for family in FAMILIES}
        return _Results({f: r.result() for f, r in fpga_runs.items()}, asic_run.result())


def _metrics(results: _Results, target: Target, work: _Work) -> list[Metric]:
    values: dict[str, Value] = {}
    own, lacking = None, []
    try:
        own = family_of(target.part)
    except UnknownFamily as error:  # the others' figures stand under their names
        unmeasured = unmeasured_synthesis(work.variant, str(error))
        lacking = [metric for metric in unmeasured if metric.name.startswith("fpga.")]
        print(f"no figures of the target's FPGA: {error}", file=sys.stderr)
    for family, found in results.fpga.items():
        prefix = "fpga" if family == own else f"fpga.{family.name}"
        values |= {
            f"{prefix}.lut": found.lut,
            f"{prefix}.pass_through": found.pass_through,
            f"{prefix}.ff": found.ff,
            f"{prefix}.dsp": found.dsp,
            f"{prefix}.carry": found.carry,
            f"{prefix}.family": family.title,
        }
    asic = results.asic
    values |= {
        "asic.area_um2": asic.area_um2,
        "asic.gate_equivalents": asic.gate_equivalents,
        "asic.sequential_share": asic.sequential_share,
        "asic.library": asic.library,
        "asic.reference_cell": asic.reference_cell,
    }
    by_number = sorted(asic.cells.items(), key=lambda entry: (-entry[1], entry[0]))
    values |= {f"asic.cells.{kind}": number for kind, number in by_number}
    source = provenance(model_hash=work.encoder_hash, packages=(DISTRIBUTION,))
    return with_provenance([*lacking, *synthesis_metrics(work.variant, values)], source)


def _in_words(results: _Results) -> list[str]:
    lines = []
    for family, found in results.fpga.items():
        lines.append(
            f"{family.title}: {found.lut:,} LUT, {found.ff:,} FF, {found.dsp:,} DSP, "
            f"{found.carry:,} {family.carry}"
        )
    asic = results.asic
    lines.append(
        f"{asic.library}: {asic.area_um2:,.0f} um2, {asic.gate_equivalents:,.0f} gate equivalents "
        f"({asic.reference_cell}), {asic.sequential_share:.0%} of it flip-flops"
    )
    return lines
