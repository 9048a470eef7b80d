"""Search spaces: read strictly, each fault told with its line, and turned into models' records."""

from pathlib import Path

import pytest

from flows.search.space import DEFAULT_SPACE, Range, load_space, space_names
from hw.foundation.errors import InputError

SPACE = """\
base: 8x8_c8_S2_qK
epochs: 2
space:
  convolutions.0.filters: {low: 1, high: 8}
  quantisation.weight.total: [3, 5]
"""


def space_file(folder: Path, text: str = SPACE, **changes: str) -> str:
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / "mine.yaml"
    file.write_text(text)
    return str(file)


def test_the_spaces_of_the_project_can_be_read() -> None:
    assert DEFAULT_SPACE in space_names()
    for name in space_names():
        space = load_space(name)
        assert space.name == name
        assert space.objectives == ("emd.mean", "fpga.lut")


def test_settings_make_a_model(tmp_path: Path) -> None:
    space = load_space(space_file(tmp_path))
    spec = space.model({"convolutions.0.filters": 3, "quantisation.weight.total": 4}, "m")
    assert spec.name == "m"
    assert spec.epochs == 2
    assert spec.convolutions[0].filters == 3
    assert spec.convolutions[0].stride == space.base.convolutions[0].stride
    assert spec.quantisation and space.base.quantisation
    assert spec.quantisation.weight.total == 4
    assert spec.quantisation.input == space.base.quantisation.input


def test_records_that_are_null_in_the_base_come_into_being(tmp_path: Path) -> None:
    text = SPACE + "  pruning.dense: {low: 0.0, high: 0.8, step: 0.2}\n"
    spec = load_space(space_file(tmp_path, text)).model({"pruning.dense": 0.4}, "m")
    assert spec.pruning
    assert spec.pruning.dense == 0.4


def test_a_whole_record_can_be_a_choice_and_its_keys_vary_too(tmp_path: Path) -> None:
    text = (
        SPACE
        + "  decoder: [{widths: [64]}, {widths: [9, 9]}]\n  decoder.activation: [relu, swish]\n"
    )
    space = load_space(space_file(tmp_path, text))
    spec = space.model({"decoder.activation": "swish", "decoder": {"widths": [64]}}, "m")
    assert spec.decoder
    assert (spec.decoder.widths, spec.decoder.activation) == ((64,), "swish")


def test_formats_of_single_layers_vary(tmp_path: Path) -> None:
    key = "quantisation.layers.encoded_vector.weight.total"
    space = load_space(space_file(tmp_path, SPACE.replace("quantisation.weight.total", key)))
    spec = space.model({"convolutions.0.filters": 3, key: 3}, "m")
    assert spec.quantisation and space.base.quantisation
    common = space.base.quantisation.weight
    changed = common.model_copy(update={"total": 3})
    assert spec.quantisation.weight_of("encoded_vector") == changed
    assert spec.quantisation.weight_of("conv2d_0_m") == common


def test_whole_ends_make_a_range_of_whole_numbers() -> None:
    assert Range(low=1, high=3).whole
    assert not Range(low=1, high=3.5).whole


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("epochs: 2", "epoch: 2", 2, "unknown key 'epoch'; did you mean 'epochs'?"),
        ("convolutions.0.filters", "convolution.0.filters", 4, "did you mean 'convolutions'?"),
        ("0.filters", "0.filter", 4, "did you mean 'convolutions.0.filters'?"),
        ("weight.total", "wieght.total", 5, "did you mean 'quantisation.weight'?"),
        ("weight.total", "layers.conv2d_0_m.wieght.total", 5, "layers.conv2d_0_m.weight'?"),
        ("weight.total", "layers.conv2d_9_m.weight.total", 4, "did you mean 'conv2d_0_m'?"),
        ("weight.total", "weight.total.bits", 5, "has no keys below it"),
        ("0.filters", "3.filters", 4, "there is no element 3"),
        ("{low: 1, high: 8}", "{lo: 1, high: 8}", 4, "unknown key 'lo'; did you mean 'low'?"),
        ("{low: 1, high: 8}", "{low: 0, high: 8}", 4, "with 0 there is no model"),
        ("{low: 1, high: 8}", "7", 4, "expected a list of choices, or a range"),
        ("[3, 5]", "[]", 5, "no choices"),
        ("[3, 5]", "[3, 3]", 5, "given twice"),
        ("[3, 5]", "[3, 1]", 5, "with 1 there is no model"),
        ("[3, 5]", "[3, five]", 5, "with five there is no model"),
        ("quantisation.weight.total", "name", 5, "a trial is named by its number"),
        ("base: 8x8_c8_S2_qK", "base: 8x8_c8_S2_q", 1, "did you mean '8x8_c8_S2_qK'?"),
        ("base: 8x8_c8_S2_qK", "base: {arrangment: 8x8}", 1, "did you mean 'arrangement'?"),
        ("epochs: 2", "objectives: [emd.maen]", 2, "did you mean 'emd.mean'?"),
        ("epochs: 2", "objectives: [emd.std]", 2, "no direction of improvement"),
        ("epochs: 2", "objectives: [data.modules]", 2, "is no metric of a model"),
        ("epochs: 2", "constraints: {timing.slack: {min: 0}}", 2, "'timing.slack_ns'"),
        ("epochs: 2", "constraints: {timing.slack_ns: 0}", 2, "constraints.timing.slack_ns"),
        ("epochs: 2", "epochs: 2\ntarget: econt", 3, "did you mean 'econ_t'?"),
        ("epochs: 2", "sampler: tpa", 2, "'tpe'"),
        ("epochs: 2", "early_stop: {after: 1, margn: 0.1}", 2, "did you mean 'margin'?"),
        ("epochs: 2", "cluster: {system: condor, jobs: 2}", 2, "'htcondor'"),
        ("epochs: 2", "name: x", 2, "named by its file"),
    ],
)
def test_each_fault_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, told: str
) -> None:
    with pytest.raises(InputError) as error:
        load_space(space_file(tmp_path, **{old: new}))
    assert f"mine.yaml:{line}" in str(error.value)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("epochs: 2", "", "neither the space nor its base says how many"),
        ("{low: 1, high: 8}", "{low: 8, high: 1}", "low 8 is not below high 1"),
        ("{low: 1, high: 8}", "{low: 0, high: 8, log: true}", "begins above 0"),
        ("{low: 1, high: 8}", "{low: 1, high: 8, step: 0.5}", "so must the step be"),
    ],
)
def test_faults_of_several_keys_are_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(InputError, match=r"mine\.yaml") as error:
        load_space(space_file(tmp_path, **{old: new}))
    assert told in str(error.value)


def test_an_unknown_space_is_told_with_a_suggestion() -> None:
    with pytest.raises(InputError, match="did you mean 'hard_wired'"):
        load_space("hardwired")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("label: own\narrangement: 8x8\nepochs: 3\n")
    text = SPACE.replace("8x8_c8_S2_qK", "own.yaml").replace("epochs: 2\n", "")
    text = text.replace("convolutions.0.filters", "latent").replace("  quantisation", "  # ")
    space = load_space(space_file(tmp_path, text))
    assert (space.base.label, space.training_epochs) == ("own", 3)
