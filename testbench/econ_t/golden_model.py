"""The whole data path: from input link words to output link words, stage by stage."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from testbench.econ_t.autoencoder_frame import autoencoder_frames, masked_bits
from testbench.econ_t.best_choice import best_choice_frames
from testbench.econ_t.converter import Converted, calibrate, convert
from testbench.econ_t.encoder import conv_codes, latent_codes
from testbench.econ_t.frames import Frames
from testbench.econ_t.links import Words, bunch_crossings, output_headers, unpack
from testbench.econ_t.output_buffer import (
    WORDS_PER_LINK,
    Transmission,
    send_at_once,
    send_buffered,
)
from testbench.econ_t.registers import Algorithm, Registers
from testbench.econ_t.repeater import repeater_frames
from testbench.econ_t.super_trigger_cell import super_trigger_cell_frames
from testbench.econ_t.threshold_sum import threshold_sum_frames, truncated_words

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class AutoencoderStages:
    """Every stage of the autoencoder's data path, for n bunch crossings.

    Attributes:
        headers: 5-bit output headers, shape (n,).
        calq: calibrated charges, shape (n, 48), in CALQ counts.
        converted: module sum, its code, the shift and the encoder's 8-bit inputs (n, 48).
        features: convolution codes after the ReLU, shape (n, 4, 4, 8), in steps of 2**-7.
        latents: 9-bit codes, shape (n, 16), in steps of 2**-8.
        masked: the bits that the output mask keeps, shape (n, bits), as sent.
        links: output words, shape (n, 13).
    """

    headers: Integers
    calq: Integers
    converted: Converted
    features: Integers
    latents: Integers
    masked: npt.NDArray[np.uint8]
    links: Words


def charges(words: Words, registers: Registers) -> Integers:
    """Calibrated charges, shape (n, 48), in CALQ counts, of input words, shape (n, 12)."""
    return calibrate(unpack(words), registers)


def encode(calq: Integers, registers: Registers) -> tuple[Converted, Integers, Integers]:
    """Converter and encoder: what it made of charges (n, 48), features and latents.

    Raises:
        InputError: the registers hold no encoder weights.
    """
    if registers.weights is None:
        raise InputError("the autoencoder needs encoder weights; the registers hold none")
    converted = convert(calq)
    features = conv_codes(converted.inputs, registers.weights)
    return converted, features, latent_codes(features, registers.weights)


def autoencoder_stages(words: Words, registers: Registers) -> AutoencoderStages:
    """Run the autoencoder on input words, shape (n, 12), and keep every stage.

    Raises:
        InputError: the registers hold no encoder weights.
    """
    headers = output_headers(bunch_crossings(words))
    calq = charges(words, registers)
    converted, features, latents = encode(calq, registers)
    return AutoencoderStages(
        headers,
        calq,
        converted,
        features,
        latents,
        masked_bits(latents, registers.output_mask),
        autoencoder_links(headers, converted, latents, registers),
    )


def autoencoder_links(
    headers: Integers, converted: Converted, latents: Integers, registers: Registers
) -> Words:
    """Output words, shape (n, 13), that carry latents, shape (n, 16), of any encoder."""
    frames = autoencoder_frames(
        headers, converted.sum_code, latents, registers.etx, registers.output_mask
    )
    return send_at_once(frames, registers.etx).links


def transmit(words: Words, registers: Registers) -> Transmission:
    """What the chip sends for input words, shape (n, 12), whatever its algorithm.

    Raises:
        InputError: a setting whose behaviour is not known; the message says which.
    """
    headers = output_headers(bunch_crossings(words))
    calq = charges(words, registers)
    if registers.algorithm is Algorithm.THRESHOLD_SUM:
        frames = threshold_sum_frames(
            calq,
            headers,
            registers.threshold,
            registers.effective_drop_lsb,
            registers.use_sum,
            chip=registers.chip,
        )
        return send_buffered(
            frames,
            truncated_words(calq, headers),
            (headers << 11) | registers.sync_word,
            registers.etx,
            (registers.buffer_t1, registers.buffer_t2, registers.buffer_t3),
        )
    frames = _fixed_frames(calq, headers, registers)
    length = min(int(frames.lengths[0]), WORDS_PER_LINK * registers.etx)
    if registers.buffer_t1 < length:
        raise InputError(
            f"buff_t1 {registers.buffer_t1} is below the frame's {length} words: what the chip "
            f"then sends is known for threshold sum only, it is not supported for "
            f"{registers.algorithm.title}"
        )
    return send_at_once(frames, registers.etx)


def _fixed_frames(calq: Integers, headers: Integers, registers: Registers) -> Frames:
    drop, etx = registers.effective_drop_lsb, registers.etx
    match registers.algorithm:
        case Algorithm.SUPER_TRIGGER_CELL:
            return super_trigger_cell_frames(calq, headers, registers.stc_type, etx, drop)
        case Algorithm.BEST_CHOICE:
            return best_choice_frames(
                calq, headers, etx, drop, registers.use_sum, chip=registers.chip
            )
        case Algorithm.AUTOENCODER:
            converted, _, latents = encode(calq, registers)
            return autoencoder_frames(
                headers, converted.sum_code, latents, etx, registers.output_mask
            )
        case _:
            return repeater_frames(calq, headers, drop)
