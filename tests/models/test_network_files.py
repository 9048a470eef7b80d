"""Reading model files: what is faithful is read exactly, what is foreign or odd is refused."""

import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from hw.foundation.errors import InputError
from models.keras_backend import keras, qkeras, tf
from models.networks.encoder import build_networks
from models.networks.network_files import load_architecture, load_foreign, load_network
from models.networks.zoo import load_model_spec

PUBLISHED = Path(__file__).parents[3] / "shared" / "econt" / "published_encoder"
ENCODER = PUBLISHED / "encoder_8x8_c8_S2_tele_qK_6bit"
DECODER = PUBLISHED / "decoder_8x8_c8_S2_tele_qK_6bit"
needs_published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason="needs the published encoder in ../shared/econt"
)


@pytest.fixture(scope="module")
def encoder() -> keras.Model:
    keras.utils.set_random_seed(1)
    return build_networks(load_model_spec("8x8_c8_S2_qK")).encoder


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(1).random((20, 8, 8, 1), dtype=np.float32)


def predict(network: keras.Model, images: np.ndarray) -> np.ndarray:
    return network(images).numpy()


def save_pair(network: keras.Model, folder: Path) -> tuple[Path, Path]:
    architecture, weights = folder / "net.json", folder / "net.hdf5"
    architecture.write_text(network.to_json())
    network.save_weights(weights, save_format="h5")
    return architecture, weights


def change_json(source: Path, target: Path, change) -> Path:
    config = json.loads(source.read_text())
    change(config)
    target.write_text(json.dumps(config))
    return target


# --- what is read ---------------------------------------------------------------------------------


def test_keras_file(encoder, images, tmp_path):
    encoder.save(tmp_path / "net.keras")
    loaded = load_network(tmp_path / "net.keras")
    np.testing.assert_array_equal(predict(loaded, images), predict(encoder, images))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("name", ["net.h5", "net.hdf5"])
def test_hdf5_of_a_whole_model(encoder, images, tmp_path, name):
    encoder.save(tmp_path / name, save_format="h5")
    loaded = load_network(tmp_path / name)
    np.testing.assert_array_equal(predict(loaded, images), predict(encoder, images))


def test_architecture_and_weights(encoder, images, tmp_path):
    loaded = load_foreign(*save_pair(encoder, tmp_path))
    np.testing.assert_array_equal(predict(loaded, images), predict(encoder, images))


def test_quantisers_given_as_objects(tmp_path):
    # QKeras itself does not read these back
    inputs = x = keras.layers.Input((4,), name="in")
    x = qkeras.QActivation(qkeras.quantized_bits(5, 1, alpha=1), name="q")(x)
    network = keras.Model(inputs, x)
    network.save(tmp_path / "net.keras")
    values = np.array([[0.3, -0.7, 1.1, 9.0]], dtype=np.float32)
    loaded = load_network(tmp_path / "net.keras")
    np.testing.assert_array_equal(predict(loaded, values), [[0.25, -0.75, 1.125, 1.875]])


def test_autoencoder_with_networks_as_layers(images, tmp_path):
    autoencoder = build_networks(load_model_spec("8x8_c8_S2_tele")).autoencoder
    autoencoder.save(tmp_path / "net.keras")
    for loaded in (
        load_network(tmp_path / "net.keras"),
        load_foreign(*save_pair(autoencoder, tmp_path)),
    ):
        np.testing.assert_array_equal(predict(loaded, images), predict(autoencoder, images))


@pytest.mark.shared
@needs_published
def test_published_encoder_gives_its_golden_latents():
    network = load_foreign(ENCODER.with_suffix(".json"), ENCODER.with_suffix(".hdf5"))
    latents = predict(network, np.load(PUBLISHED / "input.npy"))
    np.testing.assert_array_equal(latents, np.load(PUBLISHED / "output.npy"))


@pytest.mark.shared
@needs_published
def test_published_decoder_gives_images():
    decoder = load_foreign(DECODER.with_suffix(".json"), DECODER.with_suffix(".hdf5"))
    restored = predict(decoder, np.load(PUBLISHED / "output.npy"))
    original = np.load(PUBLISHED / "input.npy")
    assert restored.shape == original.shape
    assert np.corrcoef(restored.ravel(), original.ravel())[0, 1] > 0.7


@pytest.mark.shared
@needs_published
def test_published_files_that_do_not_belong_together():
    with pytest.raises(InputError, match="no weights for layer 'de_dense_final'"):
        load_foreign(DECODER.with_suffix(".json"), ENCODER.with_suffix(".hdf5"))


