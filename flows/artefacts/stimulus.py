"""The vectors of a comparison, from a model's modules, and the codes that they should give."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.artefacts.settings import read_settings
from flows.artefacts.validation import read_inputs, read_validation
from flows.command_line.progress import progress
from flows.layout import ModelLayout
from hw.foundation.arrays import read_arrays
from hw.foundation.errors import InputError
from hw.foundation.integer_network import IntegerNetwork
from models.data.selection import evenly_spaced
from testbench.stimulus import directed_images, directed_vectors, random_vectors
from testbench.vectors import Reference, VectorGroup, module_group, reference


def vector_groups(
    of_model: ModelLayout, network: IntegerNetwork, vectors: int, seed: int
) -> list[VectorGroup]:
    """The vectors of a comparison: directed, golden where there are any, and modules; or, for a
    network of any purpose, those that it came with, and random ones.

    Args:
        vectors: modules, those of the validation first, evenly spaced over all; or given vectors
            in the same way.

    Raises:
        InputError: a file of the model is missing or damaged.
    """
    settings = read_settings(of_model)
    if settings is not None and not settings.task.about_modules:
        return _groups_of_vectors(of_model, network, vectors, seed)
    number = network.inputs[0].number
    validation = read_validation(of_model)
    names, images = directed_images(validation.arrangement, number, seed)
    groups = [VectorGroup("directed", images, names)]
    if of_model.golden.is_file():
        groups.append(_golden(of_model.golden))
    chosen = evenly_spaced(len(validation.calq), vectors)
    calq = validation.calq[chosen]
    groups.append(module_group("validation", validation.to_images(calq), chosen.tolist(), calq))
    lacking = vectors - len(chosen)
    if lacking > 0:
        from models.data.generator import generate_modules

        with progress("generating modules", lacking) as advance:
            calq = generate_modules(lacking, seed, progress=advance).calq
        groups.append(module_group("generated", validation.to_images(calq), calq=calq))
    return groups


def _groups_of_vectors(
    of_model: ModelLayout, network: IntegerNetwork, vectors: int, seed: int
) -> list[VectorGroup]:
    numbers = [o.number for o in network.inputs for _ in range(math.prod(o.shape))]
    shape = network.inputs[0].shape if len(network.inputs) == 1 else (len(numbers),)
    names, directed = directed_vectors(numbers, seed)
    groups = [VectorGroup("directed", directed.reshape(-1, *shape), names)]
    if of_model.golden.is_file():
        groups.append(_golden(of_model.golden))
    inputs = read_inputs(of_model)
    chosen = evenly_spaced(len(inputs), vectors)
    if len(chosen):
        origins = [f"given vector {index}" for index in chosen]
        groups.append(VectorGroup("given", inputs[chosen].reshape(-1, *shape), origins))
    lacking = vectors - len(chosen)
    if lacking > 0:
        found = random_vectors(numbers, lacking, inputs, seed)
        origins = [f"random vector {index}" for index in range(lacking)]
        groups.append(VectorGroup("random", found.reshape(-1, *shape), origins))
    return groups


def _golden(file: Path) -> VectorGroup:
    arrays = read_arrays(
        file,
        required=("images", "latents"),
        shapes={"images": ("k", ...), "latents": ("k", "m")},
        remedy="import the model anew",
    )
    images, latents = arrays["images"], arrays["latents"]
    names = [f"golden vector {index}" for index in range(len(images))]
    return VectorGroup("golden", images, names, latents)


def expected_codes(
    network: IntegerNetwork, encoder: Any, groups: Sequence[VectorGroup], total: int
) -> Reference:
    """The codes that every form of the network must give for `total` vectors.

    Args:
        encoder: the Keras network that `network` was read from.

    Raises:
        CheckFailed: Keras gives other outputs, and not for rounding.
        InputError: known outputs have no integer codes.
    """
    try:
        with progress("exact arithmetic, and Keras", total) as advance:
            return reference(network, encoder, groups, advance)
    except ValueError as error:
        raise InputError(f"the known outputs have no integer codes: {error}") from error
