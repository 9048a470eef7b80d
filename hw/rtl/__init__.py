"""The reconfigurable ECON-T encoder in SystemVerilog, written by hand; see docs/econ_t_rtl.md.

`econ_t_encoder` is the encoder with its weight registers, `econ_t_autoencoder` the whole data path.
"""

from collections.abc import Mapping
from pathlib import Path

from hw.open_tools.verilog_design import VerilogDesign

ENCODER = "econ_t_encoder"
AUTOENCODER = "econ_t_autoencoder"

_FOLDER = Path(__file__).resolve().parent
_PACKAGE = _FOLDER / "econ_t_pkg.sv"  # its constants are used by all: tools must read it first


def sources() -> tuple[Path, ...]:
    """All source files, in the order in which tools must read them."""
    return (_PACKAGE, *sorted(file for file in _FOLDER.glob("*.sv") if file != _PACKAGE))


def designs() -> Mapping[str, VerilogDesign]:
    """The designs that are mapped, timed and proved, by name: the encoder, which compares with
    generated RTL, and the whole data path, each also with its registers tripled (`_tmr`)."""
    return {
        f"{name}{suffix}": VerilogDesign(sources(), top, {"TMR": tmr})
        for name, top in (("encoder", ENCODER), ("autoencoder", AUTOENCODER))
        for suffix, tmr in (("", 0), ("_tmr", 1))
    }
