"""The two layouts of a module CSV file, told apart by its first row, and its faults by line.

Headerless (Ecoder's shuffled nElinks_N files): columns 0-47 are CALQ, 55 and 56 tc_eta and tc_phi;
or the 48 charges alone.  With header: CALQ_0 ... CALQ_47 by name in any order, and what else is
known (MakeTrainingDataSets/sortByLinks.py); columns of other names are not read.
"""

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.foundation.errors import InputError
from models.data.geometry import TRIGGER_CELLS

CALQ_NAMES = tuple(f"CALQ_{cell}" for cell in range(TRIGGER_CELLS))
ETA, PHI, ENTRY = "tc_eta", "tc_phi", "entry"
NUMBER_NAMES = (
    "SimEnergyTotal",
    "EventSimEnergy",
    "SimEnergyFraction",
    "subdet",
    "layer",
    "waferu",
    "waferv",
)
TEXT_NAMES = ("HD_LD", "ModType")
_ETA_PHI_COLUMNS = {ETA: 55, PHI: 56}
_LARGEST = float(np.finfo(np.float32).max)
LARGEST_CHARGE = _LARGEST / (2 * TRIGGER_CELLS)  # the sum of a module, too, is a float32
_CALQ_NAME = re.compile(r"CALQ_\d+")


@dataclass(frozen=True)
class CsvLayout:
    """Where the known columns of one file stand.

    Attributes:
        header: whether its first row holds names.
        first_line: number of the line, from 1, of the first module.
        width: number of fields in every row.
        position: index of each column that is read, by its name.
    """

    header: bool
    first_line: int
    width: int
    position: dict[str, int]

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(name for name in self.position if name not in TEXT_NAMES)

    def label(self, name: str) -> str:
        """How a message names the column: as the file does."""
        return f"column '{name}'" if self.header else f"column {self.position[name]} ({name})"


def _first_row(file: Path) -> tuple[int, list[str]]:
    """The first row that is not blank, and its line number (from 1)."""
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        reader = csv.reader(stream, skipinitialspace=True)
        try:
            for row in reader:
                fields = [field.strip() for field in row]
                if fields in ([], [""]):
                    continue
                if stream.newlines == "\r":
                    raise InputError(
                        f"{file}: its lines end in carriage returns alone; convert them to newlines"
                    )
                return reader.line_num, fields
        except csv.Error as error:
            raise InputError(
                f"{file}:{reader.line_num}: not CSV ({error}); give comma-separated text"
            ) from error
    raise InputError(f"{file}: is empty; expected one module a row")


def _is_text(content: str) -> bool:
    """Whether nothing in it is unprintable or no UTF-8 (read as U+FFFD)."""
    return content.replace("\t", " ").isprintable() and "\ufffd" not in content


def find_layout(file: Path, header: bool | None = None) -> CsvLayout:
    """Tell the layout of `file` from its first row.

    Args:
        header: what the user says: True or False must agree with the file; None asks nothing.

    Raises:
        InputError: empty file, missing columns, or a header that is there against `header`.
    """
    line, first = _first_row(file)
    found = any(_CALQ_NAME.fullmatch(field) for field in first)
    if not found and not any(_number(field) is not None for field in first):
        if not _is_text("".join(first)):
            raise InputError(
                f"{file}:{line}: is not UTF-8 text; unpack the file if it is compressed, else "
                "convert it"
            )
        raise InputError(
            f"{file}:{line}: is neither a row of numbers nor a header with {CALQ_NAMES[0]} ... "
            f"{CALQ_NAMES[-1]}, separated by commas: starts with '{first[0][:40]}'"
        )
    if header is False and found:
        raise InputError(
            f"{file}:{line}: has a header, but --noHeader says that it has none; drop --noHeader"
        )
    if header is True and not found:
        raise InputError(f"{file}:{line}: has no header; add one, or say --noHeader")
    return _named(file, line, first) if found else _unnamed(file, line, first)


def _named(file: Path, line: int, names: list[str]) -> CsvLayout:
    missing = [name for name in CALQ_NAMES if name not in names]
    if missing:
        raise InputError(
            f"{file}:{line}: the header lacks {', '.join(missing)}; all of {CALQ_NAMES[0]} ... "
            f"{CALQ_NAMES[-1]} are needed"
        )
    known = (*CALQ_NAMES, ETA, PHI, ENTRY, *NUMBER_NAMES, *TEXT_NAMES)
    twice = [name for name in known if names.count(name) > 1]
    if twice:
        raise InputError(f"{file}:{line}: the header names {', '.join(twice)} twice; remove one")
    position = {name: names.index(name) for name in known if name in names}
    return CsvLayout(True, line + 1, len(names), position)


def _unnamed(file: Path, line: int, first: list[str]) -> CsvLayout:
    width = len(first)
    position = {name: index for index, name in enumerate(CALQ_NAMES)}
    if width > max(_ETA_PHI_COLUMNS.values()):
        position |= _ETA_PHI_COLUMNS
    elif width != TRIGGER_CELLS:
        raise InputError(
            f"{file}:{line}: has {width} columns and no header; expected {TRIGGER_CELLS} (charges "
            f"alone) or at least {max(_ETA_PHI_COLUMNS.values()) + 1} (tc_eta and tc_phi in 55, 56)"
        )
    return CsvLayout(False, line, width, position)


def find_fault(file: Path, layout: CsvLayout, line: int, text: bytes) -> InputError:
    """The first fault of `text`, whose first line is number `line` of `file`, as an error to raise.

    A slow, careful reading, for text that the fast one refused.
    """
    last = line
    for last, content in enumerate(text.splitlines(), line):
        try:
            fault = _fault_of_line(content.decode(), layout)
        except UnicodeDecodeError as error:
            fault = f"is not UTF-8 text ({error.reason} at byte {error.start}); convert the file"
        if fault:
            return InputError(f"{file}:{last}: {fault}")
    return InputError(f"{file}:{line}: up to line {last}, is not CSV; give comma-separated text")


def _fault_of_line(content: str, layout: CsvLayout) -> str | None:
    if not content.strip():
        return None
    try:
        (row,) = csv.reader([content], strict=True)
    except csv.Error as error:
        return f"is not CSV ({error}); give comma-separated text"
    if len(row) != layout.width:
        return (
            f"has {len(row)} fields, the first row has {layout.width}; "
            "give every row the same columns"
        )
    for name in layout.numbers:
        fault = _fault_of_number(name, row[layout.position[name]].strip())
        if fault:
            return f"{layout.label(name)}: {fault}"
    return None


def _fault_of_number(name: str, field: str) -> str | None:
    if not field:
        return "is empty; give a number"
    number = _number(field)
    if number is None:
        return f"'{field[:40]}' is not a number"
    if not math.isfinite(number):
        return f"{field} is not a finite number"
    if (name in CALQ_NAMES and number > LARGEST_CHARGE) or (
        name in (ETA, PHI) and abs(number) > _LARGEST
    ):
        return f"{field[:40]} is too large; sums of charges, and directions, are 32-bit numbers"
    if name in CALQ_NAMES and number < 0:
        return f"charge {field[:40]} is negative; CALQ counts are 0 or more"
    return None


def _number(field: str) -> float | None:
    try:
        return float(field) if field.isascii() and "_" not in field else None
    except ValueError:
        return None
