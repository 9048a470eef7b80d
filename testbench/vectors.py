"""The vectors of one simulation, by kind, with the codes that the reference gives for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import CheckFailed
from hw.foundation.fixed_point import Codes
from hw.foundation.integer_evaluation import evaluate, held_by_float32
from hw.foundation.integer_network import IntegerNetwork
from models.networks.inference import outputs_of
from testbench.comparison import codes_on_grid, common_grid

Images = npt.NDArray[np.float32]

_BATCH = 4096
_FAR, _MOST_FAR = 0.125, 0.01  # of the outputs' span; of the vectors, in which rounding adds up


@dataclass(frozen=True)
class VectorGroup:
    """Vectors of one kind.

    Attributes:
        kind: `directed`, `golden`, `validation` or `generated` modules, `given` or `random`
            vectors of a network of any purpose.
        images: what the network reads, shape (n, ...), float32.
        origins: a name for each of them.
        latents: the expected outputs (n, latents) where they are known; else the network in
            integers tells them.
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
        fraction: fraction bits of that grid: those of the network's output, or more where known
            outputs lie between its codes.
        rounded: vectors for which Keras, in float32, gives another output than exact arithmetic.
    """

    codes: Codes
    fraction: int
    rounded: int = 0


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


def reference(
    network: IntegerNetwork,
    encoder: Any,
    groups: Sequence[VectorGroup],
    progress: Callable[[int], None],
) -> Reference:
    """The codes that every form of the network must give for all vectors.

    They are those of the network in integers, or a group's known outputs.  Keras is asked too: its
    float32 rounds sums of more than 24 bits, which is counted.  A known output that is Keras's own
    in such a case is taken for the exact one.

    Args:
        encoder: the Keras network that `network` was read from.

    Raises:
        CheckFailed: Keras gives other outputs, and not for rounding: the network was misread.
        ValueError: a known output that is not finite or has more than 40 fraction bits.
    """
    exact, known, keras = [], [], []
    for group in groups:
        for start in range(0, len(group.images), _BATCH):
            batch = group.images[start : start + _BATCH]
            exact.append(evaluate(network, batch).reshape(len(batch), -1))
            answer = outputs_of(encoder, batch).reshape(len(batch), -1).astype(np.float64)
            keras.append(answer)
            values = network.result.number.to_values(exact[-1])
            if group.latents is not None:
                given = group.latents[start : start + _BATCH].reshape(len(batch), -1)
                of_keras = (given == answer).all(axis=1, keepdims=True)
                values = np.where(of_keras, values, given)
            known.append(values)
            progress(len(batch))
    codes, told = np.concatenate(exact), np.concatenate(keras)
    rounded = _rounded_by_keras(network, codes, told)
    if all(group.latents is None for group in groups):
        return Reference(codes, network.result.number.fraction, rounded)
    values = np.concatenate(known)
    fraction = common_grid(network.result.number, values)
    return Reference(codes_on_grid(values, fraction), fraction, rounded)


def _rounded_by_keras(network: IntegerNetwork, codes: Codes, keras: npt.NDArray[np.float64]) -> int:
    """In how many vectors Keras differs by rounding.

    Raises:
        CheckFailed: it differs where float32 rounds nothing, or by far.
    """
    values = network.result.number.to_values(codes)
    differing = (values != keras).any(axis=1)
    count = int(differing.sum())
    if not count:
        return 0
    first = int(np.flatnonzero(differing)[0])
    output = int(np.flatnonzero(values[first] != keras[first])[0])
    told = (
        f"Keras gives {keras[first, output]:.9g} for output {output} of vector {first}, the "
        f"network in integers {values[first, output]:.9g}"
    )
    if held_by_float32(network):
        raise CheckFailed(
            f"{count:,} vectors differ between Keras and the network in integers, although float32 "
            f"rounds none of its sums: {told}"
        )
    span = float(values.max() - values.min()) or 1.0
    far = float((np.abs(values - keras).max(axis=1) > span * _FAR).mean())
    if far > _MOST_FAR:
        raise CheckFailed(
            f"{far:.0%} of the vectors differ between Keras and the network in integers by more "
            f"than rounding can explain: {told}"
        )
    return count
