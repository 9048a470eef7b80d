"""The other compression algorithms of the concentrator, in ideal form: charges are not rounded.

Each takes charges in CALQ counts, shape (n, 48), and gives what a receiver would know of them, in
the same shape.  Sources: Ecoder train.py; Di Guglielmo et al., arXiv 2105.01683.  What remains of
them in the codes that the chip sends: testbench/econ_t/received.py.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from models.data.geometry import CALQ_PER_MIPT, SECTOR_SIDE, SECTORS

Charges = npt.NDArray[np.float32]

# cells that best choice keeps, by active eLinks
CELLS_KEPT = {1: 1, 2: 4, 3: 6, 4: 9, 5: 14}
BASELINE_ELINKS = tuple(CELLS_KEPT)
THRESHOLD_MIPT = 1.35


def threshold(calq: Charges, mipt: float) -> Charges:
    """Only the cells above `mipt` transverse MIPs."""
    return np.where(calq > mipt * CALQ_PER_MIPT, calq, 0).astype(np.float32)


def best_choice(calq: Charges, count: int) -> Charges:
    """Only the `count` cells with the largest charges; of equal ones those with the lower index."""
    order = np.argsort(-calq, axis=1, kind="stable")[:, :count]
    kept = np.zeros_like(calq)
    np.put_along_axis(kept, order, np.take_along_axis(calq, order, axis=1), axis=1)
    return kept


def super_trigger_cells(calq: Charges, side: int) -> Charges:
    """Each group of side x side cells of a sector as one charge, their sum, in its largest cell.

    Args:
        side: 2 (STC4) or 4 (STC16: whole sectors).
    """
    groups = trigger_cell_groups(side)
    inside = calq[:, groups]  # (n, groups, cells)
    largest = groups[np.arange(len(groups)), inside.argmax(axis=2)]
    merged = np.zeros_like(calq)
    np.put_along_axis(merged, largest, inside.sum(axis=2), axis=1)
    return merged


def coarse_trigger_cells(calq: Charges, side: int) -> Charges:
    """Each group of side x side cells of a sector as one charge, shared alike by its cells."""
    groups = trigger_cell_groups(side)
    shared = np.empty_like(calq)
    shared[:, groups] = calq[:, groups].mean(axis=2, keepdims=True)
    return shared


def mean_image(calq: Charges) -> Charges:
    """The mean distribution of these modules' charges, scaled to each one's sum: no cell is sent.

    Empty modules have no part in the mean, and stay empty.
    """
    total = calq.sum(axis=1, keepdims=True, dtype=np.float64)
    filled = total[:, 0] > 0
    if not filled.any():
        return np.zeros_like(calq)
    mean = (calq[filled] / total[filled]).mean(axis=0)
    return (total * mean).astype(np.float32)


@cache
def trigger_cell_groups(side: int) -> npt.NDArray[np.int64]:
    """Trigger cells of each group, shape (groups, side * side); the groups of a sector follow each
    other."""
    per_side = SECTOR_SIDE // side
    cells = np.arange(SECTORS * SECTOR_SIDE**2)
    blocks = cells.reshape(SECTORS, per_side, side, per_side, side).transpose(0, 1, 3, 2, 4)
    return blocks.reshape(-1, side * side)


def algorithms(elinks: int) -> dict[str, Callable[[Charges], Charges]]:
    """The algorithms by name, with their parameters for this number of active eLinks (1 to 5)."""
    return {
        "threshold": partial(threshold, mipt=THRESHOLD_MIPT),
        "stc4": partial(super_trigger_cells, side=2),
        "stc16": partial(super_trigger_cells, side=4),
        "ctc4": partial(coarse_trigger_cells, side=2),
        "best_choice": partial(best_choice, count=CELLS_KEPT[elinks]),
        "mean_image": mean_image,
    }
