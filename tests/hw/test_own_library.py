"""Cell libraries other than the one that comes along: other flip-flops, few cells, no delays."""

import json
from pathlib import Path

import numpy as np
import pytest

from hw.foundation.errors import InputError, ToolFailed
from hw.netlist.equivalence import compare, control, gates_of
from hw.netlist.gate_netlist import GateNetlist, mapped_netlist, read_netlist
from hw.netlist.liberty import read_liberty
from hw.netlist.static_timing import NoDelays, critical_path
from hw.open_tools.verilog_design import VerilogDesign
from hw.synthesis.asic import read_library, synthesise_asic
from testbench.simulators.gatesim import simulate
from testbench.simulators.rtlsim import DataPort, Feed, RtlDesign

VERILOG = """module top (input clock, reset, valid_in, output reg valid_out,
    input [7:0] inputs, output reg [4:0] latents);
  always @(posedge clock) begin
    valid_out <= valid_in & ~reset;
    latents <= inputs[3:0] + inputs[7:4];
  end
endmodule
"""
HEADER = """library (own) {
  time_unit : "1ns"; capacitive_load_unit (1, ff);
  lu_table_template (delay) { variable_1 : input_net_transition;
    variable_2 : total_output_net_capacitance; index_1 ("0.01, 0.1"); index_2 ("1, 10"); }
"""
TIMES = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")


def _arc(pin: str, more: str = "") -> str:
    values = 'values ("0.1, 0.2", "0.15, 0.3");'
    tables = " ".join(f"{time} (delay) {{ {values} }}" for time in TIMES)
    return f'timing () {{ related_pin : "{pin}"; {more} {tables} }}'


def _input(*names: str) -> str:
    return " ".join(f"pin ({n}) {{ direction : input; capacitance : 1; }}" for n in names)


def _gate(name: str, function: str, *inputs: str, area: float = 1.0) -> str:
    arcs = " ".join(map(_arc, inputs))
    return (
        f"cell ({name}) {{ area : {area}; {_input(*inputs)}\n"
        f'  pin (Z) {{ direction : output; function : "{function}"; {arcs} }} }}\n'
    )


GATES = (
    _gate("IV", "!I", "I", area=0.5),
    _gate("BF", "I", "I"),
    _gate("ND2", "!(A B)", "A", "B"),
    _gate("NR2", "(A + B)'", "A", "B"),
)


def _flip_flop(works: str, *more: str, shown: str = "IQ") -> str:
    return (
        f"cell (FF) {{ area : 4; ff (IQ, IQN) {{ {works} }} {_input('CP', 'D', *more)}\n"
        f'  pin (Q) {{ direction : output; function : "{shown}"; '
        f"{_arc('CP', 'timing_type : rising_edge;')} }} }}\n"
    )


def _library(folder: Path, *cells: str) -> Path:
    file = folder / "own.lib"
    file.write_text(HEADER + "".join(cells) + "}\n")
    return file


@pytest.mark.parametrize(
    ("works", "shown", "tied", "expected"),
    [
        ('clocked_on : "CP"; next_state : "D";', "IQ", {}, ("D", True, False)),
        ('clocked_on : "(CP\')"; next_state : "(D)";', "IQ'", {}, ("D", False, True)),
        ('clocked_on : "!CP"; next_state : "!D";', "IQ", {}, ("D", False, True)),
        ('clocked_on : "CP"; next_state : "!D";', "IQN", {}, ("D", True, False)),
        # the set or reset that is not used
        ('clocked_on : "CP"; next_state : "D"; clear : "!R";', "IQ", {}, None),
        ('clocked_on : "CP"; next_state : "D"; clear : "!R";', "IQ", {"R": False}, None),
        (
            'clocked_on : "CP"; next_state : "D"; clear : "!R";',
            "IQ",
            {"R": True},
            ("D", True, False),
        ),
        ('clocked_on : "CP"; next_state : "R & D";', "IQ", {"R": True}, ("D", True, False)),
        # an enable, a scan input
        ('clocked_on : "CP"; next_state : "(R D) + (!R IQ)";', "IQ", {}, None),
        ('clocked_on : "CP"; next_state : "(R D) + (!R IQ)";', "IQ", {"R": False}, None),
        (
            'clocked_on : "CP"; next_state : "(R D) + (!R IQ)";',
            "IQ",
            {"R": True},
            ("D", True, False),
        ),
        # what stands at the data input does not matter
        (
            'clocked_on : "CP"; next_state : "(R D) + (!R IQ)";',
            "IQ",
            {"R": True, "D": True},
            ("D", True, False),
        ),
        ('clocked_on : "CP R"; next_state : "D";', "IQ", {"R": True}, None),
        ('clocked_on : "CP"; next_state : "D";', "IQ D", {}, None),
    ],
)
def test_how_a_flip_flop_works(tmp_path, works, shown, tied, expected):
    library = read_liberty(_library(tmp_path, _flip_flop(works, "R", shown=shown)))
    found = library.logic["FF"].flip_flop(tied)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert (found.data, found.rising, found.outputs["Q"]) == expected


