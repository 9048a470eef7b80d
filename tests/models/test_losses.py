"""Losses against cases worked out by hand, against each other, and against other programs."""

import numpy as np
import pytest

from hw.foundation.errors import InputError
from models.data.geometry import ARRANGEMENTS
from models.keras_backend import keras
from models.training.losses import get_loss
from models.training.telescope import sector_sums, supercell_sums, supercell_weights, supercells

NAMES = list(ARRANGEMENTS)

# the 36 supercells and their weights as the reference tabulates them
PUBLISHED_SUPERCELLS = {
    0.375: "0 1 4 5, 10 11 14 15, 16 17 20 21, 26 27 30 31, 32 33 36 37, 42 43 46 47, 4 5 8 9, "
    "20 21 24 25, 36 37 40 41, 9 10 13 14, 25 26 29 30, 41 42 45 46, 0 1 27 31, 11 15 32 33, "
    "16 17 47 43",
    0.25 + 1 / 12: "2 3 6 7, 18 19 22 23, 34 35 38 39",
    0.5625: "8 9 12 13, 24 25 28 29, 40 41 44 45",
    0.25: "6 7 10 11, 22 23 26 27, 38 39 42 43, 1 2 5 6, 17 18 21 22, 33 34 37 38, 5 6 9 10, "
    "21 22 25 26, 37 38 41 42, 1 2 23 27, 7 11 33 34, 17 18 43 39",
    0.25 + 1 / 6: "2 3 19 23, 3 7 34 35, 18 19 39 35",
}


def one_cell(cell: int, charge: float = 1.0) -> np.ndarray:
    cells = np.zeros((1, 48), dtype=np.float32)
    cells[0, cell] = charge
    return cells


def some_modules(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    cells = random.exponential(0.1, (count, 48)) * (random.random((count, 48)) < 0.4)
    cells[:, 7] += 0.01
    return cells.astype(np.float32)


def loss_of_cells(name: str, arrangement: str, true: np.ndarray, predicted: np.ndarray):
    image = ARRANGEMENTS[arrangement]
    return get_loss(name, arrangement)(image.to_images(true), image.to_images(predicted)).numpy()


def test_supercells_are_the_published_ones():
    published = {
        frozenset(map(int, group.split())): weight
        for weight, groups in PUBLISHED_SUPERCELLS.items()
        for group in groups.split(", ")
    }
    own = dict(zip(map(frozenset, supercells().tolist()), supercell_weights(), strict=True))
    assert own.keys() == published.keys()
    assert len(own) == 36
    for group, weight in published.items():
        assert own[group] == pytest.approx(weight, rel=1e-12)


def test_sums():
    assert supercell_sums().shape == (48, 36)
    assert (supercell_sums().sum(axis=0) == 4).all()
    cells = np.arange(48.0)
    np.testing.assert_array_equal(cells @ sector_sums(), cells.reshape(3, 16).sum(axis=1))


@pytest.mark.parametrize("arrangement", NAMES)
@pytest.mark.parametrize(
    ("cell", "weights"),
    [
        (12, 0.5625),  # module corner: one supercell
        (0, 0.375 + 0.375),  # edge, beside a seam
        (5, 0.375 + 0.375 + 0.25 + 0.25),  # inside
        (3, 0.25 + 1 / 12 + 2 * (0.25 + 1 / 6)),  # centre of the module: three supercells
    ],
)
def test_telescope_of_a_single_cell(arrangement, cell, weights):
    # predicted nothing: difference^2 * maximum is charge^3 at each scale
    charge = 0.5
    expected = charge**3 * (4 / 48 + 2 * weights / 36 + 1 / 3)
    found = loss_of_cells("telescopeMSE", arrangement, one_cell(cell, charge), one_cell(cell, 0.0))
    assert found == pytest.approx([expected], rel=1e-6)


def test_telescope_of_a_charge_moved_to_a_neighbour():
    # 5 to 6: the two cells differ; supercells with one of them differ, those with both do not
    shared = 0.25 + 0.25  # weights of the groups 1 2 5 6 and 5 6 9 10
    only_5 = 0.375 + 0.375
    only_6 = (0.25 + 1 / 12) + 0.25
    expected = 4 * 2 / 48 + 2 * (only_5 + only_6) / 36 + 0
    found = loss_of_cells("telescopeMSE", "8x8", one_cell(5), one_cell(6))
    assert found == pytest.approx([expected], rel=1e-6)
    assert shared == sum(
        weight
        for group, weight in zip(supercells().tolist(), supercell_weights(), strict=True)
        if {5, 6} <= set(group)
    )


def test_telescope_weighs_by_the_larger_charge():
    found = loss_of_cells("telescopeMSE", "8x8", one_cell(12, 0.25), one_cell(12, 0.75))
    expected = 0.5**2 * 0.75 * (4 / 48 + 2 * 0.5625 / 36 + 1 / 3)
    assert found == pytest.approx([expected], rel=1e-6)


def test_weighted_mse_by_hand():
    true = np.zeros((2, 8, 8, 1), dtype=np.float32)
    predicted = np.zeros_like(true)
    true[0, 0, 0], predicted[0, 0, 0] = 0.25, 0.75  # 0.25 * 0.75
    predicted[0, 7, 7] = 0.5  # a masked pixel counts too: 0.25 * 0.5
    predicted[1, 3, 3] = 1.0
    found = get_loss("weightedMSE", "8x8")(true, predicted).numpy()
    assert found == pytest.approx([(0.1875 + 0.125) / 64, 1 / 64], rel=1e-6)


@pytest.mark.parametrize("name", ["telescopeMSE", "sinkhorn_divergence"])
def test_arrangements_agree(name):
    true, predicted = some_modules(5, 1), some_modules(5, 2)
    results = [loss_of_cells(name, arrangement, true, predicted) for arrangement in NAMES]
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=1e-5)


