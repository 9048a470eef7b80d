"""From HLS to gates: each form of one design in a column, published designs beside them.

A column is one form at one evidence level, so an estimate never shares a column with a measurement.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from hw.forms import FORMS, GENERATED, RECONFIGURABLE
from reports.catalogue import HARDWARE, MAPPED_TO, Row, named_rows, row_of
from reports.metrics import Evidence, Metric, Summary
from reports.tables.anchors import Anchor
from reports.tables.gaps import Gap, group_gaps
from reports.tables.values import MISSING, format_value

PUBLISHED = "published"
"""What stands for the evidence level of a published design."""

LEGEND = (
    f"{'; '.join(f'{form.name}: {form.meaning}' for form in FORMS)}. "
    "A form has no such figure where its cell is empty."
)

_FPGA, _ECP5, _ASIC = "FPGA", "ECP5", "ASIC"
_ECP5_NOTE = (
    "placed and routed for a Lattice ECP5, whose logic cells are look-up tables of four inputs: "
    "no figure of another FPGA"
)
# units of things, which the label of their row names
_COUNTED = ("LUT", "FF", "DSP", "carry cells", "logic cells", "vectors")
_RTL_LEVELS = ((Evidence.RTLSIM, ""), (Evidence.SYNTH, _FPGA), (Evidence.SYNTH, _ASIC))


@dataclass(frozen=True)
class _Line:
    """A row: the first of these metrics that a column has."""

    label: str
    unit: str
    metrics: tuple[str, ...]


@cache
def _rows() -> tuple[Row, ...]:
    """The metrics of the table, those of the hardware's cost first."""
    rows = [row for row in named_rows() if row.form_row not in ("", MAPPED_TO)]
    return tuple(sorted(rows, key=lambda row: row.section != HARDWARE))


@cache
def _lines() -> tuple[_Line, ...]:
    names: dict[tuple[str, str], list[str]] = {}
    for row in _rows():
        unit = "" if row.unit in _COUNTED else row.unit
        names.setdefault((row.form_row, unit), []).append(row.name)
    return tuple(_Line(label, unit, tuple(found)) for (label, unit), found in names.items())


@dataclass(frozen=True)
class FormColumn:
    """One form of the design at one level, or a published design.

    Attributes:
        title: what it is: `generated RTL`.
        level: the evidence level, or `published`.
        cells: one a row: the value; MISSING where it should be there; empty where the form has no
            such figure.
        note: what a netlist is mapped to; what a published design is, and its source.
    """

    title: str
    level: str
    cells: tuple[str, ...]
    note: str = ""

    @property
    def is_empty(self) -> bool:
        return all(cell in ("", MISSING) for cell in self.cells)


@dataclass(frozen=True)
class SideBySide:
    """The table: `labels` and `units` of the rows, then the columns; `gaps` explains dashes."""

    labels: tuple[str, ...]
    units: tuple[str, ...]
    columns: tuple[FormColumn, ...]
    gaps: tuple[Gap, ...]

    @property
    def notes(self) -> list[tuple[str, str]]:
        """Notes on columns with figures, each with the titles of its columns."""
        titles: dict[str, list[str]] = {}
        for column in self.columns:
            if column.note and not column.is_empty:
                titles.setdefault(column.note, []).append(column.title)
        return [(", ".join(names), note) for note, names in titles.items()]


@dataclass(frozen=True)
class _FormAtLevel:
    """What a column is of; `technology` is that of a netlist, `variant` is None for HLS."""

    evidence: Evidence
    technology: str
    variant: str | None

    @property
    def title(self) -> str:
        what = {
            Evidence.ESTIMATE: "RTL" if self.variant else "",
            Evidence.CSIM: "C++",
            Evidence.RTLSIM: "RTL",
            Evidence.SYNTH: f"{self.technology} netlist",
            Evidence.PNR: f"routed {self.technology}",
        }[self.evidence]
        return f"{self.variant or 'HLS'} {what}".strip()

    @property
    def expected(self) -> tuple[str, ...]:
        """What it should tell; anything else is shown where there is such a figure."""
        if self.evidence is Evidence.ESTIMATE and self.variant:
            return ()  # whatever the tool that makes the RTL tells
        return tuple(
            row.name
            for row in _rows()
            if self.evidence in row.levels and self.technology in ("", _technology_of(row.name))
        )

    @property
    def place(self) -> tuple[int, int, int, str]:
        """Its place among the columns."""
        technologies = ("", _FPGA, _ECP5, _ASIC)
        variants = (None, *(form.name for form in FORMS))
        rank = variants.index(self.variant) if self.variant in variants else len(variants)
        level = list(Evidence).index(self.evidence)
        return level, technologies.index(self.technology), rank, self.variant or ""


# of one form, by name; several where several tools tell the same
_Figures = dict[str, list[Metric]]


