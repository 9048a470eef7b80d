"""Search for networks with synthesis in the loop, as a search space in YAML says."""

import argparse

from flows.command_line.options import add_build, require_at_least
from flows.layout import search_layout
from flows.search.space import DEFAULT_SPACE, load_space
from hw.foundation.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "space",
        nargs="?",
        default=DEFAULT_SPACE,
        metavar="SPACE",
        help="search space (flows/search/spaces/*.yaml), or a path to such a YAML file",
    )
    add_build(parser)
    parser.add_argument(
        "--trials",
        type=int,
        metavar="TRIALS",
        help="how many trials are made in all, those of earlier runs included; default: as the "
        "space says",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="MINUTES",
        help="begin no trial after this time; default: no limit",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="PROCESSES",
        help="local processes, one trial each; default: as many as cores and memory allow",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler (tcp://host:port) whose workers carry out the trials; default: local "
        "processes, or the batch system that the space names",
    )


def run(arguments: argparse.Namespace) -> None:
    require_at_least(1, arguments, "trials", "workers")
    if arguments.minutes is not None and arguments.minutes <= 0:
        raise InputError(f"--minutes {arguments.minutes:g}: give a number above 0")
    if arguments.workers and arguments.scheduler:
        raise InputError("give --workers or --scheduler, not both")
    space = load_space(arguments.space)
    if arguments.trials:
        space = space.model_copy(update={"trials": arguments.trials})

    from flows.search.driver import SearchOptions, search  # Optuna and Dask: slow to import

    seconds = None if arguments.minutes is None else 60.0 * arguments.minutes
    options = SearchOptions(arguments.workers, arguments.scheduler, seconds)
    layout = search_layout(arguments.build, space.name)
    try:
        report = search(arguments.build, space, options)
    except KeyboardInterrupt:
        print(f"\n{layout.folder}: interrupted; the same command goes on from there", flush=True)
        raise
    for design in report.front:
        told = ", ".join(f"{name} {design.value(name):.5g}" for name in report.metrics)
        print(f"{layout.front / design.name}.yaml: {told}")
    print(f"wrote {layout.html}, {layout.markdown.name}, {layout.table.name}, {layout.trials.name}")
