"""Encoder weights as a NumPy archive, for other tools: four arrays by name."""

from pathlib import Path

import numpy as np

from hw.foundation.arrays import read_arrays
from hw.foundation.atomic_file import atomic_path
from testbench.econ_t.encoder_weights import EncoderWeights

_NAMES = ("conv_kernel", "conv_bias", "dense_kernel", "dense_bias")


def write_weights(file: Path | str, weights: EncoderWeights) -> None:
    """Write integer codes (int8) of all weights, in Keras order, to an .npz archive."""
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            conv_kernel=weights.conv_kernel.astype(np.int8),
            conv_bias=weights.conv_bias.astype(np.int8),
            dense_kernel=weights.dense_kernel.astype(np.int8),
            dense_bias=weights.dense_bias.astype(np.int8),
        )


def read_weights(file: Path | str) -> EncoderWeights:
    """Read an archive of four arrays: integers are codes, floating-point numbers are values.

    Raises:
        InputError: no such file, no such archive, an array missing or of another shape, or a
            weight that the chip cannot hold.
    """
    archive = read_arrays(file, required=_NAMES)
    arrays = [archive[name] for name in _NAMES]
    if all(np.issubdtype(array.dtype, np.floating) for array in arrays):
        return EncoderWeights.from_values(*arrays)
    return EncoderWeights(*arrays)
