"""Arrays that other stages or people left: one reader for .npz archives and .npy files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError

Shape = tuple[Any, ...]  # sizes: a number, a letter for one that repeats, a last `...` for any more


def read_arrays(
    file: Path | str,
    *,
    required: Sequence[str] = (),
    shapes: Mapping[str, Shape] = MappingProxyType({}),
    remedy: str = "",
    wanted: Callable[[str], bool] = lambda _: True,
) -> dict[str, npt.NDArray]:
    """The arrays of an .npz archive by name; nothing in it is run.

    Args:
        required: names that must be there.
        shapes: of arrays that must hold numbers, where they are there; sizes of the same letter
            must be equal, such as `{"calq": ("n", 48), "eta": ("n",)}`.
        remedy: what to do where the file cannot be used.
        wanted: which of the other arrays are read.

    Raises:
        InputError: the file cannot be read, is no archive of arrays, lacks an array, or holds one
            of another kind or shape; names the file and the remedy.
    """
    with _opened(file, remedy) as stored:
        if not isinstance(stored, Mapping):
            raise ValueError("one array, where an archive of arrays is needed")
        lacking = [name for name in required if name not in stored]
        if lacking:
            found = ", ".join(stored) or "none"
            raise ValueError(f"array '{lacking[0]}' is missing; found: {found}")
        arrays = {name: stored[name] for name in stored if name in required or wanted(name)}
        _require_shapes(arrays, shapes)
        return arrays


def read_array(file: Path | str, remedy: str = "") -> npt.NDArray:
    """The numbers of an .npy file.

    Raises:
        InputError: the file cannot be read, or is no array of numbers.
    """
    with _opened(file, remedy) as array:
        if not isinstance(array, np.ndarray) or not _is_numeric(array):
            raise ValueError("not an array of numbers")
        return array


def _is_numeric(array: npt.NDArray) -> bool:
    return np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_


def _require_shapes(arrays: Mapping[str, npt.NDArray], shapes: Mapping[str, Shape]) -> None:
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        if name not in arrays:
            continue
        array = arrays[name]
        fixed = tuple(size for size in shape if size is not ...)
        fits = array.ndim >= len(fixed) and (fixed != shape or array.ndim == len(fixed))
        for found, size in zip(array.shape, fixed, strict=False):
            fits &= found == (sizes.setdefault(size, found) if isinstance(size, str) else size)
        if not fits or not _is_numeric(array):
            needed = ", ".join("..." if size is ... else str(size) for size in shape)
            raise ValueError(
                f"array '{name}' holds {array.dtype} of shape {array.shape}; needed are numbers of "
                f"shape ({needed})" + "".join(f", {key} = {size}" for key, size in sizes.items())
            )


@contextmanager
def _opened(file: Path | str, remedy: str) -> Iterator[Any]:
    """What NumPy makes of the file; whatever is wrong with it becomes one error."""
    end = f"; {remedy}" if remedy else ""
    try:
        with Path(file).open("rb") as stream:  # which NumPy would leave open where it is damaged
            yield np.load(stream, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}{end}") from error
    except Exception as error:  # damaged bytes make NumPy and zipfile raise nearly anything
        raise InputError(f"{file}: damaged or no array file: {error}{end}") from error
