"""Decoded modules at the sum that the chip sends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.artefacts.decoding import ChargeScale, decoded_charges
from models.data.geometry import ARRANGEMENTS
from models.data.normalisation import Normalisation
from models.networks.encoder import build_networks
from models.networks.network_files import load_network
from models.networks.zoo import ModelSpec

DENSE = {
    "name": "dense",
    "label": "dense",
    "arrangement": "8x8",
    "decoder": {"widths": [32]},
    "loss": "sinkhorn_divergence",
}


def charges(calq, scale: ChargeScale) -> np.ndarray:
    shares = np.full(calq.shape, 1 / 48)
    return decoded_charges(shares, calq, Normalisation.MSB, scale, None).sum(axis=1)


@given(st.integers(0, (1 << 22) - 1))
def test_the_sent_sum_is_within_half_a_bin_of_its_code(total: int) -> None:
    calq = np.zeros((1, 48), dtype=np.float32)
    calq[0, 7] = total
    [found] = charges(calq, ChargeScale.SENT_SUM)
    assert abs(found - total) <= max(0.5, total / 32)
    assert charges(calq, ChargeScale.SUM)[0] == pytest.approx(total)


def test_parts_of_counts_are_not_sent() -> None:
    calq = np.full((1, 48), 0.75, dtype=np.float32)
    assert charges(calq, ChargeScale.SENT_SUM)[0] == 0


@pytest.mark.parametrize("arrangement", sorted(ARRANGEMENTS))
def test_a_dense_decoder_gives_shares_of_the_cells(arrangement: str) -> None:
    decoder = build_networks(ModelSpec.model_validate(DENSE | {"arrangement": arrangement})).decoder
    latents = np.random.default_rng(1).random((20, 16)).astype(np.float32)
    images = decoder.predict_on_batch(latents)
    image = ARRANGEMENTS[arrangement]
    assert images.shape == (20, *image.shape)
    cells = image.to_cells(images)
    assert (cells >= 0).all()
    np.testing.assert_allclose(cells.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(images, image.to_images(cells))
    trained = {weight.name.split("/")[0] for weight in decoder.trainable_weights}
    assert trained == {"de_dense_0", "decoder_shares"}


def test_a_dense_decoder_is_written_and_read_back(tmp_path) -> None:
    decoder = build_networks(ModelSpec.model_validate(DENSE)).decoder
    file = tmp_path / "decoder.keras"
    decoder.save(file)
    latents = np.random.default_rng(1).random((20, 16)).astype(np.float32)
    again = load_network(file).predict_on_batch(latents)
    np.testing.assert_array_equal(again, decoder.predict_on_batch(latents))
