"""What a Liberty library tells of its cells' power: internal energy and leakage.

A cell's *state* is a number whose bits are the values of its pins, inputs first, then outputs, as
they stand in the file; the first pin is the highest bit.  Conditions (`when`) are tables by state.
Energies of the file are in its unit of capacitance times the square of its unit of voltage.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from hw.foundation.errors import InputError, ToolFailed
from hw.netlist.cell_logic import read_cell_logic
from hw.netlist.liberty import Cell, LibertyGroup, Library, Table

SLEW, LOAD = "input_transition_time", "total_output_net_capacitance"
"""The variables that tables of internal energy may have."""

_UNIT = re.compile(r"([\d.]+(?:e[+-]?\d+)?)\s*([a-z]+)", re.IGNORECASE)
_IN_FF = {"ff": 1.0, "pf": 1e3}
_IN_NW = {"pw": 1e-3, "nw": 1.0, "uw": 1e3, "mw": 1e6}
_IN_V = {"mv": 1e-3, "v": 1.0}

States = tuple[bool, ...]
"""Whether a condition holds, by state."""


class NoPower(InputError):
    """The cell library tells no power, so that no energy can be computed."""


@dataclass(frozen=True, eq=False)
class InternalEnergy:
    """A group `internal_power` of a pin.

    Attributes:
        related: input pins whose change makes the pin change; empty for changes of an input pin.
        when: states in which it holds; None where it has no condition.
        rise, fall: energy of a transition of the pin, in the library's unit.
    """

    related: tuple[str, ...]
    when: States | None
    rise: Table
    fall: Table


@dataclass(frozen=True)
class Leakage:
    """A group `leakage_power`: nW in the states in which it holds; `when` as in InternalEnergy."""

    when: States | None
    nanowatts: float


@dataclass(frozen=True)
class CellPower:
    """What the library tells of one cell's power.

    Attributes:
        cell: the cell.
        internal: by pin; a pin without such groups has none.
        leakages: in the order of the file.
        leakage_nw: where none of these holds.
    """

    cell: Cell
    internal: Mapping[str, tuple[InternalEnergy, ...]]
    leakages: tuple[Leakage, ...]
    leakage_nw: float

    @cached_property
    def pins(self) -> tuple[str, ...]:
        """Its pins, in the order of a state's bits from the highest on."""
        return pins_of(self.cell)

    @cached_property
    def bits(self) -> Mapping[str, int]:
        """The bit of each pin in a state."""
        return {pin: 1 << place for place, pin in enumerate(reversed(self.pins))}

    def leakage_in(self, state: int) -> float:
        """Leakage in a state, in nW: the mean of the groups whose condition holds, else of those
        without a condition, else the cell's own figure."""
        found = [one.nanowatts for one in holding(self.leakages, state)]
        return sum(found) / len(found) if found else self.leakage_nw


@dataclass(frozen=True)
class PowerLibrary:
    """What a library tells of the power of some of its cells.

    Attributes:
        supply_v: supply voltage, in V.
        load_ff: what a capacitance of 1 in the file is, in fF: the unit of its tables' loads.
        energy_fj: what an internal energy of 1 in the file is, in fJ.
        cells: by name.
    """

    supply_v: float
    load_ff: float
    energy_fj: float
    cells: Mapping[str, CellPower]


def pins_of(cell: Cell) -> tuple[str, ...]:
    """The pins of a cell, in the order of a state's bits from the highest on."""
    return (*cell.inputs, *cell.functions)


_Conditional = TypeVar("_Conditional", InternalEnergy, Leakage)


def holding(groups: Iterable[_Conditional], state: int) -> list[_Conditional]:
    """The groups whose condition holds in a state; where none does, those without a condition."""
    groups = list(groups)
    held = [group for group in groups if group.when is not None and group.when[state]]
    return held or [group for group in groups if group.when is None]


def read_power(library: Library, kinds: Iterable[str]) -> PowerLibrary:
    """The power of these cells.

    Raises:
        NoPower: a cell has no internal energy, or no leakage, in the file.
        InputError: a unit, a table or a condition cannot be read; the message names the cell.
        ToolMissing: yosys, which reads conditions, is not installed.
    """
    cells = [library.cells[kind] for kind in sorted(set(kinds))]
    for cell in cells:
        _require_power(library, cell)
    supply_v, load_ff, energy_fj, leakage_nw = _units(library)
    conditions = _conditions(library, cells)
    found = {}
    for cell in cells:
        try:
            found[cell.name] = _cell_power(library, cell, conditions, leakage_nw)
        except (ValueError, LookupError) as error:
            raise InputError(
                f"{library.file}: cell '{cell.name}': its power data cannot be read: {error}"
            ) from error
    return PowerLibrary(supply_v, load_ff, energy_fj, found)


# --- units ----------------------------------------------------------------------------------------
def _units(library: Library) -> tuple[float, float, float, float]:
    """Supply voltage in V; then what 1 in the file is: of capacitance in fF, of internal energy
    in fJ, of leakage in nW."""
    header = library.header
    load = header.lists.get("capacitive_load_unit", ())
    if len(load) != 2 or load[1].lower() not in _IN_FF:
        raise _lacking(library, f"capacitive_load_unit {load}", "(1, pf)")
    load_ff = float(load[0]) * _IN_FF[load[1].lower()]
    volt = _unit(library, "voltage_unit", _IN_V)
    nominal = header.attributes.get("nom_voltage", "")
    try:
        supply_v = float(nominal) * volt
    except ValueError:
        raise _lacking(library, f"nom_voltage '{nominal}'", "1.1") from None
    return supply_v, load_ff, load_ff * volt**2, _unit(library, "leakage_power_unit", _IN_NW)


