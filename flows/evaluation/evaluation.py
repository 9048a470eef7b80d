"""Measure how well the autoencoder compresses its validation modules, beside other algorithms."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.seals import read_now, write_results
from flows.artefacts.settings import ModelSettings, read_settings
from flows.artefacts.validation import Validation, read_validation
from flows.command_line.progress import progress
from flows.evaluation.arithmetic import compare_arithmetic
from flows.evaluation.baselines import (
    Baseline,
    baseline_arrays,
    baseline_metrics,
    measure_baselines,
)
from flows.evaluation.mixture import mixture_metrics
from flows.evaluation.network_values import write_network_values
from flows.evaluation.quality_metrics import (
    Coordinates,
    coordinates,
    estimates,
    measured_metrics,
    statistics_metrics,
)
from flows.evaluation.reconstruction import reconstruct
from flows.layout import DEFAULT_TARGET, ModelLayout, design_layout
from flows.provenance import file_hash, provenance
from flows.stages import BY_NAME
from hw.foundation.atomic_file import atomic_path
from hw.foundation.errors import InputError
from hw.foundation.fixed_point import parse_format
from models.data.geometry import TRIGGER_CELLS
from models.data.selection import evenly_spaced
from models.networks.econ_t_formats import DEFAULT_ELINKS
from models.quality.measures import measure_modules, measures
from models.quality.quality import (
    PROFILE_BINS,
    occupancy,
    profile,
    statistics,
    typical_modules,
    worst_modules,
)
from reports.metrics import Metric, with_provenance
from testbench.econ_t.links import LINK_BITS
from testbench.econ_t.received import autoencoder_bits

MODULES = 40_000
_SAMPLES = 5
_QUALITY_PARTS = ("mean", "standard_error", "std", "median")


@dataclass(frozen=True)
class _Result:
    """What the autoencoder made of each validation module; arrays with one row a module."""

    cells: npt.NDArray[np.float32]
    latents: npt.NDArray[np.float32]
    values: dict[str, npt.NDArray[np.float64]]

    @property
    def distances(self) -> npt.NDArray[np.float64]:
        return self.values["emd"]


def evaluate(
    build: Path,
    model: str,
    *,
    full: bool = False,
    skip_plot: bool = False,
    baselines: bool = True,
    elinks: int | None = None,
    modules: int = MODULES,
) -> list[Metric]:
    """Measure the trained autoencoder on its validation modules; write metrics, data and pictures.

    Args:
        full: all measures, on all validation modules whatever `modules` says.
        skip_plot: draw no pictures.
        baselines: measure the other compression algorithms on the same modules.
        elinks: output links that these may use; None for those the model was trained for.
        modules: largest number of validation modules, evenly spaced over all; 0 for all.

    Returns:
        The metrics, as written to evaluate/metrics.json.  A model without decoder has none of its
        own; they are then None with that reason.

    Raises:
        InputError: the model has not been trained, or its files are damaged.
    """
    stage, design = BY_NAME["evaluate"], design_layout(build, model, DEFAULT_TARGET)
    layout, read = design.model, read_now(stage, design)
    validation = chosen_validation(layout, limit=0 if full else modules)
    where = coordinates(validation.calq)
    settings = read_settings(layout)
    links = elinks or (settings.links if settings else DEFAULT_ELINKS)
    others = measure_baselines(validation.calq, links, full=full) if baselines else []
    of_arithmetic: list[Metric] = []
    if not layout.network("decoder").is_file():
        layout.evaluation.unlink(missing_ok=True)
        layout.network_values.unlink(missing_ok=True)
        metrics = _unmeasured(f"{model} has no decoder: its latents cannot be turned into charges")
    else:
        cells, latents = _reconstruct(layout, validation)
        with progress("compression quality", len(cells)) as advance:
            values = measure_modules(validation.calq, cells, full=full, progress=advance)
        result = _Result(cells, latents, values)
        _write_evaluation(layout, validation, where, result, others)
        bits = sent_bits(settings, latents.shape[1])
        metrics = [
            *_metrics(where, result, full=full),
            *estimates({"quality.bits": bits}, "the latents are floating-point numbers"),
            *_saturation(settings, latents),
        ]
        if baselines:
            held = LINK_BITS * links
            metrics += mixture_metrics(result.distances, bits, others, where, held)
        of_arithmetic = compare_arithmetic(layout, validation, result.distances)
    source = provenance(
        model_hash=file_hash(layout.network("encoder")),
        data_hash=file_hash(layout.validation),
        packages=("POT",),
    )
    if baselines:
        metrics += baseline_metrics(others, where, links, full=full)
    metrics = with_provenance(metrics, source)
    metrics += of_arithmetic
    if skip_plot:
        shutil.rmtree(layout.plots, ignore_errors=True)  # pictures of an earlier evaluation
    else:
        _draw(layout, metrics)
    write_results(stage, design, metrics, read)
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
    spread = evenly_spaced(count, limit)
    eta = None if validation.eta is None else validation.eta[spread]
    return replace(validation, calq=validation.calq[spread], eta=eta)


def _reconstruct(
    layout: ModelLayout, validation: Validation
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The autoencoder's charges in CALQ counts, shape (n, 48), and its latents, shape (n, m).

    What the networks do inside is written for the pictures.
    """
    from models.networks.network_files import load_network

    encoder = load_network(layout.network("encoder"))
    decoder = load_network(layout.network("decoder"))
    write_network_values(layout, {"encoder": encoder, "decoder": decoder}, validation)
    return reconstruct(encoder, decoder, validation)


