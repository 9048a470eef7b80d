"""Teach a network the earth mover's distance (EMD-CNN, arXiv 2306.04712), for use as a loss.

It learns from two kinds of pairs: two modules drawn at random ("real"), and a module with what a
trained autoencoder makes of it ("reconstructed").  Pairs for training, for the choice of the best
epoch and for the figures reported share no module.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.seals import Hashes, modules_read, read_now, write_staged_results
from flows.artefacts.trained_model import settle_archive, write_json
from flows.artefacts.validation import Validation, read_validation
from flows.command_line.progress import progress
from flows.evaluation.reconstruction import reconstruct
from flows.layout import (
    DEFAULT_TARGET,
    EmdCnnLayout,
    ModelLayout,
    cache_folder,
    design_layout,
    emd_cnn_layout,
    model_layout,
)
from flows.provenance import file_hash, provenance
from flows.stages import BY_NAME
from hw.foundation.atomic_file import atomic_directory
from hw.foundation.errors import InputError, about
from hw.foundation.strict_config import StrictRecord
from models.data.dataset import csv_files, load_modules
from models.data.selection import drop_empty
from models.quality.emd import emd
from reports.catalogue import records
from reports.metrics import Evidence, Metric, Provenance, with_provenance

PAIRS = 100_000
EPOCHS = 20
BATCH = 128
_PARTS = (0.8, 0.1, 0.1)  # of the modules: training, choice of the epoch, figures
_LEAST_MODULES = 100  # of which the smallest part has 10
LEAST_PAIRS = _LEAST_MODULES // 2  # which take as many modules
_BATCH_OF_PREDICTION = 1000
_ERRORS = (
    "mean_exact",
    "mean_absolute_error",
    "bias",
    "rms_error",
    "relative_error",
    "trivial_error",
)


class EmdCnnSettings(StrictRecord):
    """All that decides a learned distance, as it is kept beside it.

    Attributes:
        real_only: no pairs of a module and its reconstruction.
        modules: how many the pairs are made of.
        data_hash: of the modules.
        model_hash: of the autoencoder that reconstructed them; None for real pairs only.
    """

    pairs: int
    real_only: bool
    batch: int
    epochs: int
    seed: int
    modules: int
    data_hash: str
    model_hash: str | None


@dataclass(frozen=True)
class EmdCnnRequest:
    """Which pairs to learn the distance from, and how.

    Attributes:
        build: the build folder.
        name: of the result's folder.
        model: whose autoencoder reconstructs modules, and whose validation modules are taken
            where `data` is None.
        data: CSV file or folder of modules.
        real_only: only pairs of two modules, which needs no model but `data`.
        pairs: to learn from, choose with and measure on.
        epochs: passes over the pairs.
        batch: pairs in one training step.
        seed: of pairs and initial weights.
    """

    build: Path
    name: str
    model: str
    data: Path | None = None
    real_only: bool = False
    pairs: int = PAIRS
    epochs: int = EPOCHS
    batch: int = BATCH
    seed: int = 1


def learn_emd(request: EmdCnnRequest, *, skip_plot: bool = False) -> list[Metric]:
    """Train the network, and write its folder in one go.

    Returns:
        The metrics, as written there.

    Raises:
        InputError: the model or the data cannot be used.
        KeyboardInterrupt: the finished epochs are kept; the same request goes on from there.
    """
    layout = emd_cnn_layout(request.build, request.name)
    stage, model = BY_NAME["emd-cnn"], design_layout(request.build, request.model, DEFAULT_TARGET)
    read = read_now(stage, model)
    if request.data:
        read = {**read, **modules_read(model, csv_files(request.data))}
    source = _source(request)
    edges = (np.cumsum((0, *_PARTS)) * len(source.calq)).round().astype(int)
    parts = [_pairs(source, range(*ends), request) for ends in pairwise(edges)]
    settings = EmdCnnSettings(
        pairs=request.pairs,
        real_only=request.real_only,
        batch=request.batch,
        epochs=request.epochs,
        seed=request.seed,
        modules=len(source.calq),
        data_hash=source.data_hash,
        model_hash=source.model_hash,
    )
    network, history = _train(parts[0], parts[1], layout, settings)
    return _publish(
        layout, network, history, parts, settings=settings, skip_plot=skip_plot, read=read
    )


# --- pairs ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Source:
    """What pairs are made of.

    Attributes:
        calq: modules with charge, shape (n, 48), in CALQ counts.
        reconstructed: what the autoencoder makes of them, same shape; None for real pairs only.
    """

    calq: npt.NDArray[np.float32]
    reconstructed: npt.NDArray[np.float32] | None
    data_hash: str
    model_hash: str | None


@dataclass(frozen=True)
class _Pairs:
    """Pairs of charge distributions, each of sum one, and their exact distances.

    Attributes:
        cells: shape (n, 2, 48).
        distances: shape (n,), in half pitches.
        reconstructed: whether the second is a reconstruction of the first, shape (n,).
    """

    cells: npt.NDArray[np.float32]
    distances: npt.NDArray[np.float32]
    reconstructed: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.cells)


def _source(request: EmdCnnRequest) -> _Source:
    model = model_layout(request.build, request.model)
    validation = None if request.real_only else read_validation(model)
    if request.data:
        read = load_modules(request.data, cache=cache_folder(request.build))
        with about(request.data):
            modules = drop_empty(read)
        calq, data_hash = modules.calq, modules.content_hash
    else:
        if validation is None:
            raise InputError("--real-only: name the modules to make pairs of, with --data")
        calq = validation.calq[validation.calq.sum(axis=1) > 0]
        data_hash = file_hash(model.validation)
    if len(calq) < _LEAST_MODULES:
        raise InputError(
            f"{request.data or model.validation}: {len(calq)} modules with charge; give at "
            f"least {_LEAST_MODULES}"
        )
    # in random order, for the parts; more than two a pair cannot be of use
    order = np.random.default_rng(request.seed).permutation(len(calq))
    calq = calq[order[: 2 * request.pairs]]
    if validation is None:
        return _Source(calq, None, data_hash, None)
    decoded = _decode(model, validation, calq)
    kept = decoded.sum(axis=1) > 0  # an empty reconstruction has no distance
    if kept.sum() < _LEAST_MODULES:
        raise InputError(
            f"{model.folder.name} brings {kept.sum()} of {len(calq)} modules back with charge, at "
            f"least {_LEAST_MODULES} are needed; train it longer, or give more --data"
        )
    hashes = file_hash(model.network("encoder"), model.network("decoder"))
    return _Source(calq[kept], decoded[kept], data_hash, hashes)


def _decode(
    model: ModelLayout, validation: Validation, calq: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    from models.networks.network_files import load_network

    if not model.network("decoder").is_file():
        raise InputError(
            f"{model.folder.name} has no decoder to reconstruct modules with; choose another "
            "--model, or give --real-only and --data"
        )
    encoder, decoder = (load_network(model.network(part)) for part in ("encoder", "decoder"))
    return reconstruct(encoder, decoder, replace(validation, calq=calq, eta=None))[0]


def _pairs(source: _Source, modules: range, request: EmdCnnRequest) -> _Pairs:
    """Pairs of these modules: their part of --pairs, half of them reconstructed ones."""
    count = len(modules)
    share = max(2, round(request.pairs * count / len(source.calq)))
    random = np.random.default_rng((request.seed, modules.start))
    of_reconstructed = 0 if source.reconstructed is None else min(share // 2, count)
    first = random.integers(count, size=share - of_reconstructed)
    second = (first + random.integers(1, count, size=len(first))) % count  # another one
    a, b = source.calq[modules.start + first], source.calq[modules.start + second]
    if source.reconstructed is not None:
        again = modules.start + random.permutation(count)[:of_reconstructed]
        a = np.concatenate([a, source.calq[again]])
        b = np.concatenate([b, source.reconstructed[again]])
    with progress("exact earth mover's distance", len(a)) as advance:
        distances = emd(a, b, progress=advance)
    cells = np.stack([a, b], axis=1)
    return _Pairs(
        (cells / cells.sum(axis=2, keepdims=True)).astype(np.float32),
        distances.astype(np.float32),
        np.arange(len(a)) >= len(first),
    )


# --- training ------------------------------------------------------------------------------------
def _train(
    training: _Pairs, choice: _Pairs, layout: EmdCnnLayout, settings: EmdCnnSettings
) -> tuple[Any, Any]:
    """The trained network and the history of its training."""
    from models.training.emd_cnn import PairNetwork, build_emd_cnn, relative_error
    from models.training.training import TrainingSettings, make_reproducible, train

    how = TrainingSettings(
        seed=settings.seed,
        epochs=settings.epochs,
        batch=settings.batch,
        patience=settings.epochs,
        schedule="cosine",
    )
    print(f"training on {len(training)} pairs, {len(choice)} to choose the best epoch", flush=True)
    make_reproducible(settings.seed)
    network = build_emd_cnn()
    history = train(
        PairNetwork(network),
        relative_error,
        training.cells,
        choice.cells,
        how,
        targets=(training.distances, choice.distances),
        checkpoint=layout.checkpoint,
        identity=settings.model_dump_json(),
        on_progress=_line_printer(how.epochs),
    )
    return network, history


def _line_printer(epochs: int) -> Callable[[Any], None]:
    def print_line(history: Any) -> None:
        if history.epochs:
            last, done = history.epochs[-1], len(history.epochs)
            print(
                f"epoch {done:>{len(str(epochs))}}/{epochs}  loss {last.loss:.6f}  val_loss "
                f"{last.val_loss:.6f}  {last.seconds:.1f} s",
                flush=True,
            )

    return print_line


# --- figures -------------------------------------------------------------------------------------
def _publish(
    layout: EmdCnnLayout,
    network: Any,
    history: Any,
    parts: list[_Pairs],
    *,
    settings: EmdCnnSettings,
    skip_plot: bool,
    read: Hashes,
) -> list[Metric]:
    """Measure on the last part, and write the folder in one go."""
    training, choice, held_out = parts
    predicted = _predict(network, held_out)
    with atomic_directory(layout.folder) as folder:
        new = EmdCnnLayout(folder)
        network.save(new.network)
        settle_archive(new.network)
        write_json(new.settings, settings.model_dump())
        write_json(new.history, history.to_json())
        np.savez_compressed(
            new.pairs,
            exact=held_out.distances,
            predicted=predicted,
            reconstructed=held_out.reconstructed,
        )
        metrics = _metrics(training, choice, held_out, predicted)
        origin = _provenance(new, settings)
        metrics = with_provenance(metrics, origin)
        if not skip_plot:
            from reports.pictures.learned_emd import learned_emd_picture
            from reports.pictures.picture import write_pictures

            write_pictures(new.plots, [learned_emd_picture(new.pairs, layout.folder.name)])
        design = design_layout(layout.folder.parents[1], layout.folder.parent.name, DEFAULT_TARGET)
        write_staged_results(BY_NAME["emd-cnn"], design, folder, metrics, read)
    layout.checkpoint.unlink(missing_ok=True)
    return metrics


def _predict(network: Any, pairs: _Pairs) -> npt.NDArray[np.float32]:
    from models.training.emd_cnn import PairNetwork

    return np.asarray(
        PairNetwork(network).predict(pairs.cells, batch_size=_BATCH_OF_PREDICTION, verbose=0)
    )


def _provenance(layout: EmdCnnLayout, settings: EmdCnnSettings) -> Provenance:
    from models.keras_backend import tf

    return provenance(
        model_hash=file_hash(layout.network),
        data_hash=settings.data_hash,
        seed=settings.seed,
        packages=("POT", "tf-keras"),
        tools={"tensorflow": tf.__version__},
    )


def _metrics(
    training: _Pairs, choice: _Pairs, held_out: _Pairs, predicted: npt.NDArray[np.float32]
) -> list[Metric]:
    pairs = {"emd_cnn.pairs.training": len(training), "emd_cnn.pairs.choice": len(choice)}
    metrics = records(pairs, evidence=Evidence.ESTIMATE)
    for kind, chosen in (
        ("real", ~held_out.reconstructed),
        ("reconstructed", held_out.reconstructed),
    ):
        of_training = training.distances[training.reconstructed == (kind == "reconstructed")]
        exact, error = held_out.distances[chosen], (predicted - held_out.distances)[chosen]
        metrics += _kind_metrics(f"emd_cnn.{kind}", exact, error, of_training)
    return metrics


def _kind_metrics(
    name: str, exact: npt.NDArray, error: npt.NDArray, of_training: npt.NDArray
) -> list[Metric]:
    """Errors on the held-out pairs of one kind; `trivial` is that of always saying the mean."""
    values: dict[str, float | None] = dict.fromkeys(_ERRORS)
    none = "no such pairs (--real-only)"
    if len(exact):
        none = "the modules of all pairs are equal"
        mean_absolute, mean_exact = float(np.abs(error).mean()), float(exact.mean())
        values = {
            "mean_exact": mean_exact,
            "mean_absolute_error": mean_absolute,
            "bias": float(error.mean()),
            "rms_error": float(np.sqrt(np.mean(error**2))),
            "relative_error": mean_absolute / mean_exact if mean_exact else None,
            "trivial_error": float(np.abs(exact - of_training.mean()).mean()),
        }
    values["pairs"] = len(exact)
    named = {f"{name}.{part}": value for part, value in values.items()}
    return records(named, evidence=Evidence.ESTIMATE, reason=none)
