"""What is measured on a mapped netlist: timing, its simulation, its equivalence with the RTL."""

import argparse
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.dispatch import carry_out
from flows.layout import model_layout, target_layout
from flows.provenance import file_hash
from hw.foundation.errors import CheckFailed, InputError, OutOfTime, ToolFailed, ToolMissing
from hw.generated.verilog import GeneratedRtl, InputFormat, RtlPort
from hw.netlist.cell_logic import CellLogic
from hw.netlist.equivalence import (
    ControlFailed,
    compare,
    control,
    gates_of,
    looped,
    mutations,
    parse_cec,
)
from hw.netlist.gate_netlist import GateNetlist, mapped_netlist, to_verilog
from hw.netlist.liberty import read_liberty
from hw.netlist.opensta import opensta_version
from hw.netlist.simple_gates import SIMPLE_GATES
from hw.netlist.static_timing import (
    critical_path,
    opensta_critical_path,
    opensta_script,
    parse_opensta,
    parse_stime,
)
from hw.open_tools.ecp5 import DoesNotFit, parse_report, place_and_route
from hw.open_tools.verilog_design import VerilogDesign
from hw.synthesis.asic import nangate45, read_library, synthesise_asic
from hw.targets.target import load_target
from reports.metrics import Metric, read_metrics, write_metrics
from testbench.simulators.gatesim import simulate
from testbench.simulators.rtlsim import DataPort, Feed, RtlDesign

RECORDED = Path(__file__).with_name("vendor_reports")
STIME = (RECORDED / "abc_stime.txt").read_text()  # of the adder below
OPENSTA = (RECORDED / "opensta_checks.txt").read_text()  # of the same, at a clock of 0.5 ns

VERILOG = """module top (input clock, reset, valid_in, output reg valid_out,
    input [15:0] inputs, output reg [8:0] latents);
  reg valid; reg [8:0] sum;
  always @(posedge clock) begin
    valid <= valid_in & ~reset;
    valid_out <= valid & ~reset;
    sum <= inputs[7:0] + inputs[15:8];
    latents <= sum ^ 9'h155;
  end
endmodule
"""
HOLDING = """module top (input clock, load, input [3:0] d, output [3:0] q);
  reg [3:0] kept;
  always @(posedge clock) if (load) kept <= d + 4'd1;
  assign q = kept ^ 4'd5;
endmodule
"""


@pytest.fixture(scope="module")
def library():
    return read_liberty(nangate45())


def _mapped(folder: Path, text: str, library) -> tuple[GateNetlist, GateNetlist]:
    """RTL and the netlist mapped from it."""
    file = folder / "top.v"
    file.write_text(text)
    design = VerilogDesign((file,), "top")
    synthesise_asic(design, read_library(nangate45(), "NAND2_X1"), folder / "asic")
    return gates_of(design, library), mapped_netlist(folder / "asic", "top", library)


@pytest.fixture(scope="module")
def adder(tmp_path_factory, library):
    return _mapped(tmp_path_factory.mktemp("adder"), VERILOG, library)


def _cell(folder: Path, function: str) -> CellLogic:
    """A cell with inputs A and B and outputs Y, of that function, and Z, which is A."""
    pins = " ".join(f"pin ({name}) {{ direction : input; }}" for name in "AB")
    pins += f' pin (Y) {{ direction : output; function : "{function}"; }}'
    pins += ' pin (Z) { direction : output; function : "A"; }'
    file = folder / "one.lib"
    file.write_text(f"library (one) {{ cell (c) {{ area : 1; {pins} }} }}\n")
    return read_liberty(file).logic["c"]


# by how strongly operators bind: the weakest last
OPERATORS = {"^": "({} != {})", "*": "({} and {})", "&": "({} and {})", "+": "({} or {})"}
LEAVES = st.sampled_from([("A", "A"), ("B", "B"), ("0", "False"), ("1", "True")])


