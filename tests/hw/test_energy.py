"""Energy of netlists so small that it is computed by hand, from a library of three cells."""

import shutil
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.foundation.errors import InputError, ToolFailed, ToolMissing
from hw.netlist.energy import Energy, energy
from hw.netlist.gate_netlist import GateNetlist
from hw.netlist.liberty import Library, read_liberty
from hw.netlist.opensta import opensta_version
from hw.netlist.opensta_power import opensta_power, parse_report_power
from hw.netlist.power_library import NoPower, read_power
from hw.netlist.simple_gates import Gate
from hw.netlist.slews import Slew, loads, slews
from hw.synthesis.nangate45 import nangate45

REPORT = (Path(__file__).with_name("vendor_reports") / "opensta_power.txt").read_text()
PERIOD = 25.0  # ns
SUPPLY = 2.0  # V
UP, DOWN = (0b01, 0b10), (0b10, 0b01)  # of an inverter's input and output


def scalar(kind: str, value: float) -> str:
    return f'{kind} (scalar) {{ values ("{value}"); }}'


def power(rise: float, fall: float, more: str = "", times: float = 1.0) -> str:
    tables = scalar("rise_power", times * rise) + scalar("fall_power", times * fall)
    return f"internal_power () {{ {more} {tables} }}\n"


def liberty(times: float = 1.0) -> str:
    """The library; internal energies are multiplied.

    Of the inverter: a rise takes 3 + load / 5 + 4 slew, a fall 1 + load / 10; a rising output's
    slew is load / 10, a falling one's half of that.
    """
    table = ", ".join(f'"{times * a}, {times * b}"' for a, b in ((3, 5), (7, 9)))
    fall = ", ".join([f'"{times}, {times * 2}"'] * 2)
    return f"""library (hand) {{
  time_unit : "1ns"; voltage_unit : "1V"; nom_voltage : {SUPPLY}; leakage_power_unit : "1nW";
  capacitive_load_unit (1, ff);
  power_lut_template (p) {{ variable_1 : input_transition_time;
    variable_2 : total_output_net_capacitance; index_1 ("0, 1"); index_2 ("0, 10"); }}
  lu_table_template (t) {{ variable_1 : input_net_transition;
    variable_2 : total_output_net_capacitance; index_1 ("0, 1"); index_2 ("0, 10"); }}
  cell (INV) {{ area : 1;
    leakage_power () {{ when : "A"; value : 10; }} leakage_power () {{ when : "!A"; value : 30; }}
    pin (A) {{ direction : input; capacitance : 2; }}
    pin (Y) {{ direction : output; function : "!A";
      timing () {{ related_pin : "A"; timing_sense : negative_unate;
        {scalar("cell_rise", 1)} {scalar("cell_fall", 1)}
        rise_transition (t) {{ values ("0, 1", "0, 1"); }}
        fall_transition (t) {{ values ("0, 0.5", "0, 0.5"); }} }}
      internal_power () {{ related_pin : "A"; rise_power (p) {{ values ({table}); }}
        fall_power (p) {{ values ({fall}); }} }} }} }}
  cell (NAND) {{ area : 1; cell_leakage_power : 5;
    leakage_power () {{ when : "A & B"; value : 20; }}
    pin (A) {{ direction : input; capacitance : 1; }}
    pin (B) {{ direction : input; capacitance : 3; }}
    pin (Y) {{ direction : output; function : "!(A B)";
      {power(6, 2, 'related_pin : "A"; when : "B";', times)}
      {power(50, 60, 'related_pin : "A"; when : "!B";', times)}
      {power(8, 4, 'related_pin : "B";', times)} }} }}
  cell (DFF) {{ area : 1;
    ff (IQ, IQN) {{ next_state : "D"; clocked_on : "CK"; }}
    leakage_power () {{ when : "CK"; value : 40; }} leakage_power () {{ when : "!CK"; value : 60; }}
    pin (D) {{ direction : input; capacitance : 1;
      {power(0.5, 0.25, 'when : "CK";', times)} {power(100, 100, 'when : "!CK";', times)} }}
    pin (CK) {{ direction : input; clock : true; capacitance : 2;
      {power(1, 2, 'when : "D & !Q";', times)} {power(3, 4, 'when : "!D & Q & !QN";', times)}
      {power(5, 6, "", times)} }}
    pin (Q) {{ direction : output; function : "IQ"; {power(11, 13, 'related_pin : "CK";', times)} }}
    pin (QN) {{ direction : output; function : "IQN"; }} }}
}}
"""


def write(folder: Path, text: str) -> Library:
    file = folder / "hand.lib"
    file.write_text(text)
    return read_liberty(file)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Library:
    return write(tmp_path_factory.mktemp("hand"), liberty())


