"""Vendor tools on the projects of the HLS step: Vitis HLS, Vivado HLS, Catapult, Vivado.

Nothing is taken for granted of a tool that ran: its exit status, an error anywhere in its log, and
reports that it did not leave all fail the run.

Command lines: AMD UG1399 (vitis-run, vitis_hls), UG902 (vivado_hls), UG835 (vivado), and as hls4ml
calls them (Catapult).
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.backends.vendor_reports import (
    EXPECTED_OUTPUTS,
    SIMULATED_OUTPUTS,
    TEST_DATA,
    VIVADO_UTILISATION,
)
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError, ToolFailed, ToolMissing
from hw.targets.target import Target

REMEDIES: Mapping[str, str] = {
    "vitis-run": "install AMD Vitis (HLS needs no licence) and source its settings64.sh",
    "vitis_hls": "install AMD Vitis (HLS needs no licence) and source its settings64.sh",
    "vivado_hls": "install AMD Vivado 2020.1 or older and source its settings64.sh; or take a "
    "target with backend Vitis",
    "vivado": "install AMD Vivado and source its settings64.sh",
    "catapult": "install Siemens Catapult and put $MGC_HOME/bin on PATH (needs a licence)",
}
"""How to get a tool, by the name of its program."""

# programs that can run a back end's projects, the preferred one first
_PROGRAMS = {
    "Vitis": ("vitis-run", "vitis_hls"),
    "Vivado": ("vivado_hls",),
    "Catapult": ("catapult",),
}
_INPUTS = "tb_input_features.dat"
_CATAPULT_SCRIPT = "vendor.tcl"
_LINES_SHOWN = 20
# Vitis and Vivado: `ERROR: [HLS 200-70] ...`; Catapult and its simulator: `# Error: ...`,
# `# ** Error: ...`, while `# Errors: 0` is none
_ERROR = re.compile(r"^[#\s/]*(?:\*\*\s*)?(?:ERROR|Error|FATAL|Fatal)\b\s?(?:\([^)]*\))?:")


@dataclass(frozen=True)
class Run:
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


@dataclass(frozen=True)
class Request:
    """What is wanted of the tools.

    Attributes:
        cosim: simulate the RTL that HLS makes, beside synthesis to RTL.
        synthesis: logic synthesis of that RTL for the target's FPGA.
    """

    cosim: bool = True
    synthesis: bool = False


def plan(project: Path, top: str, target: Target, request: Request) -> list[Run]:
    """The calls that do what is requested in an HLS project, in order; looks for every tool first.

    Args:
        top: name of the top function, after which the tools name their folder.

    Raises:
        ToolMissing: a tool is not on PATH.
        InputError: FPGA synthesis for a target that is none.
    """
    if request.synthesis and target.part is None:
        raise InputError(
            f"target '{target.name}' is an ASIC: Vivado cannot synthesise it; leave --synthesis out"
        )
    project = project.resolve()
    hls = _find(target.backend)
    vivado = _find("vivado") if request.synthesis else ""
    log = project / f"vendor_{target.backend.lower()}.log"
    runs = [Run((hls, *_arguments(Path(hls).name, request)), project, log)]
    if request.synthesis and target.backend != "Catapult":  # Catapult calls it itself
        script = ("-mode", "batch", "-nojournal", "-nolog", "-source", "vivado_synth.tcl")
        runs.append(Run((vivado, *script), project, project / "vendor_vivado_synth.log"))
    return runs


def plan_block(project: Path) -> list[Run]:
    """The call that takes the project of the whole chip block through Catapult and simulates it.

    Raises:
        ToolMissing: Catapult is not on PATH.
    """
    project = project.resolve()
    command = (_find("Catapult"), *_arguments("catapult", Request()))
    return [Run(command, project, project / "vendor_catapult.log")]


def prepare(
    project: Path,
    top: str,
    target: Target,
    request: Request,
    vectors: tuple[Sequence[Sequence[float]], Sequence[Sequence[float]]] | None,
) -> None:
    """Remove what an earlier run left, and tell the project's scripts what is requested.

    Args:
        vectors: inputs and expected outputs of the bench, one row a vector; None where the project
            brings its own.

    Raises:
        InputError: the project is not as hls4ml writes it.
    """
    for leftover in [*project.glob(f"{top}_prj*"), *project.glob("vendor*.log")]:
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    (project / VIVADO_UTILISATION).unlink(missing_ok=True)
    data = project / TEST_DATA
    (data / SIMULATED_OUTPUTS).unlink(missing_ok=True)
    if vectors is not None:
        data.mkdir(exist_ok=True)
        for name, rows in zip((_INPUTS, EXPECTED_OUTPUTS), vectors, strict=True):
            write_text(data / name, "".join(f"{_row(row)}\n" for row in rows))
    if target.backend == "Vitis":
        lines = "".join(f"    {name} {value}\n" for name, value in _options(request).items())
        write_text(project / "build_opt.tcl", f"array set opt {{\n{lines}}}\n")
    if target.backend == "Catapult":
        if vectors is not None:
            _name_test_data(project / "build_prj.tcl")
        write_text(project / _CATAPULT_SCRIPT, _catapult_script(request))


def carry_out(run: Run) -> None:
    """Run a tool to its end.

    Raises:
        ToolFailed: exit status or log tell of an error; names the log and shows the error.
    """
    with run.log.open("w", encoding="utf-8") as stream:
        stream.write(" ".join(run.command) + "\n")
        stream.flush()
        try:
            done = subprocess.run(
                run.command,
                cwd=run.folder,
                stdin=subprocess.DEVNULL,  # a shell that waits for commands ends
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except OSError as error:
            raise ToolFailed(f"{run.command[0]} cannot be run: {error.strerror}") from error
    lines = run.log.read_text(encoding="utf-8", errors="replace").splitlines()[1:]
    errors = [line for line in lines if _ERROR.match(line)]
    if done.returncode == 0 and not errors:
        return
    shown = errors[:_LINES_SHOWN] or lines[-_LINES_SHOWN:]
    how = f"exit status {done.returncode}" if done.returncode else "errors in its log"
    raise ToolFailed(f"{run.program} failed with {how} (log: {run.log}):\n" + "\n".join(shown))


def _find(tool: str) -> str:
    """Path of the program for a back end (or of the program of that name)."""
    programs = _PROGRAMS.get(tool, (tool,))
    for program in programs:
        path = shutil.which(program) or _in_mentor_home(program)
        if path:
            return path
    raise ToolMissing(
        f"{' or '.join(programs)} is not on PATH; {REMEDIES[programs[0]]}. No vendor's tool is "
        "needed for figures of RTL and gates: make rtlsim, make synth"
    )


def _in_mentor_home(program: str) -> str | None:
    home = os.environ.get("MGC_HOME")
    return shutil.which(program, path=str(Path(home) / "bin")) if home else None


def _options(request: Request) -> dict[str, int]:
    """Options of hls4ml's scripts.  The C-simulation has been done; outputs are compared here."""
    return {
        "reset": 1,
        "csim": 0,
        "synth": 1,
        "cosim": int(request.cosim),
        "validation": 0,
        "export": 0,
        "vsynth": 0,
        "fifo_opt": 0,
    }


