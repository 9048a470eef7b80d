"""The learned earth mover's distance: what holds for any weights, and what training gives."""

import json
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.layout import EmdCnnLayout, emd_cnn_layout, model_layout
from flows.training.learned_emd import _kind_metrics
from hw.foundation.errors import InputError
from models.data.geometry import ARRANGEMENTS
from models.keras_backend import keras, tf
from models.training.emd_cnn import LearnedEmd, build_emd_cnn
from models.training.losses import file_of_loss, get_loss
from models.training.sinkhorn_divergence import SinkhornDivergence
from reports.metrics import read_metrics


@pytest.fixture(scope="module")
def untrained() -> LearnedEmd:
    keras.utils.set_random_seed(4)
    return LearnedEmd(build_emd_cnn())


@pytest.fixture(scope="module")
def stored(untrained, tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("emd_cnn") / "network.keras"
    untrained.network.save(file)
    return file


def some_modules(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    cells = random.exponential(20, (count, 48)) * (random.random((count, 48)) < 0.4)
    cells[:, 7] += 1
    return cells.astype(np.float32)


def distances(learned: LearnedEmd, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return learned(tf.constant(a), tf.constant(b)).numpy()


def test_is_symmetric_and_knows_no_unit_of_charge(untrained):
    a, b = some_modules(5, 1), some_modules(5, 2)
    there = distances(untrained, a, b)
    assert (there > 0).all()
    np.testing.assert_allclose(distances(untrained, b, a), there, rtol=1e-5)
    np.testing.assert_allclose(distances(untrained, a * 64, b / 64), there, rtol=1e-5)


def test_is_proportional_to_the_charge_that_moves(untrained):
    a, b = (cells / cells.sum(axis=1, keepdims=True) for cells in map(some_modules, (5, 5), (1, 2)))
    whole = distances(untrained, a, b)
    np.testing.assert_allclose(distances(untrained, a, (3 * a + b) / 4), whole / 4, rtol=1e-4)
    np.testing.assert_array_equal(distances(untrained, a, a), 0)


def test_empty_modules_have_no_distance_and_no_gradient(untrained):
    filled = some_modules(3, 1)
    true, predicted = filled.copy(), some_modules(3, 2)
    true[0], predicted[1] = 0, 0
    variable = tf.Variable(predicted)
    with tf.GradientTape() as tape:
        loss = untrained(tf.constant(true), variable)
    gradient = tape.gradient(loss, variable).numpy()
    assert (loss.numpy() > 0).tolist() == [False, False, True]
    assert np.isfinite(gradient).all()
    assert gradient.any(axis=1).tolist() == [False, False, True]


def test_gradient_of_equal_modules_is_finite(untrained):
    cells = tf.Variable(some_modules(3, 1))
    with tf.GradientTape() as tape:
        loss = untrained(tf.constant(cells.numpy()), cells)
    assert np.isfinite(tape.gradient(loss, cells).numpy()).all()


def test_gradient_is_that_of_the_value(untrained):
    a, b = some_modules(1, 1), some_modules(1, 2)
    variable = tf.Variable(b)
    with tf.GradientTape() as tape:
        loss = untrained(tf.constant(a), variable)
    direction = tape.gradient(loss, variable).numpy()
    step = 0.05 * direction / np.linalg.norm(direction)
    slope = (distances(untrained, a, b + step) - distances(untrained, a, b - step)) / 2
    np.testing.assert_allclose(slope, (direction * step).sum(), rtol=0.02)


def test_as_a_loss_of_every_arrangement(untrained, stored):
    a, b = some_modules(4, 1), some_modules(4, 2)
    expected = distances(untrained, a, b)
    for name, image in ARRANGEMENTS.items():
        loss = get_loss(f"emd_cnn:{stored}", name)
        shown = image.to_images(b)
        noise = np.random.default_rng(3).random(shown.shape).astype(np.float32)
        disturbed = np.where(image.primary.reshape(image.shape), shown, noise)
        np.testing.assert_allclose(loss(image.to_images(a), disturbed), expected, rtol=1e-5)
    assert file_of_loss(f"emd_cnn:{stored}") == stored
    assert file_of_loss("sinkhorn_divergence:0.5") is None


def test_an_autoencoder_learns_with_it_and_it_stays_as_it_is(untrained, stored):
    keras.utils.set_random_seed(1)
    image = ARRANGEMENTS["8x8"]
    pictures = image.to_images(some_modules(32, 1) / 500)
    model = keras.Sequential(
        [
            keras.layers.Input(image.shape),
            keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
        ]
    )
    model.compile(loss=get_loss(f"emd_cnn:{stored}", "8x8"), optimizer=keras.optimizers.Adam(0.05))
    assert len(model.trainable_variables) == 2
    history = model.fit(pictures, pictures, epochs=6, verbose=0).history["loss"]
    assert history[-1] < history[0]
    fresh = get_loss(f"emd_cnn:{stored}", "8x8")
    np.testing.assert_array_equal(
        model.loss(pictures, pictures[::-1]), fresh(pictures, pictures[::-1])
    )


def test_bad_names(tmp_path):
    other = tmp_path / "other.keras"
    keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)]).save(other)
    for name, message in (
        ("emd_cnn", "python -m flows emd-cnn trains it"),
        ("emd_cnn:", "give the file of the learned distance"),
        ("emd_cnn:none.keras", "none.keras: no such file"),
        (f"emd_cnn:{other}", "not a learned earth mover's distance"),
        ("sinkhorn_divergence:", "the regularisation in half pitches"),
        ("sinkhorn_divergence:small", "the regularisation in half pitches"),
        ("sinkhorn_divergence:0.001", "is below"),
        ("sinkhorn_divergence:nan", "is below"),
        ("emd_cn:x", "unknown loss 'emd_cn:x'"),
        ("sinkhorn", "did you mean 'sinkhorn_divergence'"),
    ):
        with pytest.raises(InputError, match=message):
            get_loss(name, "8x8")


