"""Mapping to FPGA cells and to a cell library: hand-counted designs, proofs, what goes wrong."""

import random
import re
import tempfile
from pathlib import Path

import pytest

from hw.foundation.errors import InputError, ToolFailed
from hw.open_tools.verilog_design import VerilogDesign
from hw.open_tools.yosys import LOG, SCRIPT, run
from hw.synthesis import asic, fpga
from hw.synthesis.asic import nangate45, read_library, synthesise_asic
from hw.synthesis.fpga import XC7, XCUP, UnknownFamily, family_of, synthesise_fpga
from hw.synthesis.mapping import NETLIST, count_cells, relative
from hw.targets.target import load_target

SMALL_LIBRARY = """library (small) {{
  time_unit : "1ns";
  cell (ND2) {{ area : 1.0; pin (A) {{ direction : input; }} pin (B) {{ direction : input; }}
    pin (Z) {{ direction : output; function : "!(A B)"; }} }}
  cell (IV) {{ area : 0.5; pin (A) {{ direction : input; }}
    pin (Z) {{ direction : output; function : "A'"; }} }}
  cell (BF) {{ area : 1.0; pin (A) {{ direction : input; }}
    pin (Z) {{ direction : output; function : "A"; }} }}
  cell (FILL) {{ }}
  cell (FD) {{ area : 4.0; ff (IQ, IQN) {{ clocked_on : "CP"; next_state : "D"; }}
    pin (CP) {{ direction : input; clock : true; }} pin (D) {{ direction : input; }}
    pin (Q) {{ direction : output; function : "IQ"; }} }}
  {more}
}}
"""
ADDER_CELL = """cell (ADDF) {{ area : {area}; pin (P) {{ direction : input; }}
    pin (Q) {{ direction : input; }} pin (R) {{ direction : input; }}
    pin (SO) {{ direction : output; function : "P ^ Q ^ R"; }}
    pin (CO) {{ direction : output; function : "(P Q) + (R (P + Q))"; }} }}"""


@pytest.fixture(scope="module")
def nangate():
    return read_library(nangate45(), "NAND2_X1")


def _design(folder: Path, text: str, top: str = "top") -> VerilogDesign:
    file = folder / "design.v"
    file.write_text(text)
    return VerilogDesign((file,), top)


def _adder(folder: Path, bits: int, terms: int = 2) -> VerilogDesign:
    """A sum of `terms` numbers, as wide as they are."""
    names = "abcdefgh"[:terms]
    return _design(
        folder,
        f"module top (input [{bits - 1}:0] {', '.join(names)}, output [{bits - 1}:0] y);\n"
        f"  assign y = {' + '.join(names)};\nendmodule\n",
    )


REGISTER = """module top (input clock, input [3:0] d, output reg [3:0] q);
  always @(posedge clock) q <= d;
endmodule
"""
RESET_REGISTER = REGISTER.replace("input clock,", "input clock, reset,").replace(
    "q <= d", "if (reset) q <= 0; else q <= d"
)


