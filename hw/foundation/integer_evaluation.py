"""Exact evaluation of a network in integers: what every form of it must equal, code for code."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hw.foundation.fixed_point import Codes, FixedFormat
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
    windows,
)

_FLOAT64_DIGITS = 53
_FLOAT32_INTEGERS = 2.0**24
_MERGES = {
    "add": np.add,
    "subtract": np.subtract,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "multiply": np.multiply,
}


def evaluate(network: IntegerNetwork, inputs: npt.NDArray) -> Codes:
    """Output codes, shape (n, *output shape), for real inputs.

    Args:
        inputs: shape (n, ...): the numbers of all inputs, one input after the other.
    """
    return all_results(network, inputs)[network.output]


def all_results(network: IntegerNetwork, inputs: npt.NDArray) -> dict[str, Codes]:
    """Codes of every operation's result by its name, shape (n, *shape)."""
    flat = np.asarray(inputs, dtype=np.float64).reshape(len(inputs), -1)
    if flat.shape[1] != network.input_size:
        raise ValueError(
            f"vectors of {flat.shape[1]} numbers for a network with {network.input_size} inputs"
        )
    results: dict[str, Codes] = {}
    formats = {operation.name: operation.number for operation in network.operations}
    start = 0
    for operation in network.operations:
        if isinstance(operation, Input):
            end = start + int(np.prod(operation.shape))
            codes = operation.number.to_codes(flat[:, start:end])
            results[operation.name] = codes.reshape(len(flat), *operation.shape)
            start = end
            continue
        sources = [results[name] for name in operation.sources]
        found = _apply(operation, sources, [formats[name] for name in operation.sources])
        results[operation.name] = found.reshape(len(flat), *operation.shape)
    return results


def _apply(operation: Operation, x: Sequence[Codes], formats: Sequence[FixedFormat]) -> Codes:
    number = operation.number
    match operation:
        case WeightedSum():
            return _weighted_sums(operation, x[0], formats[0])
        case Scale():
            factor, offset = operation.factor, operation.offset
            grid = formats[0].fraction + factor.number.fraction
            fine = max(grid, offset.number.fraction)
            total = (x[0] * factor.codes << (fine - grid)) + (
                offset.codes << (fine - offset.number.fraction)
            )
            return number.cast(total, fine)
        case Cast():
            values = np.maximum(x[0], 0) if operation.relu else x[0]
            return number.cast(values, formats[0].fraction)
        case MaxPool():
            lowest = np.iinfo(np.int64).min
            seen = windows(x[0], operation.size, operation.strides, operation.padding, lowest)
            return number.cast(seen.max(axis=(3, 4)), formats[0].fraction)
        case Merge(function="multiply"):
            return number.cast(x[0] * x[1], formats[0].fraction + formats[1].fraction)
        case Merge():
            fine = max(f.fraction for f in formats)
            aligned = [a << (fine - f.fraction) for a, f in zip(x, formats, strict=True)]
            return number.cast(_MERGES[operation.function](*aligned), fine)
        case Concatenate():
            parts = [number.cast(a, f.fraction) for a, f in zip(x, formats, strict=True)]
            return np.concatenate(parts, axis=operation.axis + 1)
        case Reshape():
            return x[0]
        case Transpose():
            return x[0].transpose(0, *(axis + 1 for axis in operation.axes))
        case Pad():
            return np.pad(x[0], ((0, 0), *operation.padding, (0, 0)))
    raise TypeError(f"{type(operation).__name__} is no operation")


def _weighted_sums(operation: WeightedSum, x: Codes, number: FixedFormat) -> Codes:
    kernel, bias, accumulator = operation.kernel, operation.bias, operation.accumulator
    outputs = kernel.codes.shape[-1]
    weights = kernel.codes.reshape(-1, outputs)
    if not operation.dense:
        size = kernel.codes.shape[:2]
        x = windows(x, size, operation.strides, operation.padding, 0)
        lead = x.shape[:3]
    else:
        lead = x.shape[:1]
    rows = x.reshape(-1, len(weights))
    grid = number.fraction + kernel.number.fraction
    added = accumulator.cast(bias.codes, bias.number.fraction)
    if grid <= accumulator.fraction:
        total = exact_product(rows, weights) << (accumulator.fraction - grid)
    else:
        total = np.zeros((len(rows), outputs), np.int64)
        for column, row in zip(rows.T, weights, strict=True):
            total += accumulator.round(column[:, None] * row, grid)
    total = accumulator.limit(total + added)
    return operation.number.cast(total, accumulator.fraction).reshape(*lead, outputs)


def exact_product(a: Codes, b: Codes) -> Codes:
    """Matrix product of integers; through float64, which is faster, where that is exact."""
    largest = float(np.abs(a).max(initial=0)) * float(np.abs(b).sum(axis=0).max(initial=0))
    if largest < 2.0**_FLOAT64_DIGITS:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    return a @ b


def held_by_float32(network: IntegerNetwork) -> bool:
    """Whether float32 holds every product and sum exactly, in whatever order it is added up."""
    formats = {operation.name: operation.number for operation in network.operations}
    return all(
        _largest(operation, [formats[name] for name in operation.sources]) <= _FLOAT32_INTEGERS
        for operation in network.operations
    )


def _largest(operation: Operation, formats: Sequence[FixedFormat]) -> float:
    """The largest integer that a computation meets, in steps of its finest number."""
    most = [max(-number.min_code, number.max_code) for number in formats]
    match operation:
        case Input():  # and what the quantiser subtracts from it
            return 4.0 * max(-operation.number.min_code, operation.number.max_code)
        case WeightedSum():
            kernel, bias = operation.kernel, operation.bias
            weights = np.abs(kernel.codes.reshape(-1, kernel.codes.shape[-1])).astype(np.float64)
            grid = formats[0].fraction + kernel.number.fraction
            fine = max(grid, bias.number.fraction)
            sums = weights.sum(axis=0) * most[0] * 2.0 ** (fine - grid)
            sums += np.abs(bias.codes) * 2.0 ** (fine - bias.number.fraction)
            return float(sums.max(initial=0))
        case Scale():
            factor, offset = operation.factor, operation.offset
            grid = formats[0].fraction + factor.number.fraction
            fine = max(grid, offset.number.fraction)
            product = most[0] * float(np.abs(factor.codes).max()) * 2.0 ** (fine - grid)
            return product + float(np.abs(offset.codes).max()) * 2.0 ** (
                fine - offset.number.fraction
            )
        case Merge(function="multiply"):
            return float(most[0]) * most[1]
        case _:
            fine = max(number.fraction for number in formats)
            pairs = zip(formats, most, strict=True)
            return sum(code * 2.0 ** (fine - number.fraction) for number, code in pairs)
