"""`python -m flows import`: a foreign encoder is laid as a trained one, or refused."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows import dispatch
from flows.__main__ import main
from flows.commands.import_model import _carry_out
from flows.dispatch import load_command
from flows.layout import DEFAULT_TARGET, ModelLayout, data_layout
from hw.foundation.errors import CheckFailed
from reports.metrics import read_metrics
from tests.flows.trained import trained_settings

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "econt" / "published_encoder"
CALQ = [f"CALQ_{cell}" for cell in range(48)]


class Foreign:
    """A folder with a small foreign encoder and decoder, golden pairs, and module data."""

    def __init__(self, folder: Path, arrangement: str = "4x4x3", quantised: bool = True) -> None:
        from models.keras_backend import keras
        from models.networks.encoder import build_networks
        from models.networks.zoo import ModelSpec

        unsigned = {"total": 9, "integer": 1, "signed": False}
        number = {"total": 6, "integer": 1}
        formats = {"input": number, "weight": number, "accumulator": unsigned, "latent": unsigned}
        keras.utils.set_random_seed(3)
        networks = build_networks(
            ModelSpec.model_validate(
                {
                    "name": "foreign", "label": "foreign", "arrangement": arrangement,
                    "latent": 4, "quantisation": formats if quantised else None,
                }
            )
        )  # fmt: skip
        self.folder = folder
        self.build = folder / "build"
        self.json, self.weights = folder / "encoder_mine.json", folder / "encoder_mine.hdf5"
        for part in ("encoder", "decoder"):
            network = getattr(networks, part)
            (folder / f"{part}_mine.json").write_text(network.to_json())
            network.save_weights(folder / f"{part}_mine.hdf5")
        rng = np.random.default_rng(0)
        self.images = rng.random((6, *networks.encoder.input_shape[1:]))
        self.latents = np.asarray(networks.encoder(self.images))
        np.save(folder / "input.npy", self.images)
        np.save(folder / "output.npy", self.latents)
        self.calq = np.floor(rng.exponential(20, (50, 48)))
        self.calq[7] = 0
        self.data = folder / "modules.csv"
        pd.DataFrame(self.calq, columns=CALQ).to_csv(self.data, index=False)

    def run(self, *words: str) -> int:
        return main(
            [
                *("import", str(self.json), str(self.weights), "--import-only"),
                *("--build", str(self.build), "--data", str(self.data), *words),
            ]
        )

    def layout(self, name: str = "mine") -> ModelLayout:
        return ModelLayout(self.build / name)

    def settings(self, name: str = "mine") -> dict[str, Any]:
        return json.loads(self.layout(name).settings.read_text())


@pytest.fixture
def foreign(tmp_path: Path) -> Foreign:
    return Foreign(tmp_path)


def test_an_encoder_is_laid_as_the_training_would(
    foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    from models.networks.network_files import load_network

    assert foreign.run() == 0
    assert "6 golden vectors" in capsys.readouterr().out
    layout = foreign.layout()
    encoder, decoder, whole = (
        load_network(layout.network(part)) for part in ("encoder", "decoder", "autoencoder")
    )
    assert np.array_equal(encoder(foreign.images), foreign.latents)
    assert np.array_equal(whole(foreign.images), decoder(foreign.latents))
    with np.load(layout.validation, allow_pickle=False) as content:
        full = foreign.calq[foreign.calq.sum(axis=1) > 0]
        assert np.array_equal(content["calq"], full)
    with np.load(layout.golden, allow_pickle=False) as content:
        assert np.array_equal(content["images"], foreign.images.astype(np.float32))
        assert np.array_equal(content["latents"], foreign.latents)
    with np.load(layout.integer_weights, allow_pickle=False) as codes:
        assert codes["encoded_vector/kernel"].shape == (48, 4)
    settings = foreign.settings()
    assert settings["model"] is None
    assert settings["arrangement"] == "4x4x3"
    assert settings["normalisation"] == "msb"
    assert settings["data"]["name"] == "modules.csv"
    figures = {m.name: m.value for m in read_metrics(layout.metrics("train"))}
    assert figures == {
        "golden.vectors": 6, "golden.mismatches": 0, "validation.modules": 49
    }  # fmt: skip


def test_one_wrong_golden_latent_is_caught_and_located(
    foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = foreign.latents.copy()
    wrong[2, 3] += 1 / 256
    np.save(foreign.folder / "output.npy", wrong)
    assert foreign.run() == 1
    message = capsys.readouterr().err
    assert "1 of 6 are not reproduced" in message
    assert "vector 2, latent 3" in message
    assert f"{wrong[2, 3]:.9g}" in message
    assert not foreign.layout().folder.exists()


def test_golden_pairs_may_be_named_or_absent(foreign: Foreign) -> None:
    for name in ("input", "output"):
        (foreign.folder / f"{name}.npy").rename(foreign.folder / f"golden_{name}.npy")
    assert foreign.run() == 0
    assert not foreign.layout().golden.exists()
    vectors, mismatches, _ = read_metrics(foreign.layout().metrics("train"))
    assert (vectors.value, mismatches.value) == (None, None)
    assert "no golden vectors" in (vectors.reason or "")
    named = [
        f"--golden-{name}={foreign.folder / f'golden_{name}.npy'}" for name in ("input", "output")
    ]
    assert foreign.run(*named) == 0
    assert foreign.layout().golden.is_file()


def test_a_decoder_is_optional_and_may_be_named(
    foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix in ("json", "hdf5"):
        (foreign.folder / f"decoder_mine.{suffix}").rename(foreign.folder / f"d.{suffix}")
    assert foreign.run() == 0
    assert "no decoder beside the encoder" in capsys.readouterr().out
    assert not foreign.layout().network("decoder").exists()
    assert (
        foreign.run("--decoder", str(foreign.folder / "d.json"), str(foreign.folder / "d.hdf5"))
        == 0
    )
    assert foreign.layout().network("autoencoder").is_file()


@pytest.mark.parametrize("arrangement", ["8x8", "6x6x3", "6x6x3_tp"])
def test_the_arrangement_follows_from_the_input_shape(arrangement: str, tmp_path: Path) -> None:
    foreign = Foreign(tmp_path, arrangement)
    assert foreign.run() == 0
    assert foreign.settings()["arrangement"] == arrangement


def test_a_floating_point_encoder_is_imported_too(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path, quantised=False)
    assert foreign.run("--name", "float", "--normalisation", "max") == 0
    assert not foreign.layout("float").integer_weights.exists()
    assert foreign.settings("float")["normalisation"] == "max"
    assert foreign.settings("float")["formats"] == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--arrangement", "8x8"], "input of shape (None, 4, 4, 3), but arrangement 8x8"),
        (["--name", "a/b"], "'a/b' cannot name a model"),
        (["--name", "data"], "'data' cannot name a model"),
        (["--events", "0"], "--events 0"),
        (["--golden-input", "nowhere.npy"], "nowhere.npy: cannot be read"),
        (["--data", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_what_does_not_fit_is_told(
    foreign: Foreign, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert foreign.run(*words) == 2
    assert message in capsys.readouterr().err
    assert not foreign.build.exists()


def test_bad_files_are_named(foreign: Foreign, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(file: str, content: bytes | None) -> None:
        original = (foreign.folder / file).read_bytes()
        (foreign.folder / file).unlink()
        if content is not None:
            (foreign.folder / file).write_bytes(content)
        assert foreign.run() == 2
        assert file in capsys.readouterr().err
        (foreign.folder / file).write_bytes(original)

    refused("encoder_mine.json", None)
    refused("encoder_mine.json", b"{")
    refused("encoder_mine.hdf5", None)
    refused("encoder_mine.hdf5", b"no weights")
    refused("decoder_mine.hdf5", b"no weights")
    refused("input.npy", b"no array")
    pickled = foreign.folder / "pickled.npy"
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    refused("output.npy", pickled.read_bytes())
    assert foreign.run("--decoder", str(foreign.json), str(foreign.weights)) == 2
    assert "encoder_mine.json: input of shape (None, 4, 4, 3)" in capsys.readouterr().err
    assert not foreign.build.exists()
    assert foreign.run() == 0


def test_golden_pairs_of_another_shape_are_refused(
    foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(foreign.folder / "output.npy", foreign.latents[:, :3])
    assert foreign.run() == 2
    assert "output.npy: array of shape (6, 3)" in capsys.readouterr().err
    np.save(foreign.folder / "output.npy", foreign.latents[:5])
    assert foreign.run() == 2
    assert "output.npy: array of shape (5, 4)" in capsys.readouterr().err


def test_a_trained_model_of_that_name_is_not_replaced(
    foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    assert foreign.run() == 0
    assert foreign.run() == 0  # an imported one is
    foreign.layout().settings.write_text(trained_settings().to_json())
    assert foreign.run() == 2
    assert "was trained here" in capsys.readouterr().err


@pytest.mark.shared
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs ../shared/econt/published_encoder")
def test_the_published_encoder_reproduces_its_golden_latents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [PUBLISHED / f"encoder_8x8_c8_S2_tele_qK_6bit.{suffix}" for suffix in ("json", "hdf5")]
    data = PUBLISHED.parent / "nElinks_5"
    status = main(
        [
            *("import", *map(str, files), "--import-only"),
            *("--build", str(tmp_path), "--data", str(data)),
        ]
    )
    assert status == 0
    assert "10 golden vectors" in capsys.readouterr().out
    layout = ModelLayout(tmp_path / "8x8_c8_S2_tele_qK_6bit")
    figures = {metric.name: metric.value for metric in read_metrics(layout.metrics("train"))}
    assert (figures["golden.vectors"], figures["golden.mismatches"]) == (10, 0)
    assert layout.network("decoder").is_file()
    with np.load(layout.integer_weights, allow_pickle=False) as codes:
        assert sum(codes[name].size for name in codes.files) == 2144
        assert min(codes[name].min() for name in codes.files) >= -32


def test_later_stages_get_what_the_import_was_told_and_defaults_else(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried_out: list[tuple[str, argparse.Namespace]] = []

    def record(name: str, arguments: argparse.Namespace) -> int:
        carried_out.append((name, arguments))
        return 0

    def alone(name: str, *words: str) -> argparse.Namespace:
        return load_command(name)[1].parse_args([*words])

    monkeypatch.setattr(dispatch, "carry_out", record)
    module, parser = load_command("import")
    words = [str(foreign.json), str(foreign.weights), "--data", str(foreign.data), "--seed", "7"]
    module.run(parser.parse_args([*words, "--build", str(foreign.build)]))
    design = ["--build", str(foreign.build), "--model", "mine"]
    target = [*design, "--target", DEFAULT_TARGET]
    assert carried_out == [
        ("flops", alone("flops", *design)),
        ("hls", alone("hls", *target, "--or-skip")),
        ("evaluate", alone("evaluate", *design)),
        ("csim", alone("csim", *target, "--or-skip", "--seed", "7")),
        ("report", alone("report", *target, "--data", str(foreign.data))),
        ("status", alone("status", *target, "--require", "csim")),
    ]
    assert data_layout(foreign.build, foreign.data).metrics.is_file()


def test_a_stage_that_fails_fails_the_import(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "carry_out", lambda name, arguments: int(name == "hls"))
    module, parser = load_command("import")
    words = [str(foreign.json), str(foreign.weights), "--data", str(foreign.data)]
    with pytest.raises(CheckFailed, match="hls ended with status 1"):
        module.run(parser.parse_args([*words, "--build", str(foreign.build)]))


def test_an_option_that_a_stage_has_not_is_no_option() -> None:
    with pytest.raises(TypeError, match="flops has no option buld"):
        _carry_out("flops", buld=Path("build"))


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs ../shared/econt/published_encoder")
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_the_published_encoder_passes_the_whole_flow(tmp_path: Path) -> None:
    files = [PUBLISHED / f"encoder_8x8_c8_S2_tele_qK_6bit.{suffix}" for suffix in ("json", "hdf5")]
    data = str(PUBLISHED.parent / "nElinks_5")
    assert main(["import", *map(str, files), "--build", str(tmp_path), "--data", data]) == 0
    summary = json.loads(
        (tmp_path / "8x8_c8_S2_tele_qK_6bit" / "econ_t" / "summary.json").read_text()
    )
    figures = {metric["name"]: metric["value"] for metric in summary["metrics"]}
    assert figures["csim.mismatches"] == 0
    assert figures["golden.mismatches"] == 0
    assert figures["params.total"] == 2144
    assert figures["emd.mean"] > 0
