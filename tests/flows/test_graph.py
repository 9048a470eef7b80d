"""Networks written for other tools: what is read back computes what Keras computes."""

import json
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from flows.__main__ import main
from flows.layout import GraphLayout
from hw.foundation.errors import InputError, ToolFailed
from models.keras_backend import keras, tf
from models.networks import network_export as export
from models.networks.encoder import build_networks
from models.networks.frozen_graph import freeze
from models.networks.inference import outputs_of
from models.networks.zoo import load_model_spec
from reports.metrics import read_metrics

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "econt" / "published_encoder"
FORMS = ("frozen", "saved_model", "onnx")


def networks_of(model: str):
    keras.utils.set_random_seed(5)
    return build_networks(load_model_spec(model))


def some_inputs(network, count: int = 7) -> np.ndarray:
    random = np.random.default_rng(2).random((count, *network.input_shape[1:]))
    return (random**4).astype(np.float32)


def read_graph(file: Path):
    return tf.compat.v1.GraphDef.FromString(file.read_bytes())


@pytest.fixture
def foreign(tmp_path: Path) -> list[str]:
    """Words of the command line that name the JSON + HDF5 pairs of an encoder and a decoder."""
    networks = networks_of("8x8_c8_S2_qK")
    words = []
    for part in ("encoder", "decoder"):
        network = getattr(networks, part)
        architecture, weights = (tmp_path / f"{part}_old{end}" for end in (".json", ".hdf5"))
        architecture.write_text(network.to_json())
        network.save_weights(weights)
        words += [str(architecture), str(weights)]
    return words


