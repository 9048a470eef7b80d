"""Train models of the zoo on module data, with the options of the reference's train.py."""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.trained_model import (
    PARTS,
    Staging,
    formats_of,
    read_settings,
    replaced,
    staged,
    training_provenance,
    write_json,
    write_networks,
    write_validation,
)
from flows.evaluation.baselines import describe_baselines
from flows.layout import ModelLayout, cache_folder, data_layout, model_layout
from flows.provenance import file_hash
from flows.training.train_options import (
    LEAST_ENERGY_FRACTION,
    QUICK_MODULES,
    add_arguments,
    check,
    elinks_of,
    specs_of,
)
from flows.training.validation_csv import require_energies, write_energies, write_examples
from hw.foundation.errors import InputError, about
from models.data.dataset import ModuleData, load_modules
from models.data.geometry import ARRANGEMENTS
from models.data.normalisation import Normalisation, normalise
from models.data.selection import double, drop_empty, mask_energies, mask_partials, quick, split
from models.networks.zoo import ModelSpec
from reports.metrics import Metric, Provenance, read_metrics, with_provenance, write_metrics

VALIDATION_FRACTION = 0.2
_BLOCK = 100_000  # modules

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int | None:
    check(arguments)
    specs = specs_of(arguments)
    if arguments.evalOnly:
        _require_models([model_layout(arguments.odir, spec.name) for spec in specs])
    modules = _read_modules(arguments)
    figures = {}
    for spec in specs:
        layout = model_layout(arguments.odir, spec.name)
        try:
            _make_model(layout, spec, modules, arguments)
        except KeyboardInterrupt:
            print(f"\ninterrupted; {_how_to_go_on(layout)}", flush=True)
            return 130
        figures[spec.name] = read_metrics(layout.metrics("train"))
        if not arguments.trainOnly:
            from flows.evaluation.evaluation import evaluate

            metrics = evaluate(
                arguments.odir,
                spec.name,
                full=arguments.full,
                skip_plot=arguments.skipPlot,
                baselines=arguments.full or not arguments.AEonly,
                elinks=arguments.elinks,
            )
            figures[spec.name] += metrics
            for line in describe_baselines(metrics):
                print(line)
    for name, metrics in figures.items():
        _print_result(name, metrics)
    return None


def _require_models(layouts: list[ModelLayout]) -> None:
    for layout in layouts:
        if not layout.settings.is_file():
            raise InputError(
                f"--evalOnly: there is no trained model in {layout.train}; train it first, without "
                "--evalOnly"
            )


# --- data ----------------------------------------------------------------------------------------
def _read_modules(arguments: argparse.Namespace) -> ModuleData:
    modules = load_modules(
        arguments.inputFile,
        header=False if arguments.noHeader else None,
        rows_per_file=arguments.nrowsPerFile or None,
        cache=arguments.cache or cache_folder(arguments.odir),
    )
    read = len(modules)
    with about(arguments.inputFile):
        modules = drop_empty(modules)
        if arguments.maskPartials:
            modules = mask_partials(modules)
        if arguments.maskEnergies:
            modules = mask_energies(modules, minimum=LEAST_ENERGY_FRACTION)
        if arguments.double:
            modules = double(modules, arguments.seed)
        if arguments.saveEnergy:
            require_energies(modules)
    print(f"{arguments.inputFile}: {read} modules read, {len(modules)} used", flush=True)
    return modules


@dataclass(frozen=True)
class _Sample:
    """The modules for training (none where nothing is trained) and for validation."""

    training: ModuleData
    validation: ModuleData


def _sample(modules: ModuleData, arguments: argparse.Namespace) -> _Sample:
    if arguments.evalOnly:
        return _Sample(modules.select(np.arange(0)), modules)
    with about(arguments.inputFile):
        chosen, held_back = split(modules, VALIDATION_FRACTION, arguments.seed)
    training = modules.select(chosen)
    if arguments.quickTrain:
        training = quick(training, QUICK_MODULES)
    return _Sample(training, modules.select(held_back))


