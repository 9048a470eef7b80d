"""From HLS to gates: each form of one design in a column, published designs beside them.

A column is one form at one evidence level, so an estimate never shares a column with a measurement.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from reports.anchors import Anchor
from reports.metrics import Evidence, Metric, Summary
from reports.tables import MISSING, Gap, format_value, group_gaps

PUBLISHED = "published"
"""What stands for the evidence level of a published design."""

GENERATED, RECONFIGURABLE = "generated", "reconfigurable"
"""Forms that the steps after C++ take: RTL with the encoder's weights as constants, and the chip's
own encoder, whose weights are registers."""

LEGEND = (
    "generated: RTL made from the HLS model, weights as constants; reconfigurable: the chip's own "
    "encoder, weights in registers. A form has no such figure where its cell is empty."
)

HYPHENATED = "recon\u00adfigurable"
"""With a soft hyphen: as one word it makes its columns the widest by far."""

_FPGA, _ECP5, _ASIC = "FPGA", "ECP5", "ASIC"
_MAPPED_TO = {_FPGA: "fpga.family", _ASIC: "asic.library"}
_ECP5_NOTE = (
    "placed and routed for a Lattice ECP5, whose logic cells are look-up tables of four inputs: "
    "no figure of another FPGA"
)


@dataclass(frozen=True)
class _Line:
    """A row: the first of these metrics that a column has."""

    label: str
    unit: str
    metrics: tuple[str, ...]


_LINES = (
    _Line("Latency", "cycles", ("latency.cycles",)),
    _Line("Latency", "ns", ("latency.ns",)),
    _Line("Initiation interval", "cycles", ("ii.cycles",)),
    _Line("Look-up tables", "", ("fpga.lut",)),
    _Line("Logic cells", "", ("timing.ecp5.cells",)),
    _Line("Flip-flops", "", ("fpga.ff",)),
    _Line("DSP blocks", "", ("fpga.dsp",)),
    _Line("Carry cells", "", ("fpga.carry",)),
    _Line("Area", "um2", ("asic.area_um2",)),
    _Line("Gate equivalents", "", ("asic.gate_equivalents",)),
    _Line("Critical path", "ns", ("timing.critical_path_ns",)),
    _Line("Slack", "ns", ("timing.slack_ns",)),
    _Line("Critical path, OpenSTA", "ns", ("timing.opensta.critical_path_ns",)),
    _Line("Slack, OpenSTA", "ns", ("timing.opensta.slack_ns",)),
    _Line("Highest clock", "MHz", ("timing.ecp5.fmax_mhz",)),
    _Line(
        "Vectors compared",
        "",
        ("csim.vectors", "rtlsim.vectors", "gatesim.vectors", "cosim.vectors"),
    ),
    _Line(
        "Vectors that differ",
        "",
        ("csim.mismatches", "rtlsim.mismatches", "gatesim.mismatches", "cosim.mismatches"),
    ),
    _Line("Equal to RTL, proved", "", ("equivalence.proved",)),
)

COSTS = frozenset(name for line in _LINES[:-3] for name in line.metrics) | {*_MAPPED_TO.values()}
"""The metrics of the hardware's cost that stand here, and so in no other table."""

_TIMES = ("latency.cycles", "latency.ns", "ii.cycles")
_CELLS = ("fpga.lut", "fpga.ff", "fpga.dsp")

# what a column is expected to tell; anything else it shows where there is such a figure
_EXPECTED: dict[tuple[Evidence, str], tuple[str, ...]] = {
    (Evidence.ESTIMATE, ""): (*_TIMES, *_CELLS),
    (Evidence.CSIM, ""): ("csim.vectors", "csim.mismatches"),
    (Evidence.RTLSIM, ""): (*_TIMES, "rtlsim.vectors", "rtlsim.mismatches"),
    (Evidence.SYNTH, _FPGA): (*_CELLS, "fpga.carry"),
    (Evidence.SYNTH, _ASIC): (
        *("asic.area_um2", "asic.gate_equivalents", "timing.critical_path_ns", "timing.slack_ns"),
        *("gatesim.vectors", "gatesim.mismatches", "equivalence.proved"),
    ),
    (Evidence.PNR, _ECP5): ("timing.ecp5.cells", "timing.ecp5.fmax_mhz"),
}
_RTL_LEVELS = ((Evidence.RTLSIM, ""), (Evidence.SYNTH, _FPGA), (Evidence.SYNTH, _ASIC))

MEASURED_BY = {
    "csim": "csim",
    **dict.fromkeys(("latency", "ii", "rtlsim"), "rtlsim"),
    **dict.fromkeys(("fpga", "asic"), "synth"),
    **{stage: stage for stage in ("timing", "gatesim", "equivalence")},
    "cosim": "vendor",
}
"""The stage that measures a form after C++, by the first part of the metric's name."""


