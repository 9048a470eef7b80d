"""A model's encoder as the chip holds it, with what its simulations share."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.artefacts.chip_block import RECORDED
from flows.artefacts.encoder import trained_encoder
from flows.artefacts.validation import read_validation
from flows.layout import ModelLayout
from hw.forms import RECONFIGURABLE
from hw.foundation.errors import InputError
from reports.catalogue import Value, records
from reports.metrics import Evidence, Metric
from testbench.comparison import Comparison
from testbench.vectors import VectorGroup

if TYPE_CHECKING:
    from testbench.econ_t.block_sets import BlockSet
    from testbench.econ_t.encoder_weights import EncoderWeights
    from testbench.econ_t.reconfigurable import EncoderSet

RANDOM_SETS = 10  # each loads 1,700 registers over the bus


def add_recorded(parser: argparse.ArgumentParser) -> None:
    """`--recorded`."""
    parser.add_argument(
        "--recorded",
        type=Path,
        metavar="DIR",
        default=RECORDED,
        help="vectors of the CMS emulator, as the conformance command takes them; compared where "
        "there are any",
    )


def chip_encoder(of_model: ModelLayout) -> tuple[Any, "EncoderWeights"]:
    """A model's Keras encoder, and its weights as the chip holds them.

    Raises:
        InputError: it is not trained, or not in the chip's arithmetic.
    """
    encoder_file = trained_encoder(of_model)

    from models.networks.econ_t_encoder import has_chip_arithmetic
    from models.networks.network_files import load_network
    from testbench.econ_t.keras_encoder import weights_of

    encoder = load_network(encoder_file)
    if not has_chip_arithmetic(encoder):
        raise InputError(
            f"{encoder_file}: not in the ECON-T's arithmetic, so the chip cannot run it; take a "
            "model of the zoo named econ_t or econ_t_<n>elinks"
        )
    return encoder, weights_of(encoder)


def encoder_sets(
    of_model: ModelLayout, weights: "EncoderWeights", groups: Sequence[VectorGroup], seed: int
) -> list["EncoderSet"]:
    """The model's vectors with its weights, and corners with extreme and random weights."""
    from models.networks.econ_t_formats import INPUT
    from testbench.econ_t.reconfigurable import EncoderSet
    from testbench.econ_t.registers import encoder_cells
    from testbench.econ_t.stimulus import directed_inputs, extreme_weights, random_weights

    arrangement = read_validation(of_model).arrangement
    corners = np.stack(list(directed_inputs().values()))
    rng = np.random.default_rng(seed)
    others = extreme_weights() | {
        f"random weights {index}": random_weights(rng, 0.3) for index in range(RANDOM_SETS)
    }
    sets = [EncoderSet(name, other, corners) for name, other in others.items()]
    for group in groups:
        codes = INPUT.to_codes(arrangement.to_cells(group.images))
        inputs = codes[:, list(encoder_cells())]
        sets.append(EncoderSet(f"this model, {group.kind}", weights, inputs))
    return sets


def recorded_by_emulator(folder: Path) -> list["BlockSet"]:
    """What the emulator recorded of the autoencoder; nothing where there is no such folder."""
    from testbench.econ_t.block_sets import recorded_sets

    return recorded_sets(folder) if folder.is_dir() else []


def emulator_metrics(
    prefix: str, evidence: Evidence, found: Comparison | None, recorded: Path
) -> tuple[Metric, ...]:
    """Records of the comparison with what the emulator sent.

    Args:
        prefix: the first part of their names.
        found: the comparison; None where nothing is recorded.
    """
    values: dict[str, Value] = {}
    if found:
        values = {
            f"{prefix}.emulator_bx": found.vectors,
            f"{prefix}.emulator_mismatches": found.mismatches,
        }
    return tuple(
        records(
            values,
            names=(f"{prefix}.emulator_bx", f"{prefix}.emulator_mismatches"),
            evidence=evidence,
            form=RECONFIGURABLE,
            reason=None if found else f"{recorded}: holds no recorded set of the autoencoder",
        )
    )
