"""Vendor tools on the projects of the HLS step: what is called, and what it left.

Nothing is taken for granted of a tool that ran: its exit status, an error anywhere in its log, and
reports that it did not leave all fail the run.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from hw.backends import vivado
from hw.backends.bench_data import SIMULATED_OUTPUTS, TEST_DATA, Rows, write_vectors
from hw.backends.catapult import CATAPULT
from hw.backends.hls_backend import Program, Request
from hw.backends.registry import BACKENDS
from hw.backends.tool_reports import Figure
from hw.foundation import external_tool
from hw.foundation.errors import InputError, ToolMissing
from hw.targets.target import Target

# Vitis and Vivado: `ERROR: [HLS 200-70] ...`; Catapult and its simulator: `# Error: ...`,
# `# ** Error: ...`, while `# Errors: 0` is none
_ERROR = re.compile(r"^[#\s/]*(?:\*\*\s*)?(?:ERROR|Error|FATAL|Fatal)\b\s?(?:\([^)]*\))?:")


@dataclass(frozen=True)
class VendorRun:
    """One call of one tool.

    Attributes:
        command: program and arguments.
        folder: the project, in which it works.
        log: receives all that it prints; kept.
    """

    command: tuple[str, ...]
    folder: Path
    log: Path

    @property
    def program(self) -> str:
        return Path(self.command[0]).name


def plan(project: Path, target: Target, request: Request) -> list[VendorRun]:
    """The calls that do what is requested in an HLS project, in order; looks for every tool first.

    Raises:
        ToolMissing: a tool is not on PATH.
        InputError: FPGA synthesis for a target that is none.
    """
    if request.synthesis and target.part is None:
        raise InputError(
            f"target '{target.name}' is an ASIC: Vivado cannot synthesise it; leave --synthesis out"
        )
    project, backend = project.resolve(), BACKENDS[target.backend]
    hls = _find(backend.programs)
    synthesis = _find((vivado.PROGRAM,)) if request.synthesis else ""
    command = (hls, *backend.arguments(Path(hls).name, request))
    runs = [VendorRun(command, project, project / f"vendor_{backend.name.lower()}.log")]
    if request.synthesis and not backend.calls_synthesis:
        log = project / "vendor_vivado_synth.log"
        runs.append(VendorRun((synthesis, *vivado.ARGUMENTS), project, log))
    return runs


def plan_block(project: Path) -> list[VendorRun]:
    """The call that takes the project of the whole chip block through Catapult and simulates it.

    Raises:
        ToolMissing: Catapult is not on PATH.
    """
    project = project.resolve()
    command = (_find(CATAPULT.programs), *CATAPULT.arguments("catapult", Request()))
    return [VendorRun(command, project, project / "vendor_catapult.log")]


def prepare(
    project: Path,
    top: str,
    target: Target,
    request: Request,
    vectors: tuple[Rows, Rows] | None,
) -> None:
    """Remove what an earlier run left, and tell the project's scripts what is requested.

    Args:
        top: name of the top function, after which the tools name their folders.
        vectors: inputs and expected outputs of the bench, one row a vector; None where the project
            brings its own.

    Raises:
        InputError: the project is not as hls4ml writes it.
    """
    for leftover in [*project.glob(f"{top}_prj*"), *project.glob("vendor*.log")]:
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    (project / vivado.UTILISATION).unlink(missing_ok=True)
    (project / TEST_DATA / SIMULATED_OUTPUTS).unlink(missing_ok=True)
    if vectors is not None:
        write_vectors(project, *vectors)
    if prepare_scripts := BACKENDS[target.backend].prepare:
        prepare_scripts(project, request, vectors=vectors is not None)


def carry_out(run: VendorRun) -> None:
    """Run a tool to its end.

    Raises:
        ToolFailed: exit status or log tell of an error; names the log and shows the error.
    """
    output = external_tool.run(
        run.command, run.program, folder=run.folder, log=run.log, excerpt=_errors
    )
    if any(map(_ERROR.match, output.splitlines())):
        raise external_tool.failure(run.program, output, run.command, log=run.log, excerpt=_errors)


def read_vendor_reports(project: Path) -> list[Figure]:
    """All figures of the newest report of each kind below an HLS project; empty if there is none.

    Raises:
        InputError: a report is malformed; the message names it.
    """
    readers = dict.fromkeys(backend.read_reports for backend in BACKENDS.values())
    return [figure for read in (*readers, vivado.read_reports) for figure in read(project)]


def _errors(output: str) -> str:
    errors = [line for line in output.splitlines() if _ERROR.match(line)]
    shown = "\n".join(errors[: external_tool.LINES_SHOWN])
    return shown or external_tool.last_lines(output)


def _find(programs: tuple[Program, ...]) -> str:
    """Path of the first of these programs that is installed."""
    for program in programs:
        if path := program.path():
            return path
    names = " or ".join(program.name for program in programs)
    raise ToolMissing(
        f"{names} is not on PATH; {programs[0].remedy}. No vendor's tool is needed for figures of "
        "RTL and gates: make rtlsim, make synth"
    )
