"""Logic of single layers against the layers' own arithmetic in NumPy, for random formats.

The layers stand in for hls4ml's: they have just what the conversion reads.  Whole networks through
hls4ml itself are in test_generated_rtl.py.
"""

import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hw.foundation.fixed_point import FixedFormat
from hw.generated.network_logic import NoLogic, Wiring, network_logic, straight_wiring

ROUNDING = ("TRN", "TRN_ZERO", "RND", "RND_CONV", "RND_INF", "RND_ZERO", "RND_MIN_INF")
OVERFLOW = ("WRAP", "SAT", "SAT_SYM", "SAT_ZERO")


@dataclass
class Layer:
    """What the conversion reads of an hls4ml layer."""

    class_name: str
    result: FixedFormat
    shape: tuple[int, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, tuple[np.ndarray, FixedFormat]] = field(default_factory=dict)
    name: str = "layer"
    before: "Layer | None" = None

    @property
    def inputs(self) -> list[str]:
        return [self.before.name] if self.before else [self.name]

    @property
    def outputs(self) -> list[str]:
        return [self.name]

    @property
    def weights(self) -> dict[str, SimpleNamespace]:
        return {
            key: SimpleNamespace(data=data, type=SimpleNamespace(precision=str(number)))
            for key, (data, number) in self.constants.items()
        }

    def get_attr(self, key: str, default: Any = None) -> Any:
        value = self.attributes.get(key, default)
        return SimpleNamespace(precision=str(value)) if key == "accum_t" else value

    def get_input_node(self) -> "Layer | None":
        return self.before

    def get_output_variable(self) -> SimpleNamespace:
        return SimpleNamespace(type=SimpleNamespace(precision=str(self.result)), shape=self.shape)


def graph(*layers: Layer) -> SimpleNamespace:
    for index, layer in enumerate(layers):
        layer.name = f"layer_{index}"
        layer.before = layers[index - 1] if index else None
    return SimpleNamespace(get_layers=lambda: list(layers))


def answers(layers: tuple[Layer, ...], inputs: np.ndarray, wiring: Wiring | None = None) -> Any:
    """What the logic of these layers gives for inputs (n, ...), shape (n, outputs)."""
    size = math.prod(layers[0].shape)
    logic = network_logic(graph(*layers), wiring or straight_wiring(size))
    found = logic.logic.predict(inputs.reshape(len(inputs), -1), n_threads=1)
    assert logic.output == layers[-1].result
    assert logic.output.represents(found)
    return found.reshape(len(inputs), -1)


@st.composite
def formats(draw: st.DrawFn, bits: int = 8, modes: bool = True) -> FixedFormat:
    width = draw(st.integers(1, bits))
    return FixedFormat(
        width,
        draw(st.integers(-2, width + 2)),
        draw(st.booleans()),
        draw(st.sampled_from(ROUNDING)) if modes else "TRN",
        draw(st.sampled_from(OVERFLOW)) if modes else "WRAP",
    )


def all_values(number: FixedFormat) -> np.ndarray:
    return number.to_values(np.arange(number.min_code, number.max_code + 1))


@settings(deadline=None, max_examples=100)
@given(formats(), formats(6), st.sampled_from(["linear", "relu"]))
def test_an_activation_casts_every_value(
    given_format: FixedFormat, wanted: FixedFormat, function: str
) -> None:
    layers = (
        Layer("Input", given_format, (1,)),
        Layer("Activation", wanted, (1,), {"activation": function}),
    )
    values = all_values(given_format)
    expected = wanted.quantise(np.maximum(values, 0) if function == "relu" else values)
    np.testing.assert_array_equal(answers(layers, values)[:, 0], expected)


def sums(x: np.ndarray, layer: Layer) -> np.ndarray:
    """The C++'s loop: products and partial sums in the accumulator's format."""
    number = layer.attributes["accum_t"]
    (weights, weight_format), (bias, bias_format) = (layer.constants[k] for k in ("weight", "bias"))
    weights = weight_format.quantise(weights).reshape(-1, len(bias))
    total = np.broadcast_to(number.quantise(bias_format.quantise(bias)), (len(x), len(bias)))
    for column, row in zip(x.T, weights, strict=True):
        total = number.quantise(total + number.quantise(column[:, None] * row))
    return layer.result.quantise(total)


def random_layer(
    kind: str,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    weights: tuple[int, ...],
    **more: Any,
) -> Layer:
    bits = int(rng.integers(2, 7))
    number = FixedFormat(bits, int(rng.integers(0, 3)))
    return Layer(
        kind,
        more.pop("result"),
        shape,
        more,
        {
            "weight": (
                number.to_values(rng.integers(-(1 << bits - 1), 1 << bits - 1, weights)),
                number,
            ),
            "bias": (rng.normal(size=weights[-1]), FixedFormat(6, 2)),
        },
    )


