"""The seal beside a stage's metrics: hashes of all files that the stage read, and of its results.

A number is worth what it was measured on.  So results count only while every file that their seal
names has the content that it had, and is what the stage before wrote.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from flows.artefacts.settings import compared_layout
from flows.layout import ASIC, METRICS, DesignLayout, netlist_folder
from flows.provenance import HASH_DIGITS
from flows.stages import BY_NAME, Artefact, Scope, Stage
from hw.forms import Form
from hw.foundation.atomic_file import write_text
from hw.foundation.content_hash import HashIndex
from hw.foundation.errors import InputError, ToolMissing
from hw.foundation.strict_config import StrictRecord, load_json_record
from reports.metrics import Metric, write_metrics

SEAL = "seal.json"
MODEL_RECORD, TARGET_RECORD = "record of the model", "record of the target"

_LIBRARY = "cell library"
_PROJECT = Path(__file__).resolve().parents[2]
_LARGE_BYTES = 4_000_000  # of files whose hashes are kept from run to run

Hashes = Mapping[str, str | None]
"""By the label of a file, 16 digits of SHA-256; None for a file that is not there.

Files of the build folder and of this project are labelled relative to them, others by their
absolute path; records of models and targets, and the cell library, by these words.
"""

_Sources = dict[str, Path | str | None]  # a file, the text of a record, or nothing


class Seal(StrictRecord):
    """What a stage read and wrote.

    Attributes:
        stage: its name.
        read: hashes of what it read.
        wrote: hashes of its results.
    """

    stage: str
    read: dict[str, str | None]
    wrote: dict[str, str | None]


# --- what a stage reads and writes ----------------------------------------------------------------
def _sources(kind: Artefact, design: DesignLayout, form: Form | None) -> _Sources:
    """Files and records of one kind, by label."""
    model, target = design.model, design.target
    match kind:
        case Artefact.MODEL_RECORD:
            return _model_record(design)
        case Artefact.TARGET_RECORD:
            return _target_record(design)
        case Artefact.LIBRARY:
            return {_LIBRARY: _library(design)}
        case Artefact.MODULES:
            csv = design.data.generated_csv
            return _files(design, csv) if csv.is_file() else {}
        case Artefact.DISTRIBUTIONS:
            return _files(design, design.data.histograms)
        case Artefact.TRAINED:
            return _tree(design, model.train, "*", "csv/*")
        case Artefact.ENCODER:
            return _files(design, model.network("encoder"))
        case Artefact.DECODER:
            return _files(design, model.network("decoder"))
        case Artefact.SETTINGS:
            return _files(design, model.settings)
        case Artefact.VALIDATION:
            return _files(design, model.validation, model.golden)
        case Artefact.COMPARED:
            plain = compared_layout(model)
            return _files(design, plain.network("encoder"), plain.settings) if plain else {}
        case Artefact.EVALUATION:
            return _tree(design, model.evaluate, "*.npz", "plots/*")
        case Artefact.GRAPHS:
            return _tree(design, model.graph, "**/*")
        case Artefact.LEARNED_EMD:
            return _tree(design, model.folder / "emd-cnn", "**/*")
        case Artefact.HLS:  # without the scripts, which the vendor stage completes
            return _tree(design, target.hls, "project.json", "layer_types.json", "firmware/**/*")
        case Artefact.BLOCK:
            return _tree(design, target.block, "firmware/**/*")
        case Artefact.RTL:
            return _tree(design, target.rtl, "design.json", "*.v")
        case Artefact.CHIP_RTL:
            from hw.rtl import sources

            return _files(design, *sources())
        case Artefact.NETLIST:
            mapped = _netlists(design, form) / ASIC
            return _tree(design, mapped, "netlist.json", "statistics.json")
        case Artefact.UPSETS:
            return _tree(design, model.folder / "upsets", "*", "plots/*")
        case Artefact.PROTECTION:
            return _tree(design, target.metrics("protection").parent, "*", "*/*")
        case Artefact.NETLISTS:
            return _tree(design, _netlists(design, form), "*/statistics.json", "*/netlist.*")


def _files(design: DesignLayout, *files: Path) -> _Sources:
    return {_label(design, file): file if file.is_file() else None for file in files}


def _tree(design: DesignLayout, folder: Path, *patterns: str) -> _Sources:
    found = {file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}
    own = (METRICS, SEAL)
    return {
        _label(design, file): file
        for file in sorted(found)
        if not file.name.startswith(".") and file.relative_to(folder).as_posix() not in own
    }


def _label(design: DesignLayout, file: Path) -> str:
    for root in (design.build, _PROJECT):
        if file.is_relative_to(root):
            return file.relative_to(root).as_posix()
    return str(file.resolve())


def _model_record(design: DesignLayout) -> _Sources:
    """The record in the zoo, or in the file that was named; an imported model has none."""
    from models.networks.zoo import load_model_spec

    try:
        return {MODEL_RECORD: load_model_spec(design.model_name).model_dump_json()}
    except InputError:
        return {}


def _target_record(design: DesignLayout) -> _Sources:
    """The target without what is no part of the work: its words, and the budgets that judge it."""
    from hw.targets.target import load_target

    left_out = {"name", "description", "budgets", "liberty"}
    return {TARGET_RECORD: load_target(design.target_name).model_dump_json(exclude=left_out)}


def _library(design: DesignLayout) -> Path | None:
    from hw.synthesis.nangate45 import nangate45
    from hw.targets.target import load_target

    own = load_target(design.target_name).liberty
    try:
        return Path(own) if own else nangate45()
    except ToolMissing:
        return None


def _netlists(design: DesignLayout, form: Form | None) -> Path:
    assert form is not None  # stages of netlists have one
    return netlist_folder(design, form)


def _all(kinds: Iterable[Artefact], design: DesignLayout, form: Form | None) -> _Sources:
    found: _Sources = {}
    for kind in kinds:
        found |= _sources(kind, design, form)
    return found


# --- hashes ---------------------------------------------------------------------------------------
_indices: dict[Path, HashIndex] = {}  # of the build folders looked at by this process


def _hashes(sources: Mapping[str, Path | str | None], build: Path) -> dict[str, str | None]:
    index = _indices.setdefault(build, HashIndex(build / ".hashes.json", _LARGE_BYTES))
    found: dict[str, str | None] = {}
    for label, content in sources.items():
        if isinstance(content, str):
            found[label] = hashlib.sha256(content.encode()).hexdigest()[:HASH_DIGITS]
            continue
        try:
            found[label] = index[content][:HASH_DIGITS] if content else None
        except FileNotFoundError:
            found[label] = None
        except OSError as error:
            raise InputError(f"{content}: cannot be read: {error.strerror}") from error
    with contextlib.suppress(InputError):  # results that may only be read can be looked at too
        index.save()
    return found


def read_now(stage: Stage, design: DesignLayout) -> Hashes:
    """Hashes of all that the stage reads of the design, as it is now.

    Raises:
        InputError: a file or record cannot be read.
    """
    return _hashes(_all(stage.reads, design, stage.form), design.build)


def modules_read(design: DesignLayout, files: Iterable[Path]) -> Hashes:
    """Hashes of CSV files of modules: generated ones, or where the user keeps them."""
    generated = design.data.folder.parent
    labelled = {
        _label(design, file) if file.is_relative_to(generated) else str(file.resolve()): file
        for file in files
    }
    return _hashes(labelled, design.build)


# --- sealing --------------------------------------------------------------------------------------
def write_results(
    stage: Stage, design: DesignLayout, metrics: list[Metric], read: Hashes | None = None
) -> None:
    """Write the stage's metrics, and the seal that binds them to what it read and wrote.

    Args:
        read: hashes of what it read, as they were before; None for as they are now.
    """
    file = metrics_file(stage, design)
    write_metrics(file, metrics)
    wrote = {_label(design, file): file} | _all(stage.writes, design, stage.form)
    _write_seal(file.with_name(SEAL), stage, design, read, wrote)


def discard_results(stage: Stage, design: DesignLayout) -> None:
    """Remove metrics and seal of a stage that is about to destroy what they are of."""
    for file in (metrics_file(stage, design), metrics_file(stage, design).with_name(SEAL)):
        file.unlink(missing_ok=True)


def write_staged_results(
    stage: Stage, design: DesignLayout, folder: Path, metrics: list[Metric], read: Hashes | None
) -> None:
    """The same for a stage whose new results lie in `folder`, which is to take its folder's place:
    all files in it are the stage's results."""
    write_metrics(folder / METRICS, metrics)
    home = metrics_file(stage, design).parent
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != SEAL)
    wrote = {_label(design, home / file.relative_to(folder)): file for file in files}
    _write_seal(folder / SEAL, stage, design, read, wrote)


