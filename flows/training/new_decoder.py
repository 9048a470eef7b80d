"""A new decoder for an encoder that stays as it is: chips in the field keep their weights."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.decoding import decoded_charges
from flows.artefacts.encoder import train_first
from flows.artefacts.settings import (
    DataSettings,
    ModelSettings,
    NewDecoderSettings,
    ValidationSettings,
    read_settings,
)
from flows.artefacts.trained_model import (
    formats_of,
    replaced,
    staged,
    training_provenance,
    write_json,
    write_networks,
    write_training_results,
    write_validation,
)
from flows.command_line.progress import progress
from flows.layout import ModelLayout, data_layout, model_layout
from flows.provenance import file_hash
from flows.training.fresh_modules import modules_of_epochs
from flows.training.imported_model import ValidationSource, validation_modules
from flows.training.train_models import (
    BATCH,
    EPOCHS,
    PATIENCE,
    VALIDATION_FRACTION,
    model_images,
    progress_printer,
    share_images,
)
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError, about
from models.data.dataset import ModuleData
from models.data.selection import split
from models.networks.zoo import ModelSpec
from reports.catalogue import records
from reports.metrics import Evidence, Metric, read_metrics, with_provenance

MEASURED = 20_000  # validation modules whose distance is compared

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DecoderRequest:
    """Whose encoder gets a new decoder, and how that is trained.

    Attributes:
        model: trained or imported model in the build folder.
        name: of the model that is made, of the same encoder and the new decoder.
        recipe: a record of the zoo with a decoder of its own: that decoder, its loss and its
            schedule are taken.
        source: the modules, of which a part is held back for validation, and the build folder.
        epochs: passes over the training modules, at most; None as the recipe says.
    """

    model: str
    name: str
    recipe: ModelSpec
    source: ValidationSource
    epochs: int | None = None


@dataclass(frozen=True)
class _Encoded:
    """Modules, what the encoder makes of them, and what a decoder is to give for them."""

    modules: ModuleData
    latents: Array
    targets: Array


@dataclass(frozen=True)
class _Result:
    """The new model: networks by part, the history of its decoder's training, its settings."""

    networks: dict[str, Any]
    history: Any
    settings: ModelSettings
    training_modules: int


def train_new_decoder(request: DecoderRequest) -> list[Metric]:
    """Train the decoder, measure what it gains, and write the new model's folder.

    An interrupted training goes on where it was.

    Returns:
        The metrics, as written to the train folder of the new model.

    Raises:
        InputError: the model is not there, the recipe has no decoder of its own, or the folder of
            the new model holds another one.
    """
    from models.keras_backend import keras
    from models.networks.encoder import build_dense_decoder
    from models.networks.inference import outputs_of
    from models.networks.network_files import load_network
    from models.training.losses import get_loss
    from models.training.training import (
        Sample,
        TrainingSettings,
        make_reproducible,
        train,
        worth_fusing,
    )

    recipe, source = request.recipe, request.source
    if recipe.decoder is None:
        raise InputError(
            f"model '{recipe.name}' mirrors its encoder and has no decoder of its own to train; "
            "give --like a model whose record has the key 'decoder'"
        )
    old, new = (model_layout(source.build, name) for name in (request.model, request.name))
    before = read_settings(old)
    if before is None or not old.network("encoder").is_file():
        raise InputError(f"{old.network('encoder')}: no such file; {train_first(old)}")
    _require_free(new)
    loss = get_loss(recipe.loss, before.arrangement)
    encoder = load_network(old.network("encoder"))

    def encoded(modules: ModuleData) -> _Encoded:
        latents = outputs_of(encoder, model_images(modules.calq, before))
        return _Encoded(modules, latents, share_images(modules.calq, before.input_arrangement))

    modules = validation_modules(source)
    # the modules that a model trained on the same data held back are held back again
    seed = source.seed if before.seed is None else before.seed
    with about(source.data or data_layout(source.build, None).generated_csv):
        chosen, held_back = split(modules, VALIDATION_FRACTION, seed)
    sample, validation = encoded(modules.select(chosen)), encoded(modules.select(held_back))

    fresh = recipe.fresh_modules and source.data is None
    epochs = request.epochs or recipe.epochs or EPOCHS
    settings = NewDecoderSettings(
        encoder_of=request.model,
        encoder_hash=file_hash(old.network("encoder")),
        decoder=recipe.decoder,
        loss=recipe.loss,
        fresh_modules=fresh,
        epochs=epochs,
        batch=recipe.batch or BATCH,
        seed=source.seed,
    )
    how = TrainingSettings(
        seed=source.seed,
        epochs=epochs,
        batch=settings.batch,
        patience=recipe.patience or PATIENCE,
        optimizer=recipe.optimizer,
        learning_rate=recipe.learning_rate,
        schedule=recipe.schedule,
        fused=worth_fusing(len(chosen), settings.batch),
    )
    of_epoch: Callable[[int], Sample] | None = None
    if fresh:
        generated = modules_of_epochs(len(chosen), source.seed, epochs)

        def of_epoch(epoch: int) -> Sample:
            new_sample = encoded(generated(epoch))
            return Sample(new_sample.latents, new_sample.targets)

    print(
        f"training a decoder for {request.model} on {len(chosen)} modules"
        f"{', new ones in each epoch' if fresh else ''}, {len(held_back)} for validation, "
        f"loss {recipe.loss}",
        flush=True,
    )
    make_reproducible(source.seed)
    decoder = build_dense_decoder(recipe.decoder, sample.latents.shape[1], before.input_arrangement)
    _suit_latents(decoder, sample.latents)
    history = train(
        decoder,
        loss,
        sample.latents,
        validation.latents,
        how,
        targets=(sample.targets, validation.targets),
        fresh=of_epoch,
        checkpoint=new.checkpoint,
        identity=json.dumps(
            [settings.model_dump(mode="json") | {"epochs": None}, modules.content_hash]
        ),
        on_progress=progress_printer(new, epochs),
    )
    result = _Result(
        networks={
            "encoder": encoder,
            "decoder": decoder,
            "autoencoder": keras.Model(encoder.input, decoder(encoder.output), name="autoencoder"),
        },
        history=history,
        settings=_settings_of_new_model(request, before, settings, modules, formats_of(encoder)),
        training_modules=len(chosen),
    )
    gain = _gain(old, before, result, validation)
    metrics = _publish(old, new, result, validation.modules, gain)
    new.checkpoint.unlink(missing_ok=True)
    return metrics


