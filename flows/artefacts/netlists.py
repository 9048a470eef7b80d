"""The netlists that the synth stages left, and the library that they are mapped to."""

from pathlib import Path

from flows.artefacts.skipped import reason_of_skip
from flows.artefacts.stage_results import remedy
from flows.layout import ASIC, DesignLayout, netlist_folder
from flows.stages import BY_NAME
from hw.forms import GENERATED, Form
from hw.foundation.errors import InputError, ToolMissing
from hw.netlist.gate_netlist import GateNetlist, mapped_netlist
from hw.netlist.liberty import Library, read_liberty
from hw.open_tools.verilog_design import VerilogDesign
from hw.rtl import designs
from hw.synthesis.asic import is_mapped, nangate45, read_library
from hw.targets.target import Target


def chip_design(form: Form) -> VerilogDesign:
    """The part of the chip's own RTL that a form is."""
    return designs()[form.design]


def mapped_folder(design: DesignLayout, form: Form) -> Path:
    """The folder of the netlist mapped to the cell library.

    Raises:
        ToolMissing: the synth stage was skipped for want of a tool.
    """
    folder = netlist_folder(design, form) / ASIC
    layout = design.target if form is GENERATED else design.shared(form)
    if not folder.is_dir() and (reason := reason_of_skip(layout.metrics(f"synth{form.suffix}"))):
        raise ToolMissing(reason)
    return folder


def netlist_of(design: DesignLayout, form: Form, rtl: VerilogDesign, target: Target) -> GateNetlist:
    """The netlist that this RTL was mapped to.

    Raises:
        ToolMissing: the synth stage was skipped for want of a tool, or one is missing now.
        InputError: there is none, or it was made of something else.
    """
    folder = mapped_folder(design, form)
    netlist = mapped_netlist(folder, rtl.top, cell_library(target))
    library = read_library(netlist.library.file, target.gate_equivalent_cell)
    if not is_mapped(rtl, library, folder):
        raise InputError(
            f"{folder} was not made from the RTL, cell library and tools that there are now; "
            f"run the synth stage anew: {remedy(BY_NAME[f'synth{form.suffix}'], design)}"
        )
    return netlist


def liberty_file(target: Target) -> Path:
    """The Liberty file that the target's netlists are mapped to."""
    return Path(target.liberty) if target.liberty else nangate45()


def cell_library(target: Target) -> Library:
    """The library that the target's netlists are mapped to."""
    return read_liberty(liberty_file(target))
