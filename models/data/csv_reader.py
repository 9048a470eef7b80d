"""Module CSV text to arrays, block by block: a quick way for plain numbers, else a careful one."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
from rich.console import Console
from rich.progress import Progress

from hw.foundation.cores import usable_cores
from models.data.csv_layout import (
    CALQ_NAMES,
    ENTRY,
    LARGEST_CHARGE,
    NUMBER_NAMES,
    TEXT_NAMES,
    CsvLayout,
    find_fault,
)

Columns = dict[str, npt.NDArray[Any]]  # `calq` of shape (n, 48), all others of shape (n,)

_BLOCK_BYTES = 1 << 19  # what is made of so much text stays in the processor's cache
# glibc returns freed memory to the system, only to fetch it anew for the next block, which costs as
# much as the reading; once a large piece was freed, it keeps all pieces that are smaller.
_KEPT_BYTES = 31 << 20
_WORKERS = min(usable_cores(), 8)
_EXACT_DIGITS = 7  # a whole number of so many digits, and every step to it, is exact in float32
_PROGRESS_BYTES = 50_000_000
_BYTE_MARK = b"\xef\xbb\xbf"  # of UTF-8, which some programs put before the first row


def read_csv(file: Path, layout: CsvLayout, rows: int | None = None) -> Iterator[Columns]:
    """The first `rows` modules of a file (None: all), in order, some thousands at a time.

    Raises:
        InputError: a fault within those rows, told with its line and column.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)  # see there
    ahead: deque[Future[Columns]] = deque()
    with ThreadPoolExecutor(_WORKERS) as pool, _progress(file) as advance:
        for start, text in _blocks(file, layout, rows):
            ahead.append(pool.submit(_parse, file, layout, start, text))
            advance(len(text))
            if len(ahead) > 2 * _WORKERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _blocks(file: Path, layout: CsvLayout, rows: int | None) -> Iterator[tuple[int, bytes]]:
    """Whole lines of text, and where in the file they start, until `rows` modules are there."""
    with file.open("rb") as stream:
        for _ in range(layout.first_line - 1):
            stream.readline()
        start = stream.tell()
        while text := stream.read(_BLOCK_BYTES):
            text += stream.readline()
            if start == 0:
                text = text.removeprefix(_BYTE_MARK)
            if rows is not None:
                text, rows = _first_rows(text, rows)
            if not text.isspace():
                yield start, text
            if rows == 0:
                return
            start = stream.tell()


def _first_rows(text: bytes, rows: int) -> tuple[bytes, int]:
    """The text of the first `rows` modules, and how many are still wanted after it."""
    kept = []
    for line in text.splitlines(keepends=True):
        if rows == 0:
            break
        kept.append(line)
        rows -= bool(line.strip())
    return b"".join(kept), rows


def _parse(file: Path, layout: CsvLayout, start: int, text: bytes) -> Columns:
    columns = _quick(text, layout)
    if columns is None or not _is_sound(columns):
        columns = _careful(text, layout)
    if columns is None or not _is_sound(columns):
        raise find_fault(file, layout, _line_at(file, start), text)
    return columns


def _line_at(file: Path, start: int) -> int:
    """The number, from 1, of the line that starts at that byte."""
    line = 1
    with file.open("rb") as stream:
        while left := start - stream.tell():
            line += stream.read(min(left, _BLOCK_BYTES)).count(b"\n")
    return line


def _is_sound(columns: Columns) -> bool:
    """Whether all numbers are finite and no charge is negative."""
    others = [columns[name] for name in columns if name not in ("calq", *TEXT_NAMES)]
    calq = columns["calq"]  # with a NaN in it, both comparisons are false
    bounded = calq.min() >= 0 and calq.max() <= LARGEST_CHARGE
    return bool(bounded) and all(np.isfinite(values).all() for values in others)


