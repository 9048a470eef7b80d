"""Records of the zoo: what training does so that weights cost less logic where they are wired in.

Both kinds come gradually, so that the other weights can make up for what is taken: the strength
grows from epoch to epoch, and only an epoch with all of it can be the best.
"""

import math
from typing import Annotated

from pydantic import Field

from hw.foundation.strict_config import StrictRecord

_Share = Annotated[float, Field(ge=0, lt=1)]


class Gradual(StrictRecord):
    """Something that training brings in by and by.

    Attributes:
        until: share of the epochs by whose end it has its full strength; from there on an epoch
            can be the best.
    """

    until: Annotated[float, Field(gt=0, lt=1)] = 0.5

    def first_settled(self, epochs: int) -> int:
        """Number (from 0) of the first epoch that has the full strength from its beginning."""
        return min(math.ceil(self.until * epochs), epochs - 1)

    def progress(self, epoch: int, epochs: int) -> float:
        """Which part of the full strength an epoch (from 0) has: 1 from the settled ones on; it
        grows fast at first (Zhu and Gupta, arXiv 1710.01878)."""
        settled = self.first_settled(epochs)
        return 1.0 if epoch >= settled else 1.0 - (1.0 - (epoch + 1) / (settled + 1)) ** 3


class Pruning(Gradual):
    """Weights of the encoder that training sets to 0: hard-wired, they cost no adder.

    Attributes:
        dense: share of the weights of each dense layer, the smallest ones.
        convolution: share of the weights of each convolution, those of pruned filters included.
        filters: share of the filters of each convolution, those of the smallest sum of magnitudes;
            all their weights and their bias are 0, and at least one filter stays.
    """

    dense: _Share = 0.0
    convolution: _Share = 0.0
    filters: _Share = 0.0


class LogicCost(Gradual):
    """A term in the loss of training: what the encoder's weights cost in adders.

    Attributes:
        weight: what a bit of adder costs, in units of the loss
            (`models.networks.complexity`: adder bits).
    """

    weight: Annotated[float, Field(gt=0)]
