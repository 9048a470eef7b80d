"""Generate module data, or inspect given data, and compare it with the published distributions."""

import argparse
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
from rich.table import Table

from flows.command_line.console import output_console
from flows.command_line.progress import progress
from flows.command_line.step_options import add_build
from flows.layout import DataLayout, cache_folder, data_layout
from flows.provenance import provenance
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import about
from models.data.correlations import Correlations, correlations, log_charge, places
from models.data.dataset import ModuleData, load_modules
from models.data.distributions import PUBLISHED, Distribution, distributions, total_variation
from models.data.generator import generate_modules, write_csv
from models.data.selection import drop_empty
from reports.catalogue import records
from reports.metrics import Evidence, Metric, with_provenance, write_metrics

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
    layout = data_layout(arguments.build, arguments.data)
    if arguments.data is None:
        _generate(layout, arguments.events, arguments.seed)
    modules = load_modules(
        arguments.data or layout.generated_csv,
        header=False if arguments.noHeader else None,
        cache=cache_folder(arguments.build),
    )
    seed = arguments.seed if arguments.data is None else None
    metrics = inspect(modules, str(arguments.data or layout.generated_csv), layout, seed)
    _show(metrics)


def _generate(layout: DataLayout, events: int, seed: int) -> None:
    with progress("generating modules", events) as advance:
        modules = generate_modules(events, seed, progress=advance)
    write_csv(modules, layout.generated_csv)


def inspect(modules: ModuleData, name: str, layout: DataLayout, seed: int | None) -> list[Metric]:
    """Write the distributions of `modules`, their distances and correlations; return the metrics.

    Modules without charge are counted, but enter no distribution: the published sample has none.

    Raises:
        InputError: no module has charge.
    """
    with about(name):
        filled = drop_empty(modules)
    found = distributions(filled.calq)
    source = provenance(data_hash=modules.content_hash, seed=seed, packages=("numpy",))
    values: dict[str, float | None] = {
        "data.modules": len(modules),
        "data.empty": len(modules) - len(filled),
    }
    for key, distribution in found.items():
        # modules outside the plotted range are one more class: the distance covers all modules
        distance = total_variation(distribution.all_modules(), PUBLISHED[key].all_modules())
        values[f"data.distance.{key}"] = distance
    within = correlations(log_charge(filled.calq), places(filled))
    for field in fields(Correlations):
        value = getattr(within, field.name)
        values[f"data.correlation.{field.name}"] = value if np.isfinite(value) else None
    constant = "a trigger cell never varies among modules of one place"
    metrics = with_provenance(records(values, evidence=Evidence.ESTIMATE, reason=constant), source)
    write_text(layout.histograms, json.dumps(_histograms(found)) + "\n")
    write_metrics(layout.metrics, metrics)
    return metrics


def _histograms(found: dict[str, Distribution]) -> dict[str, dict[str, object]]:
    return {
        name: {
            "edges": distribution.edges.tolist(),
            "counts": distribution.counts.tolist(),
            "outside": distribution.outside,
            "published": PUBLISHED[name].counts.tolist(),
            "published_outside": PUBLISHED[name].outside,
        }
        for name, distribution in found.items()
    }


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
