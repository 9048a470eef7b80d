"""hls4ml's model graph as combinational logic: adders, shifts and multiplexers, no multipliers.

Every layer is taken with the number formats that hls4ml settled, and computes what hls4ml's C++
computes: each product is stored in the accumulator's format, the sum is cast to the result's, with
their rounding and overflow modes.  The logic is alkaid's, which shares and balances the adders.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat, parse_format

Values = npt.NDArray[np.float64]
Variables = npt.NDArray[np.object_]
"""alkaid's variables: FVariable in an ndarray of the shape that the network gives them."""

_DEVICE = (1, 1, -1)  # cost and delay of an adder in alkaid's units: look-up tables, ns
_CONSTANT_BITS = 22  # alkaid handles them in single precision
_WRAP = 3  # opcode of alkaid's quantisers
_SUMS = {"binary_lut": False}  # its tables of one-bit inputs do not take signed ones


class NoLogic(InputError):
    """No logic can be made of a layer, or of a number format of it."""


@dataclass(frozen=True)
class Wiring:
    """How the elements of the design's input port become the network's input.

    Attributes:
        count: elements of the port.
        element: the port's element shown at each number of the network's input, flat; -1 for zero.
        largest: elements are from 0 to this value; None for the whole range of their format.
    """

    count: int
    element: npt.NDArray[np.int64]
    largest: float | None = None

    def largest_value(self, number: FixedFormat) -> float:
        """The largest value of an element, where the network's input has the format `number`."""
        if self.largest is None:
            return number.max_value
        return float(number.with_modes(number.rounding, "SAT").quantise(self.largest))

    def port_format(self, number: FixedFormat) -> FixedFormat:
        """The narrowest format of the port for a network's input of format `number`."""
        if self.largest is None:
            return number
        largest = self.largest_value(number)
        whole = max(math.floor(math.log2(largest)) + 1, 1 - number.fraction) if largest else 1
        return FixedFormat(whole + number.fraction, whole, False)


def straight_wiring(size: int) -> Wiring:
    """The port is the network's input as it is."""
    return Wiring(size, np.arange(size))


@dataclass(frozen=True)
class NetworkLogic:
    """A network as combinational logic.

    Attributes:
        logic: alkaid's CombLogic; its inputs and outputs are those of the ports, in order.
        network_input: format of the network's input.
        input, output: formats of one element of each port.
        inputs, outputs: how many there are.
    """

    logic: Any
    network_input: FixedFormat
    input: FixedFormat
    output: FixedFormat
    inputs: int
    outputs: int


def network_logic(graph: Any, wiring: Wiring) -> NetworkLogic:
    """The logic of an hls4ml ModelGraph with one input and one output.

    Args:
        wiring: from the port's elements to the network's input.

    Raises:
        NoLogic: a layer, or a number format of one, that cannot be built; names it.
    """
    from alkaid.trace import FVArray

    layers = list(graph.get_layers())
    values: dict[str, Variables] = {}
    first = layers[0]
    number, shape = _result(first), _shape(first)
    port_format = wiring.port_format(number)
    low, high, step = (
        np.full(wiring.count, value)
        for value in (port_format.min_value, wiring.largest_value(number), number.step)
    )
    port = FVArray.from_lhs(low, high, step, hwconf=_DEVICE)
    network_input = _with_zero(np.asarray(port))[wiring.element]
    for layer in layers:
        if layer is first:
            found = _cast(network_input.reshape(shape), number)
        else:
            build = _BUILDERS.get(layer.class_name)
            if build is None or len(layer.inputs) != 1:
                raise NoLogic(
                    f"layer '{layer.name}' is a {layer.class_name}, of which no logic can "
                    f"be made; it can of layers with one input of the kinds {', '.join(_BUILDERS)}"
                )
            found = build(layer, values[layer.inputs[0]]).reshape(_shape(layer))
        values |= dict.fromkeys(layer.outputs, found)
    outputs = values[layers[-1].outputs[0]].ravel()
    return NetworkLogic(
        _traced(port, outputs), number, port_format, _result(layers[-1]), wiring.count, len(outputs)
    )


def _traced(port: Any, outputs: Variables) -> Any:
    """The CombLogic between these variables.

    A pass of alkaid 0.8.2 takes for the highest bit of a number any one bit that is given the
    highest bit's weight, a lower bit shifted up too: it is kept to the bits of which that is true.
    """
    from alkaid.trace import trace
    from alkaid.trace.passes import canon

    with mock.patch.object(canon, "canonicalize_msb_wraps", _signs_unshifted):
        return trace(port, outputs, keep_dead_inputs=True)


