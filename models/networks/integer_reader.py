"""A Keras or QKeras network as a network in integers, or why it is none.

Each layer becomes the few operations of `hw.foundation.integer_network`; a layer, or a setting of
one, without an exact form in integers is refused by name with a remedy.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.fixed_point import FixedFormat
from hw.foundation.integer_network import (
    Constants,
    IntegerNetwork,
    NetworkBuilder,
    NoFixedPoint,
    Padding,
    Refused,
    Shape,
    narrowest,
)
from models.keras_backend import keras, tf
from models.networks.number_formats import (
    first_format,
    stored_weights,
    weight_quantiser,
)
from models.networks.quantiser_reader import (
    FACTOR_DIGITS,
    Place,
    Value,
    activate,
    cast,
    constant,
    divided,
    relu,
    rounded_constants,
    weights,
)

_IDENTITIES = (
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout",
    "AlphaDropout", "ActivityRegularization",
)  # fmt: skip
_MOVES = (
    "Flatten", "Reshape", "Permute", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D",
    "UpSampling1D", "UpSampling2D", "Concatenate", *_IDENTITIES,
)  # fmt: skip
_NO_PADDING: Padding = ((0, 0), (0, 0))
_SAME = keras.layers.Dropout(0.0)  # what hands on a nested network's outputs
_OFFSET_DIGITS = 30  # that logic can add
_RESERVED = {"input", "output", "inputs", "outputs"}


def read_network(network: keras.Model) -> IntegerNetwork:
    """The network in integers.

    Several outputs become one, each flat, one after the other.

    Raises:
        NoFixedPoint: its input or weights are in floating point.
        Refused: a layer, or a setting of one, without an exact form; names it and a remedy.
    """
    reader = _Reader(network)
    return reader.read()


@dataclass(frozen=True)
class _Call:
    """One use of a layer.

    Attributes:
        layer: Keras's.
        name: of the layer; `outer_inner` within a network that is used as a layer.
        inputs, outputs: tensors, by Keras's identity of them.
    """

    layer: Any
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class _Window:
    """A window that slides over an image."""

    size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: Padding = _NO_PADDING


@dataclass
class _Reader:
    network: keras.Model
    build: NetworkBuilder = field(default_factory=NetworkBuilder)
    taken: set[str] = field(default_factory=lambda: set(_RESERVED))

    def read(self) -> IntegerNetwork:
        calls = list(_calls(self.network))
        for call in calls:
            _require_known(call)
        _require_quantised_weights(calls)
        values: dict[str, Value] = {}
        for tensor, layer in zip(self.network.inputs, self.network._input_layers, strict=True):
            shape = tuple(tensor.shape[1:])
            if None in shape or not shape:
                raise Refused(
                    f"the network's input '{layer.name}' has the shape {shape}; hardware is made "
                    "for a fixed one: build the network with it"
                )
            self.build.layer = layer.name
            number = _input_format(str(id(tensor)), layer.name, calls)
            name = self.build.input(self.unique(layer.name), shape, number)
            values[str(id(tensor))] = Value(name, shape, raw=True)
        for call in calls:
            place = Place(call.name, self.build, self.unique)
            self.build.layer = call.name
            read = [values[tensor] for tensor in call.inputs]
            values[call.outputs[0]] = _read(place, call.layer, read)
        outputs = [values[str(id(tensor))] for tensor in self.network.outputs]
        last = Place(outputs_of(self.network)[-1], self.build, self.unique)
        names = [last.exact(value, " that could be the network's output") for value in outputs]
        return self.build.network(self._joined(last, names))

    def _joined(self, place: Place, names: list[str]) -> str:
        if len(names) == 1:
            return names[0]
        flat = [_flat(place, name) for name in names]
        return _chained(place, flat, lambda pair: ("concatenate", (pair, 0)), "outputs")

    def unique(self, wanted: str) -> str:
        """A name of letters, digits and _ that no operation has, not even in other case."""
        name = re.sub(r"\W+", "_", wanted, flags=re.ASCII) or "layer"
        name = f"layer_{name}" if not name[0].isalpha() else name
        found, count = name, 1
        while found.lower() in self.taken:
            count += 1
            found = f"{name}_{count}"
        self.taken.add(found.lower())
        return found


def outputs_of(network: keras.Model) -> list[str]:
    """Names of the layers that give the network's outputs."""
    return [layer.name for layer in network._output_layers]


