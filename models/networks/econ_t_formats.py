"""The ECON-T encoder in numbers: shapes, number formats, and how wide its sums can become.

A product is floored to the fraction bits of its sum before it is added.  Sources: Di Guglielmo et
al., arXiv 2105.01683; docs/econ_t_formats.md, equality with the CMS emulator is tested.
"""

from hw.foundation.fixed_point import FixedFormat

IMAGE = (8, 8, 1)
FILTERS = 8
KERNEL = 3
STRIDE = 2
FEATURES = 128
LATENTS = 16
CONV_KERNEL = (KERNEL, KERNEL, 1, FILTERS)  # row, column, channel, filter
DENSE_KERNEL = (FEATURES, LATENTS)  # the 4 x 4 x 8 feature map in C order, latent

INPUT = FixedFormat(8, 1, signed=False)  # the low 8 bits of a shifted charge: truncates and wraps
WEIGHT = FixedFormat(6, 1)  # Q0.5: -1 to 31/32, of kernels and biases
TRAINED_WEIGHT = WEIGHT.with_modes("RND_CONV", "SAT")  # how QKeras brings weights to that grid
FEATURE_FRACTION = 7
LATENT = FixedFormat(9, 1, signed=False, overflow="SAT")

# Bits of each latent that 1 to 5 eLinks carry (18 + 32 (n - 1) bits beside header and sum for all
# sixteen), from CMSSW's autoencoder settings.
LATENT_BITS_OF_ELINKS = {1: 1, 2: 3, 3: 5, 4: 7, 5: 9}
DEFAULT_ELINKS = max(LATENT_BITS_OF_ELINKS)


def latent_format(bits: int) -> FixedFormat:
    """The highest `bits` of a latent, 1 to 9: what the chip sends of its 9 bits."""
    return FixedFormat(bits, LATENT.integer, signed=False, overflow="SAT")


def _sum_format(total: int, fraction_in: int, fraction: int) -> FixedFormat:
    """The smallest signed format that a sum of floored products and a bias cannot leave.

    Args:
        total: sum of the largest codes of the numbers that are multiplied, which are not negative.
        fraction_in: fraction bits of these numbers.
        fraction: fraction bits of the products and of the sum.
    """
    shift = fraction_in + WEIGHT.fraction - fraction
    bias_shift = fraction - WEIGHT.fraction
    low, high = (
        (total * weight >> shift) + (weight << bias_shift)
        for weight in (WEIGHT.min_code, WEIGHT.max_code)
    )
    width = max((-low - 1).bit_length(), high.bit_length()) + 1
    return FixedFormat(width, width - fraction)


def _largest_feature(taps: int) -> int:
    """Largest code of a feature whose window has so many pixels of the image in it."""
    product = (
        INPUT.max_code * WEIGHT.max_code >> INPUT.fraction + WEIGHT.fraction - FEATURE_FRACTION
    )
    return taps * product + (WEIGHT.max_code << FEATURE_FRACTION - WEIGHT.fraction)


CONV_SUM = _sum_format(KERNEL**2 * INPUT.max_code, INPUT.fraction, FEATURE_FRACTION)
"""Of the convolution's sums, for any weights and any image."""

FEATURE = FixedFormat(CONV_SUM.width - 1, CONV_SUM.integer - 1, signed=False, overflow="SAT")
"""Of the feature map: the sum without its sign, so only negative sums saturate, as in a ReLU."""

# rows (or columns) of the image in each window of the feature map: the padding is at the far edge
_ROWS = [min(KERNEL, IMAGE[0] - start) for start in range(0, IMAGE[0], STRIDE)]

DENSE_SUM = _sum_format(
    FILTERS * sum(_largest_feature(rows * columns) for rows in _ROWS for columns in _ROWS),
    FEATURE_FRACTION,
    LATENT.fraction,
)
"""Of the dense layer's sums, for any weights and any image (normalised charges need less)."""
