"""The module's geometry: hexagonal neighbours, and images that carry every cell exactly once."""

import numpy as np
import pytest

from models.data.geometry import ARRANGEMENTS, HALF_PITCH_CM, cell_coordinates, cell_distances


@pytest.mark.parametrize(
    ("cell", "x_cm", "y_cm"),
    [(0, 0.0, 0.0), (3, 0.0, -7.2504), (31, -2.0930, 0.6042), (44, -1.5698, -16.0113)],
)
def test_cells_stand_where_the_published_coordinates_put_them(
    cell: int, x_cm: float, y_cm: float
) -> None:
    assert cell_coordinates()[cell] * HALF_PITCH_CM == pytest.approx((x_cm, y_cm), abs=1e-4)


def test_distances_are_a_metric_and_neighbours_are_two_half_pitches_apart() -> None:
    distances = cell_distances()
    assert np.array_equal(distances, distances.T)
    assert not distances.diagonal().any()
    through = (distances[:, :, None] + distances[None, :, :]).min(axis=1)
    assert (distances <= through + 1e-12).all()
    apart = distances + np.eye(48) * 99
    assert apart[:16, :16].min() == pytest.approx(2.0)  # within a sector
    assert apart.min() == pytest.approx(1.8028, abs=1e-4)  # across the border of two sectors


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_cells_survive_the_way_to_an_image_and_back(name: str) -> None:
    arrangement = ARRANGEMENTS[name]
    cells = np.arange(1, 97, dtype=np.float32).reshape(2, 48)
    images = arrangement.to_images(cells)
    assert images.shape == (2, *arrangement.shape)
    assert np.array_equal(arrangement.to_cells(images), cells)
    assert arrangement.primary.sum() == 48
    assert (arrangement.shown | ~arrangement.primary).all()


def test_the_asic_reads_zero_in_the_fourth_quadrant() -> None:
    image = ARRANGEMENTS["8x8"].to_images(np.ones((1, 48), dtype=np.float32))
    assert not image[0, 4:, 4:].any()
    assert image.sum() == 48


def test_the_transposed_arrangement_shows_the_same_sectors() -> None:
    cells = np.arange(48, dtype=np.float32)[None] + 1
    first = ARRANGEMENTS["6x6x3"].to_images(cells)
    last = ARRANGEMENTS["6x6x3_tp"].to_images(cells)
    assert np.array_equal(first.transpose(0, 2, 3, 1), last)
