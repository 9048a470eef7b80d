"""Register files from trained Keras encoders and back, and the public weight sets through Keras."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.__main__ import main
from flows.layout import model_layout
from models.data.geometry import ARRANGEMENTS
from models.data.normalisation import normalise
from models.networks.econ_t_encoder import build_econ_t_encoder, has_chip_arithmetic
from models.networks.encoder import build_networks
from models.networks.inference import outputs_of
from models.networks.network_files import load_network
from models.networks.zoo import load_model_spec
from testbench.econ_t.encoder_weights import EncoderWeights
from testbench.econ_t.golden_model import autoencoder_stages
from testbench.econ_t.keras_encoder import golden_latents, network_of, weights_of
from testbench.econ_t.links import INPUT_COLUMN, INPUT_LINKS, read_link_csv
from testbench.econ_t.recordings import INPUT_FILE
from testbench.econ_t.register_file import read_registers, write_registers
from testbench.econ_t.registers import autoencoder_registers, encoder_cells, latent_mask
from tests.flows.trained import trained_settings

SHAPES = ((3, 3, 1, 8), (8,), (128, 16), (16,))
VECTORS = Path(__file__).resolve().parents[3] / "shared" / "econt" / "vectors"
AE_SETS = (
    "AE",
    "AE_8x8_c8_S2_ele_qkeras",
    "AE_powertest",
    "AE_test_extraQuad_half",
    "AE_test_extraQuad_rand1",
)


def random_weights(seed: int) -> EncoderWeights:
    rng = np.random.default_rng(seed)
    return EncoderWeights(*(rng.integers(-32, 32, shape) for shape in SHAPES))


def lay_encoder(build: Path, name: str, encoder) -> None:
    """The encoder's file, as training leaves it: all that an export reads."""
    file = model_layout(build, name).network("encoder")
    file.parent.mkdir(parents=True, exist_ok=True)
    encoder.save(file)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder with a few generated modules, so that imports need not generate their own."""
    build = tmp_path_factory.mktemp("build")
    assert main(["data", "--build", str(build), "--events", "300"]) == 0
    return build


def export(build: Path, model: str, file: Path, *options: str) -> int:
    return main(
        ["registers", "export", "--build", str(build), "--model", model, str(file), *options]
    )


def import_(build: Path, file: Path, *options: str) -> int:
    return main(["registers", "import", "--build", str(build), str(file), *options])


# --- there and back ------------------------------------------------------------------------------
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32 - 1), elinks=st.sampled_from([1, 2, 3, 4, 5]))
def test_import_and_export_are_inverse_to_the_bit(build, tmp_path, seed, elinks):
    registers = autoencoder_registers(random_weights(seed), elinks)
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    write_registers(first, registers)
    assert import_(build, first, "--name", "there") == 0
    assert export(build, "there", second) == 0
    assert read_registers(second) == registers
    assert second.read_bytes() == first.read_bytes()


@pytest.mark.parametrize("suffix", ["", "_2elinks"])
def test_a_trained_encoder_goes_out_and_comes_back(build, tmp_path, suffix):
    encoder = build_networks(load_model_spec(f"econ_t{suffix}")).encoder
    lay_encoder(build, "trained", encoder)
    file = tmp_path / "init.yaml"
    assert export(build, "trained", file) == 0
    registers = read_registers(file)
    assert registers.etx == (2 if suffix else 5)
    assert registers.output_mask == latent_mask(3 if suffix else 9)
    assert import_(build, file, "--name", "back") == 0
    back = load_network(model_layout(build, "back").network("encoder"))
    images = np.random.default_rng(0).uniform(0, 0.3, (200, 8, 8, 1)).astype(np.float32)
    assert np.array_equal(outputs_of(back, images), outputs_of(encoder, images))
    assert weights_of(back) == registers.weights


def test_an_imported_encoder_is_a_model_of_the_build_folder(build, tmp_path):
    folder = tmp_path / "my_chip"
    folder.mkdir()
    write_registers(folder / "init.yaml", autoencoder_registers(random_weights(1)))
    assert import_(build, folder / "init.yaml") == 0
    layout = model_layout(build, "my_chip")  # by the folder's name, since every file is init.yaml
    encoder = load_network(layout.network("encoder"))
    assert has_chip_arithmetic(encoder)
    found = json.loads(layout.settings.read_text())
    assert found["model"] is None and found["imported"]["registers"] == "init.yaml"
    assert found["normalisation"] == "msb" and found["arrangement"] == "8x8"
    with np.load(layout.validation) as stored:
        assert 250 < len(stored["calq"]) <= 300
    with np.load(layout.integer_weights) as stored:
        assert np.array_equal(stored["encoded_vector/kernel"], random_weights(1).dense_kernel)
    assert main(["flops", "--build", str(build), "--model", "my_chip"]) == 0


def test_a_template_gives_all_but_weights_and_mask(build, tmp_path):
    template = autoencoder_registers(random_weights(2), 7, 6)
    write_registers(tmp_path / "template.yaml", template)
    options = ["--registers", str(tmp_path / "template.yaml")]
    for name, bits, mask in (("nine", 9, latent_mask(6)), ("three", 3, latent_mask(3))):
        lay_encoder(build, name, network_of(random_weights(3), bits))
        assert export(build, name, tmp_path / "out.yaml", *options) == 0
        found = read_registers(tmp_path / "out.yaml")
        assert (found.etx, found.output_mask) == (7, mask)
        assert found.weights == random_weights(3)
        assert found.mux == template.mux


def test_an_odd_mask_leaves_all_bits(build, tmp_path, capsys):
    from dataclasses import replace

    registers = replace(autoencoder_registers(random_weights(4)), output_mask=0b1011)
    write_registers(tmp_path / "odd.yaml", registers)
    assert import_(build, tmp_path / "odd.yaml") == 0
    assert "Keras gives all nine" in capsys.readouterr().out
    encoder = load_network(model_layout(build, "odd").network("encoder"))
    assert encoder.layers[-1].format.width == 9


# --- what is refused -----------------------------------------------------------------------------
def test_a_weight_that_the_chip_cannot_hold_is_told(build, tmp_path, capsys):
    encoder = build_econ_t_encoder(9)
    weights = encoder.get_weights()
    weights[2][5, 3] = -1.75
    encoder.set_weights(weights)
    lay_encoder(build, "far", encoder)
    assert export(build, "far", tmp_path / "init.yaml") == 2
    told = capsys.readouterr().err
    assert "layer 'encoded_vector' kernel[5, 3] = -1.75 is outside [-1, 31/32]" in told
    assert not (tmp_path / "init.yaml").exists()


@pytest.mark.parametrize("value", [1.0, 0.984375])
def test_a_weight_just_beyond_the_chips_range_is_told(build, tmp_path, capsys, value):
    """Its quantiser would bring it to 31/32, but training in the chip's range leaves none there."""
    encoder = build_econ_t_encoder(9)
    weights = encoder.get_weights()
    weights[1][7] = value
    encoder.set_weights(weights)
    lay_encoder(build, "beyond", encoder)
    assert export(build, "beyond", tmp_path / "init.yaml") == 2
    told = capsys.readouterr().err
    assert f"layer 'conv2d_0_m' bias[7] = {value:g} is outside [-1, 31/32]" in told


