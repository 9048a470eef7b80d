"""Training of models as a request says it: modules read, networks trained, folders written."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.charge_scale import ChargeScale
from flows.artefacts.seals import Hashes, broken_seal, modules_read, read_now
from flows.artefacts.settings import (
    DataSettings,
    ModelSettings,
    ValidationSettings,
    read_settings,
)
from flows.artefacts.trained_model import (
    PARTS,
    Staging,
    formats_of,
    replaced,
    staged,
    training_provenance,
    write_json,
    write_networks,
    write_training_results,
    write_validation,
)
from flows.layout import (
    DEFAULT_TARGET,
    DesignLayout,
    ModelLayout,
    cache_folder,
    data_layout,
    design_layout,
    model_layout,
)
from flows.provenance import file_hash
from flows.stages import BY_NAME
from flows.training.fresh_modules import modules_of_epochs
from flows.training.validation_csv import require_energies, write_energies, write_examples
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError, about
from models.data.dataset import ModuleData, csv_files, load_modules
from models.data.geometry import Arrangement
from models.data.normalisation import Normalisation, normalise
from models.data.selection import double, drop_empty, mask_energies, mask_partials, quick, split
from models.networks.econ_t_formats import DEFAULT_ELINKS
from models.networks.zoo import ModelSpec
from reports.catalogue import records
from reports.metrics import Evidence, Metric, read_metrics, with_provenance

VALIDATION_FRACTION = 0.2
QUICK_MODULES = 5000
LEAST_ENERGY_FRACTION = 0.05
EPOCHS, BATCH, PATIENCE = 200, 500, 30  # where neither request nor record says anything else
_BLOCK = 100_000  # modules


@dataclass(frozen=True)
class TrainingRequest:
    """Which models to make, of which modules, and how.

    Attributes:
        build: the build folder.
        source: CSV file or folder of modules.
        header: whether the CSV files have one; None to detect it.
        rows_per_file: read at most so many rows of each CSV file; 0 for all.
        cache: folder for fast copies of the data; None for the build folder's.
        elinks: active eLinks of the data's modules; None for all five.
        mask_partials: leave out partial modules.
        mask_energies: leave out modules with little simulated energy.
        double: add up the modules two by two.
        rescale_input_to_max: divide charges by the module's maximum; else by the MSB of the sum.
        rescale_output_to_sum: decoded modules get the summed charge of their input.
        max_value: upper limit of decoded charges in CALQ counts; None for no limit.
        epochs: passes over the training modules, at most; None as the model's record says.
        batch: modules in one training step; None as the record says.
        patience: epochs without a lower validation loss before training ends; None as the record
            says.
        seed: of initial weights, split and order of modules.
        quick: train on few modules, to try things out.
        occupancy_weights: each occupancy counts the same.
        retrain: train again although the model is up to date.
        evaluate_only: train nothing; all modules are for validation.
        examples: validation modules to write to CSV files; negative for all.
        save_energies: write the simulated energies of the validation modules.
        own_records: the YAML file of a model by its name, where it is not of the zoo.
    """

    build: Path
    source: Path
    header: bool | None = None
    rows_per_file: int = 0
    cache: Path | None = None
    elinks: int | None = None
    mask_partials: bool = False
    mask_energies: bool = False
    double: bool = False
    rescale_input_to_max: bool = False
    rescale_output_to_sum: bool = False
    max_value: float | None = None
    epochs: int | None = None
    batch: int | None = None
    patience: int | None = None
    seed: int = 1
    quick: bool = False
    occupancy_weights: bool = False
    retrain: bool = False
    evaluate_only: bool = False
    examples: int = 0
    save_energies: bool = False
    own_records: Mapping[str, str] = field(default_factory=dict)


# --- data ----------------------------------------------------------------------------------------
def read_modules(request: TrainingRequest) -> ModuleData:
    """The modules that are asked for, those without charge left out.

    Raises:
        InputError: they cannot be read, or lack what is asked for.
    """
    modules = load_modules(
        request.source,
        header=request.header,
        rows_per_file=request.rows_per_file or None,
        cache=request.cache or cache_folder(request.build),
    )
    read = len(modules)
    with about(request.source):
        modules = _selected(modules, request)
        if request.save_energies:
            require_energies(modules)
    print(f"{request.source}: {read} modules read, {len(modules)} used", flush=True)
    return modules


def _selected(modules: ModuleData, request: TrainingRequest) -> ModuleData:
    modules = drop_empty(modules)
    if request.mask_partials:
        modules = mask_partials(modules)
    if request.mask_energies:
        modules = mask_energies(modules, minimum=LEAST_ENERGY_FRACTION)
    if request.double:
        modules = double(modules, request.seed)
    return modules


@dataclass(frozen=True)
class _Sample:
    """The modules for training (none where nothing is trained) and for validation."""

    training: ModuleData
    validation: ModuleData


def _sample(modules: ModuleData, request: TrainingRequest) -> _Sample:
    if request.evaluate_only:
        return _Sample(modules.select(np.arange(0)), modules)
    with about(request.source):
        chosen, held_back = split(modules, VALIDATION_FRACTION, request.seed)
    training = modules.select(chosen)
    if request.quick:
        training = quick(training, QUICK_MODULES)
    return _Sample(training, modules.select(held_back))


# --- one model -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Trained:
    """The networks by part, and the record of their training: None where they were there before."""

    networks: dict[str, Any]
    history: Any = None


def make_model(request: TrainingRequest, spec: ModelSpec, modules: ModuleData) -> list[Metric]:
    """Train where needed, and leave the model's folder as the request says.

    Returns:
        The metrics, as written to the train folder.

    Raises:
        InputError: the folder holds an imported model, or another than the request evaluates.
        KeyboardInterrupt: the finished epochs are kept; the same request goes on from there.
    """
    layout = model_layout(request.build, spec.name)
    stored = _stored_settings(layout)
    damage = broken_seal(BY_NAME["train"], _design(request, spec)) if stored else None
    settings = settings_of(spec, modules, request)
    validation = _validation_settings(modules, request)
    changed = _changes(stored, settings) if stored else []
    sample = _sample(modules, request)
    if request.evaluate_only and stored:
        if damage:
            raise InputError(f"{damage}; train {spec.name} anew, without --evalOnly")
        _require_same_input(layout, stored, modules, request)
        settings, trained = stored, _Trained(_load_networks(layout))
    elif stored and not changed and not damage and not request.retrain:
        print(f"{spec.name} is trained already with these settings (--retrain trains it again)")
        if stored.validation == validation and not (request.examples or request.save_energies):
            return read_metrics(layout.metrics("train"))
        settings, trained = stored, _Trained(_load_networks(layout))
    else:
        if stored and stored.model is None and not request.retrain:
            raise InputError(
                f"{layout.folder} holds an imported model; choose another output folder, or give "
                "--retrain to replace it"
            )
        if changed:
            print(f"{spec.name} was trained with other settings: {', '.join(changed)}")
        elif damage and not request.retrain:
            print(f"{spec.name} is not as its training left it: {damage}")
        trained = _train(layout, spec, settings, sample, request)
    settings = settings.model_copy(update={"validation": validation})
    return _publish(layout, trained, settings, sample, request, spec=spec)


def _stored_settings(layout: ModelLayout) -> ModelSettings | None:
    """Settings of the model that is there; damaged ones are as good as none."""
    try:
        return read_settings(layout)
    except InputError as error:
        print(f"{error}; it is trained anew", flush=True)
        return None


def _design(request: TrainingRequest, spec: ModelSpec) -> DesignLayout:
    """The folders of a model that is trained; the target is of no matter."""
    name = request.own_records.get(spec.name, spec.name)
    data = data_layout(request.build, None if _is_generated(request) else request.source)
    return design_layout(request.build, name, DEFAULT_TARGET, data)


def _read_by_training(request: TrainingRequest, spec: ModelSpec) -> Hashes:
    """Hashes of the model's record, and of the modules."""
    design = _design(request, spec)
    modules = modules_read(design, csv_files(request.source))
    return {**read_now(BY_NAME["train"], design), **modules}


