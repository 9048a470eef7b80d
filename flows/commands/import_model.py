"""Take a foreign trained network (Keras or QKeras, JSON + HDF5) through the whole flow."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.hls_project import network_in_integers
from flows.artefacts.understood import understood
from flows.command_line.options import add_build
from flows.layout import DEFAULT_TARGET, ModelLayout, data_layout, model_layout
from flows.provenance import file_hash
from flows.tasks import Task
from flows.training.imported_model import (
    Golden,
    ImportedModel,
    add_validation_arguments,
    prepare_validation_data,
    publish,
    publish_vectors,
    refuse_trained_model,
    reproduced,
    require_name,
    validation_modules,
    validation_source,
)
from flows.training.vectors_file import known_outputs, read_vectors
from hw.foundation.arrays import read_array
from hw.foundation.errors import CheckFailed, InputError, about
from hw.foundation.integer_evaluation import evaluate
from hw.foundation.integer_network import IntegerNetwork, NoFixedPoint
from models.data.geometry import ARRANGEMENTS, Arrangement
from models.data.normalisation import Normalisation
from reports.catalogue import Value

_ENCODER, _DECODER = "encoder_", "decoder_"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("architecture", type=Path, help="the network's Keras JSON file")
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
        "--inputs",
        type=Path,
        metavar="X",
        help="input vectors of a network of any purpose, one a row (.npy, .npz with an array for "
        "each input, .csv): it need be no encoder of modules then; default: it is one",
    )
    parser.add_argument(
        "--outputs",
        type=Path,
        metavar="Y",
        help="what the network must give for them, or their classes (.npy, .npz, .csv); default: "
        "not known",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="of a network with one output: --outputs holds classes, 1 for what is above T, else "
        "0; default: --outputs holds the outputs themselves",
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
    for line in understood(foreign.encoder, foreign.integers, foreign.obstacle, arguments.target):
        print(line)
    mismatch = _first_mismatch(foreign)
    if mismatch:
        raise CheckFailed(mismatch)
    if foreign.golden:
        print(f"{len(foreign.golden.images)} golden vectors: latents are reproduced exactly")
    model = _imported(foreign, arguments)
    if foreign.task.about_modules:
        publish(layout, model, validation_modules(source), source)
    else:
        figures: dict[str, Value | None] = {}
        if foreign.classes is not None:
            correct = int((_decisions(foreign, arguments.threshold) == foreign.classes).sum())
            figures = {"decisions.vectors": len(foreign.classes), "decisions.correct": correct}
            print(f"{correct:,} of {len(foreign.classes):,} vectors are decided as given")
        publish_vectors(layout, model, foreign.vectors, arguments.seed, figures)
    print(f"imported {layout.folder.name} into {layout.train}", flush=True)
    if not arguments.import_only:
        _remaining_stages(layout, foreign, arguments)


# --- the foreign files ---------------------------------------------------------------------------
@dataclass(frozen=True)
class _Foreign:
    """What was read.

    Attributes:
        encoder, decoder: Keras networks.
        integers: the encoder in integers; None where it is in floating point.
        obstacle: why it is in floating point.
        arrangement: how trigger cells become its input; None where its inputs are no modules.
        golden: vectors whose outputs are known.
        vectors: inputs (n, numbers) that a network of any purpose came with.
        classes: their known classes (n,), where there are any.
    """

    encoder: Any
    decoder: Any | None
    integers: IntegerNetwork | None
    obstacle: str
    arrangement: Arrangement | None
    golden: Golden | None
    vectors: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64] | None = None

    @property
    def task(self) -> Task:
        return Task.VECTORS if self.arrangement is None else Task.MODULES


def _load(arguments: argparse.Namespace) -> _Foreign:
    from models.networks.network_files import load_foreign

    encoder = load_foreign(arguments.architecture, arguments.weights)
    integers, obstacle = None, ""
    try:
        with about(arguments.architecture):
            integers = network_in_integers(encoder)
    except InputError as error:
        if not isinstance(error.__cause__, NoFixedPoint):
            raise
        obstacle = str(error.__cause__)
    arrangement = _arrangement(encoder, arguments)
    if arrangement is None:
        vectors = read_vectors(arguments.inputs, encoder)
        known = known_outputs(arguments.outputs, vectors, encoder, threshold=arguments.threshold)
        return _Foreign(
            encoder, None, integers, obstacle, None, known.golden, vectors, known.classes
        )
    decoder = None
    files = arguments.decoder or _sibling_decoder(arguments.architecture)
    if files:
        decoder = load_foreign(*files)
        _require_shapes(
            files[0],
            (decoder.input_shape, encoder.output_shape[1:], "input", "the encoder's output"),
            (decoder.output_shape, arrangement.shape, "output", "the encoder's input"),
        )
    golden = _golden(arguments, encoder)
    nothing = np.zeros((0, 0), np.float32)
    return _Foreign(encoder, decoder, integers, obstacle, arrangement, golden, nothing)


def _arrangement(encoder: Any, arguments: argparse.Namespace) -> Arrangement | None:
    """How trigger cells become the network's input; None where it is for something else."""
    file, shape = arguments.architecture, encoder.input_shape
    of_modules = isinstance(shape, tuple) and len(encoder.output_shape) == 2
    if arguments.outputs and not arguments.inputs:
        raise InputError("--outputs are those of --inputs, which is missing")
    if arguments.inputs:
        given = ("arrangement", "decoder", "golden_input", "golden_output", "data")
        if clash := next((name for name in given if getattr(arguments, name)), None):
            raise InputError(
                f"--inputs is for a network of any purpose, --{clash.replace('_', '-')} for an "
                "encoder of modules; give one of them"
            )
        return None
    if arguments.arrangement:
        chosen = ARRANGEMENTS[arguments.arrangement]
        _require_shapes(file, (shape, chosen.shape, "input", f"arrangement {chosen.name}"))
        return chosen
    for arrangement in ARRANGEMENTS.values():
        if of_modules and arrangement.shape == shape[1:]:
            return arrangement
    print(
        f"the input {_shapes(encoder.inputs)} is no image of a module: taken as a network of any "
        "purpose, with random vectors (give yours by --inputs)"
    )
    return None


