"""Signed digits against the definition: the fewest powers of two that add up to an integer."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.networks.signed_digits import cheaper_codes, signed_digits


@cache
def fewest_digits(value: int) -> int:
    """By trying: an odd number has a digit 1 or -1 at its lowest place, an even one has none."""
    value = abs(value)
    if value < 2:
        return value
    if value % 2 == 0:
        return fewest_digits(value // 2)
    return 1 + min(fewest_digits((value - 1) // 2), fewest_digits((value + 1) // 2))


def test_all_sums_of_up_to_three_powers_of_two() -> None:
    """Every integer of up to 8 bits, by brute force over the sums themselves."""
    powers = [sign << place for place in range(11) for sign in (1, -1)]
    found = {0: 0}
    for count in (1, 2, 3, 4, 5):
        for value in [value for value, digits in found.items() if digits == count - 1]:
            for power in powers:
                found.setdefault(value + power, count)
    codes = np.arange(-256, 257)
    expected = [found[code] for code in codes.tolist()]
    assert signed_digits(codes).tolist() == expected
    assert [fewest_digits(code) for code in codes.tolist()] == expected


@given(st.lists(st.integers(-(2**60) + 1, 2**60 - 1), min_size=1))
def test_long_integers_and_any_shape(values: list[int]) -> None:
    counted = signed_digits(np.array(values, dtype=np.int64)[:, None])
    assert counted.shape == (len(values), 1)
    assert counted.ravel().tolist() == [fewest_digits(value) for value in values]


@given(st.integers(-(2**50), 2**50), st.integers(0, 9))
def test_shifts_and_signs_cost_nothing(value: int, places: int) -> None:
    one, *others = signed_digits([value, -value, value << places]).tolist()
    assert others == [one, one]


def test_what_is_too_long_is_refused() -> None:
    for value in (2**60, -(2**60), -(2**63)):
        with pytest.raises(ValueError, match=r"2\*\*60"):
            signed_digits([value])


@given(st.integers(-300, 300), st.integers(0, 300))
def test_cheaper_codes_are_the_nearest_ones_of_the_format(low: int, size: int) -> None:
    high = low + size
    tables = cheaper_codes(low, high)
    for row, code in enumerate(range(low, high + 1)):
        digits = fewest_digits(code)
        below = [c for c in range(low, code) if fewest_digits(c) < digits]
        above = [c for c in range(code + 1, high + 1) if fewest_digits(c) < digits]
        assert tables.digits[row] == digits
        assert tables.below[row] == max(below, default=code)
        assert tables.above[row] == min(above, default=code)
