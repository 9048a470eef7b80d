"""The report as tables on the terminal."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hw.forms import RECONFIGURABLE
from reports.metrics import Evidence
from reports.report import DesignReport, Progress
from reports.tables.gaps import Gap
from reports.tables.side_by_side import FormColumn, SideBySide
from reports.tables.values import MISSING, format_value
from reports.verdict import Outcome, describe

# as one word it makes its columns the widest by far
_BROKEN = "recon- figurable"
_COLOURS = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.NOT_MEASURED: "yellow"}


def print_report(report: DesignReport, console: Console) -> None:
    """Print all but the pictures and the layer types."""
    summary = report.summary
    console.print(_metrics_table(report))
    _print_reasons([gap for section in report.sections for gap in section.gaps], console)
    for part in _form_tables(report.forms, console):
        console.print(part)
    for title, note in report.forms.notes:
        console.print(Text(f"{title}: {note}", style="dim"))
    _print_reasons(report.forms.gaps, console)
    if report.layer_costs.rows:
        console.print(_layer_table(report))
        _print_reasons(report.layer_costs.gaps, console)
    if report.occupancy:
        console.print(_occupancy_table(report))
    if report.measures:
        console.print(_measure_table(report))
    _print_algorithms(report, console)
    console.print(_stage_table(report))
    console.print(_check_table(report))
    for check in report.checks:
        if check.outcome is Outcome.FAIL and check.reason:
            console.print(Text(f"{check.subject}: {check.reason}", style=_COLOURS[Outcome.FAIL]))
    verdict = Text(f"{summary.model} on {summary.target}: ")
    verdict.append(report.outcome.value.upper(), style=f"bold {_COLOURS[report.outcome]}")
    console.print(verdict.append(f" ({describe(report.checks)})"))


def _table(title: str, *headings: str) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading)
    return table


def _metrics_table(report: DesignReport) -> Table:
    """All sections in one table: a level that any section has is a column."""
    levels = [level for level in Evidence if any(level in s.columns for s in report.sections)]
    table = _table(f"{report.summary.model} on {report.summary.target}", "metric")
    for level in levels:
        table.add_column(level.value, justify="right")
    table.add_column("unit")
    for section in report.sections:
        table.add_section()
        table.add_row(Text(section.title, style="bold"))
        for row in section.rows:
            by_level = dict(zip(section.columns, row.cells, strict=True))
            cells = [by_level.get(level, "") for level in levels]
            table.add_row(Text(f"  {row.label}"), *cells, Text(row.unit))
    return table


def _print_reasons(gaps: Iterable[Gap], console: Console) -> None:
    for gap in gaps:
        console.print(Text(f"{MISSING} {', '.join(gap.names)}: {gap.reason}", style="dim"))


def _form_tables(forms: SideBySide, console: Console) -> list[Table]:
    """The forms that have any figure, in as few tables as fit the width of the terminal."""
    columns = [column for column in forms.columns if not column.is_empty]
    unbounded = console.options.update(width=10_000)
    tables: list[Table] = []
    for count in range(1, len(columns) + 1):
        size = -(-len(columns) // count)
        parts = [columns[start : start + size] for start in range(0, len(columns), size)]
        tables = [_form_table(forms, part) for part in parts]
        widths = [table.__rich_measure__(console, unbounded).maximum for table in tables]
        if max(widths) <= console.width:
            break
    return tables


def _form_table(forms: SideBySide, columns: Sequence[FormColumn]) -> Table:
    table = _table("From HLS to gates", "")
    table.padding = (0, 1, 0, 0)
    for column in columns:
        title = column.title.replace(RECONFIGURABLE.name, _BROKEN)
        heading = Text("\n".join([*title.split(), column.level]), justify="right")
        table.add_column(heading, justify="right", no_wrap=True, vertical="bottom")
    table.add_column("unit")
    for index, (label, unit) in enumerate(zip(forms.labels, forms.units, strict=True)):
        table.add_row(label, *(column.cells[index] for column in columns), unit)
    return table


def _layer_table(report: DesignReport) -> Table:
    table = _table("\nCosts by layer", "layer")
    for title, level, unit in report.layer_costs.columns:
        heading = "\n".join(filter(None, (*title.split(), unit and f"[{unit}]", level)))
        table.add_column(Text(heading, justify="right"), justify="right", vertical="bottom")
    for name, cells in report.layer_costs.rows:
        table.add_row(Text(name), *cells)
    return table


def _occupancy_table(report: DesignReport) -> Table:
    table = _table("\nEarth mover's distance by occupancy [half pitch]")
    for heading in ("occupancy", "modules", "mean", "std", "median", "16 to 84 %"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in report.occupancy:
        table.add_row(row.cells, row.modules, row.mean, row.std, row.median, row.quantiles)
    return table


def _measure_table(report: DesignReport) -> Table:
    table = _table("Other measures of quality", "measure")
    for heading in ("mean", "std", "median"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("unit")
    table.add_column("better")
    for row in report.measures:
        table.add_row(Text(row.label), row.mean, row.std, row.median, row.unit, row.best)
    return table


def _print_algorithms(report: DesignReport, console: Console) -> None:
    """Distances of the other algorithms by occupancy; those by charge are in report.md and HTML."""
    for part in report.algorithms[:1]:
        table = _table(
            f"\nOther algorithms on the same modules [half pitch], *: the best\n{part.title}",
            "algorithm",
            "form",
        )
        for heading in ("bits", *part.columns):
            table.add_column(heading, justify="right")
        for row in part.rows:
            means = [
                Text(f"{mean.brief}*" if mean.best else mean.brief, "bold" if mean.best else "")
                for mean in row.means
            ]
            table.add_row(Text(row.name), row.form, row.bits, *means)
        console.print(table)
        for finding in (*part.findings, *part.choice):
            console.print(Text(finding))


def _stage_table(report: DesignReport) -> Table:
    table = _table("Stages", "stage", "state", "detail")
    for stage in report.stages:
        state = Text(
            stage.progress.value, style="green" if stage.progress is Progress.DONE else "yellow"
        )
        table.add_row(stage.name, state, Text(stage.detail))
    return table


def _check_table(report: DesignReport) -> Table:
    table = _table("Demands of the target", "metric", "demanded", "found", "evidence", "outcome")
    for check in report.checks:
        found = format_value(check.found.value) if check.found else MISSING
        evidence = check.found.evidence.value if check.found else MISSING
        outcome = Text(check.outcome.value, style=_COLOURS[check.outcome])
        table.add_row(check.subject, check.demand, found, evidence, outcome)
    return table