def _write_seal(
    file: Path,
    stage: Stage,
    design: DesignLayout,
    read: Hashes | None,
    wrote: Mapping[str, Path | str | None],
) -> None:
    read = read_now(stage, design) if read is None else read
    seal = Seal(stage=stage.name, read=dict(read), wrote=_hashes(wrote, design.build))
    write_text(file, json.dumps(seal.model_dump(), indent=1) + "\n")


# --- looking at seals -----------------------------------------------------------------------------
def metrics_file(stage: Stage, design: DesignLayout) -> Path:
    """Where the stage's metrics lie for this design."""
    match stage.scope:
        case Scope.DATA:
            return design.data.metrics
        case Scope.MODEL:
            return design.model.metrics(stage.name)
        case Scope.TARGET:
            return design.target.metrics(stage.name)
        case Scope.FORM:
            assert stage.form is not None  # the scope says so
            return design.shared(stage.form).metrics(stage.name)


def has_results(stage: Stage, design: DesignLayout) -> bool:
    """Whether the stage left results, sound or not."""
    file = metrics_file(stage, design)
    return file.is_file() or file.with_name(SEAL).is_file()


def broken_seal(stage: Stage, design: DesignLayout) -> str | None:
    """Why results that the stage left count no more, in words; None where all that it read and
    wrote is as it was, and what it read is what the stages before it wrote."""
    try:
        return next(_breaks(stage, design), None)
    except InputError as error:
        return str(error)


