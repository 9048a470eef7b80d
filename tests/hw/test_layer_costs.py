"""What each layer takes of a network's logic: parts of the whole, and the logic as without."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.foundation.fixed_point import FixedFormat
from hw.foundation.integer_network import IntegerNetwork, NetworkBuilder, narrowest
from hw.generated import network_logic as building
from hw.generated.layer_costs import LayerCost, whole
from hw.generated.layer_labels import NO_LAYER, LayerLabels, layer_of
from hw.generated.network_logic import NetworkLogic, network_logic, straight_wiring
from hw.generated.verilog import GeneratedRtl, write_rtl
from hw.targets.target import Rtl, Target, load_target

INPUT, HIDDEN, RESULT = FixedFormat(4, 0, False), FixedFormat(5, 2, False), FixedFormat(6, 3)
TARGET = load_target("vitis")


def random_network(seed: int) -> IntegerNetwork:
    """Two or three dense layers with activations, and a layer that is used by two."""
    rng = np.random.default_rng(seed)
    build = NetworkBuilder()

    def dense(name: str, source: str, size: int) -> str:
        build.layer = name
        shape = build.bounds[source].low.size, size
        weights, bias = rng.integers(-7, 8, shape) / 8, rng.integers(-7, 8, size) / 8
        return build.dense(name, source, narrowest(weights), narrowest(bias))

    build.layer = "numbers"
    last = build.input("numbers", (int(rng.integers(2, 6)),), INPUT)
    for number in range(int(rng.integers(1, 3))):
        last = dense(f"hidden_{number}", last, int(rng.integers(2, 6)))
        build.layer = f"relu_{number}"
        last = build.cast(f"relu_{number}", last, HIDDEN, relu=True)
    last = dense("latent", last, int(rng.integers(1, 4)))
    build.layer = "result"
    return build.network(build.cast("result", last, RESULT))


def written(logic: NetworkLogic, inputs: int, target: Target, folder: Path) -> GeneratedRtl:
    return write_rtl(logic, straight_wiring(inputs), target, folder, encoder_hash="0" * 16)


@contextlib.contextmanager
def nothing_patched() -> Iterator[LayerLabels]:
    yield LayerLabels()


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 3]))
def test_the_layers_add_up_to_the_whole(
    tmp_path_factory: pytest.TempPathFactory, seed: int, stages: int
) -> None:
    network = random_network(seed)
    logic = network_logic(network, straight_wiring(network.input_size))
    if not any(op.opcode == -1 for op in logic.logic.ops) or not sum(logic.logic.out_kifs.sum(0)):
        return  # the outputs are constant
    target = TARGET.model_copy(update={"rtl": Rtl(pipeline_stages=stages)})
    folder = tmp_path_factory.mktemp("rtl") / "rtl"
    design = written(logic, network.input_size, target, folder)
    assert [part.layer for part in design.layers] == [*logic.layers, NO_LAYER]
    together = whole(design.layers)
    assert together.lut == design.estimated_lut
    assert together.delay_ns == pytest.approx(design.estimated_delay_ns, abs=1e-9)
    assert all(part.lut >= 0 and part.delay_ns >= 0 for part in design.layers)
    assert design.layers[-1] == LayerCost(layer=NO_LAYER, adders=0, lut=0, depth=0, delay_ns=0)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_the_logic_is_the_same_as_without_labels(seed: int) -> None:
    network = random_network(seed)
    labelled = network_logic(network, straight_wiring(network.input_size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "labels", nothing_patched)
        plain = network_logic(network, straight_wiring(network.input_size))
    assert labelled.logic == plain.logic
    assert {layer_of(op) for op in plain.logic.ops} == {NO_LAYER}


def test_each_operation_is_counted_with_the_layer_that_it_was_made_for(tmp_path: Path) -> None:
    """Three sums in one layer, one in the next, of known width; a copy shifted costs nothing."""
    build = NetworkBuilder(layer="numbers")
    numbers = build.input("numbers", (4,), INPUT)
    build.layer = "pairs"
    pairs = build.dense(
        "pairs",
        numbers,
        narrowest(np.array([[1, 0, 2], [1, 0, 0], [0, 1, 0], [0, 1, 0]])),
        narrowest(np.zeros(3)),
    )
    build.layer = "all"
    every = build.dense("all", pairs, narrowest(np.array([[1], [1], [0]])), narrowest(np.zeros(1)))
    network = build.network(every)
    target = TARGET.model_copy(update={"rtl": Rtl(pipeline_stages=1)})
    logic = network_logic(network, straight_wiring(4))
    design = written(logic, 4, target, tmp_path / "rtl")
    cost = {part.layer: part for part in design.layers}
    # the last sum takes one of the two before it with it: a sum of three
    assert (cost["pairs"].adders, cost["all"].adders, cost["numbers"].adders) == (1, 1, 0)
    assert cost["pairs"].depth == cost["all"].depth == 1
    assert cost["pairs"].lut > 0 and cost["all"].lut > cost["pairs"].lut


def test_logic_that_names_no_layer_is_between_layers(tmp_path: Path) -> None:
    from alkaid.trace import FVArray, trace

    port = FVArray.from_kif(np.zeros(2, int), np.full(2, 2), np.full(2, 4), hwconf=(1, 1, -1))
    a, b = np.asarray(port)
    number = FixedFormat(6, 2, False)
    traced = trace(port, [a + b], keep_dead_inputs=True)
    logic = NetworkLogic(traced, (number,) * 2, number, FixedFormat(7, 3, False), 2, 1)
    (rest,) = written(logic, 2, TARGET, tmp_path / "rtl").layers
    assert (rest.layer, rest.adders, rest.depth) == (NO_LAYER, 1, 1)
