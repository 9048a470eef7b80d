"""QKeras quantisers and activation functions as operations on integers; weights as integers.

What has no exact integer form is refused by layer, setting and remedy.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.fixed_point import FixedFormat
from hw.foundation.integer_network import (
    Constants,
    NetworkBuilder,
    NoFixedPoint,
    Refused,
    Shape,
    narrowest,
)
from models.networks.number_formats import WEIGHT_BITS, quantiser_format

FACTOR_DIGITS = 22
"""Binary digits, counted from the largest, to which factors and offsets of normalisations are
rounded: about what float32 keeps of them in Keras."""

_KEEPS = {"rounding": "RND_CONV", "overflow": "SAT"}  # QKeras rounds half to even and saturates


@dataclass(frozen=True)
class Value:
    """A tensor of the network while it is read.

    Attributes:
        name: operation that gives it.
        shape: without the batch.
        divisor: what the operation's numbers are to be divided by, shape () or `shape`: an average
            over three numbers is no fixed-point number until it is rounded.
        raw: an input, or what only moves one, that no quantiser has met yet; its operation has the
            format of the quantiser that it will meet.
    """

    name: str
    shape: Shape
    divisor: npt.NDArray[np.int64] | None = None
    raw: bool = False


@dataclass
class Place:
    """Where the operations that are read go: a layer of the network, and the builder.

    Attributes:
        layer: Keras's name of the layer.
        build: collects the operations.
        unique: makes a name that no other operation has.
    """

    layer: str
    build: NetworkBuilder
    unique: Callable[[str], str]

    def name(self, suffix: str = "") -> str:
        """A new operation's name; the first of a layer has the layer's own."""
        return self.unique(f"{self.layer}_{suffix}" if suffix else self.layer)

    def refuse(self, what: str, remedy: str) -> Refused:
        """The refusal of a setting of this layer."""
        return Refused(f"layer '{self.layer}': {what}; {remedy}")

    def exact(self, value: Value, where: str = "") -> str:
        """The operation of a value that is a fixed-point number.

        Raises:
            NoFixedPoint: it is an input that nothing has quantised.
            Refused: it is a quotient that nothing has rounded.
        """
        if value.raw:
            raise NoFixedPoint(
                f"the network is in floating point: layer '{self.layer}' reads its input as it is; "
                "put a QActivation such as quantized_bits(8,1,alpha=1) right behind the input"
            )
        if value.divisor is not None:
            raise self.refuse(
                f"reads quotients by {int(value.divisor.max())}, which are no fixed-point "
                f"numbers{where}",
                "put a QActivation right behind the layer that divides (an average, a hard "
                "sigmoid), or average over a power of two numbers",
            )
        return value.name


# --- weights -------------------------------------------------------------------------------------
def weights(place: Place, part: str, quantiser: Any, stored: Any) -> Constants:
    """The numbers that a layer computes with, as integers.

    Args:
        part: of the layer: `kernel`, `bias`, ...
        quantiser: QKeras's; None where there is none.
        stored: what the quantiser is given.

    Raises:
        NoFixedPoint: there is no quantiser.
        Refused: its values are no fixed-point numbers.
    """
    if quantiser is None:
        raise NoFixedPoint(
            f"the network is in floating point: {part} of layer '{place.layer}' has no quantiser; "
            f"give the layer {part.removesuffix('_kernel')}_quantizer, such as "
            "quantized_bits(6,1,alpha=1)"
        )
    _refuse_half_quantised(place, f"{part}: quantiser", quantiser)
    try:
        return narrowest(np.asarray(quantiser(stored)), WEIGHT_BITS)
    except ValueError as error:
        raise place.refuse(
            f"{part}: the values of its quantiser {quantiser} are no fixed-point numbers ({error})",
            "take alpha=1 or alpha='auto_po2', whose scale is a power of two",
        ) from error


def _refuse_half_quantised(place: Place, what: str, quantiser: Any) -> None:
    noise = getattr(quantiser, "qnoise_factor", 1.0)
    if float(noise) != 1.0:
        raise place.refuse(
            f"{what} {quantiser} has qnoise_factor={float(noise):g}, so that it quantises in part",
            "set it to 1 after training",
        )
    integer = getattr(quantiser, "integer", 0)
    if int(integer) < 0:
        raise place.refuse(
            f"{what} {quantiser} has {int(integer)} integer bits, which QKeras itself cannot "
            "compute",
            "take integer=0 or more, and a power of two less in what follows or comes before",
        )


def constant(value: float, shape: Shape = ()) -> Constants:
    """One number, or the same one everywhere."""
    found = narrowest(np.float64(value))
    return Constants(np.broadcast_to(found.codes, shape or (1,)), found.number)


def rounded_constants(values: npt.NDArray[np.float64], digits: int = FACTOR_DIGITS) -> Constants:
    """Factors or offsets, rounded to that many binary digits counted from the largest."""
    largest = float(np.abs(values).max(initial=0))
    if largest == 0:
        return narrowest(values)
    step = 2.0 ** (math.floor(math.log2(largest)) + 1 - digits)
    return narrowest(np.rint(values / step) * step)


# --- activation functions and quantisers ---------------------------------------------------------
def activate(place: Place, value: Value, function: Any, suffix: str = "") -> Value:
    """What an activation function or quantiser makes of a value.

    Args:
        function: Keras's or QKeras's; None for none.
        suffix: of the operations' names, where the layer's own name is taken.

    Raises:
        Refused: it has no exact integer form.
        NoFixedPoint: a function other than a quantiser reads the network's input.
    """
    if function is None:
        return value
    kind = getattr(function, "__name__", type(function).__name__)
    if kind == "linear":
        return value
    quantise = _QUANTISERS.get(kind)
    if quantise is not None and type(function).__name__ == kind:
        _refuse_half_quantised(place, "activation", function)
        return quantise(place, value, function, suffix)
    of_qkeras = str(getattr(function, "__module__", "")).startswith("qkeras")
    piecewise = (_QKERAS_FUNCTIONS if of_qkeras else _KERAS_FUNCTIONS).get(kind)
    if piecewise is None:
        raise place.refuse(
            f"activation {function if of_qkeras else kind} has no exact fixed-point form",
            "take quantized_bits, quantized_relu or quantized_tanh; where it only follows the "
            "output, as a softmax does, take it off: the order of the outputs stays",
        )
    if value.raw:
        place.exact(value)
    return piecewise(place, value, suffix)


def cast(place: Place, value: Value, number: FixedFormat, suffix: str, *, relu: bool) -> Value:
    """A value rounded and limited to a format, quotients too."""
    build = place.build
    if value.divisor is not None:
        value = _rounded_quotient(place, value, number, suffix)
    name = value.name
    current = build.operation(name).number
    same = current.with_modes(number.rounding, number.overflow) == number
    if same and not (relu and current.signed) and number.overflow != "SAT_SYM":
        return value
    name = build.cast(place.name(suffix), name, number, relu=relu)
    return Value(name, value.shape)


def _rounded_quotient(place: Place, value: Value, number: FixedFormat, suffix: str) -> Value:
    """A quotient at so fine a grid that rounding it there changes no rounding to `number`.

    The quotients, multiples of 2**-f / q, and the points where `number` rounds, multiples of
    2**-(t+1), are equal or at least 2**-max(f, t+1) / q apart.  On a grid as fine as that, nothing
    moves across such a point, nor onto one; a factor near enough to 1/q gives that rounding.
    """
    build, divisor = place.build, value.divisor
    assert divisor is not None
    bounds = build.bounds[value.name]
    largest = max(abs(int(bounds.low.min())), abs(int(bounds.high.max())), 1)
    most = int(divisor.max())
    grid = max(bounds.fraction, number.fraction + 1) + max(most - 1, 1).bit_length()
    digits = largest.bit_length() + grid - bounds.fraction + 1
    factor = narrowest(np.rint(2.0**digits / divisor) * 2.0**-digits)
    if factor.codes.ndim == 0:
        factor = Constants(factor.codes[None], factor.number)
    whole = max(_integer_bits(largest, bounds.fraction), 1 - grid)
    fine = FixedFormat(whole + grid, whole, True, "RND", "WRAP")
    name = build.scale(
        place.name(f"{suffix}_quotient" if suffix else "quotient"),
        value.name,
        factor,
        constant(0),
        number=fine,
    )
    return Value(name, value.shape)


def _integer_bits(largest: int, fraction: int) -> int:
    """Integer bits, the sign included, of numbers up to `largest` * 2**-fraction and a carry."""
    return largest.bit_length() - fraction + 2


def _quantized_bits(place: Place, value: Value, quantiser: Any, suffix: str) -> Value:
    alpha = quantiser.alpha
    if isinstance(alpha, str):
        raise place.refuse(
            f"activation {quantiser}: alpha='{alpha}' takes its scale from each batch of numbers",
            "set alpha=1 (and integer bits for the numbers' range), and train on",
        )
    if quantiser.bits <= bool(quantiser.keep_negative):
        return _scaled(place, _sign(place, value, suffix), alpha, suffix)
    found = _first_cast(place, value, _plain(quantiser, alpha=1), suffix)
    return _scaled(place, found, alpha, suffix)


def _plain(quantiser: Any, **other: Any) -> FixedFormat:
    """Format of a quantiser, whose settings `other` are taken as that."""
    config = quantiser.get_config() | other
    number = quantiser_format(type(quantiser).from_config(config))
    assert number is not None
    return number


def _first_cast(
    place: Place, value: Value, number: FixedFormat, suffix: str, *, relu: bool = False
) -> Value:
    """A cast, which is also what an input may meet first."""
    if value.raw:
        return replace(value, raw=False)  # the input was given this format
    return cast(place, value, number, suffix, relu=relu)


def _scaled(place: Place, value: Value, alpha: Any, suffix: str) -> Value:
    if alpha is None or np.all(np.asarray(alpha) == 1):
        return value
    values = np.asarray(alpha, dtype=np.float64)
    try:
        factor = narrowest(values if values.ndim else values[None], FACTOR_DIGITS)
    except ValueError as error:
        raise place.refuse(
            f"activation: its scale alpha={alpha} is no fixed-point number ({error})",
            "take a power of two",
        ) from error
    name = place.build.scale(
        place.name(f"{suffix}_scale" if suffix else "scale"),
        place.exact(value),
        factor,
        constant(0),
    )
    return Value(name, value.shape)


def _quantized_relu(place: Place, value: Value, quantiser: Any, suffix: str) -> Value:
    slope = float(quantiser.negative_slope)
    bits, integer = int(quantiser.bits), int(quantiser.integer)
    if quantiser.use_sigmoid:
        raise place.refuse(
            f"activation {quantiser} has use_sigmoid=1, which has no exact form here",
            "take use_sigmoid=0, or quantized_sigmoid",
        )
    if quantiser.relu_upper_bound is not None and not quantiser.is_quantized_clip:
        raise place.refuse(
            f"activation {quantiser} has relu_upper_bound without is_quantized_clip",
            "take is_quantized_clip=True and integer bits for that bound",
        )
    if not slope:
        number = _plain(quantiser)
        return _first_cast(place, value, number, suffix, relu=True)
    positive_bits = bits - 1
    exponent = round(math.log2(slope))  # QKeras demands a power of two
    negative_bits = positive_bits + exponent + 1
    if positive_bits < 1 or negative_bits < 1:
        raise place.refuse(
            f"activation {quantiser}: no bits remain of negative numbers",
            "take more bits or a steeper slope",
        )
    source = place.exact(value)
    build = place.build

    def part(what: str) -> str:
        return place.name(f"{suffix}_{what}" if suffix else what)

    positive = build.cast(
        part("positive"), source, FixedFormat(positive_bits, integer, False, **_KEEPS), relu=True
    )
    turned = build.scale(part("turned"), source, constant(-1), constant(0))
    below = build.relu(part("below"), turned)
    steep = build.scale(part("slope"), below, constant(-slope), constant(0))
    number = FixedFormat(negative_bits, integer + exponent + 1, True, **_KEEPS)
    negative = build.cast(part("negative"), steep, number)
    return Value(build.merge(place.name(suffix), (positive, negative), "add"), value.shape)


def _quantized_tanh(place: Place, value: Value, quantiser: Any, suffix: str) -> Value:
    if quantiser.use_real_tanh:
        raise _smooth(place, quantiser, "use_real_tanh")
    _require_hard_sigmoid(place, quantiser)
    if value.raw:
        place.exact(value)
    return cast(place, value, _plain(quantiser), suffix, relu=False)


def _quantized_sigmoid(place: Place, value: Value, quantiser: Any, suffix: str) -> Value:
    if quantiser.use_real_sigmoid:
        raise _smooth(place, quantiser, "use_real_sigmoid")
    if quantiser.symmetric:
        raise place.refuse(f"activation {quantiser} is symmetric", "take symmetric=False")
    _require_hard_sigmoid(place, quantiser)
    inner = f"{suffix}_line" if suffix else "line"
    line = place.build.scale(place.name(inner), place.exact(value), constant(0.5), constant(0.5))
    return cast(place, Value(line, value.shape), _plain(quantiser), suffix, relu=True)


def _smooth(place: Place, quantiser: Any, setting: str) -> Refused:
    return place.refuse(
        f"activation {quantiser} has {setting}=1, which has no exact fixed-point form",
        f"take {setting}=0, QKeras's piecewise linear one",
    )


def _require_hard_sigmoid(place: Place, quantiser: Any) -> None:
    import qkeras.quantizers  # through models.keras_backend, as every caller has it

    if qkeras.quantizers._sigmoid is not qkeras.quantizers.hard_sigmoid:
        raise place.refuse(
            f"activation {quantiser} stands for another function than the hard sigmoid, by "
            "qkeras.set_internal_sigmoid",
            "leave that at 'hard'",
        )


def _binary(place: Place, value: Value, quantiser: Any, suffix: str) -> Value:
    if isinstance(quantiser.alpha, str) or quantiser.alpha is None:
        raise place.refuse(
            f"activation {quantiser}: its scale is taken from each batch of numbers",
            "take alpha=1",
        )
    found = _sign(place, value, suffix, zero_one=bool(quantiser.use_01))
    return _scaled(place, found, quantiser.alpha, suffix)


def _ternary(place: Place, value: Value, quantiser: Any, suffix: str) -> Value:
    if isinstance(quantiser.alpha, str) or isinstance(quantiser.threshold, str):
        raise place.refuse(
            f"activation {quantiser}: its scale is taken from each batch of numbers",
            "take alpha=1 and a threshold",
        )
    source = place.exact(value)
    threshold = quantiser.threshold
    threshold = quantiser.default_threshold if threshold is None else threshold
    step = place.build.operation(source).number.step
    least = math.ceil(float(np.float32(threshold)) / step) * step  # as far as numbers can tell
    if least <= 0:
        raise place.refuse(f"activation {quantiser} has no positive threshold", "give it one")
    signs = [
        _below_zero(place, source, factor, -least, f"{suffix}_{what}" if suffix else what)
        for what, factor in (("upper", 1), ("lower", -1))
    ]
    name = place.build.merge(place.name(suffix), (signs[0], signs[1]), "subtract")
    return _scaled(place, Value(name, value.shape), quantiser.alpha, suffix)


def _sign(place: Place, value: Value, suffix: str, *, zero_one: bool = False) -> Value:
    """-1 (or 0) for negative numbers, else 1."""
    source = place.exact(value)
    below = _below_zero(place, source, 1, 0, f"{suffix}_below" if suffix else "below")
    factor = constant(1 if zero_one else 2)
    return Value(place.build.scale(place.name(suffix), below, factor, constant(1)), value.shape)


def _below_zero(place: Place, source: str, factor: float, offset: float, suffix: str) -> str:
    """-1 where `factor` * x + `offset` is negative, else 0."""
    build = place.build
    if factor != 1 or offset:
        source = build.scale(
            place.name(f"{suffix}_shifted"), source, constant(factor), constant(offset)
        )
    # of a saturated number of one bit, which is its sign, only the step is still to be mended
    number = build.operation(source).number
    bit = FixedFormat(1, 1 - number.fraction, True, "TRN", "SAT")
    sign = build.cast(place.name(f"{suffix}_sign"), source, bit)
    return build.scale(place.name(suffix), sign, constant(2.0**number.fraction), constant(0))


_QUANTISERS: dict[str, Callable[[Place, Value, Any, str], Value]] = {
    "quantized_bits": _quantized_bits,
    "quantized_relu": _quantized_relu,
    "quantized_tanh": _quantized_tanh,
    "quantized_sigmoid": _quantized_sigmoid,
    "binary": _binary,
    "ternary": _ternary,
}


# --- piecewise linear functions ------------------------------------------------------------------
def clip(
    place: Place, value: Value, low: Fraction | None, high: Fraction | None, suffix: str
) -> Value:
    """A value limited to a range; None for no limit.  Its lower end is zero, or its range is all
    of fixed-point numbers."""
    build = place.build
    divisor = 1 if value.divisor is None else int(value.divisor.max())
    if value.divisor is not None and value.divisor.min() != value.divisor.max():
        place.exact(value)
    name, offset = value.name, 0.0

    def part(what: str) -> str:
        return place.name(f"{suffix}_{what}" if suffix else what)

    lower = None if low is None else _dyadic(place, low * divisor)
    upper = None if high is None else _dyadic(place, high * divisor)
    if lower is not None:
        if lower:
            name = build.scale(part("from_lower"), name, constant(1), constant(-lower))
            offset = lower
        name = build.relu(part("above"), name)
    if upper is not None:
        room = build.scale(part("room"), name, constant(-1), constant(upper - offset))
        kept = build.relu(part("kept"), room)
        name = build.scale(part("limited"), kept, constant(-1), constant(upper))
    elif offset:
        name = build.scale(part("limited"), name, constant(1), constant(offset))
    return Value(name, value.shape, value.divisor)


def _dyadic(place: Place, number: Fraction) -> float:
    """A limit as a fixed-point number."""
    value = float(number)
    if Fraction(value) != number or number.denominator.bit_length() > FACTOR_DIGITS:
        raise place.refuse(
            f"its limit {value:.9g} is no fixed-point number of {FACTOR_DIGITS} bits",
            "take a power of two, or a sum of few of them",
        )
    return value


def relu(
    place: Place, value: Value, suffix: str = "", *, slope: float = 0.0, most: float | None = None
) -> Value:
    """Keras's ReLU with a slope of negative numbers and an upper limit."""
    build = place.build

    def part(what: str) -> str:
        return place.name(f"{suffix}_{what}" if suffix else what)

    limit = None if most is None else Fraction(float(most)).limit_denominator(1 << 20)
    if not slope:
        if limit is not None:
            return clip(place, value, Fraction(0), limit, suffix)
        return Value(build.relu(place.name(suffix), value.name), value.shape, value.divisor)
    inclined = simple_fraction(slope)
    shift = _power_of_two_in(inclined.denominator)
    odd = inclined.denominator >> shift
    turned = build.scale(part("turned"), value.name, constant(-1), constant(0))
    below = build.relu(part("below"), turned)
    factor = -inclined.numerator * 2.0**-shift
    negative = build.scale(part("slope"), below, constant(factor), constant(0))
    positive = build.relu(part("positive"), value.name)
    if odd != 1:
        positive = build.scale(part("times"), positive, constant(odd), constant(0))
    name = build.merge(place.name(suffix), (positive, negative), "add")
    found = divided(Value(name, value.shape, value.divisor), odd)
    return found if limit is None else clip(place, found, None, limit, f"{suffix}_max")