def _unit(library: Library, name: str, units: Mapping[str, float]) -> float:
    text = library.header.attributes.get(name, "").strip()
    match = _UNIT.fullmatch(text)
    if not match or match[2].lower() not in units:
        raise _lacking(library, f"{name} '{text}'", f"1{next(iter(units))}")
    return float(match[1]) * units[match[2].lower()]


def _lacking(library: Library, what: str, example: str) -> InputError:
    return InputError(
        f"{library.file}: {what} is not understood, and energy needs it; expected such as {example}"
    )


# --- conditions -----------------------------------------------------------------------------------
def _groups(cell: Cell) -> Iterator[LibertyGroup]:
    """The groups of a cell that may have a condition."""
    yield from cell.group.all("leakage_power")
    for pin in cell.group.all("pin"):
        yield from pin.all("internal_power")


def _conditions(library: Library, cells: Iterable[Cell]) -> dict[tuple[str, str], States]:
    """Each condition of each cell by state, as yosys reads it: as an output of a cell whose inputs
    are the pins."""
    texts = {
        cell.name: list(dict.fromkeys(g.attributes["when"] for g in _groups(cell) if _when(g)))
        for cell in cells
    }
    pins = {cell.name: pins_of(cell) for cell in cells if texts[cell.name]}
    if not pins:
        return {}
    groups = [_condition_cell(name, pins[name], texts[name]) for name in pins]
    liberty = LibertyGroup("library", ("conditions",), {}, {}, groups).lines()
    try:
        logic = read_cell_logic(liberty, pins, f"the conditions of power in {library.file}")
    except ToolFailed as error:
        raise InputError(
            f"{library.file}: a condition 'when' of a cell's power cannot be read: {error}"
        ) from error
    return {
        (name, text): logic[name].truth_tables[_condition(number)]
        for name in pins
        for number, text in enumerate(texts[name])
    }


def _when(group: LibertyGroup) -> bool:
    return bool(group.attributes.get("when", "").strip())


def _condition(number: int) -> str:
    return f"econt_when_{number}"


def _condition_cell(name: str, pins: Iterable[str], texts: Iterable[str]) -> LibertyGroup:
    inputs = [LibertyGroup("pin", (pin,), {"direction": "input"}) for pin in pins]
    outputs = [
        LibertyGroup("pin", (_condition(number),), {"direction": "output", "function": text})
        for number, text in enumerate(texts)
    ]
    return LibertyGroup("cell", (name,), {}, {}, [*inputs, *outputs])


# --- cells ----------------------------------------------------------------------------------------
def _cell_power(
    library: Library,
    cell: Cell,
    conditions: Mapping[tuple[str, str], States],
    leakage_nw: float,
) -> CellPower:
    def states(group: LibertyGroup) -> States | None:
        return conditions[cell.name, group.attributes["when"]] if _when(group) else None

    supplies = {g.attributes.get("related_pg_pin", "") for g in _groups(cell)}
    if len(supplies) > 1:
        raise ValueError(f"it tells power by supply pin ({', '.join(sorted(supplies))})")
    internal = {
        name: tuple(
            InternalEnergy(
                tuple(group.attributes.get("related_pin", "").split()),
                states(group),
                _energies(cell, group, "rise"),
                _energies(cell, group, "fall"),
            )
            for group in cell.pin(name).all("internal_power")
        )
        for name in pins_of(cell)
    }
    leakages = tuple(
        Leakage(states(group), float(group.attributes["value"]) * leakage_nw)
        for group in cell.group.all("leakage_power")
    )
    own = _own_leakage(library, cell)
    whole = (
        float(own) * leakage_nw
        if own is not None
        else sum(one.nanowatts for one in leakages) / len(leakages)
    )
    return CellPower(cell, internal, leakages, whole)


def _own_leakage(library: Library, cell: Cell) -> str | None:
    """The cell's leakage in any state, or the library's default."""
    own = cell.group.attributes.get("cell_leakage_power")
    return own or library.header.attributes.get("default_cell_leakage_power")


def _require_power(library: Library, cell: Cell) -> None:
    if cell.inputs and not any(pin.all("internal_power") for pin in cell.group.all("pin")):
        raise NoPower(
            f"{library.file}: cell '{cell.name}' has no internal energy (no group "
            "'internal_power' at its pins), and energy needs it"
        )
    if _own_leakage(library, cell) is None and not cell.group.all("leakage_power"):
        raise NoPower(
            f"{library.file}: cell '{cell.name}' has no leakage (neither 'leakage_power' nor "
            "'cell_leakage_power', nor has the library a default), and energy needs it"
        )


def _energies(cell: Cell, group: LibertyGroup, edge: str) -> Table:
    """The energy of a transition; a group `power` is that of both."""
    tables = group.all(f"{edge}_power") or group.all("power")
    if not tables:
        raise LookupError(f"a group 'internal_power' has no '{edge}_power'")
    table = cell.table(tables[0])
    if unknown := {variable for variable, _ in table.axes} - {SLEW, LOAD}:
        raise LookupError(f"a table by '{', '.join(sorted(unknown))}'")
    if len(table.values) != math.prod(len(steps) for _, steps in table.axes):
        raise LookupError(f"a table '{edge}_power' has {len(table.values)} values, other than axes")
    return table