def _larger(parts):
    """Functions in Liberty and in Python; the former fully bracketed."""
    two = st.tuples(st.sampled_from([*OPERATORS, "|", " "]), parts, parts)
    python = OPERATORS | {"|": OPERATORS["+"], " ": OPERATORS["*"]}
    return (
        two.map(lambda t: (f"({t[1][0]}{t[0]}{t[2][0]})", python[t[0]].format(t[1][1], t[2][1])))
        | parts.map(lambda part: (f"(!{part[0]})", f"(not {part[1]})"))
        | parts.map(lambda part: (f"({part[0]})'", f"(not {part[1]})"))
    )


class TestLiberty:
    @pytest.mark.parametrize(
        ("function", "ones"),
        [
            ("A & B", "0001"),
            ("A B", "0001"),
            ("A'+B", "1101"),
            ("!(A*B)", "1110"),
            ("A ^ B", "0110"),
            ("A ^ B & B", "0100"),  # exclusive or binds more strongly
            ("A + B A'", "0111"),
            ("1", "1111"),
            ("B", "0101"),
        ],
    )
    def test_functions(self, tmp_path, function, ones):
        cell = _cell(tmp_path, function)
        assert cell.truth_tables["Y"] == tuple(bit == "1" for bit in ones)
        assert cell.truth_tables["Z"] == (False, False, True, True)

    @settings(max_examples=20, deadline=None)
    @given(st.recursive(LEAVES, _larger, max_leaves=8))
    def test_any_function(self, tmp_path_factory, function):
        liberty, python = function
        cell = _cell(tmp_path_factory.mktemp("cell"), liberty)
        rows = [{"A": a, "B": b} for a in (False, True) for b in (False, True)]
        assert cell.truth_tables["Y"] == tuple(eval(python, {}, row) for row in rows)

    @pytest.mark.parametrize("function", ["A &", "(A", "A $ B", "A)"])
    def test_a_function_that_cannot_be_read(self, tmp_path, function):
        with pytest.raises(InputError, match=r"one\.lib: cell 'c': .*cannot be read"):
            _cell(tmp_path, function)

    @pytest.mark.parametrize("function", ["", "C", "A IQ"])
    def test_a_cell_that_does_not_follow_from_its_pins_is_left_out(self, tmp_path, function):
        with pytest.raises(KeyError):
            _cell(tmp_path, function)

    @pytest.mark.parametrize("kind", SIMPLE_GATES)
    def test_rows_and_function_of_a_simple_gate_agree(self, kind):
        """The former are what is proved, the latter what is simulated."""
        gate = SIMPLE_GATES[kind]
        for bits in np.ndindex(*[2] * len(gate.inputs)):
            fits = [
                all(r in ("-", str(b)) for r, b in zip(row, bits, strict=True)) for row in gate.rows
            ]
            assert gate.function(1, *bits) == any(fits)

    def test_full_adder_and_flip_flop(self, library):
        tables = library.gates["FA_X1"].truth_tables
        assert [sum(bits) % 2 == 1 for bits in np.ndindex(2, 2, 2)] == list(tables["S"])
        works = library.logic["DFF_X1"].flip_flop()
        assert (works.data, works.clock, works.rising) == ("D", "CK", True)
        assert works.outputs == {"Q": False, "QN": True}
        assert library.logic["DFFR_X1"].flip_flop() is None
        setup = library.cells["DFF_X1"].setup("D")
        assert len(setup.slews) == len(setup.rise) and 0.02 < max(setup.rise) < 0.2  # ns

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("library (a) {\n  cell (b) {\n", ":3: .*the end"),
            ("module top;", ":1: "),
            ("library (a) { }", "no cells"),
        ],
    )
    def test_no_liberty_file(self, tmp_path, text, message):
        (tmp_path / "a.lib").write_text(text)
        with pytest.raises(InputError, match=message):
            read_liberty(tmp_path / "a.lib")