def test_regularisation_by_name():
    image = ARRANGEMENTS["8x8"]
    a, b = (some_modules(3, seed) for seed in (1, 2))
    found = get_loss("sinkhorn_divergence:0.9", "8x8")(image.to_images(a), image.to_images(b))
    expected = SinkhornDivergence(0.9)(tf.constant(a), tf.constant(b))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bad_command_lines(tmp_path, capsys):
    build = ["--build", str(tmp_path)]
    data = tmp_path / "few.csv"
    np.savetxt(data, some_modules(60, 1), delimiter=",")
    for words, message in (
        (["--pairs", "49"], "--pairs 49: give a number of at least 50"),
        (["--real-only"], "name the modules to make pairs of, with --data"),
        (["--model", "none"], "train the model first"),
        (["--real-only", "--data", str(data)], "60 modules with charge; give at least 100"),
    ):
        assert main(["emd-cnn", *build, *words]) == 2
        assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("**/emd-cnn*"))


def test_equal_modules_have_no_relative_error():
    zero = np.zeros(5, dtype=np.float32)
    found = {m.name: m for m in _kind_metrics("emd_cnn.real", zero, zero + 0.1, zero)}
    assert found["emd_cnn.real.mean_absolute_error"].value == pytest.approx(0.1)
    assert found["emd_cnn.real.relative_error"].value is None
    assert "equal" in found["emd_cnn.real.relative_error"].reason


# --- trainings -----------------------------------------------------------------------------------
MODEL = "8x8_c8_S2_tele"


def learn(build: Path, *words: str) -> EmdCnnLayout:
    csv = str(build / "data" / "generated" / "modules.csv")
    assert main(["emd-cnn", "--build", str(build), "--data", csv, "--model", MODEL, *words]) == 0
    return emd_cnn_layout(build, MODEL)


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    """A build folder with generated modules and a model trained for two epochs."""
    folder = tmp_path_factory.mktemp("build")
    assert main(["data", "--build", str(folder), "--events", "3000"]) == 0
    csv = str(folder / "data" / "generated" / "modules.csv")
    train = ["train", "-i", csv, "-o", str(folder), "--models", MODEL, "--trainOnly"]
    assert main([*train, "--epochs", "2", "--batch", "100"]) == 0
    return folder


@pytest.mark.slow
def test_a_short_training_beats_the_mean_by_far(build):
    layout = learn(build, "--pairs", "5000", "--epochs", "6")
    value = {metric.name: metric.value for metric in read_metrics(layout.metrics)}
    with np.load(layout.pairs) as pairs:
        exact, predicted = pairs["exact"], pairs["predicted"]
        chosen = pairs["reconstructed"]
    assert value["emd_cnn.pairs.training"] == 4000
    for kind, members in (("real", ~chosen), ("reconstructed", chosen)):
        error = np.abs(predicted - exact)[members].mean()
        assert value[f"emd_cnn.{kind}.pairs"] == members.sum() > 200
        assert value[f"emd_cnn.{kind}.mean_absolute_error"] == pytest.approx(error, rel=1e-5)
        assert error < 0.6 * value[f"emd_cnn.{kind}.trivial_error"]
    assert (layout.plots / "learned_emd.png").is_file()
    assert not layout.checkpoint.exists()


@pytest.mark.slow
def test_an_interrupted_training_goes_on_to_the_same_weights(build, monkeypatch):
    from models.training import training

    words = ["--pairs", "600", "--epochs", "3", "--skip-plot"]
    whole = learn(build, *words).network.read_bytes()
    save = training._save

    def interrupt(file, *state):
        save(file, *state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "_save", interrupt)
        csv = str(build / "data" / "generated" / "modules.csv")
        command = ["emd-cnn", "--build", str(build), "--data", csv, "--model", MODEL, *words]
        assert main(command) == 130
    assert emd_cnn_layout(build, MODEL).checkpoint.is_file()
    assert learn(build, *words).network.read_bytes() == whole


@pytest.mark.slow
def test_another_learned_distance_asks_for_another_training(build, capsys):
    words = ["--pairs", "600", "--epochs", "1", "--skip-plot"]
    layout = learn(build, *words)
    csv = str(build / "data" / "generated" / "modules.csv")
    train = ["train", "-i", csv, "-o", str(build), "--models", "8x8_c8_S2_qK", "--trainOnly"]
    train += ["--epochs", "1", "--quickTrain", "--loss", f"emd_cnn:{layout.network}"]
    assert main(train) == 0
    settings = json.loads(model_layout(build, "8x8_c8_S2_qK").settings.read_text())
    assert settings["loss_hash"]
    assert main(train) == 0
    assert "trained already" in capsys.readouterr().out
    learn(build, *words, "--seed", "2")
    assert main(train) == 0
    assert "was trained with other settings: loss_hash" in capsys.readouterr().out
