"""Selections do what their flag says or say what they lack; a split keeps events together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.foundation.errors import InputError
from models.data.dataset import ModuleData
from models.data.selection import double, drop_empty, mask_energies, mask_partials, quick, split


def modules(count: int, **more) -> ModuleData:
    calq = np.arange(count * 48, dtype=np.float32).reshape(count, 48) + 1
    return ModuleData(calq, **more)


def test_empty_modules_are_dropped_with_all_their_columns() -> None:
    data = modules(3, eta=np.array([1.5, 2.0, 2.5], np.float32), columns={"layer": np.arange(3)})
    data.calq[1] = 0
    kept = drop_empty(data)
    assert kept.eta is not None and kept.eta.tolist() == [1.5, 2.5]
    assert kept.columns["layer"].tolist() == [0, 2]


def test_partial_modules_and_low_energies_are_masked() -> None:
    kinds = np.array(["FI", "a", "FM", "FO", "g"])
    energies = np.array([0.04, 0.05, 0.06, 0.5, 1.0])
    data = modules(5, columns={"ModType": kinds, "SimEnergyFraction": energies})
    assert mask_partials(data).columns["ModType"].tolist() == ["FI", "FM", "FO"]
    assert mask_energies(data).columns["SimEnergyFraction"].tolist() == [0.06, 0.5, 1.0]


@pytest.mark.parametrize(
    ("select", "column"), [(mask_partials, "ModType"), (mask_energies, "SimEnergyFraction")]
)
def test_a_selection_without_its_column_is_an_error(select, column: str) -> None:
    with pytest.raises(InputError, match=column):
        select(modules(3))


def test_a_selection_that_leaves_nothing_is_an_error() -> None:
    data = modules(
        2,
        columns={"ModType": np.array(["a", "g"]), "SimEnergyFraction": np.array([0.01, 0.05])},
    )
    with pytest.raises(InputError, match=r"--maskPartials: no module is of ModType FI.*of 2"):
        mask_partials(data)
    with pytest.raises(InputError, match=r"--maskEnergies: no SimEnergyFraction is above 0\.05"):
        mask_energies(data)
    data.calq[:] = 0
    with pytest.raises(InputError, match="no module has charge"):
        drop_empty(data)


def test_double_adds_pairs_of_different_modules() -> None:
    data = modules(7)
    pairs = double(data, seed=3)
    assert len(pairs) == 3
    first = (data.calq[:, 0] - 1) / 48
    sums = {int(a + b) for a in first for b in first if a != b}
    assert {int(x) for x in (pairs.calq[:, 0] - 2) / 48} <= sums
    assert np.array_equal(pairs.calq, double(data, seed=3).calq)
    with pytest.raises(InputError, match="at least 2"):
        double(modules(1), seed=0)


def test_quick_takes_the_first_and_no_more_than_there_are() -> None:
    assert np.array_equal(quick(modules(9), 4).calq, modules(4).calq)
    assert len(quick(modules(3), 4)) == 3


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(st.integers(0, 12), min_size=2, max_size=80),
    seed=st.integers(0, 5),
    fraction=st.floats(0.05, 0.6),
)
def test_a_split_is_whole_and_never_parts_an_event(
    events: list[int], seed: int, fraction: float
) -> None:
    event = np.array(events)
    data = modules(len(event), event=event)
    if len(np.unique(event)) < 2:
        with pytest.raises(InputError, match="events cannot be split"):
            split(data, fraction, seed)
        return
    train, validation = split(data, fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(event)))
    assert len(train) and len(validation)
    assert not set(event[train]) & set(event[validation])
    largest = np.unique(event, return_counts=True)[1].max()
    wanted = min(max(round(len(event) * fraction), 1), len(event) - 1)
    assert abs(len(validation) - wanted) <= largest
    again = split(data, fraction, seed)
    assert np.array_equal(train, again[0]) and np.array_equal(validation, again[1])


def test_without_events_the_fraction_is_exact_and_the_seed_matters() -> None:
    train, validation = split(modules(1000), 0.2, seed=1)
    assert (len(train), len(validation)) == (800, 200)
    assert not np.array_equal(validation, split(modules(1000), 0.2, seed=2)[1])
    with pytest.raises(InputError, match="1 modules cannot be split"):
        split(modules(1))


def test_a_large_event_does_not_spoil_the_fraction() -> None:
    event = np.array([0] * 60 + [*range(1, 41)])
    for seed in range(5):
        train, validation = split(modules(100, event=event), 0.2, seed)
        assert len(validation) == 20 and 0 in event[train]


def test_the_last_event_is_never_taken_from_training() -> None:
    train, validation = split(modules(100, event=np.array([7] * 99 + [8])), 0.9, seed=0)
    assert len(train) and len(validation)
