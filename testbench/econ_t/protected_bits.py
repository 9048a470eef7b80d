"""Chosen bits of the encoder's weights as the mask of the RTL's registers, and for CERN's TMRG.

The mask's bit i is bit i of the weights in the order of the chip's registers, of block 0 first
(`testbench.econ_t.encoder_weights`).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from models.networks.econ_t_formats import CONV_KERNEL, DENSE_KERNEL
from testbench.econ_t.encoder_weights import (
    BLOCK_BITS,
    BLOCKS,
    CONV_BIAS,
    DENSE_BIAS,
    WEIGHT_FORMAT,
)

BITS = BLOCKS * BLOCK_BITS
_SHAPES = (CONV_KERNEL, CONV_BIAS, DENSE_KERNEL, DENSE_BIAS)

Chosen = npt.NDArray[np.bool_]


def register_order(chosen: Sequence[Chosen]) -> Chosen:
    """Chosen bits in the order of the registers, shape (12864,).

    Args:
        chosen: of kernel and bias of the convolution, of kernel and bias of the dense layer; each
            in the shape that Keras has, with a last axis of the weight's bits, the lowest first.

    Raises:
        InputError: an array has another shape.
    """
    for found, shape in zip(chosen, _SHAPES, strict=True):
        if found.shape != (*shape, WEIGHT_FORMAT.width):
            raise InputError(
                f"bits of the chip's encoder: expected shape {(*shape, WEIGHT_FORMAT.width)}, "
                f"found {found.shape}"
            )
    conv_kernel, conv_bias, dense_kernel, dense_bias = chosen
    outputs_first = dense_kernel.transpose(1, 0, 2)
    parts = (conv_kernel, conv_bias, outputs_first, dense_bias)
    return np.concatenate([part.reshape(-1, WEIGHT_FORMAT.width) for part in parts]).ravel()


def mask_of(bits: Chosen) -> int:
    """The parameter TRIPLED of `econ_t_encoder` for bits in the order of the registers."""
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


# --- TMRG ----------------------------------------------------------------------------------------
def tmrg_module(bits: Chosen) -> Iterator[str]:
    """A Verilog module of the weight registers with TMRG's directives, line by line.

    TMRG triplicates whole signals and no parts of them, and puts a voter where a triplicated signal
    drives one that is not; so the chosen bits and the others are two registers, stored in blocks of
    their own.  `next` must be made of `weights`: then what is voted is written back.

    Args:
        bits: in the order of the registers, shape (12864,).
    """
    chosen, others = np.flatnonzero(bits), np.flatnonzero(~bits)
    yield "// The weight registers of the ECON-T encoder for TMRG: the bits chosen by damage are"
    yield f"// triplicated ({len(chosen)} of {len(bits)}), the others are not."
    yield "module encoder_weight_registers ("
    yield "    input  wire clock,"
    yield f"    input  wire [{len(bits) - 1}:0] next,"
    yield f"    output wire [{len(bits) - 1}:0] weights"
    yield ");"
    yield "  // tmrg default do_not_triplicate"
    for name, numbers in (("chosen", chosen), ("others", others)):
        if not len(numbers):
            continue
        if name == "chosen":
            yield f"  // tmrg triplicate {name}"
        yield f"  reg [{len(numbers) - 1}:0] {name};"
        yield "  always @(posedge clock) begin"
        for at, number in enumerate(numbers):
            yield f"    {name}[{at}] <= next[{number}];"
        yield "  end"
        for at, number in enumerate(numbers):
            yield f"  assign weights[{number}] = {name}[{at}];"
    yield "endmodule"
