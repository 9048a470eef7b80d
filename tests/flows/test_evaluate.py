"""The evaluation stage on a stand-in autoencoder: which modules count, and what is written."""

import json
from pathlib import Path

import numpy as np
import pytest

import flows.evaluation.evaluation as evaluation_module
from flows.__main__ import main
from flows.evaluation.evaluation import evaluate
from flows.layout import ModelLayout, model_layout
from hw.foundation.errors import InputError
from models.quality.emd import emd
from models.quality.measures import MEASURES
from models.quality.quality import OCCUPANCY_BINS, in_bin, occupancy
from reports.metrics import read_metrics
from reports.pictures.distributions import emd_picture
from reports.pictures.evaluation import read_evaluation
from reports.pictures.gallery import Gallery
from tests.flows.trained import trained_settings

MODEL = "8x8_c8_S2_qK"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "econt"


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelLayout:
    """A trained model of 300 validation modules, 20 of them empty, whose decoder smears charges."""
    layout = model_layout(tmp_path, MODEL)
    rng = np.random.default_rng(5)
    filled = rng.random((300, 48)) < rng.random((300, 1)) ** 3
    calq = np.where(filled, rng.integers(1, 500, (300, 48)), 0).astype(np.float32)
    calq[:, 0] += 1
    calq[::15] = 0
    layout.train.mkdir(parents=True)
    np.savez(layout.validation, calq=calq, eta=np.linspace(1.5, 3, 300, dtype=np.float32))
    layout.settings.write_text(json.dumps({"arrangement": "8x8", "normalisation": "msb"}))
    for part in ("encoder", "decoder"):
        layout.network(part).write_bytes(part.encode())

    def smear(layout, validation):
        cells = validation.calq / 2 + validation.calq[:, ::-1] / 4 + 0.01
        return cells.astype(np.float32), np.ones((len(cells), 16), dtype=np.float32)

    monkeypatch.setattr(evaluation_module, "_reconstruct", smear)
    return layout


def _evaluate(layout: ModelLayout, **options) -> dict[str, object]:
    metrics = evaluate(layout.folder.parent, MODEL, skip_plot=True, **options)
    return {metric.name: metric.value for metric in metrics}


def test_figures_equal_an_independent_recomputation(trained):
    values = _evaluate(trained)
    calq = np.load(trained.validation)["calq"].astype(float)
    outputs = calq / 2 + calq[:, ::-1] / 4 + 0.01
    filled = calq.sum(axis=1) > 0
    expected = emd(calq[filled], outputs[filled])
    assert values["emd.mean"] == pytest.approx(expected.mean(), abs=1e-6)
    assert values["emd.std"] == pytest.approx(expected.std(), abs=1e-6)
    assert values["emd.median"] == pytest.approx(np.median(expected), abs=1e-6)
    assert (values["emd.modules"], values["emd.empty"], values["emd.empty_output"]) == (280, 20, 0)
    occupied = occupancy(calq[filled])
    low = expected[in_bin(occupied, 0, 2, OCCUPANCY_BINS)]
    assert values["emd.occupancy.0-2.mean"] == pytest.approx(low.mean(), abs=1e-6)
    assert values["emd.occupancy.0-2.modules"] == len(low)


def _one_picture(layout: ModelLayout, _metrics) -> Gallery:
    """Drawing all takes long; tests/reports/test_pictures.py does."""
    return Gallery((emd_picture(read_evaluation(layout.evaluation), MODEL),))


def test_metrics_and_per_module_results_are_written(trained, monkeypatch):
    monkeypatch.setattr("flows.evaluation.pictures.evaluation_gallery", _one_picture)
    evaluate(trained.folder.parent, MODEL, skip_plot=False)
    written = {metric.name: metric for metric in read_metrics(trained.metrics("evaluate"))}
    assert written["emd.mean"].unit == "half pitch" and written["emd.mean"].better == "lower"
    assert written["emd.mean"].provenance.tools["POT"]
    with np.load(trained.evaluation) as stored:
        assert stored["emd"].shape == stored["occupancy"].shape == stored["eta"].shape == (300,)
        assert np.isnan(stored["emd"]).sum() == 20
        np.testing.assert_allclose(
            stored["sample_output"].sum(axis=1), stored["sample_input"].sum(axis=1), rtol=1e-5
        )
        assert (np.diff(stored["occupancy"][stored["sample"]]) >= 0).all()
        assert stored["emd"][stored["worst"][0]] == np.nanmax(stored["emd"])
        assert (np.diff(stored["emd"][stored["worst"]]) <= 0).all()
    drawn = {path.name for path in trained.plots.iterdir()}
    assert drawn == {"emd.png", "emd.svg", "gallery.json"}
    evaluate(trained.folder.parent, MODEL, skip_plot=True)
    assert not trained.plots.exists()  # no pictures of another evaluation


