"""The Sinkhorn divergence against POT, and its gradient against that of the exact distance."""

import numpy as np
import pytest

from hw.foundation.errors import InputError
from models.data.geometry import cell_distances
from models.keras_backend import tf
from models.quality.emd import emd, ot
from models.training.losses import get_loss, ignores_sum
from models.training.sinkhorn_divergence import SinkhornDivergence


def modules(seed: int, count: int = 60, occupancy: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    cells = rng.exponential(1.0, (count, 48)) * (rng.random((count, 48)) < occupancy)
    cells[np.arange(count), rng.integers(0, 48, count)] += 0.5
    return cells


def value_and_gradient(loss, true: np.ndarray, predicted: np.ndarray):
    cells = tf.constant(predicted, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(cells)
        value = loss(tf.constant(true, tf.float32), cells)
    return value.numpy(), tape.gradient(value, cells).numpy()


def transport(a: np.ndarray, b: np.ndarray, regularisation: float) -> float:
    """Entropy-regularised transport by POT, its entropy counted."""
    distances = cell_distances()
    plan = ot.sinkhorn(a, b, distances, regularisation, numItermax=5000, stopThr=1e-9, warn=False)
    return float((plan * distances + regularisation * plan * np.log(plan)).sum())


def shares(cells: np.ndarray) -> np.ndarray:
    parts = cells / cells.sum() + 1e-7
    return parts / parts.sum()


@pytest.mark.parametrize(("regularisation", "tolerance"), [(2.0, 1e-5), (1.0, 2e-4), (0.5, 2e-3)])
def test_values_are_those_of_pot(regularisation: float, tolerance: float) -> None:
    one, other = modules(1, 6), modules(2, 6)
    found, _ = value_and_gradient(SinkhornDivergence(regularisation), one, other)
    expected = [
        transport(a, b, regularisation)
        - (transport(a, a, regularisation) + transport(b, b, regularisation)) / 2
        for a, b in zip(map(shares, one), map(shares, other), strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=tolerance)


def test_equal_modules_are_at_no_distance_and_pull_nowhere() -> None:
    cells = modules(3)
    value, gradient = value_and_gradient(SinkhornDivergence(0.5), cells, cells * 7)
    assert np.abs(value).max() < 1e-3
    assert np.abs(gradient).max() < 2e-2  # of distances up to 12: what the iterations leave


def test_single_cells_are_at_their_distance() -> None:
    one, other = np.zeros((1, 48)), np.zeros((1, 48))
    one[0, 0], other[0, 40] = 3.0, 0.2
    value, _ = value_and_gradient(SinkhornDivergence(1.0), one, other)
    assert value == pytest.approx([cell_distances()[0, 40]], rel=1e-3)


def test_the_gradient_is_that_of_the_value() -> None:
    loss, one = SinkhornDivergence(2.0), modules(8, 6)
    other = modules(9, 6, occupancy=1.0) + 0.2
    direction = np.random.default_rng(7).standard_normal(other.shape) * 0.02
    _, gradient = value_and_gradient(loss, one, other)
    ahead, behind = (value_and_gradient(loss, one, other + d)[0] for d in (direction, -direction))
    np.testing.assert_allclose((gradient * direction).sum(axis=1), (ahead - behind) / 2, atol=2e-5)


def test_it_tends_to_the_exact_distance() -> None:
    one, other = modules(4, 200), modules(5, 200)
    exact = emd(one, other)
    deviations = []
    for regularisation in (2.0, 1.0, 0.5, 0.25):
        value, _ = value_and_gradient(SinkhornDivergence(regularisation), one, other)
        assert (value > -1e-3).all()
        deviations.append(np.abs(value - exact).mean())
    assert deviations == sorted(deviations, reverse=True)
    assert deviations[-1] < 0.1 * exact.mean()


def test_a_step_along_the_gradient_lowers_the_exact_distance() -> None:
    one, other = modules(6, 300), modules(7, 300, occupancy=1.0)
    _, gradient = value_and_gradient(SinkhornDivergence(0.5), one, other)
    before = emd(one, other)
    other = other / other.sum(axis=1, keepdims=True)
    step = 1e-3 * gradient / np.abs(gradient).max(axis=1, keepdims=True)
    after = emd(one, np.maximum(other - step * other.sum(axis=1, keepdims=True), 0))
    assert (after < before).mean() > 0.98


@pytest.mark.parametrize("regularisation", [0.25, 0.5, 1.0, 10.0])
def test_extremes_have_finite_values_and_gradients(regularisation: float) -> None:
    corners = np.zeros((5, 48))
    corners[0, 0] = 1
    corners[1, 47] = 1e6
    corners[2] = 1e-6
    corners[3, 3] = 1e-20
    one, other = corners, corners[::-1]
    value, gradient = value_and_gradient(SinkhornDivergence(regularisation), one, other)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    assert value[4] == value[0] == 0  # an empty module has no shape to compare
    assert not gradient[0].any() and not gradient[4].any()


def test_the_loss_compares_shapes_alone_and_takes_a_regularisation() -> None:
    loss = get_loss("sinkhorn_divergence:1", "8x8")
    assert ignores_sum("sinkhorn_divergence:1")
    images = np.random.default_rng(1).random((4, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(
        loss(images, images[::-1] * 3), loss(images, images[::-1]), rtol=1e-3
    )
    with pytest.raises(InputError, match=r"such as sinkhorn_divergence:0\.5"):
        get_loss("sinkhorn_divergence:0.001", "8x8")
    with pytest.raises(InputError, match="after the colon"):
        get_loss("sinkhorn_divergence:fast", "8x8")
