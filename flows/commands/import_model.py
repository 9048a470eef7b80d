"""Take a foreign trained encoder (Keras or QKeras, JSON + HDF5) through the whole flow."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flows.command_line.options import add_build
from flows.layout import DEFAULT_TARGET, ModelLayout, data_layout, model_layout
from flows.provenance import file_hash
from flows.training.imported_model import (
    Golden,
    ImportedModel,
    add_validation_arguments,
    prepare_validation_data,
    publish,
    refuse_trained_model,
    require_name,
    validation_modules,
    validation_source,
)
from hw.foundation.arrays import read_array
from hw.foundation.errors import CheckFailed, InputError
from models.data.geometry import ARRANGEMENTS, Arrangement
from models.data.normalisation import Normalisation

_ENCODER, _DECODER = "encoder_", "decoder_"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("architecture", type=Path, help="the encoder's Keras JSON file")
    parser.add_argument("weights", type=Path, help="the HDF5 file of its weights")
    parser.add_argument(
        "--decoder",
        nargs=2,
        type=Path,
        metavar=("JSON", "HDF5"),
        help="the decoder's files; default: decoder_<rest> beside encoder_<rest>, where present",
    )
    parser.add_argument(
        "--name", help="name of the model here; default: the JSON file's, without encoder_"
    )
    parser.add_argument(
        "--arrangement",
        choices=sorted(ARRANGEMENTS),
        help="how the trigger cells form the input image; default: the one of the input's shape",
    )
    parser.add_argument(
        "--normalisation",
        choices=[mode.value for mode in Normalisation],
        default=Normalisation.MSB.value,
        help="what a module's charges are divided by: the MSB of their sum, or their maximum",
    )
    parser.add_argument(
        "--golden-input",
        type=Path,
        help="images (.npy) whose latents are known; default: input.npy beside the JSON file",
    )
    parser.add_argument(
        "--golden-output",
        type=Path,
        help="their latents (.npy); default: output.npy beside the JSON file",
    )
    add_validation_arguments(parser)
    parser.add_argument(
        "--target", nargs="+", default=[DEFAULT_TARGET], help="hardware targets to go through"
    )
    add_build(parser)
    parser.add_argument(
        "--import-only", action="store_true", help="only lay the files; run no further stage"
    )


def run(arguments: argparse.Namespace) -> None:
    source = validation_source(arguments)
    stem = arguments.architecture.stem.removeprefix(_ENCODER)
    layout = model_layout(arguments.build, require_name(arguments.name or stem))
    refuse_trained_model(layout)
    foreign = _load(arguments)
    mismatch = _first_mismatch(foreign)
    if mismatch:
        raise CheckFailed(mismatch)
    if foreign.golden:
        print(f"{len(foreign.golden.images)} golden vectors: latents are reproduced exactly")
    publish(layout, _imported(foreign, arguments), validation_modules(source), source)
    print(f"imported {layout.folder.name} into {layout.train}", flush=True)
    if not arguments.import_only:
        _remaining_stages(layout, foreign, arguments)


# --- the foreign files ---------------------------------------------------------------------------
@dataclass(frozen=True)
class _Foreign:
    """What was read: networks (Keras), and how trigger cells become their input."""

    encoder: Any
    decoder: Any | None
    arrangement: Arrangement
    golden: Golden | None


def _load(arguments: argparse.Namespace) -> _Foreign:
    from models.networks.network_files import load_foreign

    encoder = load_foreign(arguments.architecture, arguments.weights)
    arrangement = _arrangement(encoder, arguments)
    decoder = None
    files = arguments.decoder or _sibling_decoder(arguments.architecture)
    if files:
        decoder = load_foreign(*files)
        _require_shapes(
            files[0],
            (decoder.input_shape, encoder.output_shape[1:], "input", "the encoder's output"),
            (decoder.output_shape, arrangement.shape, "output", "the encoder's input"),
        )
    return _Foreign(encoder, decoder, arrangement, _golden(arguments, encoder))


def _arrangement(encoder: Any, arguments: argparse.Namespace) -> Arrangement:
    file, shape = arguments.architecture, encoder.input_shape
    if not isinstance(shape, tuple) or len(encoder.output_shape) != 2:
        raise InputError(
            f"{file}: an encoder has one image as input and one vector of latents as output; "
            f"this network has input {shape} and output {encoder.output_shape}"
        )
    if arguments.arrangement:
        chosen = ARRANGEMENTS[arguments.arrangement]
        _require_shapes(file, (shape, chosen.shape, "input", f"arrangement {chosen.name}"))
        return chosen
    for arrangement in ARRANGEMENTS.values():
        if arrangement.shape == shape[1:]:
            return arrangement
    known = ", ".join(f"{a.shape} ({a.name})" for a in ARRANGEMENTS.values())
    raise InputError(f"{file}: input of shape {shape[1:]} is no arrangement; known: {known}")


def _require_shapes(file: Path, *pairs: tuple[Any, tuple[int, ...], str, str]) -> None:
    for found, expected, what, whose in pairs:
        if not isinstance(found, tuple) or found[1:] != expected:
            raise InputError(f"{file}: {what} of shape {found}, but {whose} has shape {expected}")


def _sibling_decoder(architecture: Path) -> tuple[Path, Path] | None:
    from models.networks.network_files import WEIGHT_SUFFIXES

    if not architecture.name.startswith(_ENCODER):
        return None
    json = architecture.with_name(_DECODER + architecture.name.removeprefix(_ENCODER))
    weights = [json.with_suffix(suffix) for suffix in WEIGHT_SUFFIXES]
    found = next((file for file in weights if file.is_file()), None)
    if json.is_file() and found:
        return json, found
    print("no decoder beside the encoder: its compression quality cannot be measured")
    return None


def _golden(arguments: argparse.Namespace, encoder: Any) -> Golden | None:
    beside = arguments.architecture.parent
    given = (arguments.golden_input, arguments.golden_output)
    files = [given[0] or beside / "input.npy", given[1] or beside / "output.npy"]
    if not any(given) and not all(file.is_file() for file in files):
        return None
    images, latents = (read_array(file).astype(np.float32) for file in files)
    expected = (encoder.input_shape[1:], encoder.output_shape[1:])
    for file, array, shape in zip(files, (images, latents), expected, strict=True):
        if array.shape[1:] != shape or not len(array) or len(array) != len(images):
            raise InputError(
                f"{file}: array of shape {array.shape}; golden pairs of this encoder have shapes "
                f"(k, {', '.join(map(str, expected[0]))}) and (k, {expected[1][0]}), k above 0"
            )
    return Golden(images, latents)


def _first_mismatch(foreign: _Foreign) -> str | None:
    """The first golden latent that Keras does not reproduce exactly, in words; None if there is
    none."""
    from models.networks.inference import outputs_of

    if not foreign.golden:
        return None
    expected = foreign.golden.latents
    found = outputs_of(foreign.encoder, foreign.golden.images)
    wrong = np.argwhere(found != expected)
    if not len(wrong):
        return None
    vector, latent = wrong[0]
    return (
        f"golden vectors: {len(np.unique(wrong[:, 0]))} of {len(expected)} are not reproduced; "
        f"first difference in vector {vector}, latent {latent}: expected "
        f"{expected[vector, latent]:.9g}, Keras gives {found[vector, latent]:.9g}; are these "
        "weights and golden vectors of the same encoder?"
    )


def _imported(foreign: _Foreign, arguments: argparse.Namespace) -> ImportedModel:
    from models.keras_backend import keras

    networks = {"encoder": foreign.encoder}
    if foreign.decoder is not None:
        networks["decoder"] = foreign.decoder
        encoder = foreign.encoder
        networks["autoencoder"] = keras.Model(encoder.input, foreign.decoder(encoder.output))
    origin = {
        "architecture": arguments.architecture.name,
        "weights": arguments.weights.name,
        "hash": file_hash(arguments.architecture, arguments.weights),
    }
    return ImportedModel(
        networks,
        foreign.arrangement.name,
        Normalisation(arguments.normalisation),
        origin,
        foreign.golden,
    )


# --- the stages that follow -----------------------------------------------------------------------
def _remaining_stages(
    layout: ModelLayout, foreign: _Foreign, arguments: argparse.Namespace
) -> None:
    """As `make report` does; then, for a quantised encoder, ask that the C-simulation passed."""
    from models.networks.number_formats import is_quantised

    if not data_layout(arguments.build, arguments.data).metrics.is_file():
        prepare_validation_data(validation_source(arguments))
    model = {"build": arguments.build, "model": layout.folder.name}
    _carry_out("flops", **model)
    _carry_out("evaluate", **model)
    for target in arguments.target:
        design = {**model, "target": target}
        _carry_out("hls", **design, or_skip=True)
        _carry_out("csim", **design, or_skip=True, seed=arguments.seed)
        _carry_out("report", **design, data=arguments.data)
        if is_quantised(foreign.encoder):
            _carry_out("status", **design, require="csim")


def _carry_out(command: str, **options: Any) -> None:
    """Carry out a command with these values of its options, and the defaults of all others.

    Raises:
        CheckFailed: it ended without success.
    """
    from flows.dispatch import carry_out, load_command

    _, parser = load_command(command)
    defaults = vars(parser.parse_args([]))
    unknown = options.keys() - defaults.keys()
    if unknown:
        raise TypeError(f"{command} has no option {', '.join(sorted(unknown))}")
    if status := carry_out(command, argparse.Namespace(**{**defaults, **options})):
        raise CheckFailed(f"{command} ended with status {status}")
