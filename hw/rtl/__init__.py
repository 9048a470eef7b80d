"""The reconfigurable ECON-T encoder in SystemVerilog, written by hand; see docs/econ_t_rtl.md.

`econ_t_encoder` is the encoder with its weight registers, `econ_t_autoencoder` the whole data path.
"""

from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
_PACKAGE = _FOLDER / "econ_t_pkg.sv"  # its constants are used by all: tools must read it first


def sources() -> tuple[Path, ...]:
    """All source files, in the order in which tools must read them."""
    return (_PACKAGE, *sorted(file for file in _FOLDER.glob("*.sv") if file != _PACKAGE))
