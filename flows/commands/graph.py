"""Write encoder and decoder for other tools: frozen TensorFlow graph, SavedModel, ONNX.

Every form is read back and run beside the network before any of them is kept.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.encoder import trained_encoder
from flows.artefacts.seals import write_staged_results
from flows.artefacts.settings import read_settings
from flows.artefacts.trained_model import write_json
from flows.artefacts.validation import read_validation
from flows.command_line.options import add_model
from flows.layout import DEFAULT_TARGET, GraphLayout, ModelLayout, design_layout
from flows.provenance import file_hash, provenance
from flows.stages import BY_NAME
from hw.foundation.atomic_file import atomic_directory
from hw.foundation.errors import CheckFailed, InputError, ToolFailed
from reports.catalogue import records
from reports.metrics import Evidence, Metric, Provenance, with_provenance, write_metrics

# the names that CMSSW users give for the ends of encoder and decoder (Ecoder's README)
USUAL_OUTPUTS = ("encoded_vector/Relu", "decoder_output/Sigmoid")
TOLERANCE = 1e-5  # of a floating-point network's outputs: other programs sum in other orders

_VECTORS = 256  # run through every form
_FORMS = ("frozen", "saved_model", "onnx")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="Keras model files: .keras, .h5 or .hdf5 of a whole model, or a .json architecture "
        "followed by the HDF5 file of its weights; default: the networks of --model",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder to write, replaced, for FILEs; default: <build>/graph",
    )
    add_model(parser)


def run(arguments: argparse.Namespace) -> None:
    design = None
    if arguments.files:
        sources = _foreign(arguments.files)
        layout = GraphLayout(arguments.output or arguments.build / "graph")
    else:
        design = design_layout(arguments.build, arguments.model, DEFAULT_TARGET)
        sources = _trained(design.model)
        layout = GraphLayout(arguments.output or design.model.graph)
    _require_replaceable(layout)
    with atomic_directory(layout.folder) as folder:
        written = [_write(GraphLayout(folder), source) for source in sources]
        write_json(
            GraphLayout(folder).index, {result.name: _index_entry(result) for result in written}
        )
        metrics = [metric for result in written for metric in _metrics(result)]
        if design and not arguments.output:
            write_staged_results(BY_NAME["graph"], design, folder, metrics, None)
        else:
            write_metrics(GraphLayout(folder).metrics, metrics)
    for result in written:
        _show(result)
    print(f"wrote {layout.folder}")


# --- the networks --------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Source:
    """A network to write.

    Attributes:
        name: stem of its files.
        network: the Keras network.
        inputs: vectors to compare on, shape (n, *input).
        hash: of the files it came from.
    """

    name: str
    network: Any
    inputs: npt.NDArray[np.float32]
    hash: str


def _trained(layout: ModelLayout) -> list[_Source]:
    """Encoder and, where there is one, decoder of a finished model; inputs are validation modules
    and what the encoder makes of them."""
    from models.networks.inference import outputs_of
    from models.networks.network_files import load_network

    settings = read_settings(layout)
    file = layout.network("encoder")
    if settings is not None and not settings.task.about_modules:
        network = load_network(trained_encoder(layout))
        return [_Source("encoder", network, _some_inputs(file, network), file_hash(file))]
    validation = read_validation(layout)
    images = validation.to_images(validation.calq[:_VECTORS])
    sources = [_Source("encoder", load_network(file), images, file_hash(file))]
    file = layout.network("decoder")
    if file.is_file():
        latents = outputs_of(sources[0].network, images)
        sources.append(_Source("decoder", load_network(file), latents, file_hash(file)))
    else:
        print(f"{layout.folder.name} has no decoder: only its encoder is written")
    return sources


def _foreign(files: list[Path]) -> list[_Source]:
    from models.networks.network_files import WEIGHT_SUFFIXES, load_foreign, load_network

    sources: list[_Source] = []
    rest = list(files)
    while rest:
        file = rest.pop(0)
        used = [file]
        if file.suffix == ".json":
            if not rest or rest[0].suffix not in WEIGHT_SUFFIXES:
                raise InputError(
                    f"{file}: holds no weights; give the HDF5 file of its weights "
                    f"({' or '.join(WEIGHT_SUFFIXES)}) right after it"
                )
            used.append(rest.pop(0))
            network = load_foreign(*used)
        else:
            network = load_network(file)
        if file.stem in (source.name for source in sources):
            raise InputError(f"{file}: two files of the stem '{file.stem}'; rename one of them")
        sources.append(_Source(file.stem, network, _some_inputs(file, network), file_hash(*used)))
    return sources


def _some_inputs(file: Path, network: Any) -> npt.NDArray[np.float32]:
    """Numbers from 0 to 1, the small ones more frequent, as in images and latents of modules."""
    shape = network.input_shape
    if not isinstance(shape, tuple) or None in shape[1:]:
        raise InputError(f"{file}: input of shape {shape}; a graph takes one input of fixed size")
    random = np.random.default_rng(0).random((_VECTORS, *shape[1:]))
    return (random**4).astype(np.float32)


# --- the forms -----------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Written:
    """What was written of one network, and how far each form's outputs are from Keras's.

    Attributes:
        differences: largest absolute difference by form; None where the form was skipped.
        skipped: why, by form.
    """

    name: str
    input: tuple[str, tuple[int | None, ...]]
    output: tuple[str, tuple[int | None, ...]]
    nodes: int
    files: dict[str, str]
    differences: dict[str, float | None]
    skipped: dict[str, str]
    origin: Provenance


def _write(layout: GraphLayout, source: _Source) -> _Written:
    """Write all forms of one network and compare them.

    Raises:
        InputError: the network cannot be a graph.
        CheckFailed: a form does not compute what the network computes.
    """
    from models.keras_backend import tf
    from models.networks import network_export as export
    from models.networks.frozen_graph import freeze
    from models.networks.inference import outputs_of
    from models.networks.number_formats import is_quantised

    name, network = source.name, source.network
    frozen = freeze(network)
    export.write_frozen(frozen, layout.frozen(name), layout.frozen_text(name))
    export.write_saved_model(network, layout.saved_model(name))
    skipped = {}
    try:
        export.write_onnx(frozen, layout.onnx(name))
    except ToolFailed as error:
        skipped["onnx"] = str(error)
    readers: dict[str, tuple[Path, Callable[[Path, Any], Any]]] = {
        "frozen": (layout.frozen(name), export.run_frozen),
        "saved_model": (layout.saved_model(name), export.run_saved_model),
        "onnx": (layout.onnx(name), export.run_onnx),
    }
    expected = outputs_of(network, source.inputs)
    tolerance = 0.0 if is_quantised(network) else TOLERANCE
    differences: dict[str, float | None] = {}
    for form, (file, read) in readers.items():
        if form in skipped:
            differences[form] = None
            continue
        found = read(file, source.inputs)
        difference = float(np.abs(found - expected).max())
        if not difference <= tolerance:
            raise CheckFailed(
                f"{name}: the {form} form differs from Keras by {difference:.3g} (allowed: "
                f"{tolerance:g}) on {len(expected)} vectors; nothing was written"
            )
        differences[form] = difference
    shapes = [tuple(shape) for shape in (network.input_shape, network.output_shape)]
    return _Written(
        name,
        (frozen.input, shapes[0]),
        (frozen.output, shapes[1]),
        len(frozen.graph.node),
        {
            **{form: file.name for form, (file, _) in readers.items() if form not in skipped},
            "frozen_text": layout.frozen_text(name).name,
        },
        differences,
        skipped,
        provenance(
            model_hash=source.hash,
            packages=("tf2onnx", "onnxruntime"),
            tools={"tensorflow": tf.__version__},
        ),
    )


def _index_entry(result: _Written) -> dict[str, Any]:
    def end(named: tuple[str, tuple[int | None, ...]]) -> dict[str, Any]:
        return {"node": named[0], "shape": list(named[1])}

    return {
        "input": end(result.input),
        "output": end(result.output),
        "nodes": result.nodes,
        "files": result.files,
        "largest_difference_from_keras": result.differences,
        "skipped": result.skipped,
    }


def _metrics(result: _Written) -> list[Metric]:
    name = f"graph.{result.name}"
    metrics = []
    for form in _FORMS:
        values = {f"{name}.{form}.difference": result.differences[form]}
        metrics += records(values, evidence=Evidence.ESTIMATE, reason=result.skipped.get(form))
    metrics += records({f"{name}.nodes": result.nodes}, evidence=Evidence.ESTIMATE)
    return with_provenance(metrics, result.origin)


def _show(result: _Written) -> None:
    def end(named: tuple[str, tuple[int | None, ...]]) -> str:
        return f"{named[0]} ({', '.join('any' if n is None else str(n) for n in named[1])})"

    print(f"{result.name}: input {end(result.input)}, output {end(result.output)}")
    if result.output[0] not in USUAL_OUTPUTS:
        print(
            f"  its last layer is not that of {' or '.join(USUAL_OUTPUTS)}: give CMSSW the name "
            f"{result.output[0]}"
        )
    for form in _FORMS:
        if form in result.skipped:
            print(f"  {form}: skipped: {result.skipped[form]}")
        else:
            print(
                f"  {form}: {result.files[form]}, largest difference from Keras "
                f"{result.differences[form]:.3g}"
            )


def _require_replaceable(layout: GraphLayout) -> None:
    """Never replace a folder that this stage did not write."""
    folder = layout.folder
    if layout.index.is_file() or not folder.exists():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise InputError(f"{folder}: exists and holds other files; give --output another folder")