class TestReports:
    def test_stime(self):
        found = parse_stime(STIME)
        assert (found.delay_ps, found.start, found.end) == (582.83, 11, 18)
        assert found.cells == (
            *("AND2_X1__ZN", *6 * ["FA_X1__CO"], "FA_X1__S", "DFF_X1__captured"),
        )
        assert parse_stime("Error: no network") is None

    def test_opensta(self):
        found = parse_opensta(OPENSTA)
        assert (found.slack_ns, found.start, found.end) == (-0.0937, "inputs_8", "g31")
        assert found.cells == ("AND2_X1", *7 * ["FA_X1"], "DFF_X1")
        assert parse_opensta("No paths found.") is None

    def test_cec(self):
        assert parse_cec("Networks are equivalent.  Time =  0.10 sec", ["a"]).equal
        output = (RECORDED / "abc_cec_different.txt").read_text()
        verdict = parse_cec(output, ["a", "b"])
        assert not verdict.equal and verdict.differing == ("a",)
        more = output.replace("at least 1 outputs:  po0", "at least 3 outputs:  po0 po1 ...")
        assert parse_cec(more, ["a", "b"]).differing == ("a", "b")
        assert parse_cec("Networks are UNDECIDED.", ["a"]) is None


@pytest.mark.slow
class TestTiming:
    def test_more_bits_take_longer(self, tmp_path, adder, library):
        path = critical_path(adder[1])
        assert path.start == "a register" or path.start.startswith("input inputs[")
        assert 0.2 < path.delay_ns < 2
        wide = VERILOG.replace("15:", "31:").replace("[31:8]", "[31:16]")
        wide = wide.replace("[7:0]", "[15:0]").replace("8:0]", "16:0]").replace("9'h", "17'h")
        (tmp_path / "wide").mkdir()
        slower = critical_path(_mapped(tmp_path / "wide", wide, library)[1])
        assert slower.delay_ns > path.delay_ns + 0.3  # eight more full adders, 0.07 ns each

    def test_wires_weigh_nothing_and_setup_counts(self, tmp_path, library):
        (tmp_path / "chain").mkdir()
        text = "module top (input clock, d, output reg q); reg a;\n"
        text += "  always @(posedge clock) begin a <= d; q <= a; end\nendmodule\n"
        path = critical_path(_mapped(tmp_path / "chain", text, library)[1])
        # clock to output of a DFF_X1 with one of its like as load, and its setup time
        assert path.cells == ("DFF_X1", "DFF_X1") and 0.09 < path.delay_ns < 0.16

    def test_opensta_is_asked_for_the_same(self, tmp_path, adder, monkeypatch):
        fake, log = tmp_path / "sta", tmp_path / "arguments"
        (tmp_path / "report").write_text(OPENSTA)
        fake.write_text(
            f'#!/bin/sh\necho "$@" >> {log}\n[ "$1" = -version ] && echo 2.0.17 && exit\n'
            f"cp timing.tcl netlist.v cells.lib {tmp_path}\ncat {tmp_path / 'report'}\n"
        )
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        assert opensta_version() == "2.0.17"
        path = opensta_critical_path(adder[1], 0.5)
        assert path.delay_ns == pytest.approx(0.5937)
        assert (path.start, path.end) == ("input inputs[8]", "register sum[7]")
        assert path.delay_ns == pytest.approx(critical_path(adder[1]).delay_ns, rel=0.05)
        assert log.read_text().splitlines()[-1] == "-no_splash -exit timing.tcl"
        assert "default_wire_load" not in (tmp_path / "cells.lib").read_text()
        script = (tmp_path / "timing.tcl").read_text()
        assert script == "\n".join([*opensta_script(adder[1], 0.5), "exit", ""])
        assert "create_clock -name econt_clock -period 0.5 [get_ports {clock_0}]" in script
        assert (tmp_path / "netlist.v").read_text() == "\n".join(to_verilog(adder[1])) + "\n"

    def test_opensta_that_prints_no_path(self, tmp_path, adder, monkeypatch):
        (tmp_path / "sta").write_text("#!/bin/sh\necho 'Error: no such cell'\n")
        (tmp_path / "sta").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        assert opensta_version() is None  # another program of that name
        with pytest.raises(ToolFailed, match="no such cell"):
            opensta_critical_path(adder[1], 25.0)
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
        with pytest.raises(ToolMissing, match="apt install opensta"):
            opensta_critical_path(adder[1], 25.0)

    def test_missing_abc_is_named(self, adder, monkeypatch):
        monkeypatch.setattr("hw.open_tools.yosys.DISTRIBUTION", "no_such_package")
        with pytest.raises(ToolMissing, match="make environment"):
            critical_path(adder[1])


