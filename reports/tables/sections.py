"""The sections of a report: one row a metric, one column an evidence level, never mixed."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.catalogue import DATA, HARDWARE, OTHER, SECTIONS, TRAINING, label_of, row_of
from reports.metrics import Evidence, Metric, Summary
from reports.tables.gaps import Gap, group_gaps
from reports.tables.values import MISSING, format_value

BACKGROUND = (DATA, TRAINING, OTHER)
"""Titles of the sections that tell what the design was made from, not what came out."""

EVIDENCE = {
    Evidence.ESTIMATE: "calculated, reported by HLS, or measured on the Keras model",
    Evidence.CSIM: "C++ compiled and run",
    Evidence.RTLSIM: "RTL simulated",
    Evidence.SYNTH: "after logic synthesis",
    Evidence.PNR: "after placement and routing",
}


@dataclass(frozen=True)
class SectionRow:
    """One metric (or one variant of it).

    Attributes:
        label: words for it; `name` is the dotted name.
        cells: the value at each evidence level of the section's columns, MISSING where none.
        reason: why nothing was measured; empty where something was.
    """

    name: str
    label: str
    unit: str
    cells: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True)
class Section:
    """One table: `columns` names the evidence level of each cell."""

    title: str
    columns: tuple[Evidence, ...]
    rows: tuple[SectionRow, ...]

    @property
    def gaps(self) -> list[Gap]:
        """Why rows are without value: one entry a reason."""
        return group_gaps((row.name, row.reason) for row in self.rows)


def sections(summary: Summary, *, with_costs: bool = True) -> list[Section]:
    """The metrics that have a row of their own, in the order of the summary.

    Args:
        with_costs: also those of the hardware's cost that the table of forms shows.
    """
    members: dict[str, list[Metric]] = {title: [] for title in SECTIONS}
    for metric in summary.metrics:
        row = row_of(metric.name)
        is_elsewhere = row.section == HARDWARE and row.form_row and not with_costs
        if row.section in members and not is_elsewhere:
            members[row.section].append(metric)
    return [_section(title, metrics) for title, metrics in members.items() if metrics]


def _section(title: str, members: Sequence[Metric]) -> Section:
    measured = {metric.evidence for metric in members if metric.value is not None}
    levels = measured or {metric.evidence for metric in members}
    columns = tuple(level for level in Evidence if level in levels)
    rows: dict[tuple[str, str | None], list[Metric]] = {}
    for metric in members:
        rows.setdefault((metric.name, metric.variant), []).append(metric)
    return Section(title, columns, tuple(_row(records, columns) for records in rows.values()))


def _row(records: list[Metric], columns: tuple[Evidence, ...]) -> SectionRow:
    first = records[0]
    values = {m.evidence: format_value(m.value) for m in records if m.value is not None}
    label = label_of(first.name)
    return SectionRow(
        name=first.name,
        label=f"{label} ({first.variant})" if first.variant else label,
        unit=first.unit,
        cells=tuple(values.get(level, MISSING) for level in columns),
        reason="" if values else "; ".join(dict.fromkeys(m.reason or "" for m in records)),
    )
