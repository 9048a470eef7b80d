"""Modules of each epoch: a function of seed and epoch, and no two epochs alike."""

import numpy as np

from flows.training.fresh_modules import modules_of_epochs, seed_of_epoch


def test_they_depend_on_seed_and_epoch_alone() -> None:
    in_order = modules_of_epochs(300, seed=1, epochs=3)
    found = [in_order(epoch).calq for epoch in range(3)]
    resumed = modules_of_epochs(300, seed=1, epochs=3)
    np.testing.assert_array_equal(resumed(2).calq, found[2])
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert (found[one] != found[other]).any(axis=1).mean() > 0.9
    assert all((calq.sum(axis=1) > 0).all() and calq.shape == (300, 48) for calq in found)


def test_seeds_differ_between_seeds_epochs_and_from_those_of_users() -> None:
    seeds = {seed_of_epoch(seed, epoch) for seed in range(5) for epoch in range(40)}
    assert len(seeds) == 200
    assert min(seeds) > 1 << 32
