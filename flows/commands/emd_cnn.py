"""Teach a network the earth mover's distance (EMD-CNN, arXiv 2306.04712), for use as a loss.

It learns from two kinds of pairs: two modules drawn at random ("real"), and a module with what a
trained autoencoder makes of it ("reconstructed").  Pairs for training, for the choice of the best
epoch and for the figures reported share no module.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.trained_model import settle_archive, write_json
from flows.artefacts.validation import Validation, read_validation
from flows.command_line.options import add_build, require_at_least
from flows.command_line.progress import progress
from flows.evaluation.reconstruction import reconstruct
from flows.layout import (
    DEFAULT_MODEL,
    EmdCnnLayout,
    ModelLayout,
    cache_folder,
    emd_cnn_layout,
    model_layout,
)
from flows.provenance import file_hash, provenance
from flows.training.imported_model import require_name
from hw.foundation.atomic_file import atomic_directory
from hw.foundation.errors import InputError, about
from models.data.dataset import load_modules
from models.data.selection import drop_empty
from models.quality.emd import emd
from models.quality.measures import EMD_UNIT
from reports.catalogue import records
from reports.metrics import Evidence, Metric, Provenance, with_provenance, write_metrics

PAIRS = 100_000
EPOCHS = 20
BATCH = 128
_PARTS = (0.8, 0.1, 0.1)  # of the modules: training, choice of the epoch, figures
_LEAST_MODULES = 100  # of which the smallest part has 10
_LEAST_PAIRS = _LEAST_MODULES // 2  # which take as many modules
_BATCH_OF_PREDICTION = 1000
_ERRORS = (
    "mean_exact",
    "mean_absolute_error",
    "bias",
    "rms_error",
    "relative_error",
    "trivial_error",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_build(parser)
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="trained model whose autoencoder gives the reconstructed modules",
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="CSV file or folder of modules to make pairs of; default: the model's validation "
        "modules",
    )
    parser.add_argument(
        "--real-only",
        action="store_true",
        help="only pairs of two modules, which needs no trained model but --data",
    )
    parser.add_argument(
        "--pairs",
        type=int,
        default=PAIRS,
        metavar="PAIRS",
        help="pairs to learn from, choose with and measure on",
    )
    parser.add_argument(
        "--epochs", type=int, default=EPOCHS, metavar="EPOCHS", help="passes over the pairs"
    )
    parser.add_argument(
        "--batch", type=int, default=BATCH, metavar="PAIRS", help="pairs in one training step"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of pairs and initial weights")
    parser.add_argument(
        "--name",
        help="name of the result, in <build>/<name>/emd-cnn; default: that of model or data",
    )
    parser.add_argument(
        "--skipPlot", "--skip-plot", dest="skip_plot", action="store_true", help="draw no picture"
    )


def run(arguments: argparse.Namespace) -> int | None:
    _check(arguments)
    model = model_layout(arguments.build, arguments.model)
    default = arguments.data.resolve().stem if arguments.real_only else model.folder.name
    layout = emd_cnn_layout(arguments.build, require_name(arguments.name or default))
    source = _source(arguments, model)
    edges = (np.cumsum((0, *_PARTS)) * len(source.calq)).round().astype(int)
    parts = [_pairs(source, range(*ends), arguments) for ends in pairwise(edges)]
    settings = {
        "pairs": arguments.pairs,
        "real_only": arguments.real_only,
        "batch": arguments.batch,
        "epochs": arguments.epochs,
        "seed": arguments.seed,
        "modules": len(source.calq),
        "data_hash": source.data_hash,
        "model_hash": source.model_hash,
    }
    try:
        network, history = _train(parts[0], parts[1], layout, settings)
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on after the last finished epoch", flush=True)
        return 130
    _publish(layout, network, history, parts, settings=settings, skip_plot=arguments.skip_plot)
    return None


def _check(arguments: argparse.Namespace) -> None:
    require_at_least(_LEAST_PAIRS, arguments, "pairs")
    require_at_least(1, arguments, "epochs", "batch")
    require_at_least(0, arguments, "seed")
    if arguments.real_only and not arguments.data:
        raise InputError("--real-only: name the modules to make pairs of, with --data")


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


def _source(arguments: argparse.Namespace, model: ModelLayout) -> _Source:
    validation = None if arguments.real_only else read_validation(model)
    if arguments.data:
        read = load_modules(arguments.data, cache=cache_folder(arguments.build))
        with about(arguments.data):
            modules = drop_empty(read)
        calq, data_hash = modules.calq, modules.content_hash
    else:
        assert validation is not None  # _check: real pairs only need data
        calq = validation.calq[validation.calq.sum(axis=1) > 0]
        data_hash = file_hash(model.validation)
    if len(calq) < _LEAST_MODULES:
        raise InputError(
            f"{arguments.data or model.validation}: {len(calq)} modules with charge; give at "
            f"least {_LEAST_MODULES}"
        )
    # in random order, for the parts; more than two a pair cannot be of use
    order = np.random.default_rng(arguments.seed).permutation(len(calq))
    calq = calq[order[: 2 * arguments.pairs]]
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


def _pairs(source: _Source, modules: range, arguments: argparse.Namespace) -> _Pairs:
    """Pairs of these modules: their part of --pairs, half of them reconstructed ones."""
    count = len(modules)
    share = max(2, round(arguments.pairs * count / len(source.calq)))
    random = np.random.default_rng((arguments.seed, modules.start))
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
    training: _Pairs, choice: _Pairs, layout: EmdCnnLayout, settings: dict[str, Any]
) -> tuple[Any, Any]:
    """The trained network and the history of its training."""
    from models.training.emd_cnn import PairNetwork, build_emd_cnn, relative_error
    from models.training.training import TrainingSettings, make_reproducible, train

    how = TrainingSettings(
        seed=settings["seed"],
        epochs=settings["epochs"],
        batch=settings["batch"],
        patience=settings["epochs"],
        schedule="cosine",
    )
    print(f"training on {len(training)} pairs, {len(choice)} to choose the best epoch", flush=True)
    make_reproducible(settings["seed"])
    network = build_emd_cnn()
    history = train(
        PairNetwork(network),
        relative_error,
        training.cells,
        choice.cells,
        how,
        targets=(training.distances, choice.distances),
        checkpoint=layout.checkpoint,
        identity=json.dumps(settings, sort_keys=True),
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
    settings: dict[str, Any],
    skip_plot: bool,
) -> None:
    """Measure on the last part, and write the folder in one go."""
    training, choice, held_out = parts
    predicted = _predict(network, held_out)
    with atomic_directory(layout.folder) as folder:
        new = EmdCnnLayout(folder)
        network.save(new.network)
        settle_archive(new.network)
        write_json(new.settings, settings)
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
        write_metrics(new.metrics, metrics)
        if not skip_plot:
            from reports.pictures.learned_emd import learned_emd_picture
            from reports.pictures.picture import write_pictures

            write_pictures(new.plots, [learned_emd_picture(new.pairs, layout.folder.name)])
    layout.checkpoint.unlink(missing_ok=True)
    _show(layout, metrics)


def _predict(network: Any, pairs: _Pairs) -> npt.NDArray[np.float32]:
    from models.training.emd_cnn import PairNetwork

    return np.asarray(
        PairNetwork(network).predict(pairs.cells, batch_size=_BATCH_OF_PREDICTION, verbose=0)
    )


def _provenance(layout: EmdCnnLayout, settings: dict[str, Any]) -> Provenance:
    from models.keras_backend import tf

    return provenance(
        model_hash=file_hash(layout.network),
        data_hash=settings["data_hash"],
        seed=settings["seed"],
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


def _show(layout: EmdCnnLayout, metrics: list[Metric]) -> None:
    value = {metric.name: metric.value for metric in metrics}
    for kind in ("real", "reconstructed"):
        if value[f"emd_cnn.{kind}.pairs"]:
            found = {
                part: value[f"emd_cnn.{kind}.{part}"]
                for part in ("mean_absolute_error", "mean_exact", "bias", "trivial_error")
            }
            print(
                f"{kind} pairs held out: mean error {found['mean_absolute_error']:.4f} {EMD_UNIT} "
                f"(bias {found['bias']:+.4f}) of a mean distance of {found['mean_exact']:.4f}; "
                f"always saying the mean: {found['trivial_error']:.4f}"
            )
    print(f"wrote {layout.folder}")
    print(f"train an encoder with it: python -m flows train --loss emd_cnn:{layout.network} ...")