# --- what is refused ------------------------------------------------------------------------------


def lambda_network(marker: Path) -> keras.Model:
    """A network whose Lambda layer would create the file `marker` where its code runs."""
    text = str(marker)

    def trespass(x):
        import pathlib

        pathlib.Path(text).touch()
        return x

    inputs = keras.layers.Input((4,), name="in")
    return keras.Model(inputs, keras.layers.Lambda(trespass, name="innocent")(inputs))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("kind", ["json", "keras", "h5"])
def test_code_in_a_layer_is_refused_and_not_run(tmp_path, kind):
    marker, file = tmp_path / "trespassed", tmp_path / f"net.{kind}"
    network = lambda_network(marker)
    if kind == "json":
        file.write_text(network.to_json())
    else:
        network.save(file)
    marker.unlink()  # building it ran the code here
    load = load_architecture if kind == "json" else load_network
    with pytest.raises(InputError, match="layer 'innocent' is code") as caught:
        load(file)
    assert str(file) in str(caught.value)
    assert not marker.exists()


def test_an_archive_that_is_hdf5_too_is_read_as_what_is_checked(tmp_path, encoder):
    # HDF5 with code in it, and an innocent .keras archive appended
    marker = tmp_path / "trespassed"
    network = lambda_network(marker)
    with pytest.warns(UserWarning, match="HDF5"):
        network.save(tmp_path / "bad.h5")
    encoder.save(tmp_path / "good.keras")
    marker.unlink()
    both = (tmp_path / "bad.h5").read_bytes() + (tmp_path / "good.keras").read_bytes()
    (tmp_path / "both.h5").write_bytes(both)
    with pytest.raises(InputError, match="is code"):
        load_network(tmp_path / "both.h5")
    assert not marker.exists()


def test_operations_outside_layers_are_refused(tmp_path):
    inputs = keras.layers.Input((4,), name="in")
    network = keras.Model(inputs, tf.math.square(inputs))
    (tmp_path / "net.json").write_text(network.to_json())
    with pytest.raises(InputError, match="is code"):
        load_architecture(tmp_path / "net.json")


def set_in_layer(name: str, **entries):
    def change(config):
        layer = next(x for x in config["config"]["layers"] if x["config"]["name"] == name)
        layer.update(entries)

    return change


def set_in_config(name: str, **entries):
    def change(config):
        layer = next(x for x in config["config"]["layers"] if x["config"]["name"] == name)
        layer["config"].update(entries)

    return change


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (set_in_layer("flatten", class_name="Flaten"), ["'flatten'", "'Flaten'", "'Flatten'?"]),
        (set_in_layer("flatten", class_name="Evil"), ["'flatten'", "unknown class 'Evil'"]),
        (set_in_layer("flatten", class_name=["Dense"]), ["'flatten'", "unknown class"]),
        (set_in_layer("flatten", module="os"), ["'flatten'", "module 'os'"]),
        (set_in_layer("flatten", registered_name="Lambda"), ["'flatten'", "Lambda by another"]),
        (
            set_in_config("accum1_qa", activation="safe_eval(1)"),
            ["'accum1_qa'", "unknown activation 'safe_eval(1)'"],
        ),
        (
            set_in_config("accum1_qa", activation="quantised_relu(9,1)"),
            ["'accum1_qa'", "did you mean 'quantized_relu'?"],
        ),
        (
            set_in_config("conv2d_0_m", kernel_quantizer={"class_name": "x", "config": {}}),
            ["'conv2d_0_m'", "unknown class 'x'"],
        ),
        (
            set_in_config("conv2d_0_m", kernel_initializer={
                "class_name": "__lambda__", "config": {"value": ["a", None, None]}}),
            ["'conv2d_0_m'", "is code"],
        ),
        (set_in_config("input_1", batch_shape=[None, 8, 8, 1]), ["Keras 3", "Keras 2"]),
        (set_in_config("conv2d_0_m", filters="eight"), ["Keras cannot build it"]),
        (lambda config: config.update(class_name="Dense"), ["not the description of a Keras"]),
        (lambda config: config.pop("config"), ["not the description of a Keras"]),
    ],
)  # fmt: skip
def test_odd_descriptions(encoder, tmp_path, change, parts):
    architecture, _ = save_pair(encoder, tmp_path)
    odd = change_json(architecture, tmp_path / "odd.json", change)
    with pytest.raises(InputError) as caught:
        load_architecture(odd)
    for part in ("odd.json", *parts):
        assert part in str(caught.value)