def test_the_other_algorithms_are_measured_on_the_same_modules(trained):
    values = _evaluate(trained)
    calq = np.load(trained.validation)["calq"]
    filled = calq.sum(axis=1) > 0
    kept = np.where(calq > 47.25, calq, 0)
    answered = kept.sum(axis=1) > 0
    distances = emd(calq[answered], kept[answered])
    name = "baseline.threshold.ideal"
    assert values[f"{name}.emd.mean"] == pytest.approx(distances.mean(), abs=1e-6)
    assert values[f"{name}.emd.modules"] == answered.sum() < filled.sum()
    assert values[f"{name}.emd.empty_output"] == (filled & ~answered).sum()
    assert values[f"{name}.zero_fraction.mean"] == pytest.approx(1 - answered.sum() / filled.sum())
    light = filled & (calq.sum(axis=1) < 35)
    assert values[f"{name}.emd.charge.0-1.empty_output"] == (light & ~answered).sum()
    sizes = (kept > 0).sum(axis=1)[filled]
    bits = np.where(sizes >= 8, 16 + 48 + 7 * sizes, 16 + 3 * (sizes > 0) + 13 * sizes)
    assert values["baseline.threshold.chip.bits"] == pytest.approx(bits.mean())
    assert values["link.bits"] == 160


def test_every_value_of_every_module_is_kept_for_the_pictures(trained):
    values = _evaluate(trained, full=True)
    with np.load(trained.evaluation) as stored:
        for measure in MEASURES:
            for prefix, metric in (
                ("", "emd" if measure.name == "emd" else f"quality.{measure.name}"),
                ("baseline.ctc4.chip.", f"baseline.ctc4.chip.{measure.name}"),
            ):
                array = stored[f"{prefix}{measure.name}"]
                assert array.shape == (300,) and np.isnan(array[::15]).all()
                mean = np.nanmean(array.astype(float))
                assert values[f"{metric}.mean"] == pytest.approx(mean, rel=1e-5, abs=1e-7)
        assert stored["charge"] == pytest.approx(np.load(trained.validation)["calq"].sum(1) / 35)
        assert (stored["baseline.ctc4.chip.bits"] == 88).all()


def test_the_links_are_those_of_the_model_or_as_asked(trained):
    assert _evaluate(trained, elinks=2)["baseline.best_choice.chip.bits"] == 64
    settings = json.loads(trained.settings.read_text())
    settings |= {"elinks": 3, "formats": {"output": "ufixed<5,1,RND_CONV,SAT>"}}
    trained.settings.write_text(json.dumps(settings))
    values = _evaluate(trained)
    assert (values["link.bits"], values["baseline.best_choice.chip.bits"]) == (96, 90)
    assert values["quality.bits"] == 5 + 9 + 16 * 5
    trained.settings.write_text(trained_settings("econ_t_2elinks", elinks=3).to_json())
    assert _evaluate(trained)["link.bits"] == 64


def test_the_other_algorithms_can_be_left_out(trained):
    assert not any(name.startswith("baseline") for name in _evaluate(trained, baselines=False))


def test_a_limit_takes_modules_evenly_and_full_takes_all(trained):
    assert _evaluate(trained, modules=30)["emd.modules"] + 2 <= 30
    with np.load(trained.evaluation) as stored:
        assert len(stored["emd"]) == 30
        assert stored["eta"][[0, -1]].tolist() == [1.5, 3.0]
    assert _evaluate(trained, modules=30, full=True)["emd.modules"] == 280
    assert _evaluate(trained, modules=0)["emd.modules"] == 280


def test_a_decoder_that_answers_nothing_is_told_apart(trained, monkeypatch):
    monkeypatch.setattr(
        evaluation_module,
        "_reconstruct",
        lambda _, v: (np.zeros_like(v.calq), np.ones((len(v.calq), 16))),
    )
    metrics = {m.name: m for m in evaluate(trained.folder.parent, MODEL, skip_plot=True)}
    assert metrics["emd.mean"].value is None and metrics["emd.mean"].reason
    assert (metrics["emd.empty"].value, metrics["emd.empty_output"].value) == (20, 280)


def test_a_model_without_decoder_is_not_measured_and_says_so(trained):
    _evaluate(trained)
    trained.network("decoder").unlink()
    metrics = evaluate(trained.folder.parent, MODEL)
    own = [m for m in metrics if m.name.split(".")[0] in ("emd", "quality")]
    assert own and all(m.value is None and "no decoder" in m.reason for m in own)
    found = {metric.name: metric.value for metric in metrics}
    assert found["baseline.stc4.chip.emd.mean"] > 0  # the others need none
    assert not trained.evaluation.exists()  # what an earlier decoder gave does not linger


def test_the_command_reports_the_mean(trained, capsys):
    build = str(trained.folder.parent)
    assert main(["evaluate", "--build", build, "--model", MODEL, "--skip-plot"]) == 0
    printed = capsys.readouterr().out
    assert "half pitch" in printed and "280 modules (20 empty ones apart)" in printed


def _keep_modules(layout: ModelLayout, rows: slice) -> None:
    calq = np.load(layout.validation)["calq"]
    np.savez(layout.validation, calq=calq[rows])


