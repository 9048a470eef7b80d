"""A network in integers to a complete HLS C++ project, through hls4ml.

Every layer is given to hls4ml with its weights and the formats of all its numbers, so that the C++
equals the network code for code.  hls4ml is imported here only when it is used: it would import
Keras, which the caller has imported in the generation that the project needs.
"""

import contextlib
import importlib.metadata
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from pydantic import ValidationError

from hw.backends.registry import BACKENDS
from hw.foundation.atomic_file import atomic_directory, write_text
from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat, parse_format
from hw.foundation.integer_network import IntegerNetwork, NoFixedPoint
from hw.foundation.record_types import FormatText
from hw.foundation.strict_config import StrictRecord
from hw.hls.layer_list import layer_list
from hw.targets.target import Target

TOP = "econt_encoder"
"""Name of the top function, and of the C++ file that holds it."""

_PROJECT_FILE = "project.json"


class Port(StrictRecord):
    """The input or output of the top function.

    Attributes:
        name: of the network's layer.
        cpp_type: type name in the C++; a pack of them in a streaming design.
        number_format: in the notation of `hw.foundation.fixed_point`.
        shape: without the batch.
    """

    name: str
    cpp_type: str
    number_format: FormatText
    shape: tuple[int, ...]

    @property
    def fixed(self) -> FixedFormat:
        return parse_format(self.number_format)

    @property
    def size(self) -> int:
        """Numbers in one vector."""
        product = 1
        for extent in self.shape:
            product *= extent
        return product


class LayerType(StrictRecord):
    """The number formats of one layer, as hls4ml settled them; None where it has no such number.

    Attributes:
        name: as in Keras; layers that hls4ml adds have names of its own.
        kind: hls4ml's class.
        inputs: names of the layers that it reads.
        arrays: names of its constant arrays in the C++, each in `firmware/weights/<array>.h`.
        result: format of its output; also of a layer that only moves numbers.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    arrays: tuple[str, ...]
    result: FormatText
    weight: str | None = None
    bias: str | None = None
    accumulator: str | None = None
    reuse_factor: int | None = None


class HlsProject(StrictRecord):
    """What other steps need to know of an HLS project; kept in its folder as `project.json`.

    Attributes:
        top: name of the top function; its source is `firmware/<top>.cpp`.
        target: the target it was made for, resolved.
        encoder_hash: of the model file it was made from.
        hls4ml: version.
        inputs, output: ports of the top function.
        layers: in the order of computation.
    """

    top: str
    target: Target
    encoder_hash: str
    hls4ml: str
    inputs: tuple[Port, ...]
    output: Port
    layers: tuple[LayerType, ...]

    @property
    def input_size(self) -> int:
        """Numbers in one vector of all inputs."""
        return sum(port.size for port in self.inputs)


def convert(
    network: IntegerNetwork,
    target: Target,
    folder: Path,
    *,
    encoder_hash: str,
    log: Path,
    weights_as_ports: bool = False,
) -> tuple[Any, HlsProject]:
    """Convert a network to an HLS project in `folder`, which is replaced as a whole.

    The same network and target give the same files, but for the absolute path of `folder`, which
    hls4ml writes into its own configuration.

    Args:
        encoder_hash: hash of the model file, recorded in the project.
        log: file that receives all that hls4ml prints and warns.
        weights_as_ports: weights are arguments of the top function instead of constants.

    Returns:
        hls4ml's ModelGraph and the project's record.

    Raises:
        Refused: a layer that hls4ml cannot write for this target; names it.
        InputError: hls4ml fails; tells its words and the log.
    """
    folder = folder.resolve()
    log.parent.mkdir(parents=True, exist_ok=True)
    with atomic_directory(folder) as temporary:
        with _conversion(target, log):
            graph = _hls4ml_graph(network, target, temporary, weights_as_ports=weights_as_ports)
            project = _describe(graph, target, encoder_hash)
            graph.write()
        # Catapult's writer leaves an archive beside the project
        temporary.with_name(temporary.name + ".tar.gz").unlink(missing_ok=True)
        _settle(temporary, folder, graph.config.config["Stamp"], encoder_hash)
        write_text(temporary / _PROJECT_FILE, project.model_dump_json(indent=1) + "\n")
    graph.config.config["OutputDir"] = str(folder)
    return graph, project


def read_project(folder: Path) -> HlsProject:
    """The record of the HLS project in `folder`.

    Raises:
        InputError: no such project, or a damaged one.
    """
    file = folder / _PROJECT_FILE
    try:
        return HlsProject.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"{folder}: holds no HLS project; run the hls stage first") from error
    except ValidationError as error:
        raise InputError(f"{file}: damaged; run the hls stage anew ({error})") from error


def write_layer_types(file: Path, layers: tuple[LayerType, ...]) -> None:
    """Write the layers' number formats for the report: a JSON list, one mapping a layer."""
    records = [
        {"name": layer.name, "class": layer.kind}
        | layer.model_dump(exclude={"name", "kind", "inputs", "arrays"}, exclude_none=True)
        for layer in layers
    ]
    write_text(file, json.dumps(records, indent=1) + "\n")


def layer_types(graph: Any) -> tuple[LayerType, ...]:
    """The number formats of every layer of an hls4ml ModelGraph.

    Raises:
        NoFixedPoint: a layer whose result is in no fixed-point format of at most 62 bits.
    """
    return tuple(_layer_type(layer) for layer in graph.get_layers())


