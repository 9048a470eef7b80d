"""The ECON-T encoder in Keras: with the chip's arithmetic, with plain sums, and with given weights.

The chip fixes the network: a 3 x 3 convolution of stride 2 with 8 filters on an 8 x 8 image, and a
dense layer of 16 latents.  Layer names are those of the other encoders of the zoo.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat
from models.keras_backend import keras, qkeras
from models.networks.econ_t_formats import (
    CONV_KERNEL,
    CONV_SUM,
    DENSE_KERNEL,
    DENSE_SUM,
    FEATURE,
    FEATURE_FRACTION,
    FEATURES,
    FILTERS,
    IMAGE,
    INPUT,
    KERNEL,
    LATENT,
    LATENTS,
    STRIDE,
    TRAINED_WEIGHT,
    WEIGHT,
    latent_format,
)
from models.networks.floored_layers import FixedPoint, FlooredConv2D, FlooredDense
from models.networks.number_formats import (
    output_format,
    weight_formats,
    weight_parts,
    weight_quantiser,
)

# What flooring takes from a latent at most, on average: half a step from each product.  With this
# bias to begin with no latent is dead, as some would be with none.
_LATENT_BIAS = FEATURES * LATENT.step / 2
_CHIP_LAYERS = [
    keras.layers.InputLayer,
    FixedPoint,
    FlooredConv2D,
    FixedPoint,
    keras.layers.Flatten,
    FlooredDense,
    FixedPoint,
]
_BESIDE_WEIGHTS = ("InputLayer", "QActivation", "Activation", "ReLU", "Flatten", "FixedPoint")

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ChipLayers:
    """The two layers with weights of an encoder that has the chip's topology."""

    conv: keras.layers.Layer
    dense: keras.layers.Layer


def build_econ_t_encoder(latent_bits: int) -> keras.Model:
    """A new encoder in the chip's arithmetic: images (n, 8, 8, 1) to latents (n, 16).

    Args:
        latent_bits: highest bits kept of each 9-bit latent, 1 to 9.
    """
    limits = WEIGHT.min_value, WEIGHT.max_value
    weights = {
        f"{part}_{what}": value
        for part in ("kernel", "bias")
        for what, value in (
            ("quantizer", f"quantized_bits({WEIGHT.width},{WEIGHT.integer - 1},alpha=1)"),
            ("constraint", qkeras.Clip(*limits)),
        )
    }
    images = x = keras.layers.Input(IMAGE, name="input_1")
    x = FixedPoint(str(INPUT), name="input_qa")(x)
    x = FlooredConv2D(
        FILTERS,
        KERNEL,
        strides=STRIDE,
        padding="same",
        product_fraction=FEATURE_FRACTION,
        name="conv2d_0_m",
        **weights,
    )(x)
    x = FixedPoint(str(FEATURE), name="accum1_qa")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = FlooredDense(
        LATENTS,
        product_fraction=LATENT.fraction,
        bias_initializer=keras.initializers.Constant(_LATENT_BIAS),
        name="encoded_vector",
        **weights,
    )(x)
    x = FixedPoint(str(latent_format(latent_bits)), name="encod_qa")(x)
    encoder = keras.Model(images, x, name="encoder")
    # the constraint acts from the first step on; the initial weights, too, shall be the chip's
    encoder.set_weights([np.clip(values, *limits) for values in encoder.get_weights()])
    return encoder


def has_chip_arithmetic(network: keras.Model) -> bool:
    """Whether the network is the chip's encoder, with all its number formats and floored products.

    Such a network equals the chip in every code, whatever its weights.
    """
    layers = network.layers
    if [type(layer) for layer in layers] != _CHIP_LAYERS:
        return False
    _, taken_in, conv, features, _, dense, latents = layers
    try:
        chip_layers(network)
    except InputError:
        return False
    return (
        set(weight_formats(network).values()) == {TRAINED_WEIGHT}
        and taken_in.format == INPUT
        and conv.product_fraction == FEATURE_FRACTION
        and features.format == FEATURE
        and dense.product_fraction == LATENT.fraction
        and latents.format.width <= LATENT.width
        and latents.format == latent_format(latents.format.width)
        and not any(_has_activation(layer) for layer in (conv, dense))
    )


def _has_activation(layer: keras.layers.Layer) -> bool:
    return layer.activation not in (None, keras.activations.linear)