def _mapped(folder: Path, *cells: str) -> GateNetlist:
    library = read_library(_library(folder, *cells), "ND2")
    (folder / "top.v").write_text(VERILOG)
    synthesise_asic(VerilogDesign((folder / "top.v",), "top"), library, folder / "asic")
    return mapped_netlist(folder / "asic", "top", library.library)


PLAIN = _flip_flop('clocked_on : "CP"; next_state : "D";')


@pytest.mark.slow
def test_a_library_without_delays_gives_areas_only(tmp_path):
    cells = [cell.replace("timing ()", "nothing ()") for cell in (*GATES, PLAIN)]
    with pytest.raises(NoDelays, match=r"own\.lib: cell '\w+' has no delays"):
        critical_path(_mapped(tmp_path, *cells))


@pytest.mark.slow
def test_delays_that_abc_cannot_read_are_told_by_it(tmp_path):
    cells = [cell.replace(" (delay)", "_other (delay)") for cell in (*GATES, PLAIN)]
    with pytest.raises(ToolFailed, match="ABC: Table cannot be found"):
        _mapped(tmp_path, *cells)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("works", "more", "shown"),
    [
        ('clocked_on : "CP\'"; next_state : D; clear : "R\'";', "R", "IQ"),
        ('clocked_on : "CP"; next_state : "!D"; preset : "R";', "R", "IQ"),
        ('clocked_on : "!CP"; next_state : "(R D) + (!R IQ)";', "R", "IQN"),
    ],
)
def test_a_design_of_such_cells(tmp_path, works, more, shown):
    """Falling edges, an unused reset, set or enable, complements: timing, simulation, proof."""
    netlist = _mapped(tmp_path, *GATES, _flip_flop(works, more, shown=shown))
    codes = np.random.default_rng(1).integers(0, 16, (200, 2))
    inputs, outputs = DataPort("inputs", 4, 2, False), DataPort("latents", 5, 1, False)
    ran = simulate(
        netlist, RtlDesign(VerilogDesign((), netlist.top), inputs, outputs), [Feed(codes)]
    )
    assert ran.latency == 1 and (ran.codes[:, 0] == codes.sum(axis=1)).all()
    path = critical_path(netlist)
    assert path.delay_ns > 0.2 and (path.end.startswith("register") or path.start == "a register")
    rtl = gates_of(VerilogDesign((tmp_path / "top.v",), "top"), netlist.library)
    assert compare(rtl, netlist).equal
    assert control(rtl, netlist, 1)


def _with(cell: str, more: str) -> str:
    """The cell with a statement more."""
    return cell.replace("{", "{ " + more, 1)


def _tristate(name: str, pin: str = "output", more: str = "") -> str:
    """A driver that can be switched off, as pads and bus drivers are: Debian's osu035 has both."""
    return (
        f"cell ({name}) {{ area : 9; {more} {_input('DO', 'OEN')}\n"
        f'  pin (Y) {{ direction : {pin}; function : "DO"; three_state : "(!OEN)"; '
        f"{_arc('DO')} {_arc('OEN', 'timing_type : three_state_enable;')} }}\n"
    )


PADS = (
    _tristate("PADINOUT", "inout", "pad_cell : true;")
    + f'  pin (DI) {{ direction : output; function : "Y"; {_arc("Y")} }} }}\n',
    _tristate("TBUF") + "}\n",
    _with(_gate("PADOUT", "A", "A"), "pad_cell : true;"),
    "cell (PADVDD) { area : 9; pad_cell : true; }\n",
)
# its pins are in a bus: nothing here could be wired to it
RAM = (
    "cell (RAM) { area : 99; bus (A) { direction : input; } pin (Q) { direction : output; "
    'function : "A"; } }\n'
)


