"""Fixed-point formats of a Keras network's weights and activations, read from its quantisers."""

from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat
from models.keras_backend import keras
from models.networks.floored_layers import FixedPoint


def is_quantised(network: keras.Model) -> bool:
    """Whether the network is all in fixed point: its weights, its input and its output."""
    return (
        all(
            weight_quantiser(layer, part) is not None
            for layer in network.layers
            for part in weight_parts(layer)
        )
        and output_format(network) is not None
        and input_format(network) is not None
    )


def weight_formats(network: keras.Model) -> dict[str, FixedFormat]:
    """Format of every quantised weight array, by `<layer>/kernel`, `<layer>/bias`.

    Raises:
        InputError: a quantiser whose values are no plain fixed-point numbers; names the layer.
    """
    return {
        f"{layer.name}/{part}": _format(quantiser, f"layer '{layer.name}', {part}")
        for layer in network.layers
        for part in weight_parts(layer)
        if (quantiser := weight_quantiser(layer, part)) is not None
    }


def integer_weights(network: keras.Model) -> dict[str, npt.NDArray[np.int64]]:
    """Integer codes of every quantised weight array, in Keras's shapes, by `<layer>/kernel`, ...

    A code times the step of its format (`weight_formats`) is exactly the value that the layer
    computes with.

    Raises:
        InputError: a quantiser whose values are no plain fixed-point numbers; names the layer.
    """
    codes = {}
    for name, number_format in weight_formats(network).items():
        layer_name, part = name.rsplit("/", 1)
        layer = network.get_layer(layer_name)
        values = np.asarray(weight_quantiser(layer, part)(getattr(layer, part)))
        if not number_format.represents(values):
            raise InputError(
                f"layer '{layer_name}', {part}: its quantiser's values are not on the grid of "
                f"{number_format}; use a plain quantized_bits with alpha=1"
            )
        codes[name] = number_format.to_codes(values)
    return codes


def input_format(network: keras.Model) -> FixedFormat | None:
    """Format of the activation quantiser that the network's input passes first, or None."""
    first = next((x for x in network.layers if not isinstance(x, keras.layers.InputLayer)), None)
    return activation_format(first)


def output_format(network: keras.Model) -> FixedFormat | None:
    """Format of the network's output, or None where its last layer is in floating point."""
    return activation_format(network.layers[-1])


def activation_format(layer: keras.layers.Layer | None) -> FixedFormat | None:
    """Format of what `layer` puts out, or None where that is in floating point.

    Raises:
        InputError: a quantiser whose values are no plain fixed-point numbers; names the layer.
    """
    if isinstance(layer, FixedPoint):
        return layer.format
    quantiser = getattr(layer, "quantizer", None) or getattr(layer, "activation", None)
    if layer is None or quantiser_bits(quantiser) is None:
        return None
    return _format(quantiser, f"layer '{layer.name}'")


def weight_parts(layer: keras.layers.Layer) -> list[str]:
    """Names of the layer's weight arrays (`kernel`, `bias`, ...), in the order of its weights."""
    return [weight.name.rsplit("/", 1)[-1].split(":")[0] for weight in layer.weights]


def weight_quantiser(layer: keras.layers.Layer, part: str) -> Any:
    """QKeras quantiser of a weight array, or None where it is in floating point."""
    # QKeras names the quantiser of depthwise_kernel, pointwise_kernel, ... without the kernel
    return getattr(layer, f"{part.removesuffix('_kernel')}_quantizer_internal", None)


def quantiser_bits(candidate: Any) -> int | None:
    """Bits of the values of a QKeras quantiser; None for anything that is no quantiser."""
    if not type(candidate).__module__.startswith("qkeras."):
        return None
    kind = type(candidate).__name__
    return 1 if kind == "binary" else 2 if kind == "ternary" else int(candidate.bits)


def _format(quantiser: Any, where: str) -> FixedFormat:
    """Format of a QKeras quantiser; QKeras rounds half to even and saturates."""
    kind = type(quantiser).__name__
    modes = {"rounding": "RND_CONV", "overflow": "SAT"}
    if getattr(quantiser, "qnoise_factor", 1.0) == 1.0:
        signed = bool(getattr(quantiser, "keep_negative", False))
        linear = kind == "quantized_bits" and quantiser.alpha in (None, 1, 1.0)
        if linear and quantiser.bits > signed:  # a sign alone stands for -1 and 1
            if quantiser.symmetric and signed:
                modes["overflow"] = "SAT_SYM"
            return FixedFormat(
                int(quantiser.bits), int(quantiser.integer) + signed, signed, **modes
            )
        if kind == "quantized_relu" and not (quantiser.negative_slope or quantiser.use_sigmoid):
            return FixedFormat(int(quantiser.bits), int(quantiser.integer), False, **modes)
    raise InputError(
        f"{where}: quantiser {quantiser} has no fixed-point format; known are quantized_bits with "
        "alpha=1 and quantized_relu without a negative slope or sigmoid"
    )