def _hls4ml_graph(
    network: IntegerNetwork, target: Target, folder: Path, *, weights_as_ports: bool
) -> Any:
    import hls4ml
    from hls4ml.model.graph import ModelGraph

    layers = layer_list(network, target.io_type)
    model = {
        "Precision": "fixed<16,6>",  # of nothing: each layer has its own
        "ReuseFactor": target.reuse_factor,
        "Strategy": target.strategy,
        "BitExact": False,
    }
    if weights_as_ports:
        model["BramFactor"] = 0  # arrays of more weights than this are ports
    config = hls4ml.converters.create_config(
        output_dir=str(folder),
        project_name=TOP,
        backend=target.backend,
        io_type=target.io_type,
        clock_period=target.clock_period_ns,
        **BACKENDS[target.backend].conversion_options(target),
    )
    config |= {"InputData": None, "OutputPredictions": None}
    config["HLSConfig"] = {
        "Model": model,
        "LayerName": {
            name: {
                "Trace": True,
                "Strategy": target.strategy,
                "ReuseFactor": target.reuse_factor,
                "Precision": {role: str(number) for role, number in formats.items()},
            }
            for name, formats in layers.formats.items()
        },
    }
    inputs = [operation.name for operation in network.inputs]
    graph = ModelGraph.from_layer_list(config, layers.layers, inputs, [network.output])
    graph.config.trace_output = True  # calls that show each layer's result to a C-simulation
    return graph


def _describe(graph: Any, target: Target, encoder_hash: str) -> HlsProject:
    return HlsProject(
        top=TOP,
        target=target,
        encoder_hash=encoder_hash,
        hls4ml=importlib.metadata.version("hls4ml"),
        inputs=tuple(_port(graph, variable) for variable in graph.get_input_variables()),
        output=_port(graph, graph.get_output_variables()[0]),
        layers=layer_types(graph),
    )


def _port(graph: Any, variable: Any) -> Port:
    owner = next(
        layer for layer in graph.get_layers() if layer.get_output_variable().name == variable.name
    )
    return Port(
        name=owner.name,
        cpp_type=variable.type.name,
        number_format=_layer_type(owner).result,
        shape=tuple(int(extent) for extent in variable.shape),
    )


def _layer_type(layer: Any) -> LayerType:
    precision = layer.get_output_variable().type.precision
    try:
        result = str(parse_format(str(precision)))
    except (ValueError, TypeError) as error:
        raise NoFixedPoint(
            f"layer '{layer.name}' ({layer.class_name}) gets the number format {precision}: no "
            "exact fixed-point format reaches it; quantise the network's input, weights and "
            "activations (--quantize, or a quantised model of the zoo)"
        ) from error
    weights = {key: _short(weight.type.precision) for key, weight in layer.weights.items()}
    accumulator = layer.get_attr("accum_t")
    reuse = layer.get_attr("reuse_factor")
    return LayerType(
        name=layer.name,
        kind=layer.class_name,
        inputs=tuple(layer.inputs) if layer.class_name != "Input" else (),
        arrays=tuple(weight.name for weight in layer.weights.values()),
        result=result,
        weight=weights.get("weight") or weights.get("scale"),
        bias=weights.get("bias"),
        accumulator=_short(accumulator.precision) if accumulator is not None else None,
        reuse_factor=int(reuse) if reuse is not None and layer.weights else None,
    )


def _short(precision: Any) -> str:
    """A type in the notation of `hw.foundation.fixed_point` where it is a fixed-point type."""
    try:
        return str(parse_format(str(precision)))
    except (ValueError, TypeError):
        return str(precision)


def _settle(folder: Path, final: Path, stamp: str, encoder_hash: str) -> None:
    """Name the final folder where hls4ml wrote the temporary one; a random stamp, the encoder."""
    for file in folder.iterdir():
        if file.suffix in (".cpp", ".sh", ".tcl", ".yml"):
            text = file.read_text(encoding="utf-8")
            settled = text.replace(str(folder), str(final)).replace(stamp, encoder_hash[:8])
            if settled != text:
                file.write_text(settled, encoding="utf-8")


@contextlib.contextmanager
def _conversion(target: Target, log: Path) -> Iterator[None]:
    """Send hls4ml's output to the log and make its failures ours."""
    with _chatter_to(log), _single_bits():
        try:
            yield
        except (InputError, OSError):  # a full disk, for one, is none of the network's faults
            raise
        except Exception as error:  # hls4ml raises bare Exceptions and AssertionErrors
            raise InputError(
                f"hls4ml cannot convert this network for {target.backend}: "
                f"{type(error).__name__}: {error} (all it printed: {log})"
            ) from error


@contextlib.contextmanager
def _single_bits() -> Iterator[None]:
    """Have numbers of one bit written so for Catapult: hls4ml 1.3.0 gives them two, for oneAPI."""
    from hls4ml.backends.fpga.fpga_types import ACFixedPrecisionDefinition

    written = ACFixedPrecisionDefinition.definition_cpp

    def definition_cpp(precision: Any) -> str:
        text: str = written(precision)
        return text.replace("<2,", "<1,", 1) if precision.width == 1 else text

    with mock.patch.object(ACFixedPrecisionDefinition, "definition_cpp", definition_cpp):
        yield


@contextlib.contextmanager
def _chatter_to(log: Path) -> Iterator[None]:
    """Send what Python code prints, warns and logs to a file instead of the terminal."""
    with (
        log.open("w", encoding="utf-8") as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        handler = logging.StreamHandler(stream)
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)