def test_cells_that_no_netlist_of_logic_has_are_left_out(tmp_path):
    library = read_liberty(_library(tmp_path, *GATES, PLAIN, *PADS, RAM))
    assert library.gates.keys() == {"IV", "BF", "ND2", "NR2"}
    assert library.logic.keys() == library.gates.keys() | {"FF"}
    assert library.cells["ND2"].is_logic and not library.cells["PADINOUT"].is_logic


@pytest.mark.slow
def test_a_library_with_pads_gives_what_it_gives_without(tmp_path):
    paths = []
    for name, cells in (("without", ()), ("with", PADS)):
        (tmp_path / name).mkdir()
        netlist = _mapped(tmp_path / name, *GATES, PLAIN, *cells)
        rtl = gates_of(VerilogDesign((tmp_path / name / "top.v",), "top"), netlist.library)
        assert compare(rtl, netlist).equal and control(rtl, netlist, 1)
        paths.append(critical_path(netlist))
    assert paths[0].delay_ns == paths[1].delay_ns and paths[0].cells == paths[1].cells


def test_a_netlist_with_a_pad_names_it(tmp_path):
    library = read_liberty(_library(tmp_path, *GATES, PLAIN, *PADS))
    cell = {"type": "PADOUT", "connections": {"A": [2], "Z": [3]}}
    ports = {
        n: {"direction": d, "bits": [b]} for n, d, b in (("a", "input", 2), ("y", "output", 3))
    }
    module = {"ports": ports, "cells": {"pad": cell}, "netnames": {}, "attributes": {}}
    file = tmp_path / "netlist.json"
    file.write_text(json.dumps({"modules": {"top": module}}))
    with pytest.raises(InputError, match=r"cell 'pad' of top is a 'PADOUT'.*is a pad"):
        read_netlist(file, "top", library)


@pytest.mark.parametrize("function", ["(A", "A&&A", "A ? A : A", "~A", "A +"])
def test_a_function_that_cannot_be_read_is_told_unless_the_cell_is_not_to_be_used(
    tmp_path, function
):
    bad = _gate("BAD", function, "A")
    file = _library(tmp_path, *GATES, bad, PLAIN)
    with pytest.raises(InputError, match=r"own\.lib: cell 'BAD': .*; correct it, or exclude"):
        read_library(file, "ND2")
    file = _library(tmp_path, *GATES, _with(bad, "dont_use : true;"), PLAIN)
    assert read_library(file, "ND2").library.gates.keys() == {"IV", "BF", "ND2", "NR2"}


def test_a_function_of_a_pin_that_is_not_there_is_told(tmp_path):
    bad = _gate("BAD", "A B", "A")
    with pytest.raises(InputError, match=r"own\.lib: cell 'BAD': a function names a pin that"):
        read_library(_library(tmp_path, *GATES, bad, PLAIN), "ND2")
    file = _library(tmp_path, *GATES, _with(bad, "dont_use : true;"), PLAIN)
    assert "BAD" not in read_library(file, "ND2").library.gates


OSU = [
    Path("/usr/share/qflow/tech") / name / f"{stem}_stdcells.lib"
    for name, stem in (("osu018", "osu018"), ("osu035", "osu035"), ("osu050", "osu05"))
]


@pytest.mark.slow
@pytest.mark.parametrize("file", OSU, ids=lambda file: file.parent.name)
def test_the_libraries_that_debian_has(tmp_path, file):
    """Of 0.18, 0.35 and 0.5 um, two of them with pads; packages qflow-tech-*."""
    if not file.is_file():
        pytest.skip(f"{file} is not installed")
    library = read_library(file, "NAND2X1")
    assert library.full_adder is not None and library.full_adder.cell == "FAX1"
    (tmp_path / "top.v").write_text(VERILOG)
    design = VerilogDesign((tmp_path / "top.v",), "top")
    synthesise_asic(design, library, tmp_path / "asic")
    netlist = mapped_netlist(tmp_path / "asic", "top", library.library)
    path = critical_path(netlist)
    assert 0.5 < path.delay_ns < 5 and "FAX1" in path.cells
    rtl = gates_of(design, library.library)
    assert compare(rtl, netlist).equal and control(rtl, netlist, 1)
