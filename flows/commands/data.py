"""Generate module data, or inspect given data, and compare it with the published distributions."""

import argparse
from pathlib import Path

from rich.table import Table

from flows.command_line.console import output_console
from flows.command_line.options import add_build, require_at_least
from flows.training.module_data import prepare_data
from reports.metrics import Metric

EVENTS = 500_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_build(parser)
    parser.add_argument(
        "--events", type=int, default=EVENTS, metavar="MODULES", help="modules to generate"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the generator")
    parser.add_argument(
        "--data",
        type=Path,
        help="CSV file or folder of modules to inspect; default: generate them",
    )
    parser.add_argument(
        "--noHeader", action="store_true", help="the CSV files have no header (else: detected)"
    )


def run(arguments: argparse.Namespace) -> None:
    require_at_least(1, arguments, "events")
    require_at_least(0, arguments, "seed")
    _show(
        prepare_data(
            arguments.build,
            arguments.data,
            events=arguments.events,
            seed=arguments.seed,
            header=False if arguments.noHeader else None,
        )
    )


def _show(metrics: list[Metric]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for metric in metrics:
        value = metric.value
        text = (
            f"{value:.4f}"
            if isinstance(value, float)
            else f"{value:,}"
            if value is not None
            else "-"
        )
        table.add_row(metric.name, text)
    output_console().print(table)
