"""Vectors of a network of any purpose from a user's file: inputs, and what must come of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.training.imported_model import Golden
from hw.foundation.arrays import read_array, read_arrays
from hw.foundation.errors import InputError

_KINDS = (".npy", ".npz", ".csv")


@dataclass(frozen=True)
class KnownOutputs:
    """What a network must give.

    Attributes:
        golden: vectors with their outputs, where outputs are known.
        classes: the class of each vector, shape (n,), where classes are known.
    """

    golden: Golden | None = None
    classes: npt.NDArray[np.int64] | None = None


def read_vectors(file: Path | None, network: Any) -> npt.NDArray[np.float32]:
    """Inputs of a Keras network, shape (n, numbers): all numbers of one input after the other.

    Args:
        file: .npy or .csv with one vector a row, or .npz with an array for each input, by the
            input's name or in their order; None for no vectors.

    Raises:
        InputError: the file cannot be read, or does not fit the network; names it.
    """
    shapes = {layer.name: tuple(layer.input_shape[0][1:]) for layer in network._input_layers}
    numbers = sum(int(np.prod(shape)) for shape in shapes.values())
    if file is None:
        return np.zeros((0, numbers), np.float32)
    arrays = _read(file)
    if len(arrays) == 1:
        parts = [next(iter(arrays.values()))]
        expected = [(numbers,)] if len(shapes) > 1 else [next(iter(shapes.values()))]
    else:
        if len(arrays) != len(shapes):
            raise InputError(
                f"{file}: {len(arrays)} arrays for {len(shapes)} inputs ({', '.join(shapes)}); "
                "give one for each"
            )
        by_name = set(arrays) == set(shapes)
        parts = [arrays[name] for name in shapes] if by_name else list(arrays.values())
        expected = list(shapes.values())
    rows = []
    for part, shape in zip(parts, expected, strict=True):
        size = int(np.prod(shape))
        if part.ndim < 1 or len(part) != len(parts[0]) or part.size != len(part) * size:
            raise InputError(
                f"{file}: array of shape {part.shape}, where the network's inputs take "
                f"{size} numbers a vector, {shape}; give one vector a row"
            )
        if not np.isfinite(part).all():
            raise InputError(f"{file}: holds numbers that are not finite; take these vectors out")
        rows.append(part.reshape(len(part), size))
    if not len(rows[0]):
        raise InputError(f"{file}: holds no vector")
    return np.concatenate(rows, axis=1).astype(np.float32)


def known_outputs(
    file: Path | None,
    vectors: npt.NDArray[np.float32],
    network: Any,
    *,
    threshold: float | None = None,
) -> KnownOutputs:
    """What must come of vectors: outputs, or classes.

    Args:
        file: as of `read_vectors`; one number a vector where the network has several outputs is
            the class, the index of the largest output.
        threshold: of a network with one output: what is above it is class 1, else 0, and the file
            holds classes.

    Raises:
        InputError: the file cannot be read, or does not fit; names it.
    """
    outputs = sum(int(np.prod(tensor.shape[1:])) for tensor in network.outputs)
    if file is None:
        if threshold is not None:
            raise InputError("--threshold is of the classes in --outputs, which is missing")
        return KnownOutputs()
    if threshold is not None and outputs != 1:
        raise InputError(
            f"--threshold is for a network with one output, this one has {outputs}; its class is "
            "the index of the largest"
        )
    array = np.concatenate([part.reshape(len(part), -1) for part in _read(file).values()], axis=1)
    if len(array) != len(vectors):
        raise InputError(f"{file}: outputs of {len(array)} vectors, inputs of {len(vectors)}")
    is_class = threshold is not None or (array.shape[1] == 1 and outputs > 1)
    if is_class:
        most = 1 if outputs == 1 else outputs - 1
        classes = array[:, 0]
        if array.shape[1] != 1 or not np.isin(classes, np.arange(most + 1)).all():
            raise InputError(f"{file}: classes must be whole numbers from 0 to {most}, one a row")
        return KnownOutputs(classes=classes.astype(np.int64))
    if array.shape[1] != outputs:
        raise InputError(
            f"{file}: {array.shape[1]} outputs a vector, the network has {outputs}; give all, or "
            "the class of each vector"
        )
    shape = network.inputs[0].shape[1:] if len(network.inputs) == 1 else (-1,)
    images = vectors.reshape(len(vectors), *shape)
    return KnownOutputs(golden=Golden(images, array.astype(np.float64)))


def _read(file: Path) -> dict[str, npt.NDArray]:
    if file.suffix == ".npz":
        arrays = read_arrays(file)
        for name, array in arrays.items():
            if not np.issubdtype(array.dtype, np.number) and array.dtype != bool:
                raise InputError(f"{file}: array '{name}' holds no numbers")
        if not arrays:
            raise InputError(f"{file}: holds no array")
        return arrays
    if file.suffix == ".npy":
        return {"": read_array(file)}
    if file.suffix == ".csv":
        return {"": _read_csv(file)}
    raise InputError(f"{file}: not one of the kinds {', '.join(_KINDS)}")


def _read_csv(file: Path) -> npt.NDArray[np.float64]:
    """Rows of numbers; a first row that holds other words is a header."""
    try:
        with file.open(encoding="utf-8-sig") as stream:
            first = stream.readline()
        skipped = 0 if _is_numeric(first) else 1
        return np.loadtxt(file, delimiter=",", ndmin=2, skiprows=skipped, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{file}: cannot be read as rows of numbers: {error}") from error


def _is_numeric(row: str) -> bool:
    try:
        [float(field) for field in row.split(",")]
    except ValueError:
        return False
    return True
