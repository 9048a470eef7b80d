"""Whether synthesis kept the copies of tripled registers: shown of each bit, or why not."""

from dataclasses import replace

import pytest

from hw.netlist.liberty import read_liberty
from hw.netlist.redundancy import RedundantNetlist
from hw.synthesis.asic import nangate45
from tests.hw.guarded import BITS, contents, guarded, without_voter

CHOSEN = 0b1000_0100_0010_0001


@pytest.fixture(scope="module")
def library():
    return read_liberty(nangate45())


@pytest.fixture(scope="module")
def some(tmp_path_factory, library):
    return guarded(tmp_path_factory.mktemp("some"), library, TRIPLED=CHOSEN)


def kept(netlist):
    found = RedundantNetlist(netlist, unused=("upset",)).kept(contents(netlist))
    return {item.bit: item for item in found}


def chosen_names():
    return {f"kept[{i}]" for i in range(BITS) if CHOSEN >> i & 1}


@pytest.mark.slow
def test_the_chosen_bits_and_no_others_keep_three_flip_flops_and_a_voter(some):
    found = kept(some)
    assert len(found) == BITS
    safe = {name for name, item in found.items() if not item.fault}
    assert safe == chosen_names()
    for name in safe:
        assert len({register.gate.name for register in found[name].copies}) == 3
        assert found[name].voter == contents(some)[name]
    for name in found.keys() - safe:
        assert found[name].fault == "1 flip-flops in place of 3"
    # 16 bits, two more copies of four of them, 16 of the pipeline
    assert len(some.registers) == 16 + 2 * 4 + 16


@pytest.mark.slow
def test_a_voter_that_is_left_out_is_found(some):
    item = kept(some)["kept[5]"]
    copy = next(net for net, inverted in item.copies[0].outputs.items() if not inverted)
    damaged = without_voter(some, item.voter, copy)
    found = kept(damaged)
    assert found["kept[5]"].fault
    assert {name for name, one in found.items() if not one.fault} == chosen_names() - {"kept[5]"}


@pytest.mark.slow
def test_copies_that_were_merged_are_found(some):
    """One flip-flop's output in place of another's, as an optimisation would have it."""
    item = kept(some)["kept[10]"]
    first, second = (
        next(net for net, inverted in register.outputs.items() if not inverted)
        for register in item.copies[:2]
    )
    gates = tuple(
        replace(gate, pins={pin: first if net == second else net for pin, net in gate.pins.items()})
        for gate in some.gates
        if gate.name != item.copies[1].gate.name
    )
    found = kept(replace(some, gates=gates))
    assert found["kept[10]"].fault == "2 flip-flops in place of 3"
    assert not found["kept[0]"].fault


@pytest.mark.slow
def test_a_path_around_the_voter_is_found(some):
    """An output that shows one copy itself."""
    item = kept(some)["kept[0]"]
    copy = next(net for net, inverted in item.copies[0].outputs.items() if not inverted)
    outputs = {**some.outputs, "shown": (copy,)}
    fault = kept(replace(some, outputs=outputs))["kept[0]"].fault
    assert fault.startswith("a copy itself goes on at '")
    other = {name: one.fault for name, one in kept(replace(some, outputs=outputs)).items()}
    assert not other["kept[5]"]


@pytest.mark.slow
def test_copies_that_store_different_things_are_found(some):
    found = kept(some)
    first, other = found["kept[0]"].copies[0], found["kept[15]"].copies[0]
    pins = {**first.gate.pins, first.flip_flop.data: other.data}
    damaged = kept(some.with_gate(replace(first.gate, pins=pins)))
    assert damaged["kept[0]"].fault == "its flip-flops do not store the same"


@pytest.mark.slow
def test_all_bits_are_kept_where_all_are_tripled(tmp_path, library):
    netlist = guarded(tmp_path, library, TMR=1)
    assert not [item.fault for item in kept(netlist).values() if item.fault]
