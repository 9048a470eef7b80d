"""Reading module data: CSV files streamed into arrays, with a Parquet cache keyed by content."""

import codecs
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import Progress

from hw.atomic_file import atomic_path, write_text
from hw.errors import InputError
from models.csv_layout import (
    CALQ_NAMES,
    ENTRY,
    ETA,
    NUMBER_NAMES,
    PHI,
    TEXT_NAMES,
    CsvLayout,
    find_fault,
    find_layout,
)
from models.geometry import TRIGGER_CELLS

_FORMAT = "econt modules 2"  # names the cache's layout: a new number makes old files unknown
_BLOCK_BYTES = 1 << 24
_ROWS_AT_ONCE = 4096  # so many rows of charges stay in the processor's cache
_CACHE_ROWS = 1 << 16  # in a row group of the Parquet file
_PROGRESS_BYTES = 50_000_000
_HASH_DIGITS = 16
_SETTLED_SECONDS = 2.0  # a file changed this recently may change again within its time stamp
_EVENT_BITS = 40  # of the event number within its file; the file's number stands above


@dataclass(frozen=True)
class ModuleData:
    """Charges of n modules, and what else is known of them.

    Attributes:
        calq: calibrated trigger-cell charges, CALQ counts, float32 of shape (n, 48).
        eta: pseudorapidity (tc_eta), float32 of shape (n,), or None.
        phi: azimuth (tc_phi), radians, float32 of shape (n,), or None.
        columns: further columns by their name in the file, each of shape (n,).
        event: a number for each module, equal for modules of one event, shape (n,); None where
            the file does not tell.
        content_hash: of the files read, 16 hexadecimal digits.
    """

    calq: npt.NDArray[np.float32]
    eta: npt.NDArray[np.float32] | None = None
    phi: npt.NDArray[np.float32] | None = None
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    event: npt.NDArray[np.int64] | None = None
    content_hash: str = ""

    def __len__(self) -> int:
        return len(self.calq)

    def select(self, rows: Any) -> "ModuleData":
        """The modules at `rows`: indices, a slice, or a mask of shape (n,)."""
        return ModuleData(
            self.calq[rows],
            None if self.eta is None else self.eta[rows],
            None if self.phi is None else self.phi[rows],
            {name: values[rows] for name, values in self.columns.items()},
            None if self.event is None else self.event[rows],
            self.content_hash,
        )


def load_modules(
    path: Path | str,
    *,
    header: bool | None = None,
    rows_per_file: int | None = None,
    cache: Path | None = None,
) -> ModuleData:
    """Read one CSV file, or all `*.csv` of a folder in sorted order.

    Args:
        header: True or False demands that the files have or lack a header; None takes either.
        rows_per_file: read only so many modules of each file; faults after them do not matter.
        cache: folder for the Parquet cache; None reads the text every time.

    Raises:
        InputError: no such file, mixed layouts, or a fault in a file, told with line and column.
    """
    if rows_per_file is not None and rows_per_file < 1:
        raise InputError(f"rows per file must be at least 1, found {rows_per_file}")
    files = _csv_files(Path(path))
    layouts = [find_layout(file, header) for file in files]
    _refuse_mixture(files, layouts)
    content = _content_hash(files, cache)
    if cache is None:
        return _read_files(files, layouts, rows_per_file, content)
    stored = cache / f"modules-{content}-{rows_per_file or 'all'}.parquet"
    modules = _read_parquet(stored, content)
    if modules is None:
        modules = _read_files(files, layouts, rows_per_file, content)
        _write_parquet(stored, modules)
    return modules


def _csv_files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.glob("*.csv") if file.is_file())
        if not files:
            raise InputError(f"{path}: this folder holds no *.csv file")
        return files
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    return [path]


def _refuse_mixture(files: list[Path], layouts: list[CsvLayout]) -> None:
    for file, layout in zip(files, layouts, strict=True):
        if (layout.header, set(layout.position)) != (layouts[0].header, set(layouts[0].position)):
            raise InputError(
                f"{file}: has other columns, or a header unlike {files[0]}; keep files of one "
                "layout in a folder"
            )


