"""From charge codes to the encoder's inputs: decode, calibrate, sum, normalise."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.networks.econ_t_formats import INPUT
from testbench.econ_t.float_codes import CHARGE, SUM_9_BIT, floor_log2
from testbench.econ_t.registers import Registers

INPUT_FRACTION = INPUT.fraction
INPUT_BITS = INPUT.width
MAX_SHIFT = 21  # position of the highest bit of a 22-bit charge
CALIBRATION_FRACTION = 11

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Converted:
    """What the encoder and its frame need of a module's charges.

    Attributes:
        total: exact module sum, shape (n,), in CALQ counts.
        sum_code: the same as a 9-bit 5E4M code, shape (n,).
        shift: position of the leading one of the sum, at most 21, 0 for an empty module.
        inputs: charges / 2**shift as 8-bit codes of ufixed<8,1>, shape (n, 48).
    """

    total: Integers
    sum_code: Integers
    shift: Integers
    inputs: Integers


def calibrate(codes: Integers, registers: Registers) -> Integers:
    """CALQ, shape (n, 48), of the input links' charge codes, shape (n, 48), in link order."""
    raised = CHARGE.decode_centre(codes, drop=3 if registers.high_density else 1)
    selected = raised[:, list(registers.mux)]
    return (selected * np.array(registers.calibration)) >> CALIBRATION_FRACTION


def convert(calq: Integers) -> Converted:
    """Sum and normalise charges, shape (n, 48), in CALQ counts."""
    total = calq.sum(axis=1)
    shift = np.clip(floor_log2(total), 0, MAX_SHIFT)
    # one shift left, then right: exact, and a floor as in the chip
    inputs = ((calq << INPUT_FRACTION) >> shift[:, None]) & ((1 << INPUT_BITS) - 1)
    return Converted(total, SUM_9_BIT.encode(total), shift, inputs)
