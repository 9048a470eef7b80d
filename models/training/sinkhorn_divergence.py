"""The debiased Sinkhorn divergence of two modules' charge shares, fast enough to train on.

S(p, q) = OT(p, q) - OT(p, p) / 2 - OT(q, q) / 2, with OT the entropy-regularised transport over the
distances between trigger cells.  It is 0 for equal modules (the regularised transport alone is not)
and tends to the earth mover's distance as the regularisation goes to 0.  The scalings of the kernel
exp(-distance / regularisation) are found by a fixed number of iterations, two products with a
48 x 48 matrix each; the gradient is the difference of the dual potentials, so that nothing is
propagated back through the iterations.
Sources: Cuturi, arXiv 1306.0895; Feydy et al., arXiv 1810.08278 (divergence and its gradient).
"""

import math
from typing import Any

import numpy as np

from models.data.geometry import cell_distances
from models.keras_backend import tf

DEFAULT_REGULARISATION = 0.5
"""In half trigger-cell pitches."""

_ITERATIONS_AT_ONE = 20  # at a regularisation of one half pitch; inversely as many at others
_OWN_ITERATIONS = 10  # for a module against itself: the potentials are right to 1e-5 half pitches
_LEAST_SHARE = 1e-7  # in place of 0: the logarithm of an empty cell's scaling stays finite
_LARGEST_EXPONENT = 60.0  # of the kernel: exp(-60) is far from the end of float32, and so are sums


class SinkhornDivergence:
    """Divergence of cells (n, 48) against cells (n, 48), in half pitches; 0 if one is empty.

    Args:
        regularisation: in half pitches.  Smaller is nearer to the earth mover's distance, and
            takes more iterations.

    Raises:
        ValueError: a regularisation so small that the kernel would leave the range of float32.
    """

    def __init__(self, regularisation: float = DEFAULT_REGULARISATION):
        smallest = cell_distances().max() / _LARGEST_EXPONENT
        if not smallest <= regularisation < np.inf:
            raise ValueError(
                f"a regularisation of {regularisation} is below {smallest:.3f} or infinite"
            )
        self.regularisation = regularisation
        self.iterations = math.ceil(_ITERATIONS_AT_ONE / min(regularisation, 1.0))
        self._kernel = np.exp(-cell_distances() / regularisation).astype(np.float32)

    def __call__(self, true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        occupied = (tf.reduce_sum(true, axis=1) > 0) & (tf.reduce_sum(predicted, axis=1) > 0)
        divergence = self._of_shares(_shares(true), _shares(predicted))
        return tf.where(occupied, tf.cast(divergence, predicted.dtype), 0.0)

    def _of_shares(self, true: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
        true = tf.stop_gradient(true)

        @tf.custom_gradient
        def divergence(q: tf.Tensor) -> Any:
            of_true, of_q = self._potentials(true, q)
            own_true, own_q = self._own_potentials(true), self._own_potentials(q)
            pull = of_q - own_q
            value = tf.reduce_sum((of_true - own_true) * true + pull * q, axis=1)
            # shares add up to 1: what is the same for all cells moves nothing
            pull -= tf.reduce_mean(pull, axis=1, keepdims=True)
            return value, lambda upstream: upstream[:, None] * pull

        return divergence(predicted)

    def _potentials(self, p: tf.Tensor, q: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Dual potentials of the transport of p to q, each (n, 48), in half pitches."""
        kernel = tf.constant(self._kernel)
        u, v = tf.ones_like(p), tf.ones_like(q)
        for _ in range(self.iterations):
            u = p / (v @ kernel)  # the kernel is symmetric
            v = q / (u @ kernel)
        return self.regularisation * tf.math.log(u), self.regularisation * tf.math.log(v)

    def _own_potentials(self, q: tf.Tensor) -> tf.Tensor:
        """The potential of the transport of q to itself: one for both sides."""
        kernel = tf.constant(self._kernel)
        w = tf.ones_like(q)
        for _ in range(_OWN_ITERATIONS):
            w = tf.sqrt(w * q / (w @ kernel))
        return self.regularisation * tf.math.log(w)


def _shares(cells: tf.Tensor) -> tf.Tensor:
    """Each cell's part of its module's charge, in float32, and no part quite 0."""
    cells = tf.maximum(tf.cast(cells, tf.float32), 0.0)
    total = tf.reduce_sum(cells, axis=1, keepdims=True)
    shares = tf.math.divide_no_nan(cells, total) + _LEAST_SHARE
    return shares / tf.reduce_sum(shares, axis=1, keepdims=True)
