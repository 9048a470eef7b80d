"""The published distributions, the same of any data, and the distance between two of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hw.foundation.errors import InputError
from models.data.distributions import (
    NAMES,
    PUBLISHED,
    distributions,
    published,
    quantities,
    total_variation,
)

REAL = Path(__file__).resolve().parents[3] / "shared" / "econt" / "nElinks_5_histograms.json"

_counts = npst.arrays(np.int64, 12, elements=st.integers(0, 10**6)).filter(lambda c: c.sum() > 0)


def module(*charges: int) -> np.ndarray:
    calq = np.zeros((1, 48), dtype=np.float32)
    calq[0, : len(charges)] = charges
    return calq


def test_published_modules_are_all_counted() -> None:
    assert {name: entry.outside for name, entry in PUBLISHED.items()} == {
        "occ_all": 0,
        "occ_1MT": 0,
        "maxQ": 1_793_335,  # largest charge below 35 counts
        "sumQ": 1_308_277,  # summed charge below 64 counts
    }
    for sample, modules in (("ttbar", 4_050_010), ("elegun", 3_515_938)):
        assert all(entry.all_modules().sum() == modules for entry in published(sample).values())


def test_published_summed_charge_stands_at_powers_of_two() -> None:
    bins = np.flatnonzero(PUBLISHED["sumQ"].counts)
    expected = np.log10(2.0 ** np.arange(6, 14) / 35)
    assert np.array_equal(np.digitize(expected, PUBLISHED["sumQ"].edges) - 1, bins)


@pytest.mark.shared
def test_published_figures_are_the_source_s() -> None:
    if not REAL.is_file():
        pytest.skip(f"{REAL} is absent")
    source = json.loads(REAL.read_text())
    for sample, prefix in (("ttbar", "end"), ("elegun", "begin")):
        for name, entry in published(sample).items():
            key = f"{prefix}_{name}" + ("" if name.startswith("occ") else "_all")
            assert entry.counts.tolist() == source[key]


def test_unknown_sample_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="did you mean 'ttbar'"):
        published("tbar")


def test_one_module_by_hand() -> None:
    found = {name: float(values[0]) for name, values in quantities(module(36, 35)).items()}
    assert found == {
        "occ_all": 2,
        "occ_1MT": 1,  # 35 counts are one transverse MIP, not above it
        "maxQ": pytest.approx(np.log10(36 / 35)),
        "sumQ": pytest.approx(np.log10(64 / 35)),
    }
    assert {
        name: int(found.counts.argmax()) for name, found in distributions(module(36, 35)).items()
    } == {
        "occ_all": 2,
        "occ_1MT": 1,
        "maxQ": 0,
        "sumQ": 5,
    }


@pytest.mark.parametrize(
    ("charges", "outside"),
    [
        ((), {"maxQ", "sumQ"}),  # no charge
        ((34, 29), {"maxQ", "sumQ"}),  # largest below 35, sum 63
        ((34, 30), {"maxQ"}),  # sum 64, the least power of two above 35
        ((35,), {"sumQ"}),
        ((11_067,), set()),
        ((11_069,), {"maxQ"}),  # log10(largest / 35) above 2.5
        ((16_384,), {"maxQ", "sumQ"}),
    ],
)
def test_modules_outside_a_range(charges: tuple[int, ...], outside: set[str]) -> None:
    found = distributions(module(*charges))
    assert {name for name, entry in found.items() if entry.outside} == outside
    assert all(entry.all_modules().sum() == 1 for entry in found.values())


@given(npst.arrays(np.int64, (7, 48), elements=st.integers(0, 2**22 - 1)))
def test_every_module_is_counted_once(calq: np.ndarray) -> None:
    found = distributions(calq)
    assert tuple(found) == NAMES
    assert all(entry.all_modules().sum() == len(calq) for entry in found.values())


@pytest.mark.parametrize(
    ("ours", "theirs", "distance"),
    [
        ([1, 2, 3], [2, 4, 6], 0.0),
        ([1, 0], [0, 5], 1.0),
        ([1, 1], [3, 1], 0.25),
        ([2, 1, 1], [1, 1, 2], 0.25),
    ],
)
def test_total_variation_by_hand(ours: list, theirs: list, distance: float) -> None:
    assert total_variation(ours, theirs) == pytest.approx(distance)


@given(_counts, _counts, st.integers(1, 50))
def test_total_variation_is_a_distance_of_shapes(a: np.ndarray, b: np.ndarray, k: int) -> None:
    distance = total_variation(a, b)
    assert 0 <= distance <= 1 + 1e-12
    assert total_variation(b, a) == pytest.approx(distance)
    assert total_variation(k * a, b) == pytest.approx(distance)
    assert total_variation(a, a) == 0


@pytest.mark.parametrize(
    ("ours", "theirs"), [([1, 2], [1, 2, 3]), ([0, 0], [1, 1]), ([-1, 2], [1, 1])]
)
def test_total_variation_refuses_what_is_no_histogram(ours: list, theirs: list) -> None:
    with pytest.raises(ValueError, match="histogram"):
        total_variation(ours, theirs)


def test_the_distance_counts_modules_outside_the_ranges() -> None:
    # all of these have a largest charge below 35: at distance (published in range) from the sample
    far = distributions(np.repeat(module(1, 1), 10, axis=0))["maxQ"]
    distance = total_variation(far.all_modules(), PUBLISHED["maxQ"].all_modules())
    assert distance == pytest.approx(1 - 1_793_335 / 4_050_010)