def _read_seal(stage: Stage, design: DesignLayout) -> Seal:
    file = metrics_file(stage, design).with_name(SEAL)
    if not file.is_file():
        raise InputError(f"{file}: no such file, so nothing tells what was measured")
    seal = load_json_record(file, Seal, "it is written with the results")
    if seal.stage != stage.name:
        raise InputError(f"{file}: of the {seal.stage} stage, not of {stage.name}")
    return seal


def _breaks(stage: Stage, design: DesignLayout) -> Iterator[str]:
    seal = _read_seal(stage, design)
    metrics = metrics_file(stage, design)
    wrote = {_label(design, metrics): metrics} | _all(stage.writes, design, stage.form)
    read = _all(stage.reads, design, stage.form)
    if MODEL_RECORD not in seal.read:  # an imported model has none, whatever its name
        read.pop(MODEL_RECORD, None)
    modules = {label: design.build / label for label in seal.read if _is_of_modules(label)}
    read |= {label: file for label, file in modules.items() if file.is_file()}
    for then, sources in ((seal.read, read), (seal.wrote, wrote)):
        now = _hashes(sources, design.build)
        for label in {**then, **now}:
            if label not in now and (Path(label).is_absolute() or label == MODEL_RECORD):
                continue  # not there any more, or not named: the results are of what was there
            if then.get(label) != now.get(label):
                yield f"{label} {_difference(then.get(label), now.get(label))}"
    for before in _ancestors(stage):
        if has_results(before, design):
            theirs = _read_seal(before, design).wrote
            for label in seal.read.keys() & theirs.keys():
                if seal.read[label] != theirs[label]:
                    yield f"{label} is not what the {before.name} stage wrote"


def _is_of_modules(label: str) -> bool:
    """Whether it is a CSV file of modules: generated ones, or where the user keeps them."""
    return label.startswith("data/") or Path(label).is_absolute()


def _difference(then: str | None, now: str | None) -> str:
    if now is None:
        return "is gone"
    return "has come since" if then is None else "has changed since"


def _ancestors(stage: Stage) -> list[Stage]:
    """All stages that it needs, directly or not."""
    found: dict[str, Stage] = {}
    pending = list(stage.needs)
    while pending:
        name = pending.pop()
        if name not in found:
            found[name] = BY_NAME[name]
            pending += BY_NAME[name].needs
    return list(found.values())
