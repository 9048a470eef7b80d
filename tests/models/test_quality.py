"""Statistics of a quality measure in all and in occupancy bins, on hand-computed samples."""

import numpy as np
import pytest

from models.quality.quality import (
    OCCUPANCY_BINS,
    PROFILE_BINS,
    occupancy,
    profile,
    statistics,
    typical_modules,
)

NAN = float("nan")


def test_statistics_of_a_hand_computed_sample():
    result = statistics(np.array([1.0, 2.0, 3.0, 6.0, NAN]))
    assert result.count == 4
    assert result.mean == 3.0
    assert result.std == pytest.approx(3.5**0.5)
    assert result.standard_error == pytest.approx((3.5 / 4) ** 0.5)
    assert result.median == 2.5
    assert result.low == pytest.approx(1.48)
    assert result.high == pytest.approx(4.56)


def test_a_sample_of_empty_modules_has_no_mean():
    result = statistics(np.array([NAN, NAN]))
    assert result.count == 0
    assert np.isnan([result.mean, result.std, result.standard_error, result.median]).all()


def test_one_module_has_a_mean_and_no_standard_error():
    result = statistics(np.array([2.5, NAN]))
    assert (result.count, result.mean, result.std) == (1, 2.5, 0.0)
    assert np.isnan(result.standard_error)


def test_occupancy_counts_cells_above_one_mip():
    calq = np.zeros((3, 48))
    calq[0, :5] = 35.0  # one MIP_T exactly is not above it
    calq[1, :5] = 36.0
    calq[2, :] = 1000.0
    assert occupancy(calq).tolist() == [0, 5, 48]


def test_profile_bins_are_half_open_and_the_last_is_closed():
    occupancies = np.array([0, 1, 2, 4, 5, 14, 15, 48, 3])
    values = np.array([1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, NAN])
    bins = profile(values, occupancies, OCCUPANCY_BINS)
    assert [(b.lower, b.upper) for b in bins] == [(0, 2), (2, 5), (5, 10), (10, 15), (15, 48)]
    assert [b.statistics.count for b in bins] == [2, 2, 1, 1, 2]
    assert [b.statistics.mean for b in bins] == [2.0, 6.0, 9.0, 11.0, 14.0]


def test_profile_leaves_out_what_is_beyond_its_edges():
    bins = profile(np.ones(3), np.array([23, 24, 25]), range(0, 25, 2))
    assert len(bins) == 12
    assert [b.statistics.count for b in bins] == [0] * 11 + [2]


def test_bins_cover_every_occupancy():
    occupancies = np.arange(49)
    for edges in (OCCUPANCY_BINS, PROFILE_BINS):
        bins = profile(np.ones(49), occupancies, edges)
        assert sum(b.statistics.count for b in bins) == 49


def test_typical_modules_are_the_medians_of_their_bins():
    occupancies = np.array([0, 1, 0, 3, 12, 40, 40, 40])
    values = np.array([1.0, 9.0, 2.0, 5.0, NAN, 7.0, 6.0, 8.0])
    assert typical_modules(values, occupancies, count=3).tolist() == [2, 3, 5]


def test_typical_modules_of_one_bin_spread_over_its_values():
    values = np.arange(100.0)
    chosen = typical_modules(values, np.full(100, 20), count=4)
    assert chosen.tolist() == [12, 37, 62, 87]


def test_typical_modules_of_empty_modules_are_none():
    assert len(typical_modules(np.array([NAN]), np.array([0]), count=4)) == 0