@pytest.mark.parametrize(
    ("model", "part"),
    [
        ("8x8_c8_S2_tele", "encoder"),
        ("8x8_c8_S2_tele", "decoder"),
        ("8x8_c8_S2_qK", "encoder"),
        ("econ_t", "encoder"),
        ("6x6x3_tp_c8_pool_tele_qK", "decoder"),
    ],
)
def test_every_form_computes_what_keras_computes(model, part, tmp_path):
    network = getattr(networks_of(model), part)
    inputs = some_inputs(network)
    expected = outputs_of(network, inputs)
    assert expected.std() > 0
    frozen = freeze(network)
    files = GraphLayout(tmp_path)
    export.write_frozen(frozen, files.frozen(part), files.frozen_text(part))
    export.write_saved_model(network, files.saved_model(part))
    export.write_onnx(frozen, files.onnx(part))
    np.testing.assert_array_equal(export.run_frozen(files.frozen(part), inputs), expected)
    one = export.run_frozen(files.frozen(part), inputs[:1])  # the size of a batch is free
    np.testing.assert_allclose(one, expected[:1], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(export.run_saved_model(files.saved_model(part), inputs), expected)
    found = export.run_onnx(files.onnx(part), inputs)
    quantised = part == "encoder" and model != "8x8_c8_S2_tele"
    np.testing.assert_allclose(found, expected, rtol=0, atol=0 if quantised else 1e-6)


def test_nodes_are_where_and_as_cmssw_expects_them(tmp_path):
    networks = networks_of("8x8_c8_S2_tele")
    for network, first, last in (
        (networks.encoder, "input_1", "encoded_vector/Relu"),
        (networks.decoder, "decoder_input", "decoder_output/Sigmoid"),
    ):
        files = GraphLayout(tmp_path)
        export.write_frozen(freeze(network), files.frozen("a"), files.frozen_text("a"))
        graph = read_graph(files.frozen("a"))
        assert (graph.node[0].name, graph.node[0].op) == (first, "Placeholder")
        assert graph.node[-1].name == last
        assert not {node.op for node in graph.node} & {"ReadVariableOp", "VarHandleOp"}
        as_text = text_format.Parse(files.frozen_text("a").read_text(), tf.compat.v1.GraphDef())
        assert as_text == graph


def test_attributes_that_older_tensorflow_refuses_are_left_out():
    nodes = freeze(networks_of("8x8_c8_S2_tele").decoder).graph.node
    products = [node for node in nodes if node.op == "MatMul"]
    assert products
    for node in products:
        assert set(node.attr) == {"T"}


def test_a_fixed_batch():
    network = networks_of("8x8_c8_S2_tele").encoder
    shape = freeze(network, batch=3).graph.node[0].attr["shape"].shape
    assert [dimension.size for dimension in shape.dim] == [3, 8, 8, 1]


def test_a_network_of_two_inputs_is_refused():
    ends = [keras.layers.Input((3,)) for _ in range(2)]
    network = keras.Model(ends, keras.layers.Add()(ends), name="both")
    with pytest.raises(InputError, match="'both' has 2 inputs and 1 outputs"):
        freeze(network)


@pytest.mark.slow
def test_old_pairs_of_json_and_hdf5(foreign, tmp_path, capsys):
    output = tmp_path / "graphs"
    assert main(["graph", *foreign, "--output", str(output)]) == 0
    shown = capsys.readouterr().out
    index = json.loads((output / "graph.json").read_text())
    metrics = {metric.name: metric for metric in read_metrics(output / "metrics.json")}
    assert set(index) == {"encoder_old", "decoder_old"}
    assert index["decoder_old"]["output"]["node"] == "decoder_output/Sigmoid"
    for name, entry in index.items():
        graph = read_graph(output / entry["files"]["frozen"])
        assert entry["input"]["node"] == graph.node[0].name
        assert entry["output"]["node"] == graph.node[-1].name
        assert entry["nodes"] == len(graph.node)
        assert entry["output"]["node"] in shown
        for form in FORMS:
            assert (output / entry["files"][form]).exists()
            assert metrics[f"graph.{name}.{form}.difference"].value <= 1e-6
    assert main(["graph", *foreign[:2], "--output", str(output)]) == 0  # replaced as a whole
    assert set(json.loads((output / "graph.json").read_text())) == {"encoder_old"}
    assert not (output / "decoder_old.pb").exists()


@pytest.mark.slow
def test_a_form_that_differs_is_not_kept(foreign, tmp_path, monkeypatch, capsys):
    right = export.run_onnx
    monkeypatch.setattr(export, "run_onnx", lambda file, inputs: right(file, inputs) + 2**-8)
    output = tmp_path / "graphs"
    assert main(["graph", *foreign[:2], "--output", str(output)]) == 1
    assert "encoder_old: the onnx form differs from Keras by 0.00391" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.slow
def test_a_form_without_converter_is_skipped_with_its_reason(
    foreign, tmp_path, monkeypatch, capsys
):
    def cannot(frozen, file):
        raise ToolFailed("tf2onnx cannot express this network: no such operation")

    monkeypatch.setattr(export, "write_onnx", cannot)
    output = tmp_path / "graphs"
    assert main(["graph", *foreign[:2], "--output", str(output)]) == 0
    assert "onnx: skipped: tf2onnx cannot express this network" in capsys.readouterr().out
    metrics = {metric.name: metric for metric in read_metrics(output / "metrics.json")}
    assert metrics["graph.encoder_old.onnx.difference"].value is None
    assert "no such operation" in metrics["graph.encoder_old.onnx.difference"].reason
    assert metrics["graph.encoder_old.frozen.difference"].value == 0


def test_bad_command_lines(foreign, tmp_path, capsys):
    output = ["--output", str(tmp_path / "graphs")]
    for words, message in (
        (foreign[:1], "give the HDF5 file of its weights"),
        (foreign[:2] * 2, "two files of the stem 'encoder_old'"),
        ([str(tmp_path / "none.keras")], "no such file"),
    ):
        assert main(["graph", *words, *output]) == 2
        assert message in capsys.readouterr().err
    assert main(["graph", *foreign[:2], "--output", str(tmp_path)]) == 2
    assert "holds other files" in capsys.readouterr().err
    assert main(["graph", "--build", str(tmp_path), "--model", "none"]) == 2
    assert "train the model first" in capsys.readouterr().err


@pytest.mark.slow
def test_a_trained_model(tmp_path):
    build = ["--build", str(tmp_path)]
    assert main(["data", *build, "--events", "600"]) == 0
    train = ["train", "-i", str(tmp_path / "data/generated/modules.csv"), "-o", str(tmp_path)]
    assert main([*train, "--models", "8x8_c8_S2_tele", "--epochs", "1", "--trainOnly"]) == 0
    assert main(["graph", *build, "--model", "8x8_c8_S2_tele"]) == 0
    index = json.loads((tmp_path / "8x8_c8_S2_tele/graph/graph.json").read_text())
    assert index["encoder"]["output"] == {"node": "encoded_vector/Relu", "shape": [None, 16]}
    assert index["decoder"]["input"] == {"node": "decoder_input", "shape": [None, 16]}


@pytest.mark.shared
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="../shared/econt/published_encoder is absent")
def test_the_published_encoder_gives_its_golden_latents_in_every_form(tmp_path):
    stems = [f"{part}_8x8_c8_S2_tele_qK_6bit" for part in ("encoder", "decoder")]
    files = [str(PUBLISHED / f"{stem}.{end}") for stem in stems for end in ("json", "hdf5")]
    assert main(["graph", *files, "--output", str(tmp_path / "graphs")]) == 0
    images = np.load(PUBLISHED / "input.npy").astype(np.float32)
    latents = np.load(PUBLISHED / "output.npy")
    written = GraphLayout(tmp_path / "graphs")
    for form in FORMS:
        run = getattr(export, f"run_{form}")
        found = run(getattr(written, form)(stems[0]), images)
        np.testing.assert_array_equal(found, latents)