def _simulate(netlist: GateNetlist, vectors: int = 300):
    codes = np.random.default_rng(1).integers(0, 256, (vectors, 2))
    ports = DataPort("inputs", 8, 2), DataPort("latents", 9, 1)
    return codes, simulate(netlist, RtlDesign(VerilogDesign((), "top"), *ports), [Feed(codes)])


@pytest.mark.slow
class TestSimulation:
    def test_codes_and_latency(self, adder):
        codes, ran = _simulate(adder[1])
        assert ran.latency == 2
        assert np.array_equal(ran.codes[:, 0], codes.sum(axis=1) ^ 0x155)

    def test_logic_without_registers(self, tmp_path, library):
        text = """module top (input clock, reset, valid_in, output valid_out,
            input [15:0] inputs, output [8:0] latents);
          assign valid_out = valid_in;
          assign latents = inputs[7:0] + inputs[15:8];
        endmodule
        """
        rtl, netlist = _mapped(tmp_path, text, library)
        codes, ran = _simulate(netlist)
        assert ran.latency == 0 and np.array_equal(ran.codes[:, 0], codes.sum(axis=1))
        path = critical_path(netlist)
        assert path.start.startswith("input inputs[") and path.end.startswith("output latents[")
        assert "create_clock -name econt_clock -period 25" in opensta_script(netlist, 25.0)
        assert compare(rtl, netlist).equal

    def test_blocks_of_clocks(self, adder, monkeypatch):
        monkeypatch.setattr("testbench.simulators.gatesim._CLOCKS_AT_ONCE", 70)
        codes, ran = _simulate(adder[1])
        assert np.array_equal(ran.codes[:, 0], codes.sum(axis=1) ^ 0x155)

    def test_a_changed_gate_is_seen(self, adder):
        right = _simulate(adder[1])[1].codes
        seen = 0
        for _, mutated in mutations(adder[1], 1):
            try:
                seen += not np.array_equal(_simulate(mutated)[1].codes, right)
            except CheckFailed:  # the gate was one of the valid flag's
                seen += 1
        assert seen >= 2  # some gates act only in reset, which comes once