BIT, SIGN = FixedFormat(1, 0, False), FixedFormat(1, 0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), formats(8, modes=False), formats(9), formats(8))
@example(1, BIT, FixedFormat(1, 0, False, "RND_CONV"), BIT)  # a shifted bit is not the highest one
@example(0, SIGN, FixedFormat(3, -2, False), BIT)  # six inputs of one bit that is a sign
def test_a_dense_layer_stores_products_in_the_accumulator(
    seed: int, given_format: FixedFormat, accumulator: FixedFormat, result: FixedFormat
) -> None:
    rng = np.random.default_rng(seed)
    inputs, outputs = int(rng.integers(1, 7)), int(rng.integers(1, 4))
    layer = random_layer(
        "Dense", rng, (outputs,), (inputs, outputs), accum_t=accumulator, result=result
    )
    layers = (Layer("Input", given_format, (inputs,)), layer)
    x = given_format.to_values(
        rng.integers(given_format.min_code, given_format.max_code + 1, (50, inputs))
    )
    try:
        found = answers(layers, x)
    except NoLogic:
        assume(False)
    np.testing.assert_array_equal(found, sums(x, layer))


def test_weights_of_too_many_bits_are_refused() -> None:
    number = FixedFormat(40, 4)
    weights = np.array([[1.5], [2.0**-22]])
    layer = Layer(
        "Dense",
        number,
        (1,),
        {"accum_t": number},
        {"weight": (weights, number), "bias": (np.array([0.5]), number)},
    )
    layers = (Layer("Input", SIGN, (2,)), layer)
    with pytest.raises(NoLogic, match="'layer_1': its weight in the format fixed<40,4> spans"):
        answers(layers, np.zeros((1, 2)))
    weights[1] *= 2
    x = -0.5 * np.array([[1, 0], [0, 1]])
    np.testing.assert_array_equal(answers(layers, x), sums(x, layer))


@pytest.mark.parametrize("fraction", [3, 5, 9])  # the products have 9 fraction bits
@pytest.mark.parametrize("stride, padding", [(1, (1, 1, 1, 1)), (2, (0, 1, 0, 1)), (2, (0,) * 4)])
def test_a_convolution(stride: int, padding: tuple[int, ...], fraction: int) -> None:
    rng = np.random.default_rng(stride + fraction)
    given_format = FixedFormat(6, 2, False)
    top, bottom, left, right = padding
    rows, columns = (5 + top + bottom - 3) // stride + 1, (6 + left + right - 2) // stride + 1
    sides = dict(zip(("top", "bottom", "left", "right"), padding, strict=True))
    kernel = rng.integers(-16, 16, (3, 2, 2, 3)) / 32
    layer = Layer(
        "Conv2D",
        FixedFormat(8, 4, True, "RND_CONV", "SAT"),
        (rows, columns, 3),
        {f"pad_{side}": amount for side, amount in sides.items()}
        | {f"stride_{axis}": stride for axis in ("height", "width")}
        | {"filt_height": 3, "filt_width": 2, "n_filt": 3, "n_chan": 2}
        | {"accum_t": FixedFormat(9 + fraction, 9)},
        {
            "weight": (kernel, FixedFormat(5, 0)),
            "bias": (np.array([0.5, -0.25, 0]), FixedFormat(4, 1)),
        },
    )
    images = given_format.to_values(rng.integers(0, 64, (40, 5, 6, 2)))
    padded = np.pad(images, ((0, 0), (top, bottom), (left, right), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 2), axis=(1, 2))
    windows = np.moveaxis(windows[:, ::stride, ::stride], 3, -1)
    expected = sums(windows.reshape(-1, 12), layer).reshape(40, -1)
    found = answers((Layer("Input", given_format, (5, 6, 2)), layer), images)
    np.testing.assert_array_equal(found, expected)
    # the same weights as hls4ml keeps them for its other strategy
    layer.attributes["_weights_transposed"] = True
    layer.constants["weight"] = (kernel.transpose(3, 0, 1, 2), FixedFormat(5, 0))
    found = answers((Layer("Input", given_format, (5, 6, 2)), layer), images)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("signed", [True, False])
