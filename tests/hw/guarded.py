"""A small design whose registers are tripled in part, in full or not at all, mapped to cells."""

from dataclasses import replace
from pathlib import Path

from hw.netlist.gate_netlist import GateNetlist, mapped_netlist
from hw.netlist.liberty import Library
from hw.netlist.simple_gates import Gate, Net
from hw.open_tools.verilog_design import VerilogDesign
from hw.rtl import sources
from hw.synthesis.asic import nangate45, read_library, synthesise_asic

TOP = "guarded"
BITS = 16
# two bytes of weights that stand on the data, which go through one pipeline register
VERILOG = """module guarded #(parameter bit TMR = 0, parameter logic [15:0] TRIPLED = 0,
    parameter bit TMR_PIPELINE = 0) (input clock, reset, write, input [15:0] address,
    input [7:0] write_data, output [7:0] read_data, output upset, input [15:0] x, output [15:0] y);
  wire [15:0] kept;
  register_block #(.BASE(16'h10), .BYTES(2), .TMR(TMR), .TRIPLED(TRIPLED)) registers (
    .contents(kept), .*);
  delay #(.WIDTH(16), .TMR(TMR_PIPELINE)) data (.clock, .d(x ^ kept), .q(y));
endmodule
"""


def guarded(folder: Path, library: Library, **parameters: int) -> GateNetlist:
    """Its netlist."""
    file = folder / "guarded.sv"
    file.write_text(VERILOG)
    design = VerilogDesign((*sources(), file), TOP, parameters)
    cells = read_library(nangate45(), "NAND2_X1")
    synthesise_asic(design, cells, folder / "asic", flat=False)
    return mapped_netlist(folder / "asic", TOP, library)


def contents(netlist: GateNetlist) -> dict[str, Net]:
    """The net of each stored bit, as it is used."""
    return {
        label: net
        for net, labels in netlist.net_names.items()
        for label in labels
        if label.startswith("kept[")
    }


def without_voter(netlist: GateNetlist, voted: Net, copy: Net) -> GateNetlist:
    """The same netlist, but what drives `voted` takes one copy's value."""
    drives = netlist.drivers[voted]
    name = f"{drives.name} left out"
    output = next(pin for pin, net in drives.pins.items() if net == voted)
    gates = tuple(gate for gate in netlist.gates if gate.name != drives.name)
    assert output
    buffer = Gate(name, "BUF_X1", {"A": copy, "Z": voted})
    return replace(netlist, gates=(*gates, buffer))
