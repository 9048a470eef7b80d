"""The frame of the autoencoder: header, module sum, and the latent bits that the mask keeps."""

from itertools import groupby

import numpy as np
import numpy.typing as npt

from testbench.econ_t.frames import (
    Column,
    Field,
    Frames,
    bits_of,
    frame_words,
    layout_of,
    pack_bits,
)
from testbench.econ_t.links import LINK_BITS
from testbench.econ_t.registers import LATENT_BITS, LATENTS, OUTPUT_BITS

HEADER_BITS = 5
SUM_BITS = 9
MAX_DATA_BITS = 146  # five links' worth: more links carry nothing more

Integers = npt.NDArray[np.int64]


def data_bits(etx: int) -> int:
    """Bits of latent data that `etx` output links carry."""
    return min(LINK_BITS * etx - HEADER_BITS - SUM_BITS, MAX_DATA_BITS)


def kept_bits(output_mask: int) -> Integers:
    """Positions kept by the mask, in the order sent: 0 is the highest bit of the last latent."""
    return np.array(
        [bit for bit in range(OUTPUT_BITS) if output_mask >> (OUTPUT_BITS - 1 - bit) & 1],
        dtype=np.int64,
    )


def masked_bits(latents: Integers, output_mask: int) -> npt.NDArray[np.uint8]:
    """The kept bits, shape (n, bits kept), of latents, shape (n, 16): the last latent first."""
    return bits_of(latents[:, ::-1], LATENT_BITS)[:, kept_bits(output_mask)]


def autoencoder_frames(
    headers: Integers, sum_codes: Integers, latents: Integers, etx: int, output_mask: int
) -> Frames:
    """Frames of n bunch crossings.

    The kept bits end at the end of the data: where they are more than the links carry, the first
    are lost, where they are fewer, zeros precede them.

    Args:
        headers: 5-bit headers, shape (n,).
        sum_codes: 5E4M module sums, shape (n,).
        latents: 9-bit codes, shape (n, 16).
        etx: output links.
        output_mask: 144-bit mask.
    """
    columns = [Column("header", HEADER_BITS, headers), Column("sum", SUM_BITS, sum_codes)]
    size = data_bits(etx)
    kept = kept_bits(output_mask)[-size:]
    padding = np.zeros((len(latents), size - len(kept)), dtype=np.uint8)
    data = masked_bits(latents, output_mask)[:, -size:]
    bits = [bits_of(column.values, column.width) for column in columns]
    words = pack_bits(np.hstack([*bits, padding, data]))

    fields = list(layout_of(columns))
    first = HEADER_BITS + SUM_BITS
    if padding.shape[1]:
        fields.append(Field("padding", first, padding.shape[1]))
        first += padding.shape[1]
    for latent, group in groupby(LATENTS - 1 - kept // LATENT_BITS):
        width = len(list(group))
        fields.append(Field(f"latent {latent}", first, width))
        first += width
    return Frames(words, np.full(len(words), frame_words(fields)), [tuple(fields)] * len(words))
