"""Figures from the reports of HLS and synthesis tools: Vitis/Vivado HLS, Vivado, Catapult.

A tool that has run in an HLS project leaves its reports there; these functions find and read them.
Nothing is computed that the tool does not state, but for units (a Vivado block RAM tile is counted
as the two RAMB18 that Vitis counts), cycles turned into time, and simulated outputs compared with
those expected.

Formats: AMD UG1399 (csynth.xml, cosim.rpt), UG835 (report_utilization, report_timing_summary),
Catapult `rtl.rpt`, `cycle.rpt` and transcript; places: as the build scripts of hls4ml leave them.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

from hw.foundation.errors import InputError

_HLS_ESTIMATE = "estimate"
_RTL_SIMULATION = "rtlsim"
_SYNTHESIS = "synth"
_PLACE_AND_ROUTE = "pnr"

TEST_DATA = "tb_data"
"""Folder of the bench's data in an HLS project."""

EXPECTED_OUTPUTS = "tb_output_predictions.dat"
SIMULATED_OUTPUTS = "rtl_cosim_results.log"
"""Outputs in that folder, one line a vector: what should come out, and what the RTL gave."""

VIVADO_UTILISATION = "vivado_synth.rpt"
"""What hls4ml's script for Vivado leaves in the project."""

# a bench prints six significant digits
_PRINTED = 1e-5

