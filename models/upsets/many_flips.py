"""Flips of many bits at once: the earth mover's distance at a bit error rate, by sampling."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.upsets.damage import Measure

if TYPE_CHECKING:  # Keras is slow to import
    from models.upsets.flippable_encoder import FlippableEncoder

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.25, 0.5)
"""Bit error rates: the chance of each stored bit to be wrong.  0.5 is a memory of noise."""


@dataclass(frozen=True)
class Sampled:
    """What a bit error rate does, from a sample of faulty memories.

    Attributes:
        rate: chance of each stored bit to be wrong.
        change: mean change of the distance, in half pitches.
        standard_error: of that mean, from the spread over the memories.
        worst: largest mean change of a memory.
    """

    rate: float
    change: float
    standard_error: float
    worst: float


def sample_rate(
    encoder: "FlippableEncoder",
    measure: Measure,
    rate: float,
    *,
    memories: int,
    modules: int,
    seed: tuple[int, ...],
    safe: npt.NDArray[np.bool_] | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> Sampled:
    """Sample faulty memories, each bit wrong by itself.

    Args:
        memories: that are drawn, at least 2.
        modules: that each is measured on: the first of them at even distances.
        seed: of the draws.  Equal seeds flip equal bits, but those that are `safe`.
        safe: bits that never are wrong, shape (bits,).
    """
    chosen = np.linspace(0, len(measure.before) - 1, modules).astype(np.int64)
    rng = np.random.default_rng(seed)
    changes = np.empty(memories)
    for memory in range(memories):
        flips = rng.random(len(encoder.bits)) < rate
        if safe is not None:
            flips &= ~safe
        codes = encoder.latents(encoder.bits.with_flips(flips), chosen)
        changed = np.flatnonzero((codes != encoder.codes[chosen]).any(axis=1))
        distances, _ = measure.distances(chosen[changed], codes[changed])
        changes[memory] = (distances - measure.before[chosen[changed]]).sum() / len(chosen)
        progress(1)
    return Sampled(
        rate,
        float(changes.mean()),
        float(changes.std(ddof=1) / np.sqrt(memories)),
        float(changes.max()),
    )
