"""Reading Keras model files that may come from anywhere, without running code from them.

Keras rebuilds a model from a description that names Python classes, modules and functions, and may
carry byte code (Lambda layers).  So before Keras sees a description, every class, module and
activation that it names is checked against the short list of those that this project handles.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hw.foundation.errors import InputError
from hw.foundation.strict_config import did_you_mean
from models.keras_backend import keras, qkeras
from models.networks.conv_mask import KeptPixels
from models.networks.description_limits import fault_of_call, fault_of_order, fault_of_sizes
from models.networks.floored_layers import FixedPoint, FlooredConv2D, FlooredDense

_MODELS = {"Functional", "Model", "Sequential"}
_LAYERS = {
    "InputLayer", "Dense", "Conv1D", "Conv2D", "Conv2DTranspose", "DepthwiseConv2D",
    "BatchNormalization", "Activation", "ReLU", "LeakyReLU", "Softmax", "Dropout",
    "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D",
    "GlobalMaxPooling1D", "GlobalAveragePooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling2D",
    "UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D",
    "SeparableConv1D", "SeparableConv2D", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise",
    "GaussianDropout", "AlphaDropout", "ActivityRegularization",
    "Flatten", "Reshape", "Permute", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum",
    "Concatenate",
    "QDense", "QConv1D", "QConv2D", "QConv2DTranspose", "QDepthwiseConv2D", "QSeparableConv1D",
    "QSeparableConv2D", "QConv2DBatchnorm", "QDepthwiseConv2DBatchnorm", "QBatchNormalization",
    "QAveragePooling2D", "QGlobalAveragePooling2D", "QActivation", "QAdaptiveActivation",
    "FlooredConv2D", "FlooredDense", "FixedPoint",
}  # fmt: skip
# layers of FKeras: those of QKeras with two more keys, which tell where to flip bits
_FAULTY = {
    f"F{name}": name for name in ("QDense", "QConv1D", "QConv2D", "QDepthwiseConv2D", "QActivation")
}
_FAULT_KEYS = ("ber", "bit_loc")
_QUANTISERS = {
    "quantized_bits", "quantized_relu", "quantized_po2", "quantized_relu_po2", "quantized_tanh",
    "quantized_sigmoid", "quantized_hswish", "quantized_ulaw", "bernoulli", "binary", "ternary",
    "stochastic_binary", "stochastic_ternary",
}  # fmt: skip
_PARTS = {
    "Zeros", "Ones", "Constant", "RandomNormal", "RandomUniform", "TruncatedNormal", "Orthogonal",
    "VarianceScaling", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal",
    "LecunUniform", "QInitializer", "L1", "L2", "L1L2", "MaxNorm", "MinMaxNorm", "NonNeg",
    "UnitNorm", "Clip", "KeptPixels",
}  # fmt: skip
_CLASSES = _MODELS | _LAYERS | _QUANTISERS | _PARTS
_ACTIVATIONS = _QUANTISERS | {
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "sigmoid", "hard_sigmoid",
    "tanh", "softmax", "softplus", "softsign", "swish", "exponential",
    "hard_tanh", "smooth_sigmoid", "smooth_tanh", "binary_sigmoid", "binary_tanh",
}  # fmt: skip
_PACKAGES = {"keras", "tf_keras", "qkeras", "builtins", "models"}
WEIGHT_SUFFIXES = (".hdf5", ".h5")  # of weights alone, whose architecture is a .json beside them
_LARGEST_TEXT = 20_000_000  # bytes of a description
_ARCHIVE = {"config.json", "metadata.json", "model.weights.h5"}


class _ReadableActivation(qkeras.QActivation):
    """Rebuilds the quantiser of a QActivation, which QKeras 0.9 leaves as its description."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> qkeras.QActivation:
        activation = config["activation"]
        if not isinstance(activation, str):
            activation = qkeras.quantizers.get_quantizer(activation)
        return qkeras.QActivation(**(config | {"activation": activation}))


def custom_objects() -> dict[str, Any]:
    """The classes beyond Keras's own that this project's model files name."""
    objects: dict[str, Any] = {}
    qkeras.utils._add_supported_quantized_objects(objects)
    ours = (KeptPixels, FlooredConv2D, FlooredDense, FixedPoint)
    return objects | {"QActivation": _ReadableActivation} | {kind.__name__: kind for kind in ours}


def load_network(path: Path | str) -> keras.Model:
    """The network in a Keras 2 model file: `.keras`, or HDF5 of a whole model (`.h5`, `.hdf5`).

    Raises:
        InputError: no such file, not such a file, a layer that carries code or is unknown, or
            weights that do not fit; names file and layer.
    """
    path = Path(path)
    _require_file(path)
    if path.suffix == ".json":
        raise InputError(f"{path}: holds no weights; give the HDF5 file of its weights with it")
    # by suffix first, as Keras does: a file can be a zip archive and HDF5 at once
    if path.suffix == ".keras" and zipfile.is_zipfile(path):
        return _load_archive(path)
    if path.suffix != ".keras" and h5py.is_hdf5(path):
        return _load_hdf5(path)
    raise InputError(f"{path}: neither a .keras file nor a Keras HDF5 file (.h5, .hdf5)")


