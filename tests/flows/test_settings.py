"""Settings of a model: read back as written, and told by file, key and remedy where damaged."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import main
from flows.artefacts.decoding import ChargeScale
from flows.artefacts.settings import ModelSettings, ValidationSettings, read_settings
from flows.layout import ModelLayout
from hw.foundation.errors import InputError
from models.data.normalisation import Normalisation
from tests.flows.trained import trained_settings


def layout_with(folder: Path, text: str) -> ModelLayout:
    layout = ModelLayout(folder / "mine")
    layout.train.mkdir(parents=True)
    layout.settings.write_text(text)
    return layout


@pytest.mark.parametrize(
    "settings",
    [
        trained_settings(),
        trained_settings(
            "8x8_c8_S2_qK",
            validation=ValidationSettings(whole_sample=True, max_value=1000.0),
            formats={"input": "ufixed<8,1>"},
        ),
        ModelSettings(
            imported={"hash": "0"}, arrangement="4x4x3", normalisation=Normalisation.MAX, seed=3
        ),
    ],
    ids=["trained", "with all parts", "imported"],
)
def test_what_was_written_is_read(tmp_path: Path, settings: ModelSettings) -> None:
    assert read_settings(layout_with(tmp_path, settings.to_json())) == settings


def test_an_imported_model_is_known_by_its_key_model(tmp_path: Path) -> None:
    imported = ModelSettings(
        imported={"hash": "0"}, arrangement="4x4x3", normalisation=Normalisation.MSB
    )
    assert '"model": null' in imported.to_json()
    assert '"model": null' not in trained_settings().to_json()


def test_no_finished_model_has_no_settings(tmp_path: Path) -> None:
    assert read_settings(ModelLayout(tmp_path / "none")) is None


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(trained_settings().to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid JSON"),
        (trained_settings().to_json()[:100], "Invalid JSON"),
        ("[]", "damaged"),
        ("{}", "arrangement is missing"),
        (changed(epoch=3), "unknown key 'epoch'; did you mean 'epochs'"),
        (changed(arrangement="9x9"), "key 'arrangement': arrangement '9x9' is unknown"),
        (changed(normalisation="mbs"), "normalisation 'mbs' is unknown; did you mean 'msb'"),
        (changed(seed="one"), "key 'seed': .*found 'one'"),
        (changed(validation={"maximum": 3}), "unknown key 'validation.maximum'"),
        (changed(data={"name": "x"}), "key 'data.hash' is missing"),
        (changed(model={"name": "x"}), "key 'model.label' is missing"),
    ],
)
def test_damage_names_file_key_and_remedy(tmp_path: Path, text: str, message: str) -> None:
    layout = layout_with(tmp_path, text)
    with pytest.raises(InputError, match=message) as told:
        read_settings(layout)
    assert str(told.value).startswith(f"{layout.settings}: damaged: ")
    assert str(told.value).endswith(f"; delete {layout.train}, then train or import the model anew")


def test_a_stage_says_so_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = layout_with(tmp_path, "{")
    assert main(["evaluate", "--build", str(tmp_path), "--model", "mine"]) == 2
    assert str(layout.settings) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "rescaled", "scale"),
    [
        ("8x8_c8_S2_qK", False, ChargeScale.NETWORK),
        ("8x8_c8_S2_qK", True, ChargeScale.SUM),
    ],
)
def test_the_scale_of_decoded_charges(name: str, rescaled: bool, scale: ChargeScale) -> None:
    validation = ValidationSettings(rescale_output_to_sum=rescaled)
    assert trained_settings(name, validation=validation).charge_scale is scale