class TestFpga:
    @pytest.mark.slow
    @pytest.mark.parametrize(("family", "chains"), [(XCUP, 1), (XC7, 2)])
    def test_a_sum_of_two_takes_a_table_a_bit(self, tmp_path, family, chains):
        found = synthesise_fpga(_adder(tmp_path, 8), family, tmp_path / "out")
        assert found.cells == {"LUT2": 8, family.carry: chains}
        assert (found.lut, found.carry, found.ff, found.dsp) == (8, chains, 0, 0)

    @pytest.mark.slow
    @pytest.mark.parametrize(("family", "chains"), [(XCUP, 1), (XC7, 2)])
    def test_a_sum_of_three_takes_as_many(self, tmp_path, family, chains):
        found = synthesise_fpga(_adder(tmp_path, 8, 3), family, tmp_path / "out")
        assert found.cells == {"LUT6_2": 8, family.carry: chains}
        assert found.lut == 8

    @pytest.mark.slow
    def test_a_sum_of_five_takes_two_of_three(self, tmp_path):
        found = synthesise_fpga(_adder(tmp_path, 8, 5), XCUP, tmp_path / "out")
        assert found.cells == {"LUT6_2": 16, "CARRY8": 2}

    @pytest.mark.slow
    def test_flip_flops_with_and_without_reset(self, tmp_path):
        for text in (REGISTER, RESET_REGISTER):
            found = synthesise_fpga(_design(tmp_path, text), XC7, tmp_path / "out")
            assert (found.cells, found.ff, found.lut) == ({"FDRE": 4}, 4, 0)

    @pytest.mark.slow
    @pytest.mark.parametrize(("family", "dsp"), [(XCUP, "DSP48E2"), (XC7, "DSP48E1")])
    def test_a_wide_product_is_a_dsp_block_a_narrow_one_is_not(self, tmp_path, family, dsp):
        text = "module top (input signed [{0}:0] a, b, output signed [31:0] y);\n"
        text += "  assign y = a * b;\nendmodule\n"
        wide = synthesise_fpga(_design(tmp_path, text.format(15)), family, tmp_path / "wide")
        assert (wide.dsp, wide.lut, wide.cells) == (1, 0, {dsp: 1})
        narrow = synthesise_fpga(_design(tmp_path, text.format(5)), family, tmp_path / "narrow")
        assert narrow.dsp == 0
        assert narrow.lut <= 36

    @pytest.mark.slow
    def test_modules_mapped_once_count_as_often_as_they_stand(self, tmp_path):
        text = """module add (input [7:0] a, b, output [7:0] y); assign y = a + b; endmodule
        module top (input [7:0] a, b, c, output [7:0] y);
          wire [7:0] s;
          add first (a, b, s);
          add second (s, c, y);
        endmodule
        """
        found = synthesise_fpga(_design(tmp_path, text), XCUP, tmp_path / "out", flat=False)
        assert found.cells == {"LUT2": 16, "CARRY8": 2}

    def test_tables_that_only_hand_a_bit_to_a_chain_are_counted(self):
        carry = {"type": "CARRY8", "connections": {"S": [2, 3, 3, "0", "0", "0", "0", "0"]}}
        table = {"type": "LUT2", "connections": {"I0": [9], "I1": [8], "O": [3]}}
        modules = {"top": {"attributes": {}, "cells": {"c": carry, "t": table}}}
        found = fpga.count(modules, "top", XCUP, "")
        # bit 2 comes from no table; bit 3 does, but selects at two places of the chain
        assert (found.pass_through, found.lut, found.carry) == (2, 3, 1)

    def test_a_cell_of_another_family_is_an_error(self):
        modules = {"top": {"attributes": {}, "cells": {"c": {"type": "CARRY4", "connections": {}}}}}
        with pytest.raises(ToolFailed, match="CARRY4"):
            fpga.count(modules, "top", XCUP, "")

    @pytest.mark.parametrize(
        ("part", "family"),
        [
            ("xcvu13p-flga2577-2-e", XCUP),
            ("XCKU115-FLVB2104-2-I", XCUP),
            ("xck26-sfvc784-2LV-c", XCUP),
            ("xcu250-figd2104-2L-e", XCUP),
            ("xcsu35p-sbvb625-2-e", XCUP),
            ("xqzu9eg-ffrb1156-1-i", XCUP),
            ("xc7z020clg400-1", XC7),
            ("xa7s50csga324-1I", XC7),
            (None, XCUP),
        ],
    )
    def test_family_of_a_part(self, part, family):
        assert family_of(part) is family

    @pytest.mark.parametrize(
        "part", ["10AX115", "xc6slx150t-fgg900-3", "xcvc1902-vsva2197-2MP-e-S"]
    )
    def test_an_unknown_part_is_named(self, part):
        with pytest.raises(UnknownFamily, match=part):
            family_of(part)


