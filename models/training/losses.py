"""Losses by name.  Each takes true and predicted images and gives one value for each module.

`weightedMSE`: mean over all pixels of (difference)^2 * max(true, predicted).
`telescopeMSE`: the same at three scales, 4 * mean over the 48 cells + 2 * mean over the 36
    overlapping 2 x 2 supercells (each with its weight) + mean over the 3 sectors.
`sinkhorn`: cost of the entropy-regularised transport between the two modules' normalised charges,
    over the distances between trigger cells; it tends to the earth mover's distance.  A colon and
    a number set the regularisation, in half pitches: `sinkhorn:0.2`.
`sinkhorn_divergence`: the debiased Sinkhorn divergence of the modules' charge shares
    (models/training/sinkhorn_divergence.py), much faster; `sinkhorn_divergence:0.5` sets the
    regularisation, in half pitches.
`emd_cnn:FILE`: the earth mover's distance as a network has learned it
    (models/training/emd_cnn.py); FILE is the one that `python -m flows emd-cnn` wrote.
Any other name is a Keras loss, applied to each image as one vector.
Sources: Ecoder denseCNN.py, telescope.py, qDenseCNN.py; Cuturi, arXiv 1306.0895.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hw.foundation.errors import InputError
from hw.foundation.strict_config import did_you_mean
from models.data.geometry import ARRANGEMENTS, HALF_PITCH_CM, Arrangement, cell_distances
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
_OWN = ("weightedMSE", "telescopeMSE", "sinkhorn", "sinkhorn_divergence", "emd_cnn:FILE")

SINKHORN_REGULARISATION = 0.5 / HALF_PITCH_CM  # in half pitches; the reference's is 0.5 cm
_SINKHORN_STEPS = 1000  # at most, at the regularisation above; at smaller ones in proportion
_SINKHORN_TOLERANCE = 1e-5  # of the total charge, in the marginals
_SMALLEST_CHARGE = 1e-30  # in place of 0
_LEAST_FLOW = 1e-9  # of a cell's charge; flows below it leave no trace in the gradient
_LARGEST_EXPONENT = 300.0  # of the kernel; float64 reaches 709, and the scalings may double it


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
    if kind in _BY_REGULARISATION:
        return _of_cells(_regularised(name), image, kind)
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
    return name.partition(":")[0] in (*_BY_REGULARISATION, "emd_cnn")


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


def _regularised(name: str) -> Loss:
    kind, colon, number = name.partition(":")
    loss, usual = _BY_REGULARISATION[kind]
    if not colon:
        return loss(usual)
    try:
        return loss(float(number))
    except ValueError as error:
        raise InputError(
            f"loss '{name}': after the colon stands the regularisation in half pitches, such as "
            f"{kind}:{usual:.2g} ({error})"
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


class Sinkhorn:
    """Transport cost of cells (n, 48) against cells (n, 48), in half pitches; 0 if one is empty.

    The plan minimises cost minus `regularisation` times entropy.  Sinkhorn's iteration finds it
    for all modules at once; the gradient comes from the equations that the plan solves, so that
    memory does not grow with the iterations.

    Args:
        regularisation: in half pitches.  Smaller is nearer to the earth mover's distance, and
            takes more iterations.

    Raises:
        ValueError: a regularisation so small that the scalings would leave the range of float64.
    """

    def __init__(self, regularisation: float = SINKHORN_REGULARISATION):
        smallest = cell_distances().max() / _LARGEST_EXPONENT
        if not smallest <= regularisation < np.inf:
            raise ValueError(
                f"a regularisation of {regularisation} is below {smallest:.3f} or infinite"
            )
        self.regularisation = regularisation
        self.steps = round(_SINKHORN_STEPS * max(1.0, SINKHORN_REGULARISATION / regularisation))

    def __call__(self, true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        occupied = (tf.reduce_sum(true, axis=1) > 0) & (tf.reduce_sum(predicted, axis=1) > 0)
        cost = self._cost(_fractions(true), _fractions(predicted))
        return tf.where(occupied, tf.cast(cost, predicted.dtype), 0.0)

    def _cost(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        distances = tf.constant(cell_distances())
        kernel = tf.exp(-distances / self.regularisation)

        @tf.custom_gradient
        def cost(a: tf.Tensor, b: tf.Tensor) -> Any:
            u, v = _scalings(a, b, kernel, self.steps)
            plan = u[:, :, None] * kernel * v[:, None, :]

            def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                by_a, by_b = _sensitivities(plan, distances)
                return upstream[:, None] * by_a, upstream[:, None] * by_b

            return tf.reduce_sum(plan * distances, axis=(1, 2)), gradient

        return cost(a, b)


def _fractions(cells: tf.Tensor) -> tf.Tensor:
    """Each cell's part of its module's charge, in float64, and no part quite 0."""
    cells = tf.maximum(tf.cast(cells, tf.float64), _SMALLEST_CHARGE)
    return cells / tf.reduce_sum(cells, axis=1, keepdims=True)


def _scalings(
    a: tf.Tensor, b: tf.Tensor, kernel: tf.Tensor, steps: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """u, v such that u_i * kernel_ij * v_j sums to a_i by rows and to b_j by columns."""

    def unfinished(u: tf.Tensor, v: tf.Tensor, error: tf.Tensor) -> tf.Tensor:
        return error > _SINKHORN_TOLERANCE

    def improve(u: tf.Tensor, v: tf.Tensor, error: tf.Tensor) -> tuple[tf.Tensor, ...]:
        row_sums = v @ kernel  # the kernel is symmetric
        error = tf.reduce_max(tf.reduce_sum(tf.abs(u * row_sums - a), axis=1))
        u = a / row_sums
        return u, b / (u @ kernel), error

    start = (tf.zeros_like(a), tf.ones_like(b), tf.constant(np.inf, tf.float64))
    u, v, _ = tf.while_loop(unfinished, improve, start, maximum_iterations=steps)
    return u, v


def _sensitivities(plan: tf.Tensor, distances: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Derivatives of the plan's cost by its marginals a and b, each up to a constant per module.

    With R the plan's rows and Q its columns, each as conditional probabilities, the derivatives x
    and y solve x + R y = r and Q x + y = q, where r and q are the mean distances under them.
    """
    rows = plan / tf.reduce_sum(plan, axis=2, keepdims=True)
    columns = tf.transpose(plan / tf.reduce_sum(plan, axis=1, keepdims=True), (0, 2, 1))
    row_means = tf.reduce_sum(rows * distances, axis=2)[:, :, None]
    column_means = tf.reduce_sum(columns * distances, axis=2)[:, :, None]
    # I - Q R annihilates constants, which do not matter, and nearly so what is constant on each of
    # several groups of cells with no flow between; the two additions make it regular
    cells = distances.shape[0]
    identity = tf.eye(cells, dtype=tf.float64)
    system = (1.0 + _LEAST_FLOW) * identity - columns @ rows + 1.0 / cells
    y = tf.linalg.solve(system, column_means - columns @ row_means)
    x = row_means - rows @ y
    return tf.squeeze(x, axis=2), tf.squeeze(y, axis=2)


# losses that a regularisation may follow: how each is made, and its usual regularisation
_BY_REGULARISATION: dict[str, tuple[Callable[[float], Loss], float]] = {
    "sinkhorn": (Sinkhorn, SINKHORN_REGULARISATION),
    "sinkhorn_divergence": (SinkhornDivergence, DEFAULT_REGULARISATION),
}


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
