"""A convolutional network that has learned the earth mover's distance, to train encoders with.

After the EMD-CNN of arXiv 2306.04712: two charge distributions as 4x4x3 images, one behind the
other, convolutions, a dense layer, one number; the mean over both orders makes it symmetric.  It
differs in what the images hold.  The distance of two distributions that sum to one depends on
their difference alone, and is proportional to it: with m the charge that has to move,

    EMD(a, b) = m * EMD((a - b)+ / m, (b - a)+ / m).

So the network sees the two surpluses, each of sum one, and gives the mean way of the charge that
moves.  Both properties then hold exactly, a distance of 0 included; far fewer pairs are needed for
the same error than with a and b themselves (docs/emd_losses.md).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hw.foundation.errors import InputError
from models.data.geometry import ARRANGEMENTS, TRIGGER_CELLS
from models.keras_backend import keras, tf
from models.networks.network_files import load_network

_ARRANGEMENT = ARRANGEMENTS["4x4x3"]
_ROWS, _COLUMNS, _SECTORS = _ARRANGEMENT.shape
_INPUT = (_ROWS, _COLUMNS, 2 * _SECTORS)

# after the published network, which has 5x5 kernels, 32 filters, 3 or 4 convolutions
_CONVOLUTIONS = 3
_FILTERS = 32
_KERNEL = 5
_DENSE = 256

_LEAST_CHARGE = 1e-9  # of a module's charge (of 1): a smaller one to move counts as none


def build_emd_cnn() -> keras.Model:
    """The network without its arithmetic around: images (n, 4, 4, 6) to numbers (n, 1), with
    random weights (seeded by `keras.utils.set_random_seed`)."""
    x = images = keras.layers.Input(_INPUT, name="surpluses")
    for index in range(_CONVOLUTIONS):
        x = keras.layers.Conv2D(
            _FILTERS, _KERNEL, padding="same", activation="relu", name=f"conv_{index}"
        )(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(_DENSE, activation="relu", name="dense")(x)
    x = keras.layers.Dense(1, activation="softplus", name="way")(x)
    return keras.Model(images, x, name="emd_cnn")


def load_emd_cnn(path: Path) -> "LearnedEmd":
    """The learned distance from the `.keras` file that `python -m flows emd-cnn` writes.

    Raises:
        InputError: no such file, or the network in it is not of this kind.
    """
    network = load_network(path)
    shapes = (network.input_shape, network.output_shape)
    if shapes != ((None, *_INPUT), (None, 1)):
        raise InputError(
            f"{path}: a network from {shapes[0]} to {shapes[1]}, not a learned earth mover's "
            "distance; train one: python -m flows emd-cnn"
        )
    return LearnedEmd(network)


@dataclass(frozen=True)
class LearnedEmd:
    """The learned distance, differentiable, in half trigger-cell pitches.

    Attributes:
        network: of the shape of `build_emd_cnn`'s; its weights stay as they are.
    """

    network: keras.Model

    def __call__(self, true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        """Distances (n,) of cells (n, 48) from cells (n, 48), in any unit of charge; 0, with a
        gradient of 0, where either module is empty."""
        occupied = (tf.reduce_sum(true, axis=1) > 0) & (tf.reduce_sum(predicted, axis=1) > 0)
        surplus = _fractions(true) - _fractions(predicted)
        from_true, to_predicted = tf.nn.relu(surplus), tf.nn.relu(-surplus)
        moved = tf.reduce_sum(from_true, axis=1, keepdims=True)
        unit = tf.maximum(moved, _LEAST_CHARGE)
        source, sink = _images(from_true / unit), _images(to_predicted / unit)
        there_and_back = tf.concat(
            [tf.concat([source, sink], axis=3), tf.concat([sink, source], axis=3)], axis=0
        )
        there, back = tf.split(self.network(there_and_back), 2)
        return tf.where(occupied, tf.squeeze(moved * (there + back) / 2.0, axis=1), 0.0)


class PairNetwork(keras.Model):
    """The learned distance as a network of pairs (n, 2, 48) to distances (n,), to be trained."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="emd_of_pairs")
        self.network = network
        self.distance = LearnedEmd(network)
        self(np.zeros((1, 2, TRIGGER_CELLS), dtype=np.float32))  # makes the weights known to Keras

    def call(self, pairs: tf.Tensor) -> tf.Tensor:
        return self.distance(pairs[:, 0], pairs[:, 1])


def relative_error(true: Any, predicted: Any) -> tf.Tensor:
    """Loss to train with, shape (n,): how far the logarithm of 1 + distance is off, squared."""
    return tf.square(tf.math.log1p(predicted) - tf.math.log1p(true))


def _fractions(cells: tf.Tensor) -> tf.Tensor:
    """Each cell's part of its module's charge; an empty module's stay 0."""
    cells = tf.nn.relu(cells)
    return tf.math.divide_no_nan(cells, tf.reduce_sum(cells, axis=1, keepdims=True))


def _images(cells: tf.Tensor) -> tf.Tensor:
    return tf.reshape(tf.gather(cells, _ARRANGEMENT.cell, axis=1), (-1, *_ARRANGEMENT.shape))
