"""Help of the command line: every option of every step is explained, with default and unit."""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.__main__ import main
from flows.command_line.command_parser import CommandParser, default_text, is_number
from flows.dispatch import COMMANDS, load_command
from flows.stages import STAGES

PROJECT = Path(__file__).resolve().parents[2]


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and those of its subcommands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


def faults(parser: argparse.ArgumentParser) -> list[str]:
    """What is missing in the help of the parser's options."""
    required = {
        action
        for group in parser._mutually_exclusive_groups
        if group.required
        for action in group._group_actions
    }
    found = []
    for action in parser._actions:
        name = "/".join(action.option_strings) or action.metavar or action.dest
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        text = action.help or ""
        if len(text) < 5:
            found.append(f"{name}: no help")
        optional = bool(action.option_strings) or action.nargs in ("?", "*")
        told = default_text(action) is not None or "default: " in text
        if optional and not action.required and action not in required and not told:
            found.append(f"{name}: its help must say what happens without it ('default: ...')")
        has_unit = bool(action.metavar or action.choices) or action.dest == "seed"
        if is_number(action) and not has_unit:
            found.append(f"{name}: give its unit in capitals as metavar, such as MODULES")
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_step_is_explained(name: str) -> None:
    _, top = load_command(name)
    for parser in parsers(top):
        assert not faults(parser), parser.prog
        assert isinstance(parser, CommandParser), "its help must be formatted as that of all steps"
        shown = " ".join(parser.format_help().split())
        assert "None" not in shown and "False" not in shown and "True" not in shown
        for action in parser._actions:
            if (stated := default_text(action)) and "default: " not in (action.help or ""):
                assert f"(default: {stated})" in shown


def test_an_option_without_help_default_or_unit_is_a_fault() -> None:
    parser = CommandParser()
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--file", help="a file to read")
    parser.add_argument("--modules", type=int, default=3, help="how many to read")
    parser.add_argument("--clock", type=float, default=25.0, metavar="NS", help="clock period")
    parser.add_argument("--links", type=int, choices=(1, 2), help="links; default: all")
    parser.add_argument("--seed", type=int, default=1, help="seed of the split")
    assert [fault.split(":")[0] for fault in faults(parser)] == ["--silent", "--file", "--modules"]
    assert "clock period (default: 25.0 ns)" in parser.format_help()


def test_help_lists_the_steps_in_the_order_of_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--help"]) == 0
    listed = re.findall(r"^  ([a-z][a-z0-9-]*)  +\S", capsys.readouterr().out, flags=re.M)
    assert listed == list(COMMANDS)
    order = [stage.name for stage in STAGES]
    assert listed[: len(order)] == order
    for position, stage in enumerate(STAGES):
        assert set(stage.needs) <= set(order[:position]), stage.name


def test_every_step_module_is_a_step() -> None:
    modules = {file.stem for file in (PROJECT / "flows" / "commands").glob("[a-z]*.py")}
    assert modules == {load_command(name)[0].__name__.rpartition(".")[2] for name in COMMANDS}
    for name in COMMANDS:
        step, _ = load_command(name)
        assert hasattr(step, "run") != (hasattr(step, "measure") and hasattr(step, "CANNOT")), name


def test_help_needs_no_tensorflow() -> None:
    code = (
        "import sys\nfrom flows.dispatch import COMMANDS, load_command\n"
        "for name in COMMANDS: load_command(name)\n"
        "print([name for name in ('tensorflow', 'tf_keras', 'hls4ml') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_make_lists_its_stages_in_the_order_of_the_steps() -> None:
    printed = subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    listed = re.findall(r"^  ([a-z][a-z0-9-]*)  +\S", printed, flags=re.M)
    apart = ("doctor", "conformance")
    of_design = [name for name in listed if name in COMMANDS and name not in apart]
    assert of_design == [name for name in COMMANDS if name in of_design]
