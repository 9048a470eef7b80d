"""The stage that flips every stored bit: its files, going on after an interruption, its errors."""

import csv
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.artefacts.settings import ModelSettings
from flows.artefacts.trained_model import staged, write_networks, write_validation
from flows.layout import model_layout
from hw.foundation.atomic_file import write_text
from models.data.geometry import ARRANGEMENTS
from models.data.normalisation import Normalisation
from models.upsets.damage import Measure
from reports.metrics import read_metrics
from reports.pictures.gallery import read_gallery

BITS = (64 * 2 + 2) * 4 + (2 * 4 + 4) * 4
OPTIONS = ("--modules", "12", "--memories", "2", "--skipPlot")


def small_model(build: Path, name: str = "small", *, quantised: bool = True) -> None:
    """Two filters as large as the image, four latents."""
    from models.keras_backend import keras, qkeras
    from models.networks.encoder import build_dense_decoder
    from models.networks.zoo import DenseDecoder

    keras.utils.set_random_seed(7)
    weights = {
        f"{part}_quantizer": "quantized_bits(4,0,alpha=1)" if quantised else None
        for part in ("kernel", "bias")
    }
    images = x = keras.layers.Input((8, 8, 1))
    x = qkeras.QActivation("quantized_bits(8,1,keep_negative=0,alpha=1)", name="input_qa")(x)
    x = qkeras.QConv2D(2, 8, name="conv", **weights)(x)
    x = qkeras.QActivation("quantized_relu(8,3)", name="conv_qa")(x)
    x = keras.layers.Flatten()(x)
    x = qkeras.QDense(4, name="dense", bias_initializer="ones", **weights)(x)
    x = qkeras.QActivation("quantized_relu(6,2)", name="latent_qa")(x)
    encoder = keras.Model(images, x, name="encoder")
    decoder = build_dense_decoder(DenseDecoder(widths=[6]), 4, ARRANGEMENTS["8x8"])
    layout = model_layout(build, name)
    rng = np.random.default_rng(1)
    calq = rng.exponential(50, (30, 48)).astype(np.float32).round()
    with staged(layout) as staging:
        write_networks(staging, {"encoder": encoder, "decoder": decoder})
        write_validation(staging, calq, None, None)
        settings = ModelSettings(arrangement="8x8", normalisation=Normalisation.MSB)
        write_text(staging.at(layout.settings), settings.to_json())


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    small_model(folder)
    return folder


def run(build: Path, *more: str, name: str = "small") -> int:
    return main(["upsets", "--build", str(build), "--model", name, *OPTIONS, *more])


@pytest.mark.slow
def test_every_bit_is_in_the_ranked_table_and_the_metrics_tell_of_it(build, capsys):
    assert run(build) == 0
    layout = model_layout(build, "small")
    rows = list(csv.DictReader(layout.upset_table.open()))
    assert len(rows) == BITS
    changes = [float(row["emd_change"]) for row in rows]
    assert changes == sorted(changes, reverse=True) and changes[0] > 0
    assert len({(r["layer"], r["part"], r["index"], r["bit"]) for r in rows}) == BITS
    values = {m.name: m.value for m in read_metrics(layout.metrics("upsets"))}
    assert values["upsets.bits"] == BITS and values["upsets.modules"] == 12
    assert values["upsets.damage.worst_bit"] == pytest.approx(changes[0], rel=1e-4)
    assert values["upsets.damage.mean"] == pytest.approx(np.mean(changes), rel=1e-3)
    assert 0 < values["upsets.bits_with.90"] <= values["upsets.bits_with.99"] <= 1
    worst = values["upsets.damage.worst_bit_name"]
    assert worst.startswith(f"{rows[0]['layer']}/{rows[0]['part']}[")
    assert values["upsets.time_to_upset"] == pytest.approx(1 / (BITS * 2e-7))
    assert not layout.upset_blocks.exists()
    assert f"{BITS} stored bits on 12 modules" in capsys.readouterr().out


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_gives_the_same(build, monkeypatch):
    layout = model_layout(build, "small")
    if not layout.metrics("upsets").exists():
        assert run(build) == 0
    results = [layout.upset_table, layout.metrics("upsets")]
    whole = [file.read_bytes() for file in results]
    plain, measured = Measure.of_block, []

    def of_block(self, block):
        if stop and len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(block)
        return plain(self, block)

    monkeypatch.setattr(Measure, "of_block", of_block)
    stop = True
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        if run(build):
            raise SystemExit
    assert [file.read_bytes() for file in results] == whole  # what was there stays until the end
    stop = False
    measured.clear()
    assert run(build) == 0
    assert len(measured) == 2 + 4 - 2  # two filters and four latents
    assert layout.upset_table.read_bytes() == whole[0]
    measured.clear()
    assert run(build, "--modules", "11") == 0  # other modules: nothing of before is of use
    assert len(measured) == 6


@pytest.mark.slow
def test_pictures_are_drawn(tmp_path):
    small_model(tmp_path)
    options = [option for option in OPTIONS if option != "--skipPlot"]
    assert main(["upsets", "--build", str(tmp_path), "--model", "small", *options]) == 0
    gallery = read_gallery(model_layout(tmp_path, "small").upset_plots)
    assert len(gallery.pictures) == 6 and not gallery.not_drawn


def test_what_cannot_be_measured_is_told(build, tmp_path, capsys):
    assert run(build, name="absent") == 2
    assert "make train MODEL=absent" in capsys.readouterr().err
    assert run(build, "--cross-section", "0") == 2
    assert "--cross-section 0: give a number above 0" in capsys.readouterr().err
    assert run(build, "--modules", "1") == 2
    small_model(tmp_path, "floating", quantised=False)
    assert run(tmp_path, name="floating") == 2
    assert "not all in fixed point" in capsys.readouterr().err
    small_model(tmp_path)
    model_layout(tmp_path, "small").network("decoder").unlink()
    assert run(tmp_path) == 2
    assert "python -m flows decoder --model small" in capsys.readouterr().err


def test_protection_needs_the_damage_of_the_chips_bits(build, capsys):
    assert main(["protection", "--build", str(build), "--model", "absent"]) == 2
    assert "make upsets MODEL=absent" in capsys.readouterr().err
