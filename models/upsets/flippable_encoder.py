"""An encoder whose stored weights can be flipped, and what it then sends, in integer codes.

The plain way sets the weights and runs the whole network (`latents`).  The fast way recomputes
only what a flip changes: of the last dense layer one latent, from the products that the weight
takes part in; of any other layer what comes after it.  All numbers are integers below 2**24 times a
power of two, so they are exact in float32 (models/networks/floored_layers.py) and in float64.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat
from models.keras_backend import keras, qkeras, tf
from models.networks.floored_layers import FlooredDense
from models.networks.number_formats import (
    activation_format,
    integer_weights,
    is_quantised,
    output_format,
    weight_formats,
    weight_parts,
)
from models.upsets.stored_bits import Block, Codes, StoredBits, flipped, stored_bits

Values = npt.NDArray[np.float64]


class FlippableEncoder:
    """A quantised encoder for a set of modules.

    Attributes:
        bits: its stored bits.
        format: of its latents.
        codes: latent codes of the modules without flips, shape (n, latents).

    Raises:
        InputError: it is not all in fixed point, its layers do not follow one another, or it
            computes otherwise once its weights are given as codes.
    """

    def __init__(self, network: Any, images: npt.NDArray[np.float32]) -> None:
        """
        Args:
            network: the Keras encoder; its quantisers of weights are taken out of it.
            images: of the modules, shape (n, ...).
        """
        number = output_format(network) if is_quantised(network) else None
        if number is None:
            raise InputError(
                "the encoder is not all in fixed point, so it has no stored bits: every weight, "
                "its input and its output need a quantiser"
            )
        self.format: FixedFormat = number
        self.bits: StoredBits = stored_bits(integer_weights(network), weight_formats(network))
        trained = np.asarray(network.predict_on_batch(images))
        self._layers = [
            layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)
        ]
        _require_chain(network, self._layers)
        _give_codes(self._layers)
        self._place = {layer.name: at for at, layer in enumerate(self._layers)}
        self._runs: dict[int, Callable[..., Any]] = {}
        self._set(range(len(self.bits.arrays)), [array.codes for array in self.bits.arrays])
        self._inputs = self._results(images)
        self.codes: Codes = self._to_codes(np.asarray(self._inputs.pop()))
        if not np.array_equal(self.format.to_values(self.codes), trained):
            raise InputError(
                "the encoder gives other latents once its weights are given as codes: a layer of "
                "it reads its weights in a way that is not known here"
            )
        self._last = _last_dense(self._layers)
        if self._last:
            place = self._place[self._last.layer.name]
            self._last_inputs = self._inputs[place].astype(np.float64)
            self._last_sums = self._last.sums(self._last_inputs)

    # --- the plain way -----------------------------------------------------------------------
    def latents(self, codes: Sequence[Codes], rows: npt.NDArray[np.int64]) -> Codes:
        """Latent codes, shape (k, latents), of the modules `rows` with these weights.

        Args:
            codes: of all arrays of `bits`, in their order.
        """
        everything = range(len(self.bits.arrays))
        self._set(everything, codes)
        found = self._run(0, self._inputs[0][rows])
        self._set(everything, [array.codes for array in self.bits.arrays])
        return found

    # --- the fast way ------------------------------------------------------------------------
    def blocks(self) -> list[Block]:
        """All bits, by layer and output."""
        found: dict[tuple[str, int], list[npt.NDArray[np.int64]]] = {}
        for index, array in enumerate(self.bits.arrays):
            width = array.format.width
            outputs = array.codes.shape[-1]
            elements = np.arange(array.codes.size).reshape(-1, outputs)
            for output in range(outputs):
                numbers = self.bits.number(index, elements[:, output, None], np.arange(width))
                found.setdefault((array.layer, output), []).append(numbers.ravel())
        return [Block(*key, np.concatenate(numbers)) for key, numbers in found.items()]

    def after_flips(self, block: Block) -> Iterator[tuple[npt.NDArray[np.int64], Codes]]:
        """For each bit of a block the modules that its flip changes, and their latent codes.

        Yields:
            Indices of modules, shape (k,), and codes, shape (k, latents); in the order of the bits.
        """
        by_latent = self._last is not None and self._last.layer.name == block.layer
        for number in block.bits:
            array_at = int(self.bits.array[number])
            element, bit = int(self.bits.element[number]), int(self.bits.bit[number])
            array = self.bits.arrays[array_at]
            new = int(flipped(array.codes.ravel()[element], np.array(bit), array.format))
            if by_latent:
                yield self._one_latent(array_at, element, new * array.format.step)
            else:
                yield self._from_layer(array_at, element, new)

    def _one_latent(
        self, array_at: int, element: int, value: float
    ) -> tuple[npt.NDArray[np.int64], Codes]:
        assert self._last is not None
        array = self.bits.arrays[array_at]
        *row, latent = array.index(element)
        old = float(array.codes.ravel()[element]) * array.format.step
        if array.part == "bias":
            difference: Values | float = value - old
        else:
            inputs = self._last_inputs[:, row[0]]
            difference = self._last.product(inputs, value) - self._last.product(inputs, old)
        new = self._last.to_codes(self._last_sums[:, latent] + difference)
        changed = np.flatnonzero(new != self.codes[:, latent])
        codes = self.codes[changed]
        codes[:, latent] = new[changed]
        return changed, codes

    def _from_layer(
        self, array_at: int, element: int, new: int
    ) -> tuple[npt.NDArray[np.int64], Codes]:
        array = self.bits.arrays[array_at]
        if new == array.codes.ravel()[element]:
            return np.zeros(0, np.int64), self.codes[:0]
        codes = array.codes.copy()
        codes.ravel()[element] = new
        self._set([array_at], [codes])
        place = self._place[array.layer]
        found = self._run(place, self._inputs[place])
        self._set([array_at], [array.codes])
        changed = np.flatnonzero((found != self.codes).any(axis=1))
        return changed, found[changed]

    # --- Keras -------------------------------------------------------------------------------
    def _set(self, arrays: Sequence[int], codes: Sequence[Codes]) -> None:
        for index, new in zip(arrays, codes, strict=True):
            array = self.bits.arrays[index]
            layer = self._layers[self._place[array.layer]]
            getattr(layer, array.part).assign(array.format.to_values(new).astype(np.float32))

    def _results(self, images: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """The input of each layer, and at the end the network's output."""
        found = [images]
        for layer in self._layers:
            found.append(np.asarray(layer(tf.constant(found[-1]))))
        return found

    def _run(self, place: int, inputs: npt.NDArray[np.float32]) -> Codes:
        """Latent codes from the input of the layer at `place` on."""
        if place not in self._runs:

            def run(x: Any) -> Any:
                for layer in self._layers[place:]:
                    x = layer(x)
                return x

            signature = tf.TensorSpec((None, *inputs.shape[1:]), tf.float32)
            self._runs[place] = tf.function(run, input_signature=[signature])
        return self._to_codes(np.asarray(self._runs[place](tf.constant(inputs))))

    def _to_codes(self, values: npt.NDArray[np.float32]) -> Codes:
        return np.rint(values.astype(np.float64) / self.format.step).astype(np.int64)


