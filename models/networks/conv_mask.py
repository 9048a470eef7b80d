"""Keeping only those pixels of a feature map that hold a trigger cell (maskConvOutput)."""

from collections.abc import Sequence
from typing import Any

from models.keras_backend import keras, tf


class KeptPixels(keras.constraints.Constraint):
    """Holds at zero the weights by which a dense layer reads the other pixels.

    That is the same as removing the pixels before the layer, but needs no layer of its own: HLS
    tools see a plain dense layer, and drop its zero weights.

    Attributes:
        kept: 0 or 1 for each pixel of the feature map, in the order in which it is flattened.
        limit: largest magnitude of a weight (the range of its quantiser), or None.
    """

    def __init__(self, kept: Sequence[int], limit: float | None = None):
        self.kept = [int(pixel) for pixel in kept]
        self.limit = limit

    def __call__(self, kernel: tf.Tensor) -> tf.Tensor:
        channels = kernel.shape[0] // len(self.kept)
        rows = tf.repeat(tf.constant(self.kept, dtype=kernel.dtype), channels)
        kernel = kernel * rows[:, None]
        return kernel if self.limit is None else tf.clip_by_value(kernel, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        return {"kept": self.kept, "limit": self.limit}
