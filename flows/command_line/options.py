"""Options that several stages share, and the bounds of their numbers."""

import argparse
import re
from pathlib import Path

from flows.layout import DEFAULT_BUILD, DEFAULT_MODEL, DEFAULT_TARGET
from hw.foundation.errors import InputError

VECTORS = 100_000
"""Modules in a comparison of codes, besides the directed set."""

LEAVE_VERDICT = (
    "where it cannot be done or finds a difference, record and tell that and succeed: the report "
    "gives the verdict"
)
"""What `--or-skip` does in a stage that compares."""


_ODD = re.compile(r"[\s'\"`$;&|<>*?!\\%={}\[\]()~^#:,]")


def build_folder(text: str) -> Path:
    """A build folder, as an option names it: a path that compilers, make and the tools' scripts
    take as one word.

    Raises:
        ArgumentTypeError: it is no such path.
    """
    folder = Path(text)
    if not text.strip() or folder.absolute() == Path(folder.absolute().anchor):
        raise argparse.ArgumentTypeError(f"'{text}' is no build folder")
    if odd := _ODD.search(str(folder.absolute())):
        raise argparse.ArgumentTypeError(
            f"'{folder.absolute()}' has a {odd[0]!r} in it, which compilers and tools would take "
            "apart; choose another folder"
        )
    return folder


def add_build(parser: argparse.ArgumentParser) -> None:
    """`--build`."""
    parser.add_argument("--build", type=build_folder, default=DEFAULT_BUILD, help="build folder")


def add_model(parser: argparse.ArgumentParser) -> None:
    """`--build` and `--model`: one trained or imported model."""
    add_build(parser)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="model, as in the zoo or imported")


def add_design(
    parser: argparse.ArgumentParser,
    target: str = "hardware target (hw/targets/*.yaml), or a path to such a YAML file",
) -> None:
    """`--build`, `--model` and `--target`: one model on one target.

    Args:
        target: what the stage takes of the target.
    """
    add_model(parser)
    add_target(parser, target)


def add_target(parser: argparse.ArgumentParser, what: str) -> None:
    """`--target`."""
    parser.add_argument("--target", default=DEFAULT_TARGET, help=what)


def add_stimulus(
    parser: argparse.ArgumentParser,
    modules: str = "modules to compare, besides the directed set, as the csim stage takes them",
    seed: str = "seed of the directed set and of generated modules",
    default: int = VECTORS,
) -> None:
    """`--vectors` and `--seed`, which `check_options` checks.

    Args:
        modules, seed: what they are in this stage.
        default: number of modules.
    """
    parser.add_argument("--vectors", type=int, default=default, metavar="MODULES", help=modules)
    parser.add_argument("--seed", type=int, default=1, help=seed)


def add_or_skip(parser: argparse.ArgumentParser, what: str) -> None:
    """`--or-skip`: for a report, which tells what is lacking, rather than for the stage by name."""
    parser.add_argument("--or-skip", action="store_true", help=what)


def add_seconds(parser: argparse.ArgumentParser, default: float, what: str) -> None:
    """`--seconds`: the time after which a stage gives up."""
    parser.add_argument("--seconds", type=float, default=default, metavar="SECONDS", help=what)


def check_options(arguments: argparse.Namespace) -> None:
    """Refuse numbers of vectors, seeds or seconds with which nothing can be done.

    Raises:
        InputError: names the option.
    """
    for name, least in (("vectors", 1), ("seed", 0)):
        if hasattr(arguments, name):
            require_at_least(least, arguments, name)
    if getattr(arguments, "seconds", 1) <= 0:
        raise InputError(f"--seconds {arguments.seconds:g}: give a number above 0")


LARGEST = {"seed": 2**32 - 1, "vectors": 100_000_000, "events": 1_000_000_000}
"""Of numbers that the generators of random numbers, or any machine's memory, bound."""

_LARGEST_NUMBER = 10**9


def require_at_least(least: int, arguments: argparse.Namespace, *names: str) -> None:
    """Refuse options below `least`, or beyond what can be done; one that is not given is as it
    should be.

    Raises:
        InputError: names the option.
    """
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise InputError(f"--{name} {value}: give a number of at least {least}")
        if value is not None and value > (largest := LARGEST.get(name, _LARGEST_NUMBER)):
            raise InputError(f"--{name} {value}: give a number of at most {largest}")
