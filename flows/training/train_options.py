"""The options of the reference's train.py (and a few more), and what they ask for."""

import argparse
import re
from pathlib import Path
from typing import Any

from flows.command_line.options import build_folder, require_at_least
from flows.layout import DEFAULT_BUILD, DEFAULT_MODEL
from flows.training.train_models import (
    BATCH,
    EPOCHS,
    LEAST_ENERGY_FRACTION,
    PATIENCE,
    QUICK_MODULES,
    TrainingRequest,
)
from hw.foundation.errors import InputError, about
from models.networks.econ_t_formats import DEFAULT_ELINKS, LATENT_BITS_OF_ELINKS
from models.networks.zoo import ModelSpec, compared_spec, load_model_spec, model_names

TRAINED_ELINKS = (2, 3, 4, 5)
_QUANTIZE = {"total": 16, "integer": 6}  # bits of --quantize, as the reference's help has it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _add_files(parser.add_argument_group("files"))
    _add_data(parser.add_argument_group("choice and form of the modules"))
    _add_training(parser.add_argument_group("training"))
    _add_evaluation(parser.add_argument_group("evaluation"))


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-i",
        "--inputFile",
        type=Path,
        default=Path("data/nElinks_5"),
        help="module data: a CSV file or a folder of them",
    )
    group.add_argument(
        "-o",
        "--odir",
        "--build",
        type=build_folder,
        default=DEFAULT_BUILD,
        help="output folder; a model's files are in <odir>/<model>/train",
    )
    group.add_argument(
        "--models",
        "--model",
        default=DEFAULT_MODEL,
        help="models of the zoo, separated by commas (or paths to YAML files); '' for all",
    )
    group.add_argument(
        "--nrowsPerFile",
        type=int,
        default=500000,
        metavar="ROWS",
        help="read at most so many rows of each CSV file; 0 for all",
    )
    group.add_argument(
        "--noHeader", action="store_true", help="the CSV files have no header (else: detected)"
    )
    group.add_argument(
        "--cache",
        type=Path,
        help="folder for fast copies of the data, for the next time; default: <odir>/data/.cache",
    )
    group.add_argument(
        "--nCSV",
        type=int,
        default=0,
        metavar="MODULES",
        help="validation modules to write to CSV files (inputs, latents, decoded); negative: all",
    )
    group.add_argument(
        "--saveEnergy",
        action="store_true",
        help="write the simulated energies of the validation modules to a CSV file",
    )


def _add_data(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--nELinks",
        "--nElinks",
        dest="elinks",
        type=int,
        choices=TRAINED_ELINKS,
        help="active eLinks of the data's modules: where given, quantised models get latents of "
        "3, 5, 7, 9 bits for 2, 3, 4, 5 eLinks; default: 5 eLinks, and the models' own latents",
    )
    group.add_argument(
        "--overrideInput",
        action="store_true",
        help="allow an input path that names another number of eLinks (nElinks_N) than --nELinks",
    )
    group.add_argument(
        "--maskPartials", action="store_true", help="leave out partial modules (by ModType)"
    )
    group.add_argument(
        "--maskEnergies",
        action="store_true",
        help=f"leave out modules with SimEnergyFraction <= {LEAST_ENERGY_FRACTION}",
    )
    group.add_argument(
        "--double",
        action="store_true",
        help="add up the modules two by two: twice the pile-up (PU400)",
    )
    group.add_argument(
        "--rescaleInputToMax",
        action="store_true",
        help="divide each module's charges by their maximum (else by the MSB of their sum)",
    )


def _add_training(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--epochs",
        "--epoch",
        type=int,
        metavar="EPOCHS",
        help=f"passes over the training modules, at most; default: the model's own, else {EPOCHS}",
    )
    group.add_argument(
        "--batch",
        type=int,
        metavar="MODULES",
        help=f"modules in one training step; default: the model's own, else {BATCH}",
    )
    group.add_argument(
        "--patience",
        type=int,
        metavar="EPOCHS",
        help="epochs without a lower validation loss before training ends; default: the model's "
        f"own, else {PATIENCE}",
    )
    group.add_argument(
        "--seed", type=int, default=1, help="seed of initial weights, split and order of modules"
    )
    group.add_argument(
        "--loss",
        help="loss: weightedMSE, telescopeMSE, sinkhorn_divergence, "
        "emd_cnn:FILE (of flows emd-cnn), or a Keras loss; default: the models' own",
    )
    group.add_argument(
        "--quantize",
        action="store_true",
        help="make floating-point models quantised: 16 bits, 6 of them integer, for all values",
    )
    group.add_argument(
        "--quickTrain",
        action="store_true",
        help=f"train on {QUICK_MODULES} modules only, to try things out",
    )
    group.add_argument(
        "--occReweight",
        action="store_true",
        help="weight training modules so that each occupancy (cells > 1 MIP_T) counts the same",
    )
    group.add_argument(
        "--retrain", action="store_true", help="train again although the model is up to date"
    )
    group.add_argument("--trainOnly", action="store_true", help="train, but do not evaluate")


