"""A trained model as its flips are measured: networks, modules, and how latents become charges."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.decoding import charges_of_images
from flows.artefacts.validation import Validation, read_validation
from flows.layout import ModelLayout
from hw.foundation.errors import InputError
from models.data.geometry import TRIGGER_CELLS
from models.upsets.representative import representative


@dataclass(frozen=True)
class StudiedModel:
    """A model and the modules that its flips are measured on.

    Attributes:
        encoder, decoder: Keras networks.
        validation: the modules, spread over occupancy as all validation modules are.
        numbers: of each among the validation modules.
    """

    encoder: Any
    decoder: Any
    validation: Validation
    numbers: npt.NDArray[np.int64]

    @property
    def images(self) -> npt.NDArray[np.float32]:
        """What the encoder reads, shape (n, ...)."""
        return self.validation.to_images(self.validation.calq)

    def decode(
        self, latents: npt.NDArray[np.float32], modules: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Charges in CALQ counts, shape (k, 48), of latents, shape (k, m), of these modules."""
        from models.networks.inference import outputs_of

        if not len(latents):
            return np.zeros((0, TRIGGER_CELLS), np.float32)
        images = outputs_of(self.decoder, latents)
        return charges_of_images(images, self.validation.calq[modules], self.validation)


def studied_model(layout: ModelLayout, modules: int) -> StudiedModel:
    """The model in this folder with at most so many of its validation modules.

    Raises:
        InputError: it is not trained, has no decoder, or no module with charge.
    """
    validation = read_validation(layout)
    if not layout.network("decoder").is_file():
        raise InputError(
            f"{layout.folder.name} has no decoder, so the damage of a flip cannot be measured; "
            f"train one: python -m flows decoder --model {layout.folder.name}"
        )
    chosen = representative(validation.calq, modules)
    if not len(chosen):
        raise InputError(
            f"{layout.validation}: no validation module has charge; train on other data"
        )

    from models.networks.network_files import load_network

    eta = None if validation.eta is None else validation.eta[chosen]
    return StudiedModel(
        load_network(layout.network("encoder")),
        load_network(layout.network("decoder")),
        replace(validation, calq=validation.calq[chosen], eta=eta),
        chosen,
    )
