"""A network as one TensorFlow graph whose weights are constants: the form that CMSSW loads.

TensorFlow 2's own converter (`convert_variables_to_constants_v2`) is no public interface, and the
public one of TensorFlow 1 needs a session, in which Keras 2 and QKeras no longer build networks.
So the graph is frozen here, by public means alone: trace the network, then put each variable's
value where the graph reads the variable.

CMSSW takes the first node of a graph for its input and the last one for its output
(HGCalConcentratorAutoEncoderImpl.cc); they stand there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from models.keras_backend import keras, tf

GraphDef = Any  # tf.compat.v1.GraphDef


@dataclass(frozen=True)
class FrozenGraph:
    """A network without variables.

    Attributes:
        graph: TensorFlow's record of it (tf.compat.v1.GraphDef).
        input: name of its first node, a placeholder of shape (batch, *input).
        output: name of its last node.
    """

    graph: GraphDef
    input: str
    output: str

    def run(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Outputs for `inputs`, as a reader of the stored graph computes them."""
        with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
            tf.import_graph_def(self.graph, name="")
            outputs = session.run(f"{self.output}:0", {f"{self.input}:0": inputs})
        return np.asarray(outputs)


def freeze(network: keras.Model, batch: int | None = None) -> FrozenGraph:
    """The network as it infers, its nodes named by its layers: `encoded_vector/Relu`.

    Args:
        network: one input, one output.
        batch: number of inputs at once; None for any.

    Raises:
        InputError: several inputs or outputs, or an operation that hides its variables.
    """
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise InputError(
            f"network '{network.name}' has {len(network.inputs)} inputs and "
            f"{len(network.outputs)} outputs; only one of each can be written as a graph"
        )
    name = network.input_names[0]
    given = tf.TensorSpec([batch, *network.inputs[0].shape[1:]], network.inputs[0].dtype, name=name)
    traced = tf.function(lambda x: network(x, training=False)).get_concrete_function(given)
    graph = traced.graph.as_graph_def()
    if graph.library.function:
        raise InputError(
            f"network '{network.name}' calls functions within its graph; it cannot be frozen"
        )
    _put_values(graph, traced)
    result = traced.outputs[0].op.inputs[0].op.name  # the last node but the tracer's Identity
    graph = _without_defaults(tf.compat.v1.graph_util.extract_sub_graph(graph, [result]))
    _drop_prefix(graph, f"{network.name}/")
    return _in_order(graph, name, result.removeprefix(f"{network.name}/"))


def read_frozen(content: bytes) -> FrozenGraph:
    """The graph in a `.pb` file's content; its first node is the input, its last the output."""
    graph = tf.compat.v1.GraphDef.FromString(content)
    return FrozenGraph(graph, graph.node[0].name, graph.node[-1].name)


def _put_values(graph: GraphDef, traced: Any) -> None:
    """Exchange each reading of a variable for a constant of its value."""
    captured = traced.captured_inputs
    placeholders = (
        [tensor.op.name for tensor in traced.inputs[-len(captured) :]] if captured else []
    )
    handles = dict(zip(placeholders, captured, strict=True))
    for node in graph.node:
        if node.op != "ReadVariableOp":
            continue
        kind = node.attr["dtype"].type
        value = tf.raw_ops.ReadVariableOp(resource=handles[node.input[0]], dtype=kind)
        node.op = "Const"
        del node.input[:]
        node.attr.clear()
        node.attr["dtype"].type = kind
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value.numpy()))


def _without_defaults(graph: GraphDef) -> GraphDef:
    """Leave out attributes at their defaults: an older TensorFlow refuses those it does not know,
    such as the two that MatMul got in 2.14."""
    with tf.Graph().as_default():
        tf.import_graph_def(graph, name="")
        stripped = tf.compat.v1.train.export_meta_graph(strip_default_attrs=True).graph_def
    for node in stripped.node:
        node.attr.pop("_output_shapes", None)
    return stripped


def _drop_prefix(graph: GraphDef, prefix: str) -> None:
    for node in graph.node:
        node.name = node.name.removeprefix(prefix)
        for index, source in enumerate(node.input):
            mark = "^" if source.startswith("^") else ""  # of a control dependency
            node.input[index] = mark + source.removeprefix(mark).removeprefix(prefix)


def _in_order(graph: GraphDef, first: str, last: str) -> FrozenGraph:
    nodes = {node.name: node for node in graph.node}
    if first not in nodes:
        raise InputError(f"the network's output does not depend on its input '{first}'")
    between = [node for name, node in nodes.items() if name not in (first, last)]
    ordered = tf.compat.v1.GraphDef(
        versions=graph.versions, node=[nodes[first], *between, nodes[last]]
    )
    return FrozenGraph(ordered, first, last)
