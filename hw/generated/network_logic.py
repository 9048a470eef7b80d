"""A network in integers as combinational logic: adders, shifts and multiplexers, no multipliers.

Every operation computes what its record says, with the same number formats; each product is stored
in the accumulator's format, the sum is cast to the result's, with their rounding and overflow
modes.  The logic is alkaid's, which shares and balances the adders.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat
from hw.foundation.integer_network import (
    Cast,
    Concatenate,
    Input,
    IntegerNetwork,
    MaxPool,
    Merge,
    Operation,
    Pad,
    Reshape,
    Scale,
    Transpose,
    WeightedSum,
    lowest_bit,
    windows,
)
from hw.generated.layer_labels import LayerLabels, labels

Values = npt.NDArray[np.float64]
Variables = npt.NDArray[np.object_]
"""alkaid's variables: FVariable in an ndarray of the shape that the network gives them."""

_DEVICE = (1, 1, -1)  # cost and delay of an adder in alkaid's units: look-up tables, ns
_CONSTANT_BITS = 22  # of weights, which alkaid takes in single precision: longer ones are sums
_LONGEST_CONSTANT = 31  # bits that alkaid keeps of a number that is added
_WRAP = 3  # opcode of alkaid's quantisers
_SUMS = {"binary_lut": False}  # its tables of one-bit inputs do not take signed ones


class NoLogic(InputError):
    """No logic can be made of a layer, or of a number format of it."""