def _require_chain(network: Any, layers: Sequence[Any]) -> None:
    inputs = [network.input]
    for layer in layers:
        # layers are listed in the order of computation
        if len(layer.inbound_nodes) != 1 or layer.input is not inputs[-1]:
            raise InputError(
                f"layer '{layer.name}': the damage of flips is measured in networks whose layers "
                "follow one another, and this one reads something else than the layer before it"
            )
        inputs.append(layer.output)


def _give_codes(layers: Sequence[Any]) -> None:
    """Let the layers compute with their weights as they are: a flip may leave the range that a
    quantiser keeps."""
    for layer in layers:
        for part in weight_parts(layer):
            stem = part.removesuffix("_kernel")
            for name in (f"{stem}_quantizer", f"{stem}_quantizer_internal"):
                if hasattr(layer, name):
                    setattr(layer, name, None)


@dataclass(frozen=True)
class _LastDense:
    """A dense layer after which only quantisers come.

    Attributes:
        formats: of these, in their order.
        latent: of the latents.
        fraction: bits that products keep; None where they are summed as they are.
    """

    layer: Any
    formats: tuple[FixedFormat, ...]
    fraction: int | None

    def product(self, inputs: Values, weight: float) -> Values:
        if self.fraction is None:
            return inputs * weight
        return np.floor(inputs * (weight * 2.0**self.fraction)) * 2.0**-self.fraction

    def sums(self, inputs: Values) -> Values:
        """Before the quantisers, shape (n, latents)."""
        kernel = np.asarray(self.layer.kernel, np.float64)
        total = np.zeros((len(inputs), kernel.shape[1]))
        if self.layer.use_bias:
            total += np.asarray(self.layer.bias, np.float64)
        if self.fraction is None:
            return total + inputs @ kernel
        for row, weights in zip(inputs.T, kernel, strict=True):
            scaled = np.floor(row[:, None] * (weights * 2.0**self.fraction))
            total += scaled * 2.0**-self.fraction
        return total

    def to_codes(self, sums: Values) -> Codes:
        *before, last = self.formats
        for number in before:
            sums = number.quantise(sums)
        return last.to_codes(sums)


def _last_dense(layers: Sequence[Any]) -> _LastDense | None:
    """The last layer with weights, if it can be computed one latent at a time."""
    at = max(i for i, layer in enumerate(layers) if layer.weights)
    layer = layers[at]
    if not isinstance(layer, qkeras.QDense) or len(layer.input_shape) != 2:
        return None
    quantisers = list(layers[at + 1 :])
    if layer.activation not in (None, keras.activations.linear):
        quantisers.insert(0, layer)
    formats = tuple(activation_format(quantiser) for quantiser in quantisers)
    known = tuple(number for number in formats if number is not None)
    if not known or len(known) < len(formats):
        return None
    fraction = layer.product_fraction if isinstance(layer, FlooredDense) else None
    return _LastDense(layer, known, fraction)
