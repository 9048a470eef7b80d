"""Teach a network the earth mover's distance, for use as a loss."""

import argparse
from pathlib import Path

from flows.command_line.options import add_build, require_at_least
from flows.layout import DEFAULT_MODEL, EmdCnnLayout, emd_cnn_layout, model_layout
from flows.training.imported_model import require_name
from flows.training.learned_emd import (
    BATCH,
    EPOCHS,
    LEAST_PAIRS,
    PAIRS,
    EmdCnnRequest,
    learn_emd,
)
from hw.foundation.errors import InputError
from models.quality.measures import EMD_UNIT
from reports.metrics import Metric


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
    request = _request(arguments)
    try:
        metrics = learn_emd(request, skip_plot=arguments.skip_plot)
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on after the last finished epoch", flush=True)
        return 130
    _show(emd_cnn_layout(request.build, request.name), metrics)
    return None


def _request(arguments: argparse.Namespace) -> EmdCnnRequest:
    require_at_least(LEAST_PAIRS, arguments, "pairs")
    require_at_least(1, arguments, "epochs", "batch")
    require_at_least(0, arguments, "seed")
    if arguments.real_only and not arguments.data:
        raise InputError("--real-only: name the modules to make pairs of, with --data")
    if arguments.real_only:
        default = arguments.data.resolve().stem
    else:
        default = model_layout(arguments.build, arguments.model).folder.name
    return EmdCnnRequest(
        build=arguments.build,
        name=require_name(arguments.name or default),
        model=arguments.model,
        data=arguments.data,
        real_only=arguments.real_only,
        pairs=arguments.pairs,
        epochs=arguments.epochs,
        batch=arguments.batch,
        seed=arguments.seed,
    )


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