def side_by_side(
    summary: Summary, anchors: Iterable[Anchor], undone: Mapping[str, str]
) -> SideBySide:
    """Lay out all forms that the summary knows of, and those that the flow could make.

    Args:
        undone: why a stage has no results, by the stage's name.
    """
    found: dict[_FormAtLevel, _Figures] = {form: {} for form in _usual_forms(summary)}
    for metric in summary.metrics:
        if row_of(metric.name).form_row not in ("", MAPPED_TO):
            figures = found.setdefault(_form_of(metric, summary), {})
            figures.setdefault(metric.name, []).append(metric)
    forms = sorted(found, key=lambda form: form.place)
    columns = [_column(form, found[form], _mapped_to(form, summary)) for form in forms]
    columns += map(_published, anchors)
    lines = _lines()
    rows = [row for row in range(len(lines)) if any(column.cells[row] for column in columns)]
    return SideBySide(
        labels=tuple(lines[row].label for row in rows),
        units=tuple(lines[row].unit for row in rows),
        columns=tuple(
            replace(column, cells=tuple(column.cells[row] for row in rows)) for column in columns
        ),
        gaps=tuple(group_gaps(gap for form in forms for gap in _gaps(form, found[form], undone))),
    )


def _usual_forms(summary: Summary) -> list[_FormAtLevel]:
    """What can be made of any encoder; of the reconfigurable one, where a stage speaks of it."""
    spoken_of = any(metric.variant == RECONFIGURABLE.name for metric in summary.metrics)
    forms = (GENERATED, RECONFIGURABLE) if spoken_of else (GENERATED,)
    return [
        _FormAtLevel(Evidence.ESTIMATE, "", None),
        _FormAtLevel(Evidence.CSIM, "", None),
        *(_FormAtLevel(*level, form.name) for level in _RTL_LEVELS for form in forms),
        _FormAtLevel(Evidence.PNR, _ECP5, GENERATED.name),
    ]


def _form_of(metric: Metric, summary: Summary) -> _FormAtLevel:
    technology = ""
    if metric.evidence in (Evidence.SYNTH, Evidence.PNR):
        technology = _technology(metric, summary)
    return _FormAtLevel(metric.evidence, technology, metric.variant)


def _technology_of(name: str) -> str:
    """That of the netlist of which a metric tells, where the design has both."""
    if name.startswith("timing.ecp5."):
        return _ECP5
    return _FPGA if name.startswith("fpga.") else _ASIC


def _technology(metric: Metric, summary: Summary) -> str:
    """That of the netlist which was measured; an FPGA's where the form has no ASIC's here."""
    if (of_name := _technology_of(metric.name)) != _ASIC:
        return of_name
    has_asic = any(
        other.name.startswith("asic.")
        for other in summary.metrics
        if (other.evidence, other.variant) == (metric.evidence, metric.variant)
    )
    return _ASIC if has_asic else _FPGA


def _mapped_to(form: _FormAtLevel, summary: Summary) -> str:
    if form.technology == _ECP5:
        return _ECP5_NOTE
    for metric in summary.metrics:
        if (
            row_of(metric.name).form_row == MAPPED_TO
            and _technology_of(metric.name) == form.technology
            and (metric.evidence, metric.variant) == (form.evidence, form.variant)
            and metric.value
        ):
            return f"{MAPPED_TO} {metric.value}"
    return ""


def _column(form: _FormAtLevel, figures: _Figures, note: str) -> FormColumn:
    cells = []
    for line in _lines():
        names = [name for name in line.metrics if name in figures]
        values = next(filter(None, (_values(figures, name) for name in names)), [])
        promised = bool(names) or any(name in form.expected for name in line.metrics)
        cells.append(" / ".join(dict.fromkeys(map(_cell, values))) or (MISSING if promised else ""))
    return FormColumn(form.title, form.evidence.value, tuple(cells), note)


def _values(figures: _Figures, name: str) -> list[object]:
    return [metric.value for metric in figures.get(name, []) if metric.value is not None]


def _cell(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, float) and value >= 1000 else format_value(value)


def _published(anchor: Anchor) -> FormColumn:
    cells = []
    for line in _lines():
        given = [anchor.figures[name] for name in line.metrics if name in anchor.figures]
        cells.append(_cell(given[0]) if given else "")
    return FormColumn(
        anchor.title, PUBLISHED, tuple(cells), f"{anchor.design}. Source: {anchor.source}"
    )


def _gaps(
    form: _FormAtLevel, figures: _Figures, undone: Mapping[str, str]
) -> list[tuple[str, str]]:
    """What the column lacks and why, as pairs of name and reason."""
    lacking: dict[str, str] = {}
    told = {
        name
        for line in _lines()
        if any(_values(figures, metric) for metric in line.metrics)
        for name in line.metrics
    }
    suffix = next((known.suffix for known in FORMS if known.name == form.variant), "")
    for name in dict.fromkeys((*form.expected, *figures)):
        if name not in told:
            by_hls = form.variant is None and form.evidence is not Evidence.CSIM
            stage = "vendor" if by_hls else row_of(name).stage
            general = undone.get(stage, "not measured")
            reasons = [metric.reason for metric in figures.get(name, []) if metric.reason]
            lacking[name] = next(iter(reasons), undone.get(stage + suffix, general))
    where = f"{form.title} [{form.evidence.value}]"
    gaps = group_gaps(lacking.items())
    if len(gaps) == 1 and not told:
        return [(where, gaps[0].reason)]
    return [(f"{where} {', '.join(gap.names)}", gap.reason) for gap in gaps]