@pytest.mark.parametrize("name", ["telescopeMSE", "sinkhorn_divergence"])
@pytest.mark.parametrize("arrangement", NAMES)
def test_pixels_without_a_cell_of_their_own_do_not_count(name, arrangement):
    image = ARRANGEMENTS[arrangement]
    true, predicted = (image.to_images(some_modules(3, seed)) for seed in (1, 2))
    noise = np.random.default_rng(3).random(predicted.shape).astype(np.float32)
    disturbed = np.where(image.primary.reshape(image.shape), predicted, noise)
    loss = get_loss(name, arrangement)
    np.testing.assert_allclose(loss(true, disturbed), loss(true, predicted), rtol=1e-6)


def test_names_of_the_reference():
    true, predicted = some_modules(2, 1), some_modules(2, 2)
    for name, arrangement in [
        ("telescopeMSE443", "4x4x3"),
        ("telescopeMSE663", "6x6x3"),
        ("telescopeMSE663", "6x6x3_tp"),
        ("telescopeMSE8x8", "8x8"),
    ]:
        found = loss_of_cells(name, arrangement, true, predicted)
        expected = loss_of_cells("telescopeMSE", arrangement, true, predicted)
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(InputError, match="'telescopeMSE8x8' is for images 8x8, not 4x4x3"):
        get_loss("telescopeMSE8x8", "4x4x3")


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("mse", lambda a, b: (a - b) ** 2),
        ("mean_absolute_error", lambda a, b: abs(a - b)),
        ("MeanSquaredError", lambda a, b: (a - b) ** 2),
        ("huber", lambda a, b: (a - b) ** 2 / 2),
    ],
)
def test_keras_losses_by_name(name, formula):
    true, predicted = some_modules(4, 1), some_modules(4, 2)
    expected = formula(true.astype(np.float64), predicted).mean(axis=1)
    found = loss_of_cells(name, "4x4x3", true, predicted)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("typo", "suggestion"),
    [
        ("weightedMES", "weightedMSE"),
        ("telescopMSE", "telescopeMSE"),
        ("mean_square_error", "mean_squared_error"),
        ("get", None),
        ("Loss", None),
    ],
)
def test_unknown_loss(typo, suggestion):
    with pytest.raises(InputError, match=f"unknown loss '{typo}'") as caught:
        get_loss(typo, "8x8")
    assert suggestion is None or f"did you mean '{suggestion}'" in str(caught.value)


@pytest.mark.parametrize("name", ["weightedMSE", "telescopeMSE", "sinkhorn_divergence", "mse"])
def test_a_step_of_training_lowers_the_loss(name):
    keras.utils.set_random_seed(1)
    image = ARRANGEMENTS["8x8"]
    pictures = image.to_images(some_modules(32, 1))
    model = keras.Sequential(
        [
            keras.layers.Input(image.shape),
            keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile(loss=get_loss(name, "8x8"), optimizer=keras.optimizers.Adam(0.05))
    weights = np.linspace(0.5, 1.5, 32)  # one for each module
    history = model.fit(pictures, pictures, sample_weight=weights, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
