"""What a network costs: operations, parameters and bits, layer by layer.

Definitions, all for one inference:

FLOPs: `total_float_ops` of TensorFlow's profiler on the frozen graph with a batch of 1, in which a
    multiplication and an addition count one each.  Quantisers are taken out first: in training they
    imitate a number format by floating-point operations that no hardware does.  So is the flooring
    of products, for the same reason: such a layer counts as its plain counterpart.
MACs: products of a weight with an input value; a pixel of zero padding counts as one, as it does
    in hardware with one multiplier for each tap.
BOPs: for each MAC, b_a * b_w + b_a + b_w + log2(f), with b_a and b_w the bits of activation and
    weight and f the number of products in one sum: a product of b_a by b_w bits, and the addition
    to an accumulator that holds f of them (Baskin et al., UNIQ, arXiv 1804.10969, section 5).
    A number in floating point counts as 32 bits.
Weight bits: parameters times their bits.
Signed digits: of the integer codes of all kernels, the fewest powers of two that add up to them
    (models/networks/signed_digits.py).
Adder bits: for each MAC, the signed digits of its weight times the bits of the activation: what
    adders take in where the weights are wired in, before logic is shared.  A bias is one more
    number to add, whatever its digits, and is not counted.
Non-zero weights: those that multiply a value, so no biases, as quantised; of a batch normalisation
    its factors.
"""

import math
import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hw.foundation.errors import InputError
from models.keras_backend import keras, qkeras, tf
from models.networks.floored_layers import FixedPoint, plain_layer
from models.networks.network_files import custom_objects
from models.networks.number_formats import (
    layer_integer_weights,
    quantiser_bits,
    stored_weights,
    weight_quantiser,
)
from models.networks.signed_digits import signed_digits

_FLOAT_BITS = 32
# layers that hand on values as they are, so their output has the bits of their input
_MOVES = (
    "InputLayer", "Flatten", "Reshape", "Permute", "Dropout", "MaxPooling1D", "MaxPooling2D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "UpSampling1D", "UpSampling2D", "ZeroPadding1D",
    "ZeroPadding2D", "Cropping1D", "Cropping2D", "ReLU", "Concatenate", "Maximum", "Minimum",
)  # fmt: skip
_SUMS = ("Add", "Subtract")  # whose output has bits for carries


@dataclass(frozen=True)
class LayerCost:
    """Cost of one layer in one inference; definitions at the head of this module.

    Attributes:
        name: of the layer; `outer/inner` within a network used as a layer.
        kind: Keras class.
        macs: multiply-accumulate operations.
        bops: bit operations, rounded.
        parameters: numbers stored, trained or not.
        weight_bits: bits to store them.
        input_bits: bits of the activations that it reads.
        signed_digits: of its kernel; None where that is not in integers.
        adder_bits: that adders take in; None likewise.
    """

    name: str
    kind: str
    macs: int
    bops: int
    parameters: int
    weight_bits: int
    input_bits: int
    signed_digits: int | None
    adder_bits: int | None


