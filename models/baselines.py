"""The other compression algorithms of the concentrator, in ideal form: charges are not rounded.

Each takes charges in CALQ counts, shape (n, 48), and gives what a receiver would know of them, in
the same shape.  Sources: Ecoder train.py; the transmitted formats of the chip are in
testbench/econ_t.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from models.geometry import CALQ_PER_MIPT, SECTOR_SIDE, SECTORS

Charges = npt.NDArray[np.float32]

# cells that best choice keeps, by active eLinks
CELLS_KEPT = {2: 4, 3: 6, 4: 9, 5: 14}


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
    groups = _groups(side)
    inside = calq[:, groups]  # (n, groups, cells)
    largest = groups[np.arange(len(groups)), inside.argmax(axis=2)]
    merged = np.zeros_like(calq)
    np.put_along_axis(merged, largest, inside.sum(axis=2), axis=1)
    return merged


@cache
def _groups(side: int) -> npt.NDArray[np.int64]:
    """Trigger cells of each group, shape (groups, side * side)."""
    per_side = SECTOR_SIDE // side
    cells = np.arange(SECTORS * SECTOR_SIDE**2)
    blocks = cells.reshape(SECTORS, per_side, side, per_side, side).transpose(0, 1, 3, 2, 4)
    return blocks.reshape(-1, side * side)


def algorithms(elinks: int) -> dict[str, Callable[[Charges], Charges]]:
    """The algorithms by name, with their parameters for this number of active eLinks (2 to 5)."""
    kept = CELLS_KEPT[elinks]
    return {
        "threshold_1.35": partial(threshold, mipt=1.35),
        "threshold_2": partial(threshold, mipt=2.0),
        "stc4": partial(super_trigger_cells, side=2),
        "stc16": partial(super_trigger_cells, side=4),
        f"best_choice_{kept}": partial(best_choice, count=kept),
    }
