"""States counted in thousands of clocks at once are those of a simulation clock by clock."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.foundation.errors import InputError
from hw.netlist.gate_netlist import GateNetlist
from hw.netlist.liberty import read_liberty
from hw.netlist.power_library import pins_of
from hw.netlist.simple_gates import ONE, Gate
from hw.open_tools.verilog_design import VerilogDesign
from hw.synthesis.nangate45 import nangate45
from testbench.simulators.rtlsim import DataPort, RtlDesign
from testbench.simulators.switching import switching

DESIGN = RtlDesign(VerilogDesign((), "top"), DataPort("x", 1, 2), DataPort("y", 1, 1))
CLOCK, LOAD, DATA = 2, 3, 4
RESET_CLOCKS = 4

# a register that takes `data` where `load` is 1 and holds its value elsewhere, and one after it
GATES = (
    Gate("invert", "INV_X1", {"A": LOAD, "ZN": 10}),
    Gate("take", "NAND2_X1", {"A1": LOAD, "A2": DATA, "ZN": 11}),
    Gate("hold", "NAND2_X1", {"A1": 10, "A2": 13, "ZN": 12}),
    Gate("next", "NAND2_X1", {"A1": 11, "A2": 12, "ZN": 14}),
    Gate("held", "DFF_X1", {"D": 14, "CK": CLOCK, "Q": 13}),
    Gate("later", "DFF_X1", {"D": 15, "CK": CLOCK, "QN": 16}),
    Gate("add", "FA_X1", {"A": 13, "B": DATA, "CI": ONE, "S": 15}),
)


@pytest.fixture(scope="module")
def library():
    return read_liberty(nangate45())


def netlist(library, gates=GATES) -> GateNetlist:
    inputs = {"clock": (CLOCK,), "x": (LOAD, DATA)}
    return GateNetlist("top", inputs, {"y": (16,)}, gates, {}, library)


def clock_by_clock(vectors):
    """Values of all pins of each gate, one dictionary a clock, by the gates' own names."""
    held = later = 0
    for load, data in vectors:
        take, hold = 1 - (load & data), 1 - ((1 - load) & held)
        following = 1 - (take & hold)
        total = held + data + 1
        yield {
            "invert": {"A": load, "ZN": 1 - load},
            "take": {"A1": load, "A2": data, "ZN": take},
            "hold": {"A1": 1 - load, "A2": held, "ZN": hold},
            "next": {"A1": take, "A2": hold, "ZN": following},
            "held": {"D": following, "CK": 1, "Q": held, "QN": 1 - held},
            "later": {"D": total & 1, "CK": 1, "Q": later, "QN": 1 - later},
            "add": {"A": held, "B": data, "CI": 1, "S": total & 1, "CO": total >> 1},
        }
        held, later = following, total & 1


def states(library, vectors) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {gate.name: [] for gate in GATES}
    for values in clock_by_clock(vectors):
        for gate in GATES:
            bits = [values[gate.name][pin] for pin in pins_of(library.cells[gate.kind])]
            found[gate.name].append(int("".join(map(str, bits)), 2))
    return found


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40),
    st.integers(0, 3),
    st.sampled_from([1, 7, 20_000]),
)
def test_states_are_those_of_each_clock(library, vectors, latency, clocks_at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("testbench.simulators.gatesim._CLOCKS_AT_ONCE", clocks_at_once)
        found = switching(netlist(library), DESIGN, np.array(vectors), latency)
    before = [vectors[i % len(vectors)] for i in range(-latency - 1, 0)]
    # without valid input the bench shows the complement of the last vector, which was 0
    fed = [(1, 1)] * RESET_CLOCKS + before + vectors
    for name, every in states(library, fed).items():
        counted = every[-len(vectors) - 1 :]
        assert found[name] == Counter(pairwise(counted)), name


def test_a_register_that_holds_never_changes_without_load(library):
    found = switching(netlist(library), DESIGN, np.array([(0, 1), (0, 0)] * 5), 1)
    # the 1 of the reset's clocks is held: D = Q = 1
    assert found["held"] == {(0b1110, 0b1110): 10}
    assert sum(count for (a, b), count in found["add"].items() if a != b) == 10


def test_a_pin_whose_values_are_not_known_is_told(library):
    scan = Gate("held", "SDFF_X1", {"D": DATA, "CK": CLOCK, "SE": 0, "SI": 13, "Q": 16})
    with pytest.raises(InputError, match="its pin 'SI' do not follow"):
        switching(netlist(library, (*GATES[:5], scan)), DESIGN, np.array([(1, 1)]), 0)