# --- one model -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Trained:
    """The networks by part, and the record of their training: None where they were there before."""

    networks: dict[str, Any]
    history: Any = None


def _make_model(
    layout: ModelLayout, spec: ModelSpec, modules: ModuleData, arguments: argparse.Namespace
) -> None:
    """Train where needed, and leave the model's folder as the options say."""
    stored = read_settings(layout)
    settings = _settings(spec, modules, arguments)
    for_validation = _validation_settings(modules, arguments)
    changed = _changes(stored, settings) if stored else []
    sample = _sample(modules, arguments)
    if arguments.evalOnly and stored:
        settings = _settings_to_evaluate(layout, stored, modules, arguments)
        trained = _Trained(_load_networks(layout))
    elif stored and not changed and not arguments.retrain:
        print(f"{spec.name} is trained already with these settings (--retrain trains it again)")
        if stored.get("validation") == for_validation and not (
            arguments.nCSV or arguments.saveEnergy
        ):
            return
        settings, trained = stored, _Trained(_load_networks(layout))
    else:
        if stored and stored.get("model") is None and not arguments.retrain:
            raise InputError(
                f"{layout.folder} holds an imported model; choose another output folder, or give "
                "--retrain to replace it"
            )
        if changed:
            print(f"{spec.name} was trained with other settings: {', '.join(changed)}")
        trained = _train(layout, spec, settings, sample, arguments)
    settings = settings | {"validation": for_validation}
    _publish(layout, trained, settings, sample, arguments)


def _load_networks(layout: ModelLayout) -> dict[str, Any]:
    from models.networks.encoder import load_network

    files = {part: layout.network(part) for part in PARTS}
    return {part: load_network(file) for part, file in files.items() if file.is_file()}


def _settings(
    spec: ModelSpec, modules: ModuleData, arguments: argparse.Namespace
) -> dict[str, Any]:
    """All that decides the trained weights, as it is kept beside them."""
    from models.training.losses import file_of_loss

    loss_file = file_of_loss(spec.loss)
    normalisation = Normalisation.MAX if arguments.rescaleInputToMax else Normalisation.MSB
    settings = {
        "model": spec.model_dump(mode="json"),
        "arrangement": spec.arrangement,
        "normalisation": normalisation.value,
        "data": _data_settings(modules, arguments),
        "elinks": elinks_of(arguments),
        "validation_fraction": VALIDATION_FRACTION,
        "quick": arguments.quickTrain,
        "occupancy_weights": arguments.occReweight,
        "loss_hash": file_hash(loss_file) if loss_file else None,
        "seed": arguments.seed,
        "epochs": arguments.epochs,
        "batch": arguments.batch,
        "patience": arguments.patience,
    }
    return dict(json.loads(json.dumps(settings)))  # as it will be read back


def _data_settings(modules: ModuleData, arguments: argparse.Namespace) -> dict[str, Any]:
    path: Path = arguments.inputFile
    generated = data_layout(arguments.odir, None)
    is_generated = path.resolve() == generated.generated_csv.resolve()
    return {
        "name": (generated if is_generated else data_layout(arguments.odir, path)).folder.name,
        "hash": modules.content_hash,
        "modules": len(modules),
        "rows_per_file": arguments.nrowsPerFile,
        "mask_partials": arguments.maskPartials,
        "mask_energies": arguments.maskEnergies,
        "double": arguments.double,
    }


def _validation_settings(modules: ModuleData, arguments: argparse.Namespace) -> dict[str, Any]:
    """All that decides which modules are for validation, and how decoded ones are read."""
    return {
        "data": _data_settings(modules, arguments),
        "whole_sample": arguments.evalOnly,
        "rescale_output_to_sum": arguments.rescaleOutputToMax,
        "max_value": arguments.maxVal if arguments.maxVal > 0 else None,
    }


