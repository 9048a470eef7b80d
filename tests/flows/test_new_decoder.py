"""`python -m flows decoder`: the encoder stays, the decoder is new, its gain is measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.artefacts.decoding import ChargeScale
from flows.artefacts.settings import read_settings
from flows.layout import ModelLayout, model_layout
from models.data.generator import generate_modules, write_csv
from models.networks.zoo import load_model_spec
from reports.metrics import read_metrics
from tests.flows.trained import lay_trained

MODEL = "8x8_c8_S2_qK"
RECIPE = """\
label: recipe
arrangement: 8x8
decoder: {widths: [24], activation: swish}
loss: sinkhorn_divergence:2
learning_rate: 0.01
epochs: 3
batch: 100
"""


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder with a trained model (of random weights), its data, and a recipe."""
    folder = tmp_path_factory.mktemp("laid")
    modules = generate_modules(1500, seed=5)
    write_csv(modules, folder / "modules.csv")
    (folder / "recipe.yaml").write_text(RECIPE)
    lay_trained(folder / "build", MODEL, modules.calq[:100])
    return folder


def decoder(folder: Path, *words: str) -> int:
    options = ["--build", str(folder / "build"), "--data", str(folder / "modules.csv")]
    recipe = ["--like", str(folder / "recipe.yaml")]
    return main(["decoder", *options, *recipe, "--model", MODEL, *words])


def weights_of(layout: ModelLayout, part: str) -> list[np.ndarray]:
    from models.networks.network_files import load_network

    return load_network(layout.network(part)).get_weights()


def test_the_encoder_stays_and_the_decoder_is_better(laid: Path, capsys) -> None:
    assert decoder(laid) == 0
    old, new = (model_layout(laid / "build", name) for name in (MODEL, f"{MODEL}-decoder"))
    for before, after in zip(weights_of(old, "encoder"), weights_of(new, "encoder"), strict=True):
        np.testing.assert_array_equal(before, after)
    assert weights_of(new, "decoder")[0].shape == (16, 24)
    found = {metric.name: metric.value for metric in read_metrics(new.metrics("train"))}
    assert found["train.epochs"] == 3
    assert found["train.modules"] == 1200 and found["validation.modules"] == 300
    assert 0 < found["new_decoder.emd.after"] < found["new_decoder.emd.before"]
    assert f"{found['new_decoder.emd.after']:.4f} half pitch" in capsys.readouterr().out
    settings = read_settings(new)
    assert settings and settings.new_decoder and settings.model
    assert settings.charge_scale is ChargeScale.SENT_SUM
    assert settings.model.name == f"{MODEL}-decoder"
    assert settings.model.quantisation == load_model_spec(MODEL).quantisation
    assert settings.new_decoder.encoder_of == MODEL


def test_the_new_model_is_evaluated_with_the_sent_sum(laid: Path) -> None:
    assert decoder(laid, "--name", "evaluated") == 0
    design = ["--build", str(laid / "build"), "--model", "evaluated"]
    assert main(["evaluate", *design, "--skip-plot", "--skip-baselines"]) == 0
    layout = model_layout(laid / "build", "evaluated")
    found = {metric.name: metric.value for metric in read_metrics(layout.metrics("evaluate"))}
    trained = {metric.name: metric.value for metric in read_metrics(layout.metrics("train"))}
    assert found["emd.mean"] == pytest.approx(trained["new_decoder.emd.after"], rel=1e-3)
    assert found["quality.charge_response.mean"] == pytest.approx(1, abs=0.03)


def test_the_same_command_gives_the_same_decoder(laid: Path) -> None:
    found = []
    for _ in range(2):
        assert decoder(laid, "--name", "again", "--epochs", "1") == 0
        found.append(weights_of(model_layout(laid / "build", "again"), "decoder"))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--name", MODEL), "give --name another name"),
        (("--name", "no/name"), "cannot name a model"),
        (("--model", "absent"), "make train MODEL=absent"),
        (("--like", MODEL), "has no decoder of its own"),
        (("--epochs", "0"), "--epochs 0"),
    ],
)
def test_what_cannot_be_done_is_told(laid: Path, words, told: str, capsys) -> None:
    before = sorted((laid / "build").rglob("*"))
    assert decoder(laid, *words) != 0
    assert told in capsys.readouterr().err
    assert sorted((laid / "build").rglob("*")) == before


def test_an_imported_encoder_without_decoder_gets_one(laid: Path, tmp_path: Path) -> None:
    from models.networks.encoder import build_networks

    encoder = build_networks(load_model_spec(MODEL)).encoder
    (tmp_path / "encoder_lone.json").write_text(encoder.to_json())
    encoder.save_weights(tmp_path / "encoder_lone.hdf5")
    files = [str(tmp_path / f"encoder_lone.{suffix}") for suffix in ("json", "hdf5")]
    place = ["--build", str(laid / "build"), "--data", str(laid / "modules.csv")]
    assert main(["import", *files, *place, "--import-only"]) == 0
    assert decoder(laid, "--model", "lone") == 0
    layout = model_layout(laid / "build", "lone-decoder")
    metrics = {metric.name: metric for metric in read_metrics(layout.metrics("train"))}
    before = metrics["new_decoder.emd.before"]
    assert before.value is None and before.reason == "the encoder came without a decoder"
    assert metrics["new_decoder.emd.after"].value
    assert json.loads(layout.settings.read_text())["model"] is None
    settings = read_settings(layout)
    assert settings and settings.charge_scale is ChargeScale.SENT_SUM