def _shapes(tensors: Any) -> str:
    return " and ".join(str(tuple(tensor.shape[1:])) for tensor in tensors)


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
    """The first golden output that the network does not reproduce exactly, in words; None if there
    is none."""
    if not foreign.golden:
        return None
    expected = foreign.golden.latents
    found = reproduced(foreign.golden, foreign.encoder, foreign.integers)
    wrong = np.argwhere(found != expected)
    if not len(wrong):
        return None
    vector, output = wrong[0]
    what = "latent" if foreign.task.about_modules else "output"
    return (
        f"golden vectors: {len(np.unique(wrong[:, 0]))} of {len(expected)} are not reproduced; "
        f"first difference in vector {vector}, {what} {output}: expected "
        f"{expected[vector, output]:.9g}, Keras gives {found[vector, output]:.9g}; are these "
        "weights and golden vectors of the same network?"
    )


def _decisions(foreign: _Foreign, threshold: float | None) -> npt.NDArray[np.int64]:
    """The class that the network gives to each vector."""
    from models.networks.inference import outputs_of

    values: npt.NDArray[np.floating]
    if foreign.integers is None:
        values = outputs_of(foreign.encoder, foreign.vectors)
    else:
        codes = evaluate(foreign.integers, foreign.vectors)
        values = foreign.integers.result.number.to_values(codes)
    values = values.reshape(len(foreign.vectors), -1)
    return values.argmax(axis=1) if threshold is None else (values[:, 0] > threshold).astype(int)


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
        foreign.arrangement.name if foreign.arrangement else "",
        Normalisation(arguments.normalisation),
        origin,
        foreign.golden,
    )


# --- the stages that follow -----------------------------------------------------------------------
def _remaining_stages(
    layout: ModelLayout, foreign: _Foreign, arguments: argparse.Namespace
) -> None:
    """As `make report` does; then, for a quantised encoder, ask that the C-simulation passed.

    The conversion comes first: what it cannot do is told before anything that takes long.
    """
    model = {"build": arguments.build, "model": layout.folder.name}
    designs = [{**model, "target": target} for target in arguments.target]
    _carry_out("flops", **model)
    for design in designs:
        _carry_out("hls", **design, or_skip=True)
    if foreign.task.about_modules:
        if not data_layout(arguments.build, arguments.data).metrics.is_file():
            prepare_validation_data(validation_source(arguments))
        _carry_out("evaluate", **model)
    for design in designs:
        _carry_out("csim", **design, or_skip=True, seed=arguments.seed)
        _carry_out("report", **design, data=arguments.data)
        if foreign.integers is not None:
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
