"""Best choice: the largest charges with their addresses, as many as the output links carry.

Equal charges are ranked by the chip's sorting network, Batcher's merge exchange (Knuth, The Art of
Computer Programming, volume 3, algorithm 5.2.2M).  Formats: CMS ECON-T emulator
(docs/econ_t_formats.md).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from models.data.geometry import TRIGGER_CELLS
from testbench.econ_t.float_codes import CHARGE, SUM_8_BIT
from testbench.econ_t.frames import Column, Frames, compact, fixed_frames, map_column
from testbench.econ_t.links import short_headers
from testbench.econ_t.registers import Chip

HEADER_BITS = 4
ADDRESS_BITS = 6
SENT_OF_LINKS = (0, 1, 4, 6, 9, 14, 18, 23, 28, 32, 37, 41, 46, 48)
MAP_FROM = 8  # from this number on a bit map replaces the addresses
CHARGE_BITS = 18  # of the charges that are ranked: all that 4E3M codes tell apart

Integers = npt.NDArray[np.int64]


def ranked_charges(calq: Integers, drop_lsb: int) -> Integers:
    """Charges in CALQ counts as the chip ranks them: low bits cut off, saturated to 18 bits."""
    return np.minimum(calq >> drop_lsb, (1 << CHARGE_BITS) - 1)


def network_steps(size: int) -> Iterator[tuple[Integers, int]]:
    """Batcher's network: in each step, element i is compared with i + distance for all i given."""
    top = 1 << ((size - 1).bit_length() - 1)
    span = top
    while span:
        reach, remainder, distance = top, 0, span
        while True:
            first = np.arange(size - distance)
            yield first[(first & span) == remainder], distance
            if reach == span:
                break
            distance, remainder, reach = reach - span, span, reach // 2
        span //= 2


def ranking(charges: Integers) -> Integers:
    """Trigger cells, shape (n, 48), from the largest charge to the smallest, as the chip ranks."""
    values = charges.T.copy()
    cells = np.repeat(np.arange(len(values))[:, None], values.shape[1], axis=1)
    for first, distance in network_steps(len(values)):
        second = first + distance
        swap = values[first] < values[second]
        for array in (values, cells):
            low, high = array[first], array[second]
            array[first], array[second] = np.where(swap, high, low), np.where(swap, low, high)
    return cells.T


def best_choice_frames(
    calq: Integers,
    headers: Integers,
    etx: int,
    drop_lsb: int,
    use_sum: bool,
    *,
    chip: Chip = Chip.P1,
    send_zeros: bool = True,
) -> Frames:
    """Frames of n bunch crossings: header, sum, addresses or bit map, charges in cell order.

    Charges saturate to 18 bits before they are ranked and summed.

    Args:
        calq: charges, shape (n, 48), in CALQ counts.
        headers: 5-bit headers, shape (n,).
        etx: output links, 1 to 13.
        drop_lsb: low bits cut off from each charge before ranking, summing and encoding.
        use_sum: the sum is of all charges instead of those not sent.
        chip: decides the order of the bit map.
        send_zeros: False leaves out the code of a chosen charge that is 0 after the low bits are
            cut off, as the emulator did until April 2022; its address is sent all the same.
    """
    charges = ranked_charges(calq, drop_lsb)
    sent = SENT_OF_LINKS[etx]
    best = np.zeros(charges.shape, dtype=bool)
    np.put_along_axis(best, ranking(charges)[:, :sent], True, axis=1)
    summed = charges if use_sum else np.where(best, 0, charges)
    columns = [
        Column("header", HEADER_BITS, short_headers(headers)),
        Column("sum", SUM_8_BIT.bits, SUM_8_BIT.encode(summed.sum(axis=1))),
    ]
    if sent < MAP_FROM:
        addresses = compact(np.broadcast_to(np.arange(TRIGGER_CELLS), best.shape), best)
        columns.append(Column("address", ADDRESS_BITS, addresses[:, :sent]))
    else:
        columns.append(map_column(best, chip))
    codes = compact(CHARGE.encode(charges), best if send_zeros else best & (charges > 0))
    columns.append(Column("charge", CHARGE.bits, codes[:, :sent]))
    return fixed_frames(columns)
