"""What an autoencoder makes of validation modules."""

from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.decoding import charges_of_images
from flows.artefacts.validation import Validation
from flows.command_line.progress import progress

_BATCH = 4096


def reconstruct(
    encoder: Any, decoder: Any, validation: Validation
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The autoencoder's charges in CALQ counts, shape (n, 48), and its latents, shape (n, m)."""
    latents, charges = [], []
    with progress("autoencoder", len(validation.calq)) as advance:
        for start in range(0, len(validation.calq), _BATCH):
            calq = validation.calq[start : start + _BATCH]
            latents.append(np.asarray(encoder.predict_on_batch(validation.to_images(calq))))
            decoded = np.asarray(decoder.predict_on_batch(latents[-1]))
            charges.append(charges_of_images(decoded, calq, validation))
            advance(len(calq))
    return np.concatenate(charges), np.concatenate(latents)
