"""The other compression algorithms, on cases computed by hand."""

import numpy as np

from models.quality.baselines import (
    BASELINE_ELINKS,
    algorithms,
    best_choice,
    coarse_trigger_cells,
    mean_image,
    super_trigger_cells,
    threshold,
    trigger_cell_groups,
)


def module(**charges: float) -> np.ndarray:
    calq = np.zeros((1, 48), dtype=np.float32)
    for cell, charge in charges.items():
        calq[0, int(cell[1:])] = charge
    return calq


def test_threshold_is_in_transverse_mips() -> None:
    calq = module(c0=47, c1=48, c2=1)  # 1.35 MIP_T is 47.25 counts
    assert np.array_equal(threshold(calq, 1.35), module(c1=48))


def test_best_choice_keeps_the_largest() -> None:
    calq = module(c3=5, c10=7, c40=6, c41=5)
    assert np.array_equal(best_choice(calq, 2), module(c10=7, c40=6))
    assert np.array_equal(best_choice(calq, 3), module(c3=5, c10=7, c40=6))
    assert np.array_equal(best_choice(calq, 14), calq)


def test_super_trigger_cells_put_the_sum_in_the_largest_cell() -> None:
    # cells 0, 1, 4, 5 are the first 2 x 2 group of sector 0; cells 42, 43, 46, 47 its last
    calq = module(c0=1, c1=4, c5=2, c2=3, c42=1, c43=2, c46=8, c47=1)
    assert np.array_equal(super_trigger_cells(calq, 2), module(c1=7, c2=3, c46=12))
    assert np.array_equal(super_trigger_cells(calq, 4), module(c1=10, c46=12))


def test_every_cell_is_in_one_group_of_neighbours() -> None:
    assert np.array_equal(np.sort(trigger_cell_groups(2).ravel()), np.arange(48))
    assert trigger_cell_groups(2)[-1].tolist() == [42, 43, 46, 47]
    assert np.array_equal(trigger_cell_groups(4), np.arange(48).reshape(3, 16))


def test_coarse_trigger_cells_share_the_sum_alike() -> None:
    calq = module(c0=1, c1=4, c5=3, c47=2)
    expected = module(c0=2, c1=2, c4=2, c5=2, c42=0.5, c43=0.5, c46=0.5, c47=0.5)
    assert np.array_equal(coarse_trigger_cells(calq, 2), expected)


def test_the_mean_image_is_that_of_filled_modules() -> None:
    calq = np.concatenate([module(c0=10), module(), module(c0=30, c1=10)])
    shares = [(1 + 0.75) / 2, 0.25 / 2]
    assert np.allclose(mean_image(calq)[:, :2], np.outer([10, 0, 40], shares))
    assert not mean_image(calq)[:, 2:].any()
    assert not mean_image(module()).any()


def test_all_algorithms_keep_no_more_than_there_is() -> None:
    calq = np.random.default_rng(0).exponential(30, (200, 48)).astype(np.float32)
    for elinks in BASELINE_ELINKS:
        for compress in algorithms(elinks).values():
            kept = compress(calq)
            assert kept.shape == calq.shape
            assert (kept.sum(axis=1) <= calq.sum(axis=1) * 1.00001).all()
