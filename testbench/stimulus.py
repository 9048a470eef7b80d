"""Directed input vectors: the corners that recorded, generated or given inputs seldom reach.

They are what the network reads (float32), on and off the grid of its input formats, and every one
has a name that a failure can tell.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from hw.foundation.fixed_point import FixedFormat
from models.data.geometry import TRIGGER_CELLS, Arrangement

Images = npt.NDArray[np.float32]
_Numbers = npt.NDArray[np.floating]
_Named = Iterator[tuple[str, _Numbers]]

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
    grid = _Grid([input_format] * arrangement.cell.size)
    chequered = np.indices(arrangement.shape).sum(axis=0).ravel() % 2
    cells = [
        (f"cell {cell}", arrangement.to_images(np.eye(1, TRIGGER_CELLS, cell)).ravel())
        for cell in range(TRIGGER_CELLS)
    ]
    shown: dict[str, _Numbers] = {
        "pixels": np.ones(arrangement.cell.size),
        "cells": arrangement.shown.astype(np.float64),
    }
    names, vectors = _directed(grid, cells, shown, chequered, seed)
    return names, vectors.reshape(-1, *arrangement.shape)


def directed_vectors(numbers: Sequence[FixedFormat], seed: int) -> tuple[list[str], Images]:
    """The same for a network of any purpose; each number stands for itself.

    Args:
        numbers: format of each number of the network's inputs.
        seed: of the random vectors.

    Returns:
        Names, and vectors of shape (n, numbers).
    """
    size = len(numbers)
    singles = [(f"input {index}", row) for index, row in enumerate(np.eye(size))]
    everywhere = {"inputs": np.ones(size)}
    return _directed(_Grid(numbers), singles, everywhere, np.arange(size) % 2, seed)


def random_vectors(numbers: Sequence[FixedFormat], count: int, like: Images, seed: int) -> Images:
    """Vectors for a network of any purpose: random codes, sparse ones, and, where some vectors are
    known, those with other numbers in some places; shape (count, numbers)."""
    rng = np.random.default_rng(seed)
    grid = _Grid(numbers)
    codes = grid.codes(rng, count)
    third = count // 3
    codes[:third] *= rng.random((third, len(numbers))) < rng.random((third, 1))
    if len(like):
        changed = slice(count - third, count)
        kept = rng.random((third, len(numbers))) < rng.random((third, 1))
        known = like[rng.integers(0, len(like), third)]
        codes[changed] = np.where(kept, known, codes[changed])
    return codes.astype(np.float32)


class _Grid:
    """The codes that each number of a vector can have."""

    def __init__(self, numbers: Sequence[FixedFormat]) -> None:
        self.numbers = numbers
        self.step, self.low, self.high = (
            np.array([getattr(number, part) for number in numbers])
            for part in ("step", "min_value", "max_value")
        )

    def codes(self, rng: np.random.Generator, count: int) -> _Numbers:
        """Random codes' values, shape (count, numbers)."""
        least, most = (
            np.array([getattr(number, part) for number in self.numbers])
            for part in ("min_code", "max_code")
        )
        return rng.integers(least, most + 1, (count, len(self.numbers))) * self.step


def _directed(
    grid: _Grid,
    singles: Sequence[tuple[str, _Numbers]],
    everywhere: Mapping[str, _Numbers],
    chequered: npt.NDArray[np.integer],
    seed: int,
) -> tuple[list[str], Images]:
    flat = [
        *_singles(grid, singles),
        *_patterns(grid, everywhere, chequered),
        *_random(grid, np.random.default_rng(seed)),
    ]
    return [name for name, _ in flat], np.stack([row for _, row in flat]).astype(np.float32)


def _singles(grid: _Grid, singles: Sequence[tuple[str, _Numbers]]) -> _Named:
    levels = {"max": grid.high, "1 LSB": grid.step, "1.0": np.ones_like(grid.step)}
    if (grid.low < 0).any():
        levels |= {"min": grid.low, "-1 LSB": np.where(grid.low < 0, -grid.step, 0)}
    for name, shown in singles:
        for level, value in levels.items():
            yield f"{name} alone at {level}", shown * value


def _patterns(
    grid: _Grid, everywhere: Mapping[str, _Numbers], chequered: npt.NDArray[np.integer]
) -> _Named:
    what = next(iter(everywhere))
    yield "all zero", np.zeros_like(grid.step)
    for level, value in (("max", grid.high), ("min", grid.low)):
        for name, shown in everywhere.items():
            yield f"all {name} at {level}", value * shown
        yield f"alternating at {level}, even phase", value * (1 - chequered)
        yield f"alternating at {level}, odd phase", value * chequered
    yield "alternating max and min", np.where(chequered, grid.high, grid.low)
    lowest = -max(number.fraction for number in grid.numbers) - 2
    highest = max(number.integer for number in grid.numbers)
    for exponent in range(lowest, highest + 1):
        for sign in (1, -1) if (grid.low < 0).any() else (1,):
            power = np.full_like(grid.step, sign * 2.0**exponent)
            yield f"all {what} at {'-' * (sign < 0)}2**{exponent}", power


def _random(grid: _Grid, rng: np.random.Generator) -> _Named:
    size = len(grid.step)
    # float32 must tell a half step apart at the largest value, or a tie would not be one
    reach = 2.0 ** (_FLOAT32_DIGITS - 1) * grid.step
    low, high = np.maximum(grid.low, -reach), np.minimum(grid.high, reach)
    for index in range(_RANDOM):
        yield f"random codes {index}", grid.codes(rng, 1)[0]
        yield f"random values {index}", rng.uniform(low, high, size)
        yield f"small random values {index}", rng.uniform(-4, 4, size) * grid.step
        tie = (grid.codes(rng, 1)[0] + grid.step / 2).clip(low, high).astype(np.float32)
        yield f"half way between codes {index}", tie
        yield f"just below half way {index}", np.nextafter(tie, np.float32(-np.inf))
        yield f"just above half way {index}", np.nextafter(tie, np.float32(np.inf))
        yield f"beyond the range {index}", rng.uniform(2 * low - 1, 2 * high + 1, size)