# --- text ---------------------------------------------------------------------------------------


def _read_files(
    files: list[Path], layouts: list[CsvLayout], rows: int | None, content: str
) -> ModuleData:
    parts: list[dict[str, npt.NDArray]] = []
    for number, (file, layout) in enumerate(zip(files, layouts, strict=True)):
        for part in _read_blocks(file, layout, rows):
            parts.append(_with_event(part, number))
    names = list(parts[0])
    count = sum(len(part["calq"]) for part in parts)
    columns: dict[str, npt.NDArray] = {}
    for name in names:  # blocks are let go as they are copied: the data stands in memory once
        pieces = [part.pop(name) for part in parts]
        whole = np.empty((count, *pieces[0].shape[1:]), dtype=np.result_type(*pieces))
        filled = 0
        pieces.reverse()
        while pieces:
            piece = pieces.pop()
            whole[filled : filled + len(piece)] = piece
            filled += len(piece)
        columns[name] = whole
    return _modules(columns, content)


def _modules(columns: dict[str, npt.NDArray], content: str) -> ModuleData:
    return ModuleData(
        columns.pop("calq"),
        columns.pop(ETA, None),
        columns.pop(PHI, None),
        event=columns.pop("event", None),
        columns=columns,
        content_hash=content,
    )


def _read_blocks(
    file: Path, layout: CsvLayout, rows: int | None
) -> Iterator[dict[str, npt.NDArray]]:
    """Blocks of one file as arrays by name; `calq` is (n, 48)."""
    size = file.stat().st_size if rows is None else _bytes_of(file, rows + layout.header)
    integers = True  # charges are counts, which read faster as such, unless one is not
    seen = 0
    try:
        with _progress(file, size) as advance:
            for number, text in enumerate(_text_blocks(file, size)):
                skip = int(layout.header and number == 0)
                block = _fast_block(text, layout, skip) if integers else None
                if block is None:
                    integers = False
                    block = _tolerant_block(text, layout, skip)
                advance(len(text))
                if len(block["calq"]):
                    seen += len(block["calq"])
                    yield block
    except _Fault as error:
        raise find_fault(file, layout, rows) from error
    if not seen:
        raise find_fault(file, layout, rows)


class _Fault(Exception):
    """Text that is no module data; which line is at fault is found afterwards."""


