"""What files and the system do to a command, told as an error with its file and remedy.

Readers of files tell damage themselves, with the file's own remedy.  Here is told what can happen
at any place of the work: no space, no permission, something else where a folder should be, no
memory, and whatever nobody thought of.
"""

import errno
import os
import sys
import traceback
from pathlib import Path

TRACEBACK = "ECONT_TRACEBACK"
"""Environment variable: where it is set, an unexpected error shows where it arose."""

_PROJECT = Path(__file__).resolve().parents[2]
_REMEDIES = {
    errno.ENOSPC: "make room on that disk and run the command again; finished results are kept",
    errno.EDQUOT: "make room in your quota and run the command again; finished results are kept",
    errno.EROFS: "choose a folder that can be written: --build (make BUILD=...)",
    errno.EACCES: "change its permissions, or choose another folder: --build (make BUILD=...)",
    errno.EPERM: "change its permissions, or choose another folder: --build (make BUILD=...)",
    errno.ENOTDIR: "a file lies where a folder should be; move it away",
    errno.EISDIR: "a folder lies where a file should be; move it away",
    errno.EEXIST: "something else lies there; move it away",
    errno.ENOTEMPTY: "another program writes there; wait for it, or stop it",
    errno.ENOENT: "it is gone, or another program removed it; run the stage that makes it again",
    errno.ELOOP: "a link leads to itself; remove it",
    errno.ENAMETOOLONG: "choose shorter names",
    errno.ENOMEM: "close other programs, or take fewer modules",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EIO: "the disk or its connection failed",
}


def in_words(error: BaseException) -> str:
    """An error that is none of this project's own, as the user reads it: one paragraph."""
    if isinstance(error, MemoryError):
        return (
            "the memory does not suffice; close other programs, or take fewer modules "
            "(--events, --vectors, --nrowsPerFile)"
        )
    if isinstance(error, OSError):
        file = error.filename2 or error.filename
        what = error.strerror or str(error) or type(error).__name__
        remedy = _REMEDIES.get(error.errno or 0)
        return (f"{file}: " if file else "") + what + (f"; {remedy}" if remedy else "")
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
