"""Mapping to a cell library in Liberty form: area and cells; see docs/synthesis.md."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hw.foundation.errors import InputError, ToolFailed
from hw.foundation.strict_config import did_you_mean
from hw.netlist.cell_logic import CellLogic
from hw.netlist.liberty import Library, read_liberty
from hw.open_tools.verilog_design import VerilogDesign
from hw.open_tools.yosys import SCRIPT
from hw.synthesis.mapping import (
    Modules,
    count_cells,
    elaborate,
    fingerprint,
    map_once,
    read_statistics,
    relative,
    write,
)
from hw.synthesis.nangate45 import nangate45

__all__ = [
    "AsicStatistics",
    "CellLibrary",
    "FullAdder",
    "asic_script",
    "count",
    "is_mapped",
    "nangate45",
    "read_library",
    "synthesise_asic",
]

_ADDERS = Path(__file__).with_name("full_adders.v")
_ADDER_CELL = Path(__file__).with_name("full_adder_cell.v")


@dataclass(frozen=True)
class CellLibrary:
    """A library to map to.

    Attributes:
        file: its Liberty file.
        library: what is in it.
        reference_cell: the gate that areas are counted in.
        areas: of each cell, um2.
        full_adder: its smallest full adder and the pins of that; None if it has none.
    """

    file: Path
    library: Library
    reference_cell: str
    areas: Mapping[str, float]
    full_adder: "FullAdder | None"

    @property
    def name(self) -> str:
        return self.library.header.arguments[0]


@dataclass(frozen=True)
class FullAdder:
    """A full-adder cell and its pins."""

    cell: str
    inputs: tuple[str, str, str]
    total: str
    carry: str


def read_library(file: Path, reference_cell: str) -> CellLibrary:
    """Read the Liberty file of a library to map to.

    Raises:
        InputError: no such file, no Liberty file, a cell without area, no reference cell, no
            flip-flop, inverter or buffer, or a function that cannot be read.
    """
    library = read_liberty(file)
    areas = {}
    for name, cell in library.cells.items():
        try:
            areas[name] = float(cell.group.attributes["area"])
        except (KeyError, ValueError) as error:
            # nothing else gets into a netlist
            if cell.is_logic and (cell.storage or any(cell.functions.values())):
                raise InputError(f"{file}: cell '{name}' has no area") from error
    if reference_cell not in areas:
        hint = did_you_mean(reference_cell, sorted(areas))
        raise InputError(
            f"{file}: the library has no cell '{reference_cell}' to count gate equivalents in; "
            f"name its smallest two-input NAND in the target: 'gate_equivalent_cell'; {hint}"
        )
    if areas[reference_cell] <= 0:
        raise InputError(f"{file}: the area of '{reference_cell}' is {areas[reference_cell]:g}")
    if lacking := list(_lacking(library)):
        raise InputError(f"{file}: the library has no {' and no '.join(lacking)}")
    for name, cell in library.cells.items():
        usable = cell.is_logic and not (cell.storage or cell.dont_use)
        if usable and name not in library.gates and all(cell.functions.values()):
            raise InputError(
                f"{file}: cell '{name}': a function names a pin that the cell does not have; "
                "correct it, or exclude the cell by 'dont_use : true'"
            )
    return CellLibrary(file, library, reference_cell, areas, _full_adder(library, areas))


def _lacking(library: Library) -> Iterator[str]:
    """Kinds of cells without which nothing can be mapped, if the library does not have them."""
    cells = {name: cell for name, cell in library.cells.items() if not cell.dont_use}
    if not any(cell.group.all("ff", "ff_bank") for cell in cells.values()):
        yield "flip-flop"
    tables = {
        table
        for name, gate in library.gates.items()
        if name in cells and len(gate.inputs) == 1
        for table in gate.truth_tables.values()
    }
    for name, table in (("inverter", (True, False)), ("buffer", (False, True))):
        if table not in tables:
            yield name


def _full_adder(library: Library, areas: Mapping[str, float]) -> FullAdder | None:
    found = [
        adder
        for name, gate in library.gates.items()
        if not library.cells[name].dont_use and (adder := _as_adder(name, gate))
    ]
    return min(found, key=lambda adder: (areas[adder.cell], adder.cell), default=None)


def _as_adder(name: str, gate: CellLogic) -> FullAdder | None:
    """The cell as a full adder: three inputs, two outputs, their sum and their majority."""
    if len(gate.inputs) != 3 or len(gate.outputs) != 2:
        return None
    ones = [bin(number).count("1") for number in range(8)]
    total, carry = (tuple(n in counts for n in ones) for counts in ((1, 3), (2, 3)))
    by_function = {table: pin for pin, table in gate.truth_tables.items()}
    if by_function.keys() != {total, carry}:
        return None
    first, second, third = gate.inputs
    return FullAdder(name, (first, second, third), by_function[total], by_function[carry])


@dataclass(frozen=True)
class AsicStatistics:
    """What a mapped design takes of silicon, without wires.

    Attributes:
        area_um2: of all cells.
        gate_equivalents: that area in areas of the reference cell.
        sequential_share: part of the area, 0 to 1, of cells that store something.
        cells: all cells by kind.
        fingerprint: of script, sources, library and tool.
    """

    area_um2: float
    gate_equivalents: float
    sequential_share: float
    cells: Mapping[str, int]
    library: str
    reference_cell: str
    fingerprint: str


def synthesise_asic(
    design: VerilogDesign,
    library: CellLibrary,
    folder: Path,
    *,
    flat: bool = True,
    progress: Callable[[int], None] | None = None,
) -> AsicStatistics:
    """Map a design, unless the folder holds the result of the same; see `map_once`.

    Args:
        flat: map the whole as one module; else each module once.
        progress: called with 1 at each command of the script.

    Raises:
        ToolMissing: yosys is not installed.
        ToolFailed: yosys failed.
        InputError: the design has no logic.
    """
    script = asic_script(design, library, folder, flat=flat)
    source = _fingerprint(design, library, script)

    def of_modules(modules: Modules) -> AsicStatistics:
        return count(count_cells(modules, design.top), design.top, library, source)

    return map_once(
        AsicStatistics,
        folder,
        source,
        script,
        what=f"mapping of {design.top} to {library.name}",
        count=of_modules,
        progress=progress,
    )


def is_mapped(design: VerilogDesign, library: CellLibrary, folder: Path) -> bool:
    """Whether a folder, perhaps moved since, holds what `synthesise_asic` makes of these.

    Raises:
        ToolMissing: yosys is not installed.
    """
    done = read_statistics(AsicStatistics, folder)
    try:
        script = (folder / SCRIPT).read_text(encoding="utf-8")
    except OSError:
        return False
    return done is not None and done.fingerprint == _fingerprint(design, library, script)


def _fingerprint(design: VerilogDesign, library: CellLibrary, script: str) -> str:
    return fingerprint(script, (*design.sources, _ADDERS, _ADDER_CELL, library.file))


def asic_script(
    design: VerilogDesign, library: CellLibrary, folder: Path, *, flat: bool = True
) -> str:
    """The script for yosys, which runs in `folder`."""
    liberty = relative(library.file, folder)
    lines = [
        f"# {design.top} for the cells of {library.name}, area first",
        f"read_liberty -lib -ignore_miss_func {liberty}",
        *elaborate(design, folder),
        "# sums and products: full adders",
        "alumacc",
        "maccmap",
        *(["flatten", "opt -full"] if flat else ["opt -full"]),
        *_map_adders(library, folder),
        "techmap",
        "opt -full",
        "# flip-flops",
        f"dfflibmap -liberty {liberty}",
        "opt -full",
        "# logic: gates",
        f"abc -liberty {liberty}",
        "opt_clean -purge",
        *write(design),
    ]
    return "\n".join(lines) + "\n"


def _map_adders(library: CellLibrary, folder: Path) -> list[str]:
    """Without a full adder in the library its sums are logic like any other, but rippling too."""
    definitions = ""
    if adder := library.full_adder:
        pins = zip(("A", "B", "C"), adder.inputs, strict=True)
        definitions = f" -D FULL_ADDER={adder.cell} -D OUTPUT_SUM={adder.total}"
        definitions += f" -D OUTPUT_CARRY={adder.carry}"
        definitions += "".join(f" -D INPUT_{port}={pin}" for port, pin in pins)
    return [
        f"techmap -map {relative(_ADDERS, folder)}",
        "opt -fast",
        f"techmap -map {relative(_ADDER_CELL, folder)}{definitions}",
        "opt -fast",
    ]


def count(cells: Counter[str], top: str, library: CellLibrary, source: str) -> AsicStatistics:
    """Add up the areas of a netlist's cells.

    Raises:
        ToolFailed: a cell that the library does not have.
    """
    if strange := sorted(cells.keys() - library.areas.keys()):
        raise ToolFailed(
            f"the netlist of {top} has cells that {library.file} does not have: "
            f"{', '.join(strange)}"
        )
    area = sum(library.areas[kind] * number for kind, number in cells.items())
    stored = sum(
        library.areas[kind] * number
        for kind, number in cells.items()
        if library.library.cells[kind].storage
    )
    return AsicStatistics(
        area_um2=round(area, 3),
        gate_equivalents=round(area / library.areas[library.reference_cell], 1),
        sequential_share=round(stored / area, 4),
        cells=dict(sorted(cells.items())),
        library=library.name,
        reference_cell=library.reference_cell,
        fingerprint=source,
    )
