"""Fixed-point formats of a Keras network's weights and activations, read from its quantisers."""

from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat
from hw.foundation.integer_network import narrowest
from models.keras_backend import keras
from models.networks.floored_layers import FixedPoint

WEIGHT_BITS = 32
"""Most bits from the highest bit of a layer's weights down to the lowest of any."""


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
    """Format of every quantised weight array, by `<layer>/kernel`, `<layer>/bias`: the quantiser's,
    or the narrowest that holds the values of a quantiser that has none (powers of two, a scale).

    Raises:
        InputError: a quantiser whose values are no fixed-point numbers; names the layer.
    """
    return {name: number for name, (number, _) in _integer_weights(network).items()}


def integer_weights(network: keras.Model) -> dict[str, npt.NDArray[np.int64]]:
    """Integer codes of every quantised weight array, in Keras's shapes, by `<layer>/kernel`, ...

    A code times the step of its format (`weight_formats`) is exactly the value that the layer
    computes with.

    Raises:
        InputError: a quantiser whose values are no fixed-point numbers; names the layer.
    """
    return {name: codes for name, (_, codes) in _integer_weights(network).items()}


def _integer_weights(
    network: keras.Model,
) -> dict[str, tuple[FixedFormat, npt.NDArray[np.int64]]]:
    return {
        f"{layer.name}/{part}": found
        for layer in network.layers
        for part, found in layer_integer_weights(layer).items()
    }


def layer_integer_weights(
    layer: keras.layers.Layer,
) -> dict[str, tuple[FixedFormat, npt.NDArray[np.int64]]]:
    """Format and integer codes of every quantised weight array of a layer, by `kernel`, ...

    Raises:
        InputError: as `integer_weights`.
    """
    found = {}
    for part, stored in stored_weights(layer).items():
        quantiser = weight_quantiser(layer, part)
        if quantiser is None:
            continue
        values = np.asarray(quantiser(stored))
        number = quantiser_format(quantiser)
        if number is None or not number.represents(values):
            try:
                number = narrowest(values, WEIGHT_BITS).number
            except ValueError as error:
                raise InputError(
                    f"layer '{layer.name}', {part}: quantiser {quantiser} gives no fixed-point "
                    f"numbers ({error}); take alpha=1 or alpha='auto_po2'"
                ) from error
        found[part] = (number, number.to_codes(values))
    return found


def input_format(network: keras.Model) -> FixedFormat | None:
    """Format of the activation quantiser that the network's input passes first, or None."""
    first = next((x for x in network.layers if not isinstance(x, keras.layers.InputLayer)), None)
    return activation_format(first)


def output_format(network: keras.Model) -> FixedFormat | None:
    """Format of the network's output, or None where its last layer is in floating point."""
    return activation_format(network.layers[-1])


def activation_format(layer: keras.layers.Layer | None) -> FixedFormat | None:
    """Format of what `layer` puts out, or None where no quantiser gives it one."""
    if isinstance(layer, FixedPoint):
        return layer.format
    quantiser = getattr(layer, "quantizer", None) or getattr(layer, "activation", None)
    return None if layer is None else quantiser_format(quantiser)


def first_format(layer: keras.layers.Layer) -> FixedFormat | None:
    """Format that a layer gives to whatever it reads, or None where it is no mere quantiser."""
    if isinstance(layer, FixedPoint):
        return layer.format
    quantiser = getattr(layer, "quantizer", None)
    if quantiser is None and type(layer).__name__ == "Activation":
        quantiser = layer.activation
    kind = type(quantiser).__name__
    return quantiser_format(quantiser) if kind in ("quantized_bits", "quantized_relu") else None


def weight_parts(layer: keras.layers.Layer) -> list[str]:
    """Names of the layer's weight arrays (`kernel`, `bias`, ...), in the order of its weights."""
    return [weight.name.rsplit("/", 1)[-1].split(":")[0] for weight in layer.weights]


def stored_weights(layer: keras.layers.Layer) -> dict[str, Any]:
    """What the layer gives to the quantisers of its weights: by part, as stored, or folded with
    its normalisation (`QConv2DBatchnorm`, `QDepthwiseConv2DBatchnorm`)."""
    if hasattr(layer, "get_folded_weights"):
        kernel, bias = layer.get_folded_weights()
        part = "depthwise_kernel" if hasattr(layer, "depthwise_kernel") else "kernel"
        return {part: kernel, "bias": bias}
    return dict(zip(weight_parts(layer), layer.weights, strict=True))


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


def quantiser_format(quantiser: Any) -> FixedFormat | None:
    """Format of a QKeras quantiser of evenly spaced numbers without a scale of its own; None for
    any other.  QKeras rounds half to even and saturates."""
    kind = type(quantiser).__name__
    if getattr(quantiser, "qnoise_factor", 1.0) != 1.0:
        return None
    if kind == "quantized_bits":
        signed = bool(quantiser.keep_negative)
        # a sign alone stands for -1 and 1
        if quantiser.alpha not in (None, 1, 1.0) or quantiser.bits <= signed:
            return None
        overflow = "SAT_SYM" if quantiser.symmetric and signed else "SAT"
        bits, integer = int(quantiser.bits), int(quantiser.integer) + signed
        return FixedFormat(bits, integer, signed, "RND_CONV", overflow)
    if kind == "quantized_relu" and not (quantiser.negative_slope or quantiser.use_sigmoid):
        return FixedFormat(int(quantiser.bits), int(quantiser.integer), False, "RND_CONV", "SAT")
    if kind == "quantized_tanh" and not quantiser.use_real_tanh:
        overflow = "SAT_SYM" if quantiser.symmetric else "SAT"
        return FixedFormat(int(quantiser.bits), 1, True, "RND_CONV", overflow)
    if kind == "quantized_sigmoid" and not (quantiser.use_real_sigmoid or quantiser.symmetric):
        return FixedFormat(int(quantiser.bits), 0, False, "RND_CONV", "SAT")
    return None
