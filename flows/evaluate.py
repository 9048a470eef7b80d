"""Measure how well the autoencoder compresses: earth mover's distance on the validation modules."""

import argparse
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from flows.arithmetic import compare_arithmetic
from flows.layout import DEFAULT_BUILD, DEFAULT_MODEL, ModelLayout, model_layout
from flows.progress import progress
from flows.provenance import file_hash, provenance
from flows.reconstruction import reconstruct
from flows.validation import Validation, read_validation
from hw.atomic_file import atomic_path
from hw.errors import InputError
from models.quality import (
    OCCUPANCY_BINS,
    PROFILE_BINS,
    Statistics,
    occupancy,
    profile,
    statistics,
    typical_modules,
)
from reports.metrics import Metric, write_metrics

MODULES = 100_000
EMD_UNIT = "half pitch"
_SAMPLES = 5


@dataclass(frozen=True)
class _Result:
    """What the autoencoder made of each validation module; arrays with one row a module."""

    cells: npt.NDArray[np.float32]
    latents: npt.NDArray[np.float32]
    distances: npt.NDArray[np.float64]
    occupancies: npt.NDArray[np.int64]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--build", type=Path, default=DEFAULT_BUILD, help="build folder")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="model, as in the zoo or imported")
    parser.add_argument(
        "--modules",
        type=int,
        default=MODULES,
        help="largest number of validation modules, evenly spaced over all; 0 for all",
    )
    parser.add_argument("--skip-plot", action="store_true", help="draw no pictures")


def run(arguments: argparse.Namespace) -> None:
    metrics = evaluate(
        arguments.build,
        arguments.model,
        modules=arguments.modules,
        skip_plot=arguments.skip_plot,
    )
    layout = model_layout(arguments.build, arguments.model)
    found = {metric.name: metric for metric in metrics}
    mean = found["emd.mean"]
    if mean.value is None:
        print(f"EMD not measured: {mean.reason}")
    else:
        print(
            f"EMD {mean.value:.4f} +- {found['emd.standard_error'].value:.4f} {EMD_UNIT}, "
            f"standard deviation {found['emd.std'].value:.4f}, "
            f"{found['emd.modules'].value} modules ({found['emd.empty'].value} empty ones apart)"
        )
    print(f"wrote {layout.evaluate_metrics}")


def evaluate(
    build: Path,
    model: str,
    *,
    full: bool = False,
    skip_plot: bool = False,
    modules: int = MODULES,
) -> list[Metric]:
    """Measure the trained autoencoder on its validation modules; write metrics, data and pictures.

    Args:
        full: use all validation modules, whatever `modules` says.
        skip_plot: draw no pictures.
        modules: largest number of validation modules, evenly spaced over all; 0 for all.

    Returns:
        The metrics, as written to evaluate/metrics.json.  A model without decoder has none; they
        are then None with that reason.

    Raises:
        InputError: the model has not been trained, or its files are damaged.
    """
    from models.emd import emd

    layout = model_layout(build, model)
    validation = chosen_validation(layout, limit=0 if full else modules)
    source = provenance(
        model_hash=file_hash(layout.network("encoder")),
        data_hash=file_hash(layout.validation),
        packages=("POT",),
    )
    of_arithmetic: list[Metric] = []
    if not layout.network("decoder").is_file():
        layout.evaluation.unlink(missing_ok=True)
        metrics = _unmeasured(f"{model} has no decoder: its latents cannot be turned into charges")
    else:
        cells, latents = _reconstruct(layout, validation)
        with progress("earth mover's distance", len(cells)) as advance:
            distances = emd(validation.calq, cells, progress=advance)
        result = _Result(cells, latents, distances, occupancy(validation.calq))
        _write_evaluation(layout, validation, result)
        metrics = _metrics(validation, result)
        of_arithmetic = compare_arithmetic(layout, validation, distances, EMD_UNIT)
        if not skip_plot:
            _draw(layout)
    metrics = [metric.model_copy(update={"provenance": source}) for metric in metrics]
    metrics += of_arithmetic
    write_metrics(layout.evaluate_metrics, metrics)
    return metrics


