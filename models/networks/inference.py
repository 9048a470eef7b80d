"""Applying a network to many inputs."""

from typing import Any

import numpy as np
import numpy.typing as npt

_BATCH = 4096


def outputs_of(network: Any, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What the Keras `network` gives for `inputs`, shape (n, ...), with n of at least 1.

    Of several inputs, `inputs` holds the numbers of one after the other, shape (n, numbers); of
    several outputs, the result likewise.
    """
    return np.concatenate(
        [
            _outputs_of_batch(network, inputs[first : first + _BATCH])
            for first in range(0, len(inputs), _BATCH)
        ]
    )


def _outputs_of_batch(network: Any, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    answer = network.predict_on_batch(inputs_apart(network, batch))
    if not isinstance(answer, list):
        return np.asarray(answer)
    return np.concatenate([np.asarray(part).reshape(len(batch), -1) for part in answer], axis=1)


def inputs_apart(network: Any, inputs: npt.NDArray[np.float32]) -> Any:
    """The inputs of a Keras network, each in its shape, from all their numbers."""
    shapes = [tuple(tensor.shape[1:]) for tensor in network.inputs]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(inputs.reshape(len(inputs), -1), ends[:-1], axis=1)
    shaped = [part.reshape(len(inputs), *shape) for part, shape in zip(parts, shapes, strict=True)]
    return shaped if len(shaped) > 1 else shaped[0]