_NS_PER = {"sec": 1e9, "s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1.0, "ps": 1e-3}
_NOT_KNOWN = ("na", "n/a", "undef", "-", "?", "x")
_NUMBER = r"(-?[\d.]+(?:[eE][-+]?\d+)?)"


@dataclass(frozen=True)
class Report:
    """One report file and what wrote it.

    Attributes:
        file: the report.
        tool, version: `Vitis HLS`, `2023.1`.
        evidence: `estimate` (HLS), `rtlsim` (co-simulation), `synth` or `pnr` (logic synthesis).
    """

    file: Path
    tool: str
    version: str
    evidence: str

    def figure(self, name: str, text: str, unit: str) -> "Figure":
        """A figure from the report's text; a tool's word for `not known` gives None and says so.

        Raises:
            InputError: the text is neither.
        """
        if text.lower() in _NOT_KNOWN:
            reason = f"{self.tool} gives '{text}' in {self.file.name}"
            return Figure(name, None, unit, self, reason=reason)
        try:
            number = float(text)
        except ValueError as error:
            raise InputError(f"{self.file}: '{text}' is no number for {name}") from error
        return Figure(name, int(number) if number.is_integer() else number, unit, self)


@dataclass(frozen=True)
class Figure:
    """One number of one report.

    Attributes:
        name: dotted metric name, `latency.cycles`.
        value: None where the tool gives none; `reason` then says why.
        unit: `cycles`, `ns`, `LUT`, ...; empty for a yes or no.
        report: where it stands.
        better: direction of improvement; None where neither is.
    """

    name: str
    value: float | int | bool | None
    unit: str
    report: Report
    better: Literal["lower", "higher"] | None = "lower"
    reason: str | None = None


def read_vendor_reports(hls_folder: Path | str) -> list[Figure]:
    """All figures of the newest report of each kind below an HLS project; empty if there is none.

    Raises:
        InputError: a report is malformed; the message names it.
    """
    folder = Path(hls_folder)
    figures: list[Figure] = []
    clock_ns = None
    if csynth := _csynth_report(folder):
        figures += parse_csynth(csynth)
        clock_ns = next(f.value for f in figures if f.name == "timing.clock_target_ns")
    if cosim := _newest(folder.glob("**/sim/report/*_cosim.rpt")):
        figures += parse_cosim(cosim, None if clock_ns is None else float(clock_ns))
        figures += compare_outputs(folder / TEST_DATA, figures[-1].report)
    if transcript := _newest(folder.glob("*catapult.log")):
        figures += parse_scverify(transcript)
    if catapult := _newest(folder.glob("*/*.v*/rtl.rpt")):
        figures += parse_catapult(catapult)
    utilisation = [folder / VIVADO_UTILISATION, *folder.glob("*/*.v*/*/utilization_synth.rpt")]
    if vivado := _newest(path for path in utilisation if path.is_file()):
        figures += parse_vivado_utilisation(vivado)
    if timing := _newest(folder.glob("*/*.v*/*/timing_summary_synth.rpt")):
        figures += parse_vivado_timing(timing)
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
    report = Report(path, tool, text("ReportVersion/Version"), _HLS_ESTIMATE)
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
    for line in _lines(path):
        # RTL, status, latency min/avg/max, interval min/avg/max; newer tools add the total time
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 8 or cells[0] not in ("VHDL", "Verilog") or cells[1] == "NA":
            continue
        report = Report(path, "C/RTL co-simulation", cells[0], _RTL_SIMULATION)
        passed = Figure("cosim.passed", cells[1].lower() == "pass", "", report, better="higher")
        latency = report.figure("latency.cycles", cells[4], "cycles")
        figures = [passed, latency, report.figure("ii.cycles", cells[7], "cycles")]
        if clock_ns is not None and latency.value is not None:
            time = latency.value * clock_ns
            figures.append(replace(latency, name="latency.ns", value=time, unit="ns"))
        return figures
    raise InputError(f"{path}: no VHDL or Verilog result row; not a co-simulation report")


def compare_outputs(folder: Path | str, report: Report) -> list[Figure]:
    """How many vectors of a co-simulation differ from those expected: `cosim.vectors` and
    `cosim.mismatches`; none if the bench's data are not there.

    Equal is what agrees in the six digits that a bench prints, so in every code of up to 16 bits.

    Args:
        folder: that of the bench's data.
        report: the co-simulation that gave the outputs.

    Raises:
        InputError: a line that is not numbers.
    """
    expected_file, found_file = Path(folder) / EXPECTED_OUTPUTS, Path(folder) / SIMULATED_OUTPUTS
    if not (expected_file.is_file() and found_file.is_file()):
        return []
    expected, found = _numbers(expected_file), _numbers(found_file)
    vectors = Figure("cosim.vectors", len(found), "vectors", report, better=None)
    mismatches = Figure("cosim.mismatches", None, "vectors", report)
    if len(expected) != len(found):
        short = f"{len(found)} outputs for {len(expected)} vectors in {found_file}"
        return [vectors, replace(mismatches, reason=short)]
    differing = [i for i, pair in enumerate(zip(expected, found, strict=True)) if _differ(*pair)]
    first = f"first difference: vector {differing[0]} of {found_file}" if differing else None
    return [vectors, replace(mismatches, value=len(differing), reason=first)]


def parse_scverify(transcript: Path | str) -> list[Figure]:
    """Whether Catapult's simulation of the RTL gave what the C++ gave: `cosim.passed`; nothing if
    the transcript tells of no simulation.

    Raises:
        InputError: it cannot be read.
    """
    path = Path(transcript)
    text = "\n".join(_lines(path))
    verdicts = re.findall(r"\bSimulation (PASSED|FAILED)\b", text)
    if not verdicts:
        return []
    version = re.search(r"Catapult.*?(\d{4}\.\d\S*)", text)
    report = Report(path, "SCVerify", version[1] if version else "", _RTL_SIMULATION)
    return [Figure("cosim.passed", verdicts[-1] == "PASSED", "", report, better="higher")]


def parse_vivado_utilisation(path: Path | str) -> list[Figure]:
    """Cells used, from Vivado's `report_utilization`; placed and routed designs count as `pnr`.

    Raises:
        InputError: no Vivado header, or a resource is missing.
    """
    path = Path(path)
    lines = _lines(path)
    report = _vivado_report(path, lines)
    used: dict[str, str] = {}
    for line in lines:
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3:
            used.setdefault(cells[1].rstrip("*"), cells[2])  # the summary comes before the details

    def figure(name: str, labels: tuple[str, ...], unit: str) -> Figure:
        for label in labels:
            if label in used:
                return report.figure(name, used[label], unit)
        raise InputError(f"{path}: no row '{labels[0]}'; not a complete utilization report")

    tiles = figure("fpga.bram", ("Block RAM Tile",), "RAMB18")
    carry = [label for label in ("CARRY8", "CARRY4") if label in used]  # UltraScale, 7 series
    return [
        figure("fpga.lut", ("CLB LUTs", "Slice LUTs"), "LUT"),
        figure("fpga.ff", ("CLB Registers", "Slice Registers", "Registers"), "FF"),
        figure("fpga.dsp", ("DSPs", "DSP Slices"), "DSP"),
        *(figure("fpga.carry", (label,), label) for label in carry),
        replace(tiles, value=None if tiles.value is None else int(2 * tiles.value)),
    ]


def parse_vivado_timing(path: Path | str) -> list[Figure]:
    """Worst setup slack, from Vivado's `report_timing_summary`.

    Raises:
        InputError: no Vivado header or no summary table.
    """
    path = Path(path)
    lines = _lines(path)
    report = _vivado_report(path, lines)
    for index, line in enumerate(lines):
        if line.strip().startswith("WNS(ns)"):
            row = lines[index + 2].split() if index + 2 < len(lines) else []
            if row:
                slack = report.figure("timing.slack_ns", row[0], "ns")
                return [replace(slack, better="higher")]
    raise InputError(f"{path}: no 'WNS(ns)' table; not a complete timing summary")


def parse_catapult(rtl_report: Path | str) -> list[Figure]:
    """Schedule, area and timing from Catapult's `rtl.rpt` (and the clock from `cycle.rpt` beside).

    Catapult's throughput, in cycles, is the initiation interval of the whole design.  Its area
    score follows the technology library: LUTs are given for an FPGA library, else the score.

    Raises:
        InputError: a section is missing or malformed.
    """
    path = Path(rtl_report)
    lines = _lines(path)
    (product,) = _match(path, lines, r"-- (Catapult.*?):? Report", "Catapult header")
    (version,) = _match(path, lines, r"-- Version:\s+(\S+)", "'-- Version:' line")
    report = Report(path, product, version, _HLS_ESTIMATE)
    numbers = rf"\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}"
    _, latency, throughput = _match(path, lines, rf"\s*Design Total:{numbers}", "'Design Total:'")
    # after scheduling, after data path and FSM, after assignment
    *_, area = _match(path, lines, rf"\s*Total Area Score:{numbers}", "'Total Area Score:'")
    (delay,) = _match(path, lines, rf"\s*Max Delay:\s+{_NUMBER}", "'Max Delay:'")
    (slack,) = _match(path, lines, rf"\s*Slack:\s+{_NUMBER}", "'Slack:'")
    cycles = report.figure("latency.cycles", latency, "cycles")
    if cycles.value is not None and cycles.value < 0:
        endless = f"{product} reports {latency} cycles: the process runs without end"
        cycles = replace(cycles, value=None, reason=endless)
    luts = _catapult_luts(lines)
    return [
        cycles,
        _catapult_time(path, lines, cycles),
        report.figure("ii.cycles", throughput, "cycles"),
        report.figure("timing.critical_path_ns", delay, "ns"),
        replace(report.figure("timing.slack_ns", slack, "ns"), better="higher"),
        report.figure("fpga.lut", luts, "LUT")
        if luts
        else report.figure("asic.area_score", area, "score"),
    ]


def _catapult_time(path: Path, lines: list[str], cycles: Figure) -> Figure:
    time = replace(cycles, name="latency.ns", unit="ns")
    if cycles.value is None:
        return time
    cycle_report = path.with_name("cycle.rpt")
    if cycle_report.is_file():
        lines = lines + _lines(cycle_report)
    for line in lines:
        if period := re.match(r"\s*\S+\s+(?:rising|falling)\s+([\d.]+)\s", line):
            return replace(time, value=cycles.value * float(period[1]))
    reason = f"no clock in {path.name}, and no cycle.rpt beside it"
    return replace(time, value=None, reason=reason)


def _catapult_luts(lines: list[str]) -> str | None:
    """The LUT column of the bill of materials' total; None for a library without such a column."""
    header = next((line for line in lines if line.lstrip().startswith("Component Name")), "")
    columns = re.findall(r"Area Score|Area\(\w+\)", header)
    total = next((line for line in lines if "TOTAL AREA (After Assignment):" in line), "")
    values = total.partition(":")[2].split()
    if "Area(LUTs)" not in columns or len(values) < len(columns):
        return None
    return values[columns.index("Area(LUTs)")]


def _numbers(path: Path) -> list[list[float]]:
    """The lines of a file of numbers."""
    rows = []
    for number, line in enumerate(_lines(path), start=1):
        try:
            rows.append([float(word) for word in line.split()])
        except ValueError as error:
            raise InputError(f"{path}:{number}: not a line of numbers: {error}") from error
    return rows


def _differ(expected: list[float], found: list[float]) -> bool:
    return len(expected) != len(found) or any(
        not math.isclose(a, b, rel_tol=_PRINTED) for a, b in zip(expected, found, strict=True)
    )


def _csynth_report(folder: Path) -> Path | None:
    """The report of the top function; each function of a design has one of its own beside it."""
    if whole := _newest(folder.glob("**/syn/report/csynth.xml")):
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
    return _newest(tops)


def _newest(paths: Iterable[Path]) -> Path | None:
    return max(paths, key=lambda path: path.stat().st_mtime, default=None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _match(path: Path, lines: list[str], pattern: str, what: str) -> tuple[str, ...]:
    for line in lines:
        if found := re.match(pattern, line):
            return found.groups()
    raise InputError(f"{path}: no {what}; the report is malformed or incomplete")


def _vivado_report(path: Path, lines: list[str]) -> Report:
    tool_line = r"\| Tool Version\s*: Vivado v\.(\S+)"
    (version,) = _match(path, lines, tool_line, "Vivado 'Tool Version' line")
    (state,) = _match(path, lines, r"\| Design State\s*: (.+)", "Vivado 'Design State' line")
    physical = re.search("placed|routed", state, re.IGNORECASE)
    return Report(path, "Vivado", version, _PLACE_AND_ROUTE if physical else _SYNTHESIS)


def _nanoseconds(text: str) -> str:
    """`3.475 us` as `3475.0`; what is no time (`undef`) stays as it is."""
    number, _, unit = text.partition(" ")
    if unit not in _NS_PER or not re.fullmatch(r"[\d.]+", number):
        return text
    return str(round(float(number) * _NS_PER[unit], 6))
