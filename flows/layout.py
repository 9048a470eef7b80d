"""Where every step's artefacts live: the only place that knows folder and file names."""

from dataclasses import dataclass
from pathlib import Path

from hw.forms import Form

METRICS = "metrics.json"
DEFAULT_BUILD = Path("build")
DEFAULT_MODEL = "8x8_c8_S2_qK"
DEFAULT_TARGET = "econ_t"


@dataclass(frozen=True)
class DataLayout:
    """Files of one data set under `<build>/data/<name>/`."""

    folder: Path

    @property
    def generated_csv(self) -> Path:
        return self.folder / "modules.csv"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.json"

    @property
    def histograms(self) -> Path:
        """Counts of the four published distributions for this data set."""
        return self.folder / "histograms.json"


@dataclass(frozen=True)
class ModelLayout:
    """Files of one trained (or imported) model under `<build>/<model>/`, shared by all targets."""

    folder: Path

    def metrics(self, stage: str) -> Path:
        """What a stage measured of the model: `<build>/<model>/<stage>/metrics.json`."""
        return self.folder / stage / METRICS

    @property
    def train(self) -> Path:
        return self.folder / "train"

    def network(self, part: str) -> Path:
        """Keras model file of `encoder`, `decoder` or `autoencoder`."""
        return self.train / f"{part}.keras"

    def architecture(self, part: str) -> Path:
        """Keras JSON (no weights) of the same part, for tools that read only the architecture."""
        return self.train / f"{part}.json"

    @property
    def settings(self) -> Path:
        """Resolved settings of the training: model record, data, seed, normalisation."""
        return self.train / "settings.json"

    @property
    def history(self) -> Path:
        return self.train / "history.json"

    @property
    def integer_weights(self) -> Path:
        return self.train / "weights_integer.npz"

    @property
    def validation(self) -> Path:
        """The validation modules: array `calq` (n, 48) in CALQ counts, and what else is known."""
        return self.train / "validation.npz"

    @property
    def validation_csv(self) -> Path:
        """Folder of CSV files of the first validation modules: inputs, latents, decoded outputs."""
        return self.train / "csv"

    @property
    def energies(self) -> Path:
        """Simulated energies of the validation modules (CSV), where asked for."""
        return self.train / "energies.csv"

    @property
    def checkpoint(self) -> Path:
        """State of a training that is not finished; beside `train`, which holds finished ones."""
        return self.folder / "checkpoint.npz"

    @property
    def golden(self) -> Path:
        """An imported model's golden pairs: arrays `images` and `latents`; may be absent."""
        return self.train / "golden.npz"

    @property
    def evaluate(self) -> Path:
        return self.folder / "evaluate"

    @property
    def evaluation(self) -> Path:
        """Per-module results for the plots: every measure, of the other algorithms too."""
        return self.evaluate / "evaluation.npz"

    @property
    def plots(self) -> Path:
        """The evaluation's pictures as PNG and SVG files."""
        return self.evaluate / "plots"

    @property
    def network_values(self) -> Path:
        """Weights, latents and layer outputs of some modules, for the plots."""
        return self.evaluate / "network_values.npz"

    @property
    def arithmetic(self) -> Path:
        """Curves of plain and hardware-exact training; only of a model in the chip's arithmetic."""
        return self.evaluate / "arithmetic.npz"

    @property
    def graph(self) -> Path:
        """The networks in the forms of other tools; see GraphLayout."""
        return self.folder / "graph"


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

    @property
    def index(self) -> Path:
        """Node names, shapes and files of every network (JSON)."""
        return self.folder / "graph.json"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.json"


@dataclass(frozen=True)
class EmdCnnLayout:
    """Files of one learned earth mover's distance under `<build>/<model>/emd-cnn/`."""

    folder: Path

    @property
    def network(self) -> Path:
        """Keras file, for the loss `emd_cnn:FILE`."""
        return self.folder / "network.keras"

    @property
    def settings(self) -> Path:
        return self.folder / "settings.json"

    @property
    def history(self) -> Path:
        return self.folder / "history.json"

    @property
    def pairs(self) -> Path:
        """The held-out pairs: arrays `exact`, `predicted` (half pitches), `reconstructed`."""
        return self.folder / "pairs.npz"

    @property
    def plots(self) -> Path:
        return self.folder / "plots"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.json"

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

    @property
    def hls(self) -> Path:
        """The complete HLS project."""
        return self.folder / "hls"

    @property
    def block(self) -> Path:
        """The HLS project of the whole chip block; only of an encoder in the chip's arithmetic."""
        return self.folder / "block"

    @property
    def hls_types(self) -> Path:
        """Fixed-point type of every layer (JSON), as hls4ml settled them."""
        return self.hls / "layer_types.json"

    @property
    def csim(self) -> Path:
        return self.folder / "csim"

    @property
    def csim_difference(self) -> Path:
        """The first vector whose codes differ (JSON); present only after a failure."""
        return self.csim / "first_difference.json"

    @property
    def rtl(self) -> Path:
        """The generated Verilog, with its record `design.json`."""
        return self.folder / "rtl"

    @property
    def rtlsim(self) -> Path:
        return self.folder / "rtlsim"

    @property
    def rtlsim_difference(self) -> Path:
        """The first vector whose codes differ (JSON); present only after a failure."""
        return self.rtlsim / "first_difference.json"

    @property
    def rtlsim_waveform(self) -> Path:
        """Waveforms of all signals at that vector."""
        return self.rtlsim / "first_difference.vcd"

    @property
    def synth(self) -> Path:
        """A folder for each technology: script, log, netlist and statistics."""
        return self.folder / "synth"

    @property
    def rtlsim_reconfigurable(self) -> Path:
        """Simulation of the chip's own RTL; only of an encoder in the chip's arithmetic."""
        return self.folder / "rtlsim-reconfigurable"

    @property
    def plots(self) -> Path:
        """The report's pictures as PNG and SVG files."""
        return self.folder / "plots"

    @property
    def summary(self) -> Path:
        return self.folder / "summary.json"

    @property
    def markdown(self) -> Path:
        return self.folder / "report.md"

    @property
    def html(self) -> Path:
        return self.folder / "report.html"


def data_layout(build: Path, data: Path | None) -> DataLayout:
    """Layout of the data set at `data`, or of the generated one where it is None."""
    return DataLayout(build / "data" / (data.resolve().name if data else "generated"))


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
    return TargetLayout(shared_folder(build, form) / _folder_name(target))


def model_layout(build: Path, model: str) -> ModelLayout:
    return ModelLayout(build / _folder_name(model))


def emd_cnn_layout(build: Path, name: str) -> EmdCnnLayout:
    return EmdCnnLayout(build / _folder_name(name) / "emd-cnn")


def target_layout(build: Path, model: str, target: str) -> TargetLayout:
    return TargetLayout(build / _folder_name(model) / _folder_name(target))


def _folder_name(design: str) -> str:
    """The name of a model or target; a path to its own YAML file gives that file's stem."""
    return Path(design).stem if design.endswith((".yaml", ".yml")) else design


@dataclass(frozen=True)
class DesignLayout:
    """All folders of one model on one target, and of the data that it is made from.

    Attributes:
        build: the build folder.
        target_name: the target as it was given: a name, or a path to a YAML file.
    """

    build: Path
    model: ModelLayout
    target: TargetLayout
    data: DataLayout
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
        target,
    )
