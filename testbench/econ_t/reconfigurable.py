"""The reconfigurable RTL as a design to simulate, and its registers as writes on its bus.

Addresses are the chip's (register map of CMS econt_sw); a register of several bytes starts with its
lowest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hw.open_tools.verilog_design import VerilogDesign
from hw.rtl import AUTOENCODER, ENCODER, sources
from models.data.geometry import TRIGGER_CELLS
from testbench.econ_t.converter import INPUT_BITS
from testbench.econ_t.encoder import conv_codes, latent_codes
from testbench.econ_t.encoder_weights import BLOCK_BITS, EncoderWeights
from testbench.econ_t.golden_model import autoencoder_stages
from testbench.econ_t.links import (
    INPUT_LINKS,
    LINK_BITS,
    OUTPUT_LINKS,
    Words,
    bunch_crossings,
    starts_orbit,
)
from testbench.econ_t.registers import LATENT_BITS, LATENTS, Chip, Registers
from testbench.simulators.rtlsim import DataPort, Feed, Idle, RtlDesign, Step, Write

_CONFIG = 0x03B0
_MASK_AE = 0x03B1
_MASK_AE2 = 0x03C1
_MUX = 0x03C4
_CALIBRATION = 0x03F4
_ALGO = 0x0454
_WEIGHTS = 0x0538
_WEIGHT_BLOCK_SHIFT = 143
ERROR_CLEAR = 0x0BEC
FORMATTER_ERRORS = 0x0C17
CONVERTER_ERRORS = 0x0C18
ALGORITHM_ERRORS = 0x0C19

Pair = tuple[int, int]
Integers = npt.NDArray[np.int64]


def encoder_design(*, latency: int = 2, tmr: bool = False, upsets: bool = False) -> RtlDesign:
    """The encoder with its weight registers: 48 input codes to 16 latent codes."""
    return RtlDesign(
        VerilogDesign(sources(), ENCODER, {"LATENCY": latency, "TMR": int(tmr)}),
        DataPort("inputs", INPUT_BITS, TRIGGER_CELLS),
        DataPort("latents", LATENT_BITS, LATENTS),
        bus=True,
        upsets=upsets,
    )


def autoencoder_design(
    *,
    latencies: tuple[int, int, int] = (2, 2, 1),
    chip: Chip = Chip.P1,
    tmr: bool = False,
    upsets: bool = False,
) -> RtlDesign:
    """The whole data path: 12 input link words to 13 output link words.

    Args:
        latencies: clocks of converter, encoder and formatter.
        chip: generation whose numbering of the inputs it has.
    """
    names = ("CONVERTER_LATENCY", "ENCODER_LATENCY", "FORMATTER_LATENCY")
    parameters = {
        **dict(zip(names, latencies, strict=True)),
        "PRODUCTION": int(chip is Chip.PRODUCTION),
        "TMR": int(tmr),
    }
    return RtlDesign(
        VerilogDesign(sources(), AUTOENCODER, parameters),
        DataPort("links_in", LINK_BITS, INPUT_LINKS),
        DataPort("links_out", LINK_BITS, OUTPUT_LINKS),
        bus=True,
        upsets=upsets,
    )


def weight_writes(weights: EncoderWeights) -> list[Pair]:
    """Address and byte of every write that loads the encoder's weights."""
    return [
        pair
        for block, contents in enumerate(weights.to_blocks())
        for pair in _bytes(_WEIGHTS + _WEIGHT_BLOCK_SHIFT * block, contents, BLOCK_BITS // 8)
    ]


def register_writes(registers: Registers, chip: Chip = Chip.P1) -> list[Pair]:
    """Address and byte of every write that sets up the autoencoder's data path.

    The addresses are the ECON-T-P1's, of a design for the production chip too.

    Args:
        chip: the generation that the design is of, whatever that of the registers.
    """
    return [
        *_bytes(
            _CONFIG, registers.etx << 4 | registers.use_sum << 2 | (registers.stc_type & 0b11), 1
        ),
        *_bytes(_MASK_AE, registers.output_mask >> 16, 16),
        *_bytes(_MASK_AE2, registers.output_mask & 0xFFFF, 2),
        *(
            pair
            for i, source in enumerate(registers.mux)
            for pair in _bytes(_MUX + i, chip.select(source), 1)
        ),
        *(
            pair
            for i, factor in enumerate(registers.calibration)
            for pair in _bytes(_CALIBRATION + 2 * i, factor, 2)
        ),
        *_bytes(_ALGO, registers.high_density << 3 | registers.algorithm, 1),
        *(weight_writes(registers.weights) if registers.weights else ()),
    ]


def _bytes(address: int, value: int, count: int) -> list[Pair]:
    return [(address + i, byte) for i, byte in enumerate(value.to_bytes(count, "little"))]


@dataclass(frozen=True)
class Stimulus:
    """What a simulation does, and the codes that the golden model (or a record) gives for it.

    Attributes:
        steps: register writes and vectors.
        expected: codes of the output port, shape (n, codes).
        origins: a name for each vector.
    """

    steps: list[Step]
    expected: Integers
    origins: list[str]


@dataclass(frozen=True)
class EncoderSet:
    """Vectors for one set of weights: encoder inputs, shape (n, 48)."""

    name: str
    weights: EncoderWeights
    inputs: Integers
    gaps: Integers | None = None


@dataclass(frozen=True)
class AutoencoderSet:
    """Input words, shape (n, 12), for one setting of the registers.

    Attributes:
        links: recorded output words, shape (n, 13); None: the golden model tells them.
        gaps: idle clocks before each, shape (n,).

    Raises:
        ValueError: the first word is not of BX 0: the design would go on counting.
    """

    name: str
    registers: Registers
    words: Words
    links: Words | None = None
    gaps: Integers | None = None

    def __post_init__(self) -> None:
        if not starts_orbit(self.words[:1]).all():
            raise ValueError(f"{self.name}: the first bunch crossing must carry the header of BX 0")


def encoder_stimulus(sets: Sequence[EncoderSet]) -> Stimulus:
    """Load each set's weights, then feed its vectors."""
    steps: list[Step] = []
    for item in sets:
        steps += [Write(weight_writes(item.weights)), Feed(item.inputs, item.gaps), Idle()]
    expected = [latent_codes(conv_codes(item.inputs, item.weights), item.weights) for item in sets]
    return Stimulus(
        steps,
        np.concatenate(expected),
        [f"{item.name}, vector {i}" for item in sets for i in range(len(item.inputs))],
    )


def autoencoder_stimulus(sets: Sequence[AutoencoderSet], chip: Chip = Chip.P1) -> Stimulus:
    """Load each set's registers into a design of a generation, then feed its words."""
    steps: list[Step] = []
    expected = []
    for item in sets:
        words = item.words.astype(np.int64)
        steps += [Write(register_writes(item.registers, chip)), Feed(words, item.gaps), Idle()]
        links = item.links
        if links is None:
            links = autoencoder_stages(item.words, item.registers).links
        expected.append(links.astype(np.int64))
    return Stimulus(
        steps,
        np.concatenate(expected),
        [
            f"{item.name}, row {row} (BX {bx})"
            for item in sets
            for row, bx in enumerate(bunch_crossings(item.words))
        ],
    )
