"""`python -m flows train`: every option does what its help says, and nothing is half-written."""

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flows.__main__ import main
from flows.artefacts.settings import ModelSettings
from flows.layout import ModelLayout, data_layout
from flows.training.train_models import settings_of
from flows.training.train_options import add_arguments, check, request_of, specs_of
from hw.foundation.errors import InputError
from models.data.generator import generate_modules
from reports.metrics import read_metrics

PROJECT = Path(__file__).resolve().parents[2]
CALQ = [f"CALQ_{cell}" for cell in range(48)]
SMALL = """\
label: small
arrangement: 4x4x3
dense: [8]
latent: 4
loss: weightedMSE
"""
SMALL_QUANTISED = """\
quantisation:
  input: {total: 10, integer: 3}
  weight: {total: 5, integer: 1}
  accumulator: {total: 11, integer: 3, signed: false}
  latent: {total: 9, integer: 1, signed: false}
"""


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def module_charges(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hit = rng.random((count, 48)) < rng.uniform(0.05, 1, (count, 1))
    return np.floor(rng.exponential(40, (count, 48)) * hit)


# --- options, without any training ---------------------------------------------------------------
def test_the_command_lines_of_the_reference_readme_are_understood() -> None:
    for model, elinks in (("8x8_c8_S2_tele", "--nELinks"), ("8x8_c8_S2_qK", "--nElinks")):
        found = options(
            *f"-i data/nElinks_5/ -o ./output/ --epoch 96 --AEonly 1 {elinks} 5".split(),
            *f"--noHeader --models {model}".split(),
        )
        check(found)
        assert found.epochs == 96
        assert found.elinks == 5
        assert found.noHeader
        assert found.inputFile == Path("data/nElinks_5")
        assert [spec.name for spec in specs_of(found)] == [model]


def test_the_recipe_decides_what_the_command_line_leaves_open(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "label: x\narrangement: 8x8\nepochs: 3\npatience: 2\noccupancy_weights: true\n"
        "fresh_modules: true\n"
    )
    modules = generate_modules(10, seed=1)

    def decided(name: str, *words: str) -> ModelSettings:
        found = options("--models", name, "-o", str(tmp_path), *words)
        check(found)
        return settings_of(specs_of(found)[0], modules, request_of(found))

    generated = ("-i", str(data_layout(tmp_path, None).generated_csv))
    recipe = decided(str(own), *generated)
    assert (recipe.epochs, recipe.batch, recipe.patience) == (3, 500, 2)
    assert recipe.occupancy_weights and recipe.fresh_modules
    changed = decided(str(own), *generated, "--epochs", "5", "--batch", "64")
    assert (changed.epochs, changed.batch, changed.patience) == (5, 64, 2)
    assert not decided(str(own), "-i", str(tmp_path / "given.csv")).fresh_modules
    assert not decided(str(own), *generated, "--quickTrain").fresh_modules
    reference = decided("8x8_c8_S2_qK")
    assert (reference.epochs, reference.batch, reference.patience) == (200, 500, 30)
    assert not reference.occupancy_weights and not reference.fresh_modules


def test_epoch_is_a_name_of_its_own_not_an_abbreviation() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_arguments(parser)
    assert parser.parse_args(["--epoch", "7"]).epochs == 7


@pytest.mark.parametrize("path", ["data/nElinks_2/", "data/nELinks_2", "nElinks_2/a.csv"])
def test_data_of_another_number_of_elinks_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="2 eLinks, but --nELinks is 5"):
        check(options("-i", path))
    check(options("-i", path, "--nELinks", "2"))
    check(options("-i", path, "--overrideInput"))


