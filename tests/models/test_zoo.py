"""The model zoo: what it holds, and what a faulty file is told."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat
from models.networks.quantisation import NumberFormat
from models.networks.zoo import Convolution, ModelSpec, load_model_spec, model_names

OWN = """\
label: my own
arrangement: 8x8
convolutions:
  - {filters: 8, kernel: 3, stride: 2}
quantisation:
  input: {total: 8, integer: 1, signed: false}
  weight: {total: 6, integer: 0}
  accumulator: {total: 8, integer: 1, signed: false}
  latent: {total: 9, integer: 1, signed: false}
"""


@pytest.fixture
def own(tmp_path):
    """Loads the text of a model file."""

    def load(text: str, name: str = "own.yaml") -> ModelSpec:
        file = tmp_path / name
        file.write_text(text)
        return load_model_spec(str(file))

    return load


def test_every_zoo_model_loads_under_its_file_name():
    assert {"8x8_c8_S2_tele", "8x8_c8_S2_qK", "8x8_c8_S2_tele_qK"} <= set(model_names())
    for name in model_names():
        assert load_model_spec(name).name == name


def test_the_zoo_shows_every_arrangement_and_layer_option():
    specs = [load_model_spec(name) for name in model_names()]
    assert {spec.arrangement for spec in specs} == {"4x4x3", "8x8", "6x6x3", "6x6x3_tp"}
    convolutions = [convolution for spec in specs for convolution in spec.convolutions]
    assert {convolution.padding for convolution in convolutions} == {"same", "valid"}
    assert {convolution.pool for convolution in convolutions} == {True, False}
    assert any(len(spec.convolutions) > 1 and spec.dense for spec in specs)
    assert any(spec.conv_mask for spec in specs)


def test_the_quantised_seed():
    spec = load_model_spec("8x8_c8_S2_qK")
    assert (spec.loss, spec.latent, spec.arrangement) == ("weightedMSE", 16, "8x8")
    assert spec.convolutions == (Convolution(filters=8, kernel=3, stride=2),)
    formats = spec.quantisation
    assert (formats.input.total, formats.input.integer, formats.input.signed) == (10, 3, True)
    assert (formats.weight.total, formats.weight.integer, formats.weight.signed) == (5, 1, True)
    assert formats.bias is None  # as the weights
    assert (formats.accumulator.total, formats.accumulator.integer) == (11, 3)
    assert (formats.latent.total, formats.latent.integer, formats.latent.signed) == (9, 1, False)


def test_the_float_seed():
    spec = load_model_spec("8x8_c8_S2_tele")
    assert (spec.quantisation, spec.loss) == (None, "telescopeMSE")


def test_qkeras_bits_include_the_sign():
    weight = NumberFormat(total=5, integer=1).fixed
    assert (weight.min_value, weight.max_value, weight.step) == (-2.0, 1.875, 0.125)
    latent = NumberFormat(total=9, integer=1, signed=False).fixed
    assert latent == FixedFormat(9, 1, False, "RND_CONV", "SAT")


def test_a_spec_survives_json():
    for name in model_names():
        spec = load_model_spec(name)
        assert ModelSpec.model_validate(json.loads(spec.model_dump_json())) == spec


def test_an_own_model_is_named_by_its_file(own):
    assert own(OWN, "mine-2.yaml").name == "mine-2"
    assert own(OWN, "mine.yml").name == "mine"


def test_unknown_model():
    with pytest.raises(InputError, match="did you mean '8x8_c8_S2_qK'"):
        load_model_spec("8x8_c8_S2_qk")
    with pytest.raises(InputError, match=r"absent.yaml: cannot be read"):
        load_model_spec("absent.yaml")


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("label", "lable", [":1:", "'lable'", "'label'?"]),
        ("weight", "wieght", [":7:", "quantisation.wieght", "did you mean 'weight'?"]),
        ("kernel", "kernal", [":4:", "convolutions.0.kernal", "did you mean 'kernel'?"]),
        ("integer: 0", "intger: 0", [":7:", "quantisation.weight.intger", "'integer'?"]),
        ("8x8", "8x9", [":2:", "arrangement", "did you mean '8x8'?"]),
        ("stride: 2", "padding: full", [":4:", "padding", "'same' or 'valid'"]),
        ("kernel: 3", "kernel: 0", [":4:", "convolutions.0.kernel", "greater than 0"]),
        ("kernel: 3", "kernel: 9, padding: valid", ["convolutions.0", "9 pixels", "8 x 8"]),
        ("total: 6", "total: 0", [":7:", "quantisation.weight.total"]),
        ("total: 6, integer: 0", "total: 6, integer: 6", [":7:", "do not fit"]),
        ("total: 9, integer: 1, signed: false", "total: 9, integer: 1", ["latent", "ReLU"]),
        ("label: my own", "label: my own\nname: x", [":2:", "'name'", "remove the key"]),
        ("label: my own", "label: a\nchannels_first: true", ["channels_first", "last"]),
        ("label: my own", "label: a\nconv_mask: true", ["conv_mask", "stride 1"]),
        ("label: my own", "label: a\nlatent: 16.5", [":2:", "latent", "16.5"]),
    ],
)
def test_faults_are_told_with_their_place(own, old, new, parts):
    assert old in OWN
    with pytest.raises(InputError) as caught:
        own(OWN.replace(old, new, 1))
    for part in ("own.yaml", *parts):
        assert part in str(caught.value)


def test_a_model_name_is_a_folder_name():
    with pytest.raises(ValidationError, match="name"):
        ModelSpec(name="../x", label="x", arrangement="8x8")


@pytest.mark.parametrize(
    ("options", "side", "expected"),
    [
        ({"kernel": 3, "stride": 2}, 8, 4),
        ({"kernel": 3}, 8, 8),
        ({"kernel": 3, "stride": 4}, 6, 2),
        ({"kernel": 3, "padding": "valid", "pool": True}, 6, 2),
        ({"kernel": 3, "padding": "valid", "stride": 2}, 8, 3),
        ({"kernel": 3, "pool": True}, 5, 3),
    ],
)
def test_map_sizes(options, side, expected):
    assert Convolution(filters=1, **options).output_side(side) == expected


def test_zoo_files_are_the_whole_zoo():
    folder = Path(__file__).parents[2] / "models" / "zoo"
    assert sorted(path.stem for path in folder.iterdir()) == model_names()


@pytest.mark.parametrize(("elinks", "bits"), [(5, 9), (4, 7), (3, 5), (2, 3)])
def test_every_link_budget_has_an_encoder_trained_for_it(elinks, bits):
    name = "econ_t" if elinks == 5 else f"econ_t_{elinks}elinks"
    usual, long = load_model_spec(name), load_model_spec(f"{name}_long")
    for spec in (usual, long):
        assert spec.econ_t and spec.econ_t.latent_bits == bits
        assert spec.decoder and spec.loss.startswith("sinkhorn_divergence:")
        assert spec.schedule == "cosine" and spec.epochs
    assert long.fresh_modules and long.epochs > usual.epochs
    plain = load_model_spec(usual.compare_with)
    for key in ("decoder", "loss", "learning_rate", "schedule", "epochs", "batch"):
        assert getattr(plain, key) == getattr(usual, key)  # so that the arithmetic alone differs


def test_the_reference_models_keep_the_reference_recipe():
    for name, loss in (
        ("8x8_c8_S2_qK", "weightedMSE"),
        ("8x8_c8_S2_tele", "telescopeMSE"),
        ("8x8_c8_S2_tele_qK", "telescopeMSE"),
    ):
        spec = load_model_spec(name)
        assert spec.decoder is None and spec.loss == loss
        assert (spec.optimizer, spec.learning_rate, spec.schedule) == ("adam", None, "constant")
        assert (spec.epochs, spec.batch, spec.patience) == (None, None, None)
        assert not spec.fresh_modules and not spec.occupancy_weights


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("epochs: 0", [":2:", "epochs", "greater than 0"]),
        ("batch: many", [":2:", "batch"]),
        ("fresh_module: true", [":2:", "did you mean 'fresh_modules'?"]),
        ("decoder: {widths: [0]}", [":2:", "decoder.widths.0"]),
        ("decoder: {width: [8]}", [":2:", "did you mean 'widths'?"]),
        ("decoder: {widths: [8], activation: softmax}", [":2:", "decoder.activation", "'swish'"]),
    ],
)
def test_faults_of_a_recipe_are_told_with_their_place(own, line, parts):
    with pytest.raises(InputError) as caught:
        own(OWN.replace("label: my own", f"label: my own\n{line}"))
    for part in ("own.yaml", *parts):
        assert part in str(caught.value)


LAYERS = """\
  layers:
    conv2d_0_m: {weight: {total: 4}, accumulator: {total: 6}}
    encoded_vector: {weight: {total: 5, integer: 1}, bias: {total: 7}}
