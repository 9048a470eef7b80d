"""Pruning by magnitude: while a network trains, its smallest weights are set to 0 and kept there.

The share that is 0 grows from epoch to epoch, fast at first (Zhu and Gupta, arXiv 1710.01878), so
that the other weights can make up for it.  Hard-wired, a weight of 0 costs no adder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.keras_backend import keras, tf


@dataclass(frozen=True)
class Pruning:
    """Which share of the weights of each layer is 0 in the end.

    Attributes:
        dense, convolution: share of the kernel's weights in layers of this kind, from 0 to below 1.
        until: share of the epochs by whose end that is reached; from there on the masks stay, and
            an epoch can be the best.
    """

    dense: float
    convolution: float
    until: float = 0.5

    def first_settled(self, epochs: int) -> int:
        """Number (from 0) of the first epoch whose weights have all their zeros."""
        return min(int(np.ceil(self.until * epochs)), epochs - 1)

    def progress(self, epoch: int, epochs: int) -> float:
        """Which part of the final share is 0 in an epoch (from 0): 1 from the settled ones on."""
        settled = self.first_settled(epochs)
        return 1.0 if epoch >= settled else 1.0 - (1.0 - (epoch + 1) / (settled + 1)) ** 3


class Masks:
    """The weights that are kept of a network's layers: 1 where kept, 0 where pruned.

    Args:
        layers: with kernels; those that are neither dense nor convolutions are left alone.
    """

    def __init__(self, layers: Sequence[Any], pruning: Pruning) -> None:
        self._pruned = [
            (layer.kernel, tf.Variable(tf.ones_like(layer.kernel), trainable=False), share)
            for layer in layers
            if (share := _share(layer, pruning))
        ]

    def shrink(self, progress: float) -> None:
        """Prune the smallest weights until `progress` of the final share is 0."""
        for kernel, mask, share in self._pruned:
            size = np.abs(kernel.numpy())
            count = round(progress * share * size.size)
            kept = np.ones(size.size, dtype=np.float32)
            kept[np.argsort(size.ravel(), kind="stable")[:count]] = 0.0
            mask.assign(kept.reshape(size.shape))
        self.apply()

    def apply(self) -> None:
        """Set the pruned weights to 0; part of each compiled step."""
        for kernel, mask, _ in self._pruned:
            kernel.assign(kernel * mask)


def _share(layer: Any, pruning: Pruning) -> float:
    if isinstance(layer, keras.layers.Dense):
        return pruning.dense
    return pruning.convolution if isinstance(layer, keras.layers.Conv2D) else 0.0
