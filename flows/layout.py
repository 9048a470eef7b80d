"""Where every stage's artefacts live: the only place that knows folder and file names."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.forms import Form
from hw.foundation.errors import InputError

METRICS = "metrics.json"
DEFAULT_BUILD = Path("build")
DEFAULT_MODEL = "4x4x3_dense_w5"
DEFAULT_TARGET = "econ_t"


ASIC = "asic"
"""The folder of the netlist that is mapped to the cell library, beside those of FPGA families."""

GENERATED_DATA = "generated"
"""Name of the data set that the data stage generates."""

TAKEN_NAMES = frozenset(
    {"data", "compare", "search", "plots", "block", "checkpoint"}
    | {"train", "emd-cnn", "evaluate", "flops", "upsets", "graph"}
    | {"hls", "csim", "rtl", "rtlsim", "synth", "timing", "gatesim", "equivalence", "ecp5"}
    | {"energy", "gateupsets", "protection", "vendor"}
)
"""What models, targets and data sets cannot be called: folders of that name hold other things."""

_NAME = re.compile(r"[A-Za-z0-9_][\w.+-]*")


class _Below:
    """A file or folder below the folder of a layout."""

    def __init__(self, *parts: str) -> None:
        self._path = Path(*parts)

    def __get__(self, layout: Any, _owner: type) -> Path:
        return Path(layout.folder) / self._path


@dataclass(frozen=True)
class DataLayout:
    """Files of one data set under `<build>/data/<name>/`."""

    folder: Path
    generated_csv = _Below("modules.csv")
    metrics = _Below(METRICS)
    # counts of the four published distributions for this data set
    histograms = _Below("histograms.json")


@dataclass(frozen=True)
class ModelLayout:
    """Files of one trained (or imported) model under `<build>/<model>/`, shared by all targets."""

    folder: Path

    def metrics(self, stage: str) -> Path:
        """What a stage measured of the model: `<build>/<model>/<stage>/metrics.json`."""
        return self.folder / stage / METRICS

    train = _Below("train")

    def network(self, part: str) -> Path:
        """Keras model file of `encoder`, `decoder` or `autoencoder`."""
        return self.train / f"{part}.keras"

    def architecture(self, part: str) -> Path:
        """Keras JSON (no weights) of the same part, for tools that read only the architecture."""
        return self.train / f"{part}.json"

    # resolved settings of the training: model record, data, seed, normalisation
    settings = _Below("train", "settings.json")
    history = _Below("train", "history.json")
    integer_weights = _Below("train", "weights_integer.npz")
    # the validation modules: array `calq` (n, 48) in CALQ counts, and what else is known
    validation = _Below("train", "validation.npz")
    # folder of CSV files of the first validation modules: inputs, latents, decoded outputs
    validation_csv = _Below("train", "csv")
    # simulated energies of the validation modules (CSV), where asked for
    energies = _Below("train", "energies.csv")
    # state of a training that is not finished; beside `train`, which holds finished ones
    checkpoint = _Below("checkpoint.npz")
    # an imported model's golden pairs: arrays `images` and `latents`; may be absent
    golden = _Below("train", "golden.npz")
    evaluate = _Below("evaluate")
    # per-module results for the plots: every measure, of the other algorithms too
    evaluation = _Below("evaluate", "evaluation.npz")
    plots = _Below("evaluate", "plots")  # the evaluation's pictures as PNG and SVG files
    # weights, latents and layer outputs of some modules, for the plots
    network_values = _Below("evaluate", "network_values.npz")
    # curves of plain and hardware-exact training; only of a model in the chip's arithmetic
    arithmetic = _Below("evaluate", "arithmetic.npz")
    upsets = _Below("upsets")
    # every stored bit with the damage of its flip, the most harmful first (CSV)
    upset_table = _Below("upsets", "bits.csv")
    # the same as arrays, in the order of the weights, and the curves of many flips
    upset_arrays = _Below("upsets", "upsets.npz")
    upset_plots = _Below("upsets", "plots")
    # blocks of bits that an interrupted measurement has finished
    upset_blocks = _Below("upsets", "partial")
    graph = _Below("graph")  # the networks in the forms of other tools; see GraphLayout


@dataclass(frozen=True)
class GraphLayout:
    """Files of networks written for other tools: TensorFlow graphs, SavedModels, ONNX."""

    folder: Path

    def frozen(self, network: str) -> Path:
        """Frozen TensorFlow graph."""
        return self.folder / f"{network}.pb"

    def frozen_text(self, network: str) -> Path:
        """The same graph as text."""
        return self.folder / f"{network}.pbtxt"

    def saved_model(self, network: str) -> Path:
        return self.folder / f"{network}_saved_model"

    def onnx(self, network: str) -> Path:
        return self.folder / f"{network}.onnx"

    index = _Below("graph.json")  # node names, shapes and files of every network (JSON)
    metrics = _Below(METRICS)


@dataclass(frozen=True)
class EmdCnnLayout:
    """Files of one learned earth mover's distance under `<build>/<model>/emd-cnn/`."""

    folder: Path
    network = _Below("network.keras")  # Keras file, for the loss `emd_cnn:FILE`
    settings = _Below("settings.json")
    history = _Below("history.json")
    # the held-out pairs: arrays `exact`, `predicted` (half pitches), `reconstructed`
    pairs = _Below("pairs.npz")
    plots = _Below("plots")
    metrics = _Below(METRICS)

    @property
    def checkpoint(self) -> Path:
        """State of a training that is not finished; beside the folder of finished ones."""
        return self.folder.with_name(f"{self.folder.name}.checkpoint.npz")