@pytest.mark.slow
class TestEquivalence:
    def test_proof_and_control(self, adder):
        rtl, netlist = adder
        verdict = compare(rtl, netlist)
        assert verdict.equal and verdict.functions == 10
        mutation = control(rtl, netlist, seed=1)
        assert mutation.gate in {gate.name for gate in netlist.gates}

    def test_a_proof_that_takes_too_long_is_undecided(self, adder):
        with pytest.raises(OutOfTime, match=r"equivalence of \w+ was not done after 1e-06 s"):
            compare(*adder, seconds=1e-6)

    def test_every_changed_gate_is_found(self, adder):
        rtl, netlist = adder
        for mutation, mutated in mutations(netlist, 2):
            verdict = compare(rtl, mutated)
            assert not verdict.equal, mutation
            assert set(verdict.differing) <= {"valid_out_0", *(f"latents_{i}" for i in range(9))}

    def test_one_register_more_is_found(self, tmp_path, adder, library):
        later = VERILOG.replace("latents <= sum ^", "later <= sum; latents <= later ^")
        later = later.replace("reg valid;", "reg valid; reg [8:0] later;")
        assert not compare(adder[0], _mapped(tmp_path, later, library)[1]).equal

    def test_registers_that_hold_are_paired_by_name(self, tmp_path, library):
        rtl, netlist = _mapped(tmp_path, HOLDING, library)
        assert len(looped(rtl)) == len(looped(netlist)) == 4
        verdict = compare(rtl, netlist)
        assert verdict.equal and verdict.functions == 8  # outputs and next values
        control(rtl, netlist, seed=1)
        (tmp_path / "other").mkdir()
        other = _mapped(tmp_path / "other", HOLDING.replace("kept", "held"), library)[1]
        with pytest.raises(CheckFailed, match=r"kept.*same name"):
            compare(rtl, other)

    def test_a_netlist_with_hierarchy_is_flattened(self, tmp_path, library):
        (tmp_path / "top.v").write_text(
            "(* keep_hierarchy *) module part (input [3:0] a, b, output [3:0] y);\n"
            "  assign y = a + b;\nendmodule\n"
            "module top (input clock, input [3:0] a, b, c, output reg [3:0] y);\n"
            "  wire [3:0] s, t; part first (a, b, s); part second (s, c, t);\n"
            "  always @(posedge clock) y <= t;\nendmodule\n"
        )
        design = VerilogDesign((tmp_path / "top.v",), "top")
        cells = read_library(nangate45(), "NAND2_X1")
        synthesise_asic(design, cells, tmp_path / "asic", flat=False)
        netlist = mapped_netlist(tmp_path / "asic", "top", library)
        assert sum(gate.kind.startswith("FA") for gate in netlist.gates) > 1
        assert compare(gates_of(design, library), netlist).equal
        assert critical_path(netlist).end.startswith("register y[")

    def test_a_control_that_is_not_caught_fails(self, adder, monkeypatch):
        monkeypatch.setattr(
            "hw.netlist.equivalence.compare",
            lambda *_, **__: parse_cec("Networks are equivalent.", []),
        )
        with pytest.raises(ControlFailed, match="control failed"):
            control(*adder, seed=1)

    def test_another_clock_edge_is_found(self, tmp_path, adder, library):
        falling = VERILOG.replace("posedge", "negedge")
        with pytest.raises(CheckFailed, match=r"rising edge of clock_0.*falling edge of clock_0"):
            compare(adder[0], _mapped(tmp_path, falling, library)[1])

    def test_other_ports(self, tmp_path, adder, library):
        with pytest.raises(InputError, match="other inputs"):
            compare(adder[0], _mapped(tmp_path, HOLDING, library)[1])


MODEL = "small"


def _options(build: Path, **more) -> argparse.Namespace:
    given = {"build": build, "model": MODEL, "target": "econ_t", "or_skip": False, "seed": 1}
    return argparse.Namespace(**{**given, "seconds": 60.0, **more})


def _build(folder: Path) -> Path:
    """A build folder after the rtl and synth steps, of a small adder."""
    encoder = model_layout(folder, MODEL).network("encoder")
    encoder.parent.mkdir(parents=True)
    encoder.write_bytes(b"a trained encoder")
    layout = target_layout(folder, MODEL, "econ_t")
    layout.rtl.mkdir(parents=True)
    (layout.rtl / "top.v").write_text(VERILOG)
    record = GeneratedRtl(
        top="top",
        sources=("top.v",),
        target=load_target("econ_t"),
        encoder_hash=file_hash(encoder),
        input=RtlPort(name="inputs", number_format="ufixed<8,1>", count=2),
        output=RtlPort(name="latents", number_format="ufixed<9,1>", count=1),
        network_inputs=(InputFormat(number_format="ufixed<8,1>", count=2),),
        element=(0, 1),
        largest=None,
        latency_cycles=2,
        pipeline_stages=2,
        register_bits=18,
        estimated_lut=8,
        estimated_delay_ns=1.0,
        estimated_stage_delay_ns=1.0,
        layers=(),
        tools={},
    )
    (layout.rtl / "design.json").write_text(record.model_dump_json())
    design = VerilogDesign((layout.rtl / "top.v",), "top")
    synthesise_asic(design, read_library(nangate45(), "NAND2_X1"), layout.synth / "asic")
    return folder


