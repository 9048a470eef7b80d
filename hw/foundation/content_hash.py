"""Hashes of what is in files; those of large files are kept while the files stay the same."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from hw.foundation.atomic_file import write_text

_SETTLED_SECONDS = 2.0  # a file changed this recently may change again within its time stamp


class HashIndex:
    """SHA-256 of files, as 64 hexadecimal digits, and an index of those that are known.

    A file is known as long as its size, its dates (that of its last change of any kind, which no
    program can set, among them) and its place on the disk are the same.

    Args:
        file: keeps the index between runs; None for none.  A damaged one is as good as none.
        least_bytes: only the hashes of files of this size are kept between runs.
    """

    def __init__(self, file: Path | None = None, least_bytes: int = 0) -> None:
        self._file, self._least_bytes = file, least_bytes
        self._stored = _read(file) if file else {}
        self._known = dict(self._stored)

    def __getitem__(self, file: Path) -> str:
        """The hash of a file's content; raises OSError where it cannot be read."""
        name, state = str(file.resolve()), _state(file)
        entry = self._known.get(name)
        if entry is not None and entry["state"] == state:
            return str(entry["hash"])
        self._known.pop(name, None)
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        changed = max(state[1:3]) / 1e9
        if time.time() - changed > _SETTLED_SECONDS and _state(file) == state:
            self._known[name] = {"state": state, "hash": found}
        return found

    def save(self) -> None:
        """Keep what is known of large files."""
        large = {n: e for n, e in self._known.items() if e["state"][0] >= self._least_bytes}
        if self._file and large != self._stored:
            write_text(self._file, json.dumps(large, indent=1) + "\n")
            self._stored = large


def _state(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _read(file: Path) -> dict[str, dict[str, Any]]:
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
        return {
            name: {"state": list(map(int, entry["state"])), "hash": str(entry["hash"])}
            for name, entry in index.items()
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return {}
