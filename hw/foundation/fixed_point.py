"""Fixed-point number formats in pure NumPy, in the notation of HLS tools.

`fixed<W,I,Q,O>` (signed) and `ufixed<W,I,Q,O>` (unsigned) hold W bits of which I are integer bits
(the sign included), so a code c stands for the value c * 2**(I - W).  Q is the rounding and O the
overflow mode of the Algorithmic C (ac_fixed) and Xilinx (ap_fixed) data types:

Q   TRN       towards minus infinity            O   WRAP      keep the low W bits
    TRN_ZERO  towards zero                          SAT       clip to the range
    RND       nearest, ties towards plus infinity   SAT_SYM   clip to a symmetric range
    RND_CONV  nearest, ties to the even code        SAT_ZERO  zero where out of range
    RND_INF   nearest, ties away from zero
    RND_ZERO  nearest, ties towards zero
    RND_MIN_INF  nearest, ties towards minus infinity
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


def _nearest_ties_to_zero(x: Values) -> Values:
    return np.sign(x) * np.ceil(np.abs(x) - 0.5)


_ROUNDING: dict[str, Callable[[Values], Values]] = {
    "TRN": np.floor,
    "TRN_ZERO": np.trunc,
    "RND": lambda x: np.floor(x + 0.5),
    "RND_CONV": np.rint,
    "RND_INF": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "RND_ZERO": _nearest_ties_to_zero,
    "RND_MIN_INF": lambda x: np.ceil(x - 0.5),
}
# whether the next integer above `floor` is taken, for a rest in units where a step is 2 * half
_ROUNDED_UP: dict[str, Callable[..., Any]] = {
    "TRN": lambda floor, rest, half, negative: rest < 0,
    "TRN_ZERO": lambda floor, rest, half, negative: negative & (rest > 0),
    "RND": lambda floor, rest, half, negative: rest >= half,
    "RND_CONV": lambda floor, rest, half, negative: (
        (rest > half) | ((rest == half) & (floor % 2 == 1))
    ),
    "RND_INF": lambda floor, rest, half, negative: (rest > half) | ((rest == half) & ~negative),
    "RND_ZERO": lambda floor, rest, half, negative: (rest > half) | ((rest == half) & negative),
    "RND_MIN_INF": lambda floor, rest, half, negative: rest > half,
}
_OVERFLOW = ("WRAP", "SAT", "SAT_SYM", "SAT_ZERO")
_NOTATION = re.compile(r"^(?:a[pc]_)?(?P<kind>u?fixed|u?int)<\s*(?P<args>[^>]*)>$")


@dataclass(frozen=True)
class FixedFormat:
    """One fixed-point format.

    Attributes:
        width: all bits W, the sign included.
        integer: integer bits I, the sign included; may be negative or above W.
        signed: two's complement if true.
        rounding: name of the rounding mode Q (table above).
        overflow: name of the overflow mode O (table above).

    Raises:
        ValueError: width below 1, or an unknown mode.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: str = "TRN"
    overflow: str = "WRAP"

    def __post_init__(self) -> None:
        if self.width < 1 or self.width > 62:
            raise ValueError(f"width must be 1 to 62 bits, found {self.width}")
        if self.rounding not in _ROUNDING:
            raise ValueError(f"unknown rounding '{self.rounding}'; known: {', '.join(_ROUNDING)}")
        if self.overflow not in _OVERFLOW:
            raise ValueError(f"unknown overflow '{self.overflow}'; known: {', '.join(_OVERFLOW)}")

    @property
    def fraction(self) -> int:
        """Fraction bits W - I."""
        return self.width - self.integer

    @property
    def step(self) -> float:
        """Value of the least significant bit."""
        return float(2.0**-self.fraction)

    @property
    def min_code(self) -> int:
        if not self.signed:
            return 0
        lowest = -(1 << (self.width - 1))
        return lowest + 1 if self.overflow == "SAT_SYM" else lowest

    @property
    def max_code(self) -> int:
        return (1 << (self.width - self.signed)) - 1

    @property
    def min_value(self) -> float:
        return self.min_code * self.step

    @property
    def max_value(self) -> float:
        return self.max_code * self.step

    def to_codes(self, values: Any) -> Codes:
        """Round and limit real `values` (any shape) to integer codes of this format.

        Exact for |value| * 2**fraction below 2**52, where float64 still holds every half step.
        """
        scaled = np.asarray(values, dtype=np.float64) * 2.0**self.fraction
        return self._limit(_ROUNDING[self.rounding](scaled))

    def to_values(self, codes: Any) -> Values:
        """The real values that integer `codes` stand for."""
        return np.asarray(codes, dtype=np.float64) * self.step

    def cast(self, codes: Any, fraction: int) -> Any:
        """Codes of this format for integers `codes` with `fraction` fraction bits, exactly.

        Shape and kind are kept: int64, whose numbers must fit at the finer of both fractions, or
        Python's integers (object arrays) of any size.
        """
        return self.limit(self.round(codes, fraction))

    def round(self, codes: Any, fraction: int) -> Any:
        """Integers with `fraction` fraction bits rounded to those of this format, not limited."""
        lost = fraction - self.fraction
        if lost <= 0:
            return codes * (1 << -lost)
        half = 1 << (lost - 1)
        floor = codes // (1 << lost)
        rest = codes - floor * (1 << lost)
        return floor + _ROUNDED_UP[self.rounding](floor, rest, half, codes < 0).astype(np.int64)

    def limit(self, codes: Any) -> Any:
        """Integers of any size brought into the range of this format's codes."""
        if self.overflow in ("SAT", "SAT_SYM"):
            return np.clip(codes, self.min_code, self.max_code)
        if self.overflow == "SAT_ZERO":
            return np.where((codes >= self.min_code) & (codes <= self.max_code), codes, 0)
        return (codes - self.min_code) % (1 << self.width) + self.min_code

    def quantise(self, values: Any) -> Values:
        """Nearest representable values, in the sense of this format's modes."""
        return self.to_values(self.to_codes(values))

    def represents(self, values: Any) -> bool:
        """True if every one of `values` is exactly a code of this format."""
        values = np.asarray(values, dtype=np.float64)
        return bool(np.array_equal(self.quantise(values), values))

    def _limit(self, rounded: Values) -> Codes:
        if self.overflow in ("SAT", "SAT_SYM"):
            return np.clip(rounded, self.min_code, self.max_code).astype(np.int64)
        if self.overflow == "SAT_ZERO":
            inside = (rounded >= self.min_code) & (rounded <= self.max_code)
            return np.where(inside, rounded, 0).astype(np.int64)
        wrapped = np.mod(rounded - self.min_code, float(1 << self.width))
        return wrapped.astype(np.int64) + self.min_code

    def with_modes(self, rounding: str, overflow: str) -> "FixedFormat":
        """This format with other rounding and overflow modes."""
        return replace(self, rounding=rounding, overflow=overflow)

    def __str__(self) -> str:
        text = f"{'' if self.signed else 'u'}fixed<{self.width},{self.integer}"
        if (self.rounding, self.overflow) != ("TRN", "WRAP"):
            text += f",{self.rounding},{self.overflow}"
        return text + ">"


def parse_format(text: str) -> FixedFormat:
    """Read `fixed<8,1>`, `ap_ufixed<9,1,AP_RND_CONV,AP_SAT,0>`, `ac_fixed<6,1,true>`, `uint<4>`.

    Raises:
        ValueError: the text is in none of these notations.
    """
    match = _NOTATION.match(text.strip())
    if not match:
        raise ValueError(f"'{text}' is no fixed-point type such as 'ufixed<9,1,RND,SAT>'")
    kind = match["kind"]
    arguments = [part.strip() for part in match["args"].split(",") if part.strip()]
    signed = not kind.startswith("u")
    modes = [
        part.removeprefix("AP_").removeprefix("AC_")
        for part in arguments
        if not re.fullmatch(r"-?\d+|true|false", part)
    ]
    numbers = [int(part) for part in arguments if re.fullmatch(r"-?\d+", part)]
    if "false" in arguments:
        signed = False
    if not numbers or (kind.endswith("fixed") and len(numbers) < 2):
        raise ValueError(f"'{text}' lacks its width or integer bits")
    integer = numbers[1] if kind.endswith("fixed") else numbers[0]
    return FixedFormat(numbers[0], integer, signed, *modes)
