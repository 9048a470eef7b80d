"""The vectors of a comparison, from a model's modules, and the codes that they should give."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.artefacts.validation import read_validation
from flows.command_line.progress import progress
from flows.layout import ModelLayout
from hw.foundation.arrays import read_arrays
from hw.foundation.errors import CheckFailed
from hw.foundation.fixed_point import FixedFormat
from hw.hls.conversion import NoFixedPoint
from testbench.stimulus import directed_images
from testbench.vectors import Reference, VectorGroup, evenly_spaced, module_group, reference


def vector_groups(
    of_model: ModelLayout, encoder: Any, vectors: int, seed: int
) -> list[VectorGroup]:
    """The vectors of a comparison: directed, golden where there are any, and modules.

    Args:
        vectors: modules, those of the validation first, evenly spaced over all.

    Raises:
        NoFixedPoint: the encoder's input is not quantised.
        InputError: a file of the model is missing or damaged.
    """
    from models.networks.number_formats import input_format

    number = input_format(encoder)
    if number is None:
        raise NoFixedPoint("the encoder's input is not quantised")
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
    encoder: Any, groups: Sequence[VectorGroup], output_format: FixedFormat, total: int
) -> Reference:
    """The codes that a design with this output format should give for `total` vectors.

    Raises:
        CheckFailed: the encoder's outputs have no integer codes.
    """
    try:
        with progress("Keras", total) as advance:
            return reference(encoder, groups, output_format, advance)
    except ValueError as error:
        raise CheckFailed(
            f"the encoder's outputs have no integer codes: {error}; quantise its output"
        ) from error
