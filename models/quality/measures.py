"""How much of a module comes through compression: one number a module and measure.

Each measure compares the charges of n modules before and after compression, both in CALQ counts and
of shape (n, 48).  A module without charge before has no value of any measure: NaN, which enters no
mean and is counted apart.  A module that comes back empty has no value of those measures that need
a distribution of charge on either side.  Formulas, units and sources: docs/metrics.md; most are
those of the public FastML Science Benchmark (fastml-science, sensor-data-compression).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from hw.foundation.cores import usable_cores
from models.data.geometry import cell_coordinates
from models.data.normalisation import scale_of
from models.quality.emd import emd, require_charges
from models.training.telescope import sector_sums, supercell_sums, supercell_weights

Charges = npt.NDArray[np.floating]
Values = npt.NDArray[np.float64]
Progress = Callable[[int], None]

EMD_UNIT = "half pitch"
EMD_THRESHOLD = 0.02  # of a module's charge; one of 48 cells always holds more

_BLOCK = 2_000  # modules measured at a time, which keeps to the cache


@dataclass(frozen=True)
class Measure:
    """One measure of compression quality; reports/catalogue.py has its unit and its words.

    Attributes:
        name: of its metrics and arrays.
        ideal: value of a perfect copy.
        function: charges before and after, (n, 48) each, to values (n,).
        only_full: whether it is left to a full evaluation, for it takes as long as `emd`.
    """

    name: str
    ideal: float
    function: Callable[[Charges, Charges], Values]
    only_full: bool = False


def emd_above_threshold(
    before: Charges, after: Charges, threshold: float = EMD_THRESHOLD
) -> Values:
    """Earth mover's distance of the cells that hold more than `threshold` of their module's charge.

    Both sides are cut and divided by their sums anew, in half pitches.  At a threshold below 1/48 a
    cell is left in every module that has charge.
    """
    return emd(_above(before, threshold), _above(after, threshold), workers=1)


def mean_difference(before: Charges, after: Charges) -> Values:
    """Distance between the charge-weighted centres of the modules, in half pitches."""
    return np.hypot(*((_shares(before) - _shares(after)) @ cell_coordinates()).T)


def rms_difference(before: Charges, after: Charges) -> Values:
    """Charge-weighted RMS radius before minus that after, in half pitches; negative: widened."""
    return _rms(before) - _rms(after)


def rms_difference_absolute(before: Charges, after: Charges) -> Values:
    """Absolute value of `rms_difference`, in half pitches."""
    return np.abs(rms_difference(before, after))


def rms_reference_difference(before: Charges, after: Charges) -> Values:
    """As `rms_difference`, with the width of the FastML Science Benchmark: a pure number.

    Its width squares the shares and divides each coordinate by the standard deviation of the cells'
    coordinates, so that it falls with the number of cells that share the charge.
    """
    return _rms_reference(before) - _rms_reference(after)


def rms_reference_difference_absolute(before: Charges, after: Charges) -> Values:
    """Absolute value of `rms_reference_difference`."""
    return np.abs(rms_reference_difference(before, after))


def cross_correlation(before: Charges, after: Charges) -> Values:
    """Pearson's correlation of the 48 charges before and after; 0 where all cells are equal."""
    a, b = _about_mean(before), _about_mean(after)
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    result = np.divide((a * b).sum(axis=1), norm, out=np.zeros(len(a)), where=norm > 0)
    return _known(result, before, after)


def squared_difference(before: Charges, after: Charges) -> Values:
    """Sum of the squared differences of the charges, over the geometric mean of their squares."""
    a, b = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    difference = ((a - b) ** 2).sum(axis=1)
    return np.divide(difference, norm, out=np.full(len(a), np.nan), where=norm > 0)


def zero_fraction(before: Charges, after: Charges) -> Values:
    """1 for a module with charge that comes back empty, else 0: the mean is the fraction."""
    return np.where(_filled(before), np.where(_filled(after), 0.0, 1.0), np.nan)


def charge_response(before: Charges, after: Charges) -> Values:
    """Summed charge after over that before: 1 where charge is conserved."""
    total = before.sum(axis=1, dtype=np.float64)
    received = after.sum(axis=1, dtype=np.float64)
    return np.divide(received, total, out=np.full(len(total), np.nan), where=total > 0)


