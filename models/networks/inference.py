"""Applying a network to many inputs."""

from typing import Any

import numpy as np
import numpy.typing as npt

_BATCH = 4096


def outputs_of(network: Any, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What the Keras `network` gives for `inputs`, shape (n, ...), with n of at least 1."""
    return np.concatenate(
        [
            np.asarray(network.predict_on_batch(inputs[first : first + _BATCH]))
            for first in range(0, len(inputs), _BATCH)
        ]
    )
