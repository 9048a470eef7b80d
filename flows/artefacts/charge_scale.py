"""What the charges that a decoder gives back are scaled by."""

from enum import StrEnum


class ChargeScale(StrEnum):
    """What the summed charge of a decoded module is.

    NETWORK: whatever the decoder gives, in units of the module's scale.
    SUM: the exact sum of the module that was encoded.
    SENT_SUM: the sum that the chip sends beside the latents, a 9-bit code (5E4M).
    """

    NETWORK = "network"
    SUM = "sum"
    SENT_SUM = "sent sum"
