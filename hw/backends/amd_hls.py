"""AMD's HLS tools: Vitis HLS, and Vivado HLS before it.

Command lines: UG1399 (vitis-run, vitis_hls), UG902 (vivado_hls).  Reports: UG1399 (csynth.xml,
cosim.rpt), at the places where hls4ml's scripts have the tools leave them.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from hw.backends.bench_data import TEST_DATA, compare_outputs
from hw.backends.hls_backend import HlsBackend, Program, Request, script_options
from hw.backends.tool_reports import (
    HLS_ESTIMATE,
    RTL_SIMULATION,
    Figure,
    Report,
    newest,
    report_lines,
)
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError

if TYPE_CHECKING:
    from hw.targets.target import Target

_INSTALL = "install AMD Vitis (HLS needs no licence) and source its settings64.sh"
_SCRIPT = "build_prj.tcl"
_NS_PER = {"sec": 1e9, "s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0, "ps": 1e-3}


def _conversion_options(target: "Target") -> dict[str, Any]:
    # weights in the headers alone: what is simulated cannot differ from what is synthesised
    return {"part": target.part, "write_weights_txt": False}


def _vitis_arguments(program: str, _request: Request) -> tuple[str, ...]:
    return ("--mode", "hls", "--tcl", _SCRIPT) if program == "vitis-run" else ("-f", _SCRIPT)


def _vivado_arguments(_program: str, request: Request) -> tuple[str, ...]:
    options = (f"{name}={value}" for name, value in script_options(request).items())
    return ("-f", _SCRIPT, " ".join(options))


def _write_vitis_options(project: Path, request: Request, *, vectors: bool) -> None:
    del vectors  # hls4ml's bench finds them by itself
    options = "".join(f"    {name} {value}\n" for name, value in script_options(request).items())
    write_text(project / "build_opt.tcl", f"array set opt {{\n{options}}}\n")


def read_reports(project: Path) -> list[Figure]:
    """Figures of C synthesis and co-simulation, of the newest report of each.

    Raises:
        InputError: a report is malformed.
    """
    figures: list[Figure] = []
    clock_ns = None
    if csynth := _csynth_report(project):
        figures += parse_csynth(csynth)
        clock_ns = next(f.value for f in figures if f.name == "timing.clock_target_ns")
    if cosim := newest(project.glob("**/sim/report/*_cosim.rpt")):
        figures += parse_cosim(cosim, None if clock_ns is None else float(clock_ns))
        figures += compare_outputs(project / TEST_DATA, figures[-1].report)
    return figures


def parse_csynth(path: Path | str) -> list[Figure]:
    """C synthesis estimates of Vitis HLS or Vivado HLS, from `csynth.xml` or `<top>_csynth.xml`.

    Latency and initiation interval are the worst case; `latency.best_cycles` is the best one.

    Raises:
        InputError: not XML, or a figure is missing or no number.
    """
    path = Path(path)
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise InputError(f"{path}: cannot be read as a C synthesis report: {error}") from error

    def text(place: str) -> str:
        found = root.findtext(place)
        if found is None or not found.strip():
            raise InputError(f"{path}: no <{place}>; not a complete C synthesis report")
        return found.strip()

    # Vitis HLS counts DSP blocks under that name, Vivado HLS under the primitive's
    dsp = "DSP" if root.find("AreaEstimates/Resources/DSP") is not None else "DSP48E"
    tool = "Vitis HLS" if dsp == "DSP" else "Vivado HLS"
    report = Report(path, tool, text("ReportVersion/Version"), HLS_ESTIMATE)
    estimates, resources = "PerformanceEstimates", "AreaEstimates/Resources"
    latency = f"{estimates}/SummaryOfOverallLatency"
    target = report.figure(
        "timing.clock_target_ns", text("UserAssignments/TargetClockPeriod"), "ns"
    )
    figures = [
        ("latency.cycles", text(f"{latency}/Worst-caseLatency"), "cycles"),
        ("latency.best_cycles", text(f"{latency}/Best-caseLatency"), "cycles"),
        ("latency.ns", _nanoseconds(text(f"{latency}/Worst-caseRealTimeLatency")), "ns"),
        ("ii.cycles", text(f"{latency}/Interval-max"), "cycles"),
        (
            "timing.critical_path_ns",
            text(f"{estimates}/SummaryOfTimingAnalysis/EstimatedClockPeriod"),
            "ns",
        ),
        ("fpga.lut", text(f"{resources}/LUT"), "LUT"),
        ("fpga.ff", text(f"{resources}/FF"), "FF"),
        ("fpga.dsp", text(f"{resources}/{dsp}"), "DSP"),
        ("fpga.bram", text(f"{resources}/BRAM_18K"), "RAMB18"),
    ]
    return [replace(target, better=None), *(report.figure(*figure) for figure in figures)]


def parse_cosim(path: Path | str, clock_ns: float | None = None) -> list[Figure]:
    """C/RTL co-simulation: whether it passed, and the largest latency and interval it saw.

    Args:
        clock_ns: clock period, for the latency in time; None leaves that figure out.

    Raises:
        InputError: the report holds no result row.
    """
    path = Path(path)
    for line in report_lines(path):
        # RTL, status, latency min/avg/max, interval min/avg/max; newer tools add the total time
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 8 or cells[0] not in ("VHDL", "Verilog") or cells[1] == "NA":
            continue
        report = Report(path, "C/RTL co-simulation", cells[0], RTL_SIMULATION)
        passed = Figure("cosim.passed", cells[1].lower() == "pass", "", report, better="higher")
        latency = report.figure("latency.cycles", cells[4], "cycles")
        figures = [passed, latency, report.figure("ii.cycles", cells[7], "cycles")]
        if clock_ns is not None and latency.value is not None:
            time = latency.value * clock_ns
            figures.append(replace(latency, name="latency.ns", value=time, unit="ns"))
        return figures
    raise InputError(f"{path}: no VHDL or Verilog result row; not a co-simulation report")


def _csynth_report(folder: Path) -> Path | None:
    """The report of the top function; each function of a design has one of its own beside it."""
    if whole := newest(folder.glob("**/syn/report/csynth.xml")):
        return whole
    reports = list(folder.glob("**/syn/report/*_csynth.xml"))
    if len(reports) < 2:
        return reports[0] if reports else None
    # hls4ml and most scripts name the project folder after the top function
    tops = [path for path in reports if f"{path.stem.removesuffix('_csynth')}_prj" in path.parts]
    if not tops:
        raise InputError(
            f"{reports[0].parent}: several *_csynth.xml and no csynth.xml; "
            "keep only the report of the top function"
        )
    return newest(tops)


def _nanoseconds(text: str) -> str:
    """`3.475 us` as `3475.0`; what is no time (`undef`) stays as it is."""
    number, _, unit = text.partition(" ")
    if unit not in _NS_PER or not re.fullmatch(r"[\d.]+", number):
        return text
    return str(round(float(number) * _NS_PER[unit], 6))


VITIS = HlsBackend(
    name="Vitis",
    programs=(
        Program("vitis-run", "latency and resources by HLS (Vitis 2023.2 and newer)", _INSTALL),
        Program("vitis_hls", "latency and resources by HLS (older Vitis)", _INSTALL),
    ),
    include_folders=("ap_types",),
    conversion_options=_conversion_options,
    arguments=_vitis_arguments,
    prepare=_write_vitis_options,
    read_reports=read_reports,
)
VIVADO = replace(
    VITIS,
    name="Vivado",
    programs=(
        Program(
            "vivado_hls",
            "latency and resources by HLS (before Vitis)",
            "install AMD Vivado 2020.1 or older and source its settings64.sh; or take a target "
            "with backend Vitis",
        ),
    ),
    arguments=_vivado_arguments,
    prepare=None,  # its options are arguments
)
