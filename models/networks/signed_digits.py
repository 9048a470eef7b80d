"""Signed digits of integers: how many additions a product with a constant takes.

In canonical signed digits (the non-adjacent form) an integer is a sum of powers of two and their
negatives, as few as can be (Reitwiesner, Advances in Computers 1, 1960).  Wired in, each of them is
a shifted copy of the other factor that an adder takes in.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]

_MOST_BITS = 60  # three times the integer must fit in 64 bits


def signed_digits(codes: npt.ArrayLike) -> Codes:
    """Least number of powers of two, each added or subtracted, whose sum is the integer.

    Args:
        codes: integers of any shape, of magnitude below 2**60.

    Raises:
        ValueError: one is not below that.
    """
    size = np.abs(np.asarray(codes, dtype=np.int64))
    if (size < 0).any() or (size >> _MOST_BITS).any():
        raise ValueError(f"a magnitude of 2**{_MOST_BITS} or more")
    # the bits in which n and 3 n differ are the digits of 2 n that are not 0
    return np.bitwise_count(size ^ 3 * size).astype(np.int64)


@dataclass(frozen=True)
class CheaperCodes:
    """To each code of a number format the nearest ones of fewer signed digits.

    Attributes:
        low: the smallest code; all arrays begin with it.
        digits: signed digits of each code.
        below, above: the nearest code of fewer digits on each side; the code itself where there is
            none in the format.
    """

    low: int
    digits: Codes
    below: Codes
    above: Codes


def cheaper_codes(low: int, high: int) -> CheaperCodes:
    """The tables of all codes from `low` to `high`, both included."""
    codes = np.arange(low, high + 1, dtype=np.int64)
    digits = signed_digits(codes)
    below, above = codes.copy(), codes.copy()
    for count in np.unique(digits)[1:]:
        dear, cheap = digits == count, codes[digits < count]
        place = np.searchsorted(cheap, codes[dear])
        below[dear] = np.where(place > 0, cheap[place - 1], codes[dear])
        inside = place < len(cheap)
        above[dear] = np.where(inside, cheap[place.clip(max=len(cheap) - 1)], codes[dear])
    return CheaperCodes(low, digits, below, above)
