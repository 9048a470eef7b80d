"""Simulation of netlists whose registers hold what is written to them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hw.foundation.errors import InputError
from hw.netlist.gate_netlist import GateNetlist, mapped_netlist
from hw.netlist.liberty import read_liberty
from hw.netlist.simple_gates import ONE, Gate
from hw.open_tools.verilog_design import VerilogDesign
from hw.rtl import sources
from hw.synthesis.asic import nangate45, read_library, synthesise_asic
from testbench.simulators.flip_machine import FlipMachine
from testbench.simulators.gate_machine import GateMachine
from testbench.simulators.gatesim import inputs_of_vectors, simulate, states_after
from testbench.simulators.rtlsim import DataPort, Feed, Idle, Read, RtlDesign, Upset, Write

TOP, BASE = "weighted", 0x10
# a product with a weight that is written over the bus
VERILOG = """module weighted (input clock, reset, write, input [15:0] address,
    input [7:0] write_data, output reg [7:0] read_data, output upset,
    input valid_in, output valid_out, input [7:0] x, output [8:0] product);
  wire [7:0] read; wire [15:0] kept; wire [8:0] now;
  register_block #(.BASE(16'h10), .BYTES(2)) registers (
    .read_data(read), .contents(kept), .*);
  always_ff @(posedge clock) read_data <= read;
  floored_product multiplier (.x, .weight(kept[13:8]), .product(now));
  delay #(.WIDTH(9), .CYCLES(3)) data (.clock, .d(now), .q(product));
  delay_valid #(.CYCLES(3)) valid (.clock, .reset, .d(valid_in), .q(valid_out));
endmodule
"""


@pytest.fixture(scope="module")
def library():
    return read_liberty(nangate45())


def _mapped(folder: Path, text: str, top: str, library) -> GateNetlist:
    file = folder / "top.sv"
    file.write_text(text)
    design = VerilogDesign((*sources(), file), top)
    synthesise_asic(design, read_library(nangate45(), "NAND2_X1"), folder / "asic", flat=False)
    return mapped_netlist(folder / "asic", top, library)


@pytest.fixture(scope="module")
def weighted(tmp_path_factory, library):
    return _mapped(tmp_path_factory.mktemp("weighted"), VERILOG, TOP, library)


DESIGN = RtlDesign(
    VerilogDesign((), TOP), DataPort("x", 8, 1), DataPort("product", 9, 1, signed=True), bus=True
)


def _steps(seed: int):
    """What a bench does with some weights, what it should see, and what it should read."""
    rng = np.random.default_rng(seed)
    steps, expected, bytes_read = [], [], []
    for weight in (-32, 31, 5, -1):
        x = rng.integers(0, 256, (40, 1))
        other = int(rng.integers(256))
        steps += [
            Write([(BASE + 1, weight & 0x3F), (BASE, other), (BASE + 2, 0xFF), (BASE - 1, 0xFF)]),
            Feed(x[:20]),
            Read([BASE, BASE + 1, BASE + 2]),
            Feed(x[20:], rng.integers(0, 3, 20)),
            Idle(5),
        ]
        expected.append(x * weight >> 5)
        bytes_read += [other, weight & 0x3F, 0]
    return steps, np.concatenate(expected), bytes_read


@pytest.mark.slow
class TestBus:
    @pytest.mark.parametrize("at_once", [1, 7, 20_000])
    def test_written_registers_act_and_are_read(self, weighted, monkeypatch, at_once):
        monkeypatch.setattr("testbench.simulators.gatesim._CLOCKS_AT_ONCE", at_once)
        steps, expected, bytes_read = _steps(1)
        done = []
        ran = simulate(weighted, DESIGN, steps, done.append)
        assert np.array_equal(ran.codes, expected)
        assert ran.reads.tolist() == bytes_read
        assert (ran.latency, ran.initiation_interval, len(ran.upsets)) == (3, 1, 0)
        assert ran.fed[0] == 4 and sum(done) == len(expected)  # after the four writes

    def test_another_simulation_goes_on_from_the_states_that_were_left(self, weighted):
        rng = np.random.default_rng(3)
        x = rng.integers(0, 256, (20, 1))
        loaded = [Write([(BASE + 1, -7 & 0x3F)]), Feed(x[:6])]
        states = list(states_after(weighted, DESIGN, [loaded, [Feed(x[6:10])]]))
        for state, start in zip(states, (6, 10), strict=True):
            inputs = inputs_of_vectors(weighted, DESIGN, x[start : start + 6])
            seen = []

            def note(_, clock, values, seen=seen):
                bits = [values[net] >> 1 & 1 for net in weighted.outputs["product"]]  # no flip
                seen.append(sum(bit << i for i, bit in enumerate(bits)))

            FlipMachine(weighted).effects(
                state, inputs, weighted.registers[:1], ports=("product",), seen=note
            )
            expected = (x[start - 3 : start + 3, 0] * -7 >> 5) & 0x1FF
            assert seen == expected.tolist()

    def test_a_register_bit_that_is_stuck_is_seen(self, weighted):
        steps, expected, bytes_read = _steps(1)
        registers = {weighted.name(next(iter(r.outputs))): r for r in weighted.registers}
        for bit, is_weight in ((9, True), (2, False)):  # the second byte is the weight
            register = registers[f"kept[{bit}]"]
            pins = {**register.gate.pins, register.flip_flop.data: ONE}
            ran = simulate(weighted.with_gate(replace(register.gate, pins=pins)), DESIGN, steps)
            assert np.array_equal(ran.codes, expected) != is_weight
            assert ran.reads.tolist() != bytes_read

    def test_what_only_rtl_can_do(self, weighted):
        with pytest.raises(ValueError, match="Upset"):
            simulate(weighted, DESIGN, [Upset("registers.g_tmr.a.q", 0)])

    def test_other_ports(self, weighted):
        without = RtlDesign(VerilogDesign((), TOP), DESIGN.input, DESIGN.output)
        with pytest.raises(InputError, match=r"input port '(write|address|write_data)'"):
            simulate(weighted, without, [])
        wider = RtlDesign(
            VerilogDesign((), TOP), DESIGN.input, DataPort("product", 10, 1), bus=True
        )
        with pytest.raises(InputError, match="no output port 'product' of 10 bits"):
            simulate(weighted, wider, [])


HOLDING = """module top (input clock, load, clear, d, output q, n);
  reg kept; always @(posedge clock) kept <= !clear & (load ? d : kept);
  assign q = kept; assign n = !kept;
