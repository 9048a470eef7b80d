"""Operation counts against figures worked out by hand and published ones."""

import json
import math

import numpy as np
import pytest

from flows.__main__ import main
from flows.layout import model_layout
from hw.foundation.errors import InputError
from models.keras_backend import keras, qkeras
from models.networks.complexity import LayerCost, float_ops, layer_costs, nonzero_weights
from models.networks.encoder import build_networks
from models.networks.number_formats import is_quantised, weight_quantiser
from models.networks.zoo import load_model_spec
from reports.metrics import read_metrics


@pytest.fixture(scope="module")
def networks():
    """Networks of the quantised seed."""
    return build_networks(load_model_spec("8x8_c8_S2_qK"))


def total(network: keras.Model, attribute: str) -> int:
    return sum(getattr(cost, attribute) for cost in layer_costs(network))


def bops(macs: int, activation: int, weight: int, products: int) -> int:
    """Baskin et al., arXiv 1804.10969."""
    return round(macs * (activation * weight + activation + weight + math.log2(products)))


@pytest.mark.parametrize(
    ("name", "flops", "macs", "parameters", "bits"),
    [
        ("8x8_c8_S2_qK", 6544, 3200, 2144, 2144 * 5),
        ("8x8_c8_S2_tele", 6544, 3200, 2144, 2144 * 32),
        ("8x8_c8_S2_tele_qK", 6544, 3200, 2144, 12_864),  # the chip's registers
        ("4x4x3_c8_S1_tele_qK", 2 * 5504 + 16 * 8 + 16, 5504, 2288, 2288 * 6),
    ],
)
def test_encoders_of_the_literature(name, flops, macs, parameters, bits):
    encoder = build_networks(load_model_spec(name)).encoder
    assert float_ops(encoder) == flops
    assert total(encoder, "macs") == macs
    assert total(encoder, "parameters") == parameters == encoder.count_params()
    assert total(encoder, "weight_bits") == bits


def test_layers_of_the_quantised_seed(networks):
    assert layer_costs(networks.encoder) == [
        LayerCost("conv2d_0_m", "QConv2D", 1152, bops(1152, 10, 5, 9), 80, 400),
        LayerCost("encoded_vector", "QDense", 2048, bops(2048, 11, 5, 128), 2064, 10_320),
    ]


def test_decoder(networks):
    # the transposed convolution's 16 inputs of 8 channels meet 9 taps of 8 filters each; with
    # stride 2, at most 2 x 2 taps of each channel meet in one output
    assert layer_costs(networks.decoder) == [
        LayerCost("de_dense_final", "Dense", 2048, bops(2048, 32, 32, 16), 2176, 2176 * 32),
        LayerCost("conv2D_t_0", "Conv2DTranspose", 9216, bops(9216, 32, 32, 32), 584, 584 * 32),
        LayerCost("conv2d_t_final", "Conv2DTranspose", 4608, bops(4608, 32, 32, 72), 73, 73 * 32),
    ]
    biases = 128 + 64 * 8 + 64
    assert float_ops(networks.decoder) == 2 * (2048 + 9216 + 4608) + biases


def test_a_network_within_a_network_reads_quantised_latents(networks):
    costs = {cost.name: cost for cost in layer_costs(networks.autoencoder)}
    assert costs["decoder/de_dense_final"].bops == bops(2048, 9, 32, 16)
    assert costs["decoder/conv2d_t_final"].macs == 4608
    assert total(networks.autoencoder, "parameters") == networks.autoencoder.count_params()


def sequential(*layers, shape=(6, 6, 2)) -> keras.Model:
    return keras.Sequential([keras.layers.Input(shape), *layers])


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (keras.layers.Conv1D(5, 3), (10, 4), 8 * 5 * 12),
        (keras.layers.Conv2D(4, 3, groups=2), (6, 6, 2), 16 * 4 * 9),
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 6, 2), 16 * 4 * 9),
        (qkeras.QDepthwiseConv2D(3), (6, 6, 2), 16 * 2 * 9),
        (keras.layers.Dense(7), (5, 3), 5 * 7 * 3),
        (keras.layers.BatchNormalization(), (6, 6, 2), 72),
        (keras.layers.Conv2D(4, 3, strides=4, padding="same"), (6, 6, 2), 4 * 4 * 18),
    ],
)
def test_macs_of_other_layers(layer, shape, macs):
    assert [cost.macs for cost in layer_costs(sequential(layer, shape=shape))] == [macs]