def _load_networks(layout: ModelLayout) -> dict[str, Any]:
    from models.networks.network_files import load_network

    files = {part: layout.network(part) for part in PARTS}
    return {part: load_network(file) for part, file in files.items() if file.is_file()}


def settings_of(spec: ModelSpec, modules: ModuleData, request: TrainingRequest) -> ModelSettings:
    """All that decides the trained weights, as it is kept beside them."""
    from models.training.losses import file_of_loss

    loss_file = file_of_loss(spec.loss)
    return ModelSettings(
        model=spec,
        arrangement=spec.arrangement,
        normalisation=Normalisation.MAX if request.rescale_input_to_max else Normalisation.MSB,
        data=_data_settings(modules, request),
        elinks=request.elinks or DEFAULT_ELINKS,
        validation_fraction=VALIDATION_FRACTION,
        quick=request.quick,
        occupancy_weights=request.occupancy_weights or spec.occupancy_weights,
        fresh_modules=spec.fresh_modules and _is_generated(request) and not request.quick,
        loss_hash=file_hash(loss_file) if loss_file else None,
        seed=request.seed,
        epochs=request.epochs or spec.epochs or EPOCHS,
        batch=request.batch or spec.batch or BATCH,
        patience=request.patience or spec.patience or PATIENCE,
    )


