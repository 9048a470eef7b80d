"""Networks of every kind from elsewhere: exact in C++ and Verilog, or refused when they come in."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.layout import model_layout, target_layout
from reports.metrics import read_metrics

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "networks"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
REFUSED = {
    "auto": "alpha='auto'",
    "negint": "-2 integer bits",
    "unknown_key": "layer 'conv2d_0_m': it has a setting",
}
EXACT = [
    "autopo2", "avg", "bn", "coarse_relu", "concat", "depthwise", "dilation", "po2", "relu",
    "relu6", "sixteen_bit", "symmetric", "ternary", "zeropad",
]  # fmt: skip

needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases/networks")


def metrics(file: Path) -> dict[str, object]:
    return {metric.name: metric.value for metric in read_metrics(file)}


def bring_in(name: str, build: Path, *words: str) -> int:
    files = [str(CASES / name / f"encoder.{suffix}") for suffix in ("json", "hdf5")]
    return main(["import", *files, "--name", name, "--build", str(build), *words])


@pytest.mark.shared
@needs_cases
@pytest.mark.parametrize("name", REFUSED)
def test_a_network_without_exact_form_is_refused_when_it_comes_in(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring_in(name, tmp_path) == 2
    message = capsys.readouterr().err
    assert REFUSED[name] in message
    assert "Traceback" not in message and len(message) < 600
    assert not model_layout(tmp_path, name).folder.exists()


@pytest.mark.slow
@pytest.mark.shared
@needs_cases
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.parametrize("name", EXACT)
def test_a_network_is_exact_in_every_form(name: str, tmp_path: Path) -> None:
    assert bring_in(name, tmp_path, "--import-only", "--events", "2000") == 0
    for target in ("vitis", "econ_t"):  # logic for the second: its clock is slow enough for all
        design = ["--build", str(tmp_path), "--model", name, "--target", target]
        assert main(["hls", *design]) == 0
        assert main(["csim", *design, "--vectors", "2000"]) == 0
    assert main(["rtl", *design]) == 0
    assert main(["rtlsim", *design, "--vectors", "2000"]) == 0
    found = metrics(target_layout(tmp_path, name, "econ_t").metrics("csim"))
    assert found["csim.mismatches"] == 0
    if name not in ("bn", "sixteen_bit"):  # of more bits than float32 has
        assert found["keras.rounded_vectors"] == 0


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """A network of two inputs with vectors and outputs, in files."""
    from models.keras_backend import keras, qkeras

    keras.utils.set_random_seed(1)
    image, scalars = keras.Input((2, 3), name="image"), keras.Input((2,), name="scalars")
    flat = keras.layers.Flatten()(qkeras.QActivation("quantized_relu(5,2)")(image))
    other = qkeras.QActivation("quantized_bits(6,5,alpha=1)")(scalars)
    x = keras.layers.Concatenate()([flat, other])
    weights = "quantized_bits(4,0,alpha=1)"
    x = qkeras.QDense(3, kernel_quantizer=weights, bias_quantizer=weights, name="scores")(x)
    network = keras.Model([image, scalars], x)
    (tmp_path / "net.json").write_text(network.to_json())
    network.save_weights(tmp_path / "net.h5")
    rng = np.random.default_rng(0)
    arrays = {"image": rng.random((40, 2, 3)) * 4, "scalars": rng.integers(-9, 9, (40, 2))}
    np.savez(tmp_path / "X.npz", **arrays)
    outputs = network.predict([arrays["image"], arrays["scalars"]], verbose=0)
    np.save(tmp_path / "Y.npy", outputs)
    np.savetxt(tmp_path / "classes.csv", outputs.argmax(axis=1), header="class", comments="")
    return tmp_path


def of_vectors(folder: Path, *words: str) -> int:
    files = [str(folder / name) for name in ("net.json", "net.h5")]
    return main(["import", *files, "--build", str(folder / "build"), "--import-only", *words])


def test_a_network_of_any_purpose_comes_in(
    vectors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--inputs", str(vectors / "X.npz")]
    assert of_vectors(vectors, *given, "--outputs", str(vectors / "Y.npy")) == 0
    told = capsys.readouterr().out
    assert "scores" in told and "fixed<" in told and "approximated: nothing" in told
    assert "40 golden vectors" in told
    layout = model_layout(vectors / "build", "net")
    assert json.loads(layout.settings.read_text())["task"] == "vectors"
    assert metrics(layout.metrics("train"))["validation.vectors"] == 40
    assert of_vectors(vectors, *given, "--outputs", str(vectors / "classes.csv")) == 0
    found = metrics(layout.metrics("train"))
    assert (found["decisions.vectors"], found["decisions.correct"]) == (40, 40)
    assert of_vectors(vectors) == 0  # with random vectors alone
    assert "of any purpose" in capsys.readouterr().out


def test_vectors_that_do_not_fit_are_told(
    vectors: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(vectors / "wrong.npy", np.zeros((3, 5)))
    (vectors / "words.csv").write_text("a,b\n1,two\n")
    for words, message in (
        (["--inputs", "wrong.npy"], "wrong.npy: array of shape (3, 5)"),
        (["--inputs", "words.csv"], "words.csv: cannot be read as rows of numbers"),
        (["--inputs", "X.npz", "--outputs", "wrong.npy"], "outputs of 3 vectors, inputs of 40"),
        (["--outputs", "Y.npy"], "--inputs, which is missing"),
    ):
        given = [str(vectors / w) if "." in w else w for w in words]
        assert of_vectors(vectors, *given) == 2
        assert message in capsys.readouterr().err
    outputs = np.load(vectors / "Y.npy")
    outputs[3, 1] += 1
    np.save(vectors / "Y.npy", outputs)
    given = ["--inputs", str(vectors / "X.npz"), "--outputs", str(vectors / "Y.npy")]
    assert of_vectors(vectors, *given) == 1
    assert "first difference in vector 3, output 1" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.parametrize("name", ["pixel_classifier", "anomaly_trigger"])
def test_another_chip_goes_through_the_flow(name: str, tmp_path: Path) -> None:
    from models.networks.dense_network import load_dense_network, stand_in

    made = stand_in(load_dense_network(EXAMPLES / f"{name}.yaml"), seed=1)
    (tmp_path / f"{name}.json").write_text(made.network.to_json())
    made.network.save_weights(tmp_path / f"{name}.h5")
    files = {"--inputs": made.inputs, "--outputs": made.outputs}
    words = []
    for option, array in files.items():
        np.save(tmp_path / f"{option[2:]}.npy", array)
        words += [option, str(tmp_path / f"{option[2:]}.npy")]
    network = [str(tmp_path / f"{name}.{suffix}") for suffix in ("json", "h5")]
    assert main(["import", *network, *words, "--build", str(tmp_path), "--import-only"]) == 0
    design = ["--build", str(tmp_path), "--model", name, "--target", "vitis"]
    for stage in ("hls", "csim", "rtl", "rtlsim"):
        compared = ["--vectors", "2000"] if stage.endswith("sim") else []
        assert main([stage, *design, *compared]) == 0
    main(["report", *design, "--skipPlot"])
    text = (tmp_path / name / "vitis" / "report.md").read_text()
    assert "Earth mover" not in text and "csim.mismatches" in text
