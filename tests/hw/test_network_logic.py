"""Logic of single operations against exact evaluation, for random formats."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hw.foundation.fixed_point import FixedFormat
from hw.foundation.integer_evaluation import evaluate
from hw.foundation.integer_network import (
    Cast,
    Constants,
    Input,
    IntegerNetwork,
    MaxPool,
    NetworkBuilder,
    Operation,
    Pad,
    Reshape,
    Scale,
    Transpose,
    WeightedSum,
    narrowest,
)
from hw.generated.network_logic import (
    NoLogic,
    Wiring,
    common_format,
    network_logic,
    straight_wiring,
)

ROUNDING = ("TRN", "TRN_ZERO", "RND", "RND_CONV", "RND_INF", "RND_ZERO", "RND_MIN_INF")
OVERFLOW = ("WRAP", "SAT", "SAT_SYM", "SAT_ZERO")


def chain(number: FixedFormat, shape: tuple[int, ...], *operations: Operation) -> IntegerNetwork:
    """A network of operations one after the other, which get their names here."""
    named: list[Operation] = [Input("x", "x", (), shape, number)]
    for index, operation in enumerate(operations):
        changes = {"name": f"o{index}", "layer": f"o{index}", "sources": (named[-1].name,)}
        named.append(type(operation)(**{**vars(operation), **changes}))
    return IntegerNetwork(tuple(named), named[-1].name)


def anonymous(shape: tuple[int, ...], number: FixedFormat) -> dict[str, Any]:
    return {"name": "", "layer": "", "sources": (), "shape": shape, "number": number}


def answers(network: IntegerNetwork, inputs: np.ndarray, wiring: Wiring | None = None) -> Any:
    """What the logic of a network gives for inputs (n, ...), shape (n, outputs)."""
    logic = network_logic(network, wiring or straight_wiring(network.input_size))
    found = logic.logic.predict(inputs.reshape(len(inputs), -1), n_threads=1)
    assert logic.output == network.result.number
    assert logic.output.represents(found)
    return found.reshape(len(inputs), -1)


def require_equal(network: IntegerNetwork, inputs: np.ndarray) -> None:
    expected = evaluate(network, inputs).reshape(len(inputs), -1)
    found = answers(network, inputs)
    np.testing.assert_array_equal(network.result.number.to_codes(found), expected)


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
@given(formats(), formats(6), st.booleans())
def test_a_cast_of_every_value(given_format: FixedFormat, wanted: FixedFormat, relu: bool) -> None:
    network = chain(given_format, (1,), Cast(**anonymous((1,), wanted), relu=relu))
    values = all_values(given_format)
    expected = wanted.quantise(np.maximum(values, 0) if relu else values)
    np.testing.assert_array_equal(answers(network, values)[:, 0], expected)
    np.testing.assert_array_equal(evaluate(network, values)[:, 0], wanted.to_codes(expected))


def sums(x: np.ndarray, operation: WeightedSum) -> np.ndarray:
    """The C++'s loop: products and partial sums in the accumulator's format."""
    number = operation.accumulator
    weights = operation.kernel.values.reshape(-1, operation.bias.codes.size)
    total = np.broadcast_to(number.quantise(operation.bias.values), (len(x), weights.shape[1]))
    for column, row in zip(x.T, weights, strict=True):
        total = number.quantise(total + number.quantise(column[:, None] * row))
    return operation.number.quantise(total)


def random_constants(rng: np.random.Generator, shape: tuple[int, ...]) -> Constants:
    bits = int(rng.integers(2, 7))
    number = FixedFormat(bits, int(rng.integers(0, 3)))
    return Constants(rng.integers(-(1 << bits - 1), 1 << bits - 1, shape), number)


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
    layer = WeightedSum(
        **anonymous((outputs,), result),
        kernel=random_constants(rng, (inputs, outputs)),
        bias=random_constants(rng, (outputs,)),
        accumulator=accumulator,
        dense=True,
    )
    network = chain(given_format, (inputs,), layer)
    x = given_format.to_values(
        rng.integers(given_format.min_code, given_format.max_code + 1, (50, inputs))
    )
    try:
        found = answers(network, x)
    except NoLogic:
        assume(False)
    np.testing.assert_array_equal(found, sums(x, layer))
    if accumulator.overflow == "WRAP":  # to others the order of a sum that leaves them matters
        np.testing.assert_array_equal(result.to_values(evaluate(network, x)), found)


def test_weights_of_many_bits_are_made_of_parts() -> None:
    number = FixedFormat(50, 8)
    layer = WeightedSum(
        **anonymous((1,), number),
        kernel=narrowest(np.array([[1.5 + 2.0**-30], [2.0**-30 - 1]])),
        bias=narrowest(np.array([0.5 + 2.0**-28])),
        accumulator=number,
        dense=True,
    )
    number = FixedFormat(4, 2)
    x = number.to_values(np.stack(np.meshgrid(range(-8, 8), range(-8, 8)), -1).reshape(-1, 2))
    require_equal(chain(number, (2,), layer), x)
    longer = replace(layer, bias=narrowest(np.array([0.5 + 2.0**-33])))
    with pytest.raises(NoLogic, match=r"layer 'o0': its constant 0\.5"):
        answers(chain(number, (2,), longer), x)


@pytest.mark.parametrize("fraction", [3, 5, 9])  # the products have 9 fraction bits
@pytest.mark.parametrize("stride, padding", [(1, ((1, 1), (1, 1))), (2, ((0, 1), (0, 1)))])
def test_a_convolution(stride: int, padding: Any, fraction: int) -> None:
    rng = np.random.default_rng(stride + fraction)
    given_format = FixedFormat(6, 2, False)
    (top, bottom), (left, right) = padding
    rows, columns = (5 + top + bottom - 3) // stride + 1, (6 + left + right - 2) // stride + 1
    layer = WeightedSum(
        **anonymous((rows, columns, 3), FixedFormat(8, 4, True, "RND_CONV", "SAT")),
        kernel=Constants(rng.integers(-16, 16, (3, 2, 2, 3)), FixedFormat(5, 0)),
        bias=Constants(np.array([4, -2, 0]), FixedFormat(4, 1)),
        accumulator=FixedFormat(9 + fraction, 9),
        strides=(stride, stride),
        padding=padding,
    )
    images = given_format.to_values(rng.integers(0, 64, (40, 5, 6, 2)))
    padded = np.pad(images, ((0, 0), *padding, (0, 0)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, (3, 2), axis=(1, 2))
    seen = np.moveaxis(seen[:, ::stride, ::stride], 3, -1)
    network = chain(given_format, (5, 6, 2), layer)
    expected = sums(seen.reshape(-1, 12), layer).reshape(40, -1)
    np.testing.assert_array_equal(answers(network, images), expected)
    require_equal(network, images)


@pytest.mark.parametrize("signed", [True, False])
def test_pooling_moving_and_scaling(signed: bool) -> None:
    rng = np.random.default_rng(1)
    number = FixedFormat(7, 3, signed)
    narrow = FixedFormat(6, 3, signed, "RND_CONV", "SAT")
    network = chain(
        number,
        (2, 4, 4),
        Transpose(**anonymous((4, 4, 2), number), axes=(1, 2, 0)),
        MaxPool(**anonymous((2, 2, 2), number), size=(2, 2), strides=(2, 2)),
        Pad(**anonymous((3, 4, 2), number), padding=((0, 1), (2, 0))),
        Reshape(**anonymous((24,), number)),
        Scale(
            **anonymous((24,), narrow),
            factor=narrowest(np.tile([0.75, -1.5], 12)),
            offset=narrowest(np.tile([0.125, 1], 12)),
        ),
    )
    images = number.to_values(rng.integers(number.min_code, number.max_code + 1, (60, 2, 4, 4)))
    moved = images.transpose(0, 2, 3, 1)
    pooled = moved.reshape(60, 2, 2, 2, 2, 2).max(axis=(2, 4))
    padded = np.pad(pooled, ((0, 0), (0, 1), (2, 0), (0, 0))).reshape(60, -1)
    scaled = padded * np.tile([0.75, -1.5], 12) + np.tile([0.125, 1], 12)
    np.testing.assert_array_equal(answers(network, images), narrow.quantise(scaled))
    require_equal(network, images)


@pytest.mark.parametrize("signed", [True, False])
def test_a_pool_beside_the_image_sees_nothing_there(signed: bool) -> None:
    number = FixedFormat(4, 4, signed)
    pool = MaxPool(
        **anonymous((1, 1, 1), number), size=(2, 1), strides=(2, 1), padding=((0, 1), (0, 0))
    )
    values = all_values(number)
    network = chain(number, (1, 1, 1), pool)
    np.testing.assert_array_equal(answers(network, values)[:, 0], values)
    require_equal(network, values)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), formats(5, modes=False), formats(5, modes=False))
def test_merges_and_joins_of_different_formats(
    seed: int, one: FixedFormat, other: FixedFormat
) -> None:
    rng = np.random.default_rng(seed)
    for function in ("add", "subtract", "maximum", "minimum", "multiply", "concatenate"):
        build = NetworkBuilder("merge")
        sources = build.input("a", (3,), one), build.input("b", (3,), other)
        if function == "concatenate":
            build.concatenate("c", sources, 0)
        else:
            build.merge("c", sources, function)
        parts = [
            number.to_values(rng.integers(number.min_code, number.max_code + 1, (30, 3)))
            for number in (one, other)
        ]
        require_equal(build.network("c"), np.concatenate(parts, axis=1))


def test_the_common_format_holds_all() -> None:
    numbers = [FixedFormat(8, 1), FixedFormat(12, 12, False)]
    common = common_format(numbers)
    assert common == FixedFormat(20, 13)
    for number in numbers:
        assert common.represents([number.min_value, number.max_value, number.step])
    assert common_format([numbers[0]] * 3) == numbers[0]


def test_wiring_shows_elements_within_their_range() -> None:
    number = FixedFormat(8, 3, True, "RND_CONV", "SAT")
    wiring = Wiring(2, np.array([1, -1, 0, 1]), largest=2.0)
    assert wiring.port_format(number) == FixedFormat(7, 2, False)
    layer = WeightedSum(
        **anonymous((1,), FixedFormat(12, 6)),
        kernel=narrowest(np.array([[1.0], [2], [3], [0.5]])),
        bias=narrowest(np.zeros(1)),
        accumulator=FixedFormat(20, 8),
        dense=True,
    )
    elements = np.array([[2.0, 0], [0, 2], [1.03125, 0.0625]])
    found = answers(chain(number, (4,), layer), elements, wiring)
    np.testing.assert_array_equal(found[:, 0], elements @ [3, 1.5])
    wrapping = FixedFormat(8, 1, False)
    assert wiring.largest_value(wrapping) == 255 / 128  # and not 0, to which 2 would wrap


def test_a_saturating_sum_that_can_leave_its_format_is_refused() -> None:
    layer = WeightedSum(
        **anonymous((1,), FixedFormat(8, 2)),
        kernel=narrowest(np.full((4, 1), 1.0)),
        bias=narrowest(np.zeros(1)),
        accumulator=FixedFormat(6, 3, True, "TRN", "SAT"),
        dense=True,
    )
    with pytest.raises(NoLogic, match=r"o0.*fixed<6,3,TRN,SAT>.*order"):
        answers(chain(FixedFormat(4, 2, False), (4,), layer), np.zeros((1, 4)))