@pytest.fixture(scope="module")
def doubled(tmp_path_factory) -> Library:
    return write(tmp_path_factory.mktemp("doubled"), liberty(2.0))


def netlist(library: Library, *gates: Gate) -> GateNetlist:
    """Inputs are nets 2 to 9."""
    return GateNetlist("top", {"x": tuple(range(2, 10))}, {}, gates, {}, library)


def inverters(library: Library) -> GateNetlist:
    return netlist(
        library, Gate("first", "INV", {"A": 2, "Y": 10}), Gate("second", "INV", {"A": 10, "Y": 11})
    )


def nand(library: Library) -> GateNetlist:
    return netlist(library, Gate("nand", "NAND", {"A": 2, "B": 3, "Y": 10}))


def flip_flop(library: Library) -> GateNetlist:
    """Nothing is at its pin QN."""
    return netlist(library, Gate("ff", "DFF", {"D": 2, "CK": 3, "Q": 10}))


def computed(design: GateNetlist, activity) -> Energy:
    tables = read_power(design.library, {gate.kind for gate in design.gates})
    return energy(design, tables, activity, PERIOD)


def femtojoules(found: Energy) -> dict[str, float]:
    return {name: pytest.approx(1e3 * value) for name, value in found.parts.items()}


def nw_clocks(nanowatts: float) -> float:
    """Energy in fJ of a leakage summed over clocks."""
    return nanowatts * PERIOD * 1e-3


class TestByHand:
    def test_loads_and_slews(self, library):
        design = inverters(library)
        at_nets = loads(design)
        assert dict(at_nets) == {2: 2.0, 10: 2.0}
        found = slews(design, at_nets)
        assert found[10] == Slew(rise=pytest.approx(0.2), fall=pytest.approx(0.1))

    def test_inverters(self, library):
        up, down = (0b01, 0b10), (0b10, 0b01)  # of input and output
        found = computed(
            inverters(library), {"first": {up: 2, down: 2}, "second": {down: 2, up: 2}}
        )
        assert femtojoules(found) == {
            "switching": 2 * 4 * 2 * SUPPLY**2 / 2,
            # the first drives 2 fF; the second nothing, and its input falls with a slew of 0.1
            "internal": 2 * (3 + 0.4) + 2 * (1 + 0.2) + 2 * (3 + 4 * 0.1) + 2 * 1,
            "clock": 0.0,
            "leakage": nw_clocks(2 * (2 * 10 + 2 * 30)),
        }

    def test_conditions_and_inputs_that_change_together(self, library):
        changes = {
            (0b110, 0b011): 1,  # A falls where B is 1: 6
            (0b011, 0b101): 1,  # both change, the output does not
            (0b101, 0b110): 1,  # B rises: 4
            (0b110, 0b001): 1,  # both fall: 50 of A where B is 0 now, 8 of B; the mean
        }
        found = computed(nand(library), {"nand": changes})
        assert femtojoules(found) == {
            "switching": (3 * 1 + 3 * 3) * SUPPLY**2 / 2,
            "internal": 6 + 4 + (50 + 8) / 2,
            "clock": 0.0,
            "leakage": nw_clocks(5 + 5 + 20 + 5),
        }

    def test_where_no_condition_of_a_pin_holds_the_other_pin_decides(self, tmp_path):
        text = liberty().replace('when : "!B"', 'when : "!B & B"')
        found = computed(nand(write(tmp_path, text)), {"nand": {(0b110, 0b001): 1}})
        assert femtojoules(found)["internal"] == 8

    def test_where_no_condition_holds_at_all_all_arcs_count(self, tmp_path):
        text = liberty().replace('when : "!B"', 'when : "!B & B"')
        text = text.replace('when : "B"', 'when : "B & !B"')
        found = computed(nand(write(tmp_path, text)), {"nand": {(0b110, 0b011): 1}})
        assert femtojoules(found)["internal"] == (6 + 50) / 2

    def test_a_flip_flop_whose_data_never_change(self, library):
        found = computed(flip_flop(library), {"ff": {(0b0101, 0b0101): 3}})
        charging = 2 * 2 * SUPPLY**2 / 2
        assert femtojoules(found) == {
            "switching": 0.0,
            "internal": 0.0,
            "clock": 3 * (5 + 6 + charging),
            "leakage": nw_clocks(3 * (40 + 60) / 2),
        }

    def test_a_flip_flop_that_takes_a_value(self, library):
        changes = {
            (0b1101, 0b1110): 1,  # Q rises: 11; edges where D & !Q, then D & Q: 1 and 6
            (0b1110, 0b0110): 1,  # D falls while the clock is high: 0.25; edges: 5, then 4
        }
        found = computed(flip_flop(library), {"ff": changes})
        assert femtojoules(found) == {
            "switching": 1 * SUPPLY**2 / 2,
            "internal": 11 + 0.25,
            "clock": 1 + 6 + 5 + 4 + 2 * 2 * 2 * SUPPLY**2 / 2,
            "leakage": nw_clocks(2 * (40 + 60) / 2),
        }

    def test_other_units_are_the_same_energy(self, library, tmp_path):
        text = liberty().replace("(1, ff)", "(0.001, pf)").replace('"1nW"', '"1000pW"')
        text = text.replace('"1V"', '"1000mV"')
        activity = {"nand": {(0b110, 0b011): 1}}
        other = computed(nand(write(tmp_path, text)), activity)
        assert femtojoules(other) == {
            k: 1e3 * v for k, v in computed(nand(library), activity).parts.items()
        }


