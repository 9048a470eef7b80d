"""Keep the encoder of a trained or imported model as it is, and train a new decoder for it.

The result is a model of its own with the same encoder, so that both can be evaluated and compared.
"""

import argparse

from flows.command_line.options import add_model, require_at_least
from flows.training.imported_model import (
    add_validation_arguments,
    require_name,
    validation_source,
)
from flows.training.new_decoder import DecoderRequest, train_new_decoder
from models.networks.zoo import load_model_spec

RECIPE = "econ_t"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--name", help="name of the model that is made; default: that of --model with -decoder"
    )
    parser.add_argument(
        "--like",
        default=RECIPE,
        metavar="MODEL",
        help="model of the zoo (or path to a YAML file) whose decoder, loss and schedule are taken",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="EPOCHS",
        help="passes over the training modules, at most; default: those of --like",
    )
    add_validation_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    require_at_least(1, arguments, "epochs")
    name = require_name(arguments.name or f"{arguments.model}-decoder")
    metrics = train_new_decoder(
        DecoderRequest(
            model=arguments.model,
            name=name,
            recipe=load_model_spec(arguments.like),
            source=validation_source(arguments),
            epochs=arguments.epochs,
        )
    )
    found = {metric.name: metric for metric in metrics}
    before, after = (found[f"new_decoder.emd.{when}"] for when in ("before", "after"))
    had = f"{before.value:.4f}" if isinstance(before.value, float) else f"none ({before.reason})"
    print(
        f"mean EMD on {found['new_decoder.emd.modules'].value} held-back modules: {had} with the "
        f"decoder it had, {after.value:.4f} {after.unit} with the new one\n"
        f"{name} has the encoder of {arguments.model} and the new decoder: "
        f"make report MODEL={name}"
    )
