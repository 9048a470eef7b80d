"""CSV files of single validation modules, for other tools and for the eye."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from flows.artefacts.decoding import ChargeScale, decoded_charges
from flows.artefacts.trained_model import Staging
from hw.foundation.errors import InputError
from models.data.dataset import ModuleData
from models.data.geometry import ARRANGEMENTS, TRIGGER_CELLS
from models.data.normalisation import Normalisation, normalise

ENERGY_COLUMNS = ("SimEnergyTotal", "EventSimEnergy", "SimEnergyFraction")


def write_examples(
    staging: Staging,
    modules: ModuleData,
    encoder: Any,
    decoder: Any,
    *,
    arrangement: str,
    normalisation: Normalisation,
    scale: ChargeScale,
    maximum: float | None,
) -> None:
    """Write what the networks do with `modules`, one row each, in the same order in all files.

    verify_input_calQ.csv: the modules' charges in CALQ counts, and eta and phi where known;
    verify_input.csv: the network's input, pixels in C order;
    verify_output.csv: its latents, and verify_output_codes.csv their integer codes (quantised
    encoder only); verify_decoded.csv: the decoder's output, pixels in C order;
    verify_decoded_calQ.csv: the same as charges in CALQ counts, rescaled and limited as told.
    The numbers have the digits that float32 needs.
    """
    from models.networks.inference import outputs_of
    from models.networks.number_formats import output_format

    image = ARRANGEMENTS[arrangement]
    images = image.to_images(normalise(modules.calq, normalisation)[0])
    latents = outputs_of(encoder, images)
    decoded = outputs_of(decoder, latents)
    charges = decoded_charges(image.to_cells(decoded), modules.calq, normalisation, scale, maximum)
    angles = [("tc_eta", modules.eta), ("tc_phi", modules.phi)]
    cells = [f"CALQ_{cell}" for cell in range(TRIGGER_CELLS)]
    known = [(name, angle) for name, angle in angles if angle is not None]
    tables: dict[str, tuple[list[str], npt.NDArray]] = {
        "verify_input_calQ": (
            cells + [name for name, _ in known],
            np.column_stack([modules.calq, *(angle for _, angle in known)]),
        ),
        "verify_input": _numbered("pixel", images),
        "verify_output": _numbered("latent", latents),
        "verify_decoded": _numbered("pixel", decoded),
        "verify_decoded_calQ": (cells, charges),
    }
    if number := output_format(encoder):
        tables["verify_output_codes"] = _numbered("latent", number.to_codes(latents))
    folder = staging.at(staging.layout.validation_csv)
    folder.mkdir()
    for name, (columns, rows) in tables.items():
        _write(folder / f"{name}.csv", columns, rows)


def require_energies(modules: ModuleData) -> None:
    """Make sure that `write_energies` can do its work.

    Raises:
        InputError: the data has no such columns.
    """
    absent = [name for name in ENERGY_COLUMNS if name not in modules.columns]
    if absent:
        raise InputError(
            f"--saveEnergy: the data has no column {', '.join(absent)}; give data with a header "
            "that names it, or leave the option out"
        )


def write_energies(staging: Staging, modules: ModuleData) -> None:
    """Write the simulated energies of all validation modules, in the order of validation.npz."""
    rows = np.column_stack([modules.columns[name] for name in ENERGY_COLUMNS])
    _write(staging.at(staging.layout.energies), list(ENERGY_COLUMNS), rows)


def _numbered(name: str, rows: npt.NDArray) -> tuple[list[str], npt.NDArray]:
    rows = rows.reshape(len(rows), -1)
    return [f"{name}_{index}" for index in range(rows.shape[1])], rows


def _write(path: Path, columns: list[str], rows: npt.NDArray) -> None:
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False, float_format="%.9g")
