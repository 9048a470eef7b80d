"""Siemens Catapult: HLS for ASICs and FPGAs, with simulation of the RTL and synthesis by itself.

Called as hls4ml calls it.  Reports: `rtl.rpt`, `cycle.rpt` and the transcript.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.backends.bench_data import EXPECTED_OUTPUTS, INPUTS, TEST_DATA
from hw.backends.hls_backend import HlsBackend, Program, Request, script_options
from hw.backends.tool_reports import (
    HLS_ESTIMATE,
    RTL_SIMULATION,
    Figure,
    Report,
    match_line,
    newest,
    report_lines,
)
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError

if TYPE_CHECKING:
    from hw.targets.target import Target

_SCRIPT = "vendor.tcl"
_NUMBER = r"(-?[\d.]+(?:[eE][-+]?\d+)?)"


def _conversion_options(target: "Target") -> dict[str, Any]:
    if target.asic_library is not None:
        return {"tech": "asic", "asiclibs": target.asic_library}
    return {"tech": "fpga", "part": target.part}


def _arguments(_program: str, _request: Request) -> tuple[str, ...]:
    return ("-product", "ultra", "-shell", "-f", _SCRIPT)


def _prepare(project: Path, request: Request, *, vectors: bool) -> None:
    if vectors:
        _name_test_data(project / "build_prj.tcl")
    write_text(project / _SCRIPT, _script(request))


def _script(request: Request) -> str:
    """What runs the project's script and ends with its status.

    `reset` would load a project that an earlier run left, and there is none.
    """
    options = script_options(request) | {"reset": 0, "vhdl": 0, "vsynth": int(request.synthesis)}
    arguments = " ".join(f"{name}={value}" for name, value in options.items())
    return f"""\
# The project's own script with these options; an error in it is the exit status.
set ::argv {{{arguments}}}
set script [file join [file dirname [file normalize [info script]]] build_prj.tcl]
if {{[catch {{source $script}} message]}} {{
  puts "# Error: $message"
  exit 1
}}
exit 0
"""


def _name_test_data(script: Path) -> None:
    """Have Catapult's bench read the test data; without, hls4ml's feeds it random numbers."""
    text = script.read_text(encoding="utf-8")
    files = " ".join(f"$sfd/{TEST_DATA}/{name}" for name in (INPUTS, EXPECTED_OUTPUTS))
    pattern = re.compile(r"^(flow package option set /SCVerify/INVOKE_ARGS) .*$", re.MULTILINE)
    text, count = pattern.subn(rf'\1 "$sfd/firmware/weights {files}"', text)
    if count != 1:
        raise InputError(
            f"{script}: sets the bench's arguments {count} times, expected once; run the hls stage "
            "anew with the hls4ml that constraints.txt names"
        )
    write_text(script, text)


def read_reports(project: Path) -> list[Figure]:
    """Figures of the simulation of the RTL and of Catapult's own reports.

    Raises:
        InputError: a report is malformed.
    """
    figures: list[Figure] = []
    if transcript := newest(project.glob("*catapult.log")):
        figures += parse_scverify(transcript)
    if catapult := newest(project.glob("*/*.v*/rtl.rpt")):
        figures += parse_catapult(catapult)
    return figures


def parse_scverify(transcript: Path | str) -> list[Figure]:
    """Whether Catapult's simulation of the RTL gave what the C++ gave: `cosim.passed`; nothing if
    the transcript tells of no simulation.

    Raises:
        InputError: it cannot be read.
    """
    path = Path(transcript)
    text = "\n".join(report_lines(path))
    verdicts = re.findall(r"\bSimulation (PASSED|FAILED)\b", text)
    if not verdicts:
        return []
    version = re.search(r"Catapult.*?(\d{4}\.\d\S*)", text)
    report = Report(path, "SCVerify", version[1] if version else "", RTL_SIMULATION)
    return [Figure("cosim.passed", verdicts[-1] == "PASSED", "", report, better="higher")]


def parse_catapult(rtl_report: Path | str) -> list[Figure]:
    """Schedule, area and timing from Catapult's `rtl.rpt` (and the clock from `cycle.rpt` beside).

    Catapult's throughput, in cycles, is the initiation interval of the whole design.  Its area
    score follows the technology library: LUTs are given for an FPGA library, else the score.

    Raises:
        InputError: a section is missing or malformed.
    """
    path = Path(rtl_report)
    lines = report_lines(path)
    (product,) = match_line(path, lines, r"-- (Catapult.*?):? Report", "Catapult header")
    (version,) = match_line(path, lines, r"-- Version:\s+(\S+)", "'-- Version:' line")
    report = Report(path, product, version, HLS_ESTIMATE)
    numbers = rf"\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}"
    _, latency, throughput = match_line(
        path, lines, rf"\s*Design Total:{numbers}", "'Design Total:'"
    )
    # after scheduling, after data path and FSM, after assignment
    *_, area = match_line(path, lines, rf"\s*Total Area Score:{numbers}", "'Total Area Score:'")
    (delay,) = match_line(path, lines, rf"\s*Max Delay:\s+{_NUMBER}", "'Max Delay:'")
    (slack,) = match_line(path, lines, rf"\s*Slack:\s+{_NUMBER}", "'Slack:'")
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
        lines = lines + report_lines(cycle_report)
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


CATAPULT = HlsBackend(
    name="Catapult",
    programs=(
        Program(
            "catapult",
            "ASIC HLS for the ECON-T target",
            "install Siemens Catapult and put $MGC_HOME/bin on PATH (needs a licence)",
            home="MGC_HOME",
        ),
    ),
    include_folders=(
        "ac_types/include",
        "ac_math/include",
        "ac_simutils/include",
        "nnet_utils",
    ),
    definitions={"AC_TYPES": "1"},
    takes_asic_libraries=True,
    calls_synthesis=True,
    conversion_options=_conversion_options,
    arguments=_arguments,
    prepare=_prepare,
    read_reports=read_reports,
)