def _write_evaluation(
    layout: ModelLayout,
    validation: Validation,
    where: Coordinates,
    result: _Result,
    others: list[Baseline],
) -> None:
    """Results for the pictures; all arrays of n modules are in the same order.

    occupancy, charge   (n,): trigger cells above one MIP_T; summed charge in MIP_T.
    occupancy_after     (n,): the same trigger cells as the autoencoder gives them back.
    eta                 (n,): pseudorapidity, where it is known.
    <measure>           (n,): of the autoencoder, by the names of models.quality.measures (`emd`,
                        `mean_difference`, ...); NaN for a module without value.
    baseline.<algorithm>.<form>.<measure>
                        (n,): the same of the other algorithms, form `ideal` or `chip`.
    baseline.<algorithm>.chip.bits
                        (n,): bits of the module's frame.
    profile_edges       edges of the occupancy bins of the profile of `emd`; profile_count, _mean,
                        _standard_error, _low (16 %) and _high (84 %) of each bin.
    sample              indices of a few typical modules in full: sample_input and sample_output
                        (k, 48) in CALQ counts with equal sums, sample_latent (k, latents).
    worst               the same of those with the largest distance: worst_input, ...
    """
    bins = profile(result.distances, where.occupancy, PROFILE_BINS)
    arrays: dict[str, Any] = {
        "occupancy": where.occupancy,
        "charge": where.charge.astype(np.float32),
        "occupancy_after": occupancy(result.cells),
        "profile_edges": np.array(PROFILE_BINS),
    }
    for kind, shown in (
        ("sample", typical_modules(result.distances, where.occupancy, _SAMPLES)),
        ("worst", worst_modules(result.distances, _SAMPLES)),
    ):
        charge_in = validation.calq[shown].sum(axis=1, keepdims=True)
        charge_out = result.cells[shown].sum(axis=1, keepdims=True)
        arrays |= {
            kind: shown,
            f"{kind}_input": validation.calq[shown],
            f"{kind}_output": result.cells[shown] * (charge_in / charge_out),
            f"{kind}_latent": result.latents[shown],
        }
    for field in ("count", "mean", "standard_error", "low", "high"):
        arrays[f"profile_{field}"] = np.array([getattr(b.statistics, field) for b in bins])
    arrays |= {name: values.astype(np.float32) for name, values in result.values.items()}
    arrays |= baseline_arrays(others)
    if validation.eta is not None:
        arrays["eta"] = validation.eta
    with atomic_path(layout.evaluation) as temporary:
        np.savez_compressed(temporary, **arrays)


def _draw(layout: ModelLayout, metrics: list[Metric]) -> None:
    from flows.evaluation.pictures import evaluation_gallery
    from reports.pictures.gallery import write_gallery

    gallery = evaluation_gallery(layout, metrics)
    write_gallery(layout.plots, gallery)
    for picture in gallery.not_drawn:
        print(f"not drawn: {picture.title}: {picture.reason}")


def _metrics(where: Coordinates, result: _Result, *, full: bool) -> list[Metric]:
    """`emd.*` with its bins, and `quality.<measure>.*` of the other measures."""
    metrics = measured_metrics("emd", result.distances, where)
    for measure in measures(full=full):
        if measure.name != "emd":
            metrics += statistics_metrics(
                f"quality.{measure.name}",
                statistics(result.values[measure.name]),
                none="no validation module has charge before and after",
                parts=_QUALITY_PARTS,
            )
    return metrics


def sent_bits(settings: ModelSettings | None, latents: int) -> int | None:
    """Bits of a module's frame: header, module sum, and the latents as they are quantised."""
    form = settings.formats.get("output") if settings else None
    return autoencoder_bits(latents * parse_format(form).width) if form else None


def _saturation(settings: ModelSettings | None, latents: npt.NDArray[np.float32]) -> list[Metric]:
    """How many latents lie at the end of their format, where larger sums are cut off."""
    form = settings.formats.get("output") if settings else None
    share = float(np.mean(latents >= parse_format(form).max_value)) if form else None
    return estimates({"quality.saturated_latents": share}, "the latents are floating-point numbers")


def _unmeasured(reason: str) -> list[Metric]:
    nothing = np.zeros(0)
    metrics = [
        *measured_metrics("emd", nothing, coordinates(np.zeros((0, TRIGGER_CELLS)))),
        *estimates({"quality.bits": None}, reason),
    ]
    return [metric.model_copy(update={"value": None, "reason": reason}) for metric in metrics]