def chip_layers(network: keras.Model) -> ChipLayers:
    """The convolution and the dense layer of an encoder that the chip can run.

    Raises:
        InputError: the network has another topology than the chip; tells the first deviation.
    """
    if network.input_shape != (None, *IMAGE):
        raise InputError(
            f"the chip's encoder reads images of {IMAGE}, this network {network.input_shape[1:]}"
        )
    weighted = [layer for layer in network.layers if layer.weights]
    for layer in network.layers:
        kind = type(layer).__name__
        if layer not in weighted and kind not in _BESIDE_WEIGHTS:
            raise InputError(f"layer '{layer.name}': the chip's encoder has no {kind}")
    kinds = [
        "conv" if isinstance(layer, keras.layers.Conv2D) else "dense"
        for layer in weighted
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    ]
    if len(weighted) != 2 or kinds != ["conv", "dense"]:
        found = ", ".join(f"'{layer.name}' ({type(layer).__name__})" for layer in weighted)
        raise InputError(
            f"the chip's encoder has one convolution and one dense layer, this network: {found}"
        )
    conv, dense = weighted
    _require(conv, weight_parts(conv), ["kernel", "bias"], "weights")
    _require(dense, weight_parts(dense), ["kernel", "bias"], "weights")
    _require(conv, tuple(conv.kernel.shape), CONV_KERNEL, "a kernel of shape")
    _require(conv, tuple(conv.strides), (STRIDE, STRIDE), "strides")
    _require(conv, conv.padding, "same", "padding")
    _require(conv, conv.data_format, "channels_last", "data format")
    _require(dense, tuple(dense.kernel.shape), DENSE_KERNEL, "a kernel of shape")
    return ChipLayers(conv, dense)


def _require(layer: keras.layers.Layer, found: Any, expected: Any, what: str) -> None:
    if found != expected:
        raise InputError(
            f"layer '{layer.name}': the chip's has {what} {expected}, this one {found}"
        )


def chip_weights(network: keras.Model) -> dict[str, Values]:
    """The weights that the network computes with, by `<layer>/kernel`, `<layer>/bias`.

    A weight beyond the limits that training keeps (its constraint's, at most -1 and 1) is given as
    it is, not as its quantiser would limit it: whether the chip can hold it is for the caller to
    ask.

    Raises:
        InputError: as `chip_layers`.
    """
    layers = chip_layers(network)
    found = {}
    for layer in (layers.conv, layers.dense):
        for part in weight_parts(layer):
            stored = np.asarray(getattr(layer, part), np.float64)
            quantiser = weight_quantiser(layer, part)
            used = stored if quantiser is None else np.asarray(quantiser(getattr(layer, part)))
            low, high = _trained_limits(layer, part)
            kept = (stored >= low) & (stored <= high)
            found[f"{layer.name}/{part}"] = np.where(kept, used, stored)
    return found


def _trained_limits(layer: keras.layers.Layer, part: str) -> tuple[float, float]:
    """Between what values training leaves the weights that are read as the chip's."""
    constraint = getattr(layer, f"{part}_constraint", None)
    if isinstance(constraint, qkeras.Clip):
        return max(constraint.min_value, -1.0), min(constraint.max_value, 1.0)
    return -1.0, 1.0


def econ_t_encoder(weights: Iterable[npt.NDArray], latent_bits: int) -> keras.Model:
    """The encoder in the chip's arithmetic with given weights.

    Args:
        weights: convolution kernel (3, 3, 1, 8) and bias (8,), dense kernel (128, 16) and bias
            (16,), in this order; multiples of 1/32 from -1 to 31/32.
        latent_bits: highest bits kept of each 9-bit latent, 1 to 9.
    """
    encoder = build_econ_t_encoder(latent_bits)
    encoder.set_weights(list(weights))
    return encoder


def on_chip(network: keras.Model) -> keras.Model:
    """The encoder in the chip's arithmetic with the weights of `network`, and as many latent bits.

    Raises:
        InputError: the network has another topology than the chip, or its latents are none of the
            chip's.
    """
    latent = output_format(network)
    if latent is None or latent.with_modes("TRN", "SAT") != latent_format(latent.width):
        raise InputError(
            f"the chip's latents are {latent_format(LATENT.width)} or their highest bits, this "
            f"network's are {latent or 'in floating point'}"
        )
    return econ_t_encoder(chip_weights(network).values(), latent.width)


def hls_formats(network: keras.Model) -> dict[str, dict[str, FixedFormat]]:
    """Number formats by layer and role in which hardware computes the network.

    Each product is stored in the accumulator's type, so the fraction bits of that type floor the
    product.  No sum can leave these formats, whatever weights and image.

    Args:
        network: one that `has_chip_arithmetic`.
    """
    images, taken_in, conv, features, flat, dense, latents = network.layers
    feature = FEATURE.with_modes("TRN", "WRAP")

    def of_sums(number: FixedFormat) -> dict[str, FixedFormat]:
        return {"weight": WEIGHT, "bias": WEIGHT, "accum": number, "result": number}

    return {
        images.name: {"result": INPUT},
        taken_in.name: {"result": INPUT},
        conv.name: of_sums(CONV_SUM),
        features.name: {"result": feature},
        flat.name: {"result": feature},
        dense.name: of_sums(DENSE_SUM),
        latents.name: {"result": latents.format},
    }
