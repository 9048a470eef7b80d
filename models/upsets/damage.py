"""What each flip of a stored bit costs: the exact change of the earth mover's distance by module.

Equal latents of a module are decoded and measured once, whichever flips gave them.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.data.geometry import cell_distances
from models.quality.emd import emd
from models.upsets.stored_bits import Block, Codes

if TYPE_CHECKING:  # Keras is slow to import
    from models.upsets.flippable_encoder import FlippableEncoder

Distances = npt.NDArray[np.float64]
Decode = Callable[[npt.NDArray[np.float32], npt.NDArray[np.int64]], npt.NDArray[np.float32]]
"""Charges, shape (k, 48), of the latents, shape (k, latents), of the modules of these indices."""

_AT_ONCE = 65_536  # latents decoded and measured together: some 50 MB


@dataclass(frozen=True)
class Damage:
    """What flips of bits do, one at a time; arrays of one number a bit.

    Attributes:
        mean: change of the mean distance over all modules, in half pitches.
        standard_error: of that mean, from the spread over the modules.
        worst: largest change of a module's distance.
        worst_module: the module with it.
        changed: share of the modules whose latents change.
        saturated: share of the modules in which a latent comes to an end of its range at which it
            was not.
        emptied: share of the modules that come back without charge.
    """

    mean: Distances
    standard_error: Distances
    worst: Distances
    worst_module: npt.NDArray[np.int64]
    changed: Distances
    saturated: Distances
    emptied: Distances

    def arrays(self) -> dict[str, npt.NDArray]:
        """All of them by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def harm(self) -> Distances:
        """The mean change where it is one for the worse, else 0: what protection can remove."""
        return self.mean.clip(min=0)


class Measure:
    """Distances of a set of modules from what becomes of their latents.

    Attributes:
        before: distances without flips, shape (n,), in half pitches.
    """

    def __init__(
        self, encoder: "FlippableEncoder", calq: npt.NDArray[np.float32], decode: Decode
    ) -> None:
        """
        Args:
            calq: the modules' charges, shape (n, 48); none of them empty.
        """
        self._encoder, self._calq, self._decode = encoder, calq, decode
        self.before: Distances = np.zeros(len(calq))
        everything = np.arange(len(calq))
        self.before, _ = self.distances(everything, encoder.codes)

    def distances(
        self, modules: npt.NDArray[np.int64], codes: Codes
    ) -> tuple[Distances, npt.NDArray[np.bool_]]:
        """Distance of each module with these latent codes, and whether it comes back empty.

        A module without charge has no distance; it counts with the largest there is, that of two
        cells at opposite ends.
        """
        keys = np.column_stack([modules, codes]).astype(np.int32)
        rows, inverse = _unique_rows(keys)
        found, empty = np.empty(len(rows)), np.empty(len(rows), bool)
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            at = rows[part, 0].astype(np.int64)
            latents = self._encoder.format.to_values(rows[part, 1:]).astype(np.float32)
            cells = self._decode(latents, at)
            found[part] = emd(self._calq[at], cells)
            empty[part] = ~(cells.sum(axis=1) > 0)
        found[empty] = cell_distances().max()
        return found[inverse], empty[inverse]

    def of_block(self, block: Block) -> Damage:
        """What the flips of a block's bits do."""
        after = list(self._encoder.after_flips(block))
        counts = [len(modules) for modules, _ in after]
        bit = np.repeat(np.arange(len(after)), counts)
        modules = np.concatenate([modules for modules, _ in after])
        codes = np.concatenate([codes for _, codes in after])
        distances, empty = self.distances(modules, codes)
        number = len(self._calq)
        change = np.zeros((len(after), number))
        change[bit, modules] = distances - self.before[modules]
        newly = np.zeros(len(codes), bool)
        known = self._encoder.codes[modules]
        for end in (self._encoder.format.min_code, self._encoder.format.max_code):
            newly |= ((codes == end) & (known != end)).any(axis=1)

        def share(which: npt.NDArray[np.bool_]) -> Distances:
            return np.bincount(bit[which], minlength=len(after)) / number

        worst = change.argmax(axis=1)
        return Damage(
            mean=change.mean(axis=1),
            standard_error=change.std(axis=1) / np.sqrt(number),
            worst=change[np.arange(len(after)), worst],
            worst_module=worst.astype(np.int64),
            changed=share(np.ones(len(bit), bool)),
            saturated=share(newly),
            emptied=share(empty),
        )


def _unique_rows(
    rows: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """The rows that differ, and the one that each row is."""
    rows = np.ascontiguousarray(rows)
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1])))[:, 0]
    _, first, inverse = np.unique(whole, return_index=True, return_inverse=True)
    return rows[first], inverse


def in_order(encoder: "FlippableEncoder", blocks: list[Block], found: list[Damage]) -> Damage:
    """The damage of all bits in the order of `encoder.bits`, from that of all blocks."""
    numbers = np.concatenate([block.bits for block in blocks])
    if not np.array_equal(np.sort(numbers), np.arange(len(encoder.bits))):
        raise ValueError("the blocks are not all bits once")
    order = np.argsort(numbers)
    return Damage(
        **{
            name: np.concatenate([damage.arrays()[name] for damage in found])[order]
            for name in found[0].arrays()
        }
    )


def bits_for(harm: Distances, share: float) -> int:
    """The fewest bits that together have this share of all harm."""
    total = np.cumsum(np.sort(harm)[::-1])
    if not len(total) or total[-1] <= 0:
        return 0
    return int(np.searchsorted(total, share * total[-1] * (1 - 1e-12)) + 1)
