"""Options that several steps share, and the bounds of their numbers."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.layout import DEFAULT_BUILD, DEFAULT_MODEL, DEFAULT_TARGET
from hw.foundation.errors import CheckFailed, InputError

VECTORS = 100_000
"""Modules in a comparison of codes, besides the directed set."""

OR_VERDICT = (
    "where it cannot be done or finds a difference, record and tell that and succeed: the report "
    "gives the verdict"
)
"""What `--or-skip` does in a step that compares."""


def add_build(parser: argparse.ArgumentParser) -> None:
    """`--build`."""
    parser.add_argument("--build", type=Path, default=DEFAULT_BUILD, help="build folder")


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
        target: what the step takes of the target.
    """
    add_model(parser)
    parser.add_argument("--target", default=DEFAULT_TARGET, help=target)


def add_stimulus(
    parser: argparse.ArgumentParser,
    modules: str = "modules to compare, besides the directed set, as the csim step takes them",
    seed: str = "seed of the directed set and of generated modules",
    default: int = VECTORS,
) -> None:
    """`--vectors` and `--seed`, which `check_stimulus` checks.

    Args:
        modules, seed: what they are in this step.
        default: number of modules.
    """
    parser.add_argument("--vectors", type=int, default=default, metavar="MODULES", help=modules)
    parser.add_argument("--seed", type=int, default=1, help=seed)


def add_or_skip(parser: argparse.ArgumentParser, what: str) -> None:
    """`--or-skip`: for a report, which tells what is lacking, rather than for the step by name."""
    parser.add_argument("--or-skip", action="store_true", help=what)


@contextmanager
def or_verdict(
    arguments: argparse.Namespace,
    step: str,
    reasons: tuple[type[Exception], ...],
    record: Callable[[str], None],
) -> Iterator[None]:
    """Carry out a step that has `add_or_skip(parser, OR_VERDICT)`.

    Args:
        reasons: errors for which it cannot be done.
        record: writes why, in place of results.

    Raises:
        Exception: any of the step's; with `--or-skip` neither these nor CheckFailed.
    """
    try:
        yield
    except reasons as error:
        if not arguments.or_skip:
            raise
        record(str(error))
        print(f"{step} skipped: {error}")
    except CheckFailed as error:
        if not arguments.or_skip:
            raise
        print(f"error: {error}", file=sys.stderr)


def check_stimulus(arguments: argparse.Namespace) -> None:
    """Refuse numbers of vectors or seeds that are none.

    Raises:
        InputError: names the option.
    """
    require_at_least(1, arguments, "vectors")
    require_at_least(0, arguments, "seed")


def require_at_least(least: int, arguments: argparse.Namespace, *names: str) -> None:
    """Refuse options below `least`.

    Raises:
        InputError: names the option.
    """
    for name in names:
        if (value := getattr(arguments, name)) < least:
            raise InputError(f"--{name} {value}: give a number of at least {least}")


def require_some_seconds(arguments: argparse.Namespace) -> None:
    """Refuse a `--seconds` in which nothing can be done.

    Raises:
        InputError: names the option.
    """
    if arguments.seconds <= 0:
        raise InputError(f"--seconds {arguments.seconds:g}: give a number above 0")
