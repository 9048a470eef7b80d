"""The command line: `python -m flows <command> ...`."""

import sys

from flows.command_line.failures import close_output, in_words, prepare_output, show_traceback
from flows.dispatch import COMMANDS, carry_out, load_command
from hw.foundation.errors import EcontError
from hw.foundation.external_tool import tools_killed_on_interruption


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
        The exit status: 0 done, 1 a check failed, 2 bad input, no tool or a failing system, 130
        interrupted, 141 nobody reads the output any more.
    """
    prepare_output()
    try:
        status = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BrokenPipeError:
        close_output()
        return 141
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except EcontError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except Exception as error:
        if show_traceback():
            raise
        print(f"error: {in_words(error)}", file=sys.stderr)
        return 2
    return status


def _run(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage())
        return 0 if argv else 2
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        from hw.foundation.strict_config import did_you_mean  # slow to import

        print(
            f"error: unknown command '{name}'; {did_you_mean(name, list(COMMANDS))}",
            file=sys.stderr,
        )
        return 2
    with tools_killed_on_interruption():
        return carry_out(name, load_command(name)[1].parse_args(rest))


if __name__ == "__main__":
    sys.exit(main())