@pytest.mark.parametrize("path", ["data/mine.csv", "build/data/generated/modules.csv"])
def test_a_path_that_names_no_elinks_needs_no_override(path: str) -> None:
    check(options("-i", path, "--nELinks", "3"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--epochs 0", "--epochs 0"),
        ("--batch 0", "--batch 0"),
        ("--patience 0", "--patience 0"),
        ("--nrowsPerFile -1", "--nrowsPerFile -1"),
        ("--seed -1", "--seed -1"),
        ("--evalOnly --retrain", "--retrain has no meaning with --evalOnly"),
        ("--evalOnly --quantize", "--quantize has no meaning"),
        ("--evalOnly --loss mse", "--loss has no meaning"),
        ("--trainOnly --full", "--full is for the evaluation"),
        ("--trainOnly --AEonly 0", "--AEonly 0 is for the evaluation"),
    ],
)
def test_options_that_cannot_apply_are_errors(words: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(options(*words.split()))


@pytest.mark.parametrize(("elinks", "bits"), [(2, 3), (3, 5), (4, 7), (5, 9)])
def test_elinks_set_the_bits_of_the_latents(elinks: int, bits: int) -> None:
    (spec,) = specs_of(options("--models", "8x8_c8_S2_qK", "--nELinks", str(elinks)))
    assert spec.quantisation is not None
    assert (spec.quantisation.latent.total, spec.quantisation.latent.integer) == (bits, 1)
    (same,) = specs_of(options("--models", "8x8_c8_S2_qK"))
    assert same.quantisation is not None
    assert same.quantisation.latent.total == 9


def test_quantize_gives_16_bits_with_6_integer_ones() -> None:
    (spec,) = specs_of(options("--models", "8x8_c8_S2_tele", "--quantize"))
    assert spec.quantisation is not None
    for key in ("input", "weight", "accumulator", "latent"):
        number = getattr(spec.quantisation, key)
        assert (number.total, number.integer) == (16, 6)
    with pytest.raises(InputError, match="quantised already"):
        specs_of(options("--models", "8x8_c8_S2_qK", "--quantize"))


def test_loss_is_forced_and_an_unknown_one_is_told() -> None:
    (spec,) = specs_of(options("--models", "8x8_c8_S2_qK", "--loss", "telescopeMSE8x8"))
    assert spec.loss == "telescopeMSE8x8"
    with pytest.raises(InputError, match=r"^--loss: unknown loss 'teleskopeMSE'"):
        specs_of(options("--loss", "teleskopeMSE"))


def test_an_unknown_loss_of_a_model_is_told_by_model_and_key(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("label: mine\narrangement: 8x8\nlatent: 4\nloss: teleskopeMSE\n")
    with pytest.raises(InputError, match=r"^model 'mine', key 'loss': unknown loss"):
        specs_of(options("--models", str(file)))
    with pytest.raises(InputError, match="'my model' cannot name a model"):
        specs_of(options("--models", str(file.rename(tmp_path / "my model.yaml"))))


def test_models_are_a_list_and_none_means_all() -> None:
    two = specs_of(options("--models", "8x8_c8_S2_tele, 8x8_c8_S2_qK,8x8_c8_S2_qK"))
    assert [spec.name for spec in two] == ["8x8_c8_S2_tele", "8x8_c8_S2_qK"]
    assert len(specs_of(options("--models", ""))) > 2


# --- with training, on little data ---------------------------------------------------------------
class Workplace:
    """A folder with data, two small models, and the command to train them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = folder / "out"
        (folder / "small.yaml").write_text(SMALL)
        (folder / "small_q.yaml").write_text(SMALL + SMALL_QUANTISED)
        (folder / "nElinks_5").mkdir()
        rows = np.zeros((900, 57))
        rows[:, :48] = module_charges(900)
        rows[:, 55:] = np.random.default_rng(1).uniform(1.5, 3, (900, 2))
        for part in range(3):
            np.savetxt(
                folder / "nElinks_5" / f"{part}.csv", rows[part::3], fmt="%.9g", delimiter=","
            )

    def train(self, *words: str, model: str = "small_q", out: str = "out") -> int:
        defaults = ["-i", str(self.folder / "nElinks_5"), "--trainOnly", "--epochs", "2"]
        path = str(self.folder / f"{model}.yaml")
        where = ["--models", path, "-o", str(self.folder / out)]
        if "--evalOnly" in words:
            defaults.remove("--trainOnly")
        return main(["train", *defaults, *where, *words])

    def layout(self, model: str = "small_q", out: str = "out") -> ModelLayout:
        return ModelLayout(self.folder / out / model)

    def settings(self, model: str = "small_q", out: str = "out") -> dict[str, Any]:
        return json.loads(self.layout(model, out).settings.read_text())

    def figures(self, model: str = "small_q", out: str = "out") -> dict[str, Any]:
        metrics = read_metrics(self.layout(model, out).metrics("train"))
        return {metric.name: metric.value for metric in metrics}

    def validation(self, out: str = "out") -> dict[str, np.ndarray]:
        with np.load(self.layout(out=out).validation, allow_pickle=False) as content:
            return dict(content)

    def write_with_header(self, name: str, calq: np.ndarray, **columns: Any) -> Path:
        file = self.folder / name
        pd.DataFrame(calq, columns=CALQ).assign(**columns).to_csv(file, index=False)
        return file


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    place = Workplace(tmp_path_factory.mktemp("train"))
    assert place.train() == 0
    return place


@pytest.mark.slow
class TestTraining:
    def test_it_leaves_all_that_the_later_steps_read(self, place: Workplace) -> None:
        from models.networks.network_files import load_network

        layout = place.layout()
        names = {path.name for path in layout.train.iterdir()}
        parts = [
            f"{p}.{s}" for p in ("encoder", "decoder", "autoencoder") for s in ("keras", "json")
        ]
        assert names == {
            *parts, "history.json", "metrics.json", "settings.json", "validation.npz",
            "seal.json", "weights_integer.npz",
        }  # fmt: skip
        assert not layout.checkpoint.exists()
        encoder, decoder, whole = (
            load_network(layout.network(part)) for part in ("encoder", "decoder", "autoencoder")
        )
        images = np.random.default_rng(0).random((5, 4, 4, 3)).astype(np.float32)
        assert np.array_equal(whole(images), decoder(encoder(images)))
        settings = place.settings()
        assert settings["arrangement"] == "4x4x3"
        assert settings["normalisation"] == "msb"
        assert settings["data"]["name"] == "nElinks_5"
        assert settings["model"]["latent"] == 4
        assert settings["formats"]["output"].startswith("ufixed<9,1")
        with np.load(layout.integer_weights, allow_pickle=False) as codes:
            kernel = codes["encoded_vector/kernel"]
        assert kernel.shape == (8, 4)
        assert kernel.min() >= -16 and kernel.max() <= 15
        history = json.loads(layout.history.read_text())
        assert len(history["loss"]) == len(history["val_loss"]) == 2

    def test_the_figures_have_their_provenance(self, place: Workplace) -> None:
        figures = place.figures()
        assert figures["train.epochs"] == 2
        assert figures["train.modules"] + figures["validation.modules"] == 900
        assert figures["validation.modules"] == pytest.approx(180, abs=2)
        history = json.loads(place.layout().history.read_text())
        assert figures["train.val_loss"] == history["val_loss"][history["best_epoch"] - 1]
        for metric in read_metrics(place.layout().metrics("train")):
            assert metric.provenance is not None
            assert metric.provenance.seed == 1
            assert metric.provenance.data_hash and metric.provenance.model_hash

    def test_validation_modules_are_of_the_data_with_their_angles(self, place: Workplace) -> None:
        found = place.validation()
        assert found["calq"].dtype == np.float32
        assert found["calq"].shape[1] == 48
        assert len(found["eta"]) == len(found["phi"]) == len(found["calq"])
        known = {row.tobytes() for row in module_charges(900).astype(np.float32)}
        assert all(row.tobytes() in known for row in found["calq"])

    def test_a_model_that_is_up_to_date_is_not_trained_again(
        self, place: Workplace, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = place.layout().network("encoder").stat().st_mtime_ns
        assert place.train() == 0
        assert "trained already with these settings" in capsys.readouterr().out
        assert place.layout().network("encoder").stat().st_mtime_ns == before

    def test_retrain_trains_again_to_the_same_bytes(
        self, place: Workplace, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = place.layout().network("encoder")
        before = file.read_bytes(), file.stat().st_mtime_ns
        assert place.train("--retrain") == 0
        assert "epoch 2/2" in capsys.readouterr().out
        assert file.read_bytes() == before[0]
        assert file.stat().st_mtime_ns != before[1]

    def test_other_settings_train_again_and_are_told(
        self, place: Workplace, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert place.train(out="other") == 0
        assert place.train("--seed", "2", "--batch", "100", out="other") == 0
        assert "seed 1 -> 2, batch 500 -> 100" in capsys.readouterr().out

    def test_several_models_in_one_call(self, place: Workplace) -> None:
        both = f"{place.folder / 'small.yaml'},{place.folder / 'small_q.yaml'}"
        assert place.train("--models", both, "--epochs", "1", out="both") == 0
        assert place.layout("small", "both").network("encoder").is_file()
        assert not place.layout("small", "both").integer_weights.exists()
        assert place.layout("small_q", "both").integer_weights.is_file()

    def test_no_pickle_is_written(self, place: Workplace) -> None:
        for path in place.folder.rglob("*"):
            assert path.suffix not in (".pkl", ".pickle")
            if path.suffix in (".npz", ".npy"):
                with np.load(path, allow_pickle=False) as content:
                    assert all(content[name].dtype != object for name in content.files)

    def test_eval_only_takes_the_whole_input_and_leaves_the_weights(self, place: Workplace) -> None:
        assert place.train(out="eval") == 0
        weights = place.layout(out="eval").network("encoder").read_bytes()
        one_file = str(place.folder / "nElinks_5" / "0.csv")
        assert place.train("--evalOnly", "--skipPlot", "-i", one_file, out="eval") == 0
        assert place.layout(out="eval").network("encoder").read_bytes() == weights
        found = place.validation("eval")["calq"]
        assert np.array_equal(found, module_charges(900)[::3].astype(np.float32))
        assert place.figures(out="eval")["validation.modules"] == 300
        assert place.figures(out="eval")["train.modules"] == 720
        emd = {m.name: m.value for m in read_metrics(place.layout(out="eval").metrics("evaluate"))}
        assert emd["emd.modules"] == 300
        assert place.train(out="eval") == 0  # back to the modules held back from training
        assert np.array_equal(place.validation("eval")["calq"], place.validation()["calq"])

    def test_eval_only_needs_a_model_and_its_normalisation(
        self, place: Workplace, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert place.train("--evalOnly", out="none") == 2
        assert "no trained model" in capsys.readouterr().err
        assert not (place.folder / "none").exists()
        assert place.train("--evalOnly", "--rescaleInputToMax") == 2
        assert "leave out --rescaleInputToMax" in capsys.readouterr().err
        assert place.train("--evalOnly", "--nELinks", "3", "--overrideInput") == 2
        assert "was trained for 5 eLinks" in capsys.readouterr().err

    def test_quick_train_takes_5000_modules(
        self, place: Workplace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("flows.training.train_models.QUICK_MODULES", 100)
        assert place.train("--quickTrain", out="quick") == 0
        assert place.figures(out="quick")["train.modules"] == 100
        assert place.figures(out="quick")["validation.modules"] == len(place.validation()["calq"])

    def test_csv_files_hold_what_the_networks_do(self, place: Workplace) -> None:
        from models.networks.network_files import load_network

        assert place.train("--nCSV", "7", out="csv") == 0
        layout = place.layout(out="csv")
        tables = {path.stem: pd.read_csv(path) for path in layout.validation_csv.iterdir()}
        assert {len(table) for table in tables.values()} == {7}
        calq = place.validation("csv")["calq"][:7]
        assert np.array_equal(tables["verify_input_calQ"][CALQ].to_numpy(np.float32), calq)
        assert list(tables["verify_input_calQ"].columns[48:]) == ["tc_eta", "tc_phi"]
        images = tables["verify_input"].to_numpy(np.float32).reshape(7, 4, 4, 3)
        latents = load_network(layout.network("encoder"))(images)
        assert np.array_equal(tables["verify_output"].to_numpy(np.float32), latents)
        codes = tables["verify_output_codes"].to_numpy()
        assert np.array_equal(codes, np.asarray(latents, np.float64) * 256)
        decoded = np.asarray(load_network(layout.network("decoder"))(latents)).reshape(7, 48)
        assert np.array_equal(tables["verify_decoded"].to_numpy(np.float32), decoded)
        scale = 2 ** np.floor(np.log2(calq.sum(axis=1, keepdims=True)))
        # pixel 3 * (4 * row + column) + sector shows cell 16 * sector + 4 * row + column
        cells = decoded.reshape(7, 16, 3).transpose(0, 2, 1).reshape(7, 48)
        assert tables["verify_decoded_calQ"].to_numpy() == pytest.approx(cells * scale, rel=1e-6)

    def test_decoded_charges_are_rescaled_and_clipped(self, place: Workplace) -> None:
        assert place.train("--nCSV", "-1", "--rescaleOutputToMax", out="rescaled") == 0
        calq = place.validation("rescaled")["calq"]
        file = place.layout(out="rescaled").validation_csv / "verify_decoded_calQ.csv"
        decoded = pd.read_csv(file).to_numpy()
        assert len(decoded) == len(calq)
        assert decoded.sum(axis=1) == pytest.approx(calq.sum(axis=1), rel=1e-5)
        assert place.train("--nCSV", "-1", "--maxVal", "20", out="rescaled") == 0
        clipped = pd.read_csv(file).to_numpy()
        assert clipped.max() == 20

    def test_rescale_input_to_max_makes_the_largest_input_1(self, place: Workplace) -> None:
        assert place.train("--rescaleInputToMax", "--nCSV", "-1", out="max") == 0
        assert place.settings(out="max")["normalisation"] == "max"
        images = pd.read_csv(place.layout(out="max").validation_csv / "verify_input.csv")
        assert (images.max(axis=1) == 1).all()

    def test_occupancy_weights_change_the_training(self, place: Workplace) -> None:
        assert place.train("--occReweight", out="weighted") == 0
        weighted, plain = (
            json.loads(place.layout(out=out).history.read_text())["loss"]
            for out in ("weighted", "out")
        )
        assert weighted != plain
        assert place.settings(out="weighted")["occupancy_weights"]

    def test_double_adds_up_modules(self, place: Workplace) -> None:
        assert place.train("--double", out="double") == 0
        figures = place.figures(out="double")
        assert figures["train.modules"] + figures["validation.modules"] == 450
        assert place.validation("double")["calq"].sum(axis=1).mean() == pytest.approx(
            2 * module_charges(900).sum(axis=1).mean(), rel=0.1
        )

    def test_the_other_algorithms_are_evaluated_on_the_same_modules(self, place: Workplace) -> None:
        one_file = str(place.folder / "nElinks_5" / "0.csv")
        words = ["--evalOnly", "--skipPlot", "-i", one_file]
        assert place.train(out="others") == 0
        assert place.train(*words, out="others") == 0
        written = place.layout(out="others").metrics("evaluate")
        assert not any(m.name.startswith("baseline.") for m in read_metrics(written))
        assert place.train(*words, "--AEonly", "0", out="others") == 0
        found = {m.name: m.value for m in read_metrics(written)}
        means = {
            name: value
            for name, value in found.items()
            if name.startswith("baseline.") and name.endswith(".emd.mean")
        }
        assert set(means) == {
            f"baseline.{name}.{form}.emd.mean"
            for name in ("threshold", "stc4", "stc16", "ctc4", "best_choice", "mean_image")
            for form in ("ideal", "chip")
        }
        assert all(isinstance(value, float) and value > 0 for value in means.values())
        assert found["baseline.stc4.chip.emd.modules"] in range(1, 301)

    def test_rows_per_file(self, place: Workplace) -> None:
        assert place.train("--nrowsPerFile", "100", out="rows") == 0
        figures = place.figures(out="rows")
        assert figures["train.modules"] + figures["validation.modules"] == 300

    def test_masks_and_energies(self, place: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
        calq = module_charges(300, seed=4)
        energy = np.arange(300) / 1000  # fraction above 0.05 from row 51 on
        data = place.write_with_header(
            "full.csv",
            calq,
            SimEnergyTotal=energy * 10,
            EventSimEnergy=10.0 + np.arange(300) // 5,
            SimEnergyFraction=energy,
            ModType=["FI", "FM", "FO", "BI"] * 75,
        )
        words = ["-i", str(data), "--maskPartials", "--maskEnergies", "--saveEnergy"]
        assert place.train(*words, out="masked") == 0
        whole = calq[(energy > 0.05) & (np.arange(300) % 4 < 3)].astype(np.float32)
        figures = place.figures(out="masked")
        assert figures["train.modules"] + figures["validation.modules"] == len(whole)
        energies = pd.read_csv(place.layout(out="masked").energies)
        assert list(energies.columns) == ["SimEnergyTotal", "EventSimEnergy", "SimEnergyFraction"]
        by_charges = {row.tobytes(): index for index, row in enumerate(calq.astype(np.float32))}
        for row, fraction in zip(
            place.validation("masked")["calq"], energies["SimEnergyFraction"], strict=True
        ):
            assert fraction == pytest.approx(energy[by_charges[row.tobytes()]])
        held_back = [by_charges[row.tobytes()] // 5 for row in place.validation("masked")["calq"]]
        in_whole = [by_charges[row.tobytes()] // 5 for row in whole]
        assert all(held_back.count(event) == in_whole.count(event) for event in held_back)

        bare = str(place.write_with_header("bare.csv", calq))
        for flag, column in (
            ("--maskPartials", "ModType"),
            ("--maskEnergies", "SimEnergyFraction"),
            ("--saveEnergy", "SimEnergyTotal"),
        ):
            assert place.train("-i", bare, flag, out="bare") == 2
            assert column in capsys.readouterr().err
        assert not place.layout(out="bare").folder.exists()

    def test_data_that_cannot_be_trained_on_are_named(
        self, place: Workplace, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for name, calq, message in (
            ("empty.csv", np.zeros((9, 48), dtype=int), "no module has charge"),
            ("one.csv", np.ones((1, 48), dtype=int), "1 modules cannot be split"),
        ):
            file = place.write_with_header(name, calq)
            assert place.train("-i", str(file), out="refused") == 2
            assert f"{file}: {message}" in capsys.readouterr().err
        assert not place.layout(out="refused").folder.exists()

    def test_a_failure_leaves_the_former_model_whole(
        self, place: Workplace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert place.train(out="whole") == 0
        layout = place.layout(out="whole")
        before = {path.name: path.read_bytes() for path in layout.train.iterdir()}

        def fail(*arguments: object) -> None:
            raise OSError("disk full")

        monkeypatch.setattr("flows.training.train_models.write_training_results", fail)
        assert place.train("--retrain", "--seed", "5", out="whole") == 2
        assert {path.name: path.read_bytes() for path in layout.train.iterdir()} == before
        folders = {path.name for path in layout.folder.iterdir() if path.is_dir()}
        assert folders == {"train", ".runtimes"}

    def test_an_imported_model_is_not_trained_over(
        self, place: Workplace, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert place.train(out="imported") == 0
        layout = place.layout(out="imported")
        layout.settings.write_text(json.dumps({**place.settings(), "model": None}))
        assert place.train(out="imported") == 2
        assert "holds an imported model" in capsys.readouterr().err


@pytest.fixture
def heeded_interrupts() -> Iterator[None]:
    """A shell starts its background jobs, and so perhaps these tests, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("heeded_interrupts")
def test_an_interrupted_training_goes_on_to_the_same_weights(place: Workplace) -> None:
    """SIGINT at the command line: exit status 130, a checkpoint, and equal weights in the end."""

    def command(out: str) -> list[str]:
        return [
            *(sys.executable, "-m", "flows", "train", "--trainOnly", "--epochs", "40"),
            *("-i", str(place.folder / "nElinks_5"), "-o", str(place.folder / out)),
            *("--models", str(place.folder / "small_q.yaml")),
        ]

    run = {"cwd": PROJECT, "text": True, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command("cut"), stdout=subprocess.PIPE, **run) as process:  # type: ignore[call-overload]
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("epoch  3/"):
                process.send_signal(signal.SIGINT)
    layout = place.layout(out="cut")
    assert process.returncode == 130
    assert "the same command goes on from there" in lines[-1]
    assert layout.checkpoint.is_file()
    assert not layout.train.exists()
    output = subprocess.run(command("cut"), check=True, stdout=subprocess.PIPE, **run).stdout  # type: ignore[call-overload]
    assert "going on after epoch" in output
    assert "epoch  1/40" not in output
    subprocess.run(command("straight"), check=True, stdout=subprocess.PIPE, **run)  # type: ignore[call-overload]
    for part in ("encoder", "decoder"):
        cut, straight = (place.layout(out=out).network(part) for out in ("cut", "straight"))
        assert cut.read_bytes() == straight.read_bytes()