def _require_free(layout: ModelLayout) -> None:
    """Keep a model from being replaced by another one."""
    settings = read_settings(layout)
    if settings and settings.new_decoder is None:
        raise InputError(
            f"{layout.folder} holds a model that was trained or imported; give --name another name"
        )


def _suit_latents(decoder: Any, latents: Array) -> None:
    """Make a new decoder start as if each latent had the mean 0 and the deviation 1.

    Encoders from elsewhere have latents of any size; a latent that never changes stays as it is.
    """
    first = next(layer for layer in decoder.layers if layer.weights)
    kernel, bias = first.get_weights()
    mean, deviation = latents.mean(axis=0), latents.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    first.set_weights([kernel / deviation[:, None], bias - (mean / deviation) @ kernel])


def _settings_of_new_model(
    request: DecoderRequest,
    before: ModelSettings,
    new_decoder: NewDecoderSettings,
    modules: ModuleData,
    formats: dict[str, str],
) -> ModelSettings:
    source = request.source
    data = DataSettings(
        name=data_layout(source.build, source.data).folder.name,
        hash=modules.content_hash,
        modules=len(modules),
    )
    changes: dict[str, Any] = {
        "new_decoder": new_decoder,
        "validation": ValidationSettings(data=data),
        "formats": formats,
    }
    if before.model:
        of_decoder = {"decoder": new_decoder.decoder, "loss": new_decoder.loss}
        names = {"name": request.name, "compare_with": None}
        changes["model"] = before.model.model_copy(update=of_decoder | names)
    return before.model_copy(update=changes)


def _gain(
    old: ModelLayout, before: ModelSettings, result: _Result, validation: _Encoded
) -> dict[str, float | int | None]:
    """Mean distance of the first held-back modules with the decoder it had and with the new one."""
    from models.networks.inference import outputs_of
    from models.networks.network_files import load_network
    from models.quality.emd import emd

    calq, latents = validation.modules.calq[:MEASURED], validation.latents[:MEASURED]

    def mean(decoder: Any, settings: ModelSettings, words: str) -> float:
        cells = settings.input_arrangement.to_cells(outputs_of(decoder, latents)).clip(min=0)
        scale, maximum = settings.charge_scale, settings.validation.max_value
        charges = decoded_charges(cells, calq, settings.normalisation, scale, maximum)
        with progress(f"earth mover's distance, {words}", len(calq)) as advance:
            return float(np.nanmean(emd(calq, charges, progress=advance)))

    had = old.network("decoder")
    return {
        "new_decoder.emd.before": (
            mean(load_network(had), before, "the decoder it had") if had.is_file() else None
        ),
        "new_decoder.emd.after": mean(
            result.networks["decoder"], result.settings, "the new decoder"
        ),
        "new_decoder.emd.modules": len(calq),
    }


def _publish(
    old: ModelLayout,
    new: ModelLayout,
    result: _Result,
    validation: ModuleData,
    gain: dict[str, float | int | None],
) -> list[Metric]:
    history = result.history
    best = history.epochs[history.best]
    values = {
        "validation.modules": len(validation),
        "train.epochs": len(history.epochs),
        "train.best_epoch": history.best + 1,
        "train.loss": best.loss,
        "train.val_loss": best.val_loss,
        "train.modules": result.training_modules,
        "train.seconds": round(history.seconds, 3),
        **gain,
    }
    found = records(
        values,
        evidence=Evidence.ESTIMATE,
        reason=None if old.network("decoder").is_file() else "the encoder came without a decoder",
    )
    metrics = read_metrics(old.metrics("train")) if old.metrics("train").is_file() else []
    with staged(new) as staging:
        write_networks(staging, result.networks)
        write_json(staging.at(new.history), history.to_json())
        write_validation(staging, validation.calq, validation.eta, validation.phi)
        if old.golden.is_file():
            shutil.copyfile(old.golden, staging.at(new.golden))
        write_text(staging.at(new.settings), result.settings.to_json())
        source = training_provenance(staging, validation.content_hash, result.settings.seed)
        metrics = replaced(metrics, with_provenance(found, source))
        write_training_results(staging, metrics, read={})
    return metrics
