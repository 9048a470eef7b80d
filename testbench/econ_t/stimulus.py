"""Vectors and settings that reach the corners of the chip's arithmetic."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from models.data.geometry import TRIGGER_CELLS
from testbench.econ_t.converter import INPUT_BITS
from testbench.econ_t.encoder_weights import (
    CONV_BIAS,
    CONV_KERNEL,
    DENSE_BIAS,
    DENSE_KERNEL,
    WEIGHT_FORMAT,
    EncoderWeights,
)
from testbench.econ_t.float_codes import CHARGE
from testbench.econ_t.links import BX_PER_ORBIT, OUTPUT_LINKS, Words, pack
from testbench.econ_t.registers import OUTPUT_BITS, Algorithm, Registers

Integers = npt.NDArray[np.int64]

_SHAPES = (CONV_KERNEL, CONV_BIAS, DENSE_KERNEL, DENSE_BIAS)
_MAX_INPUT = (1 << INPUT_BITS) - 1
_CALIBRATION_CODES = 1 << 12


def random_weights(rng: np.random.Generator, scale: float = 1.0) -> EncoderWeights:
    """Weights drawn evenly from all codes, or from the `scale`-th part of them around 0."""
    low, high = (int(scale * code) for code in (WEIGHT_FORMAT.min_code, WEIGHT_FORMAT.max_code))
    return EncoderWeights(*(rng.integers(low, high + 1, shape) for shape in _SHAPES))


def extreme_weights() -> dict[str, EncoderWeights]:
    """Weights that make every sum as large as it can be, with both signs, by name."""
    low, high = WEIGHT_FORMAT.min_code, WEIGHT_FORMAT.max_code
    return {
        f"conv {conv}, dense {dense}": EncoderWeights(
            *(np.full(shape, code) for shape, code in zip(_SHAPES, codes, strict=True))
        )
        for conv, dense in ((low, low), (low, high), (high, low), (high, high), (0, 0))
        for codes in ((conv, conv, dense, dense),)
    }


def directed_inputs() -> dict[str, Integers]:
    """Encoder inputs, shape (48,), by name: corners that normalised modules do not reach too."""
    cells = np.arange(TRIGGER_CELLS)
    vectors = {f"all at {code}": np.full(TRIGGER_CELLS, code) for code in (0, 1, 128, _MAX_INPUT)}
    for code in (1, 127, 128, _MAX_INPUT):
        vectors |= {f"cell {cell} alone at {code}": code * (cells == cell) for cell in cells}
    vectors |= {f"alternating, phase {p}": _MAX_INPUT * (cells % 2 == p) for p in (0, 1)}
    return {name: vector.astype(np.int64) for name, vector in vectors.items()}


def random_words(rng: np.random.Generator, count: int) -> Words:
    """Input links, shape (count, 12), of random modules from empty to saturated, BX 0 first.

    A module has charges up to a random code, in a random share of its cells.
    """
    ceiling = rng.integers(0, CHARGE.max_code + 1, (count, 1))
    hit = rng.random((count, TRIGGER_CELLS)) < rng.random((count, 1))
    codes = rng.integers(0, ceiling + 1, (count, TRIGGER_CELLS)) * hit
    return pack(codes, np.arange(count) % BX_PER_ORBIT)


def random_registers(rng: np.random.Generator, weights: EncoderWeights) -> Registers:
    """Autoencoder settings drawn at random."""
    density = rng.random()  # of the mask: from none to all
    mask = sum(1 << bit for bit in range(OUTPUT_BITS) if rng.random() < density)
    return replace(
        Registers(),
        algorithm=Algorithm.AUTOENCODER,
        high_density=bool(rng.integers(2)),
        mux=tuple(rng.integers(0, TRIGGER_CELLS, TRIGGER_CELLS).tolist()),
        calibration=tuple(rng.integers(0, _CALIBRATION_CODES, TRIGGER_CELLS).tolist()),
        etx=int(rng.integers(1, OUTPUT_LINKS + 1)),
        output_mask=mask,
        weights=weights,
    )