def _signs_unshifted(logic: Any) -> Any:
    """Single bits from above a signed number are its sign: the same bit whatever the shift down."""
    ops = list(logic.ops)
    for i, op in enumerate(ops):
        if op.opcode != _WRAP or op.data[0] >= 0 or op.qint.min != 0:
            continue
        source = ops[op.addr[0]].qint
        if source.min < 0 and op.qint.max == op.qint.step == 2.0**source.kif.integers:
            ops[i] = op._replace(data=(0,))
    return logic._replace(ops=ops)


# --- layers --------------------------------------------------------------------------------------
def _dense(layer: Any, x: Variables) -> Variables:
    weights = _constants(layer, "weight")
    if layer.get_attr("_weights_transposed", False):
        weights = weights.T
    return _sums(layer, x.ravel(), weights)


def _convolution(layer: Any, x: Variables) -> Variables:
    size = tuple(int(layer.get_attr(f"filt_{axis}")) for axis in ("height", "width"))
    filters = int(layer.get_attr("n_filt"))
    weights = _constants(layer, "weight")
    if layer.get_attr("_weights_transposed", False):
        weights = np.moveaxis(weights.reshape(filters, *size, -1), 0, -1)
    weights = weights.reshape(-1, filters)
    return np.stack(
        [
            np.stack([_sums(layer, window.ravel(), weights) for window in row])
            for row in _windows(layer, x, size, _constant(0.0))
        ]
    )


def _max_pooling(layer: Any, x: Variables) -> Variables:
    if layer.get_attr("pool_op") != "Max":
        raise NoLogic(
            f"layer '{layer.name}' pools by {layer.get_attr('pool_op')}, for which no logic can be "
            "made; use MaxPooling2D"
        )
    number = _result(layer.get_input_node())
    # what the C++ shows beside the image: only the highest bit set
    beside = (number.min_code if number.signed else 1 << (number.width - 1)) * number.step
    size = tuple(int(layer.get_attr(f"pool_{axis}")) for axis in ("height", "width"))
    largest = [
        [[_largest(window[..., f].ravel()) for f in range(x.shape[-1])] for window in row]
        for row in _windows(layer, x, size, _constant(beside))
    ]
    return _cast(_cast(_array(largest), _accumulator(layer)), _result(layer))


def _activation(layer: Any, x: Variables) -> Variables:
    function = layer.get_attr("activation")
    if function not in ("relu", "linear"):
        raise NoLogic(
            f"layer '{layer.name}' is the activation '{function}', for which no logic can be made; "
            "use relu or linear"
        )
    number = _result(layer)
    if function == "relu":
        # rounding keeps the sign; before the ReLU, what it adds joins the bias
        positive = _each(lambda v: v if v.high > 0 else _constant(0.0), x)
        x = _each(lambda v: _round(v, number).relu(), positive)
    return _cast(x, number)


def _scaling(layer: Any, x: Variables) -> Variables:
    """Batch normalisation: a factor and an offset for each channel, of full precision."""
    factors, offsets = (_constants(layer, key).ravel() for key in ("scale", "bias"))
    flat = x.ravel()
    scaled = [
        v * float(factors[i % len(factors)]) + float(offsets[i % len(offsets)])
        for i, v in enumerate(flat)
    ]
    return _cast(_array(scaled), _result(layer))


def _transposition(layer: Any, x: Variables) -> Variables:
    return _cast(x.transpose(layer.get_attr("perm")), _result(layer))


def _padding(layer: Any, x: Variables) -> Variables:
    top, bottom, left, right = (
        int(layer.get_attr(f"pad_{side}")) for side in ("top", "bottom", "left", "right")
    )
    sides = ((top, bottom), (left, right), (0, 0))
    padded = np.pad(x, sides, constant_values=_constant(0.0))
    return _cast(padded, _result(layer))


def _move(layer: Any, x: Variables) -> Variables:
    return _cast(x, _result(layer))


_BUILDERS: dict[str, Callable[[Any, Variables], Variables]] = {
    "Dense": _dense,
    "Conv2D": _convolution,
    "PointwiseConv2D": _convolution,
    "Pooling2D": _max_pooling,
    "Activation": _activation,
    "BatchNormalization": _scaling,
    "ApplyAlpha": _scaling,
    "Transpose": _transposition,
    "Reshape": _move,
    "Repack": _move,
    "ZeroPadding2D": _padding,
}