@dataclass(frozen=True)
class TargetLayout:
    """Files of one model on one target under `<build>/<model>/<target>/`.

    What serves all models lies in the same way under the folder that its form names (`hw.forms`).
    """

    folder: Path

    def metrics(self, stage: str) -> Path:
        """What a stage measured: `<build>/<model>/<target>/<stage>/metrics.json`."""
        return self.folder / stage / METRICS

    hls = _Below("hls")  # the complete HLS project
    # the HLS project of the whole chip block; only of an encoder in the chip's arithmetic
    block = _Below("block")
    # fixed-point type of every layer (JSON), as hls4ml settled them
    hls_types = _Below("hls", "layer_types.json")
    csim = _Below("csim")
    # the first vector whose codes differ (JSON); present only after a failure
    csim_difference = _Below("csim", "first_difference.json")
    rtl = _Below("rtl")  # the generated Verilog, with its record `design.json`
    rtlsim = _Below("rtlsim")
    # the first vector whose codes differ (JSON); present only after a failure
    rtlsim_difference = _Below("rtlsim", "first_difference.json")
    # waveforms of all signals at that vector
    rtlsim_waveform = _Below("rtlsim", "first_difference.vcd")
    synth = _Below("synth")  # a folder for each technology: script, log, netlist and statistics
    # simulation of the chip's own RTL; only of an encoder in the chip's arithmetic
    rtlsim_reconfigurable = _Below("rtlsim-reconfigurable")
    plots = _Below("plots")  # the report's pictures as PNG and SVG files
    summary = _Below("summary.json")
    markdown = _Below("report.md")
    html = _Below("report.html")


@dataclass(frozen=True)
class SearchLayout:
    """Files of one search for networks under `<build>/search/<space>/`."""

    folder: Path
    lock = _Below(".lock")  # held by the driver, the only one that touches the study
    settings = _Below("space.json")  # the search space as it was when the search began
    study = _Below("study.journal")  # Optuna's storage
    data = _Below("data")  # what the making of the data printed
    designs = _Below("designs")  # a build folder: the data, and the model of each trial
    front = _Below("front")  # a YAML file of each model of the front
    trials = _Below("trials.json")
    table = _Below("front.csv")
    markdown = _Below("report.md")
    html = _Below("report.html")

    def trial(self, number: int) -> "TrialLayout":
        place = f"{number:04d}"
        return TrialLayout(self.folder / "trials" / place, f"{self.folder.name}-{place}")


