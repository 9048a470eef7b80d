"""Training against upsets: in each step stored bits of the encoder's weights flip at random.

A step computes with weights of which each stored bit is wrong with a given chance, and its gradient
is that of the weights without flips (straight through, as of a quantiser).  Validation, and so the
choice of the best epoch, sees no flips.  Which bits flip is a function of the weights alone: a
training that was interrupted goes on as if it had not been.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat
from models.keras_backend import tf
from models.networks.number_formats import weight_formats, weight_quantiser

Tensor = Any


@contextmanager
def flips_in_training(network: Any, encoder: Any, rate: float | None) -> Iterator[None]:
    """Let bits of the encoder's weights flip while `network` is trained inside this context.

    Args:
        network: the Keras model that is trained, the encoder in it.
        rate: chance of each stored bit to be wrong in a step; None or 0 for no flips.

    Raises:
        InputError: the encoder has no quantised weights.
    """
    if not rate:
        yield
        return
    formats = weight_formats(encoder)
    if not formats:
        raise InputError("bit_flip_rate: the encoder's weights are not quantised, so no bit flips")
    is_training = tf.Variable(0.0, trainable=False)
    plain_step = network.train_step

    def train_step(batch: Any) -> Any:
        is_training.assign(1.0)
        result = plain_step(batch)
        is_training.assign(0.0)
        return result

    replaced = []
    for salt, (name, number) in enumerate(formats.items()):
        layer_name, part = name.rsplit("/", 1)
        layer = encoder.get_layer(layer_name)
        quantiser = weight_quantiser(layer, part)
        attribute = f"{part.removesuffix('_kernel')}_quantizer_internal"
        replaced.append((layer, attribute, quantiser))
        setattr(layer, attribute, _Flipping(quantiser, number, rate, is_training, salt))
    network.train_step = train_step
    try:
        yield
    finally:
        network.train_step = plain_step
        for layer, attribute, quantiser in replaced:
            setattr(layer, attribute, quantiser)


class _Flipping:
    """A quantiser whose values have wrong bits while `is_training` is 1."""

    def __init__(
        self, quantiser: Any, number: FixedFormat, rate: float, is_training: Any, salt: int
    ) -> None:
        self._quantiser, self._number, self._rate = quantiser, number, rate
        self._is_training, self._salt = is_training, salt

    def __call__(self, weights: Tensor) -> Tensor:
        number = self._number
        values = self._quantiser(weights)
        seed = tf.stack([tf.bitcast(tf.reduce_sum(weights), tf.int32), self._salt])
        shape = tf.concat([tf.shape(weights), [number.width]], axis=0)
        wrong = tf.random.stateless_uniform(shape, seed) < self._rate * self._is_training
        masks = tf.reduce_sum(tf.where(wrong, tf.bitwise.left_shift(1, range(number.width)), 0), -1)
        codes = tf.cast(tf.round(values / number.step), tf.int32)
        size = 1 << number.width
        after = tf.bitwise.bitwise_xor(tf.bitwise.bitwise_and(codes, size - 1), masks)
        if number.signed:
            after = tf.where(after >= size // 2, after - size, after)
        return values + tf.stop_gradient(tf.cast(after - codes, values.dtype) * number.step)