endmodule
"""


@pytest.mark.slow
class TestMachine:
    def test_a_register_that_holds(self, tmp_path, library):
        """All clocks at once are what one clock after the other gives."""
        machine = GateMachine(_mapped(tmp_path, HOLDING, "top", library))
        netlist = machine._netlist
        load, clear, d = np.random.default_rng(1).random((3, 500)) < [[0.2], [0.1], [0.5]]
        expected, kept = [], False
        for clock in range(500):
            expected.append(kept)
            kept = not clear[clock] and (d[clock] if load[clock] else kept)
        found = []
        for block in (slice(0, 1), slice(1, 130), slice(130, 500)):
            inputs = {
                netlist.inputs[name][0]: sum(int(bit) << t for t, bit in enumerate(values[block]))
                for name, values in (("load", load), ("clear", clear), ("d", d), ("clock", d * 0))
            }
            clocks = block.stop - block.start
            values = machine.run(inputs, clocks)
            q, n = (values[netlist.outputs[name][0]] for name in ("q", "n"))
            assert q ^ n == (1 << clocks) - 1
            found += [q >> t & 1 for t in range(clocks)]
        assert found == expected

    @pytest.mark.parametrize(
        ("logic", "message"),
        [
            ("a <= a ^ d;", r"register 'q' toggles"),
            ("begin a <= b & d; b <= a | d; end", r"loop through (q, b|b, q); only loops"),
        ],
    )
    def test_what_cannot_be_solved_is_refused(self, tmp_path, library, logic, message):
        text = f"""module top (input clock, d, output q); reg a, b;
          always @(posedge clock) {logic}
          assign q = a;
        endmodule
        """
        netlist = _mapped(tmp_path, text, "top", library)
        with pytest.raises(InputError, match=message):
            GateMachine(netlist).run({net: 1 for (net,) in netlist.inputs.values()}, 3)

    def test_a_chain_deeper_than_python_recurses(self, library):
        count = 20_000
        gates = (Gate(f"g{i}", "INV_X1", {"A": i + 2, "ZN": i + 3}) for i in range(count))
        ends = {"a": (2,)}, {"y": (count + 2,)}
        netlist = GateNetlist("chain", *ends, tuple(gates)[::-1], {}, library)
        assert GateMachine(netlist).run({2: 0b0110}, 4)[count + 2] == 0b0110

    def test_gates_on_a_loop_without_register_are_refused(self, library):
        pins = {"A1": 2, "A2": 4, "ZN": 3}, {"A": 3, "ZN": 4}
        gates = (Gate("g", "NAND2_X1", pins[0]), Gate("h", "INV_X1", pins[1]))
        netlist = GateNetlist("loop", {"a": (2,)}, {"y": (3,)}, gates, {}, library)
        with pytest.raises(InputError, match="loop through no register"):
            GateMachine(netlist)
