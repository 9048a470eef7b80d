"""The folder of an encoder that was trained elsewhere, with modules to validate it on."""

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.settings import DataSettings, ModelSettings, read_settings
from flows.artefacts.trained_model import (
    Staging,
    formats_of,
    staged,
    training_provenance,
    write_networks,
    write_training_results,
    write_validation,
)
from flows.command_line.options import require_at_least
from flows.layout import ModelLayout, cache_folder, data_layout
from flows.tasks import Task
from flows.training.module_data import prepare_data
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError, about
from hw.foundation.integer_evaluation import evaluate
from hw.foundation.integer_network import IntegerNetwork
from models.data.dataset import ModuleData, load_modules
from models.data.normalisation import Normalisation
from models.data.selection import drop_empty
from models.networks.zoo import MODEL_NAME
from reports.catalogue import Value, records
from reports.metrics import Evidence, with_provenance

VALIDATION_EVENTS = 120_000  # of which more than the C-simulation's 100,000 vectors have charge


@dataclass(frozen=True)
class Golden:
    """Images, shape (k, *image), and the latents that the encoder must give, shape (k, latents)."""

    images: npt.NDArray[np.float32]
    latents: npt.NDArray[np.float32]


@dataclass(frozen=True)
class ImportedModel:
    """An encoder from elsewhere, and how it reads modules.

    Attributes:
        networks: Keras networks by part; `encoder` at least.
        arrangement: how the trigger cells form its input image; empty for a network of any
            purpose.
        normalisation: what a module's charges are divided by.
        origin: what it was made from, for the record.
        golden: pairs of images and latents that came with it, which it reproduces.
    """

    networks: dict[str, Any]
    arrangement: str
    normalisation: Normalisation
    origin: dict[str, str]
    golden: Golden | None = None


@dataclass(frozen=True)
class ValidationSource:
    """Which modules to validate with.

    Attributes:
        build: build folder.
        data: CSV file or folder of modules; None for the build folder's generated ones.
        events: how many to generate where there are none yet, and the most that are taken.
        seed: of the generator.
    """

    build: Path
    data: Path | None
    events: int
    seed: int


def add_validation_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        help="CSV file or folder of modules to validate with; default: generated ones",
    )
    parser.add_argument(
        "--events",
        type=int,
        default=VALIDATION_EVENTS,
        metavar="MODULES",
        help="modules to generate, where --data is not given",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of generator and stimulus")


def validation_source(arguments: argparse.Namespace) -> ValidationSource:
    """What the options of `add_validation_arguments`, and --build, say.

    Raises:
        InputError: no modules are asked for.
    """
    require_at_least(1, arguments, "events")
    return ValidationSource(arguments.build, arguments.data, arguments.events, arguments.seed)


def require_name(name: str) -> str:
    """`name`, if it can name a model's folder.

    Raises:
        InputError: it cannot.
    """
    if not re.match(MODEL_NAME, name) or name == data_layout(Path(), None).folder.parent.name:
        raise InputError(
            f"'{name}' cannot name a model; give --name with letters, digits and . _ + -, "
            "other than 'data'"
        )
    return name


def refuse_trained_model(layout: ModelLayout) -> None:
    """Keep a model that was trained here from being replaced.

    Raises:
        InputError: there is one.
    """
    settings = read_settings(layout)
    if settings and settings.model is not None:
        raise InputError(
            f"{layout.folder} holds a model that was trained here; give --name another name, or "
            "--build another folder"
        )


def validation_modules(source: ValidationSource) -> ModuleData:
    """The modules of --data, or the first ones of the build folder's generated data.

    Raises:
        InputError: no module has any charge, or the data cannot be read.
    """
    cache = cache_folder(source.build)
    if source.data:
        read, file = load_modules(source.data, cache=cache), source.data
    else:
        file = data_layout(source.build, None).generated_csv
        if not file.is_file():
            prepare_validation_data(source)
        read = load_modules(file, rows_per_file=source.events, cache=cache)
    with about(file):
        return drop_empty(read)


def prepare_validation_data(source: ValidationSource) -> None:
    """Generate the modules, or inspect the given ones.

    Raises:
        InputError: the data cannot be read, or no module has charge.
    """
    prepare_data(source.build, source.data, events=source.events, seed=source.seed)


def reproduced(
    golden: Golden, encoder: Any, integers: IntegerNetwork | None
) -> npt.NDArray[np.floating]:
    """What the network gives for golden vectors, shape (k, outputs): the golden output itself where
    Keras or exact arithmetic gives it, up to what is less than half a code; else what Keras gives.
    """
    from models.networks.inference import outputs_of

    expected = golden.latents
    found = outputs_of(encoder, golden.images).reshape(expected.shape)
    if integers is not None:
        number = integers.result.number
        exact = number.to_values(evaluate(integers, golden.images)).reshape(expected.shape)
        near = np.abs(exact - expected) < number.step / 2
        found = np.where(near, expected, found)
    return found


def publish_vectors(
    layout: ModelLayout,
    model: ImportedModel,
    vectors: npt.NDArray[np.float32],
    seed: int,
    figures: Mapping[str, Value | None],
) -> None:
    """Write the train folder of a network of any purpose in one go.

    Args:
        vectors: inputs (n, numbers) that it came with; n may be 0.
        figures: more, by metric name.
    """
    with staged(layout) as staging:
        np.savez_compressed(staging.at(layout.validation), inputs=vectors)
        settings = ModelSettings(
            task=Task.VECTORS,
            imported=model.origin,
            seed=seed,
            formats=formats_of(model.networks["encoder"]),
        )
        _lay(staging, model, settings, {"validation.vectors": len(vectors), **figures})


def publish(
    layout: ModelLayout, model: ImportedModel, modules: ModuleData, source: ValidationSource
) -> None:
    """Write the model's train folder in one go."""
    data = DataSettings(
        name=data_layout(source.build, source.data).folder.name,
        hash=modules.content_hash,
        modules=len(modules),
    )
    with staged(layout) as staging:
        write_validation(staging, modules.calq, modules.eta, modules.phi)
        settings = ModelSettings(
            imported=model.origin,
            arrangement=model.arrangement,
            normalisation=model.normalisation,
            data=data,
            seed=source.seed,
            formats=formats_of(model.networks["encoder"]),
        )
        figures = {"validation.modules": len(modules)}
        _lay(staging, model, settings, figures, modules.content_hash)


def _lay(
    staging: Staging,
    model: ImportedModel,
    settings: ModelSettings,
    figures: Mapping[str, Value | None],
    data_hash: str | None = None,
) -> None:
    """Networks, golden pairs, settings and metrics."""
    layout = staging.layout
    write_networks(staging, model.networks)
    if model.golden:
        np.savez_compressed(
            staging.at(layout.golden), images=model.golden.images, latents=model.golden.latents
        )
    write_text(staging.at(layout.settings), settings.to_json())
    golden: dict[str, Value | None] = {"golden.vectors": None, "golden.mismatches": None}
    if model.golden:
        golden = {"golden.vectors": len(model.golden.images), "golden.mismatches": 0}
    metrics = records(
        {**golden, **figures},
        evidence=Evidence.ESTIMATE,
        reason=None if model.golden else "no golden vectors came with the network",
    )
    provenance = training_provenance(staging, data_hash, settings.seed)
    write_training_results(staging, with_provenance(metrics, provenance), read={})
