"""The pictures: what is in them, what a lacking array does, and that their files are sound."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from flows.artefacts.validation import Validation
from flows.evaluation.network_values import write_network_values
from flows.evaluation.pictures import evaluation_gallery, report_gallery
from flows.layout import data_layout, model_layout
from hw.foundation.errors import InputError
from models.data.geometry import ARRANGEMENTS
from models.data.normalisation import Normalisation
from models.quality.measures import EMD_UNIT, MEASURES
from models.quality.quality import OCCUPANCY_BINS, PROFILE_BINS
from reports.catalogue import DISTANCE, QUALITY_MEASURES
from reports.metrics import Metric, read_metrics, write_metrics
from reports.pictures.algorithms import (
    algorithms_emd_picture,
    algorithms_profile_picture,
    budget_picture,
)
from reports.pictures.displays import display_picture
from reports.pictures.distributions import (
    before_and_after_picture,
    binned_emd_picture,
    emd_picture,
    measures_picture,
)
from reports.pictures.evaluation import Evaluation, read_evaluation
from reports.pictures.gallery import Gallery, NotDrawn, gather, read_gallery, write_gallery
from reports.pictures.measures import label
from reports.pictures.models import models_emd_picture, models_profile_picture
from reports.pictures.network import (
    NetworkValues,
    latents_picture,
    outputs_picture,
    read_network_values,
    weights_picture,
)
from reports.pictures.picture import MissingValuesError, Picture, with_error
from reports.pictures.profiles import (
    FEWEST,
    Coordinate,
    charge_of,
    eta_of,
    measures_profile_picture,
    occupancy_of,
    profile_of,
    profile_picture,
)
from tests.reports.evaluation_arrays import ALGORITHMS, evaluation_arrays

MODEL = "small"


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return Evaluation(Path("evaluation.npz"), evaluation_arrays())


def without(evaluation: Evaluation, *starts: str) -> Evaluation:
    kept = {n: a for n, a in evaluation.arrays.items() if not n.startswith(starts)}
    return Evaluation(evaluation.file, kept)


def legend(picture: Picture, axes: int = 0) -> list[str]:
    return [text.get_text() for text in picture.figure.axes[axes].get_legend().get_texts()]


def drawn_counts(picture: Picture, axes: int = 0) -> np.ndarray:
    """Heights of the last histogram of the axes."""
    return picture.figure.axes[axes].patches[-1].get_data().values


# --- distributions --------------------------------------------------------------------------------


def test_every_module_is_in_the_histogram(evaluation):
    picture = emd_picture(evaluation, MODEL)
    known = np.isfinite(evaluation["emd"])
    axes = picture.figure.axes[0]
    assert drawn_counts(picture).sum() == known.sum() == 299
    assert axes.get_title("right") == "299 validation modules"
    assert axes.get_xlim()[0] == 0 and "half trigger-cell pitch" in axes.get_xlabel()
    mean = evaluation["emd"][known].mean()
    assert f"{mean:.2f}" in " ".join(legend(picture))
    assert len(axes.containers) == 1  # the statistical errors


def test_bins_of_occupancy_share_no_module(evaluation):
    words = legend(binned_emd_picture(evaluation, MODEL))
    assert len(words) == len(OCCUPANCY_BINS) - 1
    modules = [int(text.rsplit("(", 1)[1].rstrip(")").replace(",", "")) for text in words]
    assert sum(modules) == np.isfinite(evaluation["emd"]).sum()


def test_every_measure_has_a_panel_with_its_unit(evaluation):
    names = [m.name for m in MEASURES if m.name not in ("emd", "zero_fraction")]
    axes = measures_picture(evaluation, MODEL).figure.axes
    assert sorted(a.get_xlabel() for a in axes) == sorted(map(label, names))
    units = {measure.name: measure.unit for measure in (DISTANCE, *QUALITY_MEASURES)}
    for measure in MEASURES:
        assert label(measure.name) != measure.name
        assert ("[half pitch]" in label(measure.name)) == (units[measure.name] == EMD_UNIT)


def test_the_axis_may_be_negative():
    arrays = evaluation_arrays() | {"rms_difference": np.linspace(-3, 1, 300)}
    found = Evaluation(Path("e.npz"), arrays)
    axes = measures_picture(found, MODEL).figure.axes
    panel = next(a for a in axes if a.get_xlabel() == label("rms_difference"))
    assert panel.get_xlim()[0] < -2.9 and panel.get_xlim()[1] > 0.9


def test_occupancy_and_charge_stand_before_and_after(evaluation):
    picture = before_and_after_picture(evaluation, MODEL)
    for index in (0, 1):
        assert legend(picture, index) == ["before", "after"]
        assert drawn_counts(picture, index).sum() == 300  # empty ones too
    occupied, charge = (axes.get_xlabel() for axes in picture.figure.axes)
    assert occupied.startswith("Occupancy") and "MIP" in charge


# --- profiles -------------------------------------------------------------------------------------


def test_a_profile_has_mean_error_and_count_of_each_bin():
    values = np.array([1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 9.0, np.nan])
    along = Coordinate("occupancy", "", "", np.array([0, 0, 1, 1, 1, 1, 3, 0]), (0, 2, 4))
    found = profile_of(values, along)
    assert found.count.tolist() == [6, 1]
    assert found.mean[0] == 2.0 and found.standard_error[0] == pytest.approx(1 / 6**0.5)
    assert 6 >= FEWEST > 1 and np.isnan(found.mean[1])  # too few to be shown


def test_profiles_carry_their_axes_and_counts(evaluation):
    for coordinate, words, logarithmic in (
        (occupancy_of, "Occupancy", False),
        (charge_of, "Charge of the module [MIP", True),
        (eta_of, "Pseudorapidity", False),
    ):
        picture = profile_picture(evaluation, coordinate(evaluation), MODEL)
        axes, below = picture.figure.axes
        assert words in below.get_xlabel() and "EMD [half" in axes.get_ylabel()
        assert (axes.get_xscale() == "log") == logarithmic
        assert below.get_yscale() == "log"
        assert drawn_counts(picture, 1).sum() == np.isfinite(evaluation["emd"]).sum()


def test_bins_hold_all_modules(evaluation):
    for coordinate in (charge_of, eta_of, occupancy_of):
        along = coordinate(evaluation)
        values = along.values[along.values > 0]
        assert along.edges[0] <= values.min() and values.max() <= along.edges[-1]
        assert all(a < b for a, b in pairwise(along.edges))
    assert set(occupancy_of(evaluation).edges) <= set(PROFILE_BINS)


def test_the_share_of_empty_modules_is_a_fraction(evaluation):
    picture = measures_profile_picture(evaluation, charge_of(evaluation), MODEL)
    assert len(picture.figure.axes) == len(MEASURES) - 1
    panel = next(a for a in picture.figure.axes if a.get_ylabel() == label("zero_fraction"))
    assert panel.get_ylim()[0] == 0


# --- other algorithms and models ------------------------------------------------------------------


def test_algorithms_stand_beside_the_autoencoder_in_both_forms(evaluation):
    for picture in (
        algorithms_emd_picture(evaluation, MODEL),
        algorithms_profile_picture(evaluation, occupancy_of(evaluation), MODEL),
    ):
        titles = [axes.get_title("right") for axes in picture.figure.axes[:2]]
        assert titles == ["ideal form", "as transmitted"]
        for axes in (0, 1):
            words = legend(picture, axes)
            assert len(words) == 1 + len(ALGORITHMS) and words[0].startswith("autoencoder")


def test_an_algorithm_that_is_new_is_drawn_like_the_others():
    arrays = evaluation_arrays()
    arrays["baseline.new_one.chip.emd"] = arrays["baseline.stc4.chip.emd"] + 1
    picture = algorithms_emd_picture(Evaluation(Path("e.npz"), arrays), MODEL)
    words = legend(picture, 1)
    assert any(text.startswith("new one") for text in words)
    entries = picture.figure.axes[1].get_legend().get_lines()
    assert len({line.get_color() for line in entries}) == len(words) == 2 + len(ALGORITHMS)
    metrics = [
        Metric(name=name, value=value)
        for name, value in {
            "link.bits": 160,
            "emd.mean": 1.0,
            "quality.bits": 158,
            "baseline.new_one.chip.bits": 150.0,
            "baseline.new_one.chip.emd.mean": 0.5,
        }.items()
    ]
    assert "new one" in legend(budget_picture(metrics, MODEL))


def test_the_share_of_modules_with_an_answer_is_told():
    arrays = evaluation_arrays()
    arrays["baseline.threshold.ideal.emd"] = arrays["baseline.threshold.ideal.emd"].copy()
    arrays["baseline.threshold.ideal.emd"][:100] = np.nan
    words = legend(algorithms_emd_picture(Evaluation(Path("e"), arrays), MODEL))
    assert words[1].endswith("(66.6%)")  # 199 of 299 with charge
    assert "%" not in words[2]


def test_colour_alone_tells_nothing_apart(evaluation):
    picture = algorithms_profile_picture(evaluation, occupancy_of(evaluation), MODEL)
    lines = [container.lines[0] for container in picture.figure.axes[0].containers]
    assert len({line.get_marker() for line in lines}) == len(lines)
    assert len({line.get_color() for line in lines}) == len(lines)


def test_distance_against_bits_needs_both():
    metrics = [
        Metric(name="quality.bits", value=158, unit="bits/module"),
        Metric(name="emd.mean", value=1.3),
        Metric(name="baseline.stc4.chip.bits", value=136),
        Metric(name="baseline.stc4.chip.emd.mean", value=0.4),
        Metric(name="baseline.ctc4.chip.emd.mean", value=1.4),
        Metric(name="link.bits", value=160),
    ]
    picture = budget_picture(metrics, MODEL)
    assert legend(picture) == ["links hold", "autoencoder", "STC4"]
    axes = picture.figure.axes[0]
    assert axes.get_xlim()[1] > 160 and "bits" in axes.get_xlabel()
    with pytest.raises(MissingValuesError, match="--skipBaselines"):
        budget_picture(metrics[:2], MODEL)
    with pytest.raises(MissingValuesError, match="fewer than two"):
        budget_picture([metrics[0], metrics[1], metrics[-1]], MODEL)


def test_models_are_laid_over_each_other(evaluation):
    other = Evaluation(Path("b.npz"), evaluation_arrays(500))
    both = {"a": evaluation, "b": other}
    words = legend(models_emd_picture(both))
    assert words[0].startswith("a: ") and words[1].endswith("(499)")
    picture = models_profile_picture(both, occupancy_of)
    assert legend(picture) == ["a", "b"]
    assert picture.figure.axes[0].get_xlim()[1] >= occupancy_of(evaluation).edges[-1]
    # the model of many modules is drawn first, and stays within the axes
    few = Evaluation(Path("c.npz"), evaluation_arrays(30))
    below = models_profile_picture({"a": evaluation, "c": few}, occupancy_of).figure.axes[1]
    most = profile_of(evaluation["emd"], occupancy_of(evaluation)).count.max()
    assert below.get_ylim()[1] > most


# --- displays and networks ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sample", "worst"])
def test_a_display_shows_input_latents_and_output(evaluation, kind):
    picture = display_picture(evaluation, kind, MODEL)
    modules = [axes for axes in picture.figure.axes if axes.collections]
    cells = [axes.collections[0].get_array() for axes in modules]
    rows = len(evaluation[kind])
    assert sum(len(c) == 48 for c in cells if c is not None) == 2 * rows
    bars = [axes for axes in picture.figure.axes if len(axes.patches) == 16]
    assert len(bars) == rows


def network_values() -> NetworkValues:
    rng = np.random.default_rng(2)
    return NetworkValues(
        Path("network_values.npz"),
        {
            "weight.encoder.conv/kernel": rng.integers(-5, 6, 72).astype(np.float32) / 32,
            "weight.encoder.conv/bias": rng.normal(size=8).astype(np.float32),
            "output.encoder.conv.edges": np.linspace(-1, 1, 5),
            "output.encoder.conv.counts": np.array([1, 0, 5, 2]),
            "output.encoder.conv.zeros": np.array(8),
            "latents": np.tile(np.arange(16, dtype=np.float32), (10, 1)),
        },
    )


def test_quantised_weights_have_a_bar_for_each_value():
    picture = weights_picture(network_values(), "encoder", MODEL)
    kernel, bias = picture.figure.axes
    assert len(kernel.patches) == 11 and len(bias.patches) == 1
    assert kernel.get_title("left") == "conv/kernel (72)"
    assert sum(bar.get_height() for bar in kernel.patches) == 72


def test_weights_that_hardly_differ_can_be_drawn():
    last = np.float32(0.1)
    near = np.array([last, np.nextafter(last, np.float32(1))])
    found = replace(network_values(), arrays={"weight.encoder.conv/bias": near})
    (axes,) = weights_picture(found, "encoder", MODEL).figure.axes
    assert axes.get_xlim() == (near[0], near[1])


def test_zeros_of_a_layer_are_told_apart():
    axes = outputs_picture(network_values(), "encoder", MODEL).figure.axes[0]
    assert axes.get_title("right") == "50% zeros" and axes.get_title("left") == "conv"
    with pytest.raises(MissingValuesError):
        outputs_picture(network_values(), "decoder", MODEL)


def test_each_latent_has_its_range_and_zeros():
    axes, below = latents_picture(network_values(), MODEL).figure.axes
    assert len(below.patches) == 16 and below.patches[0].get_height() == 100
    assert below.patches[1].get_height() == 0
    assert axes.get_title("right") == "10 validation modules"


# --- the gallery ----------------------------------------------------------------------------------


def test_missing_arrays_leave_out_their_pictures_alone(evaluation, tmp_path):
    layout = model_layout(tmp_path, MODEL)
    layout.evaluate.mkdir(parents=True)
    few = without(evaluation, "baseline", "charge", "eta", "telescope", "occupancy_after")
    np.savez(layout.evaluation, **few.arrays)
    write_metrics(layout.metrics("evaluate"), [Metric(name="emd.mean", value=1.0)])
    gallery = evaluation_gallery(layout, [])
    assert {p.name for p in gallery.pictures} == {
        "emd", "emd_binned", "emd_occupancy", "measures", "measures_occupancy", "displays",
        "displays_worst",
    }  # fmt: skip
    reasons = {lacking.title: lacking.reason for lacking in gallery.not_drawn}
    assert "'charge'" in reasons["Distance against charge"]
    assert "pseudorapidity" in reasons["Distance against pseudorapidity"]
    assert "--skipBaselines" in reasons["Distances of all algorithms"]
    assert "make evaluate" in reasons["Weights, latents and layer outputs"]


def test_an_encoder_without_decoder_has_no_pictures_and_says_so(tmp_path):
    layout = model_layout(tmp_path, MODEL)
    layout.train.mkdir(parents=True)
    assert "make evaluate MODEL=small" in evaluation_gallery(layout, []).not_drawn[0].reason
    layout.network("encoder").touch()
    gallery = evaluation_gallery(layout, [])
    assert not gallery.pictures and "has no decoder" in gallery.not_drawn[0].reason


def test_a_report_says_why_pictures_are_lacking(tmp_path):
    layout, data = model_layout(tmp_path, MODEL), data_layout(tmp_path, None)
    lacking = report_gallery(layout, data, {}, "not done; make evaluate").not_drawn
    assert [one.title for one in lacking] == [
        "Compression quality",
        "Training",
        "Occupancy and charge of the data",
    ]
    assert lacking[0].reason == "not done; make evaluate"


def test_a_damaged_evaluation_is_named(evaluation, tmp_path):
    file = tmp_path / "evaluation.npz"
    file.write_bytes(b"no archive")
    with pytest.raises(InputError, match="evaluate the model anew"):
        read_evaluation(file)
    np.savez(file, emd=np.zeros(3), occupancy=np.zeros(4))
    with pytest.raises(InputError, match=r"'occupancy' has shape \(4,\)"):
        read_evaluation(file)
    np.savez(file, occupancy=np.zeros(4))
    with pytest.raises(InputError, match="damaged"):
        read_evaluation(file)
    with pytest.raises(InputError, match="damaged"):
        read_network_values(tmp_path)


def test_an_evaluation_of_empty_modules_can_be_drawn():
    found = Evaluation(Path("e.npz"), evaluation_arrays(1))
    along = [occupancy_of(found), charge_of(found), eta_of(found)]
    for picture in (
        emd_picture(found, MODEL),
        binned_emd_picture(found, MODEL),
        measures_picture(found, MODEL),
        before_and_after_picture(found, MODEL),
        algorithms_emd_picture(found, MODEL),
    ):
        assert picture.figure.axes
    with pytest.raises(MissingValuesError):
        display_picture(found, "sample", MODEL)
    for picture in (profile_picture, measures_profile_picture, algorithms_profile_picture):
        for coordinate in along:
            with pytest.raises(MissingValuesError, match=f"no bin of {coordinate.name} has 5"):
                picture(found, coordinate, MODEL)
    with pytest.raises(MissingValuesError, match="no bin of occupancy has 5"):
        models_profile_picture({"a": found, "b": found}, occupancy_of)


def test_charges_of_all_but_one_size_have_a_decade_of_axis():
    arrays = evaluation_arrays(30) | {
        "charge": np.full(30, 16.0), "charge_response": np.full(30, 1.01)
    }  # fmt: skip
    axes = before_and_after_picture(Evaluation(Path("e.npz"), arrays), MODEL).figure.axes[1]
    low, high = axes.get_xlim()
    assert low < 16 and high > 16.16 and high / low == pytest.approx(10)


def test_a_gallery_is_read_as_it_was_written(evaluation, tmp_path):
    folder = tmp_path / "plots"
    folder.mkdir()
    (folder / "old.png").write_bytes(b"of an earlier run")
    written = Gallery((emd_picture(evaluation, MODEL),), (NotDrawn("Other", "no values"),))
    write_gallery(folder, written)
    assert {path.name for path in folder.iterdir()} == {"emd.png", "emd.svg", "gallery.json"}
    found = read_gallery(folder)
    assert found.not_drawn == written.not_drawn
    assert found.pictures[0].rendered == written.pictures[0].rendered
    assert found.groups[0][0] == "Compression quality"
    (folder / "emd.svg").unlink()
    with pytest.raises(InputError, match=r"emd\.svg"):
        _ = read_gallery(folder).pictures[0].rendered
    (folder / "gallery.json").write_text(json.dumps({"pictures": [{}]}))
    with pytest.raises(InputError, match=r"gallery\.json"):
        read_gallery(folder)


def test_other_faults_are_not_taken_for_missing_values():
    def fail() -> Picture:
        raise KeyError("a fault of the program")

    with pytest.raises(KeyError):
        gather([("x", fail)])


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.32986, 0.0027, "1.330 \u00b1 0.003"),
        (12.3, 4.0, "12 \u00b1 4"),
        (0.5, 0.0, "0.500 \u00b1 0.000"),
    ],
)
def test_a_mean_has_the_digits_of_its_error(value, error, text):
    assert with_error(value, error) == text


@pytest.mark.slow
def test_every_picture_is_a_sound_file(evaluation, tmp_path):
    """All at once, drawn from a real network too: some twenty seconds."""
    from models.networks.encoder import build_networks
    from models.networks.zoo import load_model_spec

    layout = model_layout(tmp_path, "8x8_c8_S2_qK")
    layout.evaluate.mkdir(parents=True)
    layout.train.mkdir()
    layout.network("decoder").touch()
    np.savez(layout.evaluation, **evaluation.arrays)
    names = [f"baseline.{name}.chip.{part}" for name in ALGORITHMS for part in ("bits", "emd.mean")]
    names += ["emd.mean", "quality.bits", "link.bits"]
    metrics = [Metric(name=name, value=1.0) for name in names]
    write_metrics(layout.metrics("evaluate"), metrics)
    networks = build_networks(load_model_spec("8x8_c8_S2_qK"))
    calq = np.random.default_rng(3).integers(0, 90, (50, 48)).astype(np.float32)
    validation = Validation(calq, ARRANGEMENTS["8x8"], Normalisation("msb"))
    parts = {"encoder": networks.encoder, "decoder": networks.decoder}
    write_network_values(layout, parts, validation)

    with np.load(layout.network_values) as stored:
        kernel = stored["weight.encoder.conv2d_0_m/kernel"]
        assert np.array_equal(kernel * 8, np.round(kernel * 8))  # 5 bits, steps of 1/8
        latents = networks.encoder.predict(validation.to_images(calq), verbose=0)
        assert np.array_equal(stored["latents"], latents)
        outputs = [name for name in stored.files if name.endswith("encod_qa.counts")]
        zeros = stored[outputs[0].replace("counts", "zeros")]
        assert stored[outputs[0]].sum() + zeros == latents.size

    gallery = evaluation_gallery(layout, read_metrics(layout.metrics("evaluate")))
    assert not gallery.not_drawn and len(gallery.pictures) == 20
    assert len({picture.name for picture in gallery.pictures}) == 20
    write_gallery(layout.plots, gallery)
    for picture in gallery.pictures:
        root = ElementTree.parse(layout.plots / f"{picture.name}.svg").getroot()
        assert root.tag.endswith("svg") and float(root.attrib["width"].removesuffix("pt")) > 300
        image = (layout.plots / f"{picture.name}.png").read_bytes()
        assert image.startswith(b"\x89PNG\r\n\x1a\n") and image.endswith(b"IEND\xaeB`\x82")
        assert picture.caption and picture.title
