"""Comparison of the golden model with recorded output links, recording by recording."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hw.foundation.errors import InputError
from testbench.econ_t.best_choice import best_choice_frames
from testbench.econ_t.frames import WORD_BITS, Field
from testbench.econ_t.golden_model import charges, transmit
from testbench.econ_t.links import Words, bunch_crossings, output_headers
from testbench.econ_t.output_buffer import (
    TRUNCATED,
    WORDS_PER_LINK,
    Transmission,
    send_at_once,
)
from testbench.econ_t.recordings import (
    INPUT_FILE,
    OUTPUT_FILE,
    REGISTER_FILE,
    Recording,
    read_inputs,
    read_outputs,
)
from testbench.econ_t.register_file import read_register_file
from testbench.econ_t.registers import Algorithm, Registers


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
        name: of the recording.
        algorithm: its title; None where the registers cannot be read.
        etx: output links in use.
        exact: rows of the output that agree in every bit, of `total`.
        unrecorded: bunch crossings of the input beyond the end of the recording.
        difference: the first one, if any.
        cause: why the recording differs, where it is known.
        reason: why the folder could not be compared, if so.
        ignored: keys of the register file that mean nothing to the model.
    """

    name: str
    algorithm: str | None = None
    etx: int | None = None
    exact: int = 0
    total: int = 0
    unrecorded: int = 0
    difference: Difference | None = None
    cause: str | None = None
    reason: str | None = None
    ignored: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.reason is None and self.exact == self.total > 0


def check_recordings(recordings: Iterable[Recording]) -> Iterator[Verdict]:
    """Compare the golden model with recordings, one after the other."""
    inputs: dict[Path, Words | str] = {}  # of each input file, or why it cannot be read
    for recording in recordings:
        file = recording.input_file
        if file not in inputs:
            try:
                inputs[file] = read_inputs(file)
            except InputError as error:
                inputs[file] = str(error)
        words = inputs[file]
        if isinstance(words, str):
            yield Verdict(recording.name, reason=words)
        else:
            yield replace(check_folder(recording.folder, words), name=recording.name)


def check_folder(folder: Path, inputs: Words) -> Verdict:
    """Compare the golden model with one folder's output links, as far as they were recorded.

    Args:
        inputs: input words, shape (n, 12).
    """
    verdict = Verdict(folder.name)
    try:
        file = read_register_file(folder / REGISTER_FILE)
        registers = file.registers
        verdict = replace(
            verdict,
            algorithm=algorithm_title(registers),
            etx=registers.etx,
            total=len(inputs),
            ignored=file.ignored,
        )
        expected = read_outputs(folder)
        transmission = transmit(inputs, registers)
        if len(expected) > len(transmission.links):
            raise InputError(
                f"{folder / OUTPUT_FILE}: {len(expected)} rows for the {len(inputs)} bunch "
                f"crossings of {INPUT_FILE}"
            )
    except InputError as error:
        return replace(verdict, reason=str(error))
    differing = (transmission.links[: len(expected)] != expected).any(axis=1)
    verdict = replace(
        verdict,
        exact=len(expected) - int(differing.sum()),
        total=len(expected),
        unrecorded=max(len(inputs) - len(expected), 0),
    )
    if not differing.any():
        return verdict
    return replace(
        verdict,
        difference=first_difference(transmission, expected),
        cause=_known_cause(inputs, registers, expected),
    )


def _known_cause(inputs: Words, registers: Registers, expected: Words) -> str | None:
    """Why a recording that differs does so, if all of it is as another emulator sends it."""
    if registers.algorithm is not Algorithm.BEST_CHOICE:
        return None
    frames = best_choice_frames(
        charges(inputs, registers),
        output_headers(bunch_crossings(inputs)),
        registers.etx,
        registers.effective_drop_lsb,
        registers.use_sum,
        chip=registers.chip,
        send_zeros=False,
    )
    earlier = send_at_once(frames, registers.etx).links[: len(expected)]
    exact = (transmit(inputs, registers).links[: len(expected)] == expected).all(axis=1)
    if not (exact | (earlier == expected).all(axis=1)).all():
        return None
    return (
        "only bunch crossings differ in which a chosen charge is 0: the code of such a charge was "
        "left out by the emulator until April 2022"
    )


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