class _TooLong(NoLogic):
    """A constant that is added has more digits than can be kept."""


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
        logic: alkaid's CombLogic; its inputs and outputs are those of the ports, in order; its
            operations tell their layer (`hw.generated.layer_labels`).
        network_inputs: format of each number of the network's inputs.
        input, output: formats of one element of each port.
        inputs, outputs: how many there are.
        layers: of the network, in its order.
    """

    logic: Any
    network_inputs: tuple[FixedFormat, ...]
    input: FixedFormat
    output: FixedFormat
    inputs: int
    outputs: int
    layers: tuple[str, ...] = ()


def network_logic(network: IntegerNetwork, wiring: Wiring) -> NetworkLogic:
    """The logic of a network.

    Args:
        wiring: from the port's elements to the numbers of the network's inputs, one input after
            the other; with a largest element only where the network has one input.

    Raises:
        NoLogic: an operation that cannot be built; names the network's layer.
    """
    with _exact_constants(), labels() as labelled:
        return _network_logic(network, wiring, labelled)


def _network_logic(network: IntegerNetwork, wiring: Wiring, labelled: LayerLabels) -> NetworkLogic:
    from alkaid.trace import FVArray

    numbers = [
        operation.number for operation in network.inputs for _ in range(math.prod(operation.shape))
    ]
    ends = _port_ends(wiring, numbers)
    port = FVArray.from_lhs(*ends, hwconf=_DEVICE)
    shown = _with_zero(np.asarray(port))[wiring.element]
    values: dict[str, Variables] = {}
    start = 0
    for operation in network.operations:
        with labelled.building(operation.layer):
            if isinstance(operation, Input):
                end = start + math.prod(operation.shape)
                found, start = _cast(shown[start:end], operation.number), end
            else:
                sources = [values[name] for name in operation.sources]
                try:
                    found = _build(operation, sources)
                except _TooLong as error:
                    raise NoLogic(f"layer '{operation.layer}': {error}") from error
        values[operation.name] = found.reshape(operation.shape)
    outputs = values[network.output].ravel()
    return NetworkLogic(
        _traced(port, outputs),
        tuple(numbers),
        wiring.port_format(common_format(numbers)),
        network.result.number,
        wiring.count,
        len(outputs),
        tuple(dict.fromkeys(operation.layer for operation in network.operations)),
    )


@contextlib.contextmanager
def _exact_constants() -> Iterator[None]:
    """Have constants of up to 31 digits exact, and longer ones refused: alkaid 0.8.2 finds their
    lowest bit in single precision, and cuts off what does not fit 32 bits."""
    from alkaid.trace import affine_interval, fixed_variable, fixed_variable_array, tracer
    from alkaid.trace.passes import canon

    theirs = fixed_variable.get_lsb_loc
    add = fixed_variable.FVariable._const_add

    def lowest(value: float) -> int:
        return -lowest_bit(float(value)) if value else int(theirs(0.0))

    def checked(variable: Any, other: float | None) -> Any:
        digits = abs(float(other or 0))
        if digits and math.log2(digits) + lowest_bit(digits) >= _LONGEST_CONSTANT:
            raise _TooLong(
                f"its constant {float(other or 0):.9g}, has more than "
                f"{_LONGEST_CONSTANT} binary digits, for which no exact logic can be made; take "
                "biases of fewer bits, or a coarser format for what is added to them"
            )
        return add(variable, other)

    with contextlib.ExitStack() as stack:
        for module in (affine_interval, fixed_variable, fixed_variable_array, tracer, canon):
            stack.enter_context(mock.patch.object(module, "get_lsb_loc", lowest))
        stack.enter_context(mock.patch.object(fixed_variable.FVariable, "_const_add", checked))
        yield


def common_format(numbers: Sequence[FixedFormat]) -> FixedFormat:
    """The narrowest format that holds the codes of all these; the format itself where it is one."""
    if len(set(numbers)) == 1:
        return numbers[0]
    signed = any(number.signed for number in numbers)
    fraction = max(number.fraction for number in numbers)
    whole = max(number.integer + (signed and not number.signed) for number in numbers)
    return FixedFormat(whole + fraction, whole, signed)


def _port_ends(wiring: Wiring, numbers: Sequence[FixedFormat]) -> tuple[Any, Any, Any]:
    """Lowest and highest value and step of each element of the port."""
    common = common_format(numbers)
    least, most = wiring.port_format(common).min_value, wiring.largest_value(common)
    low, high, step = (np.full(wiring.count, value) for value in (least, most, common.step))
    for element, number in zip(wiring.element, numbers, strict=True):
        if element < 0:
            continue
        own = wiring.port_format(number)
        low[element] = own.min_value
        high[element] = wiring.largest_value(number)
        step[element] = number.step
    return low, high, step


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


# --- operations ----------------------------------------------------------------------------------
def _build(operation: Operation, sources: Sequence[Variables]) -> Variables:
    x, number = sources[0], operation.number
    match operation:
        case WeightedSum():
            return _weighted_sums(operation, x)
        case Scale():
            return _scaling(operation, x)
        case Cast():
            return _activation(operation, x)
        case MaxPool():
            return _max_pooling(operation, x)
        case Merge():
            merge = _MERGES[operation.function]
            pairs = zip(x.ravel(), sources[1].ravel(), strict=True)
            return _cast(_array([merge(a, b) for a, b in pairs]), number)
        case Concatenate():
            return _cast(np.concatenate(sources, axis=operation.axis), number)
        case Reshape():
            return x
        case Transpose():
            return x.transpose(operation.axes)
        case Pad():
            return np.pad(x, (*operation.padding, (0, 0)), constant_values=_constant(0.0))
    raise NoLogic(
        f"layer '{operation.layer}' is a {type(operation).__name__}, of which no logic can be made"
    )


_MERGES: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "maximum": lambda a, b: a.max_of(b),
    "minimum": lambda a, b: a.min_of(b),
    "multiply": lambda a, b: a * b,
}


def _weighted_sums(operation: WeightedSum, x: Variables) -> Variables:
    weights = operation.kernel.values
    if operation.dense:
        return _sums(operation, x.ravel(), weights)
    size = weights.shape[:2]
    weights = weights.reshape(-1, weights.shape[-1])
    seen = windows(x, size, operation.strides, operation.padding, _constant(0.0))
    return np.stack(
        [np.stack([_sums(operation, window.ravel(), weights) for window in row]) for row in seen]
    )


def _max_pooling(operation: MaxPool, x: Variables) -> Variables:
    lowest = _constant(min(v.low for v in x.ravel()))  # beside the image, where it changes nothing
    seen = windows(x, operation.size, operation.strides, operation.padding, lowest)
    largest = [
        [[_largest(window[..., f].ravel()) for f in range(x.shape[-1])] for window in row]
        for row in seen
    ]
    return _cast(_array(largest), operation.number)


def _activation(operation: Cast, x: Variables) -> Variables:
    number = operation.number
    if operation.relu:
        # rounding keeps the sign; before the ReLU, what it adds joins the bias
        positive = _each(lambda v: v if v.high > 0 else _constant(0.0), x)
        x = _each(lambda v: _round(v, number).relu(), positive)
    return _cast(x, number)


def _scaling(operation: Scale, x: Variables) -> Variables:
    """A factor and an offset for each number, of full precision."""
    factors, offsets = (
        np.broadcast_to(part.values, x.shape).ravel()
        for part in (operation.factor, operation.offset)
    )
    scaled = [
        _times(v, float(factor)) + float(offset)
        for v, factor, offset in zip(x.ravel(), factors, offsets, strict=True)
    ]
    return _cast(_array(scaled), operation.number)


def _times(v: Any, factor: float) -> Any:
    """A product as a sum of shifted numbers, one for each digit of the factor that is not zero."""
    digits = [v * digit for digit in _signed_digits(factor)]
    return _balanced_sum(digits) if digits else _constant(0.0)


def _signed_digits(value: float) -> list[float]:
    """Powers of two, and their negatives, as few as can be, whose sum is `value`."""
    digits = []
    while value:
        lowest = math.copysign(_lowest_bit(value), value)
        # a run of ones is one power of two less another
        digit = lowest if value / lowest % 4 == 1 else -lowest
        digits.append(digit)
        value -= digit
    return digits


# --- arithmetic ----------------------------------------------------------------------------------
def _sums(operation: WeightedSum, x: Variables, weights: Values) -> Variables:
    """Weighted sums of `x` (n,) for weights (n, m), shape (m,): products and sums in the
    accumulator's format, the result cast."""
    number = operation.accumulator
    bias = number.quantise(operation.bias.values).ravel()
    live = np.array([v.high != 0 or v.low != 0 for v in x]) & weights.any(axis=1)
    x, weights = x[live], weights[live]
    _require_room(operation, x, weights, bias)
    lowest = np.array([_lowest_bit(w) for w in weights.ravel()]).reshape(weights.shape)
    inexact = np.array([v.step for v in x]).reshape(-1, 1) * lowest < number.step
    sums = [_constant(float(b)) for b in bias]
    exact = np.where(inexact, 0, weights)
    for part in _weight_parts(exact):
        sums = [s + total for s, total in zip(sums, _products(x, part), strict=True)]
    for j in np.flatnonzero(inexact.any(axis=0)):
        rounded = [
            _round(_times(x[i], float(weights[i, j])), number)
            for i in np.flatnonzero(inexact[:, j])
        ]
        sums[j] = sums[j] + _balanced_sum(rounded)
    return _cast(_cast(_array(sums), number), operation.number)


