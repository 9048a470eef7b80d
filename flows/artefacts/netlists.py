"""The netlists that the synth stages left, and the library that they are mapped to."""

from pathlib import Path

from flows.artefacts.skipped import reason_of_skip
from flows.layout import ASIC, DesignLayout, netlist_folder
from hw.forms import GENERATED, Form
from hw.foundation.errors import ToolMissing
from hw.netlist.liberty import Library, read_liberty
from hw.open_tools.verilog_design import VerilogDesign
from hw.rtl import designs
from hw.synthesis.asic import nangate45
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


def liberty_file(target: Target) -> Path:
    """The Liberty file that the target's netlists are mapped to."""
    return Path(target.liberty) if target.liberty else nangate45()


def cell_library(target: Target) -> Library:
    """The library that the target's netlists are mapped to."""
    return read_liberty(liberty_file(target))