def _is_generated(request: TrainingRequest) -> bool:
    return request.source.resolve() == data_layout(request.build, None).generated_csv.resolve()


def _data_settings(modules: ModuleData, request: TrainingRequest) -> DataSettings:
    generated = _is_generated(request)
    data = data_layout(request.build, None if generated else request.source)
    return DataSettings(
        name=data.folder.name,
        hash=modules.content_hash,
        modules=len(modules),
        rows_per_file=request.rows_per_file,
        mask_partials=request.mask_partials,
        mask_energies=request.mask_energies,
        double=request.double,
    )


def _validation_settings(modules: ModuleData, request: TrainingRequest) -> ValidationSettings:
    return ValidationSettings(
        data=_data_settings(modules, request),
        whole_sample=request.evaluate_only,
        rescale_output_to_sum=request.rescale_output_to_sum,
        max_value=request.max_value,
    )


def _changes(stored: ModelSettings, settings: ModelSettings) -> list[str]:
    """Names of the settings that differ, with both values where these are short."""

    def text(value: Any) -> str:
        return "" if isinstance(value, dict) or value is None else f" {value}"

    before = stored.training()
    return [
        f"{key}{text(before[key])} ->{text(value) or ' changed'}"
        for key, value in settings.training().items()
        if before[key] != value
    ]


def _require_same_input(
    layout: ModelLayout, stored: ModelSettings, modules: ModuleData, request: TrainingRequest
) -> None:
    """Refuse to evaluate the model that is there on input of another kind."""
    if request.rescale_input_to_max and stored.normalisation is not Normalisation.MAX:
        raise InputError(
            f"--rescaleInputToMax: {layout.folder.name} was trained on charges divided by the MSB "
            "of their sum; leave out --rescaleInputToMax, or train it again with it"
        )
    if request.elinks and stored.elinks not in (None, request.elinks):
        raise InputError(
            f"--nELinks {request.elinks}: {layout.folder.name} was trained for "
            f"{stored.elinks} eLinks; give --nELinks {stored.elinks}, or train it again"
        )
    if stored.data and stored.data.hash == modules.content_hash:
        print("note: the input holds the modules that the model was trained on")


