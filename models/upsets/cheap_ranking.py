"""A cheap ranking of stored bits by damage: one backward pass a module, whatever the bits' number.

To first order a flip moves the decoded shares of a module by the change of the weight times their
gradient.  What counts is how far, not in which direction: so the gradient is that of a random
combination of the shares, whose mean square is that of all of them (Hutchinson's estimator of a
trace), and its mean absolute value over the modules times the change of the weight is the score.
The modules' inputs are in the gradient: that of a weight is the input it multiplies times that of
what comes after.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from models.data.geometry import TRIGGER_CELLS, Arrangement
from models.keras_backend import tf
from models.upsets.stored_bits import StoredBits

_SMALLEST = 1e-6  # of a sum of shares, so that a module that comes back empty has a gradient


def first_order_scores(
    encoder: Any,
    decoder: Any,
    bits: StoredBits,
    *,
    images: npt.NDArray[np.float32],
    arrangement: Arrangement,
    seed: int,
) -> npt.NDArray[np.float64]:
    """Score of each bit, shape (bits,): the higher, the more damage its flip is expected to do.

    Args:
        encoder, decoder: Keras networks, the encoder with its quantisers.
        images: of some modules, shape (n, ...); a hundred are enough to rank.
        seed: of the random combinations.
    """
    pixels = tf.constant(arrangement.pixel_of_cell())
    weights = [getattr(encoder.get_layer(array.layer), array.part) for array in bits.arrays]

    @tf.function
    def gradients(image: Any, signs: Any) -> Any:
        with tf.GradientTape() as tape:
            decoded = decoder(encoder(image, training=False), training=False)
            cells = tf.nn.relu(tf.gather(tf.reshape(decoded, (-1,)), pixels))
            shares = cells / tf.maximum(tf.reduce_sum(cells), _SMALLEST)
            total = tf.reduce_sum(shares * signs)
        return tape.gradient(total, weights, unconnected_gradients="zero")

    rng = np.random.default_rng(seed)
    activity = [np.zeros(array.codes.shape) for array in bits.arrays]
    for image in images:
        signs = tf.constant(rng.choice([-1.0, 1.0], TRIGGER_CELLS), tf.float32)
        for total, gradient in zip(
            activity, gradients(tf.constant(image[None]), signs), strict=True
        ):
            np.add(total, np.abs(np.asarray(gradient)), out=total)
    scores = np.empty(len(bits))
    for index, total in enumerate(activity):
        where = slice(bits.starts[index], bits.starts[index + 1])
        scores[where] = total.ravel()[bits.element[where]] / len(images)
    return scores * np.abs(bits.change)
