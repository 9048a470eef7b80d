"""From what a decoder gives back to charges: shares of a module, scaled as the receiver can."""

import numpy as np
import numpy.typing as npt

from flows.artefacts.charge_scale import ChargeScale
from flows.artefacts.validation import Validation
from models.data.normalisation import Normalisation, restore
from testbench.econ_t.float_codes import SUM_9_BIT
from testbench.econ_t.received import to_counts

__all__ = ["ChargeScale", "charges_of_images", "decoded_charges"]


def charges_of_images(
    images: npt.NDArray, calq: npt.NDArray, modules: Validation
) -> npt.NDArray[np.float32]:
    """Charges in CALQ counts, shape (n, 48), from what the decoder gave, shape (n, ...).

    Args:
        calq: the charges that were encoded, shape (n, 48).
        modules: how these are encoded and decoded.
    """
    # no charge is negative; only a decoder that ends without ReLU or sigmoid gives one
    fractions = modules.arrangement.to_cells(images).clip(min=0)
    return decoded_charges(fractions, calq, modules.normalisation, modules.scale, modules.maximum)


def decoded_charges(
    fractions: npt.NDArray,
    calq: npt.NDArray,
    normalisation: Normalisation,
    scale: ChargeScale,
    maximum: float | None,
) -> npt.NDArray[np.float32]:
    """Charges in CALQ counts, shape (n, 48), from decoded cells, shape (n, 48).

    Args:
        calq: the charges that were encoded, shape (n, 48).
        maximum: upper limit of each charge in CALQ counts; None for no limit.
    """
    sums: npt.NDArray | None = None
    if scale is ChargeScale.SUM:
        sums = calq.sum(axis=1, dtype=np.float64)
    elif scale is ChargeScale.SENT_SUM:
        sums = SUM_9_BIT.decode_centre(SUM_9_BIT.encode(to_counts(calq).sum(axis=1)))
    return restore(fractions, calq, normalisation, sums=sums, maximum=maximum)