def _train(
    layout: ModelLayout,
    spec: ModelSpec,
    settings: ModelSettings,
    sample: _Sample,
    request: TrainingRequest,
) -> _Trained:
    """Train one model; interrupted, it leaves a checkpoint from which the same call goes on."""
    from models.networks.encoder import build_networks
    from models.training.bit_flips import flips_in_training
    from models.training.losses import get_loss, ignores_sum
    from models.training.training import (
        TrainingSettings,
        make_reproducible,
        train,
        worth_fusing,
    )

    assert settings.epochs and settings.batch and settings.patience
    given = _training_sample(sample.training, spec, settings, request.seed)
    held_back = _training_sample(sample.validation, spec, settings, None)
    how = TrainingSettings(
        seed=request.seed,
        epochs=settings.epochs,
        batch=settings.batch,
        patience=settings.patience,
        optimizer=spec.optimizer,
        learning_rate=spec.learning_rate,
        schedule=spec.schedule,
        fused=spec.decoder is not None and worth_fusing(len(given.images), settings.batch),
        pruning=spec.pruning,
        logic_cost=spec.logic_cost,
    )
    print(
        f"training {spec.name} on {len(given.images)} modules"
        f"{', new ones in each epoch' if settings.fresh_modules else ''}, "
        f"{len(sample.validation)} for validation, loss {spec.loss}",
        flush=True,
    )
    if ignores_sum(spec.loss) and settings.charge_scale is ChargeScale.NETWORK:
        print(
            f"note: {spec.loss} does not see a module's summed charge; give --rescaleOutputToMax "
            "to decode with the sum that the chip sends beside the latents"
        )
    make_reproducible(request.seed)
    networks = build_networks(spec)
    with flips_in_training(networks.autoencoder, networks.encoder, spec.bit_flip_rate):
        history = train(
            networks.autoencoder,
            get_loss(spec.loss, spec.arrangement),
            given.images,
            held_back.images,
            how,
            targets=None if given.targets is None else (given.targets, held_back.targets),
            weights=given.weights,
            fresh=_fresh_samples(sample, spec, settings, request)
            if settings.fresh_modules
            else None,
            encoder=networks.encoder,
            checkpoint=layout.checkpoint,
            identity=json.dumps({**settings.training(), "epochs": None}, sort_keys=True),
            on_progress=progress_printer(layout, how.epochs),
        )
    return _Trained({part: getattr(networks, part) for part in PARTS}, history)


def _training_sample(
    modules: ModuleData, spec: ModelSpec, settings: ModelSettings, copies_seed: int | None
) -> Any:
    """What `models.training.training.train` takes of these modules; None adds no copies."""
    from models.data.augmentation import with_copies
    from models.quality.quality import occupancy
    from models.training.losses import ignores_sum
    from models.training.training import Sample, occupancy_weights

    calq = modules.calq
    if spec.copies and copies_seed is not None:
        calq = with_copies(calq, spec.copies, copies_seed)
    targets = None
    if spec.decoder and not ignores_sum(spec.loss):
        targets = share_images(calq, settings.input_arrangement)
    weights = occupancy_weights(occupancy(calq)) if settings.occupancy_weights else None
    return Sample(model_images(calq, settings), targets, weights)


def _fresh_samples(
    sample: _Sample, spec: ModelSpec, settings: ModelSettings, request: TrainingRequest
) -> Callable[[int], Any]:
    """As many generated modules for each epoch as there are for training, selected alike."""
    assert settings.epochs is not None
    modules = modules_of_epochs(len(sample.training), request.seed, settings.epochs)

    def of_epoch(epoch: int) -> Any:
        return _training_sample(_selected(modules(epoch), request), spec, settings, request.seed)

    return of_epoch


def share_images(
    calq: npt.NDArray[np.float32], arrangement: Arrangement
) -> npt.NDArray[np.float32]:
    """What a decoder that gives shares is to give for these modules, none of them empty."""
    return arrangement.to_images(calq / calq.sum(axis=1, keepdims=True))


def model_images(calq: npt.NDArray[np.float32], settings: ModelSettings) -> npt.NDArray[np.float32]:
    """What the network reads for these modules; made in blocks, which spares memory."""
    arrangement = settings.input_arrangement
    images = np.empty((len(calq), *arrangement.shape), dtype=np.float32)
    for first in range(0, len(calq), _BLOCK):
        block = slice(first, first + _BLOCK)
        images[block] = arrangement.to_images(normalise(calq[block], settings.normalisation)[0])
    return images


