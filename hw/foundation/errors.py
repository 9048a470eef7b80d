"""The errors a user sees: each names what is wrong, where, and what to do about it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager


class EcontError(Exception):
    """Base of all errors that are the user's to read: printed without a traceback."""

    exit_status = 2


class InputError(EcontError, ValueError):
    """Bad input: the message names the file, the line or key, and the remedy."""


@contextmanager
def about(subject: object) -> Iterator[None]:
    """Put `subject` (a file, say) before the message of an InputError from inside.

    Raises:
        InputError: the same, told of its subject.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{subject}: {error}") from error


class ToolMissing(EcontError):
    """An external tool is not installed: the message says how to get it."""


class ToolFailed(EcontError):
    """An external tool ran and failed: the message carries its command and last output."""


class OutOfTime(ToolFailed):
    """An external tool was stopped before it was done."""


class CheckFailed(EcontError):
    """A comparison or budget did not hold: the design, not the input, is at fault."""

    exit_status = 1


_REMEDIES = {
    errno.ENOSPC: "make room on that disk and run the command again; finished results are kept",
    errno.EDQUOT: "make room in your quota and run the command again; finished results are kept",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or choose another disk",
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


def system_error(error: OSError) -> str:
    """What the system said, and what to do about it."""
    said = error.strerror or str(error) or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{said}; {remedy}" if remedy else said
