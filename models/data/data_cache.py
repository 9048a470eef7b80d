"""The Parquet cache of module data, keyed by the content of the files it was read from."""

import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from hw.foundation.atomic_file import atomic_path, write_text
from hw.foundation.cores import usable_cores
from models.data.csv_layout import TEXT_NAMES
from models.data.geometry import TRIGGER_CELLS

_FORMAT = "econt modules 3"  # names the cache's layout: a new number makes old files unknown
_ROWS = 1 << 14  # in a row group: they stay in the processor's cache
_WORKERS = min(usable_cores(), 4)
_HASH_DIGITS = 16
_SETTLED_SECONDS = 2.0  # a file changed this recently may change again within its time stamp


def content_hash(files: list[Path], cache: Path | None) -> str:
    """SHA-256 over the content of all files, shortened to 16 hexadecimal digits.

    With a `cache` folder, files that did not change since are known from the index kept there.
    """
    index = {} if cache is None else _read_index(cache / "hashes.json")
    known = dict(index)
    total = hashlib.sha256()
    for file in files:
        name, state = str(file.resolve()), _state(file)
        entry = known.get(name)
        if entry is None or entry["state"] != state:
            known.pop(name, None)
            entry = {"state": state, "hash": _hash(file)}
            settled = time.time() - file.stat().st_mtime > _SETTLED_SECONDS
            if settled and _state(file) == state:
                known[name] = entry
        total.update(entry["hash"].encode())
    if cache is not None and known != index:
        write_text(cache / "hashes.json", json.dumps(known, indent=1) + "\n")
    return total.hexdigest()[:_HASH_DIGITS]


def _state(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_index(file: Path) -> dict[str, Any]:
    """The index of known hashes; a damaged one is as good as none."""
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
        return {name: {"state": e["state"], "hash": str(e["hash"])} for name, e in index.items()}
    except (FileNotFoundError, ValueError, AttributeError, KeyError, TypeError):
        return {}


def write_cache(file: Path, key: str, columns: dict[str, npt.NDArray]) -> None:
    """Store columns as `read_cache` finds them: `calq` (n, 48), all others (n,)."""
    arrays = {name: pa.array(values) for name, values in columns.items() if name != "calq"}
    arrays |= {name: arrays[name].dictionary_encode() for name in TEXT_NAMES if name in arrays}
    arrays["calq"] = _rows_of_bytes(_compact(columns["calq"]))
    schema = pa.schema(  # what cannot be null reads twice as fast
        [pa.field(name, array.type, nullable=False) for name, array in arrays.items()]
    )
    sealed = schema.with_metadata({"seal": _seal(schema, len(columns["calq"]), key)})
    table = pa.table(arrays, schema=sealed)
    with atomic_path(file) as temporary:
        pq.write_table(
            table,
            temporary,
            row_group_size=_ROWS,
            use_dictionary=[name for name in TEXT_NAMES if name in arrays],
            write_statistics=False,
            compression="none",
            write_page_checksum=True,
        )


def _seal(schema: pa.Schema, rows: int, key: str) -> str:
    """A digest of what stands in the file's footer, the one part that has no checksum."""
    fields = [(field.name, str(field.type)) for field in schema]
    return hashlib.sha256(repr((_FORMAT, key, rows, fields)).encode()).hexdigest()


def _compact(calq: npt.NDArray[np.float32]) -> npt.NDArray:
    """The charges as 16-bit counts where that loses nothing: half the bytes to read."""
    if calq.max() <= np.iinfo(np.uint16).max:
        counts = calq.astype(np.uint16)
        if np.array_equal(counts, calq):
            return counts
    return np.ascontiguousarray(calq)


def _rows_of_bytes(calq: npt.NDArray) -> pa.Array:
    """One binary value a module: no layout of numbers that Parquet has reads nearly as fast."""
    row = pa.binary(TRIGGER_CELLS * calq.itemsize)
    return pa.Array.from_buffers(row, len(calq), [None, pa.py_buffer(calq)])


def read_cache(file: Path, key: str) -> dict[str, npt.NDArray] | None:
    """What `write_cache` stored; None where it is not there, or damaged (it is then remade)."""
    if not file.is_file():
        return None
    try:
        with pq.ParquetFile(file, memory_map=True, page_checksum_verification=True) as stored:
            schema, rows = stored.schema_arrow, stored.metadata.num_rows
            seal = (schema.metadata or {}).get(b"seal", b"").decode()
            if seal != _seal(schema, rows, key):
                raise ValueError("not what was stored under this name")
            others = [name for name in schema.names if name != "calq"]
            table = stored.read(others)
            table.validate(full=True)
            columns = {"calq": _charges(file, stored.metadata)}
            columns |= {name: _to_numpy(table.column(name)) for name in others}
            if any(len(values) != rows for values in columns.values()):
                raise ValueError("columns of unequal length")
            return columns
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        print(f"{file}: damaged cache, read anew ({error})", file=sys.stderr)
        return None


def _charges(file: Path, metadata: pq.FileMetaData) -> npt.NDArray[np.float32]:
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    starts = np.cumsum([0, *sizes])
    calq = np.empty((starts[-1], TRIGGER_CELLS), dtype=np.float32)

    def fill(worker: int) -> None:
        with pq.ParquetFile(file, memory_map=True, page_checksum_verification=True) as stored:
            for group in range(worker, len(sizes), _WORKERS):
                column = stored.read_row_group(group, ["calq"], use_threads=False).column(0)
                if len(column) != sizes[group]:
                    raise ValueError("row groups of other lengths than told")
                calq[starts[group] : starts[group + 1]] = _rows_of_numbers(column)

    with ThreadPoolExecutor(_WORKERS) as pool:
        list(pool.map(fill, range(_WORKERS)))
    return calq


def _rows_of_numbers(column: pa.ChunkedArray) -> npt.NDArray:
    """What `_rows_of_bytes` made: counts or floats, told by their width, of shape (n, 48)."""
    kinds = {TRIGGER_CELLS * np.dtype(kind).itemsize: kind for kind in (np.uint16, np.float32)}
    row = np.dtype((kinds[column.type.byte_width], TRIGGER_CELLS))
    (chunk,) = column.chunks
    values = np.frombuffer(chunk.buffers()[1], dtype=row)
    return values[chunk.offset : chunk.offset + len(chunk)]


def _to_numpy(column: pa.ChunkedArray) -> npt.NDArray:
    """As the column's own method, which would import pandas for half a second."""
    if not pa.types.is_dictionary(column.type):
        return np.concatenate([np.from_dlpack(chunk) for chunk in column.chunks])
    texts = [np.array(chunk.dictionary.to_pylist(), dtype=np.str_) for chunk in column.chunks]
    codes = [np.from_dlpack(chunk.indices) for chunk in column.chunks]
    return np.concatenate([text[code] for text, code in zip(texts, codes, strict=True)])