def _windows(layer: Any, x: Variables, size: tuple[int, ...], beside: Any) -> Variables:
    """What a sliding window of that size sees, shape (rows, columns, *size, channels)."""
    if any(layer.get_attr(f"dilation_{axis}", 1) != 1 for axis in ("height", "width")):
        raise NoLogic(f"layer '{layer.name}' is dilated, for which no logic can be made")
    padding = [
        (int(layer.get_attr(f"pad_{a}")), int(layer.get_attr(f"pad_{b}")))
        for a, b in (("top", "bottom"), ("left", "right"))
    ]
    padded = np.pad(x, [*padding, (0, 0)], constant_values=beside)
    seen = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(0, 1))
    rows, columns = (int(layer.get_attr(f"stride_{axis}")) for axis in ("height", "width"))
    return np.moveaxis(seen[::rows, ::columns], 2, -1)


# --- arithmetic ----------------------------------------------------------------------------------
def _sums(layer: Any, x: Variables, weights: Values) -> Variables:
    """Weighted sums of `x` (n,) for weights (n, m), shape (m,): products and sums in the
    accumulator's format, the result cast."""
    number = _accumulator(layer)
    bias = number.quantise(_constants(layer, "bias")).ravel()
    live = np.array([v.high != 0 or v.low != 0 for v in x]) & weights.any(axis=1)
    x, weights = x[live], weights[live]
    _require_room(layer, number, x, weights, bias)
    lowest = np.array([_lowest_bit(w) for w in weights.ravel()]).reshape(weights.shape)
    inexact = np.array([v.step for v in x]).reshape(-1, 1) * lowest < number.step
    sums = [_constant(float(b)) for b in bias]
    exact = np.where(inexact, 0, weights)
    if exact.any():
        sums = [s + total for s, total in zip(sums, _products(x, exact), strict=True)]
    for j in np.flatnonzero(inexact.any(axis=0)):
        rounded = [
            _round(x[i] * float(weights[i, j]), number) for i in np.flatnonzero(inexact[:, j])
        ]
        sums[j] = sums[j] + _balanced_sum(rounded)
    return _cast(_cast(_array(sums), number), _result(layer))


def _products(x: Variables, weights: Values) -> Variables:
    """Exact weighted sums, with adders shared between the columns."""
    from alkaid.trace import FVArray

    return np.asarray(FVArray(x, _SUMS, _DEVICE) @ weights)


def _balanced_sum(terms: list[Any]) -> Any:
    from alkaid.trace import FVArray

    return np.sum(FVArray(_array(terms), hwconf=_DEVICE))


def _require_room(
    layer: Any, number: FixedFormat, x: Variables, weights: Values, bias: Values
) -> None:
    """Order does not matter to a sum that wraps; to one that saturates it would."""
    if number.overflow == "WRAP":
        return
    ends = np.array([(v.low, v.high) for v in x]).reshape(-1, 2, 1) * weights[:, None]
    slack = len(x) * number.step  # of rounded products
    low = ends.min(axis=1).clip(max=0).sum(axis=0) + np.minimum(bias, 0)
    high = ends.max(axis=1).clip(min=0).sum(axis=0) + np.maximum(bias, 0)
    too_low = (low < 0).any() and low.min() - slack < number.min_value
    if too_low or high.max() + slack > number.max_value:
        raise NoLogic(
            f"layer '{layer.name}' sums in the format {number}, which it can leave: the order of "
            "the sum would matter; give it more integer bits, or the overflow mode WRAP"
        )


def _cast(x: Variables, number: FixedFormat) -> Variables:
    """Round and limit to a format."""
    return _each(lambda v: _limit(_round(v, number), number), x)


# offsets of non-negative and negative numbers before the floor: in steps, and in steps of the input
_OFFSETS = {
    "TRN": ((0, 0), (0, 0)),
    "TRN_ZERO": ((0, 0), (1, -1)),
    "RND": ((0.5, 0), (0.5, 0)),
    "RND_INF": ((0.5, 0), (0.5, -1)),
    "RND_ZERO": ((0.5, -1), (0.5, 0)),
    "RND_MIN_INF": ((0.5, -1), (0.5, -1)),
}


def _round(v: Any, number: FixedFormat) -> Any:
    """The nearest multiple of the format's step, whatever its size."""
    if v.step >= number.step:
        return v
    low, high = (float(end) for end in _unlimited(number).quantise([v.low, v.high]))
    if low == high:
        return _constant(low)
    rounded = _rounded(v, number)
    # bits that the sum has for carries which cannot come
    whole = max(_whole_bits(-low), _whole_bits(high + number.step))
    return rounded.quantize(low < 0, max(whole, 1 - number.fraction), number.fraction)


def _rounded(v: Any, number: FixedFormat) -> Any:
    if number.rounding == "RND_CONV":
        return _round_to_even(v, number.fraction)
    (steps, lsbs), (negative_steps, negative_lsbs) = _OFFSETS[number.rounding]
    offset = steps * number.step + lsbs * v.step
    negative = negative_steps * number.step + negative_lsbs * v.step
    shifted = v + offset
    if v.low < 0 and negative != offset:
        shifted = shifted + v.is_negative() * (negative - offset)
    k, i, _ = shifted.kif
    return shifted.quantize(k, max(i, 1 - number.fraction), number.fraction)


