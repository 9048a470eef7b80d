"""Descriptions of networks that ask for too much, wait for themselves, or are half a text."""

import json
from typing import Any

import pytest

from models.networks.description_limits import fault_of_call, fault_of_order, fault_of_sizes


def layer(name: str, kind: str, *reads: Any, **settings: Any) -> dict[str, Any]:
    nodes = [[[source, node, 0, {}]] for source, node in reads]
    return {"class_name": kind, "name": name, "config": {"name": name, **settings},
            "inbound_nodes": nodes}  # fmt: skip


def network(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Functional", "config": {"name": "m", "layers": list(layers)}}


INPUT = layer("in", "InputLayer", batch_input_shape=[None, 8, 8, 1])


def test_sound_networks_have_no_fault() -> None:
    # one activation that stands at two places, the second behind the first
    sound = network(
        INPUT,
        layer("a", "Dense", ("in", 0), units=8),
        layer("relu", "ReLU", ("a", 0), ("b", 0)),
        layer("b", "Dense", ("relu", 0), units=8),
        layer("c", "Dense", ("relu", 1), units=8),
    )
    assert fault_of_order(sound) is None
    assert fault_of_sizes(sound) is None


@pytest.mark.parametrize(
    ("faulty", "words"),
    [
        (network(INPUT, layer("a", "Dense", ("a", 0), units=1)), "'a' reads what itself"),
        (
            network(INPUT, layer("a", "Dense", ("b", 0)), layer("b", "Dense", ("a", 0))),
            "reads what itself is computed from",
        ),
        (network(INPUT, layer("a", "Dense", ("x", 0))), "reads layer 'x', which does not exist"),
        (network(INPUT, layer("a", "Dense", ("in", 5))), "reads layer 'in', which does not exist"),
    ],
)
def test_layers_that_wait_for_themselves_are_told(faulty: dict[str, Any], words: str) -> None:
    assert words in (fault_of_order(faulty) or "")


@pytest.mark.parametrize(
    ("faulty", "words"),
    [
        (network(layer("a", "Conv2D", filters=10**9)), "filters 1000000000"),
        (network(layer("a", "Dense", units=10**9)), "units 1000000000"),
        (network(layer("a", "Conv2D", filters=8, kernel_size=[10**6, 3])), "kernel_size 1000000"),
        (network(layer("a", "Reshape", target_shape=[1, -(10**7)])), "target_shape"),
        (network(layer("in", "InputLayer", batch_input_shape=[None, 10**8])), "batch_input_shape"),
        (network(layer("a", "Conv2D", filters=60000, kernel_size=[100, 100])), "100,000,000 weigh"),
        (network(*(layer(f"d{i}", "Dense", units=1) for i in range(2000))), "2000 layers"),
        (network(network(*(layer(f"d{i}", "ReLU") for i in range(1500)))), "1501 layers"),
    ],
)
def test_absurd_sizes_are_told(faulty: dict[str, Any], words: str) -> None:
    assert words in (fault_of_sizes(json.loads(json.dumps(faulty))) or "")


@pytest.mark.parametrize(
    "text",
    ["relu", "quantized_bits(4,0,alpha=1)", "quantized_bits(4, 0, 1, alpha='auto_po2')",
     "quantized_relu(9,1,negative_slope=-0.5)", "binary(alpha=None)", "ternary()"],
)  # fmt: skip
def test_calls_of_quantisers_are_taken(text: str) -> None:
    assert fault_of_call(text) is None


@pytest.mark.parametrize(
    "text",
    ["quantized_bits(4,0", "quantized_bits(4,0))", "quantized_bits(4,0) + 1", "quantized_bits(4;0)",
     "quantized_bits(4,0)(1)", "quantized_bits(bits=4, bits=5)", "quantized_bits(os.getcwd())",
     "quantized_bits(x)", "quantized_bits(*[4])", "quantized_bits(**{})", "", "4", "a.b(1)",
     "quantized_bits(4,0)\nquantized_bits(2,0)", "(" * 500, "quantized_bits(4,0,alpha=lambda: 1)"],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    assert fault_of_call(text)