def test_weights_at_the_limits_are_written(build, tmp_path):
    encoder = build_econ_t_encoder(9)
    weights = encoder.get_weights()
    weights[1][:2] = -1.0, 31 / 32
    encoder.set_weights(weights)
    lay_encoder(build, "limits", encoder)
    assert export(build, "limits", tmp_path / "init.yaml") == 0
    found = read_registers(tmp_path / "init.yaml").weights
    assert found is not None and found.conv_bias[:2].tolist() == [-32, 31]


def test_a_quantised_weight_beyond_the_chips_range_is_told(build, tmp_path, capsys):
    encoder = build_networks(load_model_spec("8x8_c8_S2_qK")).encoder
    kernel = np.zeros(SHAPES[0])
    kernel[0, 2, 0, 4] = 1.125  # a code of this model's weights, -2 to 1.875 in steps of 1/8
    encoder.get_layer("conv2d_0_m").kernel.assign(kernel)
    lay_encoder(build, "wide", encoder)
    assert export(build, "wide", tmp_path / "init.yaml") == 2
    assert "layer 'conv2d_0_m' kernel[0, 2, 0, 4] = 1.125 is outside" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("8x8_c8_S2_tele", "is not a multiple of 1/32"),
        ("4x4x3_c8_S1_tele_qK", "reads images of (8, 8, 1), this network (4, 4, 3)"),
        ("8x8_c8c4_d32_tele_qK", "one convolution and one dense layer"),
    ],
)
def test_a_model_that_the_chip_cannot_run_is_told(build, tmp_path, capsys, model, told):
    lay_encoder(build, model, build_networks(load_model_spec(model)).encoder)
    assert export(build, model, tmp_path / "init.yaml") == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "init.yaml").exists()


