"""Map the RTL to the cells of two FPGA families and of a cell library, and count them."""

import argparse
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from flows.artefacts.generated_rtl import generated_design
from flows.artefacts.netlists import chip_design, liberty_file
from flows.command_line.options import add_design, add_or_skip
from flows.command_line.progress import progress
from flows.frame import Found
from flows.layout import ASIC, DesignLayout, netlist_folder
from flows.stages import Stage
from hw.forms import GENERATED, Form
from hw.foundation.errors import ToolMissing
from hw.generated.network_logic import NoLogic
from hw.open_tools.verilog_design import VerilogDesign
from hw.open_tools.yosys import DISTRIBUTION, commands
from hw.synthesis.asic import AsicStatistics, asic_script, read_library, synthesise_asic
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
from reports.catalogue import Value

CANNOT = (NoLogic, ToolMissing)

_AT_ONCE = 2  # runs of yosys, each on one core; a run needs up to 2 GB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(
        parser,
        "hardware target: its part gives the FPGA family whose figures stand in front, its "
        "'liberty' the cell library",
    )
    add_or_skip(parser, "where there is no RTL or no tool to map it with, record that and succeed")


def measure(stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    assert stage.form is not None
    target = load_target(arguments.target)
    work = _work(design, stage.form)
    results = _synthesise(work, target)
    own, unknown = _own_family(target) if work.families else (None, "")
    of_fpga = [name for name in stage.records if name.startswith("fpga.")]
    return Found(
        _values(results, own),
        reasons={} if own else dict.fromkeys(of_fpga, unknown),
        packages=(DISTRIBUTION,),
        told=(*_in_words(results), f"netlists: {work.folder}"),
    )


@dataclass(frozen=True)
class _Work:
    """A design and how to map it.

    Attributes:
        flat: as one module, which takes less area; else each module once, which takes less time.
    """

    design: VerilogDesign
    form: Form
    folder: Path
    flat: bool

    @property
    def families(self) -> tuple[Family, ...]:
        """The FPGA families that it is mapped to."""
        return () if self.form.whole_path else FAMILIES


@dataclass(frozen=True)
class _Results:
    fpga: Mapping[Family, FpgaStatistics]
    asic: AsicStatistics


def _work(design: DesignLayout, form: Form) -> _Work:
    folder = netlist_folder(design, form)
    if form is GENERATED:
        rtl = generated_design(design)
        verilog = VerilogDesign(
            tuple(design.target.rtl / source for source in rtl.sources), rtl.top
        )
        return _Work(verilog, form, folder, flat=True)
    return _Work(chip_design(form), form, folder, flat=False)


def _synthesise(work: _Work, target: Target) -> _Results:
    library = read_library(liberty_file(target), target.gate_equivalent_cell)
    scripts = [
        *(
            fpga_script(work.design, family, work.folder, flat=work.flat)
            for family in work.families
        ),
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
        progress(f"synthesis of the {work.form.name} RTL, commands", total) as advance,
        ThreadPoolExecutor(_AT_ONCE) as pool,
    ):
        asic_run = pool.submit(asic, advance)
        fpga_runs = {family: pool.submit(fpga, family, advance) for family in work.families}
        return _Results({f: r.result() for f, r in fpga_runs.items()}, asic_run.result())


def _own_family(target: Target) -> tuple[Family | None, str]:
    """The family of the target's FPGA; None, with the reason, where it cannot be mapped to."""
    try:
        return family_of(target.part), ""
    except UnknownFamily as error:
        print(f"no figures of the target's FPGA: {error}", file=sys.stderr)
        return None, str(error)


def _values(results: _Results, own: Family | None) -> dict[str, Value]:
    """The counts by metric name; those of other families than the target's under their names."""
    values: dict[str, Value] = {}
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
    return values


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
