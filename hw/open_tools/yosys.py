"""yosys: synthesis scripts, run to their end or not at all.

yosys comes as a Python package whose library ends the process at an error, so a script runs in a
process of its own.
"""

import importlib.metadata
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from hw.foundation import external_tool
from hw.foundation.atomic_file import write_text

SCRIPT = "script.ys"
LOG = "yosys.log"
DISTRIBUTION = "pyosys"
"""Name of the Python package: what figures give as their tool."""

_PROGRAM = """import sys
from pyosys import libyosys
libyosys.run_pass("echo on")
libyosys.run_pass("script " + sys.argv[1])
"""
_ECHO = "yosys> "
_WARNINGS_SHOWN = 3
_ABC_LINES_SHOWN = 6


def package(purpose: str, tool: str = "yosys") -> Path:
    """Folder of the package, which has ABC's program too.

    Raises:
        ToolMissing: it is not installed; the message tells the `purpose`.
    """
    return external_tool.package_folder(tool, purpose, DISTRIBUTION, DISTRIBUTION)


def version() -> str:
    """Version of the package, and so of yosys and ABC in it.

    Raises:
        ToolMissing: it is not installed.
    """
    package("synthesis")
    return importlib.metadata.version(DISTRIBUTION)


def run(
    script: str, folder: Path, what: str, *, progress: Callable[[int], None] | None = None
) -> None:
    """Run a script in `folder`, in which the script and, of one that was done, the log stay.

    Args:
        what: is being done, for the message of a failure.
        progress: called with 1 at each of the script's `commands`.

    Raises:
        ToolMissing: yosys is not installed.
        ToolFailed: a command of the script failed; the message shows the error.
    """
    package("synthesis")
    write_text(folder / SCRIPT, script)
    left = list(commands(script))

    def follow(line: str) -> None:
        # commands that a command calls are echoed, too
        if left and line.rstrip() == _ECHO + left[0]:
            left.pop(0)
            if progress:
                progress(1)

    # yosys leaves a copy of each cell library that it reads in its temporary folder
    with tempfile.TemporaryDirectory(prefix="econt-yosys-") as scratch:
        output = external_tool.run(
            [sys.executable, "-c", _PROGRAM, SCRIPT],
            f"{what} with yosys",
            folder=folder,
            environment={"TMPDIR": scratch},
            on_line=follow if progress else None,
            excerpt=_errors,
        )
    write_text(folder / LOG, output)


def commands(script: str) -> Iterator[str]:
    """The commands of a script, as many as `run` tells the progress of."""
    for line in script.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def quoted(path: Path) -> str:
    """A path as a word of a script."""
    return f'"{path}"' if re.search(r"\s", str(path)) else str(path)


def _errors(output: str) -> str:
    """The warnings before the error, and all from it on; the last lines where there is none."""
    before, error, _ = output.partition("ERROR:")
    lines = before.splitlines() if error else []
    warnings = [line for line in lines if line.startswith("Warning:")][-_WARNINGS_SHOWN:]
    shown = external_tool.lines_from(output, "ERROR:")
    # an error of ABC is told by ABC
    told = [line for line in lines if line.startswith("ABC:")] if "ABC" in shown else []
    return "\n".join([*warnings, *told[-_ABC_LINES_SHOWN:], shown])
