"""Upsets of stored bits over time, at a flux of particles and a cross-section of a bit.

Each bit flips by itself at the rate flux times cross-section, and back at its next upset; so after
a time t it is wrong with the chance (1 - exp(-2 rate t)) / 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.upsets.many_flips import Sampled

Numbers = npt.NDArray[np.float64]

_STEPS = 400


@dataclass(frozen=True)
class Exposure:
    """What the memory is exposed to.

    Attributes:
        flux: of particles that can upset a bit, per cm2 and second.
        cross_section: of a bit, in cm2.
    """

    flux: float
    cross_section: float

    @property
    def upset_rate(self) -> float:
        """Upsets of one bit in a second."""
        return self.flux * self.cross_section

    def mean_time(self, bits: int) -> float | None:
        """Mean time in seconds until one of so many bits flips; None where there is none."""
        return 1 / (bits * self.upset_rate) if bits else None

    def bit_error_rate(self, seconds: npt.ArrayLike) -> Numbers:
        """The chance of a bit to be wrong, so long after all were written."""
        return -np.expm1(-2 * self.upset_rate * np.asarray(seconds, np.float64)) / 2


@dataclass(frozen=True)
class Curve:
    """Mean change of the distance against the bit error rate.

    Below the lowest rate that was sampled it is a straight line through 0: flips are rare enough
    to come one at a time, and their mean changes are known exactly.

    Attributes:
        sum_of_means: of the changes of all single flips, in half pitches.
        sampled: in the order of the rates.
    """

    sum_of_means: float
    sampled: Sequence[Sampled]

    def change(self, rates: npt.ArrayLike) -> Numbers:
        """In half pitches, at bit error rates of 0 to 0.5; straight between those sampled."""
        known_rates = [0.0, *(point.rate for point in self.sampled)]
        lowest = self.sampled[0].rate * self.sum_of_means
        known = [0.0, lowest, *(point.change for point in self.sampled[1:])]
        return np.interp(np.asarray(rates, np.float64), known_rates, known)

    def mean_over(self, exposure: Exposure, seconds: float) -> float:
        """Mean change over a time that starts with all bits written."""
        times = (np.arange(_STEPS) + 0.5) * seconds / _STEPS
        return float(self.change(exposure.bit_error_rate(times)).mean())

    def at(self, exposure: Exposure, seconds: float) -> float:
        """Mean change so long after all bits were written."""
        return float(self.change(exposure.bit_error_rate(seconds)))
