"""More training modules from those at hand."""

import numpy as np
import numpy.typing as npt

from models.networks.zoo import Copies


def with_copies(
    calq: npt.NDArray[np.float32], copies: Copies, seed: int
) -> npt.NDArray[np.float32]:
    """The modules, and after them `copies.count` copies of each within the range of occupancy.

    A copy has the same charges in other trigger cells, at random: so a network sees more modules
    of a rare occupancy, without seeing any one more often.

    Args:
        calq: charges, shape (n, 48).

    Returns:
        Charges, shape (n + copies, 48).
    """
    occupancy = np.count_nonzero(calq, axis=1)
    chosen = (occupancy > copies.occupancy_above) & (occupancy <= copies.occupancy_up_to)
    repeated = np.repeat(calq[chosen], copies.count, axis=0)
    return np.concatenate([calq, np.random.default_rng(seed).permuted(repeated, axis=1)])
