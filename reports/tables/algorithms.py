"""The autoencoder beside the concentrator's other algorithms: distance and bits, bin by bin.

Marked in each column is the smallest mean of those that are sent within the links' bits and that
bring back almost every module: a mean over the modules that an algorithm happens to answer is not
compared with one over all.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from reports.catalogue import algorithm_label
from reports.metrics import Metric, Summary
from reports.tables.values import MISSING

LEAST_ANSWERED = 0.99  # of the modules of a column, to be compared in it
SIGNIFICANT = 2.0  # standard errors of the difference of two means

AUTOENCODER = "autoencoder"
_KEY = re.compile(r"baseline\.(\w+)\.(ideal|chip)\.emd\.mean")
_BIN = re.compile(r"emd\.(occupancy|charge)\.([\w.]+)-([\w.]+)\.mean")
_TITLES = {
    "occupancy": "By occupancy: trigger cells above 1 MIP_T",
    "charge": "By summed charge, in MIP_T",
}

LEGEND = (
    "Means of the earth mover's distance in half pitches, with their standard errors. "
    "threshold: cells above 1.35 MIP_T; STC4, STC16: super trigger cells, the sum of 2 x 2 or "
    "4 x 4 cells in the largest of them; CTC4: the sum of 2 x 2 cells shared alike by them; best "
    "choice: the largest cells, as many as the links carry; mean image: the module's sum only. "
    "ideal: charges as they are; chip: as decoded from the codes the ECON-T sends, and the mean "
    "bits of a module's frame. Modules of which an algorithm brings nothing back are told as "
    "empty, and are not in its mean. Marked: the smallest of those sent within the links' bits "
    f"with at most {1 - LEAST_ANSWERED:.0%} empty."
)


@dataclass(frozen=True)
class Mean:
    """The distance of one algorithm in one column.

    Attributes:
        value, error: mean and its standard error, in half pitches; None where nothing came back.
            The mean of one module has no error.
        answered: fraction of the modules with charge that came back with charge; None where the
            column has no module.
        best: whether it is marked.
    """

    value: float | None
    error: float | None
    answered: float | None
    best: bool = False

    @property
    def text(self) -> str:
        """As `0.436 +- 0.002`, with the share left out where there is one."""
        if self.value is None:
            return self._with_share(MISSING, " ({} empty)")
        error = MISSING if self.error is None else f"{self.error:.3f}"
        return self._with_share(f"{self.value:.3f} \u00b1 {error}", " ({} empty)")

    @property
    def brief(self) -> str:
        """As `0.436(2)`, the error in units of the last digit."""
        if self.value is None:
            return self._with_share(MISSING, " {} empty")
        error = MISSING if self.error is None else f"{1000 * self.error:.0f}"
        return self._with_share(f"{self.value:.3f}({error})", " {} empty")

    def _with_share(self, text: str, words: str) -> str:
        if self.answered is None or self.answered == 1:
            return text
        return text + words.format(_percent(1 - self.answered))


@dataclass(frozen=True)
class AlgorithmRow:
    """One algorithm: `form` is empty for the autoencoder, `bits` where there is no number."""

    name: str
    form: str
    bits: str
    means: tuple[Mean, ...]


@dataclass(frozen=True)
class AlgorithmTable:
    """All algorithms, in all and in the bins of one coordinate.

    Attributes:
        title: names the coordinate.
        columns: `all`, then the bins.
        findings: what the table says of the autoencoder, in sentences.
        choice: which algorithm to send where, and what that gives, in sentences.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[AlgorithmRow, ...]
    findings: tuple[str, ...]
    choice: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    name: str
    form: str
    prefix: str
    bits: float | None


def algorithm_tables(summary: Summary) -> list[AlgorithmTable]:
    """A table by occupancy and one by charge; none where no algorithm was measured."""
    found = {metric.name: metric for metric in summary.metrics}
    candidates = [
        _Candidate(
            algorithm_label(match[1]),
            match[2],
            f"baseline.{match[1]}.{match[2]}.emd",
            _number(found.get(f"baseline.{match[1]}.{match[2]}.bits")),
        )
        for name in found
        if (match := _KEY.fullmatch(name))
    ]
    if not candidates:
        return []
    own = _Candidate(AUTOENCODER, "", "emd", _number(found.get("quality.bits")))
    budget = _number(found.get("link.bits"))
    return [_table(coordinate, [own, *candidates], found, budget) for coordinate in _TITLES]


