"""Input and output links: CSV files of 32-bit words, and the trigger-cell codes in them.

An input link carries, each bunch crossing (BX), a 4-bit header and four 7-bit charge codes, the
lowest bits first; twelve links carry the 48 trigger cells of a module.
"""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError
from models.data.geometry import TRIGGER_CELLS
from testbench.econ_t.float_codes import CHARGE

INPUT_LINKS = 12
OUTPUT_LINKS = 13
INPUT_COLUMN = "RX_DATA_"
OUTPUT_COLUMN = "TX_DATA_"
LINK_BITS = 32
BX_PER_ORBIT = 3564

_CELLS_PER_LINK = 4
_HEADER_OFFSET = 28
_ORBIT_HEADER = 9  # header nibble of BX 0; 0xA in the others
_ORBIT_START = 31  # output header of BX 0; else BX modulo 16

Words = npt.NDArray[np.uint32]


def read_link_csv(file: Path | str, column: str, links: int) -> Words:
    """Read one CSV of hexadecimal link words, shape (BX, links).

    A first row of column names (`<column>0`, `<column>1`, ...) gives the order; without one, the
    columns are the links in order.

    Raises:
        InputError: no such file, wrong columns, or a field that is no 32-bit hexadecimal word.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise InputError(f"{file}: cannot be read: {reason}") from error
    rows = [
        (number, [field.strip().strip('"') for field in line.split(",")])
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    order = list(range(links))
    if rows and any(field.startswith(column) for field in rows[0][1]):
        number, names = rows.pop(0)
        wanted = [f"{column}{link}" for link in range(links)]
        if sorted(names) != sorted(wanted):
            raise InputError(
                f"{file}:{number}: expected the {links} columns {wanted[0]} to {wanted[-1]}, "
                f"found {len(names)}: {', '.join(names)}"
            )
        order = [names.index(name) for name in wanted]
    if not rows:
        raise InputError(f"{file}: holds no bunch crossing; expected {links} words a row")
    words = np.empty((len(rows), links), dtype=np.uint32)
    for row, (number, fields) in enumerate(rows):
        if len(fields) != links:
            raise InputError(f"{file}:{number}: expected {links} words, found {len(fields)}")
        for link, position in enumerate(order):
            if not _WORD.fullmatch(fields[position]):
                raise InputError(
                    f"{file}:{number}: column {position + 1}: '{fields[position]}' is no "
                    "hexadecimal word of 32 bits"
                )
            words[row, link] = int(fields[position], 16)
    return words


_WORD = re.compile(r"(?:0[xX])?[0-9a-fA-F]{1,8}")


def write_link_csv(file: Path | str, column: str, words: Words) -> None:
    """Write link words, shape (BX, links), in the form that `read_link_csv` reads."""
    names = ",".join(f"{column}{link}" for link in range(words.shape[1]))
    rows = (",".join(f"{word:08x}" for word in row) for row in words.tolist())
    write_text(file, "\n".join([names, *rows]) + "\n")


def unpack(words: Words) -> npt.NDArray[np.int64]:
    """Charge codes (4E3M), shape (n, 48), of input words, shape (n, 12); lowest bits first."""
    shifts = CHARGE.bits * np.arange(_CELLS_PER_LINK)
    codes = (words.astype(np.int64)[:, :, None] >> shifts) & CHARGE.max_code
    return codes.reshape(len(words), TRIGGER_CELLS)


def pack(codes: npt.NDArray[np.int64], bx: npt.NDArray[np.int64]) -> Words:
    """Input words, shape (n, 12), of charge codes, shape (n, 48), in bunch crossings `bx`."""
    shifts = CHARGE.bits * np.arange(_CELLS_PER_LINK)
    cells = (codes.reshape(len(codes), INPUT_LINKS, _CELLS_PER_LINK) << shifts).sum(axis=2)
    headers = np.where(bx == 0, _ORBIT_HEADER, _ORBIT_HEADER + 1)
    return (cells | (headers[:, None] << _HEADER_OFFSET)).astype(np.uint32)


def starts_orbit(words: Words) -> npt.NDArray[np.bool_]:
    """Whether each row, shape (n,), carries the header of BX 0 on link 0."""
    return (words[:, 0] >> _HEADER_OFFSET) == _ORBIT_HEADER


def bunch_crossings(words: Words) -> npt.NDArray[np.int64]:
    """BX number within the orbit of each row, shape (n,), counted from the header of BX 0.

    Rows before the first such header count from 0, as in the emulator.
    """
    row = np.arange(len(words))
    latest_start = np.maximum.accumulate(np.where(starts_orbit(words), row, 0))
    return (row - latest_start) % BX_PER_ORBIT


def output_headers(bx: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The 5-bit header that the chip sends for each BX: BX modulo 16, and 31 for BX 0."""
    return np.where(bx == 0, _ORBIT_START, bx % 16)


def short_headers(headers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The 4-bit form of `output_headers`: its second highest bit is left out (BX modulo 8, 15)."""
    return ((headers >> 4) << 3) | (headers & 7)