class TestAsic:
    @pytest.mark.slow
    def test_a_four_bit_adder(self, tmp_path, nangate):
        design = _design(
            tmp_path,
            "module top (input [3:0] a, b, output [4:0] y); assign y = a + b; endmodule\n",
        )
        found = synthesise_asic(design, nangate, tmp_path / "out")
        # the lowest bit is a half adder; its gates and three full adders
        assert found.cells == {"FA_X1": 3, "XOR2_X1": 1, "AND2_X1": 1}
        assert found.area_um2 == pytest.approx(3 * 4.256 + 1.596 + 1.064)
        assert found.gate_equivalents == pytest.approx(15.428 / 0.798, abs=0.05)
        assert found.sequential_share == 0

    @pytest.mark.slow
    def test_a_register(self, tmp_path, nangate):
        found = synthesise_asic(_design(tmp_path, REGISTER), nangate, tmp_path / "out")
        assert found.cells == {"DFF_X1": 4}
        assert (found.area_um2, found.sequential_share) == (pytest.approx(4 * 4.522), 1)

    @pytest.mark.slow
    def test_reset_is_logic_before_a_plain_flip_flop(self, tmp_path, nangate):
        found = synthesise_asic(_design(tmp_path, RESET_REGISTER), nangate, tmp_path / "out")
        assert found.cells["DFF_X1"] == 4
        assert 0.5 < found.sequential_share < 1

    @pytest.mark.slow
    def test_gate_equivalents_are_counted_in_the_cell_named(self, tmp_path):
        library = read_library(nangate45(), "INV_X1")
        found = synthesise_asic(_design(tmp_path, REGISTER), library, tmp_path / "out")
        assert found.gate_equivalents == pytest.approx(4 * 4.522 / 0.532, abs=0.05)

    @pytest.mark.slow
    def test_a_library_without_full_adder(self, tmp_path, nangate):
        *head, end = nangate.library.header.lines()
        cells = [c for name, c in nangate.library.cells.items() if not name.startswith("FA_")]
        lines = [*head, *(line for cell in cells for line in cell.group.lines()), end]
        file = tmp_path / "less.lib"
        file.write_text("\n".join(lines))
        library = read_library(file, "NAND2_X1")
        assert library.full_adder is None
        design = _adder(tmp_path, 4)
        found = synthesise_asic(design, library, tmp_path / "out")
        assert found.area_um2 > synthesise_asic(design, nangate, tmp_path / "with").area_um2

    def test_the_smallest_full_adder_is_found_by_its_functions(self, tmp_path):
        file = tmp_path / "small.lib"
        large = ADDER_CELL.format(area=9).replace("ADDF", "LARGE")
        file.write_text(SMALL_LIBRARY.format(more=large + ADDER_CELL.format(area=6)))
        library = read_library(file, "ND2")
        assert library.full_adder == asic.FullAdder("ADDF", ("P", "Q", "R"), "SO", "CO")

    def test_nangate_has_one(self, nangate):
        assert nangate.full_adder == asic.FullAdder("FA_X1", ("A", "B", "CI"), "S", "CO")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (("cell (ND2)", "cell (OTHER)"), "no cell 'ND2'"),
            (("area : 1.0;", ""), "cell 'ND2' has no area"),
            (("area : 1.0;", "area : 0;"), "area of 'ND2' is 0"),
            (("ff (IQ, IQN)", "unknown (IQ, IQN)"), "no flip-flop$"),
            (("ff (IQ, IQN)", "latch (IQ, IQN)"), "no flip-flop$"),
            (('function : "A\'"', 'function : "1"'), "no inverter$"),
            (("cell (BF) { area : 1.0;", "cell (BF) { area : 1.0; dont_use : true;"), "no buffer$"),
            (("library (small) {", "cells {"), "small.lib:1: not a Liberty file"),
        ],
    )
    def test_a_library_that_cannot_be_mapped_to(self, tmp_path, change, message):
        file = tmp_path / "small.lib"
        file.write_text(SMALL_LIBRARY.format(more="").replace(*change))
        with pytest.raises(InputError, match=message):
            read_library(file, "ND2")

    def test_a_missing_library(self, tmp_path):
        with pytest.raises(InputError, match=r"none\.lib"):
            read_library(tmp_path / "none.lib", "ND2")