"""


def test_formats_of_single_layers_take_the_rest_from_all(own):
    formats = own(OWN + LAYERS).quantisation
    assert formats.weight_of("conv2d_0_m") == NumberFormat(total=4, integer=0)
    assert formats.bias_of("conv2d_0_m") == NumberFormat(total=4, integer=0)  # as its weight
    accumulator = NumberFormat(total=6, integer=1, signed=False)
    assert formats.accumulator_of("conv2d_0_m") == accumulator
    assert formats.weight_of("encoded_vector") == NumberFormat(total=5, integer=1)
    assert formats.bias_of("encoded_vector") == NumberFormat(total=7, integer=0)
    assert formats.weight == NumberFormat(total=6, integer=0)


def test_formats_of_single_layers_survive_json(own):
    spec = own(OWN + LAYERS)
    assert ModelSpec.model_validate(json.loads(spec.model_dump_json())) == spec


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("conv2d_0_m", "conv2d_1_m", ["no such layer", "did you mean 'conv2d_0_m'?"]),
        ("weight: {total: 4}", "wieght: {total: 4}", [":11:", "did you mean 'weight'?"]),
        ("total: 4", "totl: 4", [":11:", "did you mean 'total'?"]),
        ("total: 6}", "total: 6, signed: true}", ["layers.conv2d_0_m.accumulator", "ReLU"]),
        ("bias:", "accumulator:", ["encoded_vector.accumulator", "set quantisation.latent"]),
        ("{weight: {total: 4}, accumulator: {total: 6}}", "7", [":11:", "layers.conv2d_0_m"]),
    ],
)
def test_faults_in_formats_of_layers_are_told(own, old, new, parts):
    assert old in LAYERS
    with pytest.raises(InputError) as caught:
        own(OWN + LAYERS.replace(old, new, 1))
    for part in ("own.yaml", *parts):
        assert part in str(caught.value)


def test_a_logic_cost_needs_integers(own):
    floating = OWN.split("quantisation", maxsplit=1)[0] + "logic_cost: {weight: 1e-5}\n"
    with pytest.raises(InputError, match="logic_cost: is counted in digits"):
        own(floating)
    assert own(OWN + "logic_cost: {weight: 1e-5}\n").logic_cost.until == 0.5
