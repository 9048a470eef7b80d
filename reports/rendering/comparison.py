"""A comparison as a table on the terminal, as Markdown for a pull request, and as JSON."""

import json
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.catalogue import label_of
from reports.comparison import Change, ComparedCell, ComparedFigure, DesignComparison
from reports.tables.values import MISSING, format_value

_COLOURS = {Change.BETTER: "green", Change.WORSE: "red"}


def print_comparison(
    comparison: DesignComparison, console: Console, *, details: bool = False
) -> None:
    """Print notes, table and the outcome."""
    for note in comparison.notes:
        console.print(Text(f"note: {note}", style="yellow"))
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("metric")
    for design in comparison.designs:
        table.add_column(design.name, justify="right")
    table.add_column("unit")
    table.add_column("evidence")
    for figure in _shown(comparison, details):
        cells = [Text(_words(c), style=_COLOURS.get(c.change, "")) for c in figure.cells]
        first = figure.first
        table.add_row(_label(figure), *cells, Text(first.unit), first.evidence.value)
    console.print(table)
    for line in outcome(comparison):
        console.print(Text(line))


def markdown(
    comparison: DesignComparison, *, details: bool = False, pictures: Sequence[str] = ()
) -> str:
    """A section of Markdown; `pictures` are addresses of images, relative to it."""
    names = [design.name for design in comparison.designs]
    lines = [f"## {names[0]} against {', '.join(names[1:])}", ""]
    lines += [f"> {note}" if i == 0 else f">\n> {note}" for i, note in enumerate(comparison.notes)]
    lines += [""] if comparison.notes else []
    lines += [
        "| metric | " + " | ".join(map(_escaped, names)) + " | unit | evidence |",
        "|---|" + "---:|" * len(names) + "---|---|",
    ]
    for figure in _shown(comparison, details):
        cells = [_emphasised(cell) for cell in figure.cells]
        first = figure.first
        row = [_label(figure), *cells, first.unit, first.evidence.value]
        lines.append("| " + " | ".join(map(_escaped, row)) + " |")
    lines += ["", *outcome(comparison)]
    for picture in pictures:
        lines += ["", f"![{picture}]({picture})"]
    return "\n".join(lines) + "\n"


def to_json(comparison: DesignComparison) -> str:
    """All figures, details included."""
    content = {
        "schema": 1,
        "designs": [
            {"name": d.name, "model": d.summary.model, "target": d.summary.target}
            for d in comparison.designs
        ],
        "tolerance": comparison.tolerance,
        "notes": comparison.notes,
        "regressions": len(comparison.changed(Change.WORSE)),
        "improvements": len(comparison.changed(Change.BETTER)),
        "figures": [
            {
                "name": figure.first.name,
                "variant": figure.first.variant,
                "unit": figure.first.unit,
                "evidence": figure.first.evidence.value,
                "better": figure.first.better,
                "tool": figure.tool or None,
                "detail": figure.is_detail,
                "values": [cell.value for cell in figure.cells],
                "changes": [cell.change.value for cell in figure.cells],
                "relative": [cell.relative for cell in figure.cells],
            }
            for figure in comparison.figures
        ],
    }
    return json.dumps(content, indent=1) + "\n"


def outcome(comparison: DesignComparison) -> list[str]:
    """A line for each design: how many figures became better, worse, and are missing."""
    base = comparison.designs[0].name
    lines = []
    for index, design in enumerate(comparison.designs[1:], start=1):
        changes = [figure.cells[index].change for figure in comparison.main]
        counts = [
            f"{changes.count(change)} {change.value}"
            for change in (Change.BETTER, Change.WORSE, Change.SAME, Change.MISSING)
        ]
        lines.append(
            f"{design.name} against {base}: {', '.join(counts)} "
            f"(same: within {comparison.tolerance:.3g} relative or two standard errors)"
        )
    return lines


def _shown(comparison: DesignComparison, details: bool) -> list[ComparedFigure]:
    if not details:
        return comparison.main
    return [f for f in comparison.figures if any(cell.value is not None for cell in f.cells)]


def _label(figure: ComparedFigure) -> str:
    first = figure.first
    about = ", ".join(filter(None, (first.variant, figure.tool)))
    return f"{label_of(first.name)} ({about})" if about else label_of(first.name)


def _words(cell: ComparedCell) -> str:
    text = format_value(cell.value) if cell.value is not None else MISSING
    if cell.change not in (Change.BETTER, Change.WORSE, Change.DIFFERENT):
        return text
    parts = [] if cell.relative is None else [f"{cell.relative:+.1%}"]
    parts += [] if cell.change is Change.DIFFERENT else [cell.change.value]
    return f"{text} ({' '.join(parts)})" if parts else text


def _emphasised(cell: ComparedCell) -> str:
    return _words(cell).replace("worse)", "**worse**)")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