class TestFolder:
    @pytest.mark.slow
    def test_script_log_and_netlists_stay_and_serve_again(self, tmp_path, nangate):
        design = _design(tmp_path, REGISTER)
        first = synthesise_asic(design, nangate, tmp_path / "out")
        files = {file.name for file in (tmp_path / "out").iterdir()}
        assert files == {"script.ys", "yosys.log", "netlist.v", "netlist.json", "statistics.json"}
        written = (tmp_path / "out" / LOG).stat().st_mtime_ns
        assert synthesise_asic(design, nangate, tmp_path / "out") == first
        assert (tmp_path / "out" / LOG).stat().st_mtime_ns == written
        design = _design(tmp_path, REGISTER.replace("3:0", "4:0"))
        assert synthesise_asic(design, nangate, tmp_path / "out").cells == {"DFF_X1": 5}

    @pytest.mark.slow
    def test_the_script_runs_where_it_was_left(self, tmp_path, nangate):
        synthesise_asic(_design(tmp_path, REGISTER), nangate, tmp_path / "out")
        script = (tmp_path / "out" / SCRIPT).read_text()
        assert "../design.v" in script
        netlist = (tmp_path / "out" / NETLIST).read_text()
        run(script, tmp_path / "out", "again")
        assert (tmp_path / "out" / NETLIST).read_text() == netlist

    @pytest.mark.slow
    def test_folders_with_blanks(self, tmp_path, nangate):
        folder = tmp_path / "a folder"
        folder.mkdir()
        found = synthesise_asic(_design(folder, REGISTER), nangate, folder / "out put")
        assert found.cells == {"DFF_X1": 4}

    @pytest.mark.slow
    def test_nothing_stays_in_the_temporary_folder(self, tmp_path, nangate, monkeypatch):
        """yosys would leave a copy of each library there."""
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(scratch))
        monkeypatch.setenv("TMPDIR", str(scratch))
        text = "module top (input a, b, output y); assign y = ~(a & b); endmodule\n"
        found = synthesise_asic(_design(tmp_path, text), nangate, tmp_path / "out")
        assert found.cells == {"NAND2_X1": 1}
        assert not list(scratch.iterdir())

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "module top (input a, output y); assign y = ; endmodule",
                r"design\.v:1.*syntax error",
            ),
            ("module other (input a, output y); assign y = a; endmodule", "top"),
            ("module top (input a, output y); missing m (a, y); endmodule", "missing"),
            ("module top (input a, output y); wire b; assign y = a & b; endmodule", "no driver"),
        ],
    )
    def test_what_yosys_refuses_is_told_and_nothing_is_left(self, tmp_path, nangate, text, message):
        with pytest.raises(ToolFailed, match=message):
            synthesise_asic(_design(tmp_path, text + "\n"), nangate, tmp_path / "out")
        assert [file.name for file in tmp_path.iterdir()] == ["design.v"]

    @pytest.mark.slow
    def test_a_design_without_logic(self, tmp_path, nangate):
        design = _design(tmp_path, "module top (input a, output y); assign y = 1'b1; endmodule\n")
        with pytest.raises(InputError, match="nothing is left of top"):
            synthesise_asic(design, nangate, tmp_path / "out")
        with pytest.raises(InputError, match="nothing is left of top"):
            synthesise_fpga(design, XCUP, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_a_module_twice_in_one_that_stands_thrice(self):
        def module(*kinds: str):
            cells = {str(i): {"type": kind} for i, kind in enumerate(kinds)}
            return {"attributes": {}, "cells": cells}

        modules = {
            "top": module("middle", "middle", "middle", "INV_X1"),
            "middle": module("leaf", "leaf", "INV_X1"),
            "leaf": module("NAND2_X1"),
            "NAND2_X1": {"attributes": {"blackbox": "1"}, "cells": {}},
        }
        assert count_cells(modules, "top") == {"INV_X1": 4, "NAND2_X1": 6}


def _prove_equal(design: VerilogDesign, folder: Path, models: list[str]) -> None:
    """By SAT, for all inputs: the netlist in `folder` computes what the design does."""
    script = [
        f"read_verilog -sv {relative(design.sources[0], folder)}",
        *("prep -flatten -top top", "rename top gold", "design -stash gold"),
        *models,
        f"read_verilog {NETLIST}",
        *("prep -flatten -top top", "rename top gate", "design -stash gate"),
        "design -copy-from gold -as gold gold",
        "design -copy-from gate -as gate gate",
        "miter -equiv -flatten -make_assert gold gate miter",
        "sat -verify -prove-asserts -timeout 60 miter",
    ]
    run("\n".join(script) + "\n", folder, "proof")


FPGA_MODELS = ["read_verilog -lib +/xilinx/cells_xtra.v", "read_verilog +/xilinx/cells_sim.v"]


def _arithmetic(seed: int) -> str:
    """A sum of numbers and products of random widths and signs, some subtracted."""
    random_ = random.Random(seed)
    ports, terms = [], []
    for i in range(random_.randint(2, 5)):
        sign = random_.choice(("signed ", ""))
        width = random_.randint(1, 4)
        ports.append(f"input {sign}[{width - 1}:0] x{i}")
        value = factor = f"$signed(x{i})" if sign else f"$signed({{1'b0, x{i}}})"
        if random_.random() < 0.3:
            ports.append(f"input {sign}[{random_.randint(1, 3) - 1}:0] w{i}")
            value += " * " + factor.replace(f"x{i}", f"w{i}")
        terms.append(random_.choice("+-") + f" ({value})")
    if random_.random() < 0.5:
        terms.append(f"{random_.choice('+-')} {random_.randint(1, 20)}")
    width = random_.randint(3, 9)
    return (
        f"module top ({', '.join(ports)}, output signed [{width - 1}:0] y);\n"
        f"  assign y = {' '.join(terms)};\nendmodule\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_arithmetic_is_mapped_rightly(tmp_path, nangate, seed):
    design = _design(tmp_path, _arithmetic(seed))
    family = (XCUP, XC7)[seed % 2]
    synthesise_fpga(design, family, tmp_path / family.name)
    _prove_equal(design, tmp_path / family.name, FPGA_MODELS)
    synthesise_asic(design, nangate, tmp_path / "asic")
    cells = f"read_liberty -ignore_miss_func {relative(nangate.file, tmp_path / 'asic')}"
    _prove_equal(design, tmp_path / "asic", [cells])


@pytest.mark.slow
def test_a_wrong_netlist_is_told(tmp_path):
    design = _adder(tmp_path, 4, 3)
    synthesise_fpga(design, XCUP, tmp_path / "out")
    netlist = tmp_path / "out" / NETLIST
    text = netlist.read_text()
    # bit 32: the sum of three zeros
    table = re.search(r"64'h([0-9a-f]{16})", text)
    assert table
    digit = table[1][7]
    changed = table[1][:7] + f"{int(digit, 16) ^ 1:x}" + table[1][8:]
    netlist.write_text(text.replace(table[1], changed, 1))
    with pytest.raises(ToolFailed, match="proof"):
        _prove_equal(design, tmp_path / "out", FPGA_MODELS)


def test_targets_name_their_library(tmp_path):
    assert load_target("econ_t").liberty is None
    file = tmp_path / "mine.yaml"
    file.write_text(
        "description: d\nbackend: Catapult\nasic_library: a\nclock_period_ns: 25\n"
        "liberty: libs/mine.lib\ngate_equivalent_cell: ND2D1\n"
    )
    target = load_target(str(file))
    assert target.liberty == str(tmp_path / "libs" / "mine.lib")
    assert target.gate_equivalent_cell == "ND2D1"
