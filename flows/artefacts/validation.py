"""A finished model's validation modules, and how its network reads them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flows.artefacts.charge_scale import ChargeScale
from flows.artefacts.encoder import train_first
from flows.artefacts.settings import read_settings
from flows.layout import ModelLayout
from hw.foundation.arrays import read_arrays
from hw.foundation.errors import InputError
from models.data.geometry import TRIGGER_CELLS, Arrangement
from models.data.normalisation import Normalisation, normalise


@dataclass(frozen=True)
class Validation:
    """Validation modules.

    Attributes:
        calq: charges (n, 48) in CALQ counts.
        arrangement: how they form the network's input image.
        normalisation: what a module's charges are divided by.
        eta: pseudorapidity of each module, shape (n,), where it is known.
        scale: what the summed charge of a decoded module is.
        maximum: upper limit of decoded charges in CALQ counts; None for no limit.
    """

    calq: npt.NDArray[np.float32]
    arrangement: Arrangement
    normalisation: Normalisation
    eta: npt.NDArray[np.float32] | None = None
    scale: ChargeScale = ChargeScale.NETWORK
    maximum: float | None = None

    def to_images(self, calq: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What the network reads for modules of these charges, shape (n, *arrangement.shape)."""
        fractions, _ = normalise(calq, self.normalisation)
        return self.arrangement.to_images(fractions)


def read_inputs(layout: ModelLayout) -> npt.NDArray[np.float32]:
    """The input vectors (n, numbers) of a model whose task is vectors; none were given where n
    is 0.

    Raises:
        InputError: the file is missing or damaged.
    """
    arrays = read_arrays(
        layout.validation,
        required=("inputs",),
        shapes={"inputs": ("n", "m")},
        remedy="import the model anew",
    )
    return arrays["inputs"].astype(np.float32)


def read_validation(layout: ModelLayout) -> Validation:
    """The validation modules of the model in this folder.

    Raises:
        InputError: there is no finished model, or a file of it is damaged.
    """
    settings = read_settings(layout)
    if settings is None or not layout.network("encoder").is_file():
        lacking = layout.settings if settings is None else layout.network("encoder")
        raise InputError(f"{lacking}: no such file; {train_first(layout)}")
    if not settings.task.about_modules:
        raise InputError(
            f"{layout.folder} is a network of any purpose: it has no modules, so what is about "
            "modules cannot be done for it"
        )
    arrays = read_arrays(
        layout.validation,
        required=("calq",),
        shapes={"calq": ("n", TRIGGER_CELLS), "eta": ("n",), "phi": ("n",)},
        remedy="train the model anew",
    )
    return Validation(
        arrays["calq"],
        settings.input_arrangement,
        settings.normalisation,
        arrays.get("eta"),
        scale=settings.charge_scale,
        maximum=settings.validation.max_value,
    )
