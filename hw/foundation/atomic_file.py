"""Writing files so that a reader never sees half of one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hw.foundation.errors import InputError


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell the user that the path chosen cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it becomes `path`, else it vanishes.

    The temporary name keeps the suffix of `path`, since many writers choose the format by it.

    Raises:
        InputError: `path` cannot be written; it is a folder, for example.
    """
    path = Path(path)
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        with _writing(path):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path | str) -> Iterator[Path]:
    """Yield a new empty folder; on success it replaces the folder `path`, else it vanishes.

    Raises:
        InputError: its parent cannot be written.
    """
    path = Path(path)
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` (UTF-8) to `path` in one step; raises InputError as `atomic_path` does."""
    with atomic_path(path) as temporary, _writing(Path(path)):
        temporary.write_text(text, encoding="utf-8")
