"""Pruning: the smallest weights become 0 and stay so; the best epoch is one with all its zeros."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.keras_backend import keras
from models.networks.cheaper_weights import Pruning
from models.networks.encoder import build_networks
from models.networks.zoo import load_model_spec
from models.training.losses import get_loss
from models.training.pruning import Masks
from models.training.training import History, TrainingSettings, make_reproducible, train

IMAGES = (np.random.default_rng(0).random((1200, 8, 8, 1)) ** 8).astype(np.float32)
HALF = Pruning(dense=0.5, convolution=0.25, until=0.5)


def network() -> Any:
    make_reproducible(1)
    return build_networks(load_model_spec("8x8_c8_S2_tele"))


def zeros(layer: Any) -> int:
    return int(np.count_nonzero(layer.kernel.numpy() == 0))


def trained(parts: Any, **options: Any) -> History:
    how = TrainingSettings(seed=1, epochs=4, batch=300, pruning=HALF)
    loss = get_loss("weightedMSE", "8x8")
    return train(
        parts.autoencoder, loss, IMAGES[:1000], IMAGES[1000:], how,
        encoder=parts.encoder, **options,
    )  # fmt: skip


def test_the_smallest_weights_are_pruned_step_by_step() -> None:
    layer = keras.layers.Dense(4, use_bias=False)
    layer.build((None, 5))
    kernel = np.arange(1, 21, dtype=np.float32).reshape(5, 4) * np.where(np.arange(4) % 2, 1, -1)
    layer.set_weights([kernel])
    masks = Masks([layer, keras.layers.Flatten()], HALF)
    masks.shrink(0.4)  # of a half of 20 weights
    assert (layer.kernel.numpy() == 0).ravel().tolist() == [True] * 4 + [False] * 16
    layer.kernel.assign(kernel)  # a step of the optimiser moves pruned weights too
    masks.apply()
    assert zeros(layer) == 4
    masks.shrink(1.0)
    assert (layer.kernel.numpy() == 0).ravel().tolist() == [True] * 10 + [False] * 10


def test_whole_filters_are_pruned_with_their_bias() -> None:
    layer = keras.layers.Conv2D(4, 2)
    layer.build((None, 4, 4, 1))
    kernel = np.ones((2, 2, 1, 4), dtype=np.float32) * [3.0, -1.0, 4.0, -2.0]
    layer.set_weights([kernel, np.ones(4)])
    masks = Masks([layer], Pruning(filters=0.5, convolution=0.625))
    masks.shrink(0.5)  # one filter, and 5 of 16 weights, 4 of them that filter's
    assert layer.bias.numpy().tolist() == [1, 0, 1, 1]
    assert np.count_nonzero(layer.kernel.numpy() == 0, axis=(0, 1, 2)).tolist() == [0, 4, 0, 1]
    masks.shrink(1.0)
    assert layer.bias.numpy().tolist() == [1, 0, 1, 0]
    assert zeros(layer) == 10
    layer.set_weights([kernel, np.ones(4)])
    Masks([layer], Pruning(filters=0.99)).shrink(1.0)
    assert layer.bias.numpy().tolist() == [0, 0, 1, 0]  # the largest stays


def test_the_share_grows_until_the_settled_epochs() -> None:
    shares = [HALF.progress(epoch, 8) for epoch in range(8)]
    assert HALF.first_settled(8) == 4
    assert shares[0] > 0 and shares[3] < 1 and shares[4:] == [1.0] * 4
    assert shares == sorted(shares)
    assert Pruning(dense=0.5, until=0.99).first_settled(1) == 0  # one epoch alone is the last, too


def test_a_trained_encoder_has_its_zeros_and_the_decoder_none() -> None:
    parts = network()
    history = trained(parts)
    conv, dense = (parts.encoder.get_layer(name) for name in ("conv2d_0_m", "encoded_vector"))
    assert zeros(dense) == round(0.5 * dense.kernel.numpy().size)
    assert zeros(conv) == round(0.25 * conv.kernel.numpy().size)
    assert not any(zeros(layer) for layer in parts.decoder.layers if hasattr(layer, "kernel"))
    assert history.settled == 2 and history.best >= 2


def test_an_interrupted_pruning_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    def interrupt(history: History) -> None:
        if len(history.epochs) == 2:
            raise KeyboardInterrupt

    straight, resumed = network(), network()
    trained(straight)
    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        trained(network(), checkpoint=checkpoint, on_progress=interrupt)
    starts: list[int] = []
    trained(resumed, checkpoint=checkpoint, on_progress=lambda h: starts.append(len(h.epochs)))
    assert starts == [2, 3, 4]
    for one, other in zip(
        straight.autoencoder.get_weights(), resumed.autoencoder.get_weights(), strict=True
    ):
        assert np.array_equal(one, other)