def _quick(text: bytes, layout: CsvLayout) -> Columns | None:
    """A block in which every charge is a plain whole number and nothing is quoted; else None.

    All separators are found at once, which also proves that each row has the same fields, and the
    charges are summed digit by digit for all modules together.
    """
    if b'"' in text:
        return None
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    if not text.endswith(b"\n"):
        text += b"\n"
    characters = np.frombuffer(text, dtype=np.uint8)
    is_end = characters == ord("\n")
    separators = np.flatnonzero(is_end | (characters == ord(",")))
    rows = np.count_nonzero(is_end)
    if len(separators) != rows * layout.width:
        return None
    end = separators.reshape(rows, layout.width)
    if not is_end[end[:, -1]].all():
        return None
    begin = np.empty_like(end)
    begin.flat[0] = 0
    np.add(separators[:-1], 1, out=begin.ravel()[1:])

    cells = [layout.position[name] for name in CALQ_NAMES]
    in_order = cells == list(range(cells[0], cells[0] + len(cells)))
    fields: Any = slice(cells[0], cells[0] + len(cells)) if in_order else cells
    calq = _whole_numbers(characters, begin[:, fields], end[:, fields])
    if calq is None:
        return None

    names = [name for name in layout.position if name not in CALQ_NAMES]
    places = [layout.position[name] for name in names]
    texts = _strings(characters, begin[:, places].T.ravel(), end[:, places].T.ravel())
    columns: Columns = {"calq": calq}
    try:
        for start, name in zip(range(0, len(texts), rows), names, strict=True):
            columns[name] = _converted(texts[start : start + rows], name)
    except pa.ArrowInvalid:
        return None
    return columns


def _whole_numbers(
    characters: npt.NDArray[np.uint8], begin: npt.NDArray, end: npt.NDArray
) -> npt.NDArray[np.float32] | None:
    """The fields from `begin` up to `end` as numbers; None where one is not all digits."""
    digits = characters - np.uint8(ord("0"))  # what is no digit wraps to more than 9
    length = (end - begin).ravel()
    last = (end - 1).ravel()
    if length.min() < 1 or length.max() > _EXACT_DIGITS:
        return None
    digit = digits[last]
    if digit.max() > 9:
        return None
    values = digit.astype(np.float32)
    longer, place = np.flatnonzero(length > 1), 1
    while len(longer):
        digit = digits[last[longer] - place]
        if digit.max() > 9:
            return None
        values[longer] += digit * np.float32(10**place)
        place += 1
        longer = longer[length[longer] > place]
    return values.reshape(begin.shape)


def _strings(
    characters: npt.NDArray[np.uint8], begin: npt.NDArray, end: npt.NDArray
) -> pa.StringArray:
    """The fields from `begin` up to `end`, gathered."""
    length = end - begin
    offsets = np.zeros(len(length) + 1, dtype=np.int32)
    np.cumsum(length, out=offsets[1:])
    places = np.repeat(begin - offsets[:-1], length)
    places += np.arange(len(places))
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(characters[places])]
    return pa.Array.from_buffers(pa.string(), len(length), buffers)


def _converted(fields: pa.StringArray, name: str) -> npt.NDArray:
    if name in TEXT_NAMES:
        fields.validate(full=True)  # as UTF-8
        return _to_numpy(fields)
    return _to_numpy(fields.cast(_arrow_type(name)))


def _arrow_type(name: str) -> pa.DataType:
    if name in TEXT_NAMES:
        return pa.string()
    return pa.float64() if name in (ENTRY, *NUMBER_NAMES) else pa.float32()


def _careful(text: bytes, layout: CsvLayout) -> Columns | None:
    """Any block of sound CSV: blank lines, blanks around numbers, quotes, fractions; else None."""
    names = [str(index) for index in range(layout.width)]
    wanted = {name: names[index] for name, index in layout.position.items()}
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=len(text) + 1, column_names=names
            ),
            parse_options=pyarrow.csv.ParseOptions(
                invalid_row_handler=lambda row: "error" if row.text.strip() else "skip"
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(wanted.values()),
                column_types={column: _arrow_type(name) for name, column in wanted.items()},
                null_values=[],
            ),
        )
    except pa.ArrowInvalid:
        return None
    if len(table) != sum(bool(line.strip()) for line in text.splitlines()):
        return None  # a quote that is never closed has taken up the lines after it
    columns = {name: _to_numpy(table.column(column)) for name, column in wanted.items()}
    calq = np.stack([columns.pop(name) for name in CALQ_NAMES], axis=1)
    return {"calq": calq, **columns}


def _to_numpy(column: pa.Array | pa.ChunkedArray) -> npt.NDArray:
    """As the column's own method, which would import pandas for half a second."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_string(column.type):
        coded = column.dictionary_encode()
        known = np.array([text.strip() for text in coded.dictionary.to_pylist()], dtype=np.str_)
        return known[np.from_dlpack(coded.indices)]
    return np.from_dlpack(column)


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the bytes read: a bar for a large file on a terminal."""
    console = Console(stderr=True)
    size = file.stat().st_size
    if size < _PROGRESS_BYTES or not console.is_terminal:
        yield lambda count: None
        return
    with Progress(console=console) as bars:
        task = bars.add_task(f"reading {file.name}", total=size)
        yield lambda count: bars.advance(task, count)
