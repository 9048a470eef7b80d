"""The options of one command: each is explained the same way, with default and unit."""

import argparse
from typing import Any


def is_number(action: argparse.Action) -> bool:
    """Whether the option takes numbers."""
    if isinstance(action.default, bool):
        return False
    return action.type in (int, float) or isinstance(action.default, int | float)


def default_text(action: argparse.Action) -> str | None:
    """The option's default in words; None where it has none, or none that a word can tell.

    A number is followed by its unit, which is the option's metavar.
    """
    default = action.default
    if action.required or default is argparse.SUPPRESS or default is None:
        return None
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, list | tuple):
        return " ".join(map(str, default)) or None
    if is_number(action) and isinstance(action.metavar, str):
        return f"{default} {action.metavar.lower()}"
    return str(default)


class _CommandHelp(argparse.HelpFormatter):
    """Ends each option's text with its default, unless the text itself tells it."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text, default = action.help or "", default_text(action)
        if default is None or "default:" in text:
            return text
        return f"{text} (default: {default.replace('%', '%%')})"


class CommandParser(argparse.ArgumentParser):
    """Parser of a stage's options; those of its subcommands are of this class too."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **{"formatter_class": _CommandHelp, **settings})