STATES = {"nand": (0b001, 0b011, 0b101, 0b110), "ff": (0b0101, 0b1101, 0b0110, 0b1110)}
DESIGNS = {"nand": nand, "ff": flip_flop}


@st.composite
def sequences(draw):
    """A gate, and the states that it goes through."""
    gate = draw(st.sampled_from(sorted(STATES)))
    return gate, draw(st.lists(st.sampled_from(STATES[gate]), min_size=3, max_size=20))


def changes_of(states) -> Counter:
    return Counter(pairwise(states))


class TestProperties:
    @settings(deadline=None, max_examples=30)
    @given(sequences(), st.data())
    def test_the_energies_of_the_parts_of_a_sequence_add_up(self, library, sequence, data):
        gate, states = sequence
        cut = data.draw(st.integers(1, len(states) - 2))
        design = DESIGNS[gate](library)
        whole = computed(design, {gate: changes_of(states)})
        first = computed(design, {gate: changes_of(states[: cut + 1])})
        second = computed(design, {gate: changes_of(states[cut:])})
        assert femtojoules(whole) == {k: 1e3 * v for k, v in (first + second).parts.items()}
        assert whole.total == pytest.approx(sum(whole.parts.values()))

    @settings(deadline=None, max_examples=30)
    @given(sequences())
    def test_tables_twice_as_large_are_twice_the_internal_energy(self, library, doubled, sequence):
        gate, states = sequence
        activity = {gate: changes_of(states)}
        once = computed(DESIGNS[gate](library), activity)
        twice = computed(DESIGNS[gate](doubled), activity)
        charged = 0.008 * (len(states) - 1) if gate == "ff" else 0.0  # pJ, of the clock pin
        assert twice.internal == pytest.approx(2 * once.internal)
        assert twice.clock - charged == pytest.approx(2 * (once.clock - charged))
        assert (twice.switching, twice.leakage) == (once.switching, once.leakage)

    @settings(deadline=None, max_examples=20)
    @given(sequences())
    def test_what_never_changes_switches_nothing(self, library, sequence):
        gate, states = sequence
        still = computed(DESIGNS[gate](library), {gate: changes_of([states[0]] * len(states))})
        assert still.switching == still.internal == 0.0
        assert still.leakage > 0.0
        assert (still.clock > 0.0) == (gate == "ff")


class TestRefusals:
    def test_a_library_without_internal_energy(self, tmp_path):
        text = liberty().replace("internal_power ()", "other ()")
        with pytest.raises(NoPower, match=r"hand\.lib: cell 'NAND' has no internal energy"):
            read_power(write(tmp_path, text), ["NAND"])

    def test_a_library_without_leakage(self, tmp_path):
        text = liberty().replace("leakage_power () {", "other () {")
        with pytest.raises(NoPower, match=r"hand\.lib: cell 'INV' has no leakage"):
            read_power(write(tmp_path, text), ["INV"])

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("(1, ff)", "(1, kg)", "capacitive_load_unit"),
            ("nom_voltage : 2.0", "nom_other : 2.0", "nom_voltage ''"),
            ('leakage_power_unit : "1nW"', 'leakage_power_unit : "nW"', "leakage_power_unit 'nW'"),
            ('"A & B"; value : 20', '"A & B"; value : much', "cell 'NAND'.*much"),
            ('when : "A & B"', 'when : "A &"', "condition 'when'"),
            ("variable_1 : input_transition_time", "variable_1 : weather", "cell 'INV'.*weather"),
            ('index_2 ("0, 10"); }\n  lu', 'index_2 ("0, 1, 2"); }\n  lu', "4 values"),
            ("internal_power () { related", 'internal_power () { related_pg_pin : "V"; related',
             "by supply pin"),
        ],
    )  # fmt: skip
    def test_power_data_that_cannot_be_read(self, tmp_path, old, new, message):
        text = liberty()
        assert old in text
        with pytest.raises(InputError, match=rf"hand\.lib: .*{message}"):
            read_power(write(tmp_path, text.replace(old, new)), ["INV", "NAND"])

    def test_a_pin_without_capacitance(self, tmp_path):
        text = liberty().replace("direction : input; capacitance : 3;", "direction : input;")
        with pytest.raises(InputError, match=r"hand\.lib: cell 'NAND': pin 'B' has no capacitance"):
            loads(nand(write(tmp_path, text)))

    def test_a_gate_that_was_not_simulated(self, library):
        with pytest.raises(InputError, match=r"gate 'second' \(1 in all\).*not known"):
            computed(inverters(library), {"first": {(0b01, 0b10): 1}})


