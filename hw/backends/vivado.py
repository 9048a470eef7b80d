"""Vivado: logic synthesis of what an HLS tool makes, and its reports.

Command line and reports: AMD UG835 (vivado, report_utilization, report_timing_summary), at the
places where hls4ml's scripts leave them.
"""

import re
from dataclasses import replace
from pathlib import Path

from hw.backends.hls_backend import Program
from hw.backends.tool_reports import (
    PLACE_AND_ROUTE,
    SYNTHESIS,
    Figure,
    Report,
    match_line,
    newest,
    report_lines,
)
from hw.foundation.errors import InputError

PROGRAM = Program(
    "vivado",
    "FPGA synthesis of what HLS makes",
    "install AMD Vivado and source its settings64.sh",
)
ARGUMENTS = ("-mode", "batch", "-nojournal", "-nolog", "-source", "vivado_synth.tcl")

UTILISATION = "vivado_synth.rpt"
"""What hls4ml's script for Vivado leaves in the project."""


def read_reports(project: Path) -> list[Figure]:
    """Figures of logic synthesis, of the newest report of each kind.

    Raises:
        InputError: a report is malformed.
    """
    figures: list[Figure] = []
    utilisation = [project / UTILISATION, *project.glob("*/*.v*/*/utilization_synth.rpt")]
    if used := newest(path for path in utilisation if path.is_file()):
        figures += parse_vivado_utilisation(used)
    if timing := newest(project.glob("*/*.v*/*/timing_summary_synth.rpt")):
        figures += parse_vivado_timing(timing)
    return figures


def parse_vivado_utilisation(path: Path | str) -> list[Figure]:
    """Cells used, from Vivado's `report_utilization`; placed and routed designs count as `pnr`.

    Raises:
        InputError: no Vivado header, or a resource is missing.
    """
    path = Path(path)
    lines = report_lines(path)
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
    lines = report_lines(path)
    report = _vivado_report(path, lines)
    for index, line in enumerate(lines):
        if line.strip().startswith("WNS(ns)"):
            row = lines[index + 2].split() if index + 2 < len(lines) else []
            if row:
                slack = report.figure("timing.slack_ns", row[0], "ns")
                return [replace(slack, better="higher")]
    raise InputError(f"{path}: no 'WNS(ns)' table; not a complete timing summary")


def _vivado_report(path: Path, lines: list[str]) -> Report:
    tool_line = r"\| Tool Version\s*: Vivado v\.(\S+)"
    (version,) = match_line(path, lines, tool_line, "Vivado 'Tool Version' line")
    (state,) = match_line(path, lines, r"\| Design State\s*: (.+)", "Vivado 'Design State' line")
    physical = re.search("placed|routed", state, re.IGNORECASE)
    return Report(path, "Vivado", version, PLACE_AND_ROUTE if physical else SYNTHESIS)
