"""The bits that a quantised encoder's weights are stored in, and the weights after flips of them.

A weight of a format of W bits is stored as W bits, in two's complement where the format is signed;
bit 0 is the lowest.  A flip may give a code that no training gives, such as the lowest one of a
symmetric format.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hw.foundation.fixed_point import FixedFormat

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class WeightArray:
    """One array of weights.

    Attributes:
        layer, part: `conv2d_0_m` and `kernel`, for example.
        format: of each weight.
        codes: in Keras's shape; the last axis is the layer's outputs.
    """

    layer: str
    part: str
    format: FixedFormat
    codes: Codes

    @property
    def name(self) -> str:
        return f"{self.layer}/{self.part}"

    def index(self, element: int) -> tuple[int, ...]:
        """Where an element of the flat array stands in Keras's shape."""
        return tuple(int(at) for at in np.unravel_index(element, self.codes.shape))


def flipped(codes: Codes, bits: npt.NDArray[np.integer], number: FixedFormat) -> Codes:
    """Codes after a flip of one bit each; `codes` and `bits` are broadcast."""
    return masked_flips(codes, np.int64(1) << np.asarray(bits, np.int64), number)


def masked_flips(codes: Codes, masks: npt.NDArray[np.int64], number: FixedFormat) -> Codes:
    """Codes after flips of all bits that are set in `masks`; both are broadcast."""
    unsigned = (codes & ((1 << number.width) - 1)) ^ masks
    if not number.signed:
        return unsigned
    return np.where(unsigned >> (number.width - 1), unsigned - (1 << number.width), unsigned)


@dataclass(frozen=True, eq=False)
class StoredBits:
    """All stored bits of an encoder, in the order of its arrays, elements and bits.

    Attributes:
        arrays: of the weights, in the order of the layers.
    """

    arrays: tuple[WeightArray, ...]

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """The number of the first bit of each array, and the number of all bits at the end."""
        sizes = [array.codes.size * array.format.width for array in self.arrays]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def number(self, array: int, elements: npt.NDArray, bits: npt.NDArray) -> npt.NDArray[np.int64]:
        """The numbers of bits of an array's elements; `elements` and `bits` are broadcast."""
        return self.starts[array] + elements * self.arrays[array].format.width + bits

    @cached_property
    def array(self) -> npt.NDArray[np.int64]:
        """The array that each bit is of, shape (bits,)."""
        return np.repeat(np.arange(len(self.arrays)), np.diff(self.starts))

    @cached_property
    def _widths(self) -> npt.NDArray[np.int64]:
        return np.array([array.format.width for array in self.arrays])[self.array]

    @cached_property
    def element(self) -> npt.NDArray[np.int64]:
        """The flat element of its array that each bit is of, shape (bits,)."""
        return (np.arange(len(self)) - self.starts[self.array]) // self._widths

    @cached_property
    def bit(self) -> npt.NDArray[np.int64]:
        """The place of each bit in its weight, 0 the lowest, shape (bits,)."""
        return (np.arange(len(self)) - self.starts[self.array]) % self._widths

    @cached_property
    def from_top(self) -> npt.NDArray[np.int64]:
        """The place of each bit counted from the highest (0: the sign), shape (bits,)."""
        return self._widths - 1 - self.bit

    @cached_property
    def change(self) -> npt.NDArray[np.float64]:
        """By how much the value of its weight changes when a bit flips, shape (bits,)."""
        found = np.empty(len(self))
        for index, array in enumerate(self.arrays):
            where = slice(self.starts[index], self.starts[index + 1])
            codes = array.codes.ravel()[self.element[where]]
            after = flipped(codes, self.bit[where], array.format)
            found[where] = (after - codes) * array.format.step
        return found

    def with_flips(self, flips: npt.NDArray[np.bool_]) -> tuple[Codes, ...]:
        """The codes of all arrays after flips of the bits that are True, shape (bits,)."""
        found = []
        for index, array in enumerate(self.arrays):
            width = array.format.width
            of_array = flips[self.starts[index] : self.starts[index + 1]].reshape(-1, width)
            masks = of_array @ (np.int64(1) << np.arange(width))
            codes = masked_flips(array.codes.ravel(), masks, array.format)
            found.append(codes.reshape(array.codes.shape))
        return tuple(found)


def stored_bits(
    codes: Mapping[str, Codes], formats: Mapping[str, FixedFormat], names: Sequence[str] = ()
) -> StoredBits:
    """The stored bits of weights given by `<layer>/<part>`.

    Args:
        codes, formats: of `models.networks.number_formats`.
        names: those to take; all where it is empty.
    """
    arrays = []
    for name in names or codes:
        layer, part = name.rsplit("/", 1)
        arrays.append(WeightArray(layer, part, formats[name], codes[name]))
    return StoredBits(tuple(arrays))


@dataclass(frozen=True)
class Block:
    """Bits that are measured together: of one output of a layer, its bias included.

    Attributes:
        layer: name of the layer.
        output: which of its outputs (filter, neuron or latent).
        bits: their numbers in `FlippableEncoder.bits`.
    """

    layer: str
    output: int
    bits: npt.NDArray[np.int64]
