"""Comparing two forms of a network: integer codes only, and the first difference by name.

Used at every level (C++, RTL, netlist) with Keras or the golden model as the expected form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.foundation.fixed_point import Codes, FixedFormat

_MOST_FRACTION_BITS = 40


@dataclass(frozen=True)
class Difference:
    """The first code in which two forms differ.

    Attributes:
        vector: index of the vector in the whole run.
        origin: what that vector is: `validation module 17`, `cell 3 alone at max`.
        output: index of the output (flat).
        expected: code of the reference.
        found: code of the form under test.
    """

    vector: int
    origin: str
    output: int
    expected: int
    found: int


@dataclass(frozen=True)
class Comparison:
    """The result of comparing many vectors.

    Attributes:
        vectors: vectors compared.
        mismatches: vectors that differ in any output.
        mismatching_codes: outputs that differ, over all vectors.
        first: the first of them, or None.
    """

    vectors: int
    mismatches: int
    mismatching_codes: int
    first: Difference | None

    @property
    def equal(self) -> bool:
        return self.mismatches == 0


@dataclass(frozen=True)
class LayerDifference:
    """The first layer whose result differs, for one vector.

    Attributes:
        position: place of the layer in the order of computation, from 0.
        layer: its name.
        element: flat index of the first differing number of its result.
        differing: how many of its numbers differ.
        expected, found: both codes, on the grid `2**-fraction`.
        fraction: fraction bits of that grid.
    """

    position: int
    layer: str
    element: int
    differing: int
    expected: int
    found: int
    fraction: int


@dataclass(frozen=True)
class LayerTrace:
    """The result of one layer for one vector, as the form under test computed it."""

    layer: str
    number_format: FixedFormat
    codes: Codes


def in_words(first: Difference) -> str:
    """The first difference: which vector and output, and both codes."""
    return (
        f"first difference: vector {first.vector} ({first.origin}), output {first.output}: "
        f"expected code {first.expected}, found {first.found}"
    )


def compare(expected: Codes, found: Codes, origins: Sequence[str]) -> Comparison:
    """Compare integer codes of shape (n, outputs); `origins` names the n vectors.

    Raises:
        ValueError: the two do not have as many vectors and outputs, or are no integers.
    """
    if expected.shape != found.shape or expected.ndim != 2 or len(expected) != len(origins):
        raise ValueError(
            f"cannot compare codes of shape {expected.shape} with {found.shape} "
            f"({len(origins)} origins)"
        )
    if not all(np.issubdtype(codes.dtype, np.integer) for codes in (expected, found)):
        raise ValueError(f"codes must be integers, found {expected.dtype} and {found.dtype}")
    differs = expected != found
    count = int(differs.sum())
    first = None
    if count:
        vector, output = (int(i) for i in np.argwhere(differs)[0])
        first = Difference(
            vector,
            origins[vector],
            output,
            int(expected[vector, output]),
            int(found[vector, output]),
        )
    return Comparison(len(expected), int(differs.any(axis=1).sum()), count, first)


def common_grid(number: FixedFormat, values: npt.ArrayLike) -> int:
    """Fraction bits of the coarsest grid that holds the codes of `number` and all of `values`.

    That is `number.fraction` where the values are codes of the format, as they should be.  A value
    between two codes, or out of range, must count as a difference and not be rounded away.

    Raises:
        ValueError: a value that is not finite, or has more than 40 fraction bits.
    """
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite")
    for fraction in range(number.fraction, max(number.fraction, _MOST_FRACTION_BITS) + 1):
        scaled = values * 2.0**fraction
        if np.array_equal(scaled, np.rint(scaled)):
            return fraction
    raise ValueError(f"a value needs more than {_MOST_FRACTION_BITS} fraction bits")


def codes_on_grid(values: npt.ArrayLike, fraction: int) -> Codes:
    """Integer codes of real `values` on the grid `2**-fraction`, which must hold them.

    Raises:
        ValueError: a value is not on the grid, or its code has more than 62 bits.
    """
    scaled = np.asarray(values, dtype=np.float64) * 2.0**fraction
    if not np.array_equal(scaled, np.rint(scaled)):
        raise ValueError(f"a value is not a multiple of 2**-{fraction}")
    if np.abs(scaled).max(initial=0) >= 2.0**62:
        raise ValueError("a code has more than 62 bits")
    return scaled.astype(np.int64)


def first_differing_layer(
    expected: Mapping[str, npt.NDArray], traces: Sequence[LayerTrace]
) -> LayerDifference | None:
    """The first traced layer whose numbers are not those that the reference gives.

    Args:
        expected: the reference's real values of each layer for the same vector; layers that it
            does not have are passed over.
        traces: results of the form under test, in the order of computation.

    Raises:
        ValueError: a layer has not as many numbers in both forms.
    """
    for position, trace in enumerate(traces):
        if trace.layer not in expected:
            continue
        values = np.asarray(expected[trace.layer], dtype=np.float64).ravel()
        if values.size != trace.codes.size:
            raise ValueError(
                f"layer '{trace.layer}' has {trace.codes.size} numbers, expected {values.size}"
            )
        fraction = common_grid(trace.number_format, values)
        wanted = codes_on_grid(values, fraction)
        found = trace.codes.ravel() << (fraction - trace.number_format.fraction)
        differing = np.flatnonzero(wanted != found)
        if differing.size:
            element = int(differing[0])
            return LayerDifference(
                position,
                trace.layer,
                element,
                int(differing.size),
                int(wanted[element]),
                int(found[element]),
                fraction,
            )
    return None
