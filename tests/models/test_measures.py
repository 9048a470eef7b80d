"""Measures of compression on cases computed by hand, and against a plain loop over the cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.geometry import HALF_PITCH_CM, cell_coordinates, cell_distances
from models.quality.emd import emd
from models.quality.measures import (
    EMD_THRESHOLD,
    MEASURES,
    charge_response,
    cross_correlation,
    emd_above_threshold,
    mean_difference,
    measure_modules,
    measures,
    rms_difference,
    rms_difference_absolute,
    rms_reference_difference,
    squared_difference,
    telescope,
    zero_fraction,
)


def module(**charges: float) -> np.ndarray:
    calq = np.zeros((1, 48), dtype=np.float32)
    for cell, charge in charges.items():
        calq[0, int(cell[1:])] = charge
    return calq


NEIGHBOURS = 2.0  # cells 0 and 1 are one pitch apart


def modules(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    before, after = (
        (rng.lognormal(3, 1.2, (count, 48)) * (rng.random((count, 48)) < 0.4)).astype(np.float32)
        for _ in range(2)
    )
    before[:, 3] += 1
    after[:, 8] += 1
    return before, after


def test_a_perfect_copy_has_the_ideal_value_of_every_measure():
    before, _ = modules()
    for name, values in measure_modules(before, before, full=True).items():
        ideal = next(measure.ideal for measure in MEASURES if measure.name == name)
        assert values == pytest.approx(ideal, abs=1e-12), name


def test_scaling_changes_only_what_measures_the_charge():
    before, after = modules()
    whole, doubled = (measure_modules(before, a, full=True) for a in (after, 2 * after))
    changed = {name for name in whole if not np.allclose(whole[name], doubled[name], atol=1e-9)}
    assert changed == {"charge_response", "squared_difference", "telescope"}
    assert np.allclose(doubled["charge_response"], 2 * whole["charge_response"])


def test_emd_above_the_threshold_leaves_out_small_shares():
    before = module(c0=98, c40=2)  # the far cell holds 2 %: not above it
    after = module(c1=97, c40=3)
    assert EMD_THRESHOLD == 0.02
    assert emd_above_threshold(before, before)[0] == 0
    expected = 0.97 * NEIGHBOURS + 0.03 * cell_distances()[0, 40]
    assert emd_above_threshold(before, after)[0] == pytest.approx(expected)
    assert emd_above_threshold(before, after, 0.05)[0] == pytest.approx(NEIGHBOURS)


def test_emd_above_the_threshold_is_known_for_every_module_with_charge():
    flat = np.ones((1, 48), dtype=np.float32)  # each share is 1/48, just above 2 %
    assert emd_above_threshold(flat, flat)[0] == 0
    before, after = modules()
    assert not np.isnan(emd_above_threshold(before, after)).any()


def test_the_mean_moves_by_the_charge_times_the_way():
    assert mean_difference(module(c0=4), module(c1=9))[0] == pytest.approx(NEIGHBOURS)
    # a quarter of the charge moves by one pitch
    assert mean_difference(module(c0=4), module(c0=3, c1=1))[0] == pytest.approx(NEIGHBOURS / 4)
    # spreading to both sides leaves the centre where it is: cells 0, 1, 2 are in a line
    assert mean_difference(module(c1=4), module(c0=2, c2=2))[0] == pytest.approx(0, abs=1e-12)


def test_the_rms_is_the_charge_weighted_radius():
    one, two = module(c0=7), module(c0=5, c1=5)  # the two are a half pitch from their centre
    assert rms_difference(one, two)[0] == pytest.approx(-NEIGHBOURS / 2, abs=1e-6)
    assert rms_difference(two, one)[0] == pytest.approx(NEIGHBOURS / 2, abs=1e-6)
    assert rms_difference_absolute(one, two)[0] == pytest.approx(NEIGHBOURS / 2, abs=1e-6)
    # shares 3/4 and 1/4: sqrt(3/4 * 1/4) of their distance
    uneven = rms_difference(module(c0=6, c1=2), one)[0]
    assert uneven == pytest.approx(3**0.5 / 4 * NEIGHBOURS, abs=1e-6)


def test_the_benchmarks_rms_squares_the_shares():
    # cells 0 and 1 differ in y only; sqrt(2 * (1/2)^2 * (1 / sigma_y)^2)
    sigma_y = cell_coordinates()[:, 1].std()
    found = rms_reference_difference(module(c0=5, c1=5), module(c0=1))[0]
    assert found == pytest.approx(0.5**0.5 / sigma_y, abs=1e-6)


def test_cross_correlation_is_pearsons():
    one = module(c0=1)
    assert cross_correlation(one, module(c0=80))[0] == pytest.approx(1)
    # two unit vectors in 48 dimensions: cov = -1/48^2, variance = 1/48 - 1/48^2
    assert cross_correlation(one, module(c1=1))[0] == pytest.approx(-1 / 47)
    assert cross_correlation(one, np.ones((1, 48), dtype=np.float32))[0] == 0
    before, after = modules()
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(before, after, strict=True)]
    assert cross_correlation(before, after) == pytest.approx(expected, abs=1e-6)


def test_squared_difference_is_relative_to_both_sizes():
    # (3 - 1)^2 + 4^2 over sqrt((9 + 16) * 1)
    assert squared_difference(module(c0=3, c1=4), module(c0=1))[0] == pytest.approx(20 / 5)
    assert squared_difference(module(c0=3), module(c1=3))[0] == pytest.approx(2)


def test_zero_fraction_and_response_count_the_empty_answer():
    before = np.concatenate([module(c0=4), module(c0=4), module(c0=4)])
    after = np.concatenate([module(), module(c5=2), module(c5=6)])
    assert zero_fraction(before, after).tolist() == [1, 0, 0]
    assert charge_response(before, after).tolist() == [0, 0.5, 1.5]


def test_the_telescope_sees_a_move_less_the_nearer_it_is():
    before = module(c5=4)  # 4 counts: 1 after the division by 2**2
    cells_only = 2.0 / 48  # two cells differ by 1, each with the larger charge 1
    inside = telescope(before, module(c6=4))[0]
    across = telescope(before, module(c21=4))[0]
    assert inside < across
    assert inside > 4 * cells_only
    # beside the cells: the far move changes two sectors by 1 each, of three
    assert across > 4 * cells_only + 2 / 3


@pytest.mark.slow  # imports TensorFlow
def test_the_telescope_is_the_loss_that_models_are_trained_with():
    from models.data.geometry import ARRANGEMENTS
    from models.data.normalisation import scale_of
    from models.training import losses

    before, after = modules()
    scale = scale_of(before)[:, None]
    to_images = ARRANGEMENTS["8x8"].to_images
    loss = losses.get_loss("telescopeMSE", "8x8")
    expected = np.asarray(loss(to_images(before / scale), to_images(after / scale)))
    assert telescope(before, after) == pytest.approx(expected, rel=1e-4)


def test_empty_modules_have_no_value_and_empty_answers_only_what_can_be_told():
    before = np.concatenate([module(), module(), module(c0=2)])
    after = np.concatenate([module(c1=3), module(), module()])
    found = measure_modules(before, after, full=True)
    for name, values in found.items():
        assert np.isnan(values[:2]).all(), name
    told = {name for name, values in found.items() if not np.isnan(values[2])}
    assert told == {"zero_fraction", "charge_response", "telescope"}


def test_only_the_second_transport_problem_is_left_to_a_full_evaluation():
    quick, full = ([m.name for m in measures(full=full)] for full in (False, True))
    assert set(full) - set(quick) == {"emd_threshold"}
    assert len(full) == len(set(full)) == len(MEASURES)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_all_agree_with_a_loop_over_modules(seed):
    rng = np.random.default_rng(seed)
    before, after = rng.integers(0, 200, (2, 3, 48)).astype(float)
    found = measure_modules(before, after, full=True)
    xy = cell_coordinates()
    for index, (a, b) in enumerate(zip(before, after, strict=True)):
        p, q = a / a.sum(), b / b.sum()
        centres = [sum(w * point for w, point in zip(s, xy, strict=True)) for s in (p, q)]
        distances = [np.linalg.norm(xy - centre, axis=1) for centre in centres]
        widths = [np.sqrt((s * d**2).sum()) for s, d in zip((p, q), distances, strict=True)]
        scaled = [(xy - centre) / xy.std(axis=0) for centre in centres]
        theirs = [
            np.sqrt((s**2 * (d**2).sum(axis=1)).sum()) for s, d in zip((p, q), scaled, strict=True)
        ]
        assert found["emd"][index] == pytest.approx(emd(a[None], b[None])[0])
        assert found["mean_difference"][index] == pytest.approx(
            np.linalg.norm(centres[0] - centres[1]), abs=1e-9
        )
        assert found["rms_difference"][index] == pytest.approx(widths[0] - widths[1], abs=1e-9)
        assert found["rms_reference_difference"][index] == pytest.approx(
            theirs[0] - theirs[1], abs=1e-9
        )
        assert found["squared_difference"][index] == pytest.approx(
            ((a - b) ** 2).sum() / np.sqrt((a**2).sum() * (b**2).sum())
        )


def test_progress_counts_every_module_once():
    before, after = modules(70)
    steps: list[int] = []
    measure_modules(before, after, progress=steps.append)
    assert sum(steps) == 70


def test_charges_that_are_none_are_refused():
    before, after = modules(2500)  # more than are measured at a time
    with pytest.raises(ValueError, match="2500 modules cannot be compared with 2499"):
        measure_modules(before, after[1:])
    after[2403, 4] = -1
    with pytest.raises(ValueError, match=r"after: charge -1\.0 in module 2403, cell 4"):
        measure_modules(before, after)


def test_half_pitch_is_the_unit_of_length():
    assert cell_distances()[0, 1] * HALF_PITCH_CM == pytest.approx(2.4168015)
