"""What Keras gives as the result of each layer, where another tool has rearranged the layers.

HLS converters split activations off, drop or merge layers, add their own (padding, copies), and
move pooling before an activation.  So the Keras layers are applied here along the other's graph.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from models.keras_backend import keras


def layer_values(
    network: keras.Model, images: npt.NDArray, graph: Mapping[str, Sequence[str]]
) -> dict[str, npt.NDArray[np.float32]]:
    """Results of the layers of `graph` for a batch of images, as Keras computes them.

    Args:
        graph: for each layer, in the order of computation, the layers that it reads; the layer
            that reads none is the network's input.  A layer of the same name as in Keras does what
            it does there; one named `<layer>_<anything>` that reads `<layer>` is the activation
            split off it; any other only copies or pads.  Keras layers that `graph` does not have
            are merged in the one before them.

    Returns:
        The results by name; without the layers that Keras does not have.
    """
    layers = {layer.name: layer for layer in network.layers}
    split = {name: _activation_of(name, reads, layers) for name, reads in graph.items()}
    bare = {owner for owner in split.values() if owner}
    results: dict[str, Any] = {}
    known: dict[str, npt.NDArray[np.float32]] = {}
    for name, reads in graph.items():
        inputs = [results[read] for read in reads]
        owner = split[name]
        if not reads:
            result = keras.backend.constant(images)
        elif owner:
            result = layers[owner].activation(inputs[0])
        elif name in layers:
            result = _apply(layers[name], inputs, without_activation=name in bare)
        else:
            results[name] = inputs[0]
            continue
        if name not in bare:
            for merged in _merged_layers(layers.get(owner or name), layers, graph):
                result = merged(result)
        results[name] = result
        known[name] = np.asarray(result)
    return known


def _activation_of(
    name: str, reads: Sequence[str], layers: Mapping[str, keras.layers.Layer]
) -> str | None:
    """The Keras layer whose activation this is, if it was split off one."""
    if name in layers or len(reads) != 1:
        return None
    owner = reads[0]
    has_one = owner in layers and getattr(layers[owner], "activation", None) is not None
    return owner if has_one and name.startswith(f"{owner}_") else None


def _apply(layer: keras.layers.Layer, inputs: list[Any], *, without_activation: bool) -> Any:
    argument = inputs if len(inputs) > 1 else inputs[0]
    if not without_activation:
        return layer(argument)
    activation = layer.activation
    layer.activation = None
    try:
        return layer(argument)
    finally:
        layer.activation = activation


def _merged_layers(
    layer: keras.layers.Layer | None,
    layers: Mapping[str, keras.layers.Layer],
    graph: Mapping[str, Sequence[str]],
) -> list[keras.layers.Layer]:
    """The Keras layers after this one, in a chain, that `graph` does not have."""
    merged: list[keras.layers.Layer] = []
    while layer is not None:
        followers = [node.outbound_layer for node in layer.outbound_nodes]
        followers = [after for after in followers if layers.get(after.name) is after]
        layer = followers[0] if len(followers) == 1 else None
        if layer is None or layer.name in graph:
            break
        merged.append(layer)
    return merged
