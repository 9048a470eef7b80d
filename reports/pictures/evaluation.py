"""What an evaluation found of each module, read from its file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.foundation.arrays import read_arrays
from hw.foundation.errors import InputError
from reports.pictures.picture import MissingValuesError

Values = npt.NDArray[np.float64]

_OF_ALGORITHM = re.compile(r"baseline\.(\w+)\.(\w+)\.emd")
_OF_FEW = ("sample", "worst", "profile")  # arrays that have no row for every module


@dataclass(frozen=True)
class CompressionAlgorithm:
    """The earth mover's distance of another compression algorithm on the same modules.

    Attributes:
        name: `stc4`, ...
        form: `ideal`, or `chip`: in the precision that the chip transmits.
        emd: of each module, shape (n,); NaN where it keeps nothing.
    """

    name: str
    form: str
    emd: Values


@dataclass(frozen=True)
class Evaluation:
    """Per-module results, NaN where a module has no value.

    Attributes:
        file: where they were read.
        arrays: its arrays by name; of the other algorithms only the earth mover's distance.
    """

    file: Path
    arrays: Mapping[str, npt.NDArray]

    def __getitem__(self, name: str) -> npt.NDArray:
        """The array of that name.

        Raises:
            MissingValuesError: the evaluation did not write it.
        """
        if name not in self.arrays:
            raise MissingValuesError(f"{self.file} has no array '{name}'; evaluate the model anew")
        return self.arrays[name]

    @property
    def algorithms(self) -> list[CompressionAlgorithm]:
        """The other algorithms in the order of the file.

        Raises:
            MissingValuesError: they were not evaluated.
        """
        found = [
            CompressionAlgorithm(match[1], match[2], self.arrays[name])
            for name in self.arrays
            if (match := _OF_ALGORITHM.fullmatch(name))
        ]
        if not found:
            raise MissingValuesError(
                f"{self.file} has no other algorithms; evaluate the model without --skipBaselines"
            )
        return found


def read_evaluation(file: Path) -> Evaluation:
    """Read what the evaluation stage wrote.

    Raises:
        InputError: the file is damaged, or its arrays do not belong together.
    """
    again = "evaluate the model anew"
    arrays = read_arrays(file, required=("emd",), wanted=_is_drawn, remedy=again)
    modules = len(arrays["emd"])
    for name, values in arrays.items():
        if not name.startswith(_OF_FEW) and values.shape != (modules,):
            raise InputError(
                f"{file}: damaged: array '{name}' has shape {values.shape}, expected ({modules},); "
                "evaluate the model anew"
            )
    return Evaluation(file, arrays)


def _is_drawn(name: str) -> bool:
    return not name.startswith("baseline.") or _OF_ALGORITHM.fullmatch(name) is not None
