"""What a receiver knows of a module after the chip's algorithms: charges decoded from the codes.

Charges reach the chip as integers (parts of a count are cut off) and no low bits are dropped
(drop_lsb 0, the chip's reset value); a code is decoded to the centre of its bin.  Cells of one
super trigger cell follow each other, as the chip's input mux brings them.  Each algorithm is set to
the number of output links, at most the given one, on which it sends most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from models.data.geometry import CALQ_PER_MIPT, TRIGGER_CELLS
from models.quality.baselines import THRESHOLD_MIPT, mean_image, trigger_cell_groups
from testbench.econ_t import autoencoder_frame
from testbench.econ_t.best_choice import SENT_OF_LINKS, best_choice_frames, ranked_charges, ranking
from testbench.econ_t.float_codes import CHARGE, SUM_9_BIT
from testbench.econ_t.frames import Frames
from testbench.econ_t.super_trigger_cell import (
    STC_TYPES,
    group_codes,
    super_trigger_cell_frames,
)
from testbench.econ_t.threshold_sum import threshold_sum_frames

MAX_CALQ = (1 << 22) - 1

Charges = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

_DROP_LSB = 0


@dataclass(frozen=True)
class Received:
    """Charges as decoded, CALQ counts of shape (n, 48), and the bits of each frame, shape (n,)."""

    calq: Charges
    bits: Integers


def algorithms(elinks: int) -> dict[str, Callable[[Charges], Received]]:
    """The algorithms of models.quality.baselines, by the same names, as the chip sends them on
    at most `elinks` links."""
    return {
        "threshold": partial(threshold, mipt=THRESHOLD_MIPT),
        "stc4": partial(super_trigger_cells, types=(0, 3), elinks=elinks),
        "stc16": partial(super_trigger_cells, types=(1,), elinks=elinks),
        "ctc4": partial(super_trigger_cells, types=(2,), elinks=elinks),
        "best_choice": partial(best_choice, elinks=elinks),
        "mean_image": module_sum,
    }


def to_counts(calq: Charges) -> Integers:
    """Charges as the chip holds them: whole counts of 22 bits."""
    return np.minimum(calq, MAX_CALQ).astype(np.int64)


def threshold(calq: Charges, mipt: float) -> Received:
    """Threshold sum: cells of at least the first whole count above `mipt` transverse MIPs.

    Frames differ in length: a module of few such cells needs few bits, one of many more than the
    links carry in a bunch crossing, and a buffer evens them out.
    """
    counts = to_counts(calq)
    least = int(mipt * CALQ_PER_MIPT) + 1
    kept = counts >= least
    cells = np.where(kept, CHARGE.decode_centre(CHARGE.encode(counts, _DROP_LSB), _DROP_LSB), 0)
    # frames of as many cells are equally long: one of each is made
    _, first, size = np.unique(kept.sum(axis=1), return_index=True, return_inverse=True)
    thresholds = (least,) * TRIGGER_CELLS
    frames = threshold_sum_frames(
        counts[first], np.zeros(len(first), dtype=np.int64), thresholds, _DROP_LSB, use_sum=False
    )
    return Received(cells.astype(np.float32), _bits(frames)[size])


def super_trigger_cells(calq: Charges, types: tuple[int, ...], elinks: int) -> Received:
    """Super trigger cells, in that type of `types` which sends most groups, then most bits.

    A group's sum is put in its largest cell, or shared alike where no address is sent; groups for
    which there is no room are empty.
    """
    links = {number: min(elinks, STC_TYPES[number].max_etx) for number in types}
    number = max(types, key=lambda n: (STC_TYPES[n].sent(links[n]), STC_TYPES[n].code.bits))
    form, etx = STC_TYPES[number], links[number]
    order = trigger_cell_groups(round(form.cells**0.5)).ravel()
    counts = to_counts(calq)[:, order]
    largest, codes = group_codes(counts, form, etx, _DROP_LSB)
    sums = form.code.decode_centre(codes, _DROP_LSB if form.drops_lsb else 0).astype(np.float64)
    groups = np.zeros((len(calq), form.groups, form.cells))
    sent = groups[:, : codes.shape[1]]
    if form.address_bits:
        np.put_along_axis(sent, largest[:, :, None], sums[:, :, None], axis=2)
    else:
        sent[:] = sums[:, :, None] / form.cells
    cells = np.empty((len(calq), TRIGGER_CELLS), dtype=np.float32)
    cells[:, order] = groups.reshape(len(calq), TRIGGER_CELLS)
    header = np.zeros(1, dtype=np.int64)
    frames = super_trigger_cell_frames(
        np.zeros((1, TRIGGER_CELLS), dtype=np.int64), header, number, etx, _DROP_LSB
    )
    return Received(cells, np.full(len(calq), _bits(frames)[0]))


def best_choice(calq: Charges, elinks: int) -> Received:
    """Best choice: the largest cells, as many as `elinks` links carry, ranked as the chip does."""
    counts = ranked_charges(to_counts(calq), _DROP_LSB)
    best = ranking(counts)[:, : SENT_OF_LINKS[elinks]]
    codes = CHARGE.encode(np.take_along_axis(counts, best, axis=1))
    cells = np.zeros(calq.shape, dtype=np.float32)
    np.put_along_axis(cells, best, CHARGE.decode_centre(codes).astype(np.float32), axis=1)
    header = np.zeros(1, dtype=np.int64)
    frames = best_choice_frames(
        np.zeros((1, TRIGGER_CELLS), dtype=np.int64), header, elinks, _DROP_LSB, use_sum=False
    )
    return Received(cells, np.full(len(calq), _bits(frames)[0]))


def module_sum(calq: Charges) -> Received:
    """The autoencoder's frame without latents: the mean image scaled to the 9-bit module sum."""
    sums = to_counts(calq).sum(axis=1)
    received = SUM_9_BIT.decode_centre(SUM_9_BIT.encode(sums))
    scale = np.divide(received, sums, out=np.zeros(len(sums)), where=sums > 0)
    cells = (mean_image(calq) * scale[:, None]).astype(np.float32)
    return Received(cells, np.full(len(calq), autoencoder_bits(0)))


def autoencoder_bits(latent_bits: int) -> int:
    """Bits of an autoencoder's frame with `latent_bits` bits of latents in all."""
    return autoencoder_frame.HEADER_BITS + autoencoder_frame.SUM_BITS + latent_bits


def _bits(frames: Frames) -> Integers:
    return np.array([layout[-1].first + layout[-1].width for layout in frames.layouts])
