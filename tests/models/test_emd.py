"""The earth mover's distance: exact, a metric, and honest about modules it cannot compare."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.foundation.errors import ToolFailed
from models.data.geometry import cell_coordinates, cell_distances
from models.quality import emd as emd_module
from models.quality.emd import emd, ot


def _one_cell(cell: int, charge: float = 1.0) -> np.ndarray:
    cells = np.zeros((1, 48))
    cells[0, cell] = charge
    return cells


def _random_modules(count: int, filled: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    charges = rng.lognormal(4, 1.5, (count, 48)) * (rng.random((count, 48)) < filled)
    charges[charges.sum(axis=1) == 0, 7] = 1
    return charges


modules = st.lists(
    st.one_of(st.just(0.0), st.floats(1e-3, 4e6), st.integers(0, 2**22 - 1).map(float)),
    min_size=48,
    max_size=48,
).filter(any)


def test_one_cell_to_its_neighbour_is_one_pitch():
    assert emd(_one_cell(0), _one_cell(1, 250.0))[0] == pytest.approx(2.0, abs=1e-12)


def test_half_of_the_charge_moves_half_as_far():
    split = _one_cell(0) + _one_cell(1)
    assert emd(_one_cell(0), split)[0] == pytest.approx(1.0, abs=1e-12)


def test_single_cells_are_as_far_apart_as_their_centres():
    for a, b in ((0, 15), (3, 40), (16, 47)):
        expected = np.linalg.norm(cell_coordinates()[a] - cell_coordinates()[b])
        assert emd(_one_cell(a), _one_cell(b))[0] == pytest.approx(expected, abs=1e-12)


def test_two_cells_go_the_shorter_way_round():
    # cells 0, 1, 2, 3 lie in a row, one pitch apart: {0, 2} to {1, 3} is one pitch each, whichever
    # way round they are paired the total is the same; {0, 3} to {1, 2} must not cross
    assert emd(_one_cell(0) + _one_cell(2), _one_cell(1) + _one_cell(3))[0] == pytest.approx(2.0)
    assert emd(_one_cell(0) + _one_cell(3), _one_cell(1) + _one_cell(2))[0] == pytest.approx(2.0)


@pytest.mark.parametrize("filled_a", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("filled_b", [0.05, 1.0])
def test_equals_the_full_linear_programme(filled_a, filled_b):
    a, b = _random_modules(40, filled_a, 1), _random_modules(40, filled_b, 2)
    full = [
        ot.emd2(x / x.sum(), y / y.sum(), np.array(cell_distances()))
        for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(emd(a, b), full, rtol=0, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(modules, modules, modules)
def test_is_a_metric(a, b, c):
    ab, ba, bc, ac, aa = emd([a, b, b, a, a], [b, a, c, c, a])
    assert ab == pytest.approx(ba, abs=1e-9)
    assert ac <= ab + bc + 1e-9
    assert aa == 0
    assert 0 <= ab <= cell_distances().max()


@settings(max_examples=40, deadline=None)
@given(modules, st.floats(1e-6, 1e6))
def test_total_charge_does_not_matter(module, factor):
    assert emd([module], [np.array(module) * factor])[0] == pytest.approx(0, abs=1e-12)


def test_an_empty_module_on_either_side_has_no_distance():
    empty, full = np.zeros((1, 48)), _one_cell(3)
    pairs_a, pairs_b = np.vstack([empty, full, empty, full]), np.vstack([full, empty, empty, full])
    result = emd(pairs_a, pairs_b)
    assert np.isnan(result[:3]).all()
    assert result[3] == 0


def test_no_modules_no_distances():
    assert emd(np.zeros((0, 48)), np.zeros((0, 48))).shape == (0,)


def test_workers_and_order_do_not_matter_and_progress_counts_all():
    a, b = _random_modules(1234, 0.2, 3), _random_modules(1234, 1.0, 4)
    seen: list[int] = []
    alone, shared = emd(a, b, workers=1), emd(a, b, workers=3, progress=seen.append)
    np.testing.assert_array_equal(alone, shared)
    assert sum(seen) == 1234 and len(seen) > 1


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.zeros((1, 64)), np.zeros((1, 64)), r"shape \(1, 64\), expected \(modules, 48\)"),
        (np.ones((2, 48)), np.ones((3, 48)), "2 modules cannot be compared with 3"),
        (-_one_cell(5), _one_cell(0), "charge -1.0 in module 0, cell 5"),
        (_one_cell(0), _one_cell(9, np.nan), "cells_b: charge nan in module 0, cell 9"),
    ],
)
def test_bad_charges_are_named(a, b, message):
    with pytest.raises(ValueError, match=message):
        emd(a, b)


def test_a_solver_that_gives_up_is_an_error_not_a_number(monkeypatch):
    monkeypatch.setattr(emd_module, "_MAX_ITERATIONS", 1)
    with pytest.raises(ToolFailed, match="iteration limit"):
        emd(_random_modules(3, 1.0, 5), _random_modules(3, 1.0, 6))


def test_tensorflow_is_not_imported():
    loaded = "'tensorflow' in sys.modules or 'keras' in sys.modules"
    code = f"import sys, models.quality.emd; print({loaded})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_public_solver_gives_the_same_distances(monkeypatch):
    rng = np.random.default_rng(5)
    one, other = (rng.exponential(1.0, (40, 48)) * (rng.random((40, 48)) < 0.4) for _ in range(2))
    one[:, 0] += 0.1
    other[:, 1] += 0.1
    private = emd(one, other)
    monkeypatch.setattr(emd_module, "emd_c", None)
    np.testing.assert_allclose(emd(one, other), private, rtol=1e-9, atol=1e-12)
