"""Super trigger cells: charges summed over groups of trigger cells, with the place of the largest.

Formats, groups and counts: CMS ECON-T emulator; type 4: CMSSW back-end unpacker
(docs/econ_t_formats.md).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from models.data.geometry import TRIGGER_CELLS
from testbench.econ_t.float_codes import CHARGE, SUM_9_BIT, FloatCode
from testbench.econ_t.frames import Column, Frames, fixed_frames
from testbench.econ_t.links import LINK_BITS, short_headers

HEADER_BITS = 4

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class StcType:
    """One of the formats.

    Attributes:
        cells: trigger cells in a group.
        code: code of the sums.
        address_bits: bits of the place of the largest charge; 0 where it is not sent.
        drops_lsb: whether the low bits are cut off before the sum is encoded.
    """

    cells: int
    code: FloatCode
    address_bits: int
    drops_lsb: bool

    @property
    def groups(self) -> int:
        return TRIGGER_CELLS // self.cells

    def sent(self, etx: int) -> int:
        """Groups that fit on `etx` output links; the first groups are sent."""
        room = (LINK_BITS * etx - HEADER_BITS) // (self.code.bits + self.address_bits)
        return min(room, self.groups)

    @property
    def max_etx(self) -> int:
        """Output links that all groups fill."""
        bits = HEADER_BITS + self.groups * (self.code.bits + self.address_bits)
        return -(-bits // LINK_BITS)


STC_TYPES = {
    0: StcType(cells=4, code=SUM_9_BIT, address_bits=2, drops_lsb=False),
    1: StcType(cells=16, code=SUM_9_BIT, address_bits=4, drops_lsb=False),
    2: StcType(cells=4, code=CHARGE, address_bits=0, drops_lsb=True),
    3: StcType(cells=4, code=CHARGE, address_bits=2, drops_lsb=True),
    4: StcType(cells=4, code=SUM_9_BIT, address_bits=0, drops_lsb=False),
}


def super_trigger_cell_frames(
    calq: Integers, headers: Integers, stc_type: int, etx: int, drop_lsb: int
) -> Frames:
    """Frames of n bunch crossings: header, addresses, then sums.

    With more links than all groups fill, the chip sends zeros only.

    Args:
        calq: charges, shape (n, 48), in CALQ counts.
        headers: 5-bit headers, shape (n,).
        stc_type: 0 to 4.
        etx: output links.
        drop_lsb: low bits cut off before a 4E3M code.

    Raises:
        InputError: no such type.
    """
    if stc_type not in STC_TYPES:
        raise InputError(f"stc_type {stc_type} is not supported; known: 0 to {max(STC_TYPES)}")
    form = STC_TYPES[stc_type]
    if etx > form.max_etx:
        zeros = Column("zeros", LINK_BITS, np.zeros((len(calq), etx), dtype=np.int64))
        return fixed_frames([zeros])
    largest, sums = group_codes(calq, form, etx, drop_lsb)
    columns = [Column("header", HEADER_BITS, short_headers(headers))]
    if form.address_bits:
        columns.append(Column("address", form.address_bits, largest))
    columns.append(Column("sum", form.code.bits, sums))
    return fixed_frames(columns)


def group_codes(
    calq: Integers, form: StcType, etx: int, drop_lsb: int
) -> tuple[Integers, Integers]:
    """Place of the largest charge and code of the sum of each group sent, shape (n, groups).

    Args:
        calq: charges, shape (n, 48), in CALQ counts, the cells of a group following each other.
        etx: output links, at most `form.max_etx`.
        drop_lsb: low bits cut off before a 4E3M code.
    """
    groups = calq.reshape(len(calq), form.groups, form.cells)[:, : form.sent(etx)]
    sums = form.code.encode(groups.sum(axis=2), drop=drop_lsb if form.drops_lsb else 0)
    largest = form.cells - 1 - groups[:, :, ::-1].argmax(axis=2)  # the last one where equal
    return largest, sums
