"""How a network's numbers are distributed: its weights, and what each layer puts out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.keras_backend import keras
from models.networks.number_formats import weight_parts, weight_quantiser

_BINS = 64
# layers that only move or copy numbers
_MOVERS = ("InputLayer", "Flatten", "Reshape", "Permute", "Cropping2D", "ZeroPadding2D")


@dataclass(frozen=True)
class OutputHistogram:
    """The numbers that a layer puts out.

    Attributes:
        edges: equal bins from the smallest to the largest number, shape (bins + 1,).
        counts: of all numbers but zeros, shape (bins,).
        zeros: how many are exactly zero, as after a ReLU.
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    zeros: int


def layer_outputs(
    network: keras.Model, inputs: npt.NDArray[np.float32]
) -> dict[str, OutputHistogram]:
    """Histogram of what each computing layer gives for one batch of `inputs`, by layer name."""
    layers = [layer for layer in network.layers if type(layer).__name__ not in _MOVERS]
    tapped = keras.Model(network.inputs, [layer.get_output_at(0) for layer in layers])
    results = tapped.predict_on_batch(inputs)
    if len(layers) == 1:
        results = [results]
    return {
        layer.name: _histogram(np.asarray(result, dtype=np.float64).ravel())
        for layer, result in zip(layers, results, strict=True)
    }


def weights_in_use(network: keras.Model) -> dict[str, npt.NDArray[np.float32]]:
    """Weights as the layers compute with them (quantised where they are), by `<layer>/kernel`."""
    found = {}
    for layer in network.layers:
        for part, weight in zip(weight_parts(layer), layer.weights, strict=True):
            quantiser = weight_quantiser(layer, part)
            values = weight if quantiser is None else quantiser(weight)
            found[f"{layer.name}/{part}"] = np.asarray(values, dtype=np.float32)
    return found


def _histogram(values: npt.NDArray[np.float64]) -> OutputHistogram:
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    counts, _ = np.histogram(values[values != 0], bins=edges)
    return OutputHistogram(edges, counts.astype(np.int64), int((values == 0).sum()))