# --- the graph -----------------------------------------------------------------------------------
def _calls(network: keras.Model, prefix: str = "") -> Iterator[_Call]:
    """All uses of layers in an order of computation, those of nested networks in their place."""
    for call in _own_calls(network, prefix):
        if not isinstance(call.layer, keras.Model):
            yield call
            continue
        inner = call.layer
        entry = dict(zip((str(id(t)) for t in inner.inputs), call.inputs, strict=True))
        mark = f"{call.outputs[0]}/"  # a network may be used twice: its tensors are then others
        for nested in _calls(inner, f"{call.name}_"):
            yield replace(
                nested,
                inputs=tuple(entry.get(t, mark + t) for t in nested.inputs),
                outputs=tuple(mark + t for t in nested.outputs),
            )
        for outer, given in zip(call.outputs, inner.outputs, strict=True):
            source = entry.get(str(id(given)), mark + str(id(given)))
            yield _Call(_SAME, call.name, (source,), (outer,))


def _own_calls(network: keras.Model, prefix: str) -> Iterator[_Call]:
    nodes = getattr(network, "_nodes_by_depth", None)
    if not nodes or not network.inputs:
        raise Refused(
            f"network '{network.name}' has no fixed input shape; build it with keras.Input, or "
            "give its first layer input_shape"
        )
    for depth in sorted(nodes, reverse=True):
        for node in nodes[depth]:
            layer = node.layer
            if isinstance(layer, keras.layers.InputLayer):
                continue
            name = prefix + layer.name
            yield _Call(layer, name, tuple(node.flat_input_ids), tuple(node.flat_output_ids))


def _input_format(tensor: str, name: str, calls: Sequence[_Call]) -> FixedFormat:
    """Format of the quantisers that an input meets first, behind layers that only move it."""
    moved, found = {tensor}, {}
    for call in calls:
        if not moved & set(call.inputs):
            continue
        if type(call.layer).__name__ in _MOVES:
            moved |= set(call.outputs)
            continue
        number = first_format(call.layer)
        if number is None:
            raise NoFixedPoint(
                f"the network is in floating point: layer '{call.name}' reads its input '{name}' "
                "as it is (its input is not quantised); put a QActivation such as "
                "quantized_bits(8,1,alpha=1) right behind the input"
            )
        found[call.name] = number
    if not found:
        raise Refused(f"the network's input '{name}' is not used; take it away")
    formats = set(found.values())
    if len(formats) > 1:
        told = ", ".join(f"'{layer}' {number}" for layer, number in found.items())
        raise Refused(
            f"the network's input '{name}' is quantised in different ways ({told}); give it one "
            "QActivation, and what follows that others"
        )
    return formats.pop()


def _require_known(call: _Call) -> None:
    kind = type(call.layer).__name__
    if kind not in _READERS:
        remedy = _REMEDIES.get(kind, f"use layers of the kinds {', '.join(READABLE)}")
        raise Refused(f"layer '{call.name}' is a {kind}, which has no form in integers; {remedy}")
    if getattr(call.layer, "data_format", None) == "channels_first":
        raise Refused(
            f"layer '{call.name}' has data_format='channels_first', which is not read; train with "
            "channels last"
        )


