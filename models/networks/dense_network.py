"""A dense network of any purpose from a YAML record, with a stand-in of its training.

A user brings trained weights; the stand-in here makes a network of the same shape whose outputs
mean something, so that an example runs without anybody's data.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, PositiveInt

from hw.foundation.strict_config import StrictRecord, load_record
from models.keras_backend import keras, qkeras

_VECTORS = 4000
_EPOCHS = 15


class NumberFormat(StrictRecord):
    """A quantiser: `bits` in all, of which `integer` are above the point, the sign not counted."""

    bits: PositiveInt
    integer: int = Field(ge=0)
    signed: bool = True

    def text(self) -> str:
        """In QKeras's notation."""
        return f"quantized_bits({self.bits},{self.integer},alpha=1,keep_negative={self.signed:d})"


class InputRecord(StrictRecord):
    """How many numbers the network reads, in which format."""

    count: PositiveInt
    format: NumberFormat


class LayerRecord(StrictRecord):
    """A dense layer; an unsigned activation is a ReLU."""

    units: PositiveInt
    weight: NumberFormat
    activation: NumberFormat


class DenseNetwork(StrictRecord):
    """A dense network.

    Attributes:
        description: one line.
        input, layers: in their order.
        score: what the outputs decide: the largest one, or the sum of their squares, which then is
            the network's only output.
    """

    description: str
    input: InputRecord
    layers: tuple[LayerRecord, ...] = Field(min_length=1, strict=False)
    score: Literal["argmax", "sum_of_squares"]


@dataclass(frozen=True)
class StandIn:
    """A network with vectors of its inputs (n, count) and of its outputs (n, outputs)."""

    network: keras.Model
    inputs: npt.NDArray[np.float32]
    outputs: npt.NDArray[np.float32]


def load_dense_network(file: Path) -> DenseNetwork:
    """The record in a YAML file.

    Raises:
        InputError: the file cannot be read, or has a key that is none.
    """
    return load_record(file, DenseNetwork)


def build(record: DenseNetwork) -> keras.Model:
    """The Keras network of a record, with new weights."""
    inputs = keras.Input((record.input.count,), name="inputs")
    x = qkeras.QActivation(record.input.format.text(), name="quantised_inputs")(inputs)
    for index, layer in enumerate(record.layers):
        weight = layer.weight.text()
        x = qkeras.QDense(
            layer.units, kernel_quantizer=weight, bias_quantizer=weight, name=f"dense_{index}"
        )(x)
        number = layer.activation
        if not number.signed:
            text = f"quantized_relu({number.bits},{number.integer})"
        else:
            text = number.text()
        x = qkeras.QActivation(text, name=f"activation_{index}")(x)
    if record.score == "sum_of_squares":
        squares = keras.layers.Multiply(name="squares")([x, x])
        one = "quantized_bits(2,1,alpha=1)"
        x = qkeras.QDense(1, kernel_quantizer=one, use_bias=False, name="score")(squares)
        network = keras.Model(inputs, x, name="network")
        network.get_layer("score").set_weights([np.ones((record.layers[-1].units, 1))])
        network.get_layer("score").trainable = False
        return network
    return keras.Model(inputs, x, name="network")


def stand_in(record: DenseNetwork, seed: int) -> StandIn:
    """A network of that shape, trained on a task of chance: to tell as many kinds of vectors as it
    has outputs, or to give a small score to vectors of one kind."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    network = build(record)
    kinds = network.output_shape[-1]
    number = record.input.format
    high = 2.0**number.integer
    centres = rng.uniform(0 if not number.signed else -high / 2, high / 2, (kinds, 1))
    shapes = rng.normal(0, high / 4, (kinds, record.input.count))
    labels = rng.integers(0, kinds, _VECTORS)
    noise = rng.normal(0, high / 8, (_VECTORS, record.input.count))
    inputs = np.rint((centres + shapes)[labels] + noise).astype(np.float32)
    if record.score == "argmax":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        targets = labels.astype(np.float32)
    else:
        loss = keras.losses.MeanSquaredError()
        targets = np.zeros(_VECTORS, np.float32)
    network.compile(keras.optimizers.Adam(1e-3), loss)
    network.fit(inputs, targets, epochs=_EPOCHS, batch_size=100, verbose=0)
    outputs = np.asarray(network.predict(inputs, batch_size=1000, verbose=0))
    return StandIn(network, inputs, outputs)
