"""A frame: what the chip sends for one bunch crossing, as fields packed from the first bit on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from testbench.econ_t.links import LINK_BITS, OUTPUT_LINKS
from testbench.econ_t.registers import Chip

WORD_BITS = 16
FRAME_WORDS = OUTPUT_LINKS * LINK_BITS // WORD_BITS

Integers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Field:
    """One field of a frame: `width` bits from bit `first` on (bit 0 is sent first)."""

    name: str
    first: int
    width: int


@dataclass(frozen=True)
class Column:
    """The values of one field, shape (n,), or of equal fields, shape (n, k).

    Equal fields are named `name 0` and so on, or `name k - 1` down to `name 0` where they are
    `descending`; `values` are in the order sent.
    """

    name: str
    width: int
    values: Integers
    descending: bool = False


@dataclass(frozen=True)
class Frames:
    """The frames of n bunch crossings.

    Attributes:
        words: 16-bit words, shape (n, 26), the unused ones 0.
        lengths: words in use, shape (n,).
        layouts: the fields of each BX's frame.
    """

    words: Integers
    lengths: Integers
    layouts: Sequence[tuple[Field, ...]]


def layout_of(columns: Sequence[Column]) -> tuple[Field, ...]:
    """The fields of one frame in which `columns` follow each other."""
    fields, first = [], 0
    for column in columns:
        repeats = column.values.shape[1] if column.values.ndim > 1 else None
        for index in range(1 if repeats is None else repeats):
            number = repeats - 1 - index if repeats and column.descending else index
            name = column.name if repeats is None else f"{column.name} {number}"
            fields.append(Field(name, first, column.width))
            first += column.width
    return tuple(fields)


def map_column(sent: npt.NDArray[np.bool_], chip: Chip) -> Column:
    """The bit map of the cells sent, shape (n, 48): one bit each, in the production chip from the
    last cell on."""
    descending = chip is Chip.PRODUCTION
    bits = sent[:, ::-1] if descending else sent
    return Column("map bit", 1, bits.astype(np.int64), descending)


def bits_of(values: Integers, width: int) -> Bits:
    """Bits of integers, highest first: shape (n, width), or (n, k * width) for shape (n, k)."""
    places = np.arange(width - 1, -1, -1)
    return ((values[..., None] >> places) & 1).astype(np.uint8).reshape(len(values), -1)


def pack(columns: Sequence[Column]) -> Integers:
    """Words, shape (n, 26), of frames in which `columns` follow each other."""
    return pack_bits(np.hstack([bits_of(column.values, column.width) for column in columns]))


def pack_bits(bits: Bits) -> Integers:
    """Words, shape (n, 26), of frames given as bits, shape (n, b) with b at most 416."""
    padded = np.zeros((len(bits), FRAME_WORDS * WORD_BITS), dtype=np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1).view(">u2").astype(np.int64)


def frame_words(layout: Sequence[Field]) -> int:
    """16-bit words that a frame fills."""
    return -(-(layout[-1].first + layout[-1].width) // WORD_BITS)


def fixed_frames(columns: Sequence[Column]) -> Frames:
    """Frames of one layout for every BX."""
    words = pack(columns)
    layout = layout_of(columns)
    return Frames(words, np.full(len(words), frame_words(layout)), [layout] * len(words))


def compact(values: Integers, keep: npt.NDArray[np.bool_]) -> Integers:
    """Move the kept values of each row, shape (n, k), to its start in order; the rest are 0."""
    order = np.argsort(~keep, axis=1, kind="stable")
    return np.take_along_axis(np.where(keep, values, 0), order, axis=1)
