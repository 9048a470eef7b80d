"""Keras networks in integers: equal to Keras wherever float32 is exact, or refused by layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat
from hw.foundation.integer_evaluation import evaluate, held_by_float32
from hw.foundation.integer_network import NoFixedPoint, Refused, Scale, WeightedSum, narrowest
from models.keras_backend import keras, qkeras
from models.networks.inference import inputs_apart
from models.networks.integer_reader import read_network
from tests.random_networks import random_inputs, random_network

WEIGHTS = "quantized_bits(4,1,alpha=1)"


def answers(network: Any, inputs: np.ndarray) -> np.ndarray:
    found = network(inputs_apart(network, inputs), training=False)
    parts = found if isinstance(found, list) else [found]
    flat = [np.asarray(part, np.float64).reshape(len(inputs), -1) for part in parts]
    return np.concatenate(flat, axis=1)


def require_equal(network: Any, *, rounded: int = 0, seed: int = 0, constant: bool = False) -> None:
    """Keras and exact arithmetic agree, but for vectors that float32 rounds.

    Args:
        rounded: most vectors that may differ where float32 does not hold all sums.
        constant: whether the network may give the same for all inputs.
    """
    integers = read_network(network)
    inputs = random_inputs(network, 300, seed)
    values = integers.result.number.to_values(evaluate(integers, inputs)).reshape(300, -1)
    differing = (values != answers(network, inputs)).any(axis=1).sum()
    assert differing <= (0 if held_by_float32(integers) else rounded)
    assert constant or len(np.unique(values)) > 1


def network_of(*layers: Any, shape: tuple[int, ...] = (6, 6, 2), seed: int = 1) -> Any:
    """A network of layers behind a quantised input, with random weights."""
    keras.utils.set_random_seed(seed)
    images = keras.Input(shape)
    x = qkeras.QActivation("quantized_bits(6,2,alpha=1)")(images)
    for layer in layers:
        x = layer(x)
    network = keras.Model(images, x)
    rng = np.random.default_rng(seed)
    for layer in network.layers:
        layer.set_weights(
            [
                rng.uniform(0.3, 2, w.shape)
                if "variance" in w.name
                else np.zeros(w.shape)
                if "iteration" in w.name
                else rng.normal(0, 0.7, w.shape)
                for w in layer.weights
            ]
        )
    return network


def conv(**more: Any) -> Any:
    return qkeras.QConv2D(3, 3, kernel_quantizer=WEIGHTS, bias_quantizer=WEIGHTS, **more)


def weighted(quantiser: str) -> Any:
    return qkeras.QConv2D(2, 3, kernel_quantizer=quantiser, use_bias=False)


def activation(text: str) -> Any:
    return qkeras.QActivation(text)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**31 - 1))
def test_random_networks_equal_keras(seed: int) -> None:
    network = random_network(seed)
    try:
        read_network(network)
    except Refused as refused:  # such as a sign of quotients; the refusal must lead out
        assert "layer '" in str(refused) and ";" in str(refused)
        return
    require_equal(network, rounded=60, seed=seed, constant=True)


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [conv(padding="same"), activation("quantized_bits(5,1,1,alpha=1)")],
        lambda: [conv(groups=1, dilation_rate=2)],
        lambda: [qkeras.QConv2D(4, 2, groups=2, kernel_quantizer=WEIGHTS, use_bias=False)],
        lambda: [qkeras.QDepthwiseConv2D(3, depthwise_quantizer=WEIGHTS, use_bias=False)],
        lambda: [
            qkeras.QSeparableConv2D(
                3, 3, depthwise_quantizer=WEIGHTS, pointwise_quantizer=WEIGHTS, use_bias=False
            )
        ],
        lambda: [conv(), keras.layers.ReLU(max_value=1.0)],
        lambda: [conv(), keras.layers.ReLU(max_value=6.0, negative_slope=0.5)],
        lambda: [conv(), keras.layers.LeakyReLU(0.25)],
        lambda: [conv(), activation("quantized_relu(3,5)")],
        lambda: [conv(), activation("quantized_relu(6,2,negative_slope=0.125)")],
        lambda: [conv(), activation("quantized_tanh(5)")],
        lambda: [conv(), activation("quantized_sigmoid(5)")],
        lambda: [conv(), activation("hard_tanh")],
        lambda: [conv(), activation("binary(alpha=1)")],
        lambda: [conv(), activation("ternary(alpha=1,threshold=0.4)")],
        lambda: [keras.layers.AveragePooling2D((2, 4))],
        lambda: [keras.layers.AveragePooling2D(2, padding="same", strides=1)],
        lambda: [keras.layers.MaxPooling2D(3, padding="same")],
        lambda: [keras.layers.ZeroPadding2D(((0, 1), (2, 0))), conv()],
        lambda: [keras.layers.Cropping2D(((1, 0), (0, 2)))],
        lambda: [keras.layers.UpSampling2D((2, 3))],
        lambda: [keras.layers.Permute((3, 1, 2)), keras.layers.Flatten()],
        lambda: [
            qkeras.QAveragePooling2D(2, average_quantizer="quantized_bits(6,0,1,alpha=1)"),
        ],
    ],
)  # fmt: skip
def test_each_setting_equals_keras(layers: Callable[[], list[Any]]) -> None:
    require_equal(network_of(*layers()))


@pytest.mark.parametrize(
    "layers",
    [
        lambda: [keras.layers.AveragePooling2D(3), activation("quantized_bits(6,2,alpha=1)")],
        lambda: [
            keras.layers.AveragePooling2D(3, padding="same", strides=2),
            activation("quantized_bits(5,2,alpha=1)"),
        ],
        lambda: [conv(), keras.layers.Activation("hard_sigmoid"), activation("quantized_relu(5)")],
        lambda: [conv(), keras.layers.LeakyReLU(0.3), activation("quantized_bits(6,3,alpha=1)")],
        lambda: [keras.layers.GlobalAveragePooling2D(), activation("quantized_bits(8,2,alpha=1)")],
    ],
)
def test_quotients_are_rounded_as_keras_rounds_them(layers: Callable[[], list[Any]]) -> None:
    """Also half way between two codes, where the quotient is a fixed-point number again."""
    require_equal(network_of(*layers()), rounded=2)


def test_normalisations_are_a_factor_and_an_offset() -> None:
    normal = keras.layers.BatchNormalization()
    require_equal(network_of(conv(), normal, activation("quantized_relu(6,2)")), rounded=3)
    folded = qkeras.QConv2DBatchnorm(3, 3, kernel_quantizer=WEIGHTS, bias_quantizer=WEIGHTS)
    require_equal(network_of(folded, activation("quantized_relu(6,2)")))


def test_a_number_equal_to_the_mean_becomes_beta_itself() -> None:
    """Half way between two codes, where the least rounding would show in every such vector."""
    normal = qkeras.QBatchNormalization()
    network = network_of(normal, activation("quantized_relu(2,1)"), shape=(3,))
    gamma, beta, mean, variance = [0.5, 8, 2], [0.25] * 3, [0.5, 4, 0.5], [0.25, 0.25, 0.0625]
    normal.set_weights([np.array(values) for values in (gamma, beta, mean, variance)])
    scale = next(o for o in read_network(network).operations if isinstance(o, Scale))
    np.testing.assert_array_equal(scale.factor.values * mean + scale.offset.values, beta)
    require_equal(network, rounded=3)


def test_several_inputs_and_outputs_follow_one_another() -> None:
    images, scalars = keras.Input((4, 4, 1), name="image"), keras.Input((3,), name="scalars")
    x = keras.layers.Flatten()(qkeras.QActivation("quantized_relu(5,1)")(images))
    y = qkeras.QActivation("quantized_bits(8,7,alpha=1)")(scalars)
    joined = keras.layers.Concatenate()([x, y])
    outputs = [
        qkeras.QDense(n, kernel_quantizer=WEIGHTS, bias_quantizer=WEIGHTS)(joined) for n in (2, 3)
    ]
    network = keras.Model([images, scalars], outputs)
    integers = read_network(network)
    assert [o.shape for o in integers.inputs] == [(4, 4, 1), (3,)]
    assert integers.result.shape == (5,)
    require_equal(network)


def test_nested_and_shared_layers_are_read_in_place() -> None:
    dense = qkeras.QDense(4, kernel_quantizer=WEIGHTS, bias_quantizer=WEIGHTS, name="shared")
    relu = qkeras.QActivation("quantized_bits(6,2,alpha=1)")
    inner_input = keras.Input((4,))
    inner = keras.Model(inner_input, relu(dense(inner_input)), name="inner")
    outer_input = keras.Input((4,))
    x = qkeras.QActivation("quantized_bits(6,2,alpha=1)")(outer_input)
    network = keras.Model(outer_input, inner(inner(x)))
    require_equal(network)
    sums = [o for o in read_network(network).operations if isinstance(o, WeightedSum)]
    assert [o.layer for o in sums] == ["inner_shared", "inner_shared"]
    assert len({o.name.lower() for o in sums}) == 2


def test_names_that_other_tools_cannot_take_become_others() -> None:
    def dense(name: str) -> Any:
        return qkeras.QDense(3, kernel_quantizer=WEIGHTS, bias_quantizer=WEIGHTS, name=name)

    network = network_of(dense("a.b"), dense("A_B"), dense("2nd"), dense("input"), shape=(3,))
    names = [o.name for o in read_network(network).operations]
    assert all(name.isidentifier() and name != "input" for name in names)
    assert len({name.lower() for name in names}) == len(names)
    require_equal(network)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (lambda: [conv(), activation("quantized_bits(6,1,1,alpha='auto')")], "'auto'.*alpha=1"),
        (lambda: [conv(), activation("quantized_relu(6,1,use_sigmoid=1)")], "use_sigmoid"),
        (lambda: [conv(), keras.layers.Activation("tanh")], "activation tanh .*quantized_tanh"),
        (lambda: [conv(), keras.layers.Activation("sigmoid")], "activation sigmoid"),
        (lambda: [conv(), activation("quantized_tanh(6,use_real_tanh=True)")], "use_real_tanh"),
        (lambda: [conv(), keras.layers.Softmax()], "Softmax.*take it off"),
        (lambda: [conv(), keras.layers.ReLU(threshold=0.5)], "threshold=0.5"),
        (lambda: [conv(), keras.layers.ReLU(max_value=0.3)], "limit 0.3"),
        (
            lambda: [keras.layers.AveragePooling2D(3, strides=1), conv()],
            "quotients by 9.*QActivation",
        ),
        (lambda: [keras.layers.Conv2DTranspose(2, 3)], "Conv2DTranspose"),
        (lambda: [weighted("quantized_bits(4,alpha=1,qnoise_factor=0.5)")], "qnoise_factor=0.5"),
        (lambda: [weighted("quantized_bits(30,0,alpha=1)") for _ in "ab"], "exact results need"),
    ],
)  # fmt: skip
def test_what_has_no_exact_form_is_refused_by_layer(
    layers: Callable[[], list[Any]], message: str
) -> None:
    network = network_of(*layers())
    with pytest.raises(Refused, match=message) as refusal:
        read_network(network)
    assert "layer '" in str(refusal.value)


def test_what_is_in_floating_point_is_told() -> None:
    with pytest.raises(NoFixedPoint, match="kernel of layer 'plain'"):
        read_network(network_of(keras.layers.Dense(3, name="plain"), shape=(4,)))
    images = keras.Input((4,))
    dense = qkeras.QDense(2, kernel_quantizer=WEIGHTS, bias_quantizer=WEIGHTS, name="first")
    with pytest.raises(NoFixedPoint, match=r"layer 'first' reads its input .* QActivation"):
        read_network(keras.Model(images, dense(images)))


def test_two_first_quantisers_of_one_input_are_refused() -> None:
    images = keras.Input((4,), name="x")
    branches = [qkeras.QActivation(f"quantized_bits({n},1,alpha=1)")(images) for n in (5, 6)]
    with pytest.raises(Refused, match="input 'x' is quantised in different ways"):
        read_network(keras.Model(images, keras.layers.Add()(branches)))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=5),
    st.integers(-3, 20),
)
def test_the_narrowest_format_holds_its_values(codes: list[int], fraction: int) -> None:
    values = np.array(codes) * 2.0**-fraction
    found = narrowest(values)
    np.testing.assert_array_equal(found.values, values)
    if found.number.width > 1:
        smaller = FixedFormat(found.number.width - 1, found.number.integer - 1, found.number.signed)
        assert not smaller.represents(values)


def test_values_that_are_no_numbers_have_no_format() -> None:
    with pytest.raises(ValueError, match="not finite"):
        narrowest(np.array([np.nan]))
    with pytest.raises(ValueError, match="at most 8"):
        narrowest(np.array([1.0, 2.0**-9]), 8)
    assert issubclass(Refused, InputError)