def chosen_validation(layout: ModelLayout, limit: int) -> Validation:
    """The validation modules, at most `limit` of them (0: all), evenly spaced over all."""
    if limit < 0:
        raise InputError(f"--modules {limit}: give a number of modules, or 0 for all")
    validation = read_validation(layout)
    count = len(validation.calq)
    if not count:
        raise InputError(f"{layout.validation}: no validation modules; train on more data")
    if not limit or count <= limit:
        return validation
    spread = np.linspace(0, count - 1, limit).astype(np.int64)
    eta = None if validation.eta is None else validation.eta[spread]
    return replace(validation, calq=validation.calq[spread], eta=eta)


def _reconstruct(
    layout: ModelLayout, validation: Validation
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The autoencoder's charges in CALQ counts, shape (n, 48), and its latents, shape (n, m)."""
    from models.network_files import load_network

    encoder = load_network(layout.network("encoder"))
    decoder = load_network(layout.network("decoder"))
    return reconstruct(encoder, decoder, validation)


def _write_evaluation(layout: ModelLayout, validation: Validation, result: _Result) -> None:
    """Per-module results, the profile in occupancy, and a few modules in full for the displays."""
    shown = typical_modules(result.distances, result.occupancies, _SAMPLES)
    charge_in = validation.calq[shown].sum(axis=1, keepdims=True)
    charge_out = result.cells[shown].sum(axis=1, keepdims=True)
    bins = profile(result.distances, result.occupancies, PROFILE_BINS)
    arrays = {
        "emd": result.distances,
        "occupancy": result.occupancies,
        "profile_edges": np.array(PROFILE_BINS),
        "sample": shown,
        "sample_input": validation.calq[shown],
        "sample_output": result.cells[shown] * (charge_in / charge_out),
        "sample_latent": result.latents[shown],
    }
    for field in ("count", "mean", "standard_error", "low", "high"):
        arrays[f"profile_{field}"] = np.array([getattr(b.statistics, field) for b in bins])
    if validation.eta is not None:
        arrays["eta"] = validation.eta
    with atomic_path(layout.evaluation) as temporary:
        np.savez_compressed(temporary, **arrays)


def _draw(layout: ModelLayout) -> None:
    from reports.arithmetic_figure import arithmetic_picture
    from reports.figures import quality_pictures, write_pictures

    pictures = quality_pictures(layout.evaluation, layout.folder.name)
    if layout.arithmetic.is_file():
        pictures.append(arithmetic_picture(layout.arithmetic, layout.folder.name))
    write_pictures(layout.evaluate / "plots", pictures)


def _metrics(validation: Validation, result: _Result) -> list[Metric]:
    empty = validation.calq.sum(axis=1) == 0
    without_answer = int((np.isnan(result.distances) & ~empty).sum())
    whole = statistics(result.distances)
    metrics = [
        *_statistics_metrics("emd", whole, "no validation module has charge before and after"),
        Metric(name="emd.empty", value=int(empty.sum()), unit="modules"),
        Metric(name="emd.empty_output", value=without_answer, unit="modules", better="lower"),
    ]
    for group in profile(result.distances, result.occupancies, OCCUPANCY_BINS):
        name = f"emd.occupancy.{group.lower}-{group.upper}"
        metrics += _statistics_metrics(name, group.statistics, "no validation module in this bin")
    return metrics


def _statistics_metrics(name: str, result: Statistics, reason_if_none: str) -> list[Metric]:
    def metric(part: str, value: float) -> Metric:
        if not result.count:
            return Metric(name=f"{name}.{part}", value=None, unit=EMD_UNIT, reason=reason_if_none)
        return Metric(
            name=f"{name}.{part}",
            value=value,
            unit=EMD_UNIT,
            better="lower" if part in ("mean", "median") else None,
        )

    return [
        metric("mean", result.mean),
        metric("std", result.std),
        metric("standard_error", result.standard_error),
        metric("median", result.median),
        metric("quantile_16", result.low),
        metric("quantile_84", result.high),
        Metric(name=f"{name}.modules", value=result.count, unit="modules"),
    ]


def _unmeasured(reason: str) -> list[Metric]:
    names = ["emd"] + [f"emd.occupancy.{a}-{b}" for a, b in pairwise(OCCUPANCY_BINS)]
    empty = statistics(np.zeros(0))
    return [
        metric
        if metric.value is None
        else metric.model_copy(update={"value": None, "reason": reason})
        for name in names
        for metric in _statistics_metrics(name, empty, reason)
    ]
