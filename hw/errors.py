"""The errors a user sees: each names what is wrong, where, and what to do about it."""


class EcontError(Exception):
    """Base of all errors that are the user's to read: printed without a traceback."""

    exit_status = 2


class InputError(EcontError, ValueError):
    """Bad input: the message names the file, the line or key, and the remedy."""


class ToolMissing(EcontError):
    """An external tool is not installed: the message says how to get it."""


class ToolFailed(EcontError):
    """An external tool ran and failed: the message carries its command and last output."""


class CheckFailed(EcontError):
    """A comparison or budget did not hold: the design, not the input, is at fault."""

    exit_status = 1