@pytest.mark.slow
class TestSteps:
    def test_figures(self, tmp_path, monkeypatch):
        monkeypatch.setattr("flows.commands.timing.opensta_version", lambda: None)
        build = _build(tmp_path)
        layout = target_layout(build, MODEL, "econ_t")
        carry_out("timing", _options(build))
        found = {m.name: m for m in read_metrics(layout.metrics("timing"))}
        path, slack = found["timing.critical_path_ns"], found["timing.slack_ns"]
        assert path.value + slack.value == pytest.approx(25.0)
        assert (path.evidence, path.variant) == ("synth", "generated")
        assert "apt install opensta" in found["timing.opensta.slack_ns"].reason
        carry_out("equivalence", _options(build))
        proof = {m.name: m.value for m in read_metrics(layout.metrics("equivalence"))}
        assert proof["equivalence.proved"] is True
        assert proof["equivalence.control_caught"] is True

    def test_a_damaged_netlist_and_missing_verilog_are_told(self, tmp_path):
        build = _build(tmp_path)
        layout = target_layout(build, MODEL, "econ_t")
        (layout.synth / "asic" / "netlist.json").write_text("{")
        for step in ("timing", "equivalence"):
            with pytest.raises(InputError, match=r"netlist\.json: damaged.*; map the design anew"):
                carry_out(step, _options(build))
        (layout.rtl / "top.v").unlink()
        for step in ("timing", "equivalence", "ecp5"):
            with pytest.raises(InputError, match=r"lacks top\.v; run the rtl stage anew: make"):
                carry_out(step, _options(build))

    def test_a_netlist_of_other_rtl_is_not_timed(self, tmp_path):
        build = _build(tmp_path)
        layout = target_layout(build, MODEL, "econ_t")
        (layout.rtl / "top.v").write_text(VERILOG.replace("155", "154"))
        with pytest.raises(InputError, match=r"not made from the RTL.*make synth MODEL=small"):
            carry_out("timing", _options(build))
        assert not layout.metrics("timing").exists()

    def test_a_netlist_of_other_rtl_is_no_proof(self, tmp_path, capsys):
        build = _build(tmp_path)
        layout = target_layout(build, MODEL, "econ_t")
        (layout.rtl / "top.v").write_text(VERILOG.replace("h155", "h154"))
        with pytest.raises(CheckFailed, match="latents_0"):
            carry_out("equivalence", _options(build))
        options = _options(build)
        options.or_skip = True
        carry_out("equivalence", options)
        assert "latents_0" in capsys.readouterr().err
        proved = read_metrics(layout.metrics("equivalence"))[0]
        assert proved.value is False and "latents_0" in proved.reason

    def test_an_undecided_proof_is_told_and_recorded_where_asked(self, tmp_path):
        build = _build(tmp_path)
        with pytest.raises(OutOfTime):
            carry_out("equivalence", _options(build, seconds=1e-6))
        carry_out("equivalence", _options(build, seconds=1e-6, or_skip=True))
        layout = target_layout(build, MODEL, "econ_t")
        records = {m.name: m for m in read_metrics(layout.metrics("equivalence"))}
        assert records["equivalence.proved"].value is None
        assert "not done after" in records["equivalence.proved"].reason

    def test_a_control_that_is_not_caught_is_no_proof(self, tmp_path, monkeypatch):
        def blind(*_, **__):
            raise ControlFailed("the control failed")

        build = _build(tmp_path)
        monkeypatch.setattr("flows.commands.equivalence.control", blind)
        with pytest.raises(CheckFailed, match="the control failed"):
            carry_out("equivalence", _options(build))
        layout = target_layout(build, MODEL, "econ_t")
        found = {m.name: m.value for m in read_metrics(layout.metrics("equivalence"))}
        assert found["equivalence.control_caught"] is False
        assert found["equivalence.proved"] is None

    def test_no_netlist(self, tmp_path):
        build = _build(tmp_path)
        (target_layout(build, MODEL, "econ_t").synth / "asic" / "netlist.json").unlink()
        with pytest.raises(InputError, match="make synth"):
            carry_out("timing", _options(build))

    def test_where_synthesis_was_skipped_the_reason_is_recorded(self, tmp_path):
        build = _build(tmp_path)
        layout = target_layout(build, MODEL, "econ_t")
        shutil.rmtree(layout.synth)
        skipped = Metric(name="asic.area_um2", value=None, reason="yosys is not installed")
        write_metrics(layout.metrics("synth"), [skipped])
        with pytest.raises(ToolMissing, match="yosys is not installed"):
            carry_out("timing", _options(build))
        options = _options(build)
        options.or_skip = True
        carry_out("timing", options)
        assert read_metrics(layout.metrics("timing"))[0].reason == "yosys is not installed"

    def test_where_there_is_no_rtl_the_reason_is_recorded(self, tmp_path):
        layout = target_layout(tmp_path, MODEL, "econ_t")
        encoder = model_layout(tmp_path, MODEL).network("encoder")
        encoder.parent.mkdir(parents=True)
        encoder.write_bytes(b"a trained encoder")
        skipped = Metric(name="fpga.lut", value=None, reason="a float model")
        write_metrics(layout.metrics("rtl"), [skipped])
        options = _options(tmp_path)
        options.or_skip = True
        carry_out("timing", options)
        carry_out("equivalence", options)
        for file in (layout.metrics("timing"), layout.metrics("equivalence")):
            assert {m.reason for m in read_metrics(file)} == {"a float model"}


