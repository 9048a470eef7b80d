"""Networks in the forms that other programs read: frozen TensorFlow graph, SavedModel, ONNX.

Each form is written by one function and run by another, so that what was written can be compared
with the network.
"""

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import ToolFailed
from models.keras_backend import keras, tf
from models.networks.frozen_graph import FrozenGraph, read_frozen

Array = npt.NDArray[np.float32]

ONNX_OPSET = 18  # of 2022: old enough for the runtimes in use, new enough for all our operations
_ENDPOINT = "serving_default"  # of a SavedModel, as TensorFlow's tools expect it


def write_frozen(frozen: FrozenGraph, binary: Path, text: Path) -> None:
    """Write the graph as a protocol buffer, and the same as text to read."""
    for file, as_text in ((binary, False), (text, True)):
        tf.io.write_graph(frozen.graph, str(file.parent), file.name, as_text=as_text)


def run_frozen(file: Path, inputs: Array) -> Array:
    """Outputs of the graph in a `.pb` file, from its first node to its last."""
    return read_frozen(file.read_bytes()).run(inputs)


def write_saved_model(network: keras.Model, folder: Path) -> None:
    """Write a SavedModel with one signature: the network as it infers, for any batch.

    Input and output are named as the network names them.
    """
    source, result = network.input_names[0], network.output_names[0]
    given = tf.TensorSpec([None, *network.inputs[0].shape[1:]], network.inputs[0].dtype, source)
    module = tf.Module()
    module.network = network  # holds the variables
    module.serve = tf.function(lambda x: {result: network(x, training=False)}, [given])
    tf.saved_model.save(module, str(folder), signatures={_ENDPOINT: module.serve})


def run_saved_model(folder: Path, inputs: Array) -> Array:
    """Outputs of the SavedModel's one signature."""
    serve = tf.saved_model.load(str(folder)).signatures[_ENDPOINT]
    (source,) = serve.structured_input_signature[1]
    (result,) = serve(**{source: tf.constant(inputs)}).values()
    return np.asarray(result)


def write_onnx(frozen: FrozenGraph, file: Path) -> None:
    """Write the graph in ONNX, with input and output named as the graph's nodes.

    Raises:
        ToolFailed: tf2onnx cannot express an operation.
    """
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # it tells of every step
    try:
        model, _ = tf2onnx.convert.from_graph_def(
            frozen.graph,
            name=file.stem,
            input_names=[f"{frozen.input}:0"],
            output_names=[f"{frozen.output}:0"],
            opset=ONNX_OPSET,
        )
    except Exception as error:  # tf2onnx has no error type of its own
        raise ToolFailed(f"tf2onnx cannot express this network: {error}") from error
    file.write_bytes(model.SerializeToString())


def run_onnx(file: Path, inputs: Array) -> Array:
    """Outputs of an ONNX file, computed by ONNX Runtime on one core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {session.get_inputs()[0].name: inputs})
    return np.asarray(outputs)