def _add_evaluation(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--evalOnly",
        action="store_true",
        help="do not train: evaluate the trained model on the whole input",
    )
    group.add_argument(
        "--AEonly",
        type=int,
        choices=(0, 1),
        default=1,
        help="1: evaluate the autoencoder only; 0: the other compression algorithms too",
    )
    group.add_argument(
        "--full",
        action="store_true",
        help="evaluate all validation modules with all measures, and the other compression "
        "algorithms too",
    )
    group.add_argument("--skipPlot", action="store_true", help="draw no pictures")
    group.add_argument(
        "--rescaleOutputToMax",
        action="store_true",
        help="rescale each decoded module to match the initial sum of charge",
    )
    group.add_argument(
        "--maxVal",
        type=int,
        default=-1,
        metavar="COUNTS",
        help="clip decoded charges to so many CALQ counts; no clipping below 1",
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse values out of range, options that exclude each other, and data of other eLinks.

    Raises:
        InputError: names the option and the remedy.
    """
    require_at_least(1, arguments, "epochs", "batch", "patience")
    if arguments.nrowsPerFile < 0:
        raise InputError(f"--nrowsPerFile {arguments.nrowsPerFile}: give a number, or 0 for all")
    require_at_least(0, arguments, "seed")
    if arguments.evalOnly:
        for flag in ("retrain", "quantize", "loss", "trainOnly"):
            if getattr(arguments, flag):
                raise InputError(f"--{flag} has no meaning with --evalOnly; leave out one of them")
        for flag in ("quickTrain", "occReweight"):
            if getattr(arguments, flag):
                print(f"--{flag} has no effect with --evalOnly: nothing is trained")
    if arguments.trainOnly and (arguments.full or not arguments.AEonly):
        flag = "--full" if arguments.full else "--AEonly 0"
        raise InputError(f"{flag} is for the evaluation; leave out {flag} or --trainOnly")
    named = re.findall(r"nelinks_(\d+)", str(arguments.inputFile), re.IGNORECASE)
    elinks = arguments.elinks or DEFAULT_ELINKS
    if named and int(named[-1]) != elinks and not arguments.overrideInput:
        raise InputError(
            f"-i {arguments.inputFile}: its name says {named[-1]} eLinks, but --nELinks is "
            f"{elinks}; give --nELinks {named[-1]}, or --overrideInput if this is meant"
        )


def request_of(arguments: argparse.Namespace) -> TrainingRequest:
    """What the options ask for."""
    return TrainingRequest(
        build=arguments.odir,
        source=arguments.inputFile,
        header=False if arguments.noHeader else None,
        rows_per_file=arguments.nrowsPerFile,
        cache=arguments.cache,
        elinks=arguments.elinks,
        mask_partials=arguments.maskPartials,
        mask_energies=arguments.maskEnergies,
        double=arguments.double,
        rescale_input_to_max=arguments.rescaleInputToMax,
        rescale_output_to_sum=arguments.rescaleOutputToMax,
        max_value=arguments.maxVal if arguments.maxVal > 0 else None,
        epochs=arguments.epochs,
        batch=arguments.batch,
        patience=arguments.patience,
        seed=arguments.seed,
        quick=arguments.quickTrain,
        occupancy_weights=arguments.occReweight,
        retrain=arguments.retrain,
        evaluate_only=arguments.evalOnly,
        examples=arguments.nCSV,
        save_energies=arguments.saveEnergy,
        own_records={Path(n).stem: n for n in _names(arguments) if n not in model_names()},
    )


def _names(arguments: argparse.Namespace) -> list[str]:
    """The models asked for, as they were given; all of the zoo where none is named."""
    given = [name.strip() for name in arguments.models.split(",") if name.strip()]
    return given or model_names()


def specs_of(arguments: argparse.Namespace) -> list[ModelSpec]:
    """The zoo's records of the models asked for, with what the options change in them.

    Raises:
        InputError: an unknown model or loss, an option that does not suit a model, or a model that
            names one to be compared with which it cannot be compared with.
    """
    specs: dict[str, ModelSpec] = {}
    for name in _names(arguments):
        spec = load_model_spec(name)
        compared_spec(spec)
        specs.setdefault(spec.name, _changed(spec, arguments))
    return list(specs.values())


def _changed(spec: ModelSpec, arguments: argparse.Namespace) -> ModelSpec:
    from models.training.losses import get_loss

    content: dict[str, Any] = spec.model_dump()
    content["loss"] = arguments.loss or spec.loss
    with about("--loss" if arguments.loss else f"model '{spec.name}', key 'loss'"):
        get_loss(content["loss"], spec.arrangement)  # an unknown one is told before any work
    if spec.econ_t and arguments.rescaleInputToMax:
        raise InputError(
            f"--rescaleInputToMax: model '{spec.name}' computes as the ECON-T, which divides "
            "charges by the MSB of their sum; leave out the option"
        )
    if arguments.quantize:
        if spec.quantisation or spec.econ_t:
            raise InputError(
                f"--quantize: model '{spec.name}' is quantised already; leave out the option"
            )
        unsigned = {**_QUANTIZE, "signed": False}
        content["quantisation"] = {
            "input": _QUANTIZE,
            "weight": _QUANTIZE,
            "accumulator": unsigned,
            "latent": unsigned,
        }
    if content["econ_t"] and arguments.elinks:
        content["econ_t"]["elinks"] = arguments.elinks
    if content["quantisation"] and arguments.elinks:
        bits = {"total": LATENT_BITS_OF_ELINKS[arguments.elinks], "integer": 1, "signed": False}
        content["quantisation"]["latent"] = bits
    return ModelSpec.model_validate(content)
