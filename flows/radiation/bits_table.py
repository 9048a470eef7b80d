"""The ranked table of all stored bits, and the arrays that pictures and later stages read."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from flows.layout import ModelLayout
from hw.foundation.arrays import read_arrays
from hw.foundation.atomic_file import atomic_path, write_text
from models.upsets.damage import Damage
from models.upsets.stored_bits import StoredBits

_HEADER = (
    "rank",
    "layer",
    "part",
    "index",
    "bit",
    "weight",
    "weight_after",
    "emd_change",
    "standard_error",
    "worst_module_change",
    "worst_module",
    "modules_changed",
    "modules_saturated",
    "modules_emptied",
    "cheap_score",
)


def ranking(damage: Damage) -> npt.NDArray[np.int64]:
    """Bits from the most harmful on; equal ones in the order of the weights."""
    return np.argsort(-damage.mean, kind="stable")


def write_table(
    file: Path,
    bits: StoredBits,
    damage: Damage,
    scores: npt.NDArray[np.float64],
    modules: npt.NDArray[np.int64],
) -> None:
    """Write one row a bit, the most harmful first (CSV).

    Args:
        scores: of the cheap ranking, shape (bits,).
        modules: number of each studied module among the validation modules.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_HEADER)
    for rank, number in enumerate(ranking(damage), 1):
        array = bits.arrays[bits.array[number]]
        element = int(bits.element[number])
        value = array.codes.ravel()[element] * array.format.step
        rows.writerow(
            (
                rank,
                array.layer,
                array.part,
                " ".join(map(str, array.index(element))),
                bits.bit[number],
                f"{value:g}",
                f"{value + bits.change[number]:g}",
                f"{damage.mean[number]:.6g}",
                f"{damage.standard_error[number]:.2g}",
                f"{damage.worst[number]:.6g}",
                modules[damage.worst_module[number]],
                f"{damage.changed[number]:.6g}",
                f"{damage.saturated[number]:.6g}",
                f"{damage.emptied[number]:.6g}",
                f"{scores[number]:.6g}",
            )
        )
    write_text(file, text.getvalue())


@dataclass(frozen=True)
class BitsResult:
    """What the stage left of every bit; arrays of one number a bit, in the order of `StoredBits`.

    Attributes:
        array_names: `<layer>/<part>` of each weight array.
        array, element, bit: which bit it is.
        output: the output of the layer that its weight belongs to (filter, neuron or latent).
        from_top: its place counted from the highest bit of the weight.
        mean: change of the mean distance when it flips, in half pitches.
        scores: of the cheap ranking.
    """

    array_names: tuple[str, ...]
    array: npt.NDArray[np.int64]
    element: npt.NDArray[np.int64]
    bit: npt.NDArray[np.int64]
    output: npt.NDArray[np.int64]
    from_top: npt.NDArray[np.int64]
    mean: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float64]

    @property
    def harm(self) -> npt.NDArray[np.float64]:
        """The change where it is one for the worse, else 0."""
        return self.mean.clip(min=0)


_BITS = ("array", "element", "bit", "output", "from_top", "mean", "scores")


def write_arrays(
    file: Path,
    bits: StoredBits,
    damage: Damage,
    scores: npt.NDArray[np.float64],
    curves: Mapping[str, npt.NDArray],
) -> None:
    """Write all arrays: those of `BitsResult` and of `Damage`, and the curves of many flips."""
    outputs = np.array([array.codes.shape[-1] for array in bits.arrays])[bits.array]
    arrays = {
        "array_names": np.array([array.name for array in bits.arrays]),
        "array": bits.array,
        "element": bits.element,
        "bit": bits.bit,
        "output": bits.element % outputs,
        "from_top": bits.from_top,
        "scores": scores,
        **damage.arrays(),
        **curves,
    }
    with atomic_path(file) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]


def read_bits(layout: ModelLayout) -> BitsResult:
    """What the upsets stage found of every bit.

    Raises:
        InputError: it is not done, or its file is damaged.
    """
    arrays = read_arrays(
        layout.upset_arrays,
        required=("array_names", *_BITS),
        shapes=dict.fromkeys(_BITS, ("n",)),
        remedy=f"make upsets MODEL={layout.folder.name}",
    )
    return BitsResult(
        tuple(map(str, arrays["array_names"])), **{name: arrays[name] for name in _BITS}
    )
