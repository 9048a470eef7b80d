"""Comparison of integer codes: it finds the first difference, and hides none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hw.foundation.fixed_point import FixedFormat
from testbench.comparison import (
    LayerTrace,
    codes_on_grid,
    common_grid,
    compare,
    first_differing_layer,
)

FORMAT = FixedFormat(9, 1, signed=False, rounding="RND_CONV", overflow="SAT")  # steps of 1/256
SIGNED = FixedFormat(8, 4)  # steps of 1/16


def test_equal_codes() -> None:
    codes = np.arange(12).reshape(4, 3)
    result = compare(codes, codes.copy(), list("abcd"))
    assert result.equal
    assert (result.vectors, result.mismatches, result.mismatching_codes) == (4, 0, 0)
    assert result.first is None


def test_the_first_difference_is_named() -> None:
    expected = np.zeros((4, 3), dtype=np.int64)
    found = expected.copy()
    found[2] = (0, 7, -1)
    found[3, 0] = 1
    result = compare(expected, found, list("abcd"))
    assert (result.mismatches, result.mismatching_codes) == (2, 3)
    first = result.first
    assert first is not None
    assert (first.vector, first.origin, first.output) == (2, "c", 1)
    assert (first.expected, first.found) == (0, 7)


@given(
    arrays(np.int64, (5, 4), elements=st.integers(-9, 9)),
    st.integers(0, 4),
    st.integers(0, 3),
    st.integers(-9, 9),
)
def test_any_single_change_is_found(codes: np.ndarray, row: int, column: int, value: int) -> None:
    changed = codes.copy()
    changed[row, column] = value
    result = compare(codes, changed, list("abcde"))
    assert result.equal == (value == codes[row, column])
    if result.first:
        assert (result.first.vector, result.first.output) == (row, column)


@pytest.mark.parametrize(
    ("expected", "found", "origins"),
    [
        (np.zeros((2, 3), int), np.zeros((1, 3), int), ["a", "b"]),
        (np.zeros((2, 3), int), np.zeros((2, 1), int), ["a", "b"]),
        (np.zeros((2, 3), int), np.zeros((2, 3), int), ["a"]),
        (np.zeros(3, int), np.zeros(3, int), ["a", "b", "c"]),
        (np.zeros((2, 3)), np.zeros((2, 3), int), ["a", "b"]),
    ],
)
def test_what_cannot_be_compared_is_refused(
    expected: np.ndarray, found: np.ndarray, origins: list[str]
) -> None:
    with pytest.raises(ValueError, match=r"cannot compare|must be integers"):
        compare(expected, found, origins)


def test_the_grid_is_the_formats_where_that_holds_all_values() -> None:
    assert common_grid(FORMAT, FORMAT.to_values(np.arange(512))) == 8
    assert common_grid(FORMAT, [-1.5, 700.0]) == 8  # out of range, yet on the grid


def test_a_value_between_two_codes_makes_the_grid_finer() -> None:
    assert common_grid(FORMAT, [0.5, 2.0**-10]) == 10
    assert codes_on_grid([0.5, 2.0**-10], 10).tolist() == [512, 1]


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.1, 2.0**-50])
def test_values_without_an_integer_code_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"finite|fraction bits"):
        common_grid(FORMAT, [1.0, value])


def test_codes_are_never_rounded() -> None:
    with pytest.raises(ValueError, match="not a multiple"):
        codes_on_grid([0.3], 8)
    with pytest.raises(ValueError, match="62 bits"):
        codes_on_grid([2.0**60], 8)


def trace(layer: str, *codes: int) -> LayerTrace:
    return LayerTrace(layer, SIGNED, np.array(codes))


def test_the_first_differing_layer() -> None:
    expected = {"conv": np.array([[0.5, 1.0]]), "dense": np.array([2.0]), "out": np.array([3.0])}
    good = [trace("conv", 8, 16), trace("dense", 32), trace("out", 48)]
    assert first_differing_layer(expected, good) is None
    bad = [trace("conv", 8, 16), trace("dense", 33), trace("out", 50)]
    found = first_differing_layer(expected, bad)
    assert found is not None
    assert (found.position, found.layer, found.element) == (1, "dense", 0)
    assert (found.differing, found.expected, found.found, found.fraction) == (1, 32, 33, 4)


def test_a_layer_that_lost_fraction_bits_differs() -> None:
    expected = {"conv": np.array([0.5, 1.0 + 1 / 64])}  # 1/64 is finer than the format's 1/16
    found = first_differing_layer(expected, [trace("conv", 8, 16)])
    assert found is not None
    assert (found.element, found.expected, found.found, found.fraction) == (1, 65, 64, 6)


def test_layers_that_the_reference_does_not_have_are_passed_over() -> None:
    expected = {"conv": np.array([0.5])}
    traces = [trace("padding", 1, 2, 3), trace("conv", 9)]
    found = first_differing_layer(expected, traces)
    assert found is not None
    assert (found.position, found.layer) == (1, "conv")


def test_a_layer_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="layer 'conv' has 1 numbers, expected 2"):
        first_differing_layer({"conv": np.zeros(2)}, [trace("conv", 0)])