def _text_blocks(file: Path, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file in blocks of whole lines; the first starts with text."""
    with file.open("rb") as stream:
        if stream.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            stream.seek(0)
        while (byte := stream.read(1)) in (b"\r", b"\n"):
            pass
        rest = byte
        while block := stream.read(min(_BLOCK_BYTES, size - stream.tell())):
            end = block.rfind(b"\n") + 1
            if end:
                yield rest + block[:end]
                rest = block[end:]
            else:
                rest += block
        if rest:
            yield rest


def _fast_block(text: bytes, layout: CsvLayout, skip: int) -> dict[str, npt.NDArray] | None:
    """A block whose charges are plain integers; None where it is not so plain."""
    types: list[Any] = [pl.String] * layout.width
    for name, index in layout.position.items():
        types[index] = pl.Int32 if name in CALQ_NAMES else _polars_type(name)
    try:
        table = pl.read_csv(
            text,
            has_header=False,
            skip_lines=skip,
            new_columns=[str(index) for index in range(layout.width)],
            columns=sorted(layout.position.values()),
            schema_overrides=types,
            raise_if_empty=False,
        )
    except pl.exceptions.PolarsError:
        return None
    by_name = {name: table[str(index)] for name, index in layout.position.items()}
    if any(by_name[name].null_count() for name in layout.position):
        return None
    return _arrays({name: column.to_numpy() for name, column in by_name.items()}, len(table))


def _tolerant_block(text: bytes, layout: CsvLayout, skip: int) -> dict[str, npt.NDArray]:
    """Any block that can be read: blank lines, blanks around numbers, quotes, fractions."""
    names = [str(index) for index in range(layout.width)]
    wanted = {name: names[index] for name, index in layout.position.items()}
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text),
            read_options=pyarrow.csv.ReadOptions(
                block_size=len(text) + 1, column_names=names, skip_rows_after_names=skip
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(wanted.values()),
                column_types={column: _arrow_type(name) for name, column in wanted.items()},
            ),
        )
    except pa.ArrowInvalid as error:
        raise _Fault from error
    columns = {name: table.column(column) for name, column in wanted.items()}
    if any(columns[name].null_count for name in layout.numbers):
        raise _Fault
    return _arrays({name: column.to_numpy() for name, column in columns.items()}, len(table))


def _polars_type(name: str) -> Any:
    if name in TEXT_NAMES:
        return pl.String
    return pl.Float64 if name in (ENTRY, *NUMBER_NAMES) else pl.Float32


def _arrow_type(name: str) -> pa.DataType:
    if name in TEXT_NAMES:
        return pa.string()
    return pa.float64() if name in (ENTRY, *NUMBER_NAMES) else pa.float32()


def _arrays(columns: dict[str, npt.NDArray], count: int) -> dict[str, npt.NDArray]:
    """Check one block's columns and gather the charges in one array (n, 48)."""
    calq = np.empty((count, TRIGGER_CELLS), dtype=np.float32)
    for start in range(0, count, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        for cell, name in enumerate(CALQ_NAMES):
            calq[rows, cell] = columns[name][rows]
    if count and not (np.isfinite(calq).all() and calq.min() >= 0):
        raise _Fault
    arrays: dict[str, npt.NDArray] = {"calq": calq}
    for name, values in columns.items():
        if name in TEXT_NAMES:
            arrays[name] = np.char.strip(np.asarray(values, dtype=np.str_))
        elif name not in CALQ_NAMES:
            if not np.isfinite(values).all():
                raise _Fault
            arrays[name] = values
    return arrays


def _with_event(part: dict[str, npt.NDArray], file_number: int) -> dict[str, npt.NDArray]:
    """Add the event's number, from `entry` or else from the event's energy, unlike other files'."""
    entry = part.pop(ENTRY, None)
    if entry is not None:
        within = entry.astype(np.int64)
    elif "EventSimEnergy" in part:
        # the bit pattern of an energy is a number that modules of one event share
        within = part["EventSimEnergy"].astype(np.float32).view(np.int32).astype(np.int64)
    else:
        return part
    return {**part, "event": within + (file_number << _EVENT_BITS)}


def _bytes_of(file: Path, lines: int) -> int:
    """Bytes of the first `lines` lines of a file, blank ones not counted."""
    size = 0
    with file.open("rb") as stream:
        for line in stream:
            size += len(line)
            lines -= bool(line.strip(b"\r\n"))
            if lines == 0:
                break
    return size


@contextmanager
def _progress(file: Path, size: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the bytes read: a bar for a large file on a terminal."""
    console = Console(stderr=True)
    if size < _PROGRESS_BYTES or not console.is_terminal:
        yield lambda count: None
        return
    with Progress(console=console) as bars:
        task = bars.add_task(f"reading {file.name}", total=size)
        yield lambda count: bars.advance(task, count)


# --- content and cache --------------------------------------------------------------------------


def _content_hash(files: list[Path], cache: Path | None) -> str:
    """BLAKE2b over the content of all files; unchanged files are known from an index in `cache`."""
    index = {} if cache is None else _read_index(cache / "hashes.json")
    known = dict(index)
    total = hashlib.blake2b(_FORMAT.encode())
    for file in files:
        name, state = str(file.resolve()), _file_state(file)
        if known.get(name, {}).get("state") != state:
            digest = _hash(file)
            known[name] = {"state": state, "hash": digest}
            if time.time() - file.stat().st_mtime < _SETTLED_SECONDS or _file_state(file) != state:
                total.update(known.pop(name)["hash"].encode())
                continue
        total.update(known[name]["hash"].encode())
    if cache is not None and known != index:
        write_text(cache / "hashes.json", json.dumps(known, indent=1) + "\n")
    return total.hexdigest()[:_HASH_DIGITS]


def _file_state(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()


def _read_index(file: Path) -> dict[str, Any]:
    """The index of known hashes; a damaged one is as good as none."""
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
        return index if isinstance(index, dict) else {}
    except (OSError, ValueError):
        return {}


def _write_parquet(file: Path, modules: ModuleData) -> None:
    charges = _smallest(modules.calq)
    row = pa.binary(TRIGGER_CELLS * charges.itemsize)
    arrays = {"calq": pa.Array.from_buffers(row, len(charges), [None, pa.py_buffer(charges)])}
    for name, values in ((ETA, modules.eta), (PHI, modules.phi), ("event", modules.event)):
        if values is not None:
            arrays[name] = pa.array(values)
    arrays |= {name: pa.array(values) for name, values in modules.columns.items()}
    metadata = {
        "format": _FORMAT,
        "content": modules.content_hash,
        "type": charges.dtype.str,
        "sum": str(_word_sum(charges)),
    }
    table = pa.table(
        arrays,
        schema=pa.schema(  # what cannot be null reads twice as fast
            [pa.field(name, array.type, nullable=False) for name, array in arrays.items()],
            metadata=metadata,
        ),
    )
    with atomic_path(file) as temporary:
        pq.write_table(
            table,
            temporary,
            row_group_size=_CACHE_ROWS,
            use_dictionary=False,
            write_statistics=False,
            compression="none",
        )


def _read_parquet(file: Path, content: str) -> ModuleData | None:
    """What `_write_parquet` wrote; None where it is not there, or damaged (it is then remade)."""
    if not file.is_file():
        return None
    try:
        with pq.ParquetFile(file, memory_map=True) as stored:
            metadata = stored.schema_arrow.metadata or {}
            expected = {b"format": _FORMAT.encode(), b"content": content.encode()}
            if not expected.items() <= metadata.items():
                return None
            row = np.dtype((np.dtype(metadata[b"type"].decode()), TRIGGER_CELLS))
            names = [name for name in stored.schema_arrow.names if name != "calq"]
            rest = stored.read(names)
            calq = np.empty((stored.metadata.num_rows, TRIGGER_CELLS), dtype=np.float32)
            filled = words = 0
            for group in range(stored.num_row_groups):  # into one array: memory is touched once
                for chunk in stored.read_row_group(group, ["calq"]).column(0).chunks:
                    values = np.frombuffer(chunk.buffers()[1], dtype=row)
                    part = values[chunk.offset : chunk.offset + len(chunk)]
                    calq[filled : filled + len(part)] = part
                    filled += len(part)
                    words += _word_sum(part)
            if str(words % (1 << 64)).encode() != metadata[b"sum"]:
                raise ValueError("its charges do not add up to the sum noted with them")
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        print(f"{file}: damaged cache, read anew ({error})", file=sys.stderr)
        return None
    columns = {"calq": calq} | {name: _to_numpy(rest.column(name)) for name in names}
    return _modules(columns, content)


def _smallest(calq: npt.NDArray[np.float32]) -> npt.NDArray:
    """The same charges in half the bytes where they are counts below 2**16."""
    counts = calq.astype(np.uint16) if calq.max() < 1 << 16 else calq
    return np.ascontiguousarray(counts if np.array_equal(counts, calq) else calq)


def _word_sum(charges: npt.NDArray) -> int:
    """Sum of the bytes as 64-bit words, modulo 2**64: a check that costs next to nothing."""
    return int(charges.view(np.uint64).sum(dtype=np.uint64))


def _to_numpy(column: pa.ChunkedArray) -> npt.NDArray:
    """As the column's own method, which would import pandas for half a second."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(column.to_pylist(), dtype=np.str_)
    return np.concatenate([np.from_dlpack(chunk) for chunk in column.chunks])