def _require_quantised_weights(calls: Sequence[_Call]) -> None:
    floating = [
        f"{part} of layer '{call.name}'"
        for call in calls
        if type(call.layer).__name__ in _WEIGHTED
        for part in stored_weights(call.layer)
        if weight_quantiser(call.layer, part) is None
    ]
    if floating:
        raise NoFixedPoint(
            f"the network is in floating point ({', '.join(dict.fromkeys(floating))}), so nothing "
            "in fixed point can equal it bit for bit; give these layers quantisers (QKeras: "
            "QDense, QConv2D, ...), or of the zoo take a quantised model, or train with --quantize"
        )


# --- layers --------------------------------------------------------------------------------------
def _read(place: Place, layer: Any, values: list[Value]) -> Value:
    kind = type(layer).__name__
    if kind in _MERGES or kind == "Concatenate":
        return _READERS[kind](place, layer, values)
    if len(values) != 1:
        raise place.refuse(f"a {kind} with {len(values)} inputs is not read", "give it one")
    return _READERS[kind](place, layer, values[0])


def _with_activation(place: Place, layer: Any, value: Value) -> Value:
    function = getattr(layer, "activation", None)
    kind = getattr(function, "__name__", type(function).__name__)
    return activate(place, value, function, kind)


def _weights(place: Place, layer: Any, part: str) -> Constants:
    return weights(place, part, weight_quantiser(layer, part), stored_weights(layer)[part])


def _bias(place: Place, layer: Any, outputs: int) -> Constants:
    if "bias" in stored_weights(layer):
        return _weights(place, layer, "bias")
    return narrowest(np.zeros(outputs))


def _dense(place: Place, layer: Any, value: Value) -> Value:
    source = place.exact(value)
    kernel = _weights(place, layer, "kernel")
    bias = _bias(place, layer, kernel.codes.shape[-1])
    fraction = getattr(layer, "product_fraction", None)
    build = place.build
    if len(value.shape) == 1:
        name = build.dense(place.name(), source, kernel, bias, product_fraction=fraction)
        return _with_activation(place, layer, Value(name, kernel.codes.shape[-1:]))
    # of the last axis alone: a convolution of one pixel
    image = (1, math.prod(value.shape[:-1]), value.shape[-1])
    pixel = Constants(kernel.codes[None, None], kernel.number)
    shaped = _reshaped(place, source, image, "pixels")
    name = build.convolution(place.name(), shaped, pixel, bias, product_fraction=fraction)
    shape = (*value.shape[:-1], kernel.codes.shape[-1])
    return _with_activation(place, layer, Value(_reshaped(place, name, shape, "reshaped"), shape))


def _convolution(place: Place, layer: Any, value: Value) -> Value:
    kernel = _weights(place, layer, "kernel")
    codes = kernel.codes
    groups = int(getattr(layer, "groups", 1))
    if groups > 1:
        codes = _grouped(codes, groups)
    bias = _bias(place, layer, codes.shape[-1])
    value = _window_sums(place, layer, value, (Constants(codes, kernel.number), bias))
    return _with_activation(place, layer, value)


def _depthwise(place: Place, layer: Any, value: Value) -> Value:
    kernel = _weights(place, layer, "depthwise_kernel")
    codes = _each_channel_alone(kernel.codes)
    bias = _bias(place, layer, codes.shape[-1])
    value = _window_sums(place, layer, value, (Constants(codes, kernel.number), bias))
    return _with_activation(place, layer, value)


def _separable(place: Place, layer: Any, value: Value) -> Value:
    depthwise = _weights(place, layer, "depthwise_kernel")
    pointwise = _weights(place, layer, "pointwise_kernel")
    codes = _each_channel_alone(depthwise.codes)
    kernel = Constants(codes, depthwise.number)
    nothing = narrowest(np.zeros(codes.shape[-1]))
    value = _window_sums(place, layer, value, (kernel, nothing), suffix="depthwise")
    bias = _bias(place, layer, pointwise.codes.shape[-1])
    image = _image(place, value)
    flat = Constants(pointwise.codes.reshape(1, 1, *pointwise.codes.shape[-2:]), pointwise.number)
    name = place.build.convolution(place.name(), image, flat, bias)
    shape = (*value.shape[:-1], pointwise.codes.shape[-1])
    value = Value(_reshaped(place, name, shape, "reshaped"), shape)
    return _with_activation(place, layer, value)


