"""A network in integers as the list of layers that hls4ml's model graph is made of.

hls4ml has readers of Keras models of its own, which take several quantisers, layers and settings
for others.  Here each operation names its layer, its weights and all its number formats itself, so
that hls4ml has only C++ to write.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hw.foundation.fixed_point import FixedFormat
from hw.foundation.integer_network import (
    Cast,
    Concatenate,
    Input,
    IntegerNetwork,
    MaxPool,
    Merge,
    Operation,
    Pad,
    Padding,
    Refused,
    Reshape,
    Scale,
    Transpose,
    WeightedSum,
)

Formats = Mapping[str, FixedFormat]
_CONCATENATED_AXES = 3
_NO_PADDING: Padding = ((0, 0), (0, 0))


@dataclass
class LayerList:
    """What hls4ml makes a model graph of.

    Attributes:
        layers: in hls4ml's terms, in the order of computation.
        formats: of each layer by role: `result`, `accum`, `weight`, `scale`, `bias`.
    """

    layers: list[dict[str, Any]] = field(default_factory=list)
    formats: dict[str, dict[str, FixedFormat]] = field(default_factory=dict)

    def add(
        self,
        operation: Operation,
        class_name: str,
        attributes: dict[str, Any],
        **formats: FixedFormat,
    ) -> None:
        self.layers.append(
            {
                "name": operation.name,
                "class_name": class_name,
                "data_format": "channels_last",
                "inputs": list(operation.sources),
                **attributes,
            }
        )
        self.formats[operation.name] = {"result": operation.number, **formats}


def layer_list(network: IntegerNetwork, io_type: str) -> LayerList:
    """The layers of a network.

    Args:
        io_type: hls4ml's; a stream cannot do all that an array can.

    Raises:
        Refused: hls4ml has no layer for an operation; names the network's layer.
    """
    found = LayerList()
    operations = {operation.name: operation for operation in network.operations}
    for operation in network.operations:
        sources = [operations[name] for name in operation.sources]
        _add(found, operation, sources, streamed=io_type == "io_stream")
    return found


def _add(
    layers: LayerList, operation: Operation, sources: list[Operation], *, streamed: bool
) -> None:
    match operation:
        case Input():
            attributes = {"input_shape": list(operation.shape), "type_name": f"{operation.name}_t"}
            layers.add(operation, "InputLayer", attributes)
        case WeightedSum():
            _add_sums(layers, operation, sources[0])
        case Scale():
            _add_scale(layers, operation)
        case Cast():
            _add_cast(layers, operation, sources[0])
        case MaxPool():
            _add_max_pool(layers, operation, sources[0], streamed=streamed)
        case Merge():
            layers.add(operation, "Merge", {"op": operation.function})
        case Concatenate():
            rank = len(operation.shape)
            if rank > _CONCATENATED_AXES:
                raise Refused(
                    f"layer '{operation.layer}': hls4ml joins tensors of at most "
                    f"{_CONCATENATED_AXES} axes, found {rank}; flatten them first"
                )
            axis = {"op": f"concatenate{rank}d", "axis": operation.axis + 1}
            layers.add(operation, "Concatenate", axis)
        case Reshape():
            layers.add(operation, "Reshape", {"target_shape": list(operation.shape)})
        case Transpose():
            layers.add(operation, "Transpose", {"perm": list(operation.axes)})
        case Pad():
            _add_padding(layers, operation, sources[0])


def _add_sums(layers: LayerList, operation: WeightedSum, source: Operation) -> None:
    constants = {"weight_data": operation.kernel.values, "bias_data": operation.bias.values}
    formats = {
        "accum": operation.accumulator,
        "weight": operation.kernel.number,
        "bias": operation.bias.number,
    }
    if operation.dense:
        n_in, n_out = operation.kernel.codes.shape
        sizes = {"n_in": n_in, "n_out": n_out, "use_bias": True}
        layers.add(operation, "Dense", {**sizes, **constants}, **formats)
        return
    rows, columns, channels, filters = operation.kernel.codes.shape
    window = {
        "n_chan": channels,
        "n_filt": filters,
        "filt_height": rows,
        "filt_width": columns,
        "use_bias": True,
        **_image(operation, source),
        **_strides(operation.strides),
        **_sides(operation.padding),
    }
    layers.add(operation, "Conv2D", {**window, **constants}, **formats)


def _add_cast(layers: LayerList, operation: Cast, source: Operation) -> None:
    number = source.number
    lacking = -operation.number.fraction - number.integer
    if lacking > 0 and operation.number.rounding != "TRN":
        # all its bits are below the one that rounding looks at: AMD's types look for it all the
        # same, and end the program
        wider = FixedFormat(number.width + lacking, number.integer + lacking, number.signed)
        name = f"{operation.name}_widened"
        widened = replace(operation, name=name, number=wider, relu=False)
        layers.add(widened, "Activation", {"activation": "linear"})
        operation = replace(operation, sources=(name,))
    function = "relu" if operation.relu else "linear"
    layers.add(operation, "Activation", {"activation": function})


def _add_scale(layers: LayerList, operation: Scale) -> None:
    channels = operation.shape[-1]
    parts = [operation.factor, operation.offset]
    by_channel = all(part.codes.size in (1, channels) for part in parts)
    shape = (channels,) if by_channel else operation.shape
    factor, offset = (np.broadcast_to(part.values, shape).ravel() for part in parts)
    attributes = {
        "n_in": int(np.prod(operation.shape)),
        "n_filt": channels if by_channel and len(operation.shape) > 1 else -1,
        "scale_data": np.array(factor),
        "bias_data": np.array(offset),
        "gamma_data": None,
        "beta_data": None,
        "mean_data": None,
        "variance_data": None,
    }
    formats = {"scale": operation.factor.number, "bias": operation.offset.number}
    layers.add(operation, "BatchNormalization", attributes, **formats)


def _add_max_pool(
    layers: LayerList, operation: MaxPool, source: Operation, *, streamed: bool
) -> None:
    if operation.padding != _NO_PADDING and not source.number.signed:
        # among numbers that are not negative, zeros beside the image change no largest one;
        # hls4ml shows the highest bit there
        (top, bottom), (left, right) = operation.padding
        shape = (source.shape[0] + top + bottom, source.shape[1] + left + right, source.shape[2])
        padded = Pad(
            f"{operation.name}_padding",
            operation.layer,
            operation.sources,
            shape,
            source.number,
            operation.padding,
        )
        _add_padding(layers, padded, source)
        operation = replace(operation, sources=(padded.name,), padding=_NO_PADDING)
        source = padded
    elif operation.padding != _NO_PADDING and streamed:
        raise Refused(
            f"layer '{operation.layer}': hls4ml cannot pool signed numbers beside the border in a "
            "streamed design; pool after a ReLU or without padding, or take a target with io_type "
            "io_parallel"
        )
    attributes = {
        "n_filt": operation.shape[-1],
        "pool_height": operation.size[0],
        "pool_width": operation.size[1],
        **_image(operation, source),
        **_strides(operation.strides),
        **_sides(operation.padding),
    }
    layers.add(operation, "MaxPooling2D", attributes, accum=operation.number)


def _add_padding(layers: LayerList, operation: Pad, source: Operation) -> None:
    attributes = {
        "n_chan": operation.shape[-1],
        **_image(operation, source),
        **_sides(operation.padding),
    }
    layers.add(operation, "ZeroPadding2D", attributes)


def _image(operation: Operation, source: Operation) -> dict[str, int]:
    return {
        "in_height": source.shape[0],
        "in_width": source.shape[1],
        "out_height": operation.shape[0],
        "out_width": operation.shape[1],
    }


def _strides(strides: tuple[int, int]) -> dict[str, int]:
    return {"stride_height": strides[0], "stride_width": strides[1]}


def _sides(padding: Padding) -> dict[str, int]:
    (top, bottom), (left, right) = padding
    return {"pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right}