def telescope(before: Charges, after: Charges) -> Values:
    """The telescope loss of charges over 2**floor(log2(sum before)): a pure number."""
    scale = scale_of(before)[:, None].astype(np.float64)
    a, b = before / scale, after / scale

    def weighted(true: Values, found: Values, weights: npt.NDArray) -> Values:
        return (true - found) ** 2 * np.maximum(true, found) @ (weights / len(weights))

    cells = weighted(a, b, np.ones(a.shape[1]))
    of_supercells = supercell_sums().astype(np.float64)
    supercells = weighted(a @ of_supercells, b @ of_supercells, supercell_weights())
    of_sectors = sector_sums().astype(np.float64)
    sectors = weighted(a @ of_sectors, b @ of_sectors, np.ones(of_sectors.shape[1]))
    return np.where(_filled(before), 4 * cells + 2 * supercells + sectors, np.nan)


MEASURES = (
    Measure("emd", 0.0, partial(emd, workers=1)),
    Measure("emd_threshold", 0.0, emd_above_threshold, only_full=True),
    Measure("mean_difference", 0.0, mean_difference),
    Measure("rms_difference", 0.0, rms_difference),
    Measure("rms_difference_absolute", 0.0, rms_difference_absolute),
    Measure("rms_reference_difference", 0.0, rms_reference_difference),
    Measure("rms_reference_difference_absolute", 0.0, rms_reference_difference_absolute),
    Measure("cross_correlation", 1.0, cross_correlation),
    Measure("squared_difference", 0.0, squared_difference),
    Measure("zero_fraction", 0.0, zero_fraction),
    Measure("charge_response", 1.0, charge_response),
    Measure("telescope", 0.0, telescope),
)


def measures(*, full: bool) -> tuple[Measure, ...]:
    """The measures of an evaluation: all, or all but a second earth mover's distance."""
    return MEASURES if full else tuple(m for m in MEASURES if not m.only_full)


def measure_modules(
    before: Charges, after: Charges, *, full: bool = False, progress: Progress | None = None
) -> dict[str, Values]:
    """Values (n,) of each of `measures`, by name.

    Args:
        before, after: charges in CALQ counts, shape (n, 48).
        full: all measures.
        progress: called with the number of modules finished since its last call.

    Raises:
        ValueError: shapes differ or are not (n, 48); a charge is negative or not finite.
    """
    chosen = measures(full=full)
    require_charges(before, "before")
    require_charges(after, "after")
    if len(before) != len(after):
        raise ValueError(f"{len(before)} modules cannot be compared with {len(after)}")
    values = {measure.name: np.empty(len(before)) for measure in chosen}

    def measure_block(start: int) -> int:
        block = slice(start, start + _BLOCK)
        for measure in chosen:
            values[measure.name][block] = measure.function(before[block], after[block])
        return len(before[block])

    # one thread's transport problems run while another's arrays are computed
    with ThreadPoolExecutor(usable_cores()) as pool:
        for done in pool.map(measure_block, range(0, len(before), _BLOCK)):
            if progress:
                progress(done)
    return values


def _filled(charges: Charges) -> npt.NDArray[np.bool_]:
    return charges.sum(axis=1, dtype=np.float64) > 0


def _known(values: Values, before: Charges, after: Charges) -> Values:
    return np.where(_filled(before) & _filled(after), values, np.nan)


def _shares(charges: Charges) -> Values:
    """Charges as fractions of each module's sum; a row of NaN for an empty module."""
    total = charges.sum(axis=1, keepdims=True, dtype=np.float64)
    return np.divide(charges, total, out=np.full(charges.shape, np.nan), where=total > 0)


def _above(charges: Charges, threshold: float) -> Values:
    shares = _shares(charges)
    return np.where(shares > threshold, shares, 0.0)


def _about_mean(charges: Charges) -> Values:
    wide = np.asarray(charges, dtype=np.float64)
    return np.where(
        wide.max(axis=1, keepdims=True) > wide.min(axis=1, keepdims=True),
        wide - wide.mean(axis=1, keepdims=True),
        0.0,
    )


def _rms(charges: Charges) -> Values:
    x, y = cell_coordinates().T
    moments = _shares(charges) @ np.stack([x, y, x**2 + y**2], axis=1)
    return np.sqrt((moments[:, 2] - moments[:, 0] ** 2 - moments[:, 1] ** 2).clip(min=0))


def _rms_reference(charges: Charges) -> Values:
    x, y = cell_coordinates().T / cell_coordinates().std(axis=0)[:, None]
    shares = _shares(charges)
    mean_x, mean_y = (shares @ np.stack([x, y], axis=1)).T
    # the square of each coordinate's distance from the mean, written out
    terms = np.stack([x**2 + y**2, -2 * x, -2 * y, np.ones_like(x)], axis=1)
    squares, in_x, in_y, whole = (shares**2 @ terms).T
    total = squares + mean_x * in_x + mean_y * in_y + (mean_x**2 + mean_y**2) * whole
    return np.sqrt(total.clip(min=0))
