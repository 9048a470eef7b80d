"""One model of the report, which the terminal, Markdown and HTML renderings share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from reports.metrics import Summary
from reports.tables.algorithms import AlgorithmTable, algorithm_tables
from reports.tables.anchors import Anchor, anchors
from reports.tables.gaps import Gap, group_gaps
from reports.tables.layer_costs import LayerCostTable, layer_cost_table
from reports.tables.measures import MeasureRow, measure_rows
from reports.tables.netlist_cells import CellTable, cell_table
from reports.tables.occupancy import OccupancyRow, occupancy_rows
from reports.tables.sections import BACKGROUND, EVIDENCE, Section, sections
from reports.tables.side_by_side import SideBySide, side_by_side
from reports.verdict import Bounds, Check, Lost, Outcome, judge, overall

if TYPE_CHECKING:  # matplotlib is slow to import, and a status needs no pictures
    from reports.pictures.gallery import Gallery


class Progress(StrEnum):
    DONE = "done"
    SKIPPED = "skipped"
    MISSING = "not done"
    STALE = "stale"


@dataclass(frozen=True)
class StageState:
    """How far one stage has come.

    Attributes:
        name: as on the command line.
        progress: done, skipped (it could not be done), not done, or stale (what it read or wrote
            is no more what it was, so its results do not count).
        detail: its key figure; the reason; or the command that does it.
        time: when its result was written.
    """

    name: str
    progress: Progress
    detail: str
    time: datetime | None = None

    @property
    def undone(self) -> str | None:
        """Why the stage has no results; None where it has."""
        if self.progress is Progress.DONE:
            return None
        return f"not done; {self.detail}" if self.progress is Progress.MISSING else self.detail


@dataclass(frozen=True)
class LayerFormats:
    """The number formats of one layer of the HLS C++: format by role (`result`, `weight`, ...)."""

    name: str
    kind: str
    formats: Mapping[str, str]


@dataclass(frozen=True)
class DesignReport:
    """All that a report shows."""

    summary: Summary
    description: str
    outcome: Outcome
    checks: list[Check]
    stages: list[StageState]
    sections: list[Section]
    forms: SideBySide
    cells: CellTable
    layer_costs: LayerCostTable
    occupancy: list[OccupancyRow]
    measures: list[MeasureRow]
    algorithms: list[AlgorithmTable]
    layers: list[LayerFormats]
    gallery: "Gallery | None"

    @property
    def evidence(self) -> list[tuple[str, str]]:
        """The evidence levels that the tables have as columns, each with its meaning."""
        shown = {level.value for section in self.sections for level in section.columns}
        shown |= {column.level for column in self.forms.columns}
        return [(level.value, words) for level, words in EVIDENCE.items() if level.value in shown]

    @property
    def stale(self) -> list[StageState]:
        """The stages whose results count no more."""
        return [stage for stage in self.stages if stage.progress is Progress.STALE]

    @property
    def results(self) -> list[Section]:
        """The sections on what came out."""
        return [section for section in self.sections if section.title not in BACKGROUND]

    @property
    def background(self) -> list[Section]:
        """The sections on what it was made from."""
        return [section for section in self.sections if section.title in BACKGROUND]

    @property
    def gaps(self) -> list[Gap]:
        """Why demands could not be judged: one entry a reason."""
        return group_gaps((check.subject, check.reason) for check in self.checks)


def compose(
    summary: Summary,
    *,
    description: str,
    budgets: Mapping[str, Bounds],
    stages: list[StageState],
    layers: list[LayerFormats],
    gallery: "Gallery | None" = None,
    lost: Lost = (),
    published: tuple[Anchor, ...] | None = None,
) -> DesignReport:
    """Judge the summary and lay it out.

    Args:
        description: one line on the target.
        budgets: bounds by metric name, from the target.
        layers: fixed-point types of the HLS C++; empty where there is none.
        gallery: the pictures; None for a report without.
        lost: metrics of results that count no more, by name and form.
        published: designs to set it beside; None for all that are known.
    """
    undone = {stage.name: stage.undone for stage in stages if stage.undone}
    checks = judge(summary, budgets, undone, lost)
    stale = any(stage.progress is Progress.STALE for stage in stages)
    return DesignReport(
        summary=summary,
        description=description,
        outcome=overall(checks, stale=stale),
        checks=checks,
        stages=stages,
        sections=sections(summary, with_costs=False),
        forms=side_by_side(summary, anchors() if published is None else published, undone),
        cells=cell_table(summary),
        layer_costs=layer_cost_table(summary, undone),
        occupancy=occupancy_rows(summary),
        measures=measure_rows(summary),
        algorithms=algorithm_tables(summary),
        layers=layers,
        gallery=gallery,
    )