def test_one_module_has_no_standard_error(trained, capsys):
    _keep_modules(trained, slice(1, 2))
    build = str(trained.folder.parent)
    assert main(["evaluate", "--build", build, "--model", MODEL, "--skip-plot"]) == 0
    assert "(of one module) half pitch" in capsys.readouterr().out
    found = {metric.name: metric for metric in read_metrics(trained.metrics("evaluate"))}
    for name in ("emd", "quality.telescope", "baseline.stc4.chip.emd"):
        assert found[f"{name}.mean"].value is not None
        assert found[f"{name}.standard_error"].value is None
        assert "one module" in found[f"{name}.standard_error"].reason


def test_without_charge_in_any_module_nothing_has_a_value(trained):
    _keep_modules(trained, slice(0, 300, 15))
    metrics = evaluate(trained.folder.parent, MODEL, skip_plot=True)
    found = {metric.name: metric for metric in metrics}
    assert (found["emd.modules"].value, found["emd.empty"].value) == (0, 20)
    for name in ("emd.mean", "quality.telescope.mean", "baseline.stc4.chip.bits",
                 "baseline.stc4.chip.telescope.mean"):  # fmt: skip
        assert found[name].value is None and "has charge" in found[name].reason
    assert found["emd.occupancy.0-2.mean"].reason == "no validation module with charge in this bin"


@pytest.mark.slow
def test_a_real_network_is_read_from_its_files(tmp_path):
    from models.data.geometry import ARRANGEMENTS
    from models.data.normalisation import normalise
    from models.networks.encoder import build_networks
    from models.networks.zoo import load_model_spec

    networks = build_networks(load_model_spec(MODEL))
    layout = _save(tmp_path, networks.encoder, networks.decoder)
    calq = np.random.default_rng(2).integers(0, 300, (50, 48)).astype(np.float32)
    np.savez(layout.validation, calq=calq)
    arrangement = ARRANGEMENTS["8x8"]
    images = arrangement.to_images(normalise(calq)[0])
    outputs = arrangement.to_cells(networks.autoencoder.predict(images, verbose=0))
    assert _evaluate(layout)["emd.mean"] == pytest.approx(emd(calq, outputs).mean(), abs=1e-5)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_the_published_autoencoder_has_its_known_distance_on_real_data(tmp_path):
    from models.networks.network_files import load_foreign

    name = "{}_8x8_c8_S2_tele_qK_6bit"
    encoder, decoder = (
        load_foreign(
            *(
                SHARED / "published_encoder" / f"{name.format(part)}.{suffix}"
                for suffix in ("json", "hdf5")
            )
        )
        for part in ("encoder", "decoder")
    )
    layout = _save(tmp_path, encoder, decoder)
    csv = SHARED / "nElinks_5" / "ttbar_pu200_module.csv"
    calq = np.loadtxt(csv, delimiter=",", skiprows=1, usecols=range(1, 49), max_rows=300)
    np.savez(layout.validation, calq=calq.astype(np.float32))
    assert _evaluate(layout)["emd.mean"] == pytest.approx(0.8436, abs=5e-5)


def _save(build: Path, encoder, decoder) -> ModelLayout:
    layout = model_layout(build, MODEL)
    layout.train.mkdir(parents=True)
    encoder.save(layout.network("encoder"))
    decoder.save(layout.network("decoder"))
    layout.settings.write_text(json.dumps({"arrangement": "8x8", "normalisation": "msb"}))
    return layout


def test_an_untrained_model_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(InputError, match=f"make train MODEL={MODEL}"):
        evaluate(tmp_path, MODEL)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"arrangement": "8x9", "normalisation": "msb"}, "arrangement '8x9' is unknown"),
        ({"arrangement": "8x8", "normalisation": "sum"}, "normalisation 'sum' is unknown"),
        ({"normalisation": "msb"}, "arrangement is missing"),
    ],
)
def test_unknown_settings_are_named(trained, settings, complaint):
    trained.settings.write_text(json.dumps(settings))
    with pytest.raises(InputError, match=complaint):
        evaluate(trained.folder.parent, MODEL)


def test_a_model_that_lacks_its_encoder_is_refused(trained):
    trained.network("encoder").unlink()
    with pytest.raises(InputError, match=r"encoder\.keras: no such file; train the model first"):
        evaluate(trained.folder.parent, MODEL)


def test_damaged_validation_modules_are_named(trained):
    trained.validation.write_text("no archive")
    with pytest.raises(InputError, match=r"validation\.npz"):
        evaluate(trained.folder.parent, MODEL)
    np.savez(trained.validation, charges=np.ones((2, 48)))
    with pytest.raises(InputError, match="array 'calq' is missing; found: charges"):
        evaluate(trained.folder.parent, MODEL)
    np.savez(trained.validation, calq=np.ones((0, 48)))
    with pytest.raises(InputError, match="no validation modules"):
        evaluate(trained.folder.parent, MODEL)
