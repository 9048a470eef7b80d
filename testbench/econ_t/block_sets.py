"""What the ECON-T block is run on: registers and the input words of an orbit or less."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from models.data.geometry import TRIGGER_CELLS
from models.networks.econ_t_formats import LATENT_BITS_OF_ELINKS
from testbench.econ_t.encoder_weights import EncoderWeights
from testbench.econ_t.float_codes import CHARGE
from testbench.econ_t.links import (
    BX_PER_ORBIT,
    OUTPUT_LINKS,
    Words,
    pack,
)
from testbench.econ_t.recordings import (
    OUTPUT_FILE,
    REGISTER_FILE,
    find_recordings,
    read_inputs,
    read_outputs,
)
from testbench.econ_t.register_file import read_registers
from testbench.econ_t.registers import (
    CALIBRATION_ONE,
    OUTPUT_BITS,
    Algorithm,
    Registers,
    autoencoder_registers,
    encoder_cells,
    latent_mask,
)
from testbench.econ_t.stimulus import (
    extreme_weights,
    random_registers,
    random_weights,
    random_words,
)

Integers = npt.NDArray[np.int64]

_RANDOM_CROSSINGS = 40


@dataclass(frozen=True)
class BlockSet:
    """Bunch crossings for one setting of the registers.

    Attributes:
        name: of the set.
        registers: with encoder weights.
        words: input words, shape (n, 12).
        origins: a name for each of them; without one they are told by their row.
        links: recorded output words, shape (n, 13); None: the golden model tells them.
    """

    name: str
    registers: Registers
    words: Words
    origins: Sequence[str] | None = None
    links: Words | None = None

    def origin(self, row: int) -> str:
        """What the bunch crossing in this row is."""
        return f"{self.name}, {self.origins[row] if self.origins else f'row {row}'}"


def module_sets(
    name: str,
    calq: npt.NDArray,
    origins: Sequence[str],
    weights: EncoderWeights,
    latent_bits: int,
) -> Iterator[BlockSet]:
    """Modules as the front end of a high-density module sends them, an orbit in each set.

    The block sees charges with the precision of 4E3M codes, as the chip does.

    Args:
        calq: charges, shape (n, 48), in CALQ counts, in the cell order of the training data.
        origins: a name for each module.
        latent_bits: bits kept of each latent; decides the number of output links.
    """
    links = {bits: links for links, bits in LATENT_BITS_OF_ELINKS.items()}
    etx = links.get(latent_bits, max(LATENT_BITS_OF_ELINKS))
    registers = autoencoder_registers(weights, etx, latent_bits)
    for start in range(0, len(calq), BX_PER_ORBIT):
        rows = slice(start, start + BX_PER_ORBIT)
        codes = np.empty((len(calq[rows]), TRIGGER_CELLS), dtype=np.int64)
        codes[:, list(registers.mux)] = CHARGE.encode(calq[rows][:, list(encoder_cells())], drop=3)
        words = pack(codes, np.arange(len(codes)))
        yield BlockSet(name, registers, words, origins[rows])


def recorded_sets(folder: Path) -> list[BlockSet]:
    """Recorded sets of the autoencoder, with their output words, in order of their names.

    `folder` is as the conformance check takes it; sets of other algorithms are left out.  A set
    ends where its recording does.

    Raises:
        InputError: a file is missing or faulty, or holds more output than input.
    """
    sets = []
    for recording in find_recordings(folder).recordings:
        registers = read_registers(recording.folder / REGISTER_FILE)
        if registers.algorithm is not Algorithm.AUTOENCODER:
            continue
        links = read_outputs(recording.folder)
        words = read_inputs(recording.input_file)
        if len(links) > len(words):
            raise InputError(
                f"{recording.folder / OUTPUT_FILE}: {len(links)} rows for {len(words)} bunch "
                "crossings"
            )
        sets.append(BlockSet(recording.name, registers, words[: len(links)], links=links))
    return sets


def random_sets(rng: np.random.Generator, count: int) -> Iterator[BlockSet]:
    """Random weights, registers and modules."""
    for index in range(count):
        registers = random_registers(rng, random_weights(rng, rng.choice([0.2, 0.5, 1.0])))
        words = random_words(rng, _RANDOM_CROSSINGS)
        yield BlockSet(f"random registers {index}", registers, words)


def corner_sets() -> Iterator[BlockSet]:
    """Corners of every stage: sums 0 and 1, the largest sum, limited shifts, sums that saturate or
    are cut off by the ReLU, every number of output links, masks that keep nothing or single bits.
    """
    names, words = _corner_words()
    weights = extreme_weights()
    nothing = Registers(algorithm=Algorithm.AUTOENCODER, weights=weights["conv 0, dense 0"])
    for density in (False, True):
        for factor in (0, 1, CALIBRATION_ONE // 2, CALIBRATION_ONE, 2 * CALIBRATION_ONE - 1):
            yield BlockSet(
                f"density {density:d}, calibration {factor}",
                replace(nothing, high_density=density, calibration=(factor,) * TRIGGER_CELLS),
                words,
                names,
            )
    for cell in (0, 31, 32, TRIGGER_CELLS - 1):  # of the image's quadrants
        alone = tuple(CALIBRATION_ONE if i == cell else 0 for i in range(TRIGGER_CELLS))
        yield BlockSet(
            f"charge at input {cell} alone", replace(nothing, calibration=alone), words, names
        )
    for name, extreme in weights.items():
        yield BlockSet(name, replace(nothing, weights=extreme, high_density=True), words, names)
    masks = {
        "all bits": latent_mask(9),
        "no bits": 0,
        "first bit": 1 << (OUTPUT_BITS - 1),
        "last bit": 1,
        "every second bit": sum(1 << bit for bit in range(0, OUTPUT_BITS, 2)),
        "highest bits": latent_mask(1),
    }
    some = random_weights(np.random.default_rng(0), 0.3)
    for etx in range(1, OUTPUT_LINKS + 1):
        for name, mask in masks.items():
            registers = replace(nothing, weights=some, etx=etx, output_mask=mask)
            yield BlockSet(f"{name} on {etx} eTx", registers, words, names)


def _corner_words() -> tuple[list[str], Words]:
    cells = np.arange(TRIGGER_CELLS)
    codes = {
        f"all codes {code}": np.full(TRIGGER_CELLS, code)
        for code in (0, 1, 7, 8, 15, 16, CHARGE.max_code - 1, CHARGE.max_code)
    }
    codes |= {
        f"code {cell} alone at its largest": CHARGE.max_code * (cells == cell) for cell in cells
    }
    codes |= {f"every second code, phase {p}": CHARGE.max_code * (cells % 2 == p) for p in (0, 1)}
    return list(codes), pack(np.stack(list(codes.values())), np.arange(len(codes)))
