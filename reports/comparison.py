"""Several designs against the first of them, figure by figure: better, worse, or not to be told.

A figure is one metric in one form (variant), unit and evidence level; figures that differ in unit
or evidence are rows of their own and never compared.  Which direction is better, the metric tells.
A difference counts if it is larger than the tolerance and, where both sides have a standard error,
larger than twice the error of the difference.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from reports.catalogue import row_of
from reports.metrics import Metric, Summary

_OF_FIGURE = 4  # parts of a key that name the figure, before the tools
_SIGNIFICANT = 2.0  # standard errors


class Change(StrEnum):
    """What became of a figure."""

    BASE = "base"
    SAME = "same"
    BETTER = "better"
    WORSE = "worse"
    DIFFERENT = "different"
    MISSING = "missing"


@dataclass(frozen=True)
class ComparedDesign:
    """One side of a comparison: a summary and what it is called."""

    name: str
    summary: Summary


@dataclass(frozen=True)
class ComparedCell:
    """One design's figure.

    Attributes:
        metric: the record; None where the summary has none.
        change: against the first design.
        relative: change over the first design's value; None where there is none to tell.
    """

    metric: Metric | None
    change: Change
    relative: float | None = None

    @property
    def value(self) -> object:
        return self.metric.value if self.metric else None


@dataclass(frozen=True)
class ComparedFigure:
    """One row: the same figure of all designs.

    Attributes:
        first: a record of it.
        tool: who tells it, where several do.
    """

    first: Metric
    cells: tuple[ComparedCell, ...]
    tool: str = ""

    @property
    def is_detail(self) -> bool:
        """Whether it is shown on demand only, and does not count as a regression."""
        return row_of(self.first.name).detail or not self.is_judged

    @property
    def is_judged(self) -> bool:
        return self.first.better is not None and row_of(self.first.name).judged


@dataclass(frozen=True)
class DesignComparison:
    """All figures of the designs side by side.

    Attributes:
        notes: what has to be known before the figures are compared.
        tolerance: largest relative difference that is none.
    """

    designs: tuple[ComparedDesign, ...]
    figures: tuple[ComparedFigure, ...]
    notes: tuple[str, ...]
    tolerance: float

    @property
    def main(self) -> list[ComparedFigure]:
        """The figures of the designs themselves, where any design has a value."""
        return [
            figure
            for figure in self.figures
            if not figure.is_detail and any(cell.value is not None for cell in figure.cells)
        ]

    def changed(self, change: Change) -> list[tuple[str, ComparedFigure]]:
        """Design and figure of every such change among the main figures."""
        return [
            (design.name, figure)
            for figure in self.main
            for design, cell in zip(self.designs, figure.cells, strict=True)
            if cell.change is change
        ]


def compare(designs: Sequence[ComparedDesign], tolerance: float = 0.01) -> DesignComparison:
    """Compare every design with the first one.

    Args:
        designs: two at least.
        tolerance: largest relative difference that counts as none.
    """
    by_several = _told_by_several_tools(designs)
    by_key = [
        {_key(metric, by_several): metric for metric in design.summary.metrics}
        for design in designs
    ]
    keys: dict[tuple, Metric] = {}
    for side in by_key:
        keys = side | keys  # records of the first design that has them
    order = list(dict.fromkeys(key for side in by_key for key in side))
    figures = tuple(
        ComparedFigure(
            keys[key],
            tuple(_cells(key, by_key, tolerance)),
            tool=", ".join(_tools(keys[key])) if key[:_OF_FIGURE] in by_several else "",
        )
        for key in order
    )
    return DesignComparison(tuple(designs), figures, tuple(_notes(designs, figures)), tolerance)


def _told_by_several_tools(designs: Sequence[ComparedDesign]) -> set[tuple]:
    """Figures of which one design has several records: each tool's is then a row of its own."""
    return {
        figure
        for design in designs
        for figure, count in Counter(_figure(m) for m in design.summary.metrics).items()
        if count > 1
    }


def _figure(metric: Metric) -> tuple:
    return metric.name, metric.variant, metric.unit, metric.evidence


def _key(metric: Metric, by_several: set[tuple]) -> tuple:
    figure = _figure(metric)
    return (*figure, *_tools(metric)) if figure in by_several else figure


def _tools(metric: Metric) -> tuple[str, ...]:
    return tuple(sorted(metric.provenance.tools)) if metric.provenance else ()