def _whole_bits(value: float) -> int:
    """Integer bits of the numbers below `value`."""
    return math.ceil(math.log2(value)) if value > 0 else -62


def _round_to_even(v: Any, fraction: int) -> Any:
    """The nearest multiple of 2**-fraction, of two equally near ones the even multiple.

    Half a step is added and what is below the step cut off; after a tie nothing was below it, and
    the lowest bit is cleared.
    """
    step = 2.0**-fraction
    raised = v + step / 2
    k, i, below = raised.kif
    i = max(i, 2 - fraction)
    rest = raised.quantize(0, -fraction, below, "WRAP", "TRN")
    lowest = raised.quantize(0, 1 - fraction, fraction, "WRAP", "TRN")
    upper = raised.quantize(k, i, fraction - 1, "WRAP", "TRN")
    return upper + (rest.unary_bit_op("any") * step & lowest)


def _limit(v: Any, number: FixedFormat) -> Any:
    """A multiple of the format's step brought into its range."""
    low, high = number.min_value, number.max_value
    if low <= v.low and v.high <= high:
        return v
    if v.low == v.high:
        return _constant(number.quantise(v.low).item())
    whole = number.integer - number.signed
    wrapped = v.quantize(number.signed, whole, number.fraction, "WRAP", "TRN")
    if number.overflow == "WRAP":
        return wrapped
    if number.overflow == "SAT_ZERO":
        inside = (v >= low) & (v <= high)
        return inside.msb_mux(wrapped, 0.0)
    if number.signed:
        return v.max_of(low).min_of(high)
    # the largest code is all ones: cheaper than a comparison
    v = v.relu()
    above = v.quantize(0, v.kif[1], -number.integer, "WRAP", "TRN")
    if above.high == 0:
        return v
    kept = v.quantize(0, number.integer, number.fraction, "WRAP", "TRN")
    return above.unary_bit_op("any").msb_mux(high, kept)


def _unlimited(number: FixedFormat) -> FixedFormat:
    return FixedFormat(62, 62 - number.fraction, True, number.rounding, "SAT")


def _largest(terms: Variables) -> Any:
    found = terms[0]
    for term in terms[1:]:
        found = found.max_of(term)
    return found


def _constant(value: float) -> Any:
    from alkaid.trace.fixed_variable import FVariable, HWConfig

    return FVariable.from_const(value, HWConfig(*_DEVICE))


def _each(function: Callable[[Any], Any], x: Variables) -> Variables:
    return _array([function(v) for v in x.ravel()]).reshape(x.shape)


def _array(items: Any) -> Variables:
    return np.array(items, dtype=object)


def _with_zero(port: Variables) -> Variables:
    """The port's elements, and a zero at index -1."""
    return np.append(port, _array([_constant(0.0)]))


def _lowest_bit(value: float) -> float:
    """Value of the lowest bit of a number; infinite for zero."""
    if value == 0:
        return math.inf
    numerator, denominator = abs(float(value)).as_integer_ratio()
    return (numerator & -numerator) / denominator


# --- what hls4ml settled -------------------------------------------------------------------------
def _result(layer: Any) -> FixedFormat:
    return _format(layer, layer.get_output_variable().type.precision, "result")


def _accumulator(layer: Any) -> FixedFormat:
    return _format(layer, layer.get_attr("accum_t").precision, "accumulator")


def _shape(layer: Any) -> tuple[int, ...]:
    return tuple(int(extent) for extent in layer.get_output_variable().shape)


def _constants(layer: Any, key: str) -> Values:
    """The weights of that name, as the C++ holds them."""
    weight = layer.weights[key]
    number = _format(layer, weight.type.precision, key)
    values = number.quantise(weight.data)
    lowest = min(map(_lowest_bit, values.flat), default=math.inf)
    if np.abs(values).max(initial=0) / lowest >= 1 << _CONSTANT_BITS:
        raise NoLogic(
            f"layer '{layer.name}': its {key} in the format {number} spans more than "
            f"{_CONSTANT_BITS} bits from the largest value down to the lowest bit of any, for "
            "which no exact logic can be made; take a narrower format"
        )
    return values


def _format(layer: Any, precision: Any, role: str) -> FixedFormat:
    try:
        return parse_format(str(precision))
    except (ValueError, TypeError) as error:
        raise NoLogic(
            f"layer '{layer.name}': its {role} has the format {precision}, for which no logic can "
            "be made; use fixed-point formats"
        ) from error