def test_bits_follow_the_values():
    formats = {"kernel_quantizer": "quantized_bits(4,0,alpha=1)", "bias_quantizer": "binary"}
    inputs = keras.layers.Input((4, 4, 1))
    fine = qkeras.QActivation("quantized_relu(7)")(inputs)
    coarse = qkeras.QActivation("quantized_relu(3)")(inputs)
    both = keras.layers.MaxPooling2D()(keras.layers.Concatenate()([fine, coarse]))
    once = qkeras.QDense(3, name="a", **formats)(keras.layers.Flatten()(coarse))
    joined = qkeras.QDense(3, name="b", activation="ternary", **formats)(both)
    after = keras.layers.Dense(2, name="c")(keras.layers.Flatten()(joined))
    costs = {cost.name: cost for cost in layer_costs(keras.Model(inputs, [once, after]))}
    assert costs["a"].bops == bops(16 * 3, 3, 4, 16)
    assert costs["a"].weight_bits == 16 * 3 * 4 + 3
    assert costs["b"].bops == bops(4 * 3 * 2, 7, 4, 2)  # a join holds both its parts
    assert costs["c"].bops == bops(12 * 2, 2, 32, 12)


def test_counts_that_are_not_defined():
    with pytest.raises(InputError, match="SeparableConv2D layer are not defined"):
        layer_costs(sequential(keras.layers.SeparableConv2D(2, 3)))
    anything = sequential(keras.layers.Conv2D(2, 3), shape=(None, None, 1))
    for count in (layer_costs, float_ops):
        with pytest.raises(InputError, match="fixed size"):
            count(anything)


def test_counting_prints_nothing(networks, capfd):
    float_ops(networks.encoder)
    assert capfd.readouterr().out == ""


def test_counting_leaves_the_network_as_it_is(networks):
    before = networks.encoder.to_json()
    float_ops(networks.encoder)
    assert networks.encoder.to_json() == before


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def files(networks, tmp_path):
    (tmp_path / "encoder.json").write_text(networks.encoder.to_json())
    networks.decoder.save(tmp_path / "decoder.keras")
    return [str(tmp_path / "encoder.json"), str(tmp_path / "decoder.keras")]


def test_tables_of_files(files, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["flops", *files]) == 0
    shown = capsys.readouterr().out
    for text in (*files, "conv2d_0_m", "3,200", "2,144", "6,544", "conv2D_t_0", "15,872", "32,448"):
        assert text in shown


def test_json_of_files(files, capsys):
    assert main(["flops", "--json", *files]) == 0
    encoder, decoder = json.loads(capsys.readouterr().out)
    assert (encoder["file"], encoder["flops.total"], encoder["macs.total"]) == (
        files[0],
        6544,
        3200,
    )
    assert [layer["name"] for layer in encoder["layers"]] == ["conv2d_0_m", "encoded_vector"]
    assert decoder["params.total"] == 2833


def test_files_that_are_no_model(files, tmp_path, capsys):
    (tmp_path / "other.json").write_text('{"a": 1}')
    for name, message in (("other.json", "not the description"), ("absent.json", "no such file")):
        assert main(["flops", files[0], str(tmp_path / name)]) == 2
        captured = capsys.readouterr()
        assert message in captured.err
        assert name in captured.err
        assert captured.out == ""


