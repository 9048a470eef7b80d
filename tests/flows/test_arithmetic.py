"""Plain and hardware-exact training side by side: which networks are measured, and when not."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.artefacts.stage_results import design_of, state
from flows.artefacts.trained_model import staged, write_json, write_networks, write_validation
from flows.evaluation.evaluation import evaluate
from flows.layout import ModelLayout, data_layout, model_layout
from flows.stages import BY_NAME
from flows.training.train_options import add_arguments, specs_of
from hw.foundation.errors import InputError
from models.data.geometry import ARRANGEMENTS
from models.data.normalisation import normalise, restore
from models.networks.zoo import ModelSpec, compared_spec, load_model_spec
from models.quality.emd import emd
from reports.metrics import Metric
from reports.pictures.arithmetic import arithmetic_picture
from reports.report import Progress
from tests.flows.sealed import seal_all

MODEL, PLAIN = "econ_t", "econ_t_plain"
PARTS = ("mean", "std", "standard_error")
NAMES = [f"{name}.{part}" for name in ("emd.plain", "emd.plain_on_chip") for part in PARTS]


def charges(count: int = 200) -> np.ndarray:
    rng = np.random.default_rng(3)
    filled = rng.random((count, 48)) < rng.random((count, 1)) ** 2
    calq = np.where(filled, rng.integers(1, 500, (count, 48)), 0).astype(np.float32)
    calq[:, 0] += 1
    return calq


def lay_model(build: Path, name: str, seed: int = 1) -> ModelLayout:
    """A model as training leaves it, with random weights."""
    from models.keras_backend import keras
    from models.networks.encoder import build_networks

    keras.utils.set_random_seed(seed)
    spec = load_model_spec(name)
    networks = build_networks(spec)
    layout = model_layout(build, name)
    with staged(layout) as staging:
        parts = ("encoder", "decoder", "autoencoder")
        write_networks(staging, {part: getattr(networks, part) for part in parts})
        write_validation(staging, charges(), None, None)
        content = {
            "model": spec.model_dump(mode="json"),
            "arrangement": "8x8",
            "normalisation": "msb",
            "data": {"name": "generated", "hash": "0"},
            "seed": 1,
            "epochs": 10,
        }
        write_json(staging.at(layout.settings), content)
    return layout


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("laid")
    lay_model(build, MODEL, seed=1)
    lay_model(build, PLAIN, seed=2)
    return build


@pytest.fixture
def build(laid: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(laid, tmp_path / "build")
    return tmp_path / "build"


@pytest.fixture
def alone(build: Path) -> Path:
    """The same without the plain model."""
    shutil.rmtree(model_layout(build, PLAIN).folder)
    return build


def edit_settings(layout: ModelLayout, **changes) -> None:
    content = json.loads(layout.settings.read_text())
    layout.settings.write_text(json.dumps(content | changes))


def measured(build: Path) -> dict[str, Metric]:
    return {metric.name: metric for metric in evaluate(build, MODEL, skip_plot=True)}


def distance_of(encoder, decoder) -> float:
    calq = charges()
    images = ARRANGEMENTS["8x8"].to_images(normalise(calq)[0])
    decoded = ARRANGEMENTS["8x8"].to_cells(decoder(encoder(images)).numpy())
    return float(emd(calq, restore(decoded, calq)).mean())


# --- what is measured ----------------------------------------------------------------------------
def test_the_three_forms_are_measured_on_the_same_modules(build):
    from models.networks.econ_t_encoder import on_chip
    from models.networks.network_files import load_network

    found = measured(build)
    exact, plain = (
        [load_network(model_layout(build, name).network(part)) for part in ("encoder", "decoder")]
        for name in (MODEL, PLAIN)
    )
    expected = {
        "emd": distance_of(*exact),
        "emd.plain": distance_of(*plain),
        "emd.plain_on_chip": distance_of(on_chip(plain[0]), plain[1]),
    }
    for name, value in expected.items():
        assert found[f"{name}.mean"].value == pytest.approx(value, abs=1e-6)
        assert found[f"{name}.mean"].better == "lower"
        assert 0 < found[f"{name}.standard_error"].value < found[f"{name}.std"].value
    assert len({round(value, 6) for value in expected.values()}) == 3
    hashes = {found[name].provenance.model_hash for name in NAMES}
    assert len(hashes) == 1 and hashes != {found["emd.mean"].provenance.model_hash}


def test_the_picture_shows_all_three(build):
    evaluate(build, MODEL, skip_plot=True)
    layout = model_layout(build, MODEL)
    axes = arithmetic_picture(layout.arithmetic, MODEL).figure.axes[0]
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [text.split(":")[0] for text in words] == [
        "plain training, as trained",
        "plain training, run by the chip",
        "trained in the chip's arithmetic",
    ]
    assert f"{measured(build)['emd.mean'].value:.3f}" in words[2]
    layout.arithmetic.write_bytes(b"no archive")
    with pytest.raises(InputError, match="evaluate the model anew"):
        arithmetic_picture(layout.arithmetic, MODEL)


def test_the_evaluation_is_stale_when_the_plain_model_is_replaced(build):
    def evaluation():
        return state(BY_NAME["evaluate"], design_of(build, MODEL, "econ_t")).progress

    evaluate(build, MODEL, skip_plot=True)
    assert evaluation() is Progress.DONE
    lay_model(build, PLAIN, seed=3)
    assert evaluation() is Progress.STALE
    evaluate(build, MODEL, skip_plot=True)
    assert evaluation() is Progress.DONE


# --- when there is nothing to compare with -------------------------------------------------------
def unmeasured(build: Path) -> str:
    found = measured(build)
    assert found["emd.mean"].value is not None
    assert all(found[name].value is None for name in NAMES)
    assert not model_layout(build, MODEL).arithmetic.exists()
    return str(found[NAMES[0]].reason)


def test_a_missing_plain_model_is_told(alone):
    assert "econ_t_plain has not been trained" in unmeasured(alone)


def test_a_plain_model_of_other_data_is_not_compared(build):
    measured(build)  # what it leaves must not stay
    edit_settings(model_layout(build, PLAIN), data={"name": "other", "hash": "1"})
    assert "trained with other settings than econ_t (data)" in unmeasured(build)


def test_a_model_may_be_compared_with_none(build):
    record = load_model_spec(MODEL).model_dump(mode="json") | {"compare_with": None}
    edit_settings(model_layout(build, MODEL), model=record)
    assert "compare_with" in unmeasured(build)


def test_other_models_have_no_such_figures(build):
    found = evaluate(build, PLAIN, skip_plot=True)
    assert not {metric.name for metric in found} & set(NAMES)


def test_the_report_gives_the_reason(alone):
    evaluate(alone, MODEL, skip_plot=True)
    seal_all(alone, MODEL)
    main(["report", "--build", str(alone), "--model", MODEL])
    text = (alone / MODEL / "econ_t" / "report.md").read_text()
    assert "Plain training, run by the chip: mean" in text
    assert "econ_t_plain has not been trained" in text


# --- what is trained -----------------------------------------------------------------------------
def options(*words: str):
    import argparse

    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_each_model_is_trained_once_and_the_compared_one_only_when_asked_for():
    specs = specs_of(options("--models", f"{PLAIN},{MODEL},{PLAIN}"))
    assert [spec.name for spec in specs] == [PLAIN, MODEL]
    assert [spec.name for spec in specs_of(options("--models", MODEL))] == [MODEL]


def test_what_cannot_be_compared_is_told_before_training(tmp_path):
    text = "label: x\narrangement: 8x8\nconvolutions: [{filters: 8, kernel: 3, stride: 2}]\n"
    (tmp_path / "own.yaml").write_text(text + "econ_t: {}\ncompare_with: 8x8_c8_S2_tele\n")
    with pytest.raises(InputError, match="differs in quantisation"):
        specs_of(options("--models", str(tmp_path / "own.yaml")))


@pytest.mark.parametrize(("elinks", "bits"), [(2, 3), (3, 5), (4, 7), (5, 9)])
def test_elinks_set_the_latents_of_both(elinks, bits):
    both = options("--models", f"{PLAIN},{MODEL}", "--nElinks", str(elinks))
    plain, exact = specs_of(both)
    assert exact.econ_t.elinks == elinks and exact.econ_t.latent_bits == bits
    assert plain.quantisation.latent.total == bits


@pytest.mark.parametrize("flag", ["--quantize", "--rescaleInputToMax"])
def test_options_that_the_chip_excludes_are_refused(flag):
    with pytest.raises(InputError, match=flag):
        specs_of(options("--models", MODEL, flag))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"quantisation": {}}, "quantisation"),
        ({"dense": [32]}, "dense: the ECON-T's encoder is one convolution"),
        ({"arrangement": "4x4x3"}, "arrangement: the ECON-T's encoder"),
        ({"convolutions": []}, "convolutions: the ECON-T's encoder"),
        ({"econ_t": {"elinks": 6}}, "econ_t.elinks"),
        ({"econ_t": None}, "compare_with: is for a model in the ECON-T's arithmetic"),
    ],
)
def test_a_record_that_the_chip_excludes_is_refused(change, told, tmp_path):
    import yaml

    record = load_model_spec(MODEL).model_dump(mode="json", exclude={"name"}, exclude_none=True)
    if "quantisation" in change:
        plain = load_model_spec(PLAIN).model_dump(mode="json")
        change = {"quantisation": plain["quantisation"]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(record | change))
    with pytest.raises(InputError, match=told):
        load_model_spec(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("8x8_c8_S2_tele", "differs in quantisation"),
        ("8x8_c8_S2_qK", "differs in quantisation.weight"),
        ("econ_t_plain_2elinks", "differs in quantisation.latent"),
        ("econ_t_2elinks", "differs in quantisation"),
        ("4x4x3_c8_S1_tele_qK", "differs in arrangement, convolutions"),
        ("econ_plain", "did you mean 'econ_t_plain'"),
    ],
)
def test_a_model_of_another_kind_is_not_compared(other, told):
    record = load_model_spec(MODEL).model_dump() | {"compare_with": other}
    with pytest.raises(InputError, match=told):
        compared_spec(ModelSpec.model_validate(record))


@pytest.mark.slow
def test_training_and_evaluating_a_model_of_the_chip(tmp_path, capsys):
    """The steps as a user runs them, on few modules."""
    build = ["--build", str(tmp_path)]
    assert main(["data", *build, "--events", "3000"]) == 0
    data = str(data_layout(tmp_path, None).generated_csv)
    train = [
        "train",
        "-i",
        data,
        "-o",
        str(tmp_path),
        "--models",
        f"{PLAIN},{MODEL}",
        "--epochs",
        "2",
    ]
    assert main([*train, "--trainOnly"]) == 0
    assert main(["evaluate", *build, "--model", MODEL]) == 0
    found = measured(tmp_path)
    assert all(found[name].value is not None for name in NAMES)
    settings = [
        json.loads(model_layout(tmp_path, name).settings.read_text()) for name in (MODEL, PLAIN)
    ]
    assert settings[0]["data"] == settings[1]["data"]
    assert settings[0]["formats"]["output"] == "ufixed<9,1,TRN,SAT>"
    capsys.readouterr()
    assert main([*train, "--trainOnly"]) == 0
    assert capsys.readouterr().out.count("is trained already") == 2