def test_pooling_moving_and_scaling(signed: bool) -> None:
    rng = np.random.default_rng(1)
    number = FixedFormat(7, 3, signed)
    narrow = FixedFormat(6, 3, signed, "RND_CONV", "SAT")
    pool = {f"{key}_{axis}": 2 for key in ("pool", "stride") for axis in ("height", "width")}
    pool |= {f"pad_{side}": 0 for side in ("top", "bottom", "left", "right")}
    pads = {"pad_top": 0, "pad_bottom": 1, "pad_left": 2, "pad_right": 0}
    layers = (
        Layer("Input", number, (2, 4, 4)),
        Layer("Transpose", number, (4, 4, 2), {"perm": [1, 2, 0]}),
        Layer("Pooling2D", number, (2, 2, 2), pool | {"pool_op": "Max", "accum_t": number}),
        Layer("ZeroPadding2D", number, (3, 4, 2), pads),
        Layer("Reshape", number, (24,)),
        Layer(
            "BatchNormalization",
            narrow,
            (24,),
            constants={
                "scale": (np.array([0.75, -1.5]), FixedFormat(6, 2)),
                "bias": (np.array([0.125, 1]), FixedFormat(6, 2)),
            },
        ),
    )
    images = number.to_values(rng.integers(number.min_code, number.max_code + 1, (60, 2, 4, 4)))
    moved = images.transpose(0, 2, 3, 1)
    pooled = moved.reshape(60, 2, 2, 2, 2, 2).max(axis=(2, 4))
    padded = np.pad(pooled, ((0, 0), (0, 1), (2, 0), (0, 0))).reshape(60, -1)
    scaled = padded * np.tile([0.75, -1.5], 12) + np.tile([0.125, 1], 12)
    np.testing.assert_array_equal(answers(layers, images), narrow.quantise(scaled))


def test_a_pool_beside_the_image_shows_the_highest_bit() -> None:
    number = FixedFormat(4, 4, True)
    sides = {"pad_top": 0, "pad_bottom": 1, "pad_left": 0, "pad_right": 0}
    window = {"pool_height": 2, "pool_width": 1, "stride_height": 2, "stride_width": 1}
    layers = (
        Layer("Input", number, (1, 1, 1)),
        Layer(
            "Pooling2D", number, (1, 1, 1), sides | window | {"pool_op": "Max", "accum_t": number}
        ),
    )
    values = all_values(number)
    np.testing.assert_array_equal(answers(layers, values)[:, 0], values)


def test_wiring_shows_elements_within_their_range() -> None:
    number = FixedFormat(8, 3, True, "RND_CONV", "SAT")
    wiring = Wiring(2, np.array([1, -1, 0, 1]), largest=2.0)
    assert wiring.port_format(number) == FixedFormat(7, 2, False)
    layer = Layer(
        "Dense",
        FixedFormat(12, 6),
        (1,),
        {"accum_t": FixedFormat(20, 8)},
        {
            "weight": (np.array([[1.0], [2], [3], [0.5]]), FixedFormat(5, 3)),
            "bias": (np.zeros(1), FixedFormat(2, 1)),
        },
    )
    elements = np.array([[2.0, 0], [0, 2], [1.03125, 0.0625]])
    found = answers((Layer("Input", number, (4,)), layer), elements, wiring)
    np.testing.assert_array_equal(found[:, 0], elements @ [3, 1.5])
    wrapping = FixedFormat(8, 1, False)
    assert wiring.largest_value(wrapping) == 255 / 128  # and not 0, to which 2 would wrap


@pytest.mark.parametrize(
    "layer, message",
    [
        (Layer("Softmax", FixedFormat(8, 2), (1,)), "'layer_1' is a Softmax"),
        (
            Layer("Activation", FixedFormat(8, 2), (1,), {"activation": "tanh"}),
            "'layer_1' is the activation 'tanh'",
        ),
        (
            Layer("Pooling2D", FixedFormat(8, 2), (1,), {"pool_op": "Average"}),
            "'layer_1' pools by Average",
        ),
    ],
)
def test_what_cannot_be_built_is_named(layer: Layer, message: str) -> None:
    with pytest.raises(NoLogic, match=message):
        answers((Layer("Input", FixedFormat(4, 2), (1, 1, 1)), layer), np.zeros((1, 1)))


def test_a_saturating_sum_that_can_leave_its_format_is_refused() -> None:
    layer = Layer(
        "Dense",
        FixedFormat(8, 2),
        (1,),
        {"accum_t": FixedFormat(6, 3, True, "TRN", "SAT")},
        {
            "weight": (np.full((4, 1), 1.0), FixedFormat(3, 2)),
            "bias": (np.zeros(1), FixedFormat(2, 1)),
        },
    )
    with pytest.raises(NoLogic, match=r"layer_1.*fixed<6,3,TRN,SAT>.*order"):
        answers((Layer("Input", FixedFormat(4, 2, False), (4,)), layer), np.zeros((1, 4)))
