"""Upsets of single flip-flops of a netlist: which reach its outputs, and for how long."""

import numpy as np
import pytest

from hw.netlist.liberty import read_liberty
from hw.netlist.redundancy import RedundantNetlist
from hw.synthesis.asic import nangate45
from testbench.simulators.flip_machine import FlipMachine
from testbench.simulators.gate_machine import GateMachine
from tests.hw.guarded import BITS, contents, guarded, without_voter

CLOCKS = 5


@pytest.fixture(scope="module")
def library():
    return read_liberty(nangate45())


@pytest.fixture(scope="module")
def single(tmp_path_factory, library):
    return guarded(tmp_path_factory.mktemp("single"), library)


@pytest.fixture(scope="module")
def tripled(tmp_path_factory, library):
    return guarded(tmp_path_factory.mktemp("tripled"), library, TMR=1, TMR_PIPELINE=1)


def inputs_of(netlist, rng):
    found = {}
    for port, nets in netlist.inputs.items():
        for net in nets:
            found[net] = int(port == "x" and rng.integers(2))
    return found


def effects(netlist, ports=("y",)):
    rng = np.random.default_rng(1)
    state = {register.gate.name: int(rng.integers(2)) for register in netlist.registers}
    inputs = [inputs_of(netlist, rng) for _ in range(CLOCKS)]
    registers = list(netlist.registers)
    return FlipMachine(netlist).effects(state, inputs, registers, ports=ports)


def settled(netlist):
    """The effects from a state in which all copies agree."""
    state = {register.gate.name: 0 for register in netlist.registers}
    rng = np.random.default_rng(1)
    inputs = [inputs_of(netlist, rng) for _ in range(CLOCKS)]
    return FlipMachine(netlist).effects(state, inputs, list(netlist.registers), ports=("y",))


@pytest.mark.slow
def test_a_weights_flip_stays_and_a_pipelines_flip_lasts_one_clock(single):
    found = settled(single)
    of_weights = {single.drivers.get(net) for net in contents(single).values()}
    assert of_weights == {None}  # a flip-flop drives each
    weights = set(contents(single).values())
    for effect in found:
        is_weight = bool(weights & set(effect.register.outputs))
        # a weight acts one clock later: the pipeline stands before the output
        assert effect.differs.tolist() == (
            [False, True, True, True, True] if is_weight else [True, False, False, False, False]
        )
        assert (effect.stays, effect.lasts) == (is_weight, 4 if is_weight else 1)
    assert len(found) == 2 * BITS


@pytest.mark.slow
def test_no_flip_gets_through_where_all_is_tripled(tripled):
    found = settled(tripled)
    assert len(found) == 3 * 2 * BITS
    assert not any(effect.differs.any() or effect.stays for effect in found)


@pytest.mark.slow
def test_the_control_with_a_voter_left_out_is_caught(tripled):
    item = next(RedundantNetlist(tripled, ("upset",)).kept({"w": contents(tripled)["kept[6]"]}))
    copy = item.copies[1]
    net = next(net for net, inverted in copy.outputs.items() if not inverted)
    found = settled(without_voter(tripled, item.voter, net))
    (caught,) = [effect for effect in found if effect.differs.any()]
    assert caught.register.gate.name == copy.gate.name


@pytest.mark.slow
def test_flips_do_what_the_simulation_of_many_clocks_does_without_them(single):
    """The last copy, without flip, against the machine that computes all clocks at once."""
    rng = np.random.default_rng(4)
    inputs = [inputs_of(single, rng) for _ in range(CLOCKS)]
    seen = []
    register = single.registers[0]
    FlipMachine(single).effects(
        {}, inputs, [register], ports=("y",),
        seen=lambda _, clock, values: seen.append([values[n] >> 1 for n in single.outputs["y"]]),
    )  # fmt: skip
    together = {net: sum(at[net] << t for t, at in enumerate(inputs)) for net in inputs[0]}
    expected = GateMachine(single).run(together, CLOCKS)
    words = [sum(bits[i] << t for t, bits in enumerate(seen)) for i in range(BITS)]
    assert words == [expected[net] for net in single.outputs["y"]]
