"""The folder of a trained (or imported) model, as the later stages read it."""

import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.hls_project import network_in_integers
from flows.artefacts.seals import Hashes, write_staged_results
from flows.layout import DEFAULT_TARGET, ModelLayout, design_layout
from flows.provenance import file_hash, provenance
from flows.stages import BY_NAME
from hw.foundation.atomic_file import atomic_directory, write_text
from hw.foundation.errors import InputError
from reports.metrics import Metric, Provenance

PARTS = ("encoder", "decoder", "autoencoder")


@dataclass(frozen=True)
class Staging:
    """New files of a model's train folder, which nobody sees before all of them are written."""

    layout: ModelLayout
    folder: Path

    def at(self, path: Path) -> Path:
        """Where to write for now what will be `path` in the layout's train folder."""
        return self.folder / path.relative_to(self.layout.train)


@contextmanager
def staged(layout: ModelLayout, *, keep: bool = False) -> Iterator[Staging]:
    """Collect new files of the model's train folder; on success they replace it at once.

    Args:
        keep: start from the files that are there; only the tables of single modules, which may
            not be written again, are left out.
    """
    with atomic_directory(layout.train) as folder:
        if keep:
            leave = shutil.ignore_patterns(layout.validation_csv.name, layout.energies.name)
            shutil.copytree(layout.train, folder, ignore=leave, dirs_exist_ok=True)
        yield Staging(layout, folder)


def write_networks(staging: Staging, networks: Mapping[str, Any]) -> None:
    """Write the networks by part, and the integer codes of the encoder's quantised weights."""
    from models.keras_backend import keras
    from models.networks.number_formats import integer_weights

    layout, at = staging.layout, staging.at
    for part, network in networks.items():
        # a new Model of the same layers: without optimiser and loss, which are no part of it
        bare = keras.Model(network.inputs, network.outputs, name=part)
        bare.save(at(layout.network(part)))
        settle_archive(at(layout.network(part)))
        write_text(at(layout.architecture(part)), bare.to_json(indent=1) + "\n")
    codes = integer_weights(networks["encoder"])
    if codes:
        np.savez_compressed(at(layout.integer_weights), **codes)  # type: ignore[arg-type]


def settle_archive(archive: Path) -> None:
    """Rewrite a .keras file so that equal networks give equal bytes, and so equal hashes: without
    the date, and with running numbers in place of Python's addresses of shared objects."""
    with zipfile.ZipFile(archive) as source:
        contents = {name: source.read(name) for name in sorted(source.namelist())}
    metadata = json.loads(contents["metadata.json"])
    contents["metadata.json"] = json.dumps({**metadata, "date_saved": ""}).encode()
    numbers: dict[bytes, bytes] = {}
    contents["config.json"] = re.sub(
        rb'("shared_object_id": )(\d+)',
        lambda found: found[1] + numbers.setdefault(found[2], b"%d" % len(numbers)),
        contents["config.json"],
    )
    with zipfile.ZipFile(archive, "w") as target:
        for name, content in contents.items():
            target.writestr(zipfile.ZipInfo(name), content)


def write_validation(
    staging: Staging,
    calq: npt.NDArray[np.float32],
    eta: npt.NDArray[np.float32] | None,
    phi: npt.NDArray[np.float32] | None,
) -> None:
    """Write the validation modules: charges (n, 48) in CALQ counts, eta and phi where known."""
    arrays = {"calq": calq, "eta": eta, "phi": phi}
    known: dict[str, Any] = {name: array for name, array in arrays.items() if array is not None}
    np.savez_compressed(staging.at(staging.layout.validation), **known)


def write_training_results(staging: Staging, metrics: list[Metric], read: Hashes) -> None:
    """Write metrics and seal of the new files, all of which are there by now.

    Args:
        read: hashes of what they were made of.
    """
    folder = staging.layout.folder
    design = design_layout(folder.parent, folder.name, DEFAULT_TARGET)
    write_staged_results(BY_NAME["train"], design, staging.folder, metrics, read)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=1) + "\n")


def formats_of(encoder: Any) -> dict[str, str]:
    """Fixed-point formats of the encoder: `input`, `output`, and of each weight array by name;
    empty for a floating-point one."""
    from models.networks.number_formats import weight_formats

    try:
        network = network_in_integers(encoder)
        known = {"input": network.inputs[0].number, "output": network.result.number}
    except InputError:
        known = {}
    return {name: str(number) for name, number in (known | weight_formats(encoder)).items()}


def training_provenance(staging: Staging, data_hash: str | None, seed: int | None) -> Provenance:
    """Provenance of figures of the networks just written."""
    from models.keras_backend import tf

    return provenance(
        model_hash=file_hash(staging.at(staging.layout.network("encoder"))),
        data_hash=data_hash,
        seed=seed,
        packages=("tf-keras", "qkeras"),
        tools={"tensorflow": tf.__version__},
    )


def replaced(metrics: list[Metric], new: list[Metric]) -> list[Metric]:
    """`metrics` with those of the same names as in `new` exchanged, and the others added."""
    names = {metric.name for metric in new}
    return [metric for metric in metrics if metric.name not in names] + new