def test_bottomless_description(encoder, tmp_path):
    deep = json.loads("[" * 900 + "]" * 900)
    architecture, _ = save_pair(encoder, tmp_path)
    odd = change_json(architecture, tmp_path / "odd.json", set_in_config("flatten", extra=deep))
    with pytest.raises(InputError, match=r"odd\.json: nested too deeply|cannot build it"):
        load_architecture(odd)


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\x89\xff\x00", b"[" * 100_000])
def test_files_that_are_no_json(tmp_path, content):
    (tmp_path / "net.json").write_bytes(content)
    with pytest.raises(InputError, match=r"net\.json: not a Keras"):
        load_architecture(tmp_path / "net.json")


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.txt"])
def test_files_that_are_no_model(tmp_path, name):
    (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(InputError, match=rf"{name}: neither"):
        load_network(tmp_path / name)


def test_files_that_are_not_there(tmp_path):
    for load in (load_network, load_architecture):
        with pytest.raises(InputError, match="no such file"):
            load(tmp_path / "absent.keras")
        with pytest.raises(InputError, match="is a folder"):
            load(tmp_path)


def test_parts_of_a_pair_alone(encoder, tmp_path):
    architecture, weights = save_pair(encoder, tmp_path)
    with pytest.raises(InputError, match="holds no weights; give the HDF5 file"):
        load_network(architecture)
    with pytest.raises(InputError, match="without an architecture; give the JSON file"):
        load_network(weights)
    with pytest.raises(InputError, match="not an HDF5 file"):
        load_foreign(architecture, architecture)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata.json": b'{"keras_version": "3.4.1"}'}, "written by Keras 3"),
        ({"metadata.json": None}, "missing or extra: metadata.json"),
        ({"assets/payload": b"x"}, "missing or extra: assets/payload"),
        ({"model.weights.h5": b"x"}, "Keras cannot load it"),
    ],
)
def test_odd_archives(encoder, tmp_path, change, message):
    encoder.save(tmp_path / "net.keras")
    with zipfile.ZipFile(tmp_path / "net.keras") as archive:
        content = {name: archive.read(name) for name in archive.namelist()} | change
    with zipfile.ZipFile(tmp_path / "odd.keras", "w") as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)
    with pytest.raises(InputError, match=message):
        load_network(tmp_path / "odd.keras")


def test_weights_of_another_shape(encoder, tmp_path):
    architecture, weights = save_pair(encoder, tmp_path)
    wider = change_json(architecture, tmp_path / "wide.json", set_in_config(
        "encoded_vector", units=12))  # fmt: skip
    with pytest.raises(InputError, match=r"'encoded_vector' .*\(128, 16\).*\(128, 12\)"):
        load_foreign(wider, weights)


def test_weights_of_other_layers(encoder, tmp_path):
    _, weights = save_pair(encoder, tmp_path)
    decoder = build_networks(load_model_spec("8x8_c8_S2_qK")).decoder
    (tmp_path / "decoder.json").write_text(decoder.to_json())
    with pytest.raises(InputError, match="no weights for layer 'de_dense_final'"):
        load_foreign(tmp_path / "decoder.json", weights)


def test_weights_left_over(encoder, tmp_path):
    _, weights = save_pair(encoder, tmp_path)
    convolution = keras.Model(encoder.input, encoder.get_layer("accum1_qa").output)
    (tmp_path / "part.json").write_text(convolution.to_json())
    with pytest.raises(InputError, match="weights of layer 'encoded_vector', which"):
        load_foreign(tmp_path / "part.json", weights)


def test_weights_that_are_not_finite(encoder, tmp_path):
    architecture, weights = save_pair(encoder, tmp_path)
    with h5py.File(weights, "r+") as file:
        group = file["conv2d_0_m"]
        group[group.attrs["weight_names"][0]][0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="'conv2d_0_m' has weights that are not finite"):
        load_foreign(architecture, weights)


def test_damaged_weights(encoder, tmp_path):
    architecture, weights = save_pair(encoder, tmp_path)
    with h5py.File(weights, "r+") as file:
        del file["conv2d_0_m"]
    with pytest.raises(InputError, match="damaged"):
        load_foreign(architecture, weights)


def test_hdf5_that_is_no_model(encoder, tmp_path):
    architecture, _ = save_pair(encoder, tmp_path)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = [1, 2, 3]
    with pytest.raises(InputError, match="without an architecture"):
        load_network(tmp_path / "data.h5")
    with pytest.raises(InputError, match="not an HDF5 file of Keras 2 weights"):
        load_foreign(architecture, tmp_path / "data.h5")