def _table(
    coordinate: str,
    candidates: list[_Candidate],
    found: Mapping[str, Metric],
    budget: float | None,
) -> AlgorithmTable:
    bins = [
        (match[2], match[3])
        for name in found
        if (match := _BIN.fullmatch(name)) and match[1] == coordinate
    ]
    suffixes = ["", *(f".{coordinate}.{lower}-{upper}" for lower, upper in bins)]
    columns = ("all", *(bin_words(coordinate, *edges, last=edges == bins[-1]) for edges in bins))
    means = [[_mean(found, c.prefix + suffix) for suffix in suffixes] for c in candidates]
    competes = [
        c.form != "ideal" and (budget is None or (c.bits is not None and c.bits <= budget))
        for c in candidates
    ]
    for column in range(len(columns)):
        valid = [
            (mean[column].value, row)
            for row, mean in enumerate(means)
            if competes[row] and _comparable(mean[column])
        ]
        if valid:
            _, row = min(valid)
            means[row][column] = replace(means[row][column], best=True)
    rows = tuple(
        AlgorithmRow(c.name, c.form, MISSING if c.bits is None else f"{c.bits:.0f}", tuple(mean))
        for c, mean in zip(candidates, means, strict=True)
    )
    own_bits = candidates[0].bits
    rivals = [row for row, wins in zip(rows, competes, strict=True) if wins and row.form]
    title = _TITLES[coordinate]
    if budget is not None:
        title += f" ({budget:.0f} bits a bunch crossing on the links)"
    findings = _findings(rows[0], rivals, columns)
    if budget is not None and any(mean.value is not None for mean in rows[0].means):
        findings = (*_misfit(found.get("quality.bits"), own_bits, budget), *findings)
    choice = (*_where_best(rows, columns), *_mixture(coordinate, found))
    return AlgorithmTable(title, columns, rows, findings, choice)


def _where_best(rows: tuple[AlgorithmRow, ...], columns: tuple[str, ...]) -> tuple[str, ...]:
    """Which algorithm has the mark in which column."""
    marked = [
        (row.name, [column for column, mean in zip(columns, row.means, strict=True) if mean.best])
        for row in rows
    ]
    words = [f"{name} in {', '.join(of)}" for name, of in marked if of]
    return (f"Smallest mean within the links' bits: {'; '.join(words)}.",) if words else ()


def _mixture(coordinate: str, found: Mapping[str, Metric]) -> tuple[str, ...]:
    """What choosing an algorithm by the bins of this table would give."""
    mean = _number(found.get(f"mixture.{coordinate}.emd.mean"))
    share = _number(found.get(f"mixture.{coordinate}.autoencoder"))
    if mean is None or share is None:
        return ()
    return (
        f"Each module sent by the best algorithm of its bin: mean {mean:.3f}, "
        f"{share:.0%} of the modules by the autoencoder.",
    )


def _misfit(record: Metric | None, bits: float | None, budget: float) -> tuple[str, ...]:
    """Why the autoencoder cannot be sent as it was measured, if it cannot."""
    if bits is None:
        why = f" ({record.reason})" if record and record.reason else ""
        return (f"The autoencoder has no number of bits{why}: as measured, it cannot be sent.",)
    if bits > budget:
        return (f"The autoencoder's {bits:.0f} bits do not fit the links' {budget:.0f}.",)
    return ()


def _findings(
    own: AlgorithmRow, rivals: list[AlgorithmRow], columns: tuple[str, ...]
) -> tuple[str, ...]:
    if all(mean.value is None for mean in own.means):
        return ("The autoencoder's distance is not known.",)
    sentences = []
    unanswered = [
        f"{_percent(1 - mean.answered)} in {column}"
        for column, mean in zip(columns, own.means, strict=True)
        if mean.answered is not None and mean.answered < LEAST_ANSWERED
    ]
    if unanswered:
        sentences.append(
            "The autoencoder brings nothing back of some modules, and its mean is not compared "
            f"there: {', '.join(unanswered)}."
        )
    for rival in rivals:
        lost = [
            column
            for column, ours, theirs in zip(columns, own.means, rival.means, strict=True)
            if _loses(ours, theirs)
        ]
        if lost:
            sentences.append(
                f"The autoencoder loses to {rival.name} ({rival.bits} bits) in "
                + ("every column." if len(lost) == len(columns) else f"columns {', '.join(lost)}.")
            )
    return tuple(sentences) or (
        f"No algorithm within the links' bits has a distance smaller by {SIGNIFICANT:g} standard "
        "errors or more, in any column.",
    )


def _loses(ours: Mean, theirs: Mean) -> bool:
    if not (_comparable(ours) and _comparable(theirs)):
        return False
    assert ours.value is not None and theirs.value is not None
    if ours.error is None or theirs.error is None:
        return False
    return ours.value - theirs.value > SIGNIFICANT * math.hypot(ours.error, theirs.error)


def _comparable(mean: Mean) -> bool:
    return mean.value is not None and (mean.answered or 0) >= LEAST_ANSWERED


def _mean(found: Mapping[str, Metric], name: str) -> Mean:
    def of(part: str) -> float | None:
        return _number(found.get(f"{name}.{part}"))

    modules, nothing = of("modules") or 0, of("empty_output") or 0
    answered = modules / (modules + nothing) if modules + nothing else None
    return Mean(of("mean"), of("standard_error"), answered)


def _number(metric: Metric | None) -> float | None:
    value = metric.value if metric else None
    return float(value) if isinstance(value, int | float) else None


def bin_words(coordinate: str, lower: str, upper: str, *, last: bool) -> str:
    """The bin in words: occupancies are whole numbers, and the last bin has its upper edge."""
    if upper == "inf":
        return f"from {lower}"
    if coordinate == "occupancy" and not last:
        upper = str(int(upper) - 1)
    return f"{lower} to {upper}"


def _percent(fraction: float) -> str:
    return f"{fraction:.0%}" if fraction >= 0.01 else "<1%"
