"""The four distributions by which module data are known: of any data set, and as published."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from hw.foundation.errors import InputError
from hw.foundation.strict_config import StrictRecord, did_you_mean, load_record
from models.data.geometry import CALQ_PER_MIPT

BINS = 50
NAMES = ("occ_all", "occ_1MT", "maxQ", "sumQ")
PUBLISHED_FILE = Path(__file__).with_name("published_distributions.yaml")

_UPPER = {"occ_all": 50.0, "occ_1MT": 50.0, "maxQ": 2.5, "sumQ": 2.5}  # every range starts at 0
_Counts = Annotated[tuple[int, ...], Field(strict=False, min_length=BINS, max_length=BINS)]


@dataclass(frozen=True)
class Distribution:
    """A histogram of one quantity of all modules of a data set.

    Attributes:
        edges: bin edges, shape (51,); unit as the quantity (a number of cells, or log10 of MIP_T).
        counts: modules in each bin, shape (50,).
        outside: modules outside the edges, so that `counts.sum() + outside` is all modules.
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    outside: int

    def all_modules(self) -> npt.NDArray[np.int64]:
        """Counts with the modules outside the edges as one more class, shape (51,)."""
        return np.append(self.counts, self.outside)


class _Sample(StrictRecord):
    modules: int
    occ_all: _Counts
    occ_1MT: _Counts
    maxQ: _Counts
    sumQ: _Counts


class _Samples(StrictRecord):
    ttbar: _Sample
    elegun: _Sample


def edges(name: str) -> npt.NDArray[np.float64]:
    """Bin edges of a distribution in NAMES, shape (51,)."""
    return np.linspace(0, _UPPER[name], BINS + 1)


def published(sample: str = "ttbar") -> dict[str, Distribution]:
    """The published distributions of `ttbar` or `elegun`, by name.

    Raises:
        InputError: no such sample.
    """
    samples = load_record(PUBLISHED_FILE, _Samples)
    if sample not in _Samples.model_fields:
        raise InputError(
            f"no sample '{sample}'; {did_you_mean(sample, list(_Samples.model_fields))}"
        )
    record = getattr(samples, sample)
    counts = {name: np.array(getattr(record, name)) for name in NAMES}
    return {
        name: Distribution(edges(name), values, record.modules - int(values.sum()))
        for name, values in counts.items()
    }


PUBLISHED: Mapping[str, Distribution] = published("ttbar")


def quantities(calq: npt.NDArray) -> dict[str, npt.NDArray[np.float64]]:
    """What the distributions count, by name, from charges of shape (n, 48) in CALQ counts.

    A module without charge has -inf for `maxQ` and `sumQ`: outside every bin.
    """
    total = calq.sum(axis=1, dtype=np.float64)
    leading = np.where(total > 0, np.ldexp(0.5, np.frexp(total)[1]), 0.0)
    return {
        "occ_all": np.count_nonzero(calq > 0, axis=1).astype(np.float64),
        "occ_1MT": np.count_nonzero(calq > CALQ_PER_MIPT, axis=1).astype(np.float64),
        "maxQ": _log10(calq.max(axis=1).astype(np.float64) / CALQ_PER_MIPT),
        "sumQ": _log10(leading / CALQ_PER_MIPT),
    }


def distributions(calq: npt.NDArray) -> dict[str, Distribution]:
    """The four distributions of modules, from charges of shape (n, 48) in CALQ counts, n >= 1."""
    found = {}
    for name, values in quantities(calq).items():
        counts = np.histogram(values, edges(name))[0].astype(np.int64)
        found[name] = Distribution(edges(name), counts, len(values) - int(counts.sum()))
    return found


def total_variation(counts: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Total-variation distance of two histograms with the same bins, each normalised to sum 1.

    Returns:
        Half the sum of absolute differences: 0 for the same shape, 1 for disjoint ones.

    Raises:
        ValueError: shapes differ, a count is negative, or a histogram is empty.
    """
    ours, theirs = np.asarray(counts, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if ours.shape != theirs.shape:
        raise ValueError(f"histograms of shapes {ours.shape} and {theirs.shape} have no distance")
    for values in (ours, theirs):
        if values.min(initial=0) < 0 or values.sum() <= 0:
            raise ValueError("a histogram needs counts >= 0 with a sum above 0")
    return float(0.5 * np.abs(ours / ours.sum() - theirs / theirs.sum()).sum())


def _log10(values: npt.NDArray) -> npt.NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.log10(values)
