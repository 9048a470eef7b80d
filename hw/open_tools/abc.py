"""ABC, which comes with yosys's Python package as a program of its own."""

import re
from collections.abc import Sequence
from pathlib import Path

from hw.foundation import external_tool
from hw.foundation.errors import ToolFailed
from hw.open_tools.yosys import package

_PROGRAM = "yosys-abc"
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


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
    program = package("timing or equivalence", _PROGRAM) / _PROGRAM
    command = [str(program), "-c", "; ".join(commands)]
    output = external_tool.run(command, what, folder=folder, seconds=seconds)
    return _COLOUR.sub("", output)


def failed(what: str, output: str) -> ToolFailed:
    """The error of an ABC that gave no answer: the end of what it printed."""
    return external_tool.failure(f"{what} with {_PROGRAM}", output)
