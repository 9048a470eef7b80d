"""The registers that decide what the chip sends, as one record, whatever the file they came from.

Values left out of a register file have the chip's reset values, which are this record's defaults.
Source: register map of CMS econt_sw; see docs/econ_t_formats.md.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from models.data.geometry import ARRANGEMENTS, TRIGGER_CELLS
from models.networks.econ_t_formats import LATENT, LATENT_BITS_OF_ELINKS, LATENTS
from testbench.econ_t.encoder_weights import EncoderWeights
from testbench.econ_t.links import INPUT_LINKS, OUTPUT_LINKS

LATENT_BITS = LATENT.width
OUTPUT_BITS = LATENTS * LATENT_BITS
CALIBRATION_ONE = 2048
MAX_DROP_LSB = 4  # the chip takes larger settings as 0
LINK_CELLS = TRIGGER_CELLS // INPUT_LINKS


class Chip(StrEnum):
    """The generation of the chip: the prototype ECON-T-P1, or the production ECON-T."""

    P1 = "p1"
    PRODUCTION = "production"

    def select(self, source: int) -> int:
        """The value of a `mux` register that selects input `source` (as `Registers.mux` numbers
        them), and the other way round: the production chip counts the codes of a link from the
        highest bits on."""
        return source ^ (LINK_CELLS - 1) if self is Chip.PRODUCTION else source


class Algorithm(IntEnum):
    """The `select` register: what the chip makes of a module's charges; 5 to 7 act as REPEATER."""

    THRESHOLD_SUM = 0
    SUPER_TRIGGER_CELL = 1
    BEST_CHOICE = 2
    REPEATER = 3
    AUTOENCODER = 4

    @property
    def title(self) -> str:
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Registers:
    """All settings of the data path.

    Attributes:
        chip: generation of the chip that they are of.
        algorithm: what is sent.
        high_density: density of the module: input codes are raised by 3 bits if high, else 1.
        mux: input that feeds each of the 48 trigger cells; input 4 l + k is the k-th code of link
            l, lowest bits first, whatever the chip.
        calibration: factor of each trigger cell, 12 bits, 2048 = 1.
        threshold: smallest charge that threshold sum sends, for each trigger cell.
        drop_lsb: low bits cut off before charges are encoded; above 4 means 0.
        etx: output links in use, 1 to 13.
        stc_type: format of the super trigger cells, 0 to 4.
        use_sum: the sum sent is of all trigger cells instead of those not sent.
        sync_word: low 11 bits of an idle 16-bit word.
        buffer_t1, buffer_t2, buffer_t3: thresholds of the output buffer, in 16-bit words.
        output_mask: which of the encoder's 144 output bits are sent; the highest bit belongs to
            the highest bit of the last output.
        weights: of the encoder.
    """

    chip: Chip = Chip.P1
    algorithm: Algorithm = Algorithm.THRESHOLD_SUM
    high_density: bool = False
    mux: tuple[int, ...] = tuple(range(TRIGGER_CELLS))
    calibration: tuple[int, ...] = (CALIBRATION_ONE,) * TRIGGER_CELLS
    threshold: tuple[int, ...] = (0,) * TRIGGER_CELLS
    drop_lsb: int = 0
    etx: int = 2
    stc_type: int = 1
    use_sum: bool = True
    sync_word: int = 0x70F
    buffer_t1: int = 0x30
    buffer_t2: int = 0x1FF
    buffer_t3: int = 0
    output_mask: int = (1 << OUTPUT_BITS) - 1
    weights: EncoderWeights | None = None

    @property
    def effective_drop_lsb(self) -> int:
        return self.drop_lsb if self.drop_lsb <= MAX_DROP_LSB else 0


def latent_mask(bits: int) -> int:
    """The output mask that keeps the `bits` highest bits of each of the sixteen latents."""
    kept = ((1 << bits) - 1) << (LATENT_BITS - bits)
    return sum(kept << (LATENT_BITS * latent) for latent in range(LATENTS))


# Input of each trigger cell (CALQ order of the training data) of a high-density module: register
# values of the public autoencoder test vectors.
_INPUT_OF_CELL = (
    *(29, 31, 24, 25, 28, 30, 27, 26, 20, 22, 17, 19, 21, 23, 16, 18),
    *(15, 8, 9, 10, 12, 14, 11, 3, 13, 4, 0, 2, 5, 6, 7, 1),
    *(46, 47, 40, 41, 45, 44, 42, 43, 37, 38, 33, 35, 36, 39, 32, 34),
)


def encoder_cells() -> tuple[int, ...]:
    """Trigger cell (CALQ order) at each of the encoder's 48 inputs: the 8 x 8 image, row by row."""
    arrangement = ARRANGEMENTS["8x8"]
    return tuple(int(cell) for cell in arrangement.cell[arrangement.shown])


def autoencoder_registers(
    weights: EncoderWeights, etx: int = 5, latent_bits: int | None = None
) -> Registers:
    """Registers that send the encoder's latents from a high-density module.

    Args:
        etx: output links, 1 to 13.
        latent_bits: bits kept of each latent, 1 to 9; None: as many as `etx` links carry.
    """
    if not 1 <= etx <= OUTPUT_LINKS:
        raise ValueError(f"etx must be 1 to {OUTPUT_LINKS}, found {etx}")
    bits = latent_bits or LATENT_BITS_OF_ELINKS[min(etx, max(LATENT_BITS_OF_ELINKS))]
    return Registers(
        algorithm=Algorithm.AUTOENCODER,
        high_density=True,
        mux=tuple(_INPUT_OF_CELL[cell] for cell in encoder_cells()),
        drop_lsb=3,
        etx=etx,
        output_mask=latent_mask(bits),
        weights=weights,
    )