def test_plain_weights_are_written_with_a_word(build, tmp_path, capsys):
    encoder = build_networks(load_model_spec("econ_t_plain")).encoder
    lay_encoder(build, "econ_t_plain", encoder)
    assert export(build, "econ_t_plain", tmp_path / "init.yaml") == 0
    assert "not trained in the chip's arithmetic" in capsys.readouterr().out
    assert read_registers(tmp_path / "init.yaml").weights == weights_of(encoder)


def test_a_missing_model_and_a_trained_one_are_told(build, tmp_path, capsys):
    assert export(build, "nowhere", tmp_path / "init.yaml") == 2
    assert "train the model first" in capsys.readouterr().err
    write_registers(tmp_path / "x.yaml", autoencoder_registers(random_weights(5)))
    layout = model_layout(build, "own")
    layout.train.mkdir(parents=True)
    layout.settings.write_text(trained_settings("econ_t").to_json())
    assert import_(build, tmp_path / "x.yaml", "--name", "own") == 2
    assert "was trained here" in capsys.readouterr().err
    assert import_(build, tmp_path / "x.yaml", "--name", "a/b") == 2
    assert import_(build, tmp_path / "x.yaml", "--name", "a", "--out", "b.npz") == 2
    with pytest.raises(SystemExit):
        main(["registers", "export", str(tmp_path / "init.yaml")])


# --- the public weight sets ----------------------------------------------------------------------
@pytest.mark.shared
@pytest.mark.skipif(not VECTORS.is_dir(), reason="needs ../shared/econt/vectors")
@pytest.mark.parametrize("name", AE_SETS)
def test_keras_gives_the_chips_latents_for_the_public_vectors(build, tmp_path, name):
    """Charges of 1000 bunch crossings, normalised as for training, through the imported encoder."""
    file = VECTORS / name / "init.yaml"
    registers = read_registers(file)
    words = read_link_csv(VECTORS / INPUT_FILE, INPUT_COLUMN, INPUT_LINKS)
    stages = autoencoder_stages(words, registers)
    assert import_(build, file, "--name", name) == 0
    encoder = load_network(model_layout(build, name).network("encoder"))
    calq = np.zeros((len(stages.calq), 48), dtype=np.float32)
    calq[:, list(encoder_cells())] = stages.calq  # encoder inputs back to the data's cell order
    images = ARRANGEMENTS["8x8"].to_images(normalise(calq)[0])
    found = outputs_of(encoder, images)
    assert np.array_equal(found * 256, stages.latents)
    assert len(np.unique(stages.latents)) > 10
    assert np.array_equal(golden_latents(images, registers.weights), stages.latents)
    assert export(build, name, tmp_path / "init.yaml", "--registers", str(file)) == 0
    assert read_registers(tmp_path / "init.yaml") == registers