def float_ops(network: keras.Model) -> int:
    """FLOPs of one inference (definition at the head of this module).

    Raises:
        InputError: the network takes inputs of any size.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    _require_fixed_shapes(network)
    plain = _without_quantisers(network)
    inputs = [tf.TensorSpec([1, *tensor.shape[1:]], tensor.dtype) for tensor in plain.inputs]
    call = tf.function(lambda *tensors: plain(list(tensors) if len(tensors) > 1 else tensors[0]))
    graph = convert_variables_to_constants_v2(call.get_concrete_function(*inputs)).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder
    counted = tf.compat.v1.profiler.profile(
        graph=graph,
        run_meta=tf.compat.v1.RunMetadata(),
        cmd="scope",
        options=options(options.float_operation()).with_empty_output().build(),
    )
    return int(counted.total_float_ops)


def layer_costs(network: keras.Model) -> list[LayerCost]:
    """Cost of every layer that has parameters, in the network's order.

    Raises:
        InputError: a layer with parameters of a kind whose operations are not defined here, or a
            network that takes inputs of any size.
    """
    _require_fixed_shapes(network)
    return _costs(network, "", _FLOAT_BITS)


def nonzero_weights(network: keras.Model) -> dict[str, int]:
    """Non-zero weights by layer, of the layers of `layer_costs` and under their names."""
    return _nonzero(network, "")


def _nonzero(network: keras.Model, prefix: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            found |= _nonzero(layer, f"{prefix}{layer.name}/")
        elif layer.weights:
            found[prefix + layer.name] = sum(
                int(np.count_nonzero(_as_quantised(layer, part, weight)))
                for part, weight in stored_weights(layer).items()
                if part.endswith("kernel") or part == "gamma"
            )
    return found


def _as_quantised(layer: keras.layers.Layer, part: str, weight: Any) -> Any:
    quantiser = weight_quantiser(layer, part)
    return np.asarray(weight if quantiser is None else quantiser(weight))


def _require_fixed_shapes(network: keras.Model) -> None:
    for tensor in network.inputs:
        if None in tensor.shape[1:]:
            raise InputError(
                f"the network's input has the shape {tuple(tensor.shape[1:])}: operations can be "
                "counted for a fixed size only"
            )


def _without_quantisers(network: keras.Model) -> keras.Model:
    """The same network in floating point, with new weights."""

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=plain)
        layer = plain_layer(layer)
        config = layer.get_config()
        quantiser = getattr(layer, "quantizer", None) or getattr(layer, "activation", None)
        if quantiser_bits(quantiser) is not None:
            config["activation"] = "relu" if "relu" in str(quantiser) else "linear"
        if isinstance(layer, qkeras.QActivation):
            return keras.layers.Activation(config["activation"], name=layer.name)
        quantisers = {key: None for key in config if key.endswith("_quantizer")}
        return type(layer).from_config(config | quantisers)

    with keras.utils.custom_object_scope(custom_objects()):
        return keras.models.clone_model(network, clone_function=plain)


def _costs(network: keras.Model, prefix: str, input_bits: int) -> list[LayerCost]:
    costs: list[LayerCost] = []
    output_bits: dict[str, int] = {}
    for layer in network.layers:
        bits = max((output_bits[name] for name in _sources(layer, network)), default=input_bits)
        if isinstance(layer, keras.Model):
            costs += _costs(layer, f"{prefix}{layer.name}/", bits)
        elif layer.weights:
            costs.append(_cost(layer, prefix, bits))
        output_bits[layer.name] = _output_bits(layer, bits)
    return costs


def _sources(layer: keras.layers.Layer, network: keras.Model) -> set[str]:
    """Names of the layers of `network` whose outputs `layer` reads."""
    sources = [source for node in layer.inbound_nodes for source in _flat(node.inbound_layers)]
    return {source.name for source in sources} & {member.name for member in network.layers}


def _flat(layers: Any) -> list[keras.layers.Layer]:
    return layers if isinstance(layers, list) else [layers]


def _output_bits(layer: keras.layers.Layer, input_bits: int) -> int:
    if isinstance(layer, keras.Model):
        return _output_bits(layer.layers[-1], _FLOAT_BITS)
    if isinstance(layer, FixedPoint):
        return layer.format.width
    for attribute in ("quantizer", "activation"):
        bits = quantiser_bits(getattr(layer, attribute, None))
        if bits is not None:
            return bits
    if type(layer).__name__ in _SUMS and input_bits < _FLOAT_BITS:
        return input_bits + math.ceil(math.log2(len(_flat(layer.input))))
    return input_bits if type(layer).__name__ in _MOVES else _FLOAT_BITS


def _cost(layer: keras.layers.Layer, prefix: str, input_bits: int) -> LayerCost:
    macs, products_per_sum = _macs(layer)
    stored = stored_weights(layer)
    bits_of = {
        part: quantiser_bits(weight_quantiser(layer, part)) or _FLOAT_BITS for part in stored
    }
    sizes = [int(weight.shape.num_elements()) for weight in stored.values()]
    multiplied = next(iter(bits_of.values()))  # Keras puts the kernel first
    digits = _kernel_digits(layer)
    bops = macs * (input_bits * multiplied + input_bits + multiplied + math.log2(products_per_sum))
    return LayerCost(
        name=prefix + layer.name,
        kind=type(layer).__name__,
        macs=macs,
        bops=round(bops),
        parameters=sum(sizes),
        weight_bits=sum(map(operator.mul, sizes, bits_of.values())),
        input_bits=input_bits,
        signed_digits=digits,
        adder_bits=None if digits is None else macs // sizes[0] * digits * input_bits,
    )


def _kernel_digits(layer: keras.layers.Layer) -> int | None:
    """Signed digits of a layer's kernel; None where its values are no integers times a step."""
    try:
        codes = layer_integer_weights(layer)
    except InputError:
        return None
    kernel = next((part for part in stored_weights(layer) if part.endswith("kernel")), None)
    if kernel not in codes:
        return None
    return int(signed_digits(codes[kernel][1]).sum())


def _macs(layer: keras.layers.Layer) -> tuple[int, int]:
    """MACs of one inference, and the largest number of products in one sum."""
    layers = keras.layers
    outputs, inputs = math.prod(layer.output_shape[1:]), math.prod(layer.input_shape[1:])
    if isinstance(layer, layers.Dense):
        fan_in = layer.input_shape[-1]
        return outputs * fan_in, fan_in
    if isinstance(layer, layers.Conv2DTranspose):
        # each input value is multiplied by every tap; the strides share the taps out to outputs
        taps = math.prod(layer.kernel_size)
        overlap = math.prod(
            -(-kernel // stride)
            for kernel, stride in zip(layer.kernel_size, layer.strides, strict=True)
        )
        channels = inputs // math.prod(_spatial(layer, layer.input_shape))
        return inputs * taps * layer.filters, overlap * channels
    if isinstance(layer, layers.DepthwiseConv2D):
        taps = math.prod(layer.kernel_size)
        return outputs * taps, taps
    if isinstance(layer, layers.Conv1D | layers.Conv2D):
        channels = inputs // math.prod(_spatial(layer, layer.input_shape))
        fan_in = math.prod(layer.kernel_size) * channels // layer.groups
        return outputs * fan_in, fan_in
    if isinstance(layer, layers.BatchNormalization):
        return outputs, 1
    raise InputError(
        f"layer '{layer.name}': the operations of a {type(layer).__name__} layer are not defined"
    )


def _spatial(layer: keras.layers.Layer, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:-1] if layer.data_format == "channels_last" else shape[2:]
