"""Threshold sum: every charge at or above its threshold, in frames of variable length.

Formats: CMS ECON-T emulator (docs/econ_t_formats.md).
"""

import numpy as np
import numpy.typing as npt

from models.data.geometry import TRIGGER_CELLS
from testbench.econ_t.float_codes import CHARGE, SUM_8_BIT
from testbench.econ_t.frames import (
    FRAME_WORDS,
    Column,
    Field,
    Frames,
    compact,
    frame_words,
    layout_of,
    map_column,
    pack,
)
from testbench.econ_t.registers import Chip

HEADER_BITS = 5
TYPE_BITS = 3
COUNT_BITS = 3
ADDRESS_BITS = 6
MAP_FROM = 8  # from this number on a bit map replaces the count and the addresses
TYPE_EMPTY = 0b000
TYPE_ADDRESSES = 0b010
TYPE_MAP = 0b100
TYPE_TRUNCATED = 0b110  # the lowest bit tells which buffer threshold was hit

Integers = npt.NDArray[np.int64]


def _sums(calq: Integers, sent: npt.NDArray[np.bool_], use_sum: bool) -> Integers:
    summed = calq if use_sum else np.where(sent, 0, calq)
    return SUM_8_BIT.encode(summed.sum(axis=1))


def threshold_sum_frames(
    calq: Integers,
    headers: Integers,
    threshold: tuple[int, ...],
    drop_lsb: int,
    use_sum: bool,
    *,
    chip: Chip = Chip.P1,
) -> Frames:
    """Frames of n bunch crossings: header, type, sum; count and addresses or bit map; charges in
    cell order.

    Args:
        calq: charges, shape (n, 48), in CALQ counts.
        headers: 5-bit headers, shape (n,).
        threshold: of each trigger cell.
        drop_lsb: low bits cut off before encoding (not before the comparison and the sum).
        use_sum: the sum is of all charges instead of those not sent.
        chip: decides the order of the bit map.
    """
    sent = calq >= np.array(threshold)
    counts = sent.sum(axis=1)
    sums = _sums(calq, sent, use_sum)
    addresses = compact(np.broadcast_to(np.arange(TRIGGER_CELLS), sent.shape), sent)
    charges = compact(CHARGE.encode(calq, drop_lsb), sent)

    words = np.zeros((len(calq), FRAME_WORDS), dtype=np.int64)
    layouts: list[tuple[Field, ...]] = [()] * len(calq)
    lengths = np.zeros(len(calq), dtype=np.int64)
    for count in np.unique(counts):
        rows = np.flatnonzero(counts == count)
        kind = TYPE_MAP if count >= MAP_FROM else TYPE_ADDRESSES if count else TYPE_EMPTY
        columns = [
            Column("header", HEADER_BITS, headers[rows]),
            Column("type", TYPE_BITS, np.full(len(rows), kind)),
            Column("sum", SUM_8_BIT.bits, sums[rows]),
        ]
        if kind == TYPE_ADDRESSES:
            columns.append(Column("count", COUNT_BITS, counts[rows]))
            columns.append(Column("address", ADDRESS_BITS, addresses[rows, :count]))
        elif kind == TYPE_MAP:
            columns.append(map_column(sent[rows], chip))
        if count:
            columns.append(Column("charge", CHARGE.bits, charges[rows, :count]))
        layout = layout_of(columns)
        words[rows] = pack(columns)
        lengths[rows] = frame_words(layout)
        for row in rows:
            layouts[row] = layout
    return Frames(words, lengths, layouts)


def truncated_words(calq: Integers, headers: Integers) -> Integers:
    """The one word, shape (n,), sent in place of a frame for which the buffer has no room.

    It carries header, type and the sum of all charges.
    """
    columns = [
        Column("header", HEADER_BITS, headers),
        Column("type", TYPE_BITS, np.full(len(calq), TYPE_TRUNCATED)),
        Column("sum", SUM_8_BIT.bits, SUM_8_BIT.encode(calq.sum(axis=1))),
    ]
    return pack(columns)[:, 0]