class TestOpensta:
    def test_report(self):
        found = parse_report_power(REPORT)
        assert (found.internal_mw, found.switching_mw) == pytest.approx((3.101961, 0.3612867))
        assert (found.leakage_mw, found.total_mw) == pytest.approx((0.5454621, 4.00871))
        assert parse_report_power("Error: no such cell") is None

    def test_missing_tool_is_named(self, library, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ToolMissing, match="apt install opensta"):
            opensta_power(nand(library), {"nand": {(0b110, 0b011): 1}}, PERIOD)

    @pytest.mark.parametrize("more", ["", REPORT])
    def test_an_error_is_told_whatever_comes_after_it(self, library, monkeypatch, tmp_path, more):
        (tmp_path / "report").write_text(f"Error: no such cell\n{more}")
        (tmp_path / "sta").write_text(f"#!/bin/sh\ncat {tmp_path / 'report'}\n")
        (tmp_path / "sta").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        with pytest.raises(ToolFailed, match="no such cell"):
            opensta_power(nand(library), {"nand": {(0b110, 0b011): 1}}, PERIOD)

    def test_the_tool_is_asked_for_the_same(self, library, monkeypatch, tmp_path):
        (tmp_path / "report").write_text(REPORT)
        (tmp_path / "sta").write_text(
            f"#!/bin/sh\ncp power.tcl netlist.v cells.lib {tmp_path}\ncat {tmp_path / 'report'}\n"
        )
        (tmp_path / "sta").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        # D changes in both of 2 clocks, Q in one, QN (without a net) with it
        changes = {(0b1101, 0b0110): 1, (0b0110, 0b1110): 1}
        assert opensta_power(flip_flop(library), {"ff": changes}, PERIOD).total_mw > 0
        script = (tmp_path / "power.tcl").read_text()
        command = "set_power_activity -input_ports [get_ports {}] -activity {} -duty {}\n"
        assert command.format("x_0", 1, 0.5) in script  # D
        assert command.format("econt_activity_0", 0.5, 1) in script  # Q
        assert command.format("econt_activity_1", 0.5, 0) in script  # QN
        assert "create_clock -name econt_clock -period 25 [get_ports {x_1}]" in script
        assert ".econt_activity_Q(" in (tmp_path / "netlist.v").read_text()
        cell = read_liberty(tmp_path / "cells.lib").cells["DFF"]
        assert dict(cell.functions) == {"Q": "econt_activity_Q", "QN": "econt_activity_QN"}

    @pytest.mark.skipif(shutil.which("sta") is None, reason="OpenSTA (sta) is not installed")
    def test_the_tool_itself(self):
        """OpenSTA 2.0 counts rise and fall at each transition: of one arc, twice the energy."""
        first = Gate("first", "INV_X1", {"A": 2, "ZN": 10})
        second = Gate("second", "INV_X1", {"A": 10, "ZN": 11})
        design = netlist(read_liberty(nangate45()), first, second)
        activity = {"first": {UP: 2, DOWN: 2}, "second": {DOWN: 2, UP: 2}}
        ours = computed(design, activity)
        theirs = opensta_power(design, activity, PERIOD)
        in_pj = 4 * PERIOD  # of mW, over these clocks
        version = opensta_version() or ""
        times = 2 if version.startswith("2.0.") else 1
        assert theirs.internal_mw * in_pj == pytest.approx(times * ours.internal, rel=0.01)
        # the port that drives the first inverter is no cell of the design
        assert theirs.switching_mw * in_pj == pytest.approx(ours.switching / 2, rel=1e-3)
        assert theirs.leakage_mw * in_pj == pytest.approx(ours.leakage, rel=1e-3)


def test_an_energy_keeps_its_parts():
    one = Energy(1.0, 2.0, 3.0, 4.0)
    assert one + Energy() == one
    assert replace(one, clock=0.0).total == 7.0