def progress_printer(layout: ModelLayout, epochs: int) -> Callable[[Any], None]:
    """Prints how training starts, then a line for each epoch; `*` marks the best so far."""
    started = False

    def print_line(history: Any) -> None:
        nonlocal started
        done = len(history.epochs)
        if not started:
            started = True
            if done:
                print(f"going on after epoch {done} ({layout.checkpoint})", flush=True)
            elif layout.checkpoint.is_file():
                print(f"{layout.checkpoint} is of other settings: starting afresh", flush=True)
            return
        last, rest = history.epochs[-1], epochs - done
        mark = "*" if history.best == done - 1 else " "
        print(
            f"epoch {done:>{len(str(epochs))}}/{epochs}  loss {last.loss:.6f}  "
            f"val_loss {last.val_loss:.6f}{mark}  {last.seconds:.1f} s"
            + (f", at most {_duration(rest * history.seconds / done)} to go" if rest else ""),
            flush=True,
        )

    return print_line


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def how_to_go_on(layout: ModelLayout) -> str:
    """What an interrupted training leaves, in words."""
    if not layout.checkpoint.is_file():
        return "no epoch was finished, so nothing is kept"
    return (
        f"the finished epochs are kept in {layout.checkpoint}; the same command goes on from there"
    )


# --- the model's folder --------------------------------------------------------------------------
def _publish(
    layout: ModelLayout,
    trained: _Trained,
    settings: ModelSettings,
    sample: _Sample,
    request: TrainingRequest,
    *,
    spec: ModelSpec,
) -> list[Metric]:
    """Write the model's folder in one go: networks (if new), validation modules, figures."""
    encoder, validation = trained.networks["encoder"], sample.validation
    with staged(layout, keep=trained.history is None) as staging:
        if trained.history is None:
            metrics = read_metrics(layout.metrics("train"))
        else:
            write_networks(staging, trained.networks)
            write_json(staging.at(layout.history), trained.history.to_json())
            source = training_provenance(
                staging, settings.data.hash if settings.data else None, settings.seed
            )
            metrics = with_provenance(_training_metrics(trained.history, sample), source)
        write_validation(staging, validation.calq, validation.eta, validation.phi)
        source = training_provenance(staging, validation.content_hash, settings.seed)
        values = {
            "validation.modules": len(validation),
            "validation.constant_latents": _constant_latents(encoder, validation, settings),
        }
        found = with_provenance(records(values, evidence=Evidence.ESTIMATE), source)
        metrics = replaced(metrics, found)
        _write_tables(staging, trained.networks, settings, validation, request)
        settings = settings.model_copy(update={"formats": formats_of(encoder)})
        write_text(staging.at(layout.settings), settings.to_json())
        write_training_results(staging, metrics, _read_by_training(request, spec))
    if trained.history is not None:
        layout.checkpoint.unlink(missing_ok=True)
    return metrics


def _training_metrics(history: Any, sample: _Sample) -> list[Metric]:
    best = history.epochs[history.best]
    values = {
        "train.epochs": len(history.epochs),
        "train.best_epoch": history.best + 1,
        "train.loss": best.loss,
        "train.val_loss": best.val_loss,
        "train.modules": len(sample.training),
        "train.seconds": round(history.seconds, 3),
    }
    return records(values, evidence=Evidence.ESTIMATE)


def _constant_latents(encoder: Any, modules: ModuleData, settings: ModelSettings) -> int:
    """How many latents have one value for all modules; some is worth a word to the user."""
    from models.networks.inference import outputs_of
    from models.training.training import constant_latents

    latents = outputs_of(encoder, model_images(modules.calq, settings))
    constant = constant_latents(latents)
    if constant:
        print(
            f"warning: {constant} of {latents.shape[1]} latents have the same value for all "
            "validation modules and carry nothing; another seed or more epochs may revive them"
        )
    return constant


def _write_tables(
    staging: Staging,
    networks: dict[str, Any],
    settings: ModelSettings,
    validation: ModuleData,
    request: TrainingRequest,
) -> None:
    if request.save_energies:
        write_energies(staging, validation)
    if request.examples:
        if "decoder" not in networks:
            raise InputError(f"--nCSV: {staging.layout.folder.name} has no decoder")
        count = len(validation) if request.examples < 0 else min(request.examples, len(validation))
        write_examples(
            staging,
            validation.select(np.arange(count)),
            networks["encoder"],
            networks["decoder"],
            arrangement=settings.arrangement,
            normalisation=settings.normalisation,
            scale=settings.charge_scale,
            maximum=settings.validation.max_value,
        )
