"""Losses by name.  Each takes true and predicted images and gives one value for each module.

`weightedMSE`: mean over all pixels of (difference)^2 * max(true, predicted).
`telescopeMSE`: the same at three scales, 4 * mean over the 48 cells + 2 * mean over the 36
    overlapping 2 x 2 supercells (each with its weight) + mean over the 3 sectors.
`sinkhorn_divergence`: the debiased Sinkhorn divergence of the modules' charge shares
    (models/training/sinkhorn_divergence.py), which tends to the earth mover's distance as its
    regularisation falls; `sinkhorn_divergence:0.5` sets that, in half pitches.
`emd_cnn:FILE`: the earth mover's distance as a network has learned it
    (models/training/emd_cnn.py); FILE is the one that `python -m flows emd-cnn` wrote.
Any other name is a Keras loss, applied to each image as one vector.
Sources: Ecoder denseCNN.py, telescope.py.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hw.foundation.errors import InputError
from hw.foundation.strict_config import did_you_mean
from models.data.geometry import ARRANGEMENTS, Arrangement
from models.keras_backend import keras, tf
from models.training.emd_cnn import load_emd_cnn
from models.training.sinkhorn_divergence import DEFAULT_REGULARISATION, SinkhornDivergence
from models.training.telescope import sector_sums, supercell_sums, supercell_weights

Loss = Callable[[Any, Any], tf.Tensor]

# the reference's name of the telescope loss on each arrangement
_TELESCOPE = {
    "telescopeMSE443": ("4x4x3",),
    "telescopeMSE663": ("6x6x3", "6x6x3_tp"),
    "telescopeMSE8x8": ("8x8",),
}
_SINKHORN = "sinkhorn_divergence"
_OWN = ("weightedMSE", "telescopeMSE", _SINKHORN, "emd_cnn:FILE")


def get_loss(name: str, arrangement: str) -> Loss:
    """The loss `name` for images of `arrangement`: (n, *shape) twice to (n,).

    Raises:
        InputError: unknown name (with a suggestion), a loss for another arrangement, or what
            follows the colon is no such number or file.
    """
    image = ARRANGEMENTS[arrangement]
    kind = name.partition(":")[0]
    if kind == "emd_cnn":
        return _of_cells(load_emd_cnn(_file_of(name)), image, kind)
    if kind == _SINKHORN:
        return _of_cells(_sinkhorn_divergence(name), image, kind)
    if name in _TELESCOPE and arrangement not in _TELESCOPE[name]:
        raise InputError(
            f"loss '{name}' is for images {' and '.join(_TELESCOPE[name])}, not {arrangement}; "
            "'telescopeMSE' suits all"
        )
    if name == "telescopeMSE" or name in _TELESCOPE:
        return _of_cells(_telescope, image, "telescopeMSE")
    if name == "weightedMSE":
        return _of_pixels(_weighted_mse, name)
    return _of_pixels(_keras_loss(name), name)


def ignores_sum(name: str) -> bool:
    """Whether the loss `name` compares shapes alone, so that a decoder's summed charge is free."""
    return name.partition(":")[0] in (_SINKHORN, "emd_cnn")


def file_of_loss(name: str) -> Path | None:
    """The file that decides what the loss `name` is; None for a loss that is its name alone."""
    return _file_of(name) if name.partition(":")[0] == "emd_cnn" else None


def _file_of(name: str) -> Path:
    file = name.partition(":")[2]
    if not file:
        raise InputError(
            f"loss '{name}': give the file of the learned distance after a colon, "
            "emd_cnn:build/<name>/emd-cnn/network.keras; python -m flows emd-cnn trains it"
        )
    return Path(file)


def _sinkhorn_divergence(name: str) -> Loss:
    _, colon, number = name.partition(":")
    if not colon:
        return SinkhornDivergence()
    try:
        return SinkhornDivergence(float(number))
    except ValueError as error:
        raise InputError(
            f"loss '{name}': after the colon stands the regularisation in half pitches, such as "
            f"{_SINKHORN}:{DEFAULT_REGULARISATION:g} ({error})"
        ) from error


def _of_pixels(loss: Loss, name: str) -> Loss:
    def of_images(true: Any, predicted: Any) -> tf.Tensor:
        predicted = tf.convert_to_tensor(predicted)
        true = tf.cast(true, predicted.dtype)
        size = int(np.prod(predicted.shape[1:]))
        return loss(tf.reshape(true, (-1, size)), tf.reshape(predicted, (-1, size)))

    of_images.__name__ = name
    return of_images


def _of_cells(loss: Loss, image: Arrangement, name: str) -> Loss:
    pixels = image.pixel_of_cell()

    def of_flat(true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        return loss(tf.gather(true, pixels, axis=1), tf.gather(predicted, pixels, axis=1))

    return _of_pixels(of_flat, name)


def _weighted_mse(true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(_weighted_square(true, predicted), axis=1)


def _weighted_square(true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    return tf.square(true - predicted) * tf.maximum(true, predicted)


def _telescope(true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    def squares(sums: np.ndarray) -> tf.Tensor:
        sums = tf.constant(sums, predicted.dtype)
        return _weighted_square(true @ sums, predicted @ sums)

    weights = tf.constant(supercell_weights(), predicted.dtype)
    cells = tf.reduce_mean(_weighted_square(true, predicted), axis=1)
    supercells = tf.reduce_mean(squares(supercell_sums()) * weights, axis=1)
    sectors = tf.reduce_mean(squares(sector_sums()), axis=1)
    return 4.0 * cells + 2.0 * supercells + sectors


def _keras_loss(name: str) -> Loss:
    known = [
        name
        for name, loss in inspect.getmembers(keras.losses)
        if (inspect.isfunction(loss) and name not in ("get", "serialize", "deserialize"))
        or (inspect.isclass(loss) and issubclass(loss, keras.losses.Loss) and name != "Loss")
    ]
    if name not in known:
        raise InputError(
            f"unknown loss '{name}'; "
            f"{did_you_mean(name, [*_OWN, *_TELESCOPE, *known])} Any Keras loss will do too."
        )
    loss = keras.losses.get(name)
    return loss.call if isinstance(loss, keras.losses.Loss) else loss
