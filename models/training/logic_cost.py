"""A term in the loss that follows what adders cost where the encoder's weights are wired in.

The cost is the encoder's adder bits (models/networks/complexity.py): the signed digits of each
weight's code times the bits of its other factor, at every place where the weight is used.  Digits
jump from code to code, so a line stands for them: from a weight's code to the nearest code of fewer
digits.  Its slope pulls the weight there, then to the next cheaper code, in the end to 0, as far as
the loss gives way.  At the codes themselves the line has their true cost, so `weight` is what a bit
of adder may cost in units of the loss.

Trained numbers of bits (HGQ, arXiv 2405.00645) are the other way to train for cost; they shorten
weights, but a weight of many bits may have one digit and a short one several.  Digits are what
adders are built for, and the number formats stay as the model's record says.

Validation, and so the choice of the best epoch, sees the loss alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hw.foundation.errors import InputError
from models.keras_backend import tf
from models.networks.cheaper_weights import LogicCost
from models.networks.complexity import layer_costs
from models.networks.number_formats import weight_formats
from models.networks.signed_digits import cheaper_codes

_MOST_BITS = 16  # of weights: the tables have a row for each code


@dataclass(frozen=True)
class _Wired:
    """A kernel, its step, tables over its codes from `low` to `high`, and the adder bits of one
    digit of each weight."""

    kernel: Any
    step: float
    low: int
    high: int
    digits: Any
    below: Any
    above: Any
    bits: float


class AdderCost:
    """The term of one encoder.

    Args:
        encoder: its weights in fixed point.

    Raises:
        InputError: they are not, or of more than 16 bits.
    """

    def __init__(self, encoder: Any, cost: LogicCost) -> None:
        self._weight = cost.weight
        self._strength = tf.Variable(0.0, trainable=False)
        formats = weight_formats(encoder)
        self._wired = [
            _wired(encoder.get_layer(layer.name), layer, formats.get(f"{layer.name}/kernel"))
            for layer in layer_costs(encoder)
        ]

    def strengthen(self, progress: float) -> None:
        """Give the term this part of its full strength."""
        self._strength.assign(progress)

    def value(self) -> Any:
        """Adder bits of the weights as they stand, between codes on the line; a scalar."""
        return tf.add_n([_bits(wired) for wired in self._wired])

    def in_step(self, network: Any) -> Callable[[Any], Any]:
        """The training step of `network`, which the encoder is a part of, with the term in the
        loss; the loss that it reports is without."""
        plain_step, plain_loss = network.train_step, network.compute_loss

        def loss(*arguments: Any, **options: Any) -> Any:
            return plain_loss(*arguments, **options) + self._weight * self._strength * self.value()

        def step(data: Any) -> Any:
            network.compute_loss = loss
            try:
                return plain_step(data)
            finally:
                network.compute_loss = plain_loss

        return step


def _wired(layer: Any, cost: Any, number: Any) -> _Wired:
    if number is None or number.width > _MOST_BITS:
        found = "not quantised" if number is None else f"of {number.width} bits"
        raise InputError(
            f"logic_cost: the weights of layer '{layer.name}' are {found}; it is for weights of up "
            f"to {_MOST_BITS} bits: lower quantisation.weight.total"
        )
    low, high = (round(end / number.step) for end in (number.min_value, number.max_value))
    tables = cheaper_codes(low, high)
    digits, below, above = (
        tf.constant(table, tf.float32) for table in (tables.digits, tables.below, tables.above)
    )
    bits = cost.macs / layer.kernel.shape.num_elements() * cost.input_bits
    return _Wired(layer.kernel, number.step, low, high, digits, below, above, bits)


def _bits(wired: _Wired) -> Any:
    """Adder bits of a kernel."""
    place = wired.kernel / wired.step
    code = tf.clip_by_value(tf.round(tf.stop_gradient(place)), wired.low, wired.high)
    row = tf.cast(code, tf.int32) - wired.low
    below, above = tf.gather(wired.below, row), tf.gather(wired.above, row)
    # a code stands for itself where there is none of fewer digits on a side
    is_below = (above == code) | ((below != code) & (place - below <= above - place))
    cheaper = tf.where(is_below, below, above)
    digits = tf.gather(wired.digits, row)
    fewer = tf.gather(wired.digits, tf.cast(cheaper, tf.int32) - wired.low)
    slope = tf.math.divide_no_nan(digits - fewer, tf.abs(code - cheaper))
    return wired.bits * tf.reduce_sum(fewer + slope * tf.abs(place - cheaper))