def _arguments(program: str, request: Request) -> tuple[str, ...]:
    if program == "vitis-run":
        return ("--mode", "hls", "--tcl", "build_prj.tcl")
    if program == "vitis_hls":
        return ("-f", "build_prj.tcl")
    if program == "vivado_hls":
        options = " ".join(f"{name}={value}" for name, value in _options(request).items())
        return ("-f", "build_prj.tcl", options)
    return ("-product", "ultra", "-shell", "-f", _CATAPULT_SCRIPT)


def _catapult_script(request: Request) -> str:
    """What runs the project's script and ends with its status.

    `reset` would load a project that an earlier run left, and there is none.
    """
    options = _options(request) | {"reset": 0, "vhdl": 0, "vsynth": int(request.synthesis)}
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
    files = " ".join(f"$sfd/{TEST_DATA}/{name}" for name in (_INPUTS, EXPECTED_OUTPUTS))
    pattern = re.compile(r"^(flow package option set /SCVerify/INVOKE_ARGS) .*$", re.MULTILINE)
    text, count = pattern.subn(rf'\1 "$sfd/firmware/weights {files}"', text)
    if count != 1:
        raise InputError(
            f"{script}: sets the bench's arguments {count} times, expected once; run the hls stage "
            "anew with the hls4ml that constraints.txt names"
        )
    write_text(script, text)


def _row(numbers: Sequence[float]) -> str:
    return " ".join(repr(float(number)) for number in numbers)