def test_metrics_of_a_trained_model(networks, tmp_path, capsys):
    layout = model_layout(tmp_path, "m")
    layout.train.mkdir(parents=True)
    networks.encoder.save(layout.network("encoder"))
    networks.decoder.save(layout.network("decoder"))
    assert main(["flops", "--build", str(tmp_path), "--model", "m"]) == 0
    metrics = {metric.name: metric for metric in read_metrics(layout.metrics("flops"))}
    weights = nonzero_weights(networks.encoder)
    assert {name: metric.value for name, metric in metrics.items()} == {
        "layers.conv2d_0_m.macs": 1152,
        "layers.encoded_vector.macs": 2048,
        **{f"layers.{layer}.nonzero_weights": count for layer, count in weights.items()},
        "nonzero_weights.total": sum(weights.values()),
        "flops.total": 6544,
        "macs.total": 3200,
        "bops.total": 238_276,
        "params.total": 2144,
        "weight_bits.total": 10_720,
        "decoder.flops.total": 32_448,
        "decoder.macs.total": 15_872,
        "decoder.bops.total": 17_351_439,
        "decoder.params.total": 2833,
        "decoder.weight_bits.total": 2833 * 32,
    }
    assert metrics["bops.total"].unit == "bit operations"
    assert metrics["macs.total"].better == "lower"
    assert "3,200" in capsys.readouterr().out


def test_metrics_of_an_encoder_without_decoder(networks, tmp_path):
    layout = model_layout(tmp_path, "m")
    layout.train.mkdir(parents=True)
    networks.encoder.save(layout.network("encoder"))
    assert main(["flops", "--build", str(tmp_path), "--model", "m"]) == 0
    metrics = {metric.name: metric for metric in read_metrics(layout.metrics("flops"))}
    assert metrics["macs.total"].value == 3200
    assert metrics["decoder.macs.total"].value is None
    assert "without a decoder" in metrics["decoder.macs.total"].reason


def test_a_model_that_is_not_trained(tmp_path, capsys):
    assert main(["flops", "--build", str(tmp_path), "--model", "m"]) == 2
    assert "make train MODEL=m" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_depthwise_weights_count_in_their_own_bits():
    inputs = keras.Input((6, 6, 2))
    x = qkeras.QActivation("quantized_bits(8,0,alpha=1)")(inputs)
    x = qkeras.QDepthwiseConv2D(
        3, depthwise_quantizer="quantized_bits(4,0,alpha=1)", use_bias=False, name="depthwise"
    )(x)
    network = keras.Model(inputs, qkeras.QActivation("quantized_relu(6)")(x))
    assert is_quantised(network)
    assert [cost.weight_bits for cost in layer_costs(network)] == [9 * 2 * 4]


def test_both_kernels_of_a_separable_layer_have_their_quantiser():
    layer = qkeras.QSeparableConv2D(
        3,
        2,
        depthwise_quantizer="quantized_bits(4,0,alpha=1)",
        pointwise_quantizer="quantized_bits(5,0,alpha=1)",
    )
    assert weight_quantiser(layer, "depthwise_kernel").bits == 4
    assert weight_quantiser(layer, "pointwise_kernel").bits == 5


def test_weights_that_are_quantised_to_zero_do_not_count() -> None:
    kernel = np.array([[0.5, 0.01], [0.0, -0.25], [0.02, 1.0]], dtype=np.float32)
    inner = keras.Sequential([keras.layers.Dense(2, name="plain")], name="inner")
    x = keras.Input((3,))
    layer = qkeras.QDense(
        2,
        kernel_quantizer="quantized_bits(4,1,alpha=1)",
        bias_quantizer="quantized_bits(4,1,alpha=1)",
        name="dense",
    )
    network = keras.Model(x, keras.layers.BatchNormalization(name="norm")(inner(layer(x))))
    layer.set_weights([kernel, np.ones(2)])
    inner.layers[0].set_weights([np.array([[1e-9, 0.0], [1.0, 0.0]]), np.zeros(2)])
    # steps of 1/4: 0.01 and 0.02 are zero; in floating point the smallest number is one
    assert nonzero_weights(network) == {"dense": 3, "inner/plain": 2, "norm": 2}
    assert list(nonzero_weights(network)) == [cost.name for cost in layer_costs(network)]
