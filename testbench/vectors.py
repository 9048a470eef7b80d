"""The vectors of one simulation, by kind, with the codes that the reference gives for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.fixed_point import Codes, FixedFormat
from testbench.comparison import codes_on_grid, common_grid

Images = npt.NDArray[np.float32]

_BATCH = 4096


@dataclass(frozen=True)
class VectorGroup:
    """Vectors of one kind.

    Attributes:
        kind: `directed`, `golden`, `validation` or `generated`.
        images: what the network reads, shape (n, ...), float32.
        origins: a name for each of them.
        latents: the expected outputs (n, latents) where they are known; else Keras tells them.
        calq: charges of modules (n, 48) in CALQ counts, where the vectors are modules.
    """

    kind: str
    images: Images
    origins: Sequence[str]
    latents: npt.NDArray[np.float32] | None = None
    calq: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Reference:
    """Expected integer codes.

    Attributes:
        codes: shape (n, outputs), on the grid `2**-fraction`.
        fraction: fraction bits of that grid: those of the design's output format, or more where
            the reference gives values between its codes.
    """

    codes: Codes
    fraction: int


def module_group(
    kind: str,
    images: Images,
    numbers: Sequence[int] | None = None,
    calq: npt.NDArray[np.float32] | None = None,
) -> VectorGroup:
    """Images of modules, named by kind and number in their data set; their charges, if wanted."""
    numbers = range(len(images)) if numbers is None else numbers
    origins = [f"{kind} module {number}" for number in numbers]
    return VectorGroup(kind, images, origins, calq=calq)


def evenly_spaced(available: int, wanted: int) -> npt.NDArray[np.int64]:
    """Indices of at most `wanted` of the `available` modules, spread over all."""
    if available <= wanted:
        return np.arange(available)
    return np.linspace(0, available - 1, wanted).astype(np.int64)


def reference(
    encoder: Any,
    groups: Sequence[VectorGroup],
    output_format: FixedFormat,
    progress: Callable[[int], None],
) -> Reference:
    """Integer codes that the Keras encoder, or a group's known latents, give for all vectors.

    Raises:
        ValueError: an output that is not finite or has more than 40 fraction bits.
    """
    latents = []
    for group in groups:
        if group.latents is not None:
            latents.append(group.latents.reshape(len(group.images), -1))
            progress(len(group.images))
            continue
        for start in range(0, len(group.images), _BATCH):
            batch = group.images[start : start + _BATCH]
            answer = np.asarray(encoder.predict_on_batch(batch))
            latents.append(answer.reshape(len(batch), -1))
            progress(len(batch))
    values = np.concatenate(latents)
    fraction = common_grid(output_format, values)
    return Reference(codes_on_grid(values, fraction), fraction)