def _window_sums(
    place: Place,
    layer: Any,
    value: Value,
    constants: tuple[Constants, Constants],
    *,
    suffix: str = "",
) -> Value:
    """A convolution along one or two axes, as `layer` slides its window."""
    kernel, bias = constants
    place.exact(value)
    dilation = _pair(layer.dilation_rate)
    codes = kernel.codes if kernel.codes.ndim == 4 else kernel.codes[None]
    codes = _dilated(codes, dilation)
    image = _image(place, value)
    rows, columns, _ = place.build.operation(image).shape
    strides = _pair(layer.strides)
    padding = _padding(place, layer.padding, (rows, columns), codes.shape[:2], strides)
    name = place.build.convolution(
        place.name(suffix),
        image,
        Constants(codes, kernel.number),
        bias,
        strides=strides,
        padding=padding,
        product_fraction=getattr(layer, "product_fraction", None),
    )
    shape = place.build.operation(name).shape
    if len(value.shape) == 2:
        shape = shape[1:]
        name = _reshaped(place, name, shape, "reshaped")
    return Value(name, shape)


def _grouped(codes: npt.NDArray[np.int64], groups: int) -> npt.NDArray[np.int64]:
    """A kernel whose groups of filters read their groups of channels as one that reads all, with
    zeros."""
    *size, channels, filters = codes.shape
    each = filters // groups
    whole = np.zeros((*size, channels * groups, filters), np.int64)
    for group in range(groups):
        of_filters = slice(group * each, (group + 1) * each)
        whole[..., group * channels : (group + 1) * channels, of_filters] = codes[..., of_filters]
    return whole


