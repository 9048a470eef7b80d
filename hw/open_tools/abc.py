"""ABC, which comes with yosys's Python package as a program of its own."""

import importlib.util
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hw.foundation.errors import ToolFailed, ToolMissing
from hw.open_tools.yosys import DISTRIBUTION

_PROGRAM = "yosys-abc"
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_LINES_SHOWN = 10


class OutOfTime(ToolFailed):
    """ABC was stopped before it had an answer."""


def run(commands: Sequence[str], folder: Path, what: str, *, seconds: float | None = None) -> str:
    """Carry out commands in `folder`; returns all that ABC prints.

    ABC gives no exit status for most failures: callers must look for the line they need, and raise
    `failed` without it.

    Args:
        what: it is, for messages.
        seconds: after which it is stopped; None for no limit.

    Raises:
        OutOfTime: it was stopped.
        ToolMissing: it is not installed.
        ToolFailed: it was ended by a signal or gives an exit status.
    """
    command = [str(_program()), "-c", "; ".join(commands)]
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
        raise OutOfTime(f"{what} was not done after {seconds:g} s") from error
    output = _COLOUR.sub("", done.stdout)
    if done.returncode != 0:
        raise failed(what, output)
    return output


def failed(what: str, output: str) -> ToolFailed:
    """The error that shows the end of what ABC printed."""
    lines = "\n".join(output.strip().splitlines()[-_LINES_SHOWN:])
    return ToolFailed(f"{what} with {_PROGRAM} failed:\n{lines}")


def _program() -> Path:
    found = importlib.util.find_spec(DISTRIBUTION)
    program = Path(found.origin).parent / _PROGRAM if found and found.origin else None
    if program is None or not program.is_file():
        raise ToolMissing(
            f"{_PROGRAM} is not installed, and timing and equivalence need it; run "
            f"`make environment`, which installs the Python package '{DISTRIBUTION}' that has it"
        )
    return program
