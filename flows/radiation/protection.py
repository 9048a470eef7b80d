"""Levels of protection: which weight bits of the chip's encoder are tripled, and what it leaves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flows.layout import ModelLayout
from flows.radiation.bits_table import BitsResult, read_bits
from flows.radiation.upsets import most_harmful
from hw.foundation.errors import InputError
from models.networks.econ_t_formats import CONV_KERNEL, DENSE_KERNEL, WEIGHT
from models.upsets.damage import bits_for
from testbench.econ_t.protected_bits import BITS, mask_of, register_order

_SHAPES = (CONV_KERNEL, CONV_KERNEL[-1:], DENSE_KERNEL, DENSE_KERNEL[-1:])


@dataclass(frozen=True)
class Level:
    """One choice of bits.

    Attributes:
        name: in the names of its metrics.
        words: for the reader.
        bits: which are tripled, in the order of the registers, shape (12864,).
        damage_left: share of the damage of single flips that is not removed.
    """

    name: str
    words: str
    bits: npt.NDArray[np.bool_]
    damage_left: float

    @property
    def mask(self) -> int:
        """The parameter TRIPLED of the RTL."""
        return mask_of(self.bits)


def levels(layout: ModelLayout, shares: Sequence[float]) -> list[Level]:
    """None, the signs, the bits with each share (0 to 1) of the damage, 15 % of the bits, all.

    Raises:
        InputError: the upsets stage is not done, or not of an encoder in the chip's arithmetic.
    """
    found = read_bits(layout)
    if len(found.mean) != BITS or len(found.array_names) != len(_SHAPES):
        raise InputError(
            f"{layout.upset_arrays}: {len(found.mean)} bits, where the chip's encoder stores "
            f"{BITS}; only an encoder in the ECON-T's arithmetic has its registers"
        )
    harm = found.harm
    chosen = [
        ("none", "no bit tripled", np.zeros(BITS, bool)),
        ("signs", "the sign of each weight", found.from_top == 0),
        *(
            (
                f"damage_{100 * share:g}",
                f"the bits with {100 * share:g} % of the damage",
                most_harmful(harm, bits_for(harm, share)),
            )
            for share in shares
        ),
        ("bits_15", "the most harmful 15 % of the bits", most_harmful(harm, int(0.15 * BITS))),
        ("all", "every bit", np.ones(BITS, bool)),
    ]
    total = harm.sum() or 1.0
    return [
        Level(name, words, _in_registers(found, which), float(harm[~which].sum() / total))
        for name, words, which in chosen
    ]


def _in_registers(found: BitsResult, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Bits in the order of the stage's arrays as bits in the order of the registers."""
    return register_order(
        [
            which[found.array == at].reshape((*shape, WEIGHT.width))
            for at, shape in enumerate(_SHAPES)
        ]
    )
