"""Mapping to AMD FPGAs: look-up tables, flip-flops, carry and DSP cells; see docs/synthesis.md."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.foundation.errors import InputError, ToolFailed
from hw.open_tools.verilog_design import VerilogDesign
from hw.synthesis.mapping import (
    Modules,
    count_cells,
    elaborate,
    fingerprint,
    instances,
    map_once,
    relative,
    write,
)

_CHAINS = Path(__file__).with_name("carry_chains.v")
# Measured: shorter chains cost more tables than logic does (docs/synthesis.md).
_SHORTEST_CHAIN, _SHORTEST_CHAIN_OF_ONE = 3, 20
# A factor of fewer bits is not worth a DSP block: vendor tools build such products of tables.
_LEAST_DSP_FACTOR = 9
_LUT_SCRIPT = "lut.abc"
_LUT_COMMANDS = """strash
&get -n; &fraig -x; &put
scorr
dc2; dc2
strash
dch -f
if -a
mfs2 -a
lutpack -S 1
"""


@dataclass(frozen=True)
class Family:
    """A family of FPGAs, named as yosys names it.

    Attributes:
        carry: its carry cell.
        dsp: its DSP cell; `dsp_map` is yosys's map to it, which takes factors of `dsp_bits` bits.
    """

    name: str
    title: str
    carry: str
    dsp: str
    dsp_map: str
    dsp_bits: tuple[int, int]


XCUP = Family("xcup", "UltraScale+", "CARRY8", "DSP48E2", "xcu", (27, 18))
XC7 = Family("xc7", "7 series", "CARRY4", "DSP48E1", "xc7", (25, 18))
FAMILIES = (XCUP, XC7)
"""XCUP stands for the target of another kind, too."""

_TABLES = {"INV", *(f"LUT{n}" for n in range(1, 7)), "LUT6_2"}
_FLIP_FLOPS = {"FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE"}


# x, a grade (commercial, automotive, defence), and the family; Alveo and Kria are UltraScale+
_PARTS = {
    XC7: re.compile(r"x[caq]7"),
    XCUP: re.compile(r"x[caq](?:[vkzas]u)|xcu\w*\d|xck\d"),
}


class UnknownFamily(InputError):
    """A part of a family that is not mapped to."""


def family_of(part: str | None) -> Family:
    """The family of a part number: of 7 series or UltraScale+; of the latter without a part.

    Raises:
        UnknownFamily: another one.
    """
    if part is None:
        return XCUP
    for family, pattern in _PARTS.items():
        if pattern.match(part.lower()):
            return family
    raise UnknownFamily(
        f"part '{part}' is of no family that synthesis maps to: 7 series (xc7...) or UltraScale+ "
        "(xcvu..., xcku..., xczu..., xcau..., xcu..., xck2...)"
    )


@dataclass(frozen=True)
class FpgaStatistics:
    """What a mapped design takes.

    Attributes:
        lut: look-up tables: cells, inverters and `pass_through` together.
        pass_through: tables that only hand a bit to a carry chain; no cell of the netlist, but of
            the device, since a chain is reached through tables alone.
        ff, carry, dsp: cells.
        cells: all cells by kind.
        fingerprint: of script, sources and tool.
    """

    lut: int
    pass_through: int
    ff: int
    carry: int
    dsp: int
    cells: Mapping[str, int]
    fingerprint: str


def synthesise_fpga(
    design: VerilogDesign,
    family: Family,
    folder: Path,
    *,
    flat: bool = True,
    progress: Callable[[int], None] | None = None,
) -> FpgaStatistics:
    """Map a design, unless the folder holds the result of the same; see `map_once`.

    Args:
        flat: map the whole as one module; else each module once.
        progress: called with 1 at each command of `fpga_script`.

    Raises:
        ToolMissing: yosys is not installed.
        ToolFailed: yosys failed.
        InputError: the design has no logic.
    """
    script = fpga_script(design, family, folder, flat=flat)
    source = fingerprint(script + _LUT_COMMANDS, (*design.sources, _CHAINS))
    return map_once(
        FpgaStatistics,
        folder,
        source,
        script,
        what=f"mapping of {design.top} to {family.title}",
        count=lambda modules: count(modules, design.top, family, source),
        files={_LUT_SCRIPT: _LUT_COMMANDS},
        progress=progress,
    )


def fpga_script(design: VerilogDesign, family: Family, folder: Path, *, flat: bool = True) -> str:
    """The script for yosys, which runs in `folder`."""
    chain_limits = (
        f"-D {family.carry} -D SHORTEST_CHAIN={_SHORTEST_CHAIN} "
        f"-D SHORTEST_CHAIN_OF_ONE={_SHORTEST_CHAIN_OF_ONE}"
    )
    long, short = family.dsp_bits
    dsp_limits = (
        f"-D DSP_A_MAXWIDTH={long} -D DSP_B_MAXWIDTH={short} -D DSP_A_MAXWIDTH_PARTIAL=18 "
        f"-D DSP_A_MINWIDTH={_LEAST_DSP_FACTOR} -D DSP_B_MINWIDTH={_LEAST_DSP_FACTOR} "
        f"-D DSP_Y_MINWIDTH=9 -D DSP_SIGNEDONLY=1 -D DSP_NAME=$__MUL{long}X{short}"
    )
    lines = [
        f"# {design.top} for AMD {family.title}, area first",
        "read_verilog -lib +/xilinx/cells_sim.v",
        "read_verilog -lib +/xilinx/cells_xtra.v",
        *elaborate(design, folder),
        "# products: DSP blocks for wide ones",
        "alumacc -macc-only",
        "maccmap -unmap",
        "opt_clean",
        f"techmap -map +/mul2dsp.v -map +/xilinx/{family.dsp_map}_dsp_map.v {dsp_limits}",
        "select a:mul2dsp",
        "setattr -unset mul2dsp",
        "opt_expr -fine",
        "wreduce",
        "select -clear",
        f"xilinx_dsp -family {family.name}",
        "# sums: carry chains",
        "alumacc",
        *(["flatten", "opt -full"] if flat else ["opt -full"]),
        f"techmap -map +/techmap.v -map {relative(_CHAINS, folder)} {chain_limits}",
        "opt -fast",
        "# flip-flops",
        "dfflegalize -cell $_DFFE_?P?P_ 01 -cell $_SDFFE_?P?P_ 01 -cell $_DLATCH_?P?_ 01",
        "techmap -map +/xilinx/ff_map.v",
        "# logic: look-up tables",
        f"abc -lut 6 -script {_LUT_SCRIPT}",
        "techmap -map +/xilinx/lut_map.v -D LUT_WIDTH=6",
        "clean",
        *write(design),
    ]
    return "\n".join(lines) + "\n"


def count(modules: Modules, top: str, family: Family, source: str) -> FpgaStatistics:
    """Count what a netlist takes of the device.

    Raises:
        InputError: there is nothing.
        ToolFailed: a cell that is none of the family's.
    """
    cells = count_cells(modules, top)
    known = _TABLES | _FLIP_FLOPS | {family.carry, family.dsp}
    if strange := sorted(cells.keys() - known):
        raise ToolFailed(
            f"the netlist of {top} has cells that are not counted for {family.title}: "
            f"{', '.join(strange)}"
        )
    pass_through = sum(
        times * _pass_through(modules[name], family)
        for name, times in instances(modules, top).items()
    )
    tables = sum(cells[kind] for kind in _TABLES)
    return FpgaStatistics(
        lut=tables + pass_through,
        pass_through=pass_through,
        ff=sum(cells[kind] for kind in _FLIP_FLOPS),
        carry=cells[family.carry],
        dsp=cells[family.dsp],
        cells=dict(sorted(cells.items())),
        fingerprint=source,
    )


def _pass_through(module: Mapping[str, Any], family: Family) -> int:
    """Bits at the select pins of carry cells that no table drives; constants need none."""
    driven = {
        bit
        for cell in module["cells"].values()
        if cell["type"] in _TABLES
        for pin in ("O", "O5", "O6")
        for bit in cell["connections"].get(pin, ())
    }
    selects = Counter(
        bit
        for cell in module["cells"].values()
        if cell["type"] == family.carry
        for bit in cell["connections"]["S"]
        if not isinstance(bit, str)
    )
    # a table has one place on a chain: a bit that selects at several needs a table at each
    return sum(times - (bit in driven) for bit, times in selects.items())
