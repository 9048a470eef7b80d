"""Pruning by magnitude: while a network trains, its smallest weights are set to 0 and kept there.

The share that is 0 grows from epoch to epoch, so that the other weights can make up for it.  Single
weights go by their own magnitude, whole filters of a convolution by the sum of their weights'
(Li et al., arXiv 1608.08710).  Hard-wired, a weight of 0 costs no adder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.keras_backend import keras, tf
from models.networks.cheaper_weights import Pruning


@dataclass(frozen=True)
class _Pruned:
    """A layer that is pruned.

    Attributes:
        weights, filters: shares that are 0 in the end.
        kept: mask of its kernel.
        channels: mask of its filters; None where none is pruned.
    """

    layer: Any
    weights: float
    filters: float
    kept: Any
    channels: Any


class Masks:
    """The weights that are kept of a network's layers: 1 where kept, 0 where pruned.

    Args:
        layers: with kernels; those that are neither dense nor convolutions are left alone.
    """

    def __init__(self, layers: Sequence[Any], pruning: Pruning) -> None:
        self._pruned = [found for layer in layers if (found := _pruned(layer, pruning))]

    def shrink(self, progress: float) -> None:
        """Prune the smallest weights and filters until `progress` of the final shares is 0."""
        for pruned in self._pruned:
            size = np.abs(pruned.layer.kernel.numpy())
            if pruned.channels is not None:
                of_filters = size.sum(axis=(0, 1, 2))
                count = min(round(progress * pruned.filters * of_filters.size), of_filters.size - 1)
                stays = _without_smallest(of_filters, count)
                pruned.channels.assign(stays)
                size = np.where(stays, size, -1.0)  # those of pruned filters go first
            count = max(round(progress * pruned.weights * size.size), int((size < 0).sum()))
            pruned.kept.assign(_without_smallest(size, count))
        self.apply()

    def apply(self) -> None:
        """Set the pruned weights to 0; part of each compiled step."""
        for pruned in self._pruned:
            layer = pruned.layer
            layer.kernel.assign(layer.kernel * pruned.kept)
            if pruned.channels is not None and layer.use_bias:
                layer.bias.assign(layer.bias * pruned.channels)


def _pruned(layer: Any, pruning: Pruning) -> _Pruned | None:
    weights = filters = 0.0
    if isinstance(layer, keras.layers.Dense):
        weights = pruning.dense
    elif isinstance(layer, keras.layers.Conv2D):
        weights, filters = pruning.convolution, pruning.filters
    if not weights and not filters:
        return None
    channels = tf.Variable(tf.ones(layer.filters), trainable=False) if filters else None
    kept = tf.Variable(tf.ones_like(layer.kernel), trainable=False)
    return _Pruned(layer, weights, filters, kept, channels)


def _without_smallest(values: npt.NDArray[Any], count: int) -> npt.NDArray[np.float32]:
    """0 for the `count` smallest of the values, 1 for the others, in their shape."""
    kept = np.ones(values.size, dtype=np.float32)
    kept[np.argsort(values.ravel(), kind="stable")[:count]] = 0.0
    return kept.reshape(values.shape)
