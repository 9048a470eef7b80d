"""Building the networks of an autoencoder from its record in the zoo.

The layers and their names are those of the reference (Ecoder denseCNN.py, qDenseCNN.py), so that
weights and tools written for it fit.  Where the reference would be wrong or undefined, for networks
of several convolutions or dense layers, this differs: every hidden layer of a quantised encoder is
followed by its ReLU and quantiser (not the last convolution alone), and the decoder mirrors the
encoder (it does not repeat its order).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.data.geometry import TRIGGER_CELLS, Arrangement
from models.keras_backend import keras, qkeras
from models.networks.conv_mask import KeptPixels
from models.networks.econ_t_encoder import build_econ_t_encoder
from models.networks.quantisation import NumberFormat, Quantisation
from models.networks.zoo import Convolution, DenseDecoder, ModelSpec

Tensor = Any  # a symbolic Keras tensor


@dataclass(frozen=True)
class Networks:
    """The three networks of one autoencoder; they share their weights.

    Attributes:
        encoder: images (n, *arrangement.shape) to latents (n, latent).
        decoder: latents to images; every pixel in [0, 1].
        autoencoder: decoder of encoder.
    """

    encoder: keras.Model
    decoder: keras.Model
    autoencoder: keras.Model


def build_networks(spec: ModelSpec) -> Networks:
    """New networks with random weights (seeded by `keras.utils.set_random_seed`).

    Channels-first images are transposed at the encoder's input and at the decoder's output, and
    the convolutions in between work channels last: TensorFlow trains no others on a CPU.
    """
    chip = spec.econ_t
    encoder = build_econ_t_encoder(chip.latent_bits) if chip else _build_encoder(spec)
    if spec.decoder:
        decoder = build_dense_decoder(spec.decoder, spec.latent, spec.image)
    else:
        decoder = _build_mirror(spec)
    autoencoder = keras.Model(encoder.input, decoder(encoder.output), name="autoencoder")
    return Networks(encoder, decoder, autoencoder)


def _build_encoder(spec: ModelSpec) -> keras.Model:
    formats = spec.quantisation
    names = iter(spec.weighted_layers)
    images = x = keras.layers.Input(spec.image.shape, name="input_1")
    if formats:
        x = qkeras.QActivation(_linear(formats.input), name="input_qa")(x)
    if spec.image.channels_first:
        x = keras.layers.Permute((2, 3, 1), name="channels_last")(x)
    for index, convolution in enumerate(spec.convolutions):
        name = next(names)
        x = _with_weights(
            "Conv2D",
            convolution.filters,
            formats,
            kernel_size=convolution.kernel,
            strides=convolution.stride,
            padding=convolution.padding,
            name=name,
        )(x)
        if convolution.pool:  # ahead of the ReLU: hls4ml pads an odd map wrongly if it is unsigned
            x = keras.layers.MaxPooling2D(2, padding="same", name=f"mp_{index}")(x)
        x = _quantised_relu(x, _after(name, formats), f"accum{index + 1}_qa")
    x = keras.layers.Flatten(name="flatten")(x)

    mask = _pixel_constraint(spec)  # of the first dense layer only
    for width in spec.dense:
        name = next(names)
        x = _with_weights("Dense", width, formats, name=name, kernel_constraint=mask)(x)
        x = _quantised_relu(x, _after(name, formats), f"{name}_qa")
        mask = None
    last = next(names)
    x = _with_weights("Dense", spec.latent, formats, name=last, kernel_constraint=mask)(x)
    x = _quantised_relu(x, formats.latent if formats else None, "encod_qa")

    encoder = keras.Model(images, x, name="encoder")
    for layer in encoder.layers:
        if isinstance(getattr(layer, "kernel_constraint", None), KeptPixels):
            layer.kernel.assign(layer.kernel_constraint(layer.kernel))
    return encoder


def _with_weights(
    kind: str, size: int, formats: Quantisation | None, *, name: str, **options: Any
) -> keras.layers.Layer:
    """A Conv2D or Dense layer with ReLU, or its quantised counterpart, whose ReLU comes after."""
    if formats is None:
        return getattr(keras.layers, kind)(size, activation="relu", name=name, **options)
    return getattr(qkeras, f"Q{kind}")(
        size,
        kernel_quantizer=_linear(formats.weight_of(name)),
        bias_quantizer=_linear(formats.bias_of(name)),
        name=name,
        **options,
    )


def _after(layer: str, formats: Quantisation | None) -> NumberFormat | None:
    """Format of the activation after a hidden layer."""
    return formats.accumulator_of(layer) if formats else None


# Quantisers are given as text: QKeras reads it back from every kind of model file, which it does
# not for an object in a QActivation.
def _linear(number: NumberFormat) -> str:
    return (
        f"quantized_bits({number.total},{number.integer},"
        f"keep_negative={int(number.signed)},alpha=1)"
    )


def _quantised_relu(x: Tensor, number: NumberFormat | None, name: str) -> Tensor:
    if number is None:
        return x
    return qkeras.QActivation(f"quantized_relu({number.total},{number.integer})", name=name)(x)


def _pixel_constraint(spec: ModelSpec) -> KeptPixels | None:
    if not spec.conv_mask:
        return None
    primary = spec.image.primary.reshape(spec.image.shape)
    kept = primary.any(axis=0 if spec.image.channels_first else 2)
    reader = spec.weighted_layers[len(spec.convolutions)]
    formats = spec.quantisation
    limit = -formats.weight_of(reader).fixed.min_value if formats else None
    return KeptPixels(kept.ravel().tolist(), limit)


def _build_mirror(spec: ModelSpec) -> keras.Model:
    sides = [spec.image_side]
    for convolution in spec.convolutions:
        sides.append(convolution.output_side(sides[-1]))
    channels = spec.convolutions[-1].filters if spec.convolutions else spec.image_channels
    features = (sides[-1], sides[-1], channels)

    latents = x = keras.layers.Input((spec.latent,), name="decoder_input")
    for index, width in reversed(list(enumerate(spec.dense))):
        x = keras.layers.Dense(width, activation="relu", name=f"de_dense_{index}")(x)
    x = keras.layers.Dense(
        int(np.prod(features)),
        activation="relu" if spec.convolutions else None,
        bias_initializer="zeros" if spec.convolutions else _output_bias(spec),
        name="de_dense_final",
    )(x)
    x = keras.layers.Reshape(features, name="de_reshape")(x)
    for index, convolution in reversed(list(enumerate(spec.convolutions))):
        x = _undo(x, convolution, sides[index], index)
    if spec.convolutions:
        x = keras.layers.Conv2DTranspose(
            spec.image_channels,
            spec.convolutions[0].kernel,
            padding="same",
            bias_initializer=_output_bias(spec),
            name="conv2d_t_final",
        )(x)
    if spec.image.channels_first:
        x = keras.layers.Permute((3, 1, 2), name="channels_first")(x)
    images = keras.layers.Activation("sigmoid", name="decoder_output")(x)
    return keras.Model(latents, images, name="decoder")


def build_dense_decoder(record: DenseDecoder, latent_count: int, image: Arrangement) -> keras.Model:
    """Latents (n, latent_count) to images (n, *image.shape) of the trigger cells' shares of the
    charge, with random weights."""
    latents = x = keras.layers.Input((latent_count,), name="decoder_input")
    for index, width in enumerate(record.widths):
        x = keras.layers.Dense(width, record.activation, name=f"de_dense_{index}")(x)
    shares = keras.layers.Dense(TRIGGER_CELLS, "softmax", name="decoder_shares")(x)
    # a fixed matrix, since every tool that reads the network knows dense layers
    shown = image.to_images(np.eye(TRIGGER_CELLS, dtype=np.float32)).reshape(TRIGGER_CELLS, -1)
    to_pixels = keras.layers.Dense(
        shown.shape[1], use_bias=False, trainable=False, name="decoder_pixels"
    )
    images = keras.layers.Reshape(image.shape, name="decoder_output")(to_pixels(shares))
    to_pixels.set_weights([shown])
    return keras.Model(latents, images, name="decoder")


def _output_bias(spec: ModelSpec) -> keras.initializers.Initializer:
    """Makes a new decoder's pixels about as large as those it is to give: an image adds up to 1.5.

    Starting from the sigmoid's 0.5, training first presses all pixels down, which shuts the ReLUs
    before them, and then lies on that plateau for thousands of steps.
    """
    mean = 1.5 / np.prod(spec.image.shape)
    return keras.initializers.Constant(float(np.log(mean / (1 - mean))))


def _undo(x: Tensor, convolution: Convolution, side: int, index: int) -> Tensor:
    """Feature map of `side` pixels, as before `convolution`, from the map after it."""
    if convolution.pool:
        x = keras.layers.UpSampling2D(2, name=f"up_{index}")(x)
        x = _crop(x, convolution.convolved_side(side), f"up_{index}_crop")
    missed = 0  # pixels at the far edges that the strides of an unpadded convolution never reach
    if convolution.padding == "valid":
        missed = (side - convolution.kernel) % convolution.stride
    x = keras.layers.Conv2DTranspose(
        convolution.filters,
        convolution.kernel,
        strides=convolution.stride,
        padding=convolution.padding,
        output_padding=missed or None,
        activation="relu",
        name=f"conv2D_t_{index}",
    )(x)
    return _crop(x, side, f"conv2D_t_{index}_crop")


def _crop(x: Tensor, side: int, name: str) -> Tensor:
    surplus = x.shape[1] - side
    if surplus == 0:
        return x
    return keras.layers.Cropping2D(((0, surplus), (0, surplus)), name=name)(x)
