"""The command line: `python -m flows <command> ...`, one module a command."""

import argparse
import importlib
import sys
import time
from types import ModuleType

from flows import frame
from flows.command_line.step_parser import StepParser
from flows.runtimes import record_runtime
from flows.stages import BY_NAME, STAGES
from hw.foundation.errors import EcontError
from hw.foundation.strict_config import did_you_mean

OTHER_COMMANDS = {
    "doctor": "name each tool found or missing, with version and remedy",
    "import": "take a foreign Keras/QKeras encoder through the whole flow",
    "report": "collect all metrics in summary.json, report.md and report.html",
    "compare": "compare designs by summary.json: table, Markdown, overlays",
    "status": "say which stages of a design are done",
    "registers": "write or read the chip's weight registers",
    "conformance": "run the golden model on ECON-T emulator vectors",
}
_MODULES = {"import": "import_model"}  # a Python keyword names no module
COMMANDS = {stage.name: stage.does for stage in STAGES} | OTHER_COMMANDS


def _usage() -> str:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    return (
        "usage: python -m flows <command> [options]   (--help after a command explains it)\n\n"
        f"stages, in the order of the work, and other commands:\n{listed}"
    )


def load_command(name: str) -> tuple[ModuleType, StepParser]:
    """The module of the command `name`, and the parser of its options."""
    module = BY_NAME[name].module if name in BY_NAME else _MODULES.get(name, name)
    step = importlib.import_module(f"flows.steps.{module}")
    does = COMMANDS[name]
    parser = StepParser(prog=f"python -m flows {name}", description=f"{does[0].upper()}{does[1:]}.")
    step.add_arguments(parser)
    return step, parser


def carry_out(name: str, arguments: argparse.Namespace) -> int:
    """Carry out one command with the options that its parser read; returns the exit status.

    Raises:
        EcontError: bad input, a missing tool, or a check that failed.
    """
    step, _ = load_command(name)
    stage = BY_NAME.get(name)
    start = time.monotonic()
    status = 0
    if stage and hasattr(step, "measure"):
        frame.run(stage, step, arguments)
    else:
        status = step.run(arguments) or 0
    if stage and not status:
        record_runtime(stage, arguments, time.monotonic() - start)
    return status


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
        return carry_out(name, load_command(name)[1].parse_args(rest))
    except EcontError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
