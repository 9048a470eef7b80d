"""Layers in the arithmetic of the ECON-T encoder: every product is floored before it is summed.

The chip's multipliers drop the low bits of each product, which pulls a sum down by about half a
step a product: up to a hundred steps of a latent, which training must know of.  The layers here
compute that arithmetic exactly, and let the gradient of the plain sum through.  All their numbers
are integers below 2**24 times a power of two, hence exact in float32, whatever the order of a sum.
Source: Di Guglielmo et al., arXiv 2105.01683; equality with the CMS emulator is tested.
"""

from collections.abc import Callable
from typing import Any

from hw.foundation.fixed_point import FixedFormat, parse_format
from models.keras_backend import keras, qkeras, tf

Tensor = Any


def floored_products(inputs: Tensor, kernel: Tensor, fraction: int) -> Tensor:
    """Sum over k of floor(inputs[..., k] * kernel[k, f], to `fraction` bits), shape (..., f).

    The gradient is that of the plain matrix product.
    """
    scale = 2.0**fraction

    @tf.custom_gradient
    def product(a: Tensor, w: Tensor) -> tuple[Tensor, Callable]:
        floored = tf.reduce_sum(tf.floor(a[..., None] * (w * scale)), axis=-2) / scale

        def gradient(upstream: Tensor) -> tuple[Tensor, Tensor]:
            rows = tf.reshape(a, (-1, a.shape[-1]))
            upstream_rows = tf.reshape(upstream, (-1, w.shape[-1]))
            to_inputs = tf.matmul(upstream_rows, w, transpose_b=True)
            return (
                tf.reshape(to_inputs, tf.shape(a)),
                tf.matmul(rows, upstream_rows, transpose_a=True),
            )

        return floored, gradient

    return product(inputs, kernel)


def _outputs(layer: Any, inputs: Tensor) -> Tensor:
    """Outputs of a layer for inputs (..., k), its kernel read as (k, outputs)."""
    kernel = _quantised(layer.kernel, layer.kernel_quantizer_internal)
    kernel = tf.reshape(kernel, (-1, kernel.shape[-1]))
    outputs = floored_products(inputs, kernel, layer.product_fraction)
    if layer.use_bias:
        outputs += _quantised(layer.bias, layer.bias_quantizer_internal)
    return outputs if layer.activation is None else layer.activation(outputs)


def _quantised(weights: Tensor, quantiser: Any) -> Tensor:
    return weights if quantiser is None else quantiser(weights)


class FlooredConv2D(qkeras.QConv2D):
    """QConv2D whose products are floored.

    Args:
        product_fraction: fraction bits that are kept of each product.

    Raises:
        ValueError: channels first, or more than one group.
    """

    def __init__(self, *arguments: Any, product_fraction: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.product_fraction = product_fraction
        if self.data_format != "channels_last" or self.groups != 1:
            raise ValueError(f"layer '{self.name}': floored products need channels last, one group")

    def call(self, inputs: Tensor) -> Tensor:
        patches = tf.image.extract_patches(
            inputs,
            sizes=(1, *self.kernel_size, 1),
            strides=(1, *self.strides, 1),
            rates=(1, *self.dilation_rate, 1),
            padding=self.padding.upper(),
        )
        return _outputs(self, patches)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "product_fraction": self.product_fraction}


class FlooredDense(qkeras.QDense):
    """QDense whose products are floored.

    Args:
        product_fraction: fraction bits that are kept of each product.
    """

    def __init__(self, *arguments: Any, product_fraction: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.product_fraction = product_fraction

    def call(self, inputs: Tensor) -> Tensor:
        return _outputs(self, inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "product_fraction": self.product_fraction}


class FixedPoint(keras.layers.Layer):
    """Values brought to a fixed-point format by dropping low bits (TRN), saturating or wrapping.

    An unsigned format that saturates is a ReLU.  The gradient is 1 where the value is in range.

    Args:
        format: for example `ufixed<8,1>` or `ufixed<9,1,TRN,SAT>`.

    Raises:
        ValueError: a rounding other than TRN, or an overflow other than WRAP and SAT.
    """

    def __init__(self, format: str, **options: Any) -> None:
        super().__init__(**options)
        self.format: FixedFormat = parse_format(format)
        if self.format.rounding != "TRN" or self.format.overflow not in ("WRAP", "SAT"):
            raise ValueError(f"{format}: FixedPoint knows TRN with WRAP or SAT")

    def call(self, inputs: Tensor) -> Tensor:
        step = self.format.step
        low, high = float(self.format.min_code), float(self.format.max_code)

        @tf.custom_gradient
        def brought(values: Tensor) -> tuple[Tensor, Callable]:
            codes = tf.floor(values / step)
            if self.format.overflow == "WRAP":
                codes_in_range = tf.math.floormod(codes - low, high - low + 1.0) + low
            else:
                codes_in_range = tf.clip_by_value(codes, low, high)

            def gradient(upstream: Tensor) -> Tensor:
                return tf.where(codes == codes_in_range, upstream, 0.0)

            return codes_in_range * step, gradient

        return brought(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "format": str(self.format)}


def plain_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A new layer that does what `layer` does without flooring; its weights are new ones.

    A FixedPoint becomes what remains of it in floating point: a ReLU, or nothing.
    """
    config = layer.get_config()
    config.pop("product_fraction", None)
    match layer:
        case FlooredConv2D():
            return qkeras.QConv2D.from_config(config)
        case FlooredDense():
            return qkeras.QDense.from_config(config)
        case FixedPoint():
            is_relu = not layer.format.signed and layer.format.overflow == "SAT"
            return keras.layers.Activation("relu" if is_relu else "linear", name=layer.name)
    return type(layer).from_config(config)