def _changes(stored: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """Names of the settings that differ, with both values where these are short."""

    def text(value: Any) -> str:
        return "" if isinstance(value, dict) or value is None else f" {value}"

    return [
        f"{key}{text(stored.get(key))} ->{text(value) or ' changed'}"
        for key, value in settings.items()
        if stored.get(key) != value
    ]


def _settings_to_evaluate(
    layout: ModelLayout,
    stored: dict[str, Any],
    modules: ModuleData,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    """The settings of the model that is there, if the options agree with them."""
    if arguments.rescaleInputToMax and stored["normalisation"] != Normalisation.MAX:
        raise InputError(
            f"--rescaleInputToMax: {layout.folder.name} was trained on charges divided by the MSB "
            "of their sum; leave out --rescaleInputToMax, or train it again with it"
        )
    if arguments.elinks and stored.get("elinks") not in (None, arguments.elinks):
        raise InputError(
            f"--nELinks {arguments.elinks}: {layout.folder.name} was trained for "
            f"{stored['elinks']} eLinks; give --nELinks {stored['elinks']}, or train it again"
        )
    if stored["data"].get("hash") == modules.content_hash:
        print("note: the input holds the modules that the model was trained on")
    return stored


def _train(
    layout: ModelLayout,
    spec: ModelSpec,
    settings: dict[str, Any],
    sample: _Sample,
    arguments: argparse.Namespace,
) -> _Trained:
    """Train one model; interrupted, it leaves a checkpoint from which the same call goes on."""
    from models.data.augmentation import with_copies
    from models.networks.encoder import build_networks
    from models.quality.quality import occupancy
    from models.training.losses import get_loss, ignores_sum
    from models.training.training import (
        TrainingSettings,
        make_reproducible,
        occupancy_weights,
        train,
    )

    calq = sample.training.calq
    if spec.copies:
        calq = with_copies(calq, spec.copies, arguments.seed)
    how = TrainingSettings(
        seed=arguments.seed,
        epochs=arguments.epochs,
        batch=arguments.batch,
        patience=arguments.patience,
        optimizer=spec.optimizer,
        learning_rate=spec.learning_rate,
        schedule=spec.schedule,
    )
    print(
        f"training {spec.name} on {len(calq)} modules, {len(sample.validation)} for validation, "
        f"loss {spec.loss}",
        flush=True,
    )
    if ignores_sum(spec.loss) and not arguments.rescaleOutputToMax:
        print(
            f"note: {spec.loss} does not see a module's summed charge; give --rescaleOutputToMax "
            "to decode with the sum that the chip sends beside the latents"
        )
    make_reproducible(arguments.seed)
    networks = build_networks(spec)
    history = train(
        networks.autoencoder,
        get_loss(spec.loss, spec.arrangement),
        _images(calq, settings),
        _images(sample.validation.calq, settings),
        how,
        weights=occupancy_weights(occupancy(calq)) if arguments.occReweight else None,
        checkpoint=layout.checkpoint,
        identity=json.dumps({**settings, "epochs": None}, sort_keys=True),
        on_progress=_progress_printer(layout, how.epochs),
    )
    return _Trained({part: getattr(networks, part) for part in PARTS}, history)


def _images(calq: npt.NDArray[np.float32], settings: dict[str, Any]) -> npt.NDArray[np.float32]:
    """What the network reads for these modules; made in blocks, which spares memory."""
    arrangement = ARRANGEMENTS[settings["arrangement"]]
    normalisation = Normalisation(settings["normalisation"])
    images = np.empty((len(calq), *arrangement.shape), dtype=np.float32)
    for first in range(0, len(calq), _BLOCK):
        block = slice(first, first + _BLOCK)
        images[block] = arrangement.to_images(normalise(calq[block], normalisation)[0])
    return images


def _progress_printer(layout: ModelLayout, epochs: int) -> Callable[[Any], None]:
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


def _how_to_go_on(layout: ModelLayout) -> str:
    if not layout.checkpoint.is_file():
        return "no epoch was finished, so nothing is kept"
    return (
        f"the finished epochs are kept in {layout.checkpoint}; the same command goes on from there"
    )


# --- the model's folder --------------------------------------------------------------------------
def _publish(
    layout: ModelLayout,
    trained: _Trained,
    settings: dict[str, Any],
    sample: _Sample,
    arguments: argparse.Namespace,
) -> None:
    """Write the model's folder in one go: networks (if new), validation modules, figures."""
    encoder, validation = trained.networks["encoder"], sample.validation
    with staged(layout, keep=trained.history is None) as staging:
        if trained.history is None:
            metrics = read_metrics(layout.metrics("train"))
        else:
            write_networks(staging, trained.networks)
            write_json(staging.at(layout.history), trained.history.to_json())
            source = training_provenance(staging, settings["data"]["hash"], settings["seed"])
            metrics = _with(source, _training_metrics(trained.history, sample))
        write_validation(staging, validation.calq, validation.eta, validation.phi)
        source = training_provenance(staging, validation.content_hash, settings["seed"])
        found = [
            Metric(name="validation.modules", value=len(validation), unit="modules"),
            _constant_latents(encoder, validation, settings),
        ]
        _write_tables(staging, trained.networks, settings, validation, arguments)
        write_json(staging.at(layout.settings), {**settings, "formats": formats_of(encoder)})
        write_metrics(staging.at(layout.metrics("train")), replaced(metrics, _with(source, found)))
    if trained.history is not None:
        layout.checkpoint.unlink(missing_ok=True)


def _with(source: Provenance, metrics: list[Metric]) -> list[Metric]:
    return with_provenance(metrics, source)


def _training_metrics(history: Any, sample: _Sample) -> list[Metric]:
    best = history.epochs[history.best]
    return [
        Metric(name="train.epochs", value=len(history.epochs), unit="epochs"),
        Metric(name="train.best_epoch", value=history.best + 1),
        Metric(name="train.loss", value=best.loss, better="lower"),
        Metric(name="train.val_loss", value=best.val_loss, better="lower"),
        Metric(name="train.modules", value=len(sample.training), unit="modules"),
        Metric(name="train.seconds", value=round(history.seconds, 3), unit="s"),
    ]


def _constant_latents(encoder: Any, modules: ModuleData, settings: dict[str, Any]) -> Metric:
    """How many latents have one value for all modules; some is worth a word to the user."""
    from models.networks.inference import outputs_of
    from models.training.training import constant_latents

    latents = outputs_of(encoder, _images(modules.calq, settings))
    constant = constant_latents(latents)
    if constant:
        print(
            f"warning: {constant} of {latents.shape[1]} latents have the same value for all "
            "validation modules and carry nothing; another seed or more epochs may revive them"
        )
    return Metric(
        name="validation.constant_latents", value=constant, unit="latents", better="lower"
    )


def _write_tables(
    staging: Staging,
    networks: dict[str, Any],
    settings: dict[str, Any],
    validation: ModuleData,
    arguments: argparse.Namespace,
) -> None:
    if arguments.saveEnergy:
        write_energies(staging, validation)
    if arguments.nCSV:
        if "decoder" not in networks:
            raise InputError(f"--nCSV: {staging.layout.folder.name} has no decoder")
        count = len(validation) if arguments.nCSV < 0 else min(arguments.nCSV, len(validation))
        write_examples(
            staging,
            validation.select(np.arange(count)),
            networks["encoder"],
            networks["decoder"],
            arrangement=settings["arrangement"],
            normalisation=Normalisation(settings["normalisation"]),
            match_sum=settings["validation"]["rescale_output_to_sum"],
            maximum=settings["validation"]["max_value"],
        )


def _print_result(name: str, metrics: list[Metric]) -> None:
    """One line of the figures that compare models."""
    values = {metric.name: metric.value for metric in metrics}
    shown = [
        f"{label} {values[key]:.5g}"
        for key, label in (
            ("train.val_loss", "val_loss"), ("emd.mean", "EMD"), ("emd.std", "EMD std")
        )
        if isinstance(values.get(key), int | float)
    ]  # fmt: skip
    print(f"{name}: {', '.join(shown)}")
