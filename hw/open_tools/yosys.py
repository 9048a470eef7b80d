"""yosys: synthesis scripts, run to their end or not at all.

yosys comes as a Python package whose library ends the process at an error, so a script runs in a
process of its own.
"""

import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from hw.foundation.errors import ToolFailed, ToolMissing

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
_LINES_SHOWN = 15
_WARNINGS_SHOWN = 3
_ABC_LINES_SHOWN = 6


def version() -> str:
    """Version of the package, and so of yosys and ABC in it.

    Raises:
        ToolMissing: it is not installed.
    """
    if importlib.util.find_spec(DISTRIBUTION) is None:
        raise ToolMissing(
            "yosys is not installed, and synthesis needs it; run `make environment`, which "
            f"installs the Python package '{DISTRIBUTION}'"
        )
    return importlib.metadata.version(DISTRIBUTION)


def run(
    script: str, folder: Path, what: str, *, progress: Callable[[int], None] | None = None
) -> None:
    """Run a script in `folder`, in which the script and the log stay.

    Args:
        what: is being done, for the message of a failure.
        progress: called with 1 at each of the script's `commands`.

    Raises:
        ToolMissing: yosys is not installed.
        ToolFailed: a command of the script failed; the message shows the error and names the log.
    """
    version()
    (folder / SCRIPT).write_text(script, encoding="utf-8")
    log, left = folder / LOG, list(commands(script))
    with (
        # yosys leaves a copy of each cell library that it reads in its temporary folder
        tempfile.TemporaryDirectory(prefix="econt-yosys-") as scratch,
        log.open("w", encoding="utf-8") as stream,
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, SCRIPT],
            cwd=folder,
            env={**os.environ, "TMPDIR": scratch},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                stream.write(line)
                # commands that a command calls are echoed, too
                if left and line.rstrip() == _ECHO + left[0]:
                    left.pop(0)
                    if progress:
                        progress(1)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        output = log.read_text(encoding="utf-8")
        raise ToolFailed(f"{what} with yosys failed:\n{_errors(output, process.returncode)}")


def commands(script: str) -> Iterator[str]:
    """The commands of a script, as many as `run` tells the progress of."""
    for line in script.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def quoted(path: Path) -> str:
    """A path as a word of a script."""
    return f'"{path}"' if re.search(r"\s", str(path)) else str(path)


def _errors(output: str, status: int) -> str:
    """The warnings before the error, and all from it on; where yosys was ended by something else,
    its last lines."""
    lines = output.strip().splitlines()
    first = next((i for i, line in enumerate(lines) if "ERROR:" in line), None)
    if first is not None:
        warnings = [line for line in lines[:first] if line.startswith("Warning:")]
        # an error of ABC is told by ABC
        told = [line for line in lines[:first] if line.startswith("ABC:")]
        before = warnings[-_WARNINGS_SHOWN:] + told[-_ABC_LINES_SHOWN:] * ("ABC" in lines[first])
        return "\n".join([*before, *lines[first : first + _LINES_SHOWN]])
    ended = f"ended by signal {-status}" if status < 0 else f"exit status {status}"
    return "\n".join([*lines[-_LINES_SHOWN:], f"({ended})"])
