"""The directed set: every corner that it promises is in it."""

import re

import numpy as np
import pytest

from hw.foundation.fixed_point import FixedFormat
from models.data.geometry import ARRANGEMENTS, TRIGGER_CELLS
from models.data.selection import evenly_spaced
from testbench.stimulus import directed_images
from testbench.vectors import module_group

SIGNED = FixedFormat(10, 4, rounding="RND_CONV", overflow="SAT")
UNSIGNED = FixedFormat(8, 1, signed=False, rounding="RND_CONV", overflow="SAT")
CASES = [(a, f) for a in ARRANGEMENTS for f in (SIGNED, UNSIGNED)]


def directed(arrangement: str, number: FixedFormat, seed: int = 1) -> dict[str, np.ndarray]:
    names, images = directed_images(ARRANGEMENTS[arrangement], number, seed)
    assert len(names) == len(images) == len(set(names))
    assert images.dtype == np.float32
    assert images.shape[1:] == ARRANGEMENTS[arrangement].shape
    return {
        name: image.ravel().astype(np.float64) for name, image in zip(names, images, strict=True)
    }


@pytest.mark.parametrize(("arrangement", "number"), CASES)
def test_zero_single_cells_and_extremes(arrangement: str, number: FixedFormat) -> None:
    found = directed(arrangement, number)
    assert not found["all zero"].any()
    assert (found["all pixels at max"] == number.max_value).all()
    layout = ARRANGEMENTS[arrangement]
    for cell in range(TRIGGER_CELLS):
        pixels = layout.shown & (layout.cell == cell)
        assert pixels.any()
        for level, value in (("max", number.max_value), ("1 LSB", number.step)):
            image = found[f"cell {cell} alone at {level}"]
            assert (image[pixels] == value).all()
            assert not image[~pixels].any()
    assert ("all pixels at min" in found) and ("cell 0 alone at min" in found) == number.signed
    assert (found["all pixels at min"] == number.min_value).all()


@pytest.mark.parametrize(("arrangement", "number"), CASES)
def test_alternating_pixels_come_in_both_phases(arrangement: str, number: FixedFormat) -> None:
    found = directed(arrangement, number)
    even, odd = (found[f"alternating at max, {phase} phase"] for phase in ("even", "odd"))
    assert (even + odd == number.max_value).all()
    assert {0, number.max_value} == set(even) == set(odd)


@pytest.mark.parametrize(("arrangement", "number"), CASES)
def test_powers_of_two_reach_below_the_step_and_above_the_range(
    arrangement: str, number: FixedFormat
) -> None:
    found = directed(arrangement, number)
    powers = [float(image[0]) for name, image in found.items() if re.search(r"2\*\*-?\d+$", name)]
    magnitudes = {abs(power) for power in powers}
    for exponent in range(-number.fraction, number.integer):
        assert 2.0**exponent in magnitudes
    assert min(magnitudes) < number.step / 2
    assert max(magnitudes) > number.max_value
    assert any(power < 0 for power in powers) == number.signed


@pytest.mark.parametrize(("arrangement", "number"), CASES)
def test_random_codes_fill_the_whole_range_in_every_pixel(
    arrangement: str, number: FixedFormat
) -> None:
    found = directed(arrangement, number)
    codes = np.array([image for name, image in found.items() if name.startswith("random codes")])
    assert number.represents(codes)
    low, high = codes.min(axis=0), codes.max(axis=0)
    span = number.max_value - number.min_value
    assert (low < number.min_value + 0.1 * span).all()
    assert (high > number.max_value - 0.1 * span).all()


@pytest.mark.parametrize(("arrangement", "number"), CASES)
def test_ties_are_ties_and_their_neighbours_fall_on_either_side(
    arrangement: str, number: FixedFormat
) -> None:
    found = directed(arrangement, number)
    half_steps = found["half way between codes 3"] / number.step * 2
    inside = found["half way between codes 3"] < number.max_value
    assert (half_steps[inside] % 2 == 1).all()
    floor = number.with_modes("TRN", "SAT").to_codes
    nearest = number.with_modes("RND", "SAT").to_codes
    below, above = found["just below half way 3"], found["just above half way 3"]
    assert (nearest(below)[inside] == floor(below)[inside]).all()
    assert (nearest(above)[inside] == floor(above)[inside] + 1).all()


@pytest.mark.parametrize(("arrangement", "number"), CASES)
def test_there_are_values_off_the_grid_and_beyond_the_range(
    arrangement: str, number: FixedFormat
) -> None:
    found = directed(arrangement, number)
    values = np.array([v for name, v in found.items() if name.startswith("random values")])
    assert np.mean(values / number.step % 1 != 0) > 0.9
    beyond = np.array([v for name, v in found.items() if name.startswith("beyond the range")])
    assert (beyond > number.max_value + number.step).any()
    assert (beyond < number.min_value - number.step).any()
    small = np.array([v for name, v in found.items() if name.startswith("small random")])
    assert (np.abs(small) < number.step / 2).any()


def test_the_seed_decides_the_random_part_alone() -> None:
    one, same, other = (directed("8x8", SIGNED, seed) for seed in (1, 1, 2))
    for name, image in one.items():
        assert np.array_equal(image, same[name])
    changed = {re.sub(r" \d+$", "", n) for n, v in one.items() if not np.array_equal(v, other[n])}
    assert len(changed) == 7
    assert not any(name.startswith(("cell", "all", "alternating")) for name in changed)


def test_modules_are_spread_over_all() -> None:
    assert evenly_spaced(3, 5).tolist() == [0, 1, 2]
    chosen = evenly_spaced(1000, 10)
    assert (chosen[0], chosen[-1], len(set(chosen.tolist()))) == (0, 999, 10)
    group = module_group("validation", np.zeros((2, 8, 8, 1), np.float32), [0, 999])
    assert list(group.origins) == ["validation module 0", "validation module 999"]