def load_architecture(path: Path | str) -> keras.Model:
    """A network with random weights from Keras 2 JSON (`model.to_json()`).

    Raises:
        InputError: as `load_network`.
    """
    path = Path(path)
    _require_file(path)
    if path.stat().st_size > _LARGEST_TEXT:
        raise InputError(f"{path}: too large for the description of a network")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a Keras JSON file: it is not even text") from error
    return _build(text, path)


def load_foreign(architecture: Path | str, weights: Path | str) -> keras.Model:
    """A network from its Keras 2 JSON and the HDF5 file of its weights.

    Raises:
        InputError: as `load_network`; also a layer whose weights are missing, of another shape,
            or not finite.
    """
    network = load_architecture(architecture)
    weights = Path(weights)
    _require_file(weights)
    if not h5py.is_hdf5(weights):
        raise InputError(f"{weights}: not an HDF5 file of Keras weights")
    with _reading(weights), h5py.File(weights, "r") as file:
        _set_weights(network, file, weights)
    return network


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Damage of an archive, which h5py and zipfile tell by nearly any error, becomes one."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: damaged: {type(error).__name__}: {_cause(error)}; train or import the "
            "model anew, or take the file from where it came again"
        ) from error


def _load_archive(path: Path) -> keras.Model:
    with _reading(path), zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        if names != _ARCHIVE:
            odd = ", ".join(sorted(names ^ _ARCHIVE))
            raise InputError(
                f"{path}: not a .keras file of a plain network (missing or extra: {odd})"
            )
        version = str(_parse(archive.read("metadata.json"), path).get("keras_version", ""))
        config = _parse(archive.read("config.json"), path)
    if version.startswith("3."):
        raise InputError(_keras_3(path))
    _check(config, path)
    try:
        return keras.models.load_model(
            path, custom_objects=custom_objects(), compile=False, safe_mode=True
        )
    except Exception as error:
        raise InputError(f"{path}: Keras cannot load it: {_cause(error)}") from error


def _load_hdf5(path: Path) -> keras.Model:
    with _reading(path), h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
        if text is None:
            raise InputError(
                f"{path}: holds weights without an architecture; give the JSON file of the "
                "architecture with it"
            )
        network = _build(text, path)
        _set_weights(network, file, path)
    return network


def _build(text: str | bytes, path: Path) -> keras.Model:
    config = _parse(text, path)
    config.pop("compile_config", None)
    if config.get("class_name") == "Sequential" and isinstance(config.get("config"), list):
        config["config"] = {"layers": config["config"]}  # as Keras before 2.2.3 wrote it
    try:
        config = _without_fault_keys(config)
    except RecursionError as error:
        raise InputError(_too_deep(path)) from error
    _check(config, path)
    try:
        return keras.models.model_from_json(json.dumps(config), custom_objects=custom_objects())
    except Exception as error:
        raise InputError(f"{path}: Keras cannot build it: {_cause(error)}") from error


def _too_deep(path: Path) -> str:
    return f"{path}: nested too deeply for a description of a network"


