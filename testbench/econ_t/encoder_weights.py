"""The encoder's weights as the chip holds them: 2144 six-bit codes in 12 register blocks.

Code c stands for c / 32 (Q0.5, two's complement, -1 to 31/32).  From the least significant bit of
block 0 on: 3 x 3 x 8 convolution weights (row, column, filter), 8 biases, 16 x 128 dense weights
(output, input), 16 biases.  Source: CMS econt_sw register map and its weight export; checked on
five public weight sets (docs/econ_t_formats.md).
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from models.networks.econ_t_formats import CONV_KERNEL, DENSE_KERNEL, WEIGHT

WEIGHT_FORMAT = WEIGHT
CONV_BIAS = CONV_KERNEL[-1:]
DENSE_BIAS = DENSE_KERNEL[-1:]
BLOCKS = 12
BLOCK_BITS = 1072

Codes = npt.NDArray[np.int64]

_BIT_VALUES = 1 << np.arange(WEIGHT_FORMAT.width)


@dataclass(frozen=True, eq=False)
class EncoderWeights:
    """Integer codes of all weights, in Keras order.

    Attributes:
        conv_kernel: shape (3, 3, 1, 8): row, column, channel, filter.
        conv_bias: shape (8,).
        dense_kernel: shape (128, 16): input (in C order of the 4 x 4 x 8 feature map), output.
        dense_bias: shape (16,).

    Raises:
        InputError: an array has another shape, or a code outside -32 to 31.
    """

    conv_kernel: Codes
    conv_bias: Codes
    dense_kernel: Codes
    dense_bias: Codes

    def __post_init__(self) -> None:
        shapes = (CONV_KERNEL, CONV_BIAS, DENSE_KERNEL, DENSE_BIAS)
        for field, shape in zip(fields(self), shapes, strict=True):
            array = np.asarray(getattr(self, field.name))
            if array.shape != shape:
                raise InputError(
                    f"{field.name}: the chip's encoder takes shape {shape}, found {array.shape}"
                )
            if not np.issubdtype(array.dtype, np.integer):
                raise InputError(f"{field.name}: expected integer codes, found {array.dtype}")
            _refuse(
                field.name,
                array,
                (array < WEIGHT_FORMAT.min_code) | (array > WEIGHT_FORMAT.max_code),
                f"outside {WEIGHT_FORMAT.min_code} to {WEIGHT_FORMAT.max_code}, the 6-bit codes",
            )
            codes = array.astype(np.int64)
            codes.flags.writeable = False
            object.__setattr__(self, field.name, codes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EncoderWeights) and self.to_blocks() == other.to_blocks()

    def __hash__(self) -> int:
        return hash(self.to_blocks())

    def arrays(self) -> dict[str, Codes]:
        """The four arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_values(
        cls,
        conv_kernel: Any,
        conv_bias: Any,
        dense_kernel: Any,
        dense_bias: Any,
        *,
        conv: str = "conv",
        dense: str = "dense",
    ) -> "EncoderWeights":
        """Codes of real weights, which must lie exactly on the chip's grid.

        Args:
            conv, dense: names of the two layers, for error messages.

        Raises:
            InputError: a weight outside [-1, 31/32] or off the grid of 1/32: the message names
                layer, index and value.
        """
        named = (
            (f"layer '{conv}' kernel", conv_kernel),
            (f"layer '{conv}' bias", conv_bias),
            (f"layer '{dense}' kernel", dense_kernel),
            (f"layer '{dense}' bias", dense_bias),
        )
        return cls(*(_to_codes(name, np.asarray(values, np.float64)) for name, values in named))

    @classmethod
    def from_blocks(cls, blocks: tuple[int, ...]) -> "EncoderWeights":
        """Read the twelve 1072-bit register blocks, block 0 first."""
        bits = np.concatenate(
            [
                np.unpackbits(
                    np.frombuffer(block.to_bytes(BLOCK_BITS // 8, "little"), np.uint8),
                    bitorder="little",
                )
                for block in blocks
            ]
        )
        unsigned = bits.reshape(-1, WEIGHT_FORMAT.width) @ _BIT_VALUES
        codes = np.where(
            unsigned > WEIGHT_FORMAT.max_code, unsigned - (1 << WEIGHT_FORMAT.width), unsigned
        )
        ends = np.cumsum([np.prod(CONV_KERNEL), CONV_BIAS[0], np.prod(DENSE_KERNEL)])
        conv_kernel, conv_bias, dense_kernel, dense_bias = np.split(codes, ends)
        outputs_first = dense_kernel.reshape(DENSE_KERNEL[::-1])
        return cls(conv_kernel.reshape(CONV_KERNEL), conv_bias, outputs_first.T, dense_bias)

    def to_blocks(self) -> tuple[int, ...]:
        """The twelve 1072-bit register blocks, block 0 first: the inverse of `from_blocks`."""
        codes = np.concatenate(
            [self.conv_kernel.ravel(), self.conv_bias, self.dense_kernel.T.ravel(), self.dense_bias]
        )
        bits = ((codes[:, None] >> np.arange(WEIGHT_FORMAT.width)) & 1).astype(np.uint8)
        return tuple(
            int.from_bytes(np.packbits(block, bitorder="little").tobytes(), "little")
            for block in bits.reshape(BLOCKS, BLOCK_BITS)
        )


def _to_codes(name: str, values: npt.NDArray[np.float64]) -> Codes:
    _refuse(
        name,
        values,
        ~((values >= WEIGHT_FORMAT.min_value) & (values <= WEIGHT_FORMAT.max_value)),
        "outside [-1, 31/32], the range of the chip's weights; clip it in training",
    )
    codes = WEIGHT_FORMAT.to_codes(values)
    _refuse(
        name,
        values,
        WEIGHT_FORMAT.to_values(codes) != values,
        "not a multiple of 1/32, the step of the chip's weights; quantise it in training",
    )
    return codes


def _refuse(name: str, values: npt.NDArray, faulty: npt.NDArray[np.bool_], why: str) -> None:
    if faulty.any():
        index = tuple(int(position[0]) for position in np.nonzero(faulty))
        value, single = np.float64(values[index]), np.float32(values[index])
        digits = np.format_float_positional(single if single == value else value, trim="-")
        raise InputError(f"{name}{list(index)} = {digits} is {why}")
