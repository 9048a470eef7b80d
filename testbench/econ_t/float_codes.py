"""The chip's unsigned floating-point codes: a few exponent bits, then a few mantissa bits.

With m mantissa bits a code e << m | f stands for f where e = 0, else for (2**m + f) << (e - 1):
codes up to 2**(m+1) - 1 are exact integers, larger values keep the m bits after their leading one.
Encoding truncates and saturates.  Source: CMS ECON-T emulator (encode/decode), see
docs/econ_t_formats.md.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FloatCode:
    """One code of `exponent` and `mantissa` bits, named 4E3M and so on by the collaboration."""

    exponent: int
    mantissa: int

    @property
    def bits(self) -> int:
        """Bits of one code."""
        return self.exponent + self.mantissa

    @property
    def max_code(self) -> int:
        """The code that larger values saturate to."""
        return (1 << self.bits) - 1

    def encode(self, values: Any, drop: int = 0) -> Integers:
        """Codes of integer `values` >= 0 (any shape) after `drop` low bits are cut off."""
        values = np.asarray(values, dtype=np.int64) >> drop
        exponent = np.maximum(floor_log2(values) - self.mantissa + 1, 0)
        shifted = values >> np.maximum(exponent - 1, 0)
        fraction = np.where(exponent > 0, shifted - (1 << self.mantissa), shifted)
        return np.minimum((exponent << self.mantissa) + fraction, self.max_code)

    def decode(self, codes: Any, drop: int = 0) -> Integers:
        """Integer values of `codes`, raised by `drop` bits: the lower edge of each code's bin."""
        exponent, fraction = self._split(codes)
        leading = np.where(exponent > 0, 1 << self.mantissa, 0)
        return ((leading + fraction) << np.maximum(exponent - 1, 0)) << drop

    def decode_centre(self, codes: Any, drop: int = 0) -> Integers:
        """As `decode`, raised by half of the code's bin (so code 0 decodes to (1 << drop) // 2)."""
        exponent, _ = self._split(codes)
        return self.decode(codes, drop) + ((1 << (np.maximum(exponent - 1, 0) + drop)) >> 1)

    def _split(self, codes: Any) -> tuple[Integers, Integers]:
        codes = np.asarray(codes, dtype=np.int64)
        return codes >> self.mantissa, codes & ((1 << self.mantissa) - 1)


def floor_log2(values: Integers) -> Integers:
    """Position of the leading one of integers below 2**53; -1 for 0."""
    _, exponent = np.frexp(values.astype(np.float64))  # value = m * 2**exponent, m in [0.5, 1)
    return exponent.astype(np.int64) - 1


CHARGE = FloatCode(4, 3)  # one trigger cell's charge, on input and output links
SUM_8_BIT = FloatCode(5, 3)  # module sum of threshold sum and best choice
SUM_9_BIT = FloatCode(5, 4)  # module sum of the autoencoder; super trigger cells
