"""Arrays that other stages or people left: one reader for .npz archives and .npy files."""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError

# what NumPy and zipfile raise for truncated, empty, pickled and foreign files
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    NotImplementedError,
)


def read_arrays(
    file: Path | str,
    *,
    required: Sequence[str] = (),
    remedy: str = "",
    wanted: Callable[[str], bool] = lambda _: True,
) -> dict[str, npt.NDArray]:
    """The arrays of an .npz archive by name; nothing in it is run.

    Args:
        required: names that must be there.
        remedy: what to do where the file cannot be used.
        wanted: which of the other arrays are read.

    Raises:
        InputError: the file cannot be read, is no archive of arrays, or lacks an array; names the
            file and the remedy.
    """
    with _faults(file, remedy), np.load(file, allow_pickle=False) as stored:
        if not isinstance(stored, Mapping):
            raise ValueError("one array, where an archive of arrays is needed")
        lacking = [name for name in required if name not in stored]
        if lacking:
            found = ", ".join(stored) or "none"
            raise ValueError(f"array '{lacking[0]}' is missing; found: {found}")
        return {name: stored[name] for name in stored if name in required or wanted(name)}


def read_array(file: Path | str, remedy: str = "") -> npt.NDArray:
    """The numbers of an .npy file.

    Raises:
        InputError: the file cannot be read, or is no array of numbers.
    """
    with _faults(file, remedy):
        array = np.load(file, allow_pickle=False)
        if not isinstance(array, np.ndarray) or not np.issubdtype(array.dtype, np.number):
            raise ValueError("not an array of numbers")
        return array


@contextmanager
def _faults(file: Path | str, remedy: str) -> Iterator[None]:
    """Turn what damaged files do into one error."""
    end = f"; {remedy}" if remedy else ""
    try:
        yield
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}{end}") from error
    except _DAMAGED as error:
        raise InputError(f"{file}: damaged or no array file: {error}{end}") from error
