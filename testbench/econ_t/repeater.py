"""Repeater: all 48 charges, cut off where the output links in use end."""

import numpy as np
import numpy.typing as npt

from testbench.econ_t.float_codes import CHARGE
from testbench.econ_t.frames import Column, Frames, fixed_frames

HEADER_BITS = 5

Integers = npt.NDArray[np.int64]


def repeater_frames(calq: Integers, headers: Integers, drop_lsb: int) -> Frames:
    """Frames of n bunch crossings: header, then 48 charge codes.

    Args:
        calq: charges, shape (n, 48), in CALQ counts.
        headers: 5-bit headers, shape (n,).
        drop_lsb: low bits cut off before encoding.
    """
    columns = [
        Column("header", HEADER_BITS, headers),
        Column("charge", CHARGE.bits, CHARGE.encode(calq, drop_lsb)),
    ]
    return fixed_frames(columns)
