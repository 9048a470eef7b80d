"""What files and the system do to a command, told as an error with its file and remedy.

Readers of files tell damage themselves, with the file's own remedy.  Here is told what can happen
at any place of the work: no space, no permission, something else where a folder should be, no
memory, and whatever nobody thought of.
"""

import os
import sys
import traceback
from pathlib import Path

from hw.foundation.errors import system_error

TRACEBACK = "ECONT_TRACEBACK"
"""Environment variable: where it is set, an unexpected error shows where it arose."""

_PROJECT = Path(__file__).resolve().parents[2]


def in_words(error: BaseException) -> str:
    """An error that is none of this project's own, as the user reads it: one paragraph."""
    if isinstance(error, MemoryError):
        return (
            "the memory does not suffice; close other programs, or take fewer modules "
            "(--events, --vectors, --nrowsPerFile)"
        )
    if isinstance(error, OSError):
        file = error.filename2 or error.filename
        return (f"{file}: " if file else "") + system_error(error)
    where = _place(error)
    text = str(error).strip().split("\n")[0][:300]
    return (
        f"unexpected {type(error).__name__}{f' in {where}' if where else ''}: {text}; a file may "
        f"be damaged, or this is a defect of this project: {TRACEBACK}=1 shows where it arose"
    )


def _place(error: BaseException) -> str:
    """The last line of this project that took part."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(_PROJECT) and ".venv" not in file.parts:
            return f"{file.relative_to(_PROJECT)}:{frame.lineno}"
    return ""


def show_traceback() -> bool:
    return bool(os.environ.get(TRACEBACK))


def prepare_output() -> None:
    """Have terminals show another character for one they lack; closed output goes nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before the program started
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, nowhere)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def close_output() -> None:
    """Nobody reads any more: have Python's last flush go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