def _without_fault_keys(node: Any) -> Any:
    """A description in which layers of FKeras are QKeras's, which compute the same."""
    if isinstance(node, list):
        return [_without_fault_keys(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _without_fault_keys(value) for key, value in node.items()}
    name, inner = found.get("class_name"), found.get("config")
    if not isinstance(name, str) or not isinstance(inner, dict):
        return found
    plain = _FAULTY.get(name, name)
    if plain != name:
        found["class_name"] = plain
        found.pop("registered_name", None)
        found.pop("module", None)
    if plain.startswith("Q"):
        found["config"] = {key: value for key, value in inner.items() if key not in _FAULT_KEYS}
    return found


def _parse(text: str | bytes, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not a Keras model description: {error}") from error
    if not isinstance(config, dict):
        raise InputError(f"{path}: not a Keras model description: no mapping at the top level")
    return config


def _check(config: dict[str, Any], path: Path) -> None:
    """Refuse a description that is not of a network, or names what is not on the lists above."""
    if str(config.get("class_name")) not in _MODELS or not isinstance(config.get("config"), dict):
        raise InputError(
            f"{path}: not the description of a Keras network (class_name must be one of "
            f"{', '.join(sorted(_MODELS))})"
        )
    try:
        _check_node(config, "model", path)
        for fault in (fault_of_sizes(config), fault_of_order(config)):
            if fault:
                raise InputError(f"{path}: {fault}")
    except RecursionError as error:
        raise InputError(_too_deep(path)) from error


def _check_node(node: Any, layer: str, path: Path) -> None:
    if isinstance(node, list):
        for item in node:
            _check_node(item, layer, path)
        return
    if not isinstance(node, dict):
        return
    if "class_name" in node:
        name, inner = str(node["class_name"]), node.get("config")
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            layer = inner["name"]
        if name in ("Lambda", "__lambda__", "TFOpLambda", "function"):
            raise InputError(
                f"{path}: layer '{layer}' is code ({name}), which is not run from a model file; "
                "replace it by Keras layers"
            )
        if name not in _CLASSES:
            hint = did_you_mean(name, sorted(_LAYERS | _QUANTISERS))
            raise InputError(f"{path}: layer '{layer}': unknown class '{name}'; {hint}")
        if name == "InputLayer" and isinstance(inner, dict) and "batch_shape" in inner:
            raise InputError(_keras_3(path))
        registered = str(node.get("registered_name") or name).split(">")[-1]
        if registered != name:
            raise InputError(
                f"{path}: layer '{layer}' is {name} by one name, {registered} by another"
            )
    module = node.get("module")
    if module is not None and str(module).split(".")[0] not in _PACKAGES:
        raise InputError(f"{path}: layer '{layer}' needs the Python module '{module}'; refused")
    for key, value in node.items():
        names_function = key.endswith(("activation", "_quantizer"))
        if names_function and isinstance(value, str):
            function = value.split("(")[0]
            if function not in _ACTIVATIONS:
                hint = did_you_mean(function, sorted(_ACTIVATIONS))
                raise InputError(f"{path}: layer '{layer}': unknown {key} '{value}'; {hint}")
            if fault := fault_of_call(value):
                raise InputError(f"{path}: layer '{layer}': {key} '{value}' {fault}")
        _check_node(value, layer, path)


def _keras_3(path: Path) -> str:
    return (
        f"{path}: written by Keras 3, which QKeras cannot read; save the network with Keras 2 "
        "(TF_USE_LEGACY_KERAS=1)"
    )


def _cause(error: Exception) -> str:
    """What an error of Keras says, and of which layer; not the whole description before it."""
    text = str(error).strip()
    about, _, cause = text.partition("Exception encountered:")
    if not cause:
        return text.split("\n")[0]
    cause = cause.strip().split("\n")[0]
    kind = re.search(r"deserializing class '(\w+)'", about)
    name = re.search(r"config=\{'name': '([^']*)'", about)
    unknown = re.search(r"Keyword argument not understood:', '(\w+)'", cause) or re.search(
        r"unexpected keyword argument '(\w+)'", cause
    )
    if unknown:
        cause = (
            f"it has a setting '{unknown[1]}' that {kind[1] if kind else 'its class'} does not "
            "know; take it out of the file if the layer computes the same without it"
        )
    return f"layer '{name[1]}': {cause}" if name else cause


def _set_weights(network: keras.Model, file: h5py.File, path: Path) -> None:
    """Copy the arrays of a Keras 2 HDF5 file into the layers of the same names."""
    arrays_of = _read_weights(file, path)
    layers = [layer for layer in network.layers if layer.weights]
    surplus = sorted(arrays_of.keys() - {layer.name for layer in layers})
    for layer in layers:
        if layer.name not in arrays_of:
            hint = f"; {did_you_mean(layer.name, surplus)}" if surplus else ""
            raise InputError(f"{path}: no weights for layer '{layer.name}'{hint}")
        arrays = arrays_of[layer.name]
        expected = [tuple(weight.shape) for weight in layer.weights]
        found = [array.shape for array in arrays]
        if found != expected:
            raise InputError(
                f"{path}: layer '{layer.name}' has weights of shapes {found}, expected {expected}"
            )
        if not all(np.isfinite(array).all() for array in arrays):
            raise InputError(f"{path}: layer '{layer.name}' has weights that are not finite")
        layer.set_weights(arrays)
    if surplus:
        raise InputError(
            f"{path}: holds weights of layer '{surplus[0]}', which the architecture lacks"
        )


def _read_weights(file: h5py.File, path: Path) -> dict[str, list[np.ndarray]]:
    """The arrays of every layer that has some, by the layer's name."""
    group = file.get("model_weights", file)
    if "layer_names" not in group.attrs:
        raise InputError(f"{path}: not an HDF5 file of Keras 2 weights (no layer names in it)")
    try:
        arrays = {
            _text(layer): [
                np.asarray(group[_text(layer)][_text(name)], dtype=np.float32)
                for name in group[_text(layer)].attrs["weight_names"]
            ]
            for layer in group.attrs["layer_names"]
        }
    except (KeyError, AttributeError, TypeError, ValueError, OSError) as error:
        raise InputError(f"{path}: damaged HDF5 file of weights: {error}") from error
    return {layer: found for layer, found in arrays.items() if found}


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