def _weight_parts(weights: Values) -> list[Values]:
    """Arrays of few digits whose sum is `weights`; none where these are all zero."""
    parts = []
    while weights.any():
        unit = 2.0 ** (math.floor(math.log2(np.abs(weights).max())) + 1 - _CONSTANT_BITS)
        parts.append(np.trunc(weights / unit) * unit)
        weights = weights - parts[-1]
    return parts


def _products(x: Variables, weights: Values) -> Variables:
    """Exact weighted sums, with adders shared between the columns."""
    from alkaid.trace import FVArray

    return np.asarray(FVArray(x, _SUMS, _DEVICE) @ weights)


def _balanced_sum(terms: list[Any]) -> Any:
    from alkaid.trace import FVArray

    return np.sum(FVArray(_array(terms), hwconf=_DEVICE))


def _require_room(operation: WeightedSum, x: Variables, weights: Values, bias: Values) -> None:
    """Order does not matter to a sum that wraps; to one that saturates it would."""
    number = operation.accumulator
    if number.overflow == "WRAP":
        return
    ends = np.array([(v.low, v.high) for v in x]).reshape(-1, 2, 1) * weights[:, None]
    slack = len(x) * number.step  # of rounded products
    low = ends.min(axis=1).clip(max=0).sum(axis=0) + np.minimum(bias, 0)
    high = ends.max(axis=1).clip(min=0).sum(axis=0) + np.maximum(bias, 0)
    too_low = (low < 0).any() and low.min() - slack < number.min_value
    if too_low or high.max() + slack > number.max_value:
        raise NoLogic(
            f"layer '{operation.layer}' sums in the format {number}, which it can leave: the "
            "order of the sum would matter; give it more integer bits, or the overflow mode WRAP"
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
