"""Training: reproducible, resumable, ends at the best epoch, and says when it goes wrong."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw.foundation.errors import CheckFailed, InputError
from models.data.augmentation import with_copies
from models.keras_backend import keras
from models.networks.encoder import build_networks
from models.networks.zoo import Copies, load_model_spec
from models.training.losses import get_loss
from models.training.training import (
    Epoch,
    History,
    Sample,
    TrainingSettings,
    constant_latents,
    make_reproducible,
    occupancy_weights,
    train,
)

LOSS = get_loss("weightedMSE", "8x8")


def some_images(count: int) -> np.ndarray:
    images = np.random.default_rng(0).random((count, 8, 8, 1)) ** 8
    return images.astype(np.float32)


IMAGES, VALIDATION = some_images(1300)[:1000], some_images(1300)[1000:]


def fresh(seed: int = 1) -> Any:
    """A small autoencoder, quick to compile; what is tested here does not depend on its layers."""
    make_reproducible(seed)
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Flatten(),
            layers.Dense(4, activation="relu"),
            layers.Dense(64, activation="sigmoid"),
            layers.Reshape((8, 8, 1)),
        ]
    )


def quantised(seed: int = 1) -> Any:
    make_reproducible(seed)
    return build_networks(load_model_spec("8x8_c8_S2_qK")).autoencoder


def digest(autoencoder: Any) -> str:
    weights = autoencoder.get_weights()
    return hashlib.sha256(b"".join(weight.tobytes() for weight in weights)).hexdigest()


def settings(epochs: int = 4, **changes: object) -> TrainingSettings:
    return TrainingSettings(**{"seed": 1, "epochs": epochs, "batch": 300} | changes)  # type: ignore[arg-type]


def test_the_loss_falls_and_the_history_holds_every_epoch() -> None:
    autoencoder = fresh()
    before = digest(autoencoder)
    history = train(autoencoder, LOSS, IMAGES, VALIDATION, settings())
    assert len(history.epochs) == 4
    assert history.epochs[-1].loss < history.epochs[0].loss
    assert digest(autoencoder) != before
    curves = history.to_json()
    assert len(curves["loss"]) == len(curves["val_loss"]) == len(curves["seconds"]) == 4


def test_losses_are_means_over_modules_whatever_the_last_batch() -> None:
    autoencoder = fresh()
    history = train(autoencoder, LOSS, IMAGES, VALIDATION, settings(1, learning_rate=1e-9))
    for images, found in (
        (IMAGES, history.epochs[0].loss),
        (VALIDATION, history.epochs[0].val_loss),
    ):
        expected = float(np.mean(LOSS(images, autoencoder(images))))
        assert found == pytest.approx(expected, rel=1e-5)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    found = []
    for seed in (1, 1, 2):
        autoencoder = fresh(seed)
        train(autoencoder, LOSS, IMAGES, VALIDATION, settings(2, seed=seed))
        found.append(digest(autoencoder))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("build", [fresh, pytest.param(quantised, marks=pytest.mark.slow)])
def test_a_resumed_training_gives_the_weights_of_an_uninterrupted_one(
    build: Callable[[], Any], tmp_path: Path
) -> None:
    straight = build()
    expected = train(straight, LOSS, IMAGES, VALIDATION, settings())

    def interrupt(history: History) -> None:
        if len(history.epochs) == 2:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        train(
            build(), LOSS, IMAGES, VALIDATION, settings(),
            checkpoint=checkpoint, on_progress=interrupt,
        )  # fmt: skip
    seen: list[int] = []
    resumed = build()
    history = train(
        resumed, LOSS, IMAGES, VALIDATION, settings(),
        checkpoint=checkpoint, on_progress=lambda history: seen.append(len(history.epochs)),
    )  # fmt: skip
    assert seen == [2, 3, 4]
    assert digest(resumed) == digest(straight)
    assert [e.loss for e in history.epochs] == [e.loss for e in expected.epochs]


def test_fresh_modules_are_asked_for_once_an_epoch_and_resumed(tmp_path: Path) -> None:
    asked: list[int] = []

    def modules_of(epoch: int) -> Sample:
        asked.append(epoch)
        images = np.random.default_rng(epoch).random((600, 8, 8, 1)).astype(np.float32)
        return Sample(images, weights=np.linspace(0, 2, 600, dtype=np.float32))

    straight, resumed = fresh(), fresh()
    expected = train(straight, LOSS, IMAGES, VALIDATION, settings(), fresh=modules_of)
    assert asked == [0, 1, 2, 3]

    def interrupt(history: History) -> None:
        if len(history.epochs) == 2:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        train(
            fresh(), LOSS, IMAGES, VALIDATION, settings(),
            fresh=modules_of, checkpoint=checkpoint, on_progress=interrupt,
        )  # fmt: skip
    asked.clear()
    history = train(
        resumed, LOSS, IMAGES, VALIDATION, settings(), fresh=modules_of, checkpoint=checkpoint
    )
    assert asked == [2, 3]
    assert digest(resumed) == digest(straight)
    assert [epoch.loss for epoch in history.epochs] == [epoch.loss for epoch in expected.epochs]


def test_fresh_modules_may_have_targets_of_their_own() -> None:
    def modules_of(epoch: int) -> Sample:
        return Sample(IMAGES, targets=np.zeros_like(IMAGES))

    network = fresh()
    zeros = np.zeros_like(VALIDATION)
    train(
        network, LOSS, IMAGES, VALIDATION, settings(30, learning_rate=0.1),
        targets=(IMAGES, zeros), fresh=modules_of,
    )  # fmt: skip
    assert float(np.abs(network(VALIDATION)).max()) < 0.05


def test_a_cosine_schedule_falls_to_nearly_nothing_and_is_resumed(tmp_path: Path) -> None:
    cosine = settings(schedule="cosine", learning_rate=0.01)
    factors = [cosine.rate_factor(epoch) for epoch in range(4)]
    assert factors == pytest.approx([1, 0.8535534, 0.5, 0.1464466])
    assert settings(4).rate_factor(3) == 1
    straight, resumed = fresh(), fresh()
    train(straight, LOSS, IMAGES, VALIDATION, cosine)
    last = cosine.rate_factor(3.9)  # of the batch that is left after three whole ones
    assert float(straight.optimizer.learning_rate) == pytest.approx(0.01 * last, rel=1e-4)

    def interrupt(history: History) -> None:
        if len(history.epochs) == 2:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        train(
            fresh(), LOSS, IMAGES, VALIDATION, cosine, checkpoint=checkpoint, on_progress=interrupt
        )
    starts: list[int] = []
    train(
        resumed, LOSS, IMAGES, VALIDATION, cosine,
        checkpoint=checkpoint, on_progress=lambda history: starts.append(len(history.epochs)),
    )  # fmt: skip
    assert starts == [2, 3, 4]
    assert digest(resumed) == digest(straight)
    longer = replace(cosine, epochs=5)  # another rate in every epoch: nothing to go on from
    train(
        fresh(), LOSS, IMAGES, VALIDATION, longer,
        checkpoint=checkpoint, on_progress=lambda history: starts.append(len(history.epochs)),
    )  # fmt: skip
    assert starts[3:] == [0, 1, 2, 3, 4, 5]


def test_a_checkpoint_of_other_settings_is_not_used(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    for identity in ("one", "two"):
        starts: list[int] = []
        train(
            fresh(), LOSS, IMAGES, VALIDATION, settings(1), identity=identity,
            checkpoint=checkpoint, on_progress=lambda history: starts.append(len(history.epochs)),  # noqa: B023
        )  # fmt: skip
        assert starts == [0, 1]


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    checkpoint.write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"checkpoint\.npz.*delete it"):
        train(fresh(), LOSS, IMAGES, VALIDATION, settings(1), checkpoint=checkpoint)


def test_fewer_epochs_than_the_checkpoint_holds_is_an_error(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.npz"
    train(fresh(), LOSS, IMAGES, VALIDATION, settings(2), checkpoint=checkpoint)
    with pytest.raises(InputError, match="epoch 2 already"):
        train(fresh(), LOSS, IMAGES, VALIDATION, settings(1), checkpoint=checkpoint)


def test_training_stops_early_and_keeps_the_best_weights() -> None:
    autoencoder = fresh()
    weights = []
    history = train(
        autoencoder, LOSS, IMAGES, VALIDATION,
        settings(50, patience=2, learning_rate=0.3),  # so high that the loss soon rises
        on_progress=lambda history: weights.append(digest(autoencoder)),
    )  # fmt: skip
    assert len(history.epochs) < 50
    assert len(history.epochs) - 1 - history.best == 2
    assert digest(autoencoder) == weights[history.best + 1]


def test_fused_steps_give_the_same_training_but_for_the_order_of_sums() -> None:
    plain, fused, again = fresh(), fresh(), fresh()
    expected = train(plain, LOSS, IMAGES, VALIDATION, settings(2))
    found = train(fused, LOSS, IMAGES, VALIDATION, settings(2, fused=True))
    train(again, LOSS, IMAGES, VALIDATION, settings(2, fused=True))
    assert digest(fused) == digest(again)
    assert found.epochs[-1].val_loss == pytest.approx(expected.epochs[-1].val_loss, rel=1e-4)


def test_a_loss_that_is_no_number_names_the_epoch_and_a_remedy() -> None:
    def broken(true: object, predicted: object) -> object:
        return LOSS(true, predicted) * np.float32("nan")

    with pytest.raises(CheckFailed, match=r"loss is nan in epoch 1; set a lower learning_rate"):
        train(fresh(), broken, IMAGES, VALIDATION, settings())


def test_empty_data_and_an_unknown_optimizer_are_errors() -> None:
    with pytest.raises(InputError, match="no training modules"):
        train(fresh(), LOSS, IMAGES[:0], VALIDATION, settings())
    with pytest.raises(InputError, match="no validation modules"):
        train(fresh(), LOSS, IMAGES, VALIDATION[:0], settings())
    with pytest.raises(InputError, match="optimizer 'adamm'"):
        train(fresh(), LOSS, IMAGES, VALIDATION, settings(optimizer="adamm"))


def test_weights_of_modules_act_on_the_loss() -> None:
    """Modules of weight 0 do not matter: other charges in them give the same weights."""
    weights = (np.arange(len(IMAGES)) % 2).astype(np.float32)
    other = IMAGES.copy()
    other[::2] = 0.5
    found = []
    for images in (IMAGES, other):
        autoencoder = fresh()
        train(autoencoder, LOSS, images, VALIDATION, settings(1), weights=weights)
        found.append(digest(autoencoder))
    assert found[0] == found[1]


def test_each_occupancy_weighs_the_same() -> None:
    occupancy = np.array([0, 0, 0, 5, 5, 48])
    weights = occupancy_weights(occupancy)
    sums = [weights[occupancy == value].sum() for value in (0, 5, 48)]
    assert sums == pytest.approx([2, 2, 2])
    assert weights.mean() == pytest.approx(1)


def test_constant_latents_are_counted() -> None:
    assert constant_latents(np.array([[0, 1, 2], [0, 1, 3]])) == 2


def test_history_ends_by_epochs_or_patience() -> None:
    falling = History(tuple(Epoch(1, 1 / (n + 1), 1) for n in range(4)))
    rising = History(tuple(Epoch(1, n + 1, 1) for n in range(4)))
    assert not falling.ended(settings(5, patience=1))
    assert falling.ended(settings(4))
    assert rising.ended(settings(50, patience=3))
    assert not rising.ended(settings(50, patience=4))
    assert falling.best == 3 and rising.best == 0 and rising.seconds == 4


def test_copies_shuffle_the_cells_of_modules_in_the_occupancy_range() -> None:
    calq = np.zeros((3, 48), dtype=np.float32)
    calq[1, :5] = [5, 4, 3, 2, 1]
    calq[2, :20] = 7
    copied = with_copies(calq, Copies(count=3, occupancy_above=2, occupancy_up_to=10), seed=1)
    assert copied.shape == (6, 48)
    assert np.array_equal(copied[:3], calq)
    assert np.array_equal(np.sort(copied[3:]), np.sort(calq[[1, 1, 1]]))
    assert len(np.unique(copied[3:], axis=0)) == 3


_IN_A_PROCESS = """
from tests.models.test_training import *
autoencoder = quantised()
train(autoencoder, LOSS, IMAGES, VALIDATION, settings(2))
print(digest(autoencoder))
"""


@pytest.mark.slow
def test_two_processes_give_the_same_weights() -> None:
    project = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", _IN_A_PROCESS]
    first, second = (
        subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert len(first.strip()) == 64
    assert first == second