NEXTPNR = '{"critical_paths": [], "fmax": {"clock": {"achieved": 355.61877, "constraint": 40}}, '
NEXTPNR += '"utilization": {"TRELLIS_COMB": {"available": 83640, "used": 23}}}'


class TestEcp5:
    def test_report(self):
        found = parse_report(NEXTPNR, "a design")
        assert (found.fmax_mhz, found.cells, found.available) == (355.62, 23, 83640)
        with pytest.raises(ToolFailed, match="no path"):
            parse_report('{"fmax": {}, "utilization": {}}', "a design")

    def test_missing_nextpnr_is_named(self, monkeypatch):
        monkeypatch.setattr("hw.open_tools.ecp5._MODULE", "no_such_package")
        with pytest.raises(ToolMissing, match="make environment"):
            place_and_route(VerilogDesign((), "top"), 25.0, 1.0)

    @pytest.mark.slow
    def test_what_takes_too_long_is_recorded(self, tmp_path):
        build = _build(tmp_path)
        options = _options(build, seconds=0.01)
        with pytest.raises(DoesNotFit, match=r"not done after 0.01 s"):
            carry_out("ecp5", options)
        options.or_skip = True
        carry_out("ecp5", options)
        metrics = read_metrics(target_layout(build, MODEL, "econ_t").metrics("ecp5"))
        found = {metric.name: metric for metric in metrics}["timing.ecp5.fmax_mhz"]
        assert (found.value, found.evidence) == (None, "pnr")
        assert "LFE5U-85F was not done" in found.reason

    @pytest.mark.slow
    def test_a_small_design(self, tmp_path, capsys):
        build = _build(tmp_path)
        carry_out("ecp5", _options(build, seconds=300.0))
        found = {
            m.name: m for m in read_metrics(target_layout(build, MODEL, "econ_t").metrics("ecp5"))
        }
        assert 100 < found["timing.ecp5.fmax_mhz"].value < 1000
        assert found["timing.ecp5.fmax_mhz"].evidence == "pnr"
        assert "nor the target's" in capsys.readouterr().out
