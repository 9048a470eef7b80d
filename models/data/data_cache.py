"""The cache of module data: one archive of arrays, keyed by the content of the files read."""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.foundation.arrays import read_arrays
from hw.foundation.atomic_file import atomic_path
from hw.foundation.content_hash import HashIndex
from hw.foundation.errors import InputError

_FORMAT = "econt modules 4"  # names the cache's layout: a new number makes old files unknown
_SEAL = "seal"
_HASH_DIGITS = 16


def content_hash(files: list[Path], cache: Path | None) -> str:
    """SHA-256 over the content of all files, shortened to 16 hexadecimal digits.

    With a `cache` folder, files that did not change since are known from the index kept there.
    """
    index = HashIndex(cache / "hashes.json" if cache else None)
    total = hashlib.sha256()
    for file in files:
        total.update(index[file].encode())
    index.save()
    return total.hexdigest()[:_HASH_DIGITS]


def write_cache(file: Path, key: str, columns: dict[str, npt.NDArray]) -> None:
    """Store columns as `read_cache` finds them: `calq` (n, 48), all others (n,)."""
    arrays = {**columns, "calq": _compact(columns["calq"]), _SEAL: np.array(_seal(key, columns))}
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def read_cache(file: Path, key: str) -> dict[str, npt.NDArray] | None:
    """What `write_cache` stored; None where it is not there, or damaged (it is then remade)."""
    if not file.is_file():
        return None
    try:
        columns = read_arrays(file, required=(_SEAL, "calq"), remedy="read anew")
    except InputError as error:
        print(error, file=sys.stderr)
        return None
    if str(columns.pop(_SEAL)) != _seal(key, columns):
        print(f"{file}: holds other data than its name says; read anew", file=sys.stderr)
        return None
    columns["calq"] = columns["calq"].astype(np.float32, copy=False)
    return columns


def _seal(key: str, columns: Iterable[str]) -> str:
    """What an archive of this content holds: its arrays have checksums, which of them there are
    has none."""
    return " ".join([_FORMAT, key, *sorted(columns)])


def _compact(calq: npt.NDArray[np.float32]) -> npt.NDArray:
    """The charges as 16-bit counts where that loses nothing: half the bytes to read."""
    if calq.max() <= np.iinfo(np.uint16).max:
        counts = calq.astype(np.uint16)
        if np.array_equal(counts, calq):
            return counts
    return calq
