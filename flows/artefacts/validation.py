"""A finished model's validation modules, and how its network reads them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.trained_model import read_settings
from flows.layout import ModelLayout
from hw.foundation.errors import InputError
from hw.foundation.strict_config import did_you_mean
from models.data.geometry import ARRANGEMENTS, Arrangement
from models.data.normalisation import Normalisation, normalise


@dataclass(frozen=True)
class Validation:
    """Validation modules.

    Attributes:
        calq: charges (n, 48) in CALQ counts.
        arrangement: how they form the network's input image.
        normalisation: what a module's charges are divided by.
        eta: pseudorapidity of each module, shape (n,), where it is known.
        match_sum: decoded charges are rescaled to the summed charge of their module.
        maximum: upper limit of decoded charges in CALQ counts; None for no limit.
    """

    calq: npt.NDArray[np.float32]
    arrangement: Arrangement
    normalisation: Normalisation
    eta: npt.NDArray[np.float32] | None = None
    match_sum: bool = False
    maximum: float | None = None

    def to_images(self, calq: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What the network reads for modules of these charges, shape (n, *arrangement.shape)."""
        fractions, _ = normalise(calq, self.normalisation)
        return self.arrangement.to_images(fractions)


def read_validation(layout: ModelLayout) -> Validation:
    """The validation modules of the model in this folder.

    Raises:
        InputError: there is no finished model, or a file of it is damaged.
    """
    settings = read_settings(layout)
    if settings is None or not layout.network("encoder").is_file():
        lacking = layout.settings if settings is None else layout.network("encoder")
        raise InputError(
            f"{lacking}: no such file; train the model first: make train MODEL={layout.folder.name}"
        )
    try:
        with np.load(layout.validation, allow_pickle=False) as stored:
            calq = stored["calq"]
            eta = stored["eta"] if "eta" in stored.files else None
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"{layout.validation}: cannot be read: {error}; train the model anew"
        ) from error
    decoding = settings.get("validation", {})
    return Validation(
        calq,
        ARRANGEMENTS[_setting(layout, settings, "arrangement", list(ARRANGEMENTS))],
        Normalisation(_setting(layout, settings, "normalisation", list(Normalisation))),
        eta,
        match_sum=bool(decoding.get("rescale_output_to_sum", False)),
        maximum=decoding.get("max_value"),
    )


def _setting(layout: ModelLayout, settings: dict[str, Any], key: str, known: list[str]) -> str:
    value = str(settings.get(key))
    if value not in known:
        raise InputError(
            f"{layout.settings}: {key} '{value}' is unknown; {did_you_mean(value, known)}"
        )
    return value
