"""Directed input vectors: the corners that recorded or generated modules seldom reach.

They are what the network reads, already normalised (float32), on and off the grid of its input
format, and every one has a name that a failure can tell.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from hw.foundation.fixed_point import FixedFormat
from models.data.geometry import TRIGGER_CELLS, Arrangement

Images = npt.NDArray[np.float32]

_RANDOM = 500  # vectors of each random kind
_FLOAT32_DIGITS = 24  # float32 holds integers exactly up to 2**24


def directed_images(
    arrangement: Arrangement, input_format: FixedFormat, seed: int
) -> tuple[list[str], Images]:
    """The directed set for one arrangement of the trigger cells.

    All zero; each cell alone at its largest and smallest code and at 1; all pixels at the largest
    and smallest code; alternating pixels in both phases; every power of two; random codes in all
    pixels (also those that show no cell); random values between the codes, exactly half way between
    two, and next to half way; values beyond the range of the format.

    Args:
        input_format: of the network's input, whose corners are sought.
        seed: of the random vectors.

    Returns:
        Names, and images of shape (n, *arrangement.shape).
    """
    flat = [
        (name, pixels)
        for source in (
            _single_cells(arrangement, input_format),
            _patterns(arrangement, input_format),
            _random(arrangement, input_format, np.random.default_rng(seed)),
        )
        for name, pixels in source
    ]
    images = np.stack([pixels for _, pixels in flat]).astype(np.float32)
    return [name for name, _ in flat], images.reshape(-1, *arrangement.shape)


_Named = Iterator[tuple[str, npt.NDArray[np.floating]]]


def _single_cells(arrangement: Arrangement, number: FixedFormat) -> _Named:
    levels = {"max": number.max_value, "1 LSB": number.step, "1.0": 1.0}
    if number.signed:
        levels |= {"min": number.min_value, "-1 LSB": -number.step}
    for cell in range(TRIGGER_CELLS):
        shown = arrangement.to_images(np.eye(1, TRIGGER_CELLS, cell)).ravel()
        for level, value in levels.items():
            yield f"cell {cell} alone at {level}", shown * value


def _patterns(arrangement: Arrangement, number: FixedFormat) -> _Named:
    pixels = arrangement.cell.size
    ones = np.ones(pixels)
    chequered = np.indices(arrangement.shape).sum(axis=0).ravel() % 2
    yield "all zero", 0 * ones
    for level, value in (("max", number.max_value), ("min", number.min_value)):
        yield f"all pixels at {level}", value * ones
        yield f"all cells at {level}", value * arrangement.shown
        yield f"alternating at {level}, even phase", value * (1 - chequered)
        yield f"alternating at {level}, odd phase", value * chequered
    yield "alternating max and min", np.where(chequered, number.max_value, number.min_value)
    for exponent in range(-number.fraction - 2, number.integer + 1):
        for sign in (1, -1) if number.signed else (1,):
            yield f"all pixels at {'-' * (sign < 0)}2**{exponent}", sign * 2.0**exponent * ones


def _random(arrangement: Arrangement, number: FixedFormat, rng: np.random.Generator) -> _Named:
    pixels = arrangement.cell.size
    # float32 must tell a half step apart at the largest value, or a tie would not be one
    reach = 2.0 ** (_FLOAT32_DIGITS - 1) * number.step
    low, high = max(number.min_value, -reach), min(number.max_value, reach)

    def codes() -> npt.NDArray[np.floating]:
        return rng.integers(number.min_code, number.max_code + 1, pixels) * number.step

    for index in range(_RANDOM):
        yield f"random codes {index}", codes()
        yield f"random values {index}", rng.uniform(low, high, pixels)
        yield f"small random values {index}", rng.uniform(-4, 4, pixels) * number.step
        tie = (codes() + number.step / 2).clip(low, high).astype(np.float32)
        yield f"half way between codes {index}", tie
        yield f"just below half way {index}", np.nextafter(tie, np.float32(-np.inf))
        yield f"just above half way {index}", np.nextafter(tie, np.float32(np.inf))
        yield f"beyond the range {index}", rng.uniform(2 * low - 1, 2 * high + 1, pixels)
