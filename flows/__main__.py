"""The command line: `python -m flows <command> ...`."""

import sys

from flows.dispatch import COMMANDS, carry_out, load_command
from hw.foundation.errors import EcontError
from hw.foundation.external_tool import tools_killed_on_interruption
from hw.foundation.strict_config import did_you_mean


def _usage() -> str:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    return (
        "usage: python -m flows <command> [options]   (--help after a command explains it)\n\n"
        f"stages, in the order of the work, and other commands:\n{listed}"
    )


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0 done, 1 a check failed, 2 bad input or no tool, 130 interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage())
        return 0 if argv else 2
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        suggestion = did_you_mean(name, list(COMMANDS))
        print(f"error: unknown command '{name}'; {suggestion}", file=sys.stderr)
        return 2
    try:
        with tools_killed_on_interruption():
            return carry_out(name, load_command(name)[1].parse_args(rest))
    except EcontError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
