"""The commands: every stage, and what serves all of them; how one is loaded and carried out."""

import argparse
import importlib
import time
from types import ModuleType

from flows.command_line.command_parser import CommandParser
from flows.stages import BY_NAME, STAGES

OTHER_COMMANDS = {
    "doctor": "name each tool found or missing, with version and remedy",
    "import": "take a foreign Keras/QKeras encoder through the whole flow",
    "quality": "the distance of a model and of the chip's other algorithms on any module data",
    "decoder": "train a new decoder for an encoder that stays as it is",
    "report": "collect all metrics in summary.json, report.md and report.html",
    "compare": "compare designs by summary.json: table, Markdown, overlays",
    "search": "search for networks with training and synthesis in the loop",
    "status": "say which stages of a design are done",
    "registers": "write or read the chip's weight registers",
    "conformance": "run the golden model on ECON-T emulator vectors",
}
_MODULES = {"import": "import_model"}  # a Python keyword names no module
COMMANDS = {stage.name: stage.does for stage in STAGES} | OTHER_COMMANDS


def load_command(name: str) -> tuple[ModuleType, CommandParser]:
    """The module of the command `name`, and the parser of its options."""
    module = _module(name)
    does = COMMANDS[name]
    parser = CommandParser(
        prog=f"python -m flows {name}", description=f"{does[0].upper()}{does[1:]}."
    )
    module.add_arguments(parser)
    return module, parser


def carry_out(name: str, arguments: argparse.Namespace) -> int:
    """Carry out one command with the options that its parser read; returns the exit status.

    Raises:
        EcontError: bad input, a missing tool, or a check that failed.
    """
    from flows import frame  # as late as this: a list of the commands needs none of it
    from flows.runtimes import record_runtime

    module = _module(name)
    stage = BY_NAME.get(name)
    start = time.monotonic()
    status = 0
    if stage and hasattr(module, "measure"):
        frame.run(stage, module, arguments)
    else:
        status = module.run(arguments) or 0
    if stage and not status:
        record_runtime(stage, arguments, time.monotonic() - start)
    return status


def _module(name: str) -> ModuleType:
    file = BY_NAME[name].module if name in BY_NAME else _MODULES.get(name, name)
    return importlib.import_module(f"flows.commands.{file}")
