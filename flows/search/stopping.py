"""When a training is given up: a cheaper network was better by far after as many epochs.

The study has several objectives, for which Optuna has no pruner, and a network may be worse because
it is cheaper.  So a training is compared only with those of finished trials whose encoder needs no
more bit operations, on the same loss and number of epochs, after the same epoch: it is given up
where one of them had a validation loss lower by the margin.  Bit operations are known before the
training; that look-up tables follow them is the assumption (docs/codesign.md), not a theorem.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from models.networks.zoo import ModelSpec

_FLOAT_BITS = 32
_CHIP_BITS = (8, 6, 9)  # of the ECON-T's inputs, weights and features, docs/econ_t_formats.md


@dataclass(frozen=True)
class Curve:
    """A finished training.

    Attributes:
        trial: its number.
        bit_operations: of its encoder, by `bit_operations`.
        val_loss: validation loss after the epoch that is looked at.
    """

    trial: int
    bit_operations: float
    val_loss: float


@dataclass(frozen=True)
class StopRule:
    """What one training is compared with.

    Attributes:
        after: number (from 1) of the epoch.
        margin: how much lower, relative to its own, another's loss must be.
        bit_operations: of the encoder that is trained.
        others: finished trainings, comparable with it.
    """

    after: int
    margin: float
    bit_operations: float
    others: tuple[Curve, ...]

    def reason(self, epoch: int, val_loss: float) -> str | None:
        """Why to give up after this epoch; None to go on."""
        if epoch != self.after:
            return None
        better = [
            other
            for other in self.others
            if other.bit_operations <= self.bit_operations
            and other.val_loss < (1.0 - self.margin) * val_loss
        ]
        if not better:
            return None
        best = min(better, key=lambda other: other.val_loss)
        return (
            f"validation loss {val_loss:.4g} after {epoch} epochs; trial {best.trial} had "
            f"{best.val_loss:.4g} with {_relation(best.bit_operations, self.bit_operations)}"
        )


def _relation(cheaper: float, own: float) -> str:
    if cheaper == own:
        return "as many bit operations"
    return f"{1 - cheaper / own:.0%} fewer bit operations"


def bit_operations(spec: ModelSpec) -> float:
    """Bits of weight times bits of input, over all products of the encoder but those pruned."""
    pruned = spec.pruning
    shares = {
        "convolution": max(pruned.convolution, pruned.filters) if pruned else 0.0,
        "dense": pruned.dense if pruned else 0.0,
    }
    widths = [_flat(spec), *spec.dense, spec.latent]
    products = [
        *(("convolution", count) for count in _convolution_products(spec)),
        *(("dense", read * given) for read, given in pairwise(widths)),
    ]
    return sum(
        count * weight * read * (1.0 - shares[kind])
        for (kind, count), (weight, read) in zip(products, _bits(spec), strict=True)
    )


def _bits(spec: ModelSpec) -> list[tuple[int, int]]:
    """Bits of the weights of each layer, and of the numbers that it reads."""
    formats, layers = spec.quantisation, spec.weighted_layers
    if formats:
        weights = [formats.weight_of(layer).total for layer in layers]
        outputs = [formats.accumulator_of(layer).total for layer in layers]
        first = formats.input.total
    else:
        first, weight, output = _CHIP_BITS if spec.econ_t else (_FLOAT_BITS,) * 3
        weights, outputs = [weight] * len(layers), [output] * len(layers)
    return list(zip(weights, [first, *outputs[:-1]], strict=True))


def _convolution_products(spec: ModelSpec) -> Iterable[int]:
    side, channels = spec.image_side, spec.image_channels
    for layer in spec.convolutions:
        yield layer.convolved_side(side) ** 2 * layer.kernel**2 * channels * layer.filters
        side, channels = layer.output_side(side), layer.filters


def _flat(spec: ModelSpec) -> int:
    """How many numbers the first dense layer reads."""
    side, channels = spec.image_side, spec.image_channels
    for layer in spec.convolutions:
        side, channels = layer.output_side(side), layer.filters
    shown = spec.image.shown.mean() if spec.conv_mask else 1.0
    return round(side**2 * channels * shown)