def simple_fraction(value: float) -> Fraction:
    """The fraction that a float32 stands for: 0.3 is 3/10, not its nearest multiple of 2**-25."""
    simple = Fraction(float(value)).limit_denominator(1000)
    return simple if np.float32(float(simple)) == np.float32(value) else Fraction(float(value))


def divided(value: Value, divisor: npt.NDArray[np.int64] | int) -> Value:
    """A value to be divided by a number, or each of its numbers by one."""
    before = np.int64(1) if value.divisor is None else value.divisor
    product = np.asarray(before * np.asarray(divisor, dtype=np.int64))
    return replace(value, divisor=None if (product == 1).all() else product)


def _power_of_two_in(number: int) -> int:
    return (number & -number).bit_length() - 1


def _line(
    place: Place,
    value: Value,
    line: tuple[Fraction, Fraction],
    limits: tuple[int, int],
    suffix: str,
) -> Value:
    """slope * x + offset, limited."""
    slope, offset = line
    common = math.lcm(slope.denominator, offset.denominator)
    shift = _power_of_two_in(common)
    odd = common >> shift
    factor, added = (float(part * odd) for part in line)
    scaled = place.build.scale(
        place.name(f"{suffix}_line" if suffix else "line"),
        place.exact(value),
        constant(factor),
        constant(added),
    )
    found = divided(Value(scaled, value.shape), odd)
    return clip(place, found, Fraction(limits[0]), Fraction(limits[1]), suffix)


def _hard(slope: str, offset: str, low: int) -> Callable[[Place, Value, str], Value]:
    line = Fraction(slope), Fraction(offset)
    return lambda place, value, suffix: _line(place, value, line, (low, 1), suffix)


_KERAS_FUNCTIONS: dict[str, Callable[[Place, Value, str], Value]] = {
    "relu": relu,
    "relu6": lambda place, value, suffix: relu(place, value, suffix, most=6.0),
    "leaky_relu": lambda place, value, suffix: relu(place, value, suffix, slope=0.2),
    "hard_sigmoid": _hard("1/5", "1/2", 0),
}
_QKERAS_FUNCTIONS: dict[str, Callable[[Place, Value, str], Value]] = {
    "hard_sigmoid": _hard("1/2", "1/2", 0),
    "hard_tanh": _hard("1", "0", -1),
    "smooth_sigmoid": _hard("3/16", "1/2", 0),
    "smooth_tanh": _hard("3/8", "0", -1),
}
