"""Comparison of the golden model with recorded output links, folder by folder."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hw.foundation.errors import InputError
from testbench.econ_t.frames import WORD_BITS, Field
from testbench.econ_t.golden_model import transmit
from testbench.econ_t.links import (
    INPUT_COLUMN,
    INPUT_LINKS,
    OUTPUT_COLUMN,
    OUTPUT_LINKS,
    Words,
    read_link_csv,
)
from testbench.econ_t.output_buffer import TRUNCATED, WORDS_PER_LINK, Transmission
from testbench.econ_t.register_file import read_register_file
from testbench.econ_t.registers import Algorithm, Registers

INPUT_FILE = "testInput.csv"
REGISTER_FILE = "init.yaml"
OUTPUT_FILE = "testOutput.csv"


@dataclass(frozen=True)
class Difference:
    """The first difference: row of the output (from 0), field, and its values as text."""

    bx: int
    field: str
    expected: str
    found: str


@dataclass(frozen=True)
class Verdict:
    """What was found in one folder.

    Attributes:
        name: of the folder.
        algorithm: its title; None where the registers cannot be read.
        etx: output links in use.
        exact: rows of the output that agree in every bit, of `total`.
        difference: the first one, if any.
        reason: why the folder could not be compared, if so.
        ignored: keys of the register file that mean nothing to the model.
    """

    name: str
    algorithm: str | None = None
    etx: int | None = None
    exact: int = 0
    total: int = 0
    difference: Difference | None = None
    reason: str | None = None
    ignored: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.reason is None and self.exact == self.total > 0


def folders_to_check(folder: Path) -> list[Path]:
    """The folders in `folder`, by name; also links that lead to none, which can only fail.

    Hidden folders are left out if they hold none of the files compared.

    Raises:
        InputError: no such folder, or none in it.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read as a folder: {error.strerror}") from error
    sets = [
        path
        for path in entries
        if path.is_dir() or (path.is_symlink() and not path.exists())
        if not path.name.startswith(".") or _holds_set(path)
    ]
    if not sets:
        raise InputError(
            f"{folder}: holds no folder to check; each needs {REGISTER_FILE} and {OUTPUT_FILE}, "
            f"beside {INPUT_FILE}"
        )
    return sets


def _holds_set(folder: Path) -> bool:
    return (folder / REGISTER_FILE).exists() or (folder / OUTPUT_FILE).exists()


def read_inputs(folder: Path) -> Words:
    """Input words, shape (n, 12), of a set of folders. Raises InputError as `read_link_csv`."""
    return read_link_csv(folder / INPUT_FILE, INPUT_COLUMN, INPUT_LINKS)


def check_folder(folder: Path, inputs: Words) -> Verdict:
    """Compare the golden model with one folder's output links."""
    verdict = Verdict(folder.name)
    try:
        file = read_register_file(folder / REGISTER_FILE)
        verdict = Verdict(
            folder.name,
            algorithm_title(file.registers),
            file.registers.etx,
            total=len(inputs),
            ignored=file.ignored,
        )
        expected = read_link_csv(folder / OUTPUT_FILE, OUTPUT_COLUMN, OUTPUT_LINKS)
        transmission = transmit(inputs, file.registers)
        if not len(inputs) <= len(expected) <= len(transmission.links):
            raise InputError(
                f"{folder / OUTPUT_FILE}: {len(expected)} rows for the {len(inputs)} bunch "
                f"crossings of {INPUT_FILE}"
            )
    except InputError as error:
        return _with(verdict, reason=str(error))
    agree = (transmission.links[: len(expected)] == expected).all(axis=1)
    return _with(
        verdict,
        exact=int(agree.sum()),
        total=len(expected),
        difference=None if agree.all() else first_difference(transmission, expected),
    )


def _with(verdict: Verdict, **changes: object) -> Verdict:
    return Verdict(**{**vars(verdict), **changes})  # type: ignore[arg-type]


def algorithm_title(registers: Registers) -> str:
    """The algorithm in words, with the type of the super trigger cells."""
    title = registers.algorithm.title
    if registers.algorithm is Algorithm.SUPER_TRIGGER_CELL:
        title += f" type {registers.stc_type}"
    return title


def first_difference(transmission: Transmission, expected: Words) -> Difference:
    """The first field in which recorded links, shape (rows, 13), differ from the model's.

    Raises:
        ValueError: they do not differ.
    """
    found = transmission.links[: len(expected)]
    differing = np.argwhere(found != expected)
    if not len(differing):
        raise ValueError("the links are equal")
    row, link = (int(place) for place in differing[0])
    bit = 32 - int(found[row, link] ^ expected[row, link]).bit_length()
    column = WORDS_PER_LINK * link + bit // WORD_BITS
    frame = int(transmission.frame[row, column])
    word = int(transmission.word[row, column])
    whole_link = Difference(
        row, f"link {link}", f"{expected[row, link]:08x}", f"{found[row, link]:08x}"
    )
    if frame < 0:
        return _named(whole_link, f"link {link} (not in use)")
    if word == TRUNCATED:
        return _named(whole_link, f"link {link} (truncated frame of BX {frame})")
    if word >= transmission.frames.lengths[frame]:
        return _named(whole_link, f"link {link} (idle word)")
    position = word * WORD_BITS + bit % WORD_BITS
    for field in transmission.frames.layouts[frame]:
        if field.first <= position < field.first + field.width:
            values = [
                _field_value(words, transmission, frame, field) for words in (expected, found)
            ]
            name = field.name if frame == row else f"{field.name} of BX {frame}"
            if None in values:
                return _named(whole_link, f"link {link} ({name})")
            return Difference(row, name, str(values[0]), str(values[1]))
    return _named(whole_link, f"link {link} (fill bits)")


def _named(difference: Difference, field: str) -> Difference:
    return Difference(difference.bx, field, difference.expected, difference.found)


def _field_value(words: Words, transmission: Transmission, frame: int, field: Field) -> int | None:
    """The field's value in link words; None where a part of it is not among them."""
    last = field.first + field.width - 1
    value = 0
    for word in range(field.first // WORD_BITS, last // WORD_BITS + 1):
        places = np.argwhere((transmission.frame == frame) & (transmission.word == word))
        if not len(places) or places[0][0] >= len(words):
            return None
        row, column = (int(place) for place in places[0])
        shift = WORD_BITS * (1 - column % WORDS_PER_LINK)
        half = int(words[row, column // WORDS_PER_LINK]) >> shift
        value = value << WORD_BITS | half & ((1 << WORD_BITS) - 1)
    return value >> (WORD_BITS - 1 - last % WORD_BITS) & ((1 << field.width) - 1)
