"""A network in integers: few kinds of operations, each with its number format and integer weights.

This record is what a network *is*, whatever tool it was trained with.  It is evaluated exactly
(`hw.foundation.integer_evaluation`), and C++ and Verilog are made from it.  A number is a code, an
integer, times a power of two; an operation's format tells that power, and holds every result that
any input can give, so nothing is rounded or limited but where a format says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import Codes, FixedFormat

Shape = tuple[int, ...]
Padding = tuple[tuple[int, int], tuple[int, int]]
"""Rows above and below, columns left and right."""

MOST_BITS = 62
"""Of a number: what a 64-bit integer holds with its sign and a carry."""


class NoFixedPoint(InputError):
    """The network is not in fixed point throughout, so that nothing can equal it bit for bit."""


class Refused(InputError):
    """A layer, or a setting of one, that has no exact form in integers; names it and a remedy."""


@dataclass(frozen=True)
class Constants:
    """Integer weights.

    Attributes:
        codes: of any shape.
        number: their format.
    """

    codes: Codes
    number: FixedFormat

    @property
    def values(self) -> npt.NDArray[np.float64]:
        return self.number.to_values(self.codes)

    def held_in(self, number: FixedFormat) -> "Constants":
        """The same values in another format, which must hold them."""
        codes = number.to_codes(self.values)
        if not np.array_equal(number.to_values(codes), self.values):
            raise ValueError(f"{number} does not hold all of them")
        return Constants(codes, number)


@dataclass(frozen=True)
class Operation:
    """One step of the computation.

    Attributes:
        name: unlike all others, also when case is ignored; letters, digits and _.
        layer: the layer of the network that it belongs to, as the network names it.
        sources: names of the operations that it reads.
        shape: of its result, without the batch.
        number: format of its result.
    """

    name: str
    layer: str
    sources: tuple[str, ...]
    shape: Shape
    number: FixedFormat


@dataclass(frozen=True)
class Input(Operation):
    """An input of the network, brought to its format."""


@dataclass(frozen=True)
class WeightedSum(Operation):
    """Weighted sums over a window that slides over an image (rows, columns, channels).

    A dense layer is the window that is as large as its input: `dense` tells that the source is
    read as a vector.

    Attributes:
        kernel: shape (rows, columns, channels, outputs); (inputs, outputs) where dense.
        bias: shape (outputs,).
        strides: of the window.
        padding: zeros beside the image.
        accumulator: format of the sum; products are cast to it before they are summed.
    """

    kernel: Constants
    bias: Constants
    accumulator: FixedFormat
    strides: tuple[int, int] = (1, 1)
    padding: Padding = ((0, 0), (0, 0))
    dense: bool = False


@dataclass(frozen=True)
class Scale(Operation):
    """Each number times a factor, plus an offset, then cast to the format.

    Attributes:
        factor, offset: shape of the result, or (channels,).
    """

    factor: Constants
    offset: Constants


@dataclass(frozen=True)
class Cast(Operation):
    """Rounding and limiting to the format; negative numbers become zero first if `relu`."""

    relu: bool = False


@dataclass(frozen=True)
class MaxPool(Operation):
    """The largest number in a window, of each channel; what lies beside the image does not count.

    Attributes:
        size: rows and columns of the window.
        strides: of the window.
        padding: of the image.
    """

    size: tuple[int, int]
    strides: tuple[int, int]
    padding: Padding = ((0, 0), (0, 0))


@dataclass(frozen=True)
class Merge(Operation):
    """Two results of one shape, element by element.

    Attributes:
        function: `add`, `subtract`, `maximum`, `minimum` or `multiply`.
    """

    function: str


@dataclass(frozen=True)
class Concatenate(Operation):
    """Two results, one after the other along an axis (from 0, the batch not counted)."""

    axis: int


@dataclass(frozen=True)
class Reshape(Operation):
    """The same numbers, in another shape."""


@dataclass(frozen=True)
class Transpose(Operation):
    """Axes exchanged: axis i of the result is axis `axes[i]` of the source."""

    axes: tuple[int, ...]


@dataclass(frozen=True)
class Pad(Operation):
    """Zeros beside an image (rows, columns, channels)."""

    padding: Padding


@dataclass(frozen=True)
class IntegerNetwork:
    """A network in integers.

    Attributes:
        operations: in an order in which each follows its sources; the inputs first, in the order
            of the network's.
        output: name of the operation whose result is the network's output.
    """

    operations: tuple[Operation, ...]
    output: str

    @property
    def inputs(self) -> tuple[Input, ...]:
        return tuple(o for o in self.operations if isinstance(o, Input))

    @property
    def result(self) -> Operation:
        """The operation that gives the output."""
        return next(o for o in self.operations if o.name == self.output)

    @property
    def input_size(self) -> int:
        """Numbers in one vector of all inputs."""
        return sum(int(np.prod(o.shape)) for o in self.inputs)

    def with_formats(self, formats: Mapping[str, Mapping[str, FixedFormat]]) -> "IntegerNetwork":
        """The network with other number formats, as of hardware that chooses them by itself.

        Args:
            formats: by operation and role: `result`, and of weighted sums `weight`, `bias` and
                `accum`.
        """
        changed = tuple(_with_formats(o, formats.get(o.name, {})) for o in self.operations)
        return replace(self, operations=changed)


def _with_formats(operation: Operation, formats: Mapping[str, FixedFormat]) -> Operation:
    changed = replace(operation, number=formats.get("result", operation.number))
    if isinstance(changed, WeightedSum):
        kernel, bias = changed.kernel, changed.bias
        changed = replace(
            changed,
            accumulator=formats.get("accum", changed.accumulator),
            kernel=kernel.held_in(formats.get("weight", kernel.number)),
            bias=bias.held_in(formats.get("bias", bias.number)),
        )
    return changed


@dataclass(frozen=True)
class Bounds:
    """Between which codes each number of a result lies, and where its binary point is."""

    low: npt.NDArray[np.object_]
    high: npt.NDArray[np.object_]
    fraction: int

    @property
    def number(self) -> FixedFormat:
        """The narrowest format for all of them."""
        low, high = int(self.low.min(initial=0)), int(self.high.max(initial=0))
        signed = low < 0
        bits = max(high.bit_length(), (-low - 1).bit_length() if signed else 0) + signed
        bits = max(bits, 1)
        if bits > MOST_BITS:
            raise ValueError(f"{bits} bits, where at most {MOST_BITS} can be held")
        return FixedFormat(bits, bits - self.fraction, signed)


def narrowest(values: npt.ArrayLike, most_bits: int = MOST_BITS) -> Constants:
    """Constants with these exact values, in the narrowest format that holds them.

    Raises:
        ValueError: a value is not finite, or they need more bits than that.
    """
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite")
    fraction = max((lowest_bit(float(v)) for v in values.flat if v), default=None)
    if fraction is None:
        return Constants(np.zeros(values.shape, np.int64), FixedFormat(1, 1, False))
    codes = np.array([int(v * 2.0**fraction) for v in values.flat], dtype=object)
    bounds = Bounds(codes, codes, fraction)
    number = bounds.number
    if number.width > most_bits:
        raise ValueError(f"{number.width} bits, where at most {most_bits} are allowed")
    return Constants(codes.astype(np.int64).reshape(values.shape), number)


def lowest_bit(value: float) -> int:
    """Fraction bits that a number other than zero needs; negative for multiples of two."""
    numerator, denominator = abs(value).as_integer_ratio()
    return (denominator.bit_length() - 1) - ((numerator & -numerator).bit_length() - 1)


@dataclass
class NetworkBuilder:
    """Collects operations, and finds the format that holds each result exactly.

    Attributes:
        layer: of the network, to which the operations that are added belong.
    """

    layer: str = ""
    operations: list[Operation] = field(default_factory=list)
    bounds: dict[str, Bounds] = field(default_factory=dict)

    def network(self, output: str) -> IntegerNetwork:
        """The network whose output is that of an operation; without what does not lead to it."""
        needed = {output}
        for operation in reversed(self.operations):
            if operation.name in needed:
                needed |= set(operation.sources)
        kept = tuple(o for o in self.operations if o.name in needed or isinstance(o, Input))
        return IntegerNetwork(kept, output)

    def operation(self, name: str) -> Operation:
        return next(o for o in self.operations if o.name == name)

    def input(self, name: str, shape: Shape, number: FixedFormat) -> str:
        low, high = (_filled(shape, code) for code in (number.min_code, number.max_code))
        return self._add(Input, name, (), Bounds(low, high, number.fraction), number=number)

    def dense(
        self,
        name: str,
        source: str,
        kernel: Constants,
        bias: Constants,
        *,
        product_fraction: int | None = None,
    ) -> str:
        """Weighted sums of a vector; kernel of shape (inputs, outputs).

        Args:
            product_fraction: each product is floored to so many fraction bits; None: none is.
        """
        x = self.bounds[source]
        low, high = self._sums((x.low[None], x.high[None]), kernel, bias, x.fraction)
        ends = low[0], high[0]
        return self._add_sums(name, source, (kernel, bias), ends, product_fraction, dense=True)

    def convolution(
        self,
        name: str,
        source: str,
        kernel: Constants,
        bias: Constants,
        *,
        strides: tuple[int, int] = (1, 1),
        padding: Padding = ((0, 0), (0, 0)),
        product_fraction: int | None = None,
    ) -> str:
        """Weighted sums over windows; kernel of shape (rows, columns, channels, outputs)."""
        size = kernel.codes.shape[:2]
        x = self.bounds[source]
        seen = [
            windows(end, size, strides, padding, 0).reshape(
                -1, int(np.prod(kernel.codes.shape[:3]))
            )
            for end in (x.low, x.high)
        ]
        flat = Constants(kernel.codes.reshape(-1, kernel.codes.shape[-1]), kernel.number)
        low, high = self._sums((seen[0], seen[1]), flat, bias, x.fraction)
        image = tuple(
            (x.low.shape[axis] + sum(padding[axis]) - size[axis]) // strides[axis] + 1
            for axis in (0, 1)
        )
        shape = (*image, kernel.codes.shape[-1])
        ends = (low.reshape(shape), high.reshape(shape))
        more = {"strides": strides, "padding": padding}
        return self._add_sums(name, source, (kernel, bias), ends, product_fraction, **more)

    def _sums(
        self, x: tuple[Any, Any], kernel: Constants, bias: Constants, fraction: int
    ) -> tuple[Any, Any]:
        """Lowest and highest sum of rows of x; in steps of the finer of products and bias."""
        weights = kernel.codes.astype(object)
        positive, negative = weights.clip(min=0), weights.clip(max=0)
        low, high = x
        grid = fraction + kernel.number.fraction
        fine = max(grid, bias.number.fraction)
        added = bias.codes.astype(object) * (1 << (fine - bias.number.fraction))
        return tuple(
            (a.astype(object) @ positive + b.astype(object) @ negative) * (1 << (fine - grid))
            + added
            for a, b in ((low, high), (high, low))
        )  # type: ignore[return-value]

    def _add_sums(
        self,
        name: str,
        source: str,
        constants: tuple[Constants, Constants],
        ends: tuple[Any, Any],
        product_fraction: int | None,
        **more: Any,
    ) -> str:
        kernel, bias = constants
        grid = self.bounds[source].fraction + kernel.number.fraction
        found = Bounds(*ends, max(grid, bias.number.fraction))
        if product_fraction is not None and product_fraction < grid:
            if bias.number.fraction > product_fraction:
                raise Refused(
                    f"layer '{self.layer}': its bias has more fraction bits than the "
                    f"{product_fraction} that are kept of products; take a coarser bias"
                )
            step = 1 << (found.fraction - product_fraction)
            products = kernel.codes.size // kernel.codes.shape[-1]
            found = Bounds(ends[0] // step - products, ends[1] // step, product_fraction)
        number = self._number(found)
        shape = ends[0].shape
        operation = WeightedSum(
            name, self.layer, (source,), shape, number, kernel, bias, number, **more
        )
        return self._append(operation, found)

    def scale(
        self,
        name: str,
        source: str,
        factor: Constants,
        offset: Constants,
        *,
        number: FixedFormat | None = None,
    ) -> str:
        """Factors and offsets; the result is exact, or cast to `number`."""
        x = self.bounds[source]
        shape = x.low.shape
        grid = x.fraction + factor.number.fraction
        fine = max(grid, offset.number.fraction)
        factors = np.broadcast_to(factor.codes.astype(object), shape) * (1 << (fine - grid))
        offsets = np.broadcast_to(offset.codes.astype(object), shape)
        offsets = offsets * (1 << (fine - offset.number.fraction))
        ends = [x.low * factors + offsets, x.high * factors + offsets]
        found = Bounds(np.minimum(*ends), np.maximum(*ends), fine)
        self._number(found)  # the sum itself is held somewhere
        if number is not None:
            found = cast_bounds(found, number)
        return self._add(Scale, name, (source,), found, number=number, factor=factor, offset=offset)

    def cast(self, name: str, source: str, number: FixedFormat, *, relu: bool = False) -> str:
        x = self.bounds[source]
        if relu:
            x = Bounds(np.maximum(x.low, 0), np.maximum(x.high, 0), x.fraction)
        found = cast_bounds(x, number)
        return self._add(Cast, name, (source,), found, number=number, relu=relu)

    def relu(self, name: str, source: str) -> str:
        """Negative numbers become zero; no other number changes."""
        x = self.bounds[source]
        found = Bounds(np.maximum(x.low, 0), np.maximum(x.high, 0), x.fraction)
        return self._add(Cast, name, (source,), found, relu=True)

    def max_pool(
        self,
        name: str,
        source: str,
        size: tuple[int, int],
        *,
        strides: tuple[int, int],
        padding: Padding = ((0, 0), (0, 0)),
    ) -> str:
        x = self.bounds[source]
        lowest = int(x.low.min())
        low, high = (
            windows(end, size, strides, padding, lowest).max(axis=(2, 3)) for end in (x.low, x.high)
        )
        return self._add(
            MaxPool,
            name,
            (source,),
            Bounds(low, high, x.fraction),
            number=self.operation(source).number.with_modes("TRN", "WRAP"),
            size=size,
            strides=strides,
            padding=padding,
        )

    def merge(self, name: str, sources: tuple[str, str], function: str) -> str:
        a, b = (self.bounds[source] for source in sources)
        if function == "multiply":
            products = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
            ends = np.minimum.reduce(products), np.maximum.reduce(products)
            fraction = a.fraction + b.fraction
        else:
            fraction = max(a.fraction, b.fraction)
            a, b = (_finer(x, fraction) for x in (a, b))
            ends = {
                "add": lambda: (a.low + b.low, a.high + b.high),
                "subtract": lambda: (a.low - b.high, a.high - b.low),
                "maximum": lambda: (np.maximum(a.low, b.low), np.maximum(a.high, b.high)),
                "minimum": lambda: (np.minimum(a.low, b.low), np.minimum(a.high, b.high)),
            }[function]()
        found = Bounds(*ends, fraction)
        return self._add(Merge, name, sources, found, function=function)

    def concatenate(self, name: str, sources: tuple[str, str], axis: int) -> str:
        both = [self.bounds[source] for source in sources]
        fraction = max(x.fraction for x in both)
        both = [_finer(x, fraction) for x in both]
        low, high = (
            np.concatenate([getattr(x, end) for x in both], axis=axis) for end in ("low", "high")
        )
        found = Bounds(low, high, fraction)
        return self._add(Concatenate, name, sources, found, axis=axis)

    def reshape(self, name: str, source: str, shape: Shape) -> str:
        x = self.bounds[source]
        found = Bounds(x.low.reshape(shape), x.high.reshape(shape), x.fraction)
        return self._add(Reshape, name, (source,), found, number=self.operation(source).number)

    def transpose(self, name: str, source: str, axes: tuple[int, ...]) -> str:
        x = self.bounds[source]
        found = Bounds(x.low.transpose(axes), x.high.transpose(axes), x.fraction)
        number = self.operation(source).number
        return self._add(Transpose, name, (source,), found, number=number, axes=axes)

    def pad(self, name: str, source: str, padding: Padding) -> str:
        x = self.bounds[source]
        sides = (*padding, (0, 0))
        found = Bounds(np.pad(x.low, sides), np.pad(x.high, sides), x.fraction)
        number = self.operation(source).number
        return self._add(Pad, name, (source,), found, number=number, padding=padding)

    def _add(
        self,
        kind: type[Operation],
        name: str,
        sources: tuple[str, ...],
        found: Bounds,
        *,
        number: FixedFormat | None = None,
        **more: Any,
    ) -> str:
        exact = number or self._number(found)
        return self._append(kind(name, self.layer, sources, found.low.shape, exact, **more), found)

    def _append(self, operation: Operation, found: Bounds) -> str:
        self.operations.append(operation)
        self.bounds[operation.name] = found
        return operation.name

    def _number(self, found: Bounds) -> FixedFormat:
        try:
            return found.number
        except ValueError as error:
            raise Refused(
                f"layer '{self.layer}': its exact results need {error}; bring what it reads to "
                "fewer bits by a QActivation before it, or take weights of fewer bits"
            ) from error


def windows(
    image: Any, size: tuple[int, ...], strides: tuple[int, int], padding: Padding, beside: Any
) -> Any:
    """What a sliding window sees of an image (..., rows, columns, channels): shape
    (..., rows, columns, *size, channels)."""
    lead = image.ndim - 3
    sides = ((0, 0),) * lead + (*padding, (0, 0))
    padded = np.pad(image, sides, constant_values=beside) if np.any(padding) else image
    seen = np.lib.stride_tricks.sliding_window_view(padded, size, axis=(lead, lead + 1))
    index = (slice(None),) * lead + (slice(None, None, strides[0]), slice(None, None, strides[1]))
    return np.moveaxis(seen[index], lead + 2, -1)


def cast_bounds(x: Bounds, number: FixedFormat) -> Bounds:
    """What remains of bounds in a format; all of its range where numbers may wrap."""
    low, high = (number.round(end, x.fraction) for end in (x.low, x.high))
    least, most = number.min_code, number.max_code
    if number.overflow in ("SAT", "SAT_SYM"):
        return Bounds(low.clip(least, most), high.clip(least, most), number.fraction)
    inside = ((low >= least) & (high <= most)).astype(bool)
    return Bounds(np.where(inside, low, least), np.where(inside, high, most), number.fraction)


def _filled(shape: Shape, code: int) -> Any:
    return np.full(shape, code, dtype=object)


def _finer(x: Bounds, fraction: int) -> Bounds:
    factor = 1 << (fraction - x.fraction)
    return Bounds(x.low * factor, x.high * factor, fraction)