def _cells(
    key: tuple, sides: Sequence[dict[tuple, Metric]], tolerance: float
) -> Iterator[ComparedCell]:
    base = sides[0].get(key)
    for index, side in enumerate(sides):
        metric = side.get(key)
        if metric is None or metric.value is None:
            yield ComparedCell(metric, Change.MISSING)
        elif index == 0 or base is None or base.value is None:
            yield ComparedCell(metric, Change.BASE if index == 0 else Change.DIFFERENT)
        else:
            errors = [_error(key, sides[0]), _error(key, side)]
            yield _judge(base, metric, errors, tolerance)


def _judge(
    base: Metric, metric: Metric, errors: Sequence[float | None], tolerance: float
) -> ComparedCell:
    before, after = base.value, metric.value
    if isinstance(before, str) or isinstance(after, str) or before is None or after is None:
        return ComparedCell(metric, Change.SAME if before == after else Change.DIFFERENT)
    difference = float(after) - float(before)
    relative = difference / abs(before) if before else None
    if not difference:
        return ComparedCell(metric, Change.SAME, 0.0)
    if relative is not None and abs(relative) <= tolerance:
        return ComparedCell(metric, Change.SAME, relative)
    known = [error for error in errors if error is not None]
    if len(known) == len(errors) and abs(difference) <= _SIGNIFICANT * math.hypot(*known):
        return ComparedCell(metric, Change.SAME, relative)
    if base.better is None or base.better != metric.better or not row_of(base.name).judged:
        return ComparedCell(metric, Change.DIFFERENT, relative)
    improved = difference < 0 if base.better == "lower" else difference > 0
    return ComparedCell(metric, Change.BETTER if improved else Change.WORSE, relative)


def _error(key: tuple, side: dict[tuple, Metric]) -> float | None:
    """Standard error of a mean (or median, whose own is somewhat larger), where it is known."""
    name, *rest = key
    stem, _, part = name.rpartition(".")
    error = side.get((f"{stem}.standard_error", *rest)) if part in ("mean", "median") else None
    return float(error.value) if error and isinstance(error.value, int | float) else None


def _notes(designs: Sequence[ComparedDesign], figures: Sequence[ComparedFigure]) -> Iterator[str]:
    for first, second in ((designs[0], other) for other in designs[1:]):
        one, other = first.summary, second.summary
        names = f"{first.name} and {second.name}"
        if one.target != other.target:
            yield f"{names} are for different targets: {one.target}, {other.target}"
        for kind, hashes in (
            ("training data", (_hash(one, "train."), _hash(other, "train."))),
            ("validation modules", (_hash(one, "emd."), _hash(other, "emd."))),
        ):
            if None not in hashes and len(set(hashes)) == 2:
                yield f"{names} have different {kind} (data hashes {hashes[0]}, {hashes[1]})"
        if one.provenance.model_hash and one.provenance.model_hash == other.provenance.model_hash:
            yield f"{names} are the same encoder (model hash {one.provenance.model_hash})"
        tools = one.provenance.tools
        changed = [
            f"{tool} {tools[tool]}, {version}"
            for tool, version in other.provenance.tools.items()
            if tools.get(tool, version) != version
        ]
        if changed:
            yield f"{names} were measured with different tools: {'; '.join(changed)}"
    for design in designs:
        if design.summary.provenance.git_dirty:
            yield f"{design.name} was measured with uncommitted changes in the checkout"
    yield from _never_compared(figures)


def _hash(summary: Summary, prefix: str) -> str | None:
    """The hash of the data that the metrics of this prefix were measured on."""
    return next(
        (
            metric.provenance.data_hash
            for metric in summary.metrics
            if metric.name.startswith(prefix) and metric.provenance and metric.value is not None
        ),
        None,
    )


def _never_compared(figures: Sequence[ComparedFigure]) -> Iterator[str]:
    """Names that are measured on both sides, but in other units or at other evidence levels."""
    rows: dict[tuple[str, str | None, str], list[ComparedFigure]] = {}
    for figure in figures:
        row = figure.first.name, figure.first.variant, figure.tool
        rows.setdefault(row, []).append(figure)
    for (name, variant, _), found in rows.items():
        known = [row for row in found if any(cell.value is not None for cell in row.cells)]
        for one, other in pairwise(known):
            together = any(
                a.value is not None and b.value is not None
                for a, b in zip(one.cells, other.cells, strict=True)
            )
            if together:  # one design has both levels: they stand in rows of their own
                continue
            what = f"{name} ({variant})" if variant else name
            differing = [
                f"{part} '{a}' and '{b}'"
                for part, a, b in (
                    ("unit", one.first.unit, other.first.unit),
                    ("evidence", one.first.evidence.value, other.first.evidence.value),
                )
                if a != b
            ]
            yield f"{what} is not compared: {' and '.join(differing)}"
