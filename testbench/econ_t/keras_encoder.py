"""The chip's encoder weights out of Keras networks and into them, and its latents for images.

TensorFlow is imported with the network's own module, when it is used.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from models.networks.econ_t_formats import INPUT, LATENT
from testbench.econ_t.encoder import feature_codes, latent_codes
from testbench.econ_t.encoder_weights import WEIGHT_FORMAT, EncoderWeights

Integers = npt.NDArray[np.int64]

_BATCH = 4096


def weights_of(network: Any) -> EncoderWeights:
    """The weights that a Keras encoder computes with, as the chip holds them.

    Raises:
        InputError: the network has another topology than the chip's encoder; or a weight is
            outside [-1, 31/32] or no multiple of 1/32: names layer, index and value.
    """
    from models.networks.econ_t_encoder import chip_layers, chip_weights

    layers = chip_layers(network)
    values = chip_weights(network).values()
    return EncoderWeights.from_values(*values, conv=layers.conv.name, dense=layers.dense.name)


def network_of(weights: EncoderWeights, latent_bits: int = LATENT.width) -> Any:
    """The Keras encoder in the chip's arithmetic with these weights.

    Args:
        latent_bits: highest bits kept of each 9-bit latent, 1 to 9.
    """
    from models.networks.econ_t_encoder import econ_t_encoder

    values = [WEIGHT_FORMAT.to_values(codes) for codes in weights.arrays().values()]
    return econ_t_encoder(values, latent_bits)


def golden_latents(
    images: npt.NDArray, weights: EncoderWeights, latent_bits: int = LATENT.width
) -> Integers:
    """Latent codes of the golden model, shape (n, 16), for images of real numbers (n, 8, 8, 1).

    Args:
        latent_bits: highest bits kept of each 9-bit latent, 1 to 9.
    """
    latents = np.empty((len(images), len(weights.dense_bias)), dtype=np.int64)
    for start in range(0, len(images), _BATCH):
        rows = slice(start, start + _BATCH)
        pixels = INPUT.to_codes(images[rows, ..., 0])
        latents[rows] = latent_codes(feature_codes(pixels, weights), weights)
    return latents >> (LATENT.width - latent_bits)