@dataclass(frozen=True)
class Column:
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
    columns: tuple[Column, ...]
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
class _Form:
    """One form at one level; `technology` is that of a netlist, `variant` is None for HLS."""

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
        if self.evidence is Evidence.ESTIMATE and self.variant:
            return ()  # whatever the tool that makes the RTL tells
        return _EXPECTED.get((self.evidence, self.technology), ())

    @property
    def place(self) -> tuple[int, int, int, str]:
        """Its place among the columns."""
        technologies = ("", _FPGA, _ECP5, _ASIC)
        variants = (None, GENERATED, RECONFIGURABLE)
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
    shown = {name for line in _LINES for name in line.metrics}
    found: dict[_Form, _Figures] = {form: {} for form in _usual_forms(summary)}
    for metric in summary.metrics:
        if metric.name in shown:
            figures = found.setdefault(_form_of(metric, summary), {})
            figures.setdefault(metric.name, []).append(metric)
    forms = sorted(found, key=lambda form: form.place)
    columns = [_column(form, found[form], _mapped_to(form, summary)) for form in forms]
    columns += map(_published, anchors)
    rows = [row for row in range(len(_LINES)) if any(column.cells[row] for column in columns)]
    return SideBySide(
        labels=tuple(_LINES[row].label for row in rows),
        units=tuple(_LINES[row].unit for row in rows),
        columns=tuple(
            replace(column, cells=tuple(column.cells[row] for row in rows)) for column in columns
        ),
        gaps=tuple(group_gaps(gap for form in forms for gap in _gaps(form, found[form], undone))),
    )


def _usual_forms(summary: Summary) -> list[_Form]:
    """What can be made of any encoder; of the reconfigurable one, where a step speaks of it."""
    spoken_of = any(metric.variant == RECONFIGURABLE for metric in summary.metrics)
    variants = (GENERATED, RECONFIGURABLE) if spoken_of else (GENERATED,)
    return [
        _Form(Evidence.ESTIMATE, "", None),
        _Form(Evidence.CSIM, "", None),
        *(_Form(*level, variant) for level in _RTL_LEVELS for variant in variants),
        _Form(Evidence.PNR, _ECP5, GENERATED),
    ]


def _form_of(metric: Metric, summary: Summary) -> _Form:
    technology = ""
    if metric.evidence in (Evidence.SYNTH, Evidence.PNR):
        technology = _technology(metric, summary)
    return _Form(metric.evidence, technology, metric.variant)


def _technology(metric: Metric, summary: Summary) -> str:
    """That of the netlist which was measured: what is no count of cells is of the ASIC's, if the
    form has one at this level."""
    same = [
        other.name
        for other in summary.metrics
        if (other.evidence, other.variant) == (metric.evidence, metric.variant)
    ]
    if metric.name.startswith("timing.ecp5."):
        return _ECP5
    if metric.name.startswith("fpga."):
        return _FPGA
    return _ASIC if any(name.startswith("asic.") for name in same) else _FPGA


def _mapped_to(form: _Form, summary: Summary) -> str:
    if form.technology == _ECP5:
        return _ECP5_NOTE
    name = _MAPPED_TO.get(form.technology)
    for metric in summary.metrics:
        key = (metric.name, metric.evidence, metric.variant)
        if key == (name, form.evidence, form.variant) and metric.value:
            return f"mapped to {metric.value}"
    return ""


def _column(form: _Form, figures: _Figures, note: str) -> Column:
    cells = []
    for line in _LINES:
        names = [name for name in line.metrics if name in figures]
        values = next(filter(None, (_values(figures, name) for name in names)), [])
        promised = bool(names) or any(name in form.expected for name in line.metrics)
        cells.append(" / ".join(dict.fromkeys(map(_cell, values))) or (MISSING if promised else ""))
    return Column(form.title, form.evidence.value, tuple(cells), note)


def _values(figures: _Figures, name: str) -> list[object]:
    return [metric.value for metric in figures.get(name, []) if metric.value is not None]


def _cell(value: object) -> str:
    return f"{value:,.0f}" if isinstance(value, float) and value >= 1000 else format_value(value)


def _published(anchor: Anchor) -> Column:
    cells = []
    for line in _LINES:
        given = [anchor.figures[name] for name in line.metrics if name in anchor.figures]
        cells.append(_cell(given[0]) if given else "")
    return Column(
        anchor.title, PUBLISHED, tuple(cells), f"{anchor.design}. Source: {anchor.source}"
    )


def _gaps(form: _Form, figures: _Figures, undone: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the column lacks and why, as pairs of name and reason."""
    lacking: dict[str, str] = {}
    told = {
        n for line in _LINES if any(_values(figures, m) for m in line.metrics) for n in line.metrics
    }
    for name in dict.fromkeys((*form.expected, *figures)):
        if name not in told:
            by_hls = form.variant is None and form.evidence is not Evidence.CSIM
            stage = "vendor" if by_hls else MEASURED_BY[name.split(".")[0]]
            general = undone.get(stage, "not measured")
            reasons = [metric.reason for metric in figures.get(name, []) if metric.reason]
            lacking[name] = next(iter(reasons), undone.get(f"{stage}-{form.variant}", general))
    where = f"{form.title} [{form.evidence.value}]"
    gaps = group_gaps(lacking.items())
    if len(gaps) == 1 and not told:
        return [(where, gaps[0].reason)]
    return [(f"{where} {', '.join(gap.names)}", gap.reason) for gap in gaps]