@dataclass(frozen=True)
class TrialLayout:
    """Files of one trial of a search.

    Attributes:
        folder: `<build>/search/<space>/trials/<number>`.
        name: of its model.
    """

    folder: Path
    name: str
    record = _Below("trial.json")  # how it ended
    log = _Below("log.txt")  # what its stages printed
    lock = _Below(".lock")  # held by the stage that runs

    @property
    def model(self) -> Path:
        """Its model as a YAML file."""
        return self.folder / f"{self.name}.yaml"


def search_layout(build: Path, space: str) -> SearchLayout:
    """Layout of the search of that space."""
    return SearchLayout(build / "search" / _folder_name(space, "space"))


def data_layout(build: Path, data: Path | None) -> DataLayout:
    """Layout of the data set at `data`, or of the generated one where it is None.

    Raises:
        InputError: a file or folder of that name cannot name a data set.
    """
    if data is None:
        return DataLayout(build / "data" / GENERATED_DATA)
    name = data.resolve().name
    if name in ("", GENERATED_DATA) or name.startswith("."):
        raise InputError(f"--data {data}: '{name}' cannot name a data set; rename the folder")
    return DataLayout(build / "data" / name)


def cache_folder(build: Path) -> Path:
    """Fast copies of the CSV files read, by their content, so one folder for all data sets."""
    return build / "data" / ".cache"


def shared_folder(build: Path, form: Form) -> Path:
    """What is made of a form once for all models and targets: compiled simulations, netlists.

    Raises:
        ValueError: each model has its own.
    """
    if form.shared_folder is None:
        raise ValueError(f"the {form.name} form serves one model only")
    return build / form.shared_folder


def shared_layout(build: Path, form: Form, target: str) -> TargetLayout:
    """What a target's stages measured of a form that serves all models."""
    return TargetLayout(shared_folder(build, form) / _folder_name(target, "target"))


def model_layout(build: Path, model: str) -> ModelLayout:
    return ModelLayout(build / _folder_name(model, "model"))


def emd_cnn_layout(build: Path, name: str) -> EmdCnnLayout:
    return EmdCnnLayout(build / _folder_name(name, "model") / "emd-cnn")


def target_layout(build: Path, model: str, target: str) -> TargetLayout:
    return TargetLayout(model_layout(build, model).folder / _folder_name(target, "target"))


def _folder_name(given: str, what: str) -> str:
    """The name of a model or target; a path to its own YAML file gives that file's stem.

    Raises:
        InputError: no folder can have that name: results are written and removed by it.
    """
    name = Path(given).stem if given.endswith((".yaml", ".yml")) else given
    if not _NAME.fullmatch(name) or name in TAKEN_NAMES:
        why = "is the name of a stage's folder" if name in TAKEN_NAMES else "is no name of a folder"
        raise InputError(
            f"--{what} '{given}': '{name}' {why}; give letters, digits and . _ + - (a path to a "
            f"{what}'s own file ends in .yaml)"
        )
    return name


@dataclass(frozen=True)
class DesignLayout:
    """All folders of one model on one target, and of the data that it is made from.

    Attributes:
        build: the build folder.
        model_name, target_name: as they were given: a name, or a path to a YAML file.
    """

    build: Path
    model: ModelLayout
    target: TargetLayout
    data: DataLayout
    model_name: str
    target_name: str

    @property
    def name(self) -> str:
        """Model and target, in words."""
        return f"{self.model.folder.name} on {self.target.folder.name}"

    def shared(self, form: Form) -> TargetLayout:
        """What the target's stages measured of a form that serves all models."""
        return shared_layout(self.build, form, self.target_name)


def design_layout(
    build: Path, model: str, target: str, data: DataLayout | None = None
) -> DesignLayout:
    """The folders of a design.

    Args:
        data: the data set; None for the generated one.
    """
    return DesignLayout(
        build,
        model_layout(build, model),
        target_layout(build, model, target),
        data or data_layout(build, None),
        model,
        target,
    )


def netlist_folder(design: DesignLayout, form: Form) -> Path:
    """A folder for each technology; that of a form that serves all models, for all targets too."""
    if form.shared_folder is None:
        return design.target.synth
    return shared_folder(design.build, form) / f"synth{form.suffix}"
