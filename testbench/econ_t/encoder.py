"""The encoder network in integers, each product floored before it is summed, as the chip does.

Sums are kept exact: with normalised inputs no sum of the chip can overflow
(docs/econ_t_formats.md).
"""

import numpy as np
import numpy.typing as npt

from models.networks.econ_t_formats import FEATURE_FRACTION, FILTERS, IMAGE, LATENT
from testbench.econ_t.converter import INPUT_FRACTION
from testbench.econ_t.encoder_weights import WEIGHT_FORMAT, EncoderWeights
from testbench.econ_t.registers import LATENT_BITS

CONV_FRACTION = FEATURE_FRACTION
LATENT_FRACTION = LATENT.fraction
IMAGE_SIDE = IMAGE[0]
FEATURE_SIDE = 4
_CHUNK = 4096  # modules at a time: keeps the intermediate arrays in the processor's cache

Integers = npt.NDArray[np.int64]


def image(inputs: Integers) -> Integers:
    """8 x 8 images, shape (n, 8, 8), of the encoder's inputs, shape (n, 48).

    The upper half holds inputs 0 to 31 row by row, the lower left quadrant the rest; the lower
    right quadrant is 0.
    """
    half = IMAGE_SIDE // 2
    pixels = np.zeros((len(inputs), IMAGE_SIDE, IMAGE_SIDE), dtype=np.int64)
    pixels[:, :half] = inputs[:, : half * IMAGE_SIDE].reshape(-1, half, IMAGE_SIDE)
    pixels[:, half:, :half] = inputs[:, half * IMAGE_SIDE :].reshape(-1, half, half)
    return pixels


def conv_codes(inputs: Integers, weights: EncoderWeights) -> Integers:
    """Feature map, as `feature_codes`, of the encoder's inputs, shape (n, 48)."""
    return feature_codes(image(inputs), weights)


def feature_codes(pixels: Integers, weights: EncoderWeights) -> Integers:
    """Feature map after the ReLU, shape (n, 4, 4, 8), in steps of 2**-7, of images (n, 8, 8).

    3 x 3, stride 2; zeros are padded below and at the right only.
    """
    pixels = np.pad(pixels, ((0, 0), (0, 1), (0, 1))).astype(np.int32)
    product_shift = INPUT_FRACTION + WEIGHT_FORMAT.fraction - CONV_FRACTION
    bias = weights.conv_bias << (CONV_FRACTION - WEIGHT_FORMAT.fraction)
    total = np.empty((len(pixels), FEATURE_SIDE, FEATURE_SIDE, FILTERS), dtype=np.int64)
    total[:] = bias
    last = 2 * FEATURE_SIDE
    for row, column in np.ndindex(weights.conv_kernel.shape[:2]):
        taps = pixels[:, row : row + last : 2, column : column + last : 2, None]
        total += (taps * weights.conv_kernel[row, column, 0].astype(np.int32)) >> product_shift
    return np.maximum(total, 0)


def latent_codes(features: Integers, weights: EncoderWeights) -> Integers:
    """Latents, shape (n, 16), 9-bit codes of ufixed<9,1>, saturating, of features (n, 4, 4, 8)."""
    flat = features.reshape(len(features), -1)
    product_shift = CONV_FRACTION + WEIGHT_FORMAT.fraction - LATENT_FRACTION
    bias = weights.dense_bias << (LATENT_FRACTION - WEIGHT_FORMAT.fraction)
    total = np.empty((len(flat), len(bias)), dtype=np.int64)
    total[:] = bias
    for start in range(0, len(flat), _CHUNK):
        rows = slice(start, start + _CHUNK)
        for feature, row in zip(flat[rows].T, weights.dense_kernel, strict=True):
            total[rows] += (feature[:, None] * row) >> product_shift
    return np.clip(total, 0, (1 << LATENT_BITS) - 1)