def _each_channel_alone(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A depthwise kernel (..., channels, multiplier) as one of a convolution, with zeros."""
    *size, channels, multiplier = codes.shape
    whole = np.zeros((*size, channels, channels, multiplier), np.int64)
    index = np.arange(channels)
    whole[..., index, index, :] = codes
    return whole.reshape(*size, channels, channels * multiplier)


def _dilated(codes: npt.NDArray[np.int64], rate: tuple[int, int]) -> npt.NDArray[np.int64]:
    """A kernel with zeros between its taps."""
    rows, columns = ((n - 1) * r + 1 for n, r in zip(codes.shape[:2], rate, strict=True))
    whole = np.zeros((rows, columns, *codes.shape[2:]), np.int64)
    whole[:: rate[0], :: rate[1]] = codes
    return whole


def _padding(
    place: Place,
    mode: str,
    image: tuple[int, int],
    window: tuple[int, ...],
    strides: tuple[int, int],
) -> Padding:
    match mode.lower():
        case "valid":
            return _NO_PADDING
        case "same":
            sides = []
            for extent, size, stride in zip(image, window, strides, strict=True):
                added = max((math.ceil(extent / stride) - 1) * stride + size - extent, 0)
                sides.append((added // 2, added - added // 2))
            return sides[0], sides[1]
        case "causal":
            return (0, 0), (window[1] - 1, 0)
    raise place.refuse(f"padding '{mode}' is not read", "use 'valid' or 'same'")


def _pair(setting: Any) -> tuple[int, int]:
    """Rows and columns of a setting of one or two axes."""
    numbers = [int(n) for n in np.atleast_1d(setting)]
    return (1, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


# --- pooling -------------------------------------------------------------------------------------
def _max_pooling(place: Place, layer: Any, value: Value) -> Value:
    return _pooled(place, value, _window_of(place, layer, value), largest=True)


def _average_pooling(place: Place, layer: Any, value: Value) -> Value:
    window = _window_of(place, layer, value)
    if getattr(layer, "average_quantizer", None):
        value = _quantised_average(place, layer, value, window)
    else:
        value = _pooled(place, value, window, largest=False)
    return _with_activation(place, layer, value)


def _global_pooling(place: Place, layer: Any, value: Value) -> Value:
    window = _Window(_extent(value))
    if getattr(layer, "average_quantizer", None):
        pooled = _quantised_average(place, layer, value, window)
    else:
        pooled = _pooled(place, value, window, largest="Max" in type(layer).__name__)
    if not getattr(layer, "keepdims", False):
        shape = value.shape[-1:]
        name = _reshaped(place, pooled.name, shape, "reshaped")
        pooled = replace(pooled, name=name, shape=shape)
    return _with_activation(place, layer, pooled)


def _window_of(place: Place, layer: Any, value: Value) -> _Window:
    size, strides = _pair(layer.pool_size), _pair(layer.strides)
    padding = _padding(place, layer.padding, _extent(value), size, strides)
    return _Window(size, strides, padding)


def _extent(value: Value) -> tuple[int, int]:
    """Rows and columns."""
    return (1, value.shape[0]) if len(value.shape) == 2 else (value.shape[0], value.shape[1])


def _pooled(place: Place, value: Value, window: _Window, *, largest: bool) -> Value:
    build = place.build
    if largest and value.divisor is not None and value.divisor.ndim == 0:
        found = _pooled(place, replace(value, divisor=None), window, largest=True)
        return replace(found, divisor=value.divisor)
    place.exact(value)
    image = _image(place, value)
    if largest:
        name = build.max_pool(
            place.name(), image, window.size, strides=window.strides, padding=window.padding
        )
        return _back(place, value, name)
    sums = _sums_of_windows(place, image, window, constant(1))
    rows, columns, _ = build.operation(image).shape
    ones = np.pad(np.ones((rows, columns), np.int64), window.padding)
    seen = np.lib.stride_tricks.sliding_window_view(ones, window.size)
    counts = seen[:: window.strides[0], :: window.strides[1]].sum(axis=(2, 3))
    return _back(place, value, *_divided_sums(place, sums, counts))


def _divided_sums(
    place: Place, sums: str, counts: npt.NDArray[np.int64]
) -> tuple[str, npt.NDArray[np.int64] | None]:
    """Sums of `counts` (rows, columns) numbers each: powers of two are divided by at once."""
    build = place.build
    shape = build.operation(sums).shape
    each = np.broadcast_to(counts[..., None], shape)
    powers = each & -each
    if (counts == counts.flat[0]).all():
        factor: Constants = constant(1 / float(powers.flat[0]))
        divisor = np.asarray(each.flat[0] // powers.flat[0])
    else:
        factor = narrowest(1 / powers.astype(np.float64))
        divisor = each // powers
    name = sums
    if (powers != 1).any():
        name = build.scale(place.name(), sums, factor, constant(0))
    return name, None if (divisor == 1).all() else divisor


def _quantised_average(place: Place, layer: Any, value: Value, window: _Window) -> Value:
    """QKeras's: the sum times the quantised reciprocal of the window's size."""
    if window.padding != _NO_PADDING:
        raise place.refuse(
            "its average_quantizer divides windows at the border otherwise than those inside",
            "use padding='valid'",
        )
    place.exact(value)
    reciprocal = tf.constant([np.float32(1.0 / math.prod(window.size))])
    factor = weights(place, "average", layer.average_quantizer_internal, reciprocal)
    return _back(
        place, value, _sums_of_windows(place, _image(place, value), window, factor, last=True)
    )


def _sums_of_windows(
    place: Place, image: str, window: _Window, factor: Constants, *, last: bool = False
) -> str:
    """Sums of each channel, times a factor."""
    channels = place.build.operation(image).shape[-1]
    codes = np.broadcast_to(factor.codes.reshape(()), (*window.size, channels, 1))
    return place.build.convolution(
        place.name("" if last else "sums"),
        image,
        Constants(_each_channel_alone(codes), factor.number),
        narrowest(np.zeros(channels)),
        strides=window.strides,
        padding=window.padding,
    )


def _back(
    place: Place, value: Value, name: str, divisor: npt.NDArray[np.int64] | None = None
) -> Value:
    """A pooled image in as many axes as `value` has."""
    shape = place.build.operation(name).shape
    if len(value.shape) == 2:
        shape = shape[1:]
        name = _reshaped(place, name, shape, "reshaped")
        if divisor is not None and divisor.ndim:
            divisor = divisor.reshape(shape)
    return Value(name, shape, divisor)


# --- normalisation and activations ----------------------------------------------------------------
def _normalisation(place: Place, layer: Any, value: Value) -> Value:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta: a factor and an offset a channel."""
    axis = [int(a) for a in np.atleast_1d(layer.axis)]
    if axis != [len(value.shape)] and axis != [-1]:
        raise place.refuse(f"normalises axis {axis}", "normalise the last one, the channels")
    gamma, beta, mean, variance = (
        _normaliser(layer, part) for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    channels = value.shape[-1]
    root = np.sqrt((np.ones(channels) if variance is None else variance) + layer.epsilon)
    factor = rounded_constants((np.ones(channels) if gamma is None else gamma) / root)
    # of the rounded factor: a number equal to the mean gives beta, which may be half way to a code
    offset = -factor.values * (np.zeros(channels) if mean is None else mean)
    if beta is not None:
        offset = offset + beta
    name = place.build.scale(place.name(), place.exact(value), factor, _offset(offset))
    return Value(name, value.shape)


def _offset(values: npt.NDArray[np.float64]) -> Constants:
    """Offsets as they are where they are short, as of a quantised mean and beta; else rounded."""
    rounded, longer = (rounded_constants(values, n).values for n in (FACTOR_DIGITS, _OFFSET_DIGITS))
    return narrowest(np.where(longer == values, longer, rounded))


def _normaliser(layer: Any, part: str) -> npt.NDArray[np.float64] | None:
    stored = getattr(layer, part, None)
    if stored is None:
        return None
    quantiser = getattr(layer, f"{part.removeprefix('moving_')}_quantizer_internal", None)
    used = stored if quantiser is None else quantiser(stored)
    return np.asarray(used, dtype=np.float64)


def _activation(place: Place, layer: Any, value: Value) -> Value:
    function = getattr(layer, "quantizer", None)
    return activate(place, value, function if function is not None else layer.activation)


def _relu(place: Place, layer: Any, value: Value) -> Value:
    if float(layer.threshold):
        raise place.refuse(f"has threshold={float(layer.threshold):g}", "take threshold=0")
    if value.raw:
        place.exact(value)
    most = None if layer.max_value is None else float(layer.max_value)
    return relu(place, value, slope=float(layer.negative_slope), most=most)


def _leaky_relu(place: Place, layer: Any, value: Value) -> Value:
    if value.raw:
        place.exact(value)
    return relu(place, value, slope=float(layer.alpha))


def _fixed_point(place: Place, layer: Any, value: Value) -> Value:
    if value.raw:
        return replace(value, raw=False)
    is_relu = not layer.format.signed and layer.format.overflow == "SAT"
    return cast(place, value, layer.format, "", relu=is_relu)


def _identity(place: Place, layer: Any, value: Value) -> Value:
    return value


# --- moves ---------------------------------------------------------------------------------------
def _flatten(place: Place, layer: Any, value: Value) -> Value:
    return _moved(place, value, (math.prod(value.shape),))


def _reshape(place: Place, layer: Any, value: Value) -> Value:
    return _moved(
        place, value, tuple(np.empty(value.shape, bool).reshape(layer.target_shape).shape)
    )


def _moved(place: Place, value: Value, shape: Shape) -> Value:
    divisor = value.divisor
    if divisor is not None and divisor.ndim:
        divisor = divisor.reshape(shape)
    return replace(value, name=_reshaped(place, value.name, shape), shape=shape, divisor=divisor)


def _permute(place: Place, layer: Any, value: Value) -> Value:
    axes = tuple(int(axis) - 1 for axis in layer.dims)
    divisor = value.divisor
    if divisor is not None and divisor.ndim:
        divisor = divisor.transpose(axes)
    if axes == tuple(range(len(axes))):
        return value
    name = place.build.transpose(place.name(), value.name, axes)
    shape = tuple(value.shape[axis] for axis in axes)
    return replace(value, name=name, shape=shape, divisor=divisor)


def _zero_padding(place: Place, layer: Any, value: Value) -> Value:
    if value.divisor is not None and value.divisor.ndim:
        place.exact(value)
    sides = np.asarray(layer.padding).reshape(-1, 2)
    padding = _sides(sides)
    name = place.build.pad(place.name(), _image(place, value), padding)
    return _moved_image(place, value, name)


def _cropping(place: Place, layer: Any, value: Value) -> Value:
    """A window of one pixel that the image is shifted under."""
    if value.divisor is not None and value.divisor.ndim:
        place.exact(value)
    (top, bottom), (left, right) = _sides(np.asarray(layer.cropping).reshape(-1, 2))
    channels = value.shape[-1]
    codes = np.zeros((top + bottom + 1, left + right + 1, channels, 1), np.int64)
    codes[top, left] = 1
    kernel = Constants(_each_channel_alone(codes), FixedFormat(1, 1, False))
    nothing = narrowest(np.zeros(channels))
    name = place.build.convolution(place.name(), _image(place, value), kernel, nothing)
    return _moved_image(place, value, name)


def _sides(sides: npt.NDArray[np.int64]) -> Padding:
    pairs = [(int(a), int(b)) for a, b in sides]
    return ((0, 0), pairs[0]) if len(pairs) == 1 else (pairs[0], pairs[1])


def _moved_image(place: Place, value: Value, name: str) -> Value:
    shape = place.build.operation(name).shape
    if len(value.shape) == 2:
        shape = shape[1:]
        name = _reshaped(place, name, shape, "reshaped")
    return replace(value, name=name, shape=shape)


def _up_sampling(place: Place, layer: Any, value: Value) -> Value:
    """Each pixel repeated: beside itself along each axis."""
    if getattr(layer, "interpolation", "nearest") != "nearest":
        raise place.refuse(f"interpolates ({layer.interpolation})", "use interpolation='nearest'")
    if value.divisor is not None and value.divisor.ndim:
        place.exact(value)
    rows, columns = _pair(layer.size)
    image = _image(place, value)
    height, width, channels = place.build.operation(image).shape
    for times, shape in (
        (rows, (height, 1, width * channels)),
        (columns, (height * rows * width, 1, channels)),
    ):
        if times > 1:
            line = _reshaped(place, image, shape, "lines")
            chain = [line] * times
            image = _chained(place, chain, lambda pair: ("concatenate", (pair, 1)), "repeated")
    shape = (height * rows, width * columns, channels)
    return _moved_image(place, value, _reshaped(place, image, shape, "image"))


def _image(place: Place, value: Value) -> str:
    """The operation of a value as an image; one of two axes is an image of one row."""
    if len(value.shape) == 3:
        return value.name
    if len(value.shape) == 2:
        return _reshaped(place, value.name, (1, *value.shape), "row")
    raise place.refuse(
        f"reads a tensor of shape {value.shape}", "give it (length, channels) or an image"
    )


def _reshaped(place: Place, name: str, shape: Shape, suffix: str = "") -> str:
    if place.build.operation(name).shape == tuple(shape):
        return name
    return place.build.reshape(place.name(suffix), name, tuple(shape))


def _flat(place: Place, name: str) -> str:
    size = math.prod(place.build.operation(name).shape)
    return _reshaped(place, name, (size,), "flat")


# --- merges --------------------------------------------------------------------------------------
def _merge(place: Place, layer: Any, values: list[Value]) -> Value:
    kind = type(layer).__name__
    function = _MERGES[kind]
    shapes = {value.shape for value in values}
    if len(shapes) > 1:
        raise place.refuse(
            f"a {kind} of different shapes ({', '.join(map(str, sorted(shapes)))}) is not read",
            "bring them to one shape",
        )
    names = [place.exact(value) for value in values]
    name = _chained(place, names, lambda pair: ("merge", (pair, function)), "")
    found = Value(name, values[0].shape)
    if kind != "Average":
        return found
    count = len(values)
    power = count & -count
    if power > 1:
        name = place.build.scale(place.name("half"), name, constant(1 / power), constant(0))
    return divided(Value(name, found.shape), count // power)


def _concatenate(place: Place, layer: Any, values: list[Value]) -> Value:
    raw = {value.raw for value in values}
    if raw == {True, False}:
        for value in values:
            place.exact(value)
    if raw == {True}:
        numbers = {place.build.operation(value.name).number for value in values}
        if len(numbers) > 1:
            for value in values:
                place.exact(value)
    names = [value.name if value.raw else place.exact(value) for value in values]
    axis = int(layer.axis)
    axis = axis - 1 if axis > 0 else axis + len(values[0].shape)
    name = _chained(place, names, lambda pair: ("concatenate", (pair, axis)), "")
    return Value(name, place.build.operation(name).shape, raw=raw == {True})


def _chained(
    place: Place,
    names: list[str],
    step: Callable[[tuple[str, str]], tuple[str, tuple[Any, ...]]],
    suffix: str,
) -> str:
    """Many joined two by two; the last has the layer's own name."""
    found = names[0]
    for index, other in enumerate(names[1:]):
        method, arguments = step((found, other))
        last = index == len(names) - 2
        part = suffix if last else f"{suffix}_part" if suffix else "part"
        found = getattr(place.build, method)(place.name(part), *arguments)
    return found


_MERGES = {
    "Add": "add",
    "Subtract": "subtract",
    "Multiply": "multiply",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Average": "add",
}
_WEIGHTED: dict[str, Callable[[Place, Any, Value], Value]] = {
    "Dense": _dense,
    "QDense": _dense,
    "FlooredDense": _dense,
    "Conv1D": _convolution,
    "QConv1D": _convolution,
    "Conv2D": _convolution,
    "QConv2D": _convolution,
    "FlooredConv2D": _convolution,
    "QConv2DBatchnorm": _convolution,
    "DepthwiseConv2D": _depthwise,
    "QDepthwiseConv2D": _depthwise,
    "QDepthwiseConv2DBatchnorm": _depthwise,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "QSeparableConv1D": _separable,
    "QSeparableConv2D": _separable,
}
_READERS: dict[str, Callable[..., Value]] = {
    **_WEIGHTED,
    "BatchNormalization": _normalisation,
    "QBatchNormalization": _normalisation,
    "Activation": _activation,
    "QActivation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "FixedPoint": _fixed_point,
    "MaxPooling1D": _max_pooling,
    "MaxPooling2D": _max_pooling,
    "AveragePooling1D": _average_pooling,
    "AveragePooling2D": _average_pooling,
    "QAveragePooling2D": _average_pooling,
    "GlobalMaxPooling1D": _global_pooling,
    "GlobalMaxPooling2D": _global_pooling,
    "GlobalAveragePooling1D": _global_pooling,
    "GlobalAveragePooling2D": _global_pooling,
    "QGlobalAveragePooling2D": _global_pooling,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
    "Cropping1D": _cropping,
    "Cropping2D": _cropping,
    "UpSampling1D": _up_sampling,
    "UpSampling2D": _up_sampling,
    "Concatenate": _concatenate,
    **dict.fromkeys(_MERGES, _merge),
    **dict.fromkeys(_IDENTITIES, _identity),
}
READABLE = tuple(sorted(_READERS))
"""Kinds of layers that are read."""

_REMEDIES = {
    "Softmax": "take it off: the order of the outputs stays",
    "QAdaptiveActivation": "put a QActivation with the range that it found in its place",
}
