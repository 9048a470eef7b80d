"""The errors a user sees: each names what is wrong, where, and what to do about it."""

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
