"""Module data: generating it or reading it, and comparing it with the published distributions."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np

from flows.artefacts.seals import modules_read, write_results
from flows.command_line.progress import progress
from flows.layout import (
    DEFAULT_MODEL,
    DEFAULT_TARGET,
    DataLayout,
    cache_folder,
    data_layout,
    design_layout,
)
from flows.provenance import provenance
from flows.stages import BY_NAME
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import about
from models.data.correlations import Correlations, correlations, log_charge, places
from models.data.dataset import ModuleData, csv_files, load_modules
from models.data.distributions import PUBLISHED, Distribution, distributions, total_variation
from models.data.generator import generate_modules, write_csv
from models.data.selection import drop_empty
from reports.catalogue import records
from reports.metrics import Evidence, Metric, with_provenance


def prepare_data(
    build: Path, data: Path | None, *, events: int, seed: int, header: bool | None = None
) -> list[Metric]:
    """Generate modules, or read those of `data`, and write what they are like.

    Args:
        build: the build folder.
        data: CSV file or folder; None to generate.
        events: modules to generate.
        seed: of the generator.
        header: whether the CSV files have one; None to detect it.

    Returns:
        The metrics, as written to the data set's metrics.json.

    Raises:
        InputError: the data cannot be read, or no module has charge.
    """
    layout = data_layout(build, data)
    if data is None:
        _generate(layout, events, seed)
    source = data or layout.generated_csv
    modules = load_modules(source, header=header, cache=cache_folder(build))
    metrics = _describe(modules, str(source), layout, seed if data is None else None)
    # the model and the target are of no matter here
    design = design_layout(build, DEFAULT_MODEL, DEFAULT_TARGET, layout)
    read = modules_read(design, csv_files(data)) if data else {}
    write_results(BY_NAME["data"], design, metrics, read)
    return metrics


def _generate(layout: DataLayout, events: int, seed: int) -> None:
    with progress("generating modules", events) as advance:
        modules = generate_modules(events, seed, progress=advance)
    write_csv(modules, layout.generated_csv)


def _describe(modules: ModuleData, name: str, layout: DataLayout, seed: int | None) -> list[Metric]:
    """Write the distributions of `modules`; return their distances and correlations.

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
