"""Charges to the network's input range and back: by the ASIC's shift, or by the maximum."""

from enum import StrEnum

import numpy as np
import numpy.typing as npt


class Normalisation(StrEnum):
    """What a module's charges are divided by.

    MSB: 2**floor(log2 of the module's summed charge), a shift in hardware (default).
    MAX: the largest charge of the module (`--rescaleInputToMax`).
    """

    MSB = "msb"
    MAX = "max"


LARGEST = {Normalisation.MSB: 2.0, Normalisation.MAX: 1.0}
"""What no normalised charge exceeds."""


def scale_of(calq: npt.NDArray, mode: Normalisation = Normalisation.MSB) -> npt.NDArray[np.float32]:
    """The divisor of each module, shape (n,), in CALQ counts; 1 for an empty module."""
    if mode is Normalisation.MAX:
        scale = calq.max(axis=1)
    else:
        total = calq.sum(axis=1, dtype=np.float64)
        _, exponent = np.frexp(total)  # total = mantissa * 2**exponent with mantissa in [0.5, 1)
        scale = np.where(total > 0, np.ldexp(1.0, exponent - 1), 0.0)
    return np.where(scale > 0, scale, 1.0).astype(np.float32)


def normalise(
    calq: npt.NDArray, mode: Normalisation = Normalisation.MSB
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Charges as fractions of each module's scale, shape (n, 48), and the scales, shape (n,).

    With MSB normalisation a fraction is below 2 and exact in float32 for charges below 2**24.
    """
    scale = scale_of(calq, mode)
    return (calq / scale[:, None]).astype(np.float32), scale


def restore(
    fractions: npt.NDArray,
    calq: npt.NDArray,
    mode: Normalisation = Normalisation.MSB,
    *,
    sums: npt.NDArray | None = None,
    maximum: float | None = None,
) -> npt.NDArray[np.float32]:
    """Charges in CALQ counts, shape (n, 48), from what a decoder gives for the modules `calq`.

    Args:
        fractions: decoded cells, shape (n, 48), in units of each module's scale.
        calq: the charges that were encoded, shape (n, 48).
        sums: rescale each module to this summed charge, shape (n,), in CALQ counts; a module whose
            decoded cells are all zero stays so.  None to leave it as it is.
        maximum: upper limit of each charge, in CALQ counts; applied last.
    """
    charges = fractions.astype(np.float64) * scale_of(calq, mode)[:, None]
    if sums is not None:
        found = charges.sum(axis=1)
        charges *= np.divide(sums, found, out=np.zeros_like(found), where=found > 0)[:, None]
    if maximum is not None:
        charges = np.minimum(charges, maximum)
    return charges.astype(np.float32)
