"""Writing files so that a reader never sees half of one."""

import contextlib
import errno
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hw.foundation.errors import InputError, system_error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Tell the user that the path chosen cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {system_error(error)}") from error


_NAMELESS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A full disk is told when something is written, and then without the name of the file."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in _NAMELESS:
            raise InputError(f"{path}: cannot be written: {system_error(error)}") from error
        raise


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
    _sweep(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        with _naming(path):
            yield temporary
        with _writing(path):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path | str) -> Iterator[Path]:
    """Yield a new empty folder; on success it replaces the folder `path`, else it vanishes.

    Until it is complete, `path` stays as it was.

    Raises:
        InputError: its parent cannot be written, or `path` is a file or a link.
    """
    path = Path(path)
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        temporary = Path(
            tempfile.mkdtemp(prefix=f".{path.name}.{os.getpid()}.", suffix=".tmp", dir=path.parent)
        )
    temporary.chmod(0o755)
    try:
        with _naming(path):
            yield temporary
        _replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace_folder(new: Path, path: Path) -> None:
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        what = "a link" if path.is_symlink() else "a file"
        raise InputError(f"{path}: is {what}, where a folder of results should be; move it away")
    old = new.with_name(f"{new.name.removesuffix('.tmp')}.old.tmp")
    with _writing(path):
        if path.exists():
            path.rename(old)
        try:
            new.rename(path)
        except OSError:
            if old.exists():
                old.rename(path)
            raise
    shutil.rmtree(old, ignore_errors=True)


def _sweep(path: Path) -> None:
    """Remove what writers of `path` left that were killed: hidden, with the number of a process
    that is no more.  A folder that such a process had just moved aside comes back."""
    for name in (path.stem, path.name):
        for left in path.parent.glob(f".{glob.escape(name)}.*.tmp*"):
            number = left.name.removeprefix(f".{name}.").split(".")[0]
            if not number.isdigit() or _runs(int(number)):
                continue
            with contextlib.suppress(OSError):
                if left.name.endswith(".old.tmp") and not path.exists():
                    left.rename(path)
                elif left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left)
                else:
                    left.unlink()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def write_text(path: Path | str, text: str) -> None:
    """Write `text` (UTF-8) to `path` in one step; raises InputError as `atomic_path` does."""
    with atomic_path(path) as temporary, _writing(Path(path)):
        temporary.write_text(text, encoding="utf-8")
