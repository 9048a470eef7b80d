"""The result of a search as a page, as Markdown and as a table for other programs."""

import csv
import io
from collections.abc import Iterator

from reports.pictures.search import search_picture
from reports.rendering.pages import environment
from reports.search import RankCorrelation, SearchedDesign, SearchReport
from reports.tables.values import MISSING, format_value


def html(report: SearchReport) -> str:
    """One HTML page that needs no network; its links lead to files beside it."""
    template = environment().get_template("search.html.j2")
    return template.render(
        report=report,
        picture=search_picture(report),
        text=figure_text,
        correlation=correlation_text,
    )


def markdown(report: SearchReport) -> str:
    """The front as a table."""
    template = environment().get_template("search.md.j2")
    return template.render(report=report, text=figure_text, correlation=correlation_text)


def front_table(report: SearchReport) -> str:
    """The front as CSV: model, trial, figures by metric name, settings by key."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(["model", "trial", *report.metrics, *report.keys])
    writer.writerows(_rows(report))
    return output.getvalue()


def figure_text(trial: SearchedDesign, name: str) -> str:
    """A figure as a table shows it; a dash where it was not measured."""
    metric = trial.figures.get(name)
    return MISSING if metric is None else format_value(metric.value)


def correlation_text(found: RankCorrelation) -> str:
    """A coefficient as a table shows it, or why there is none."""
    if found.spearman is None:
        return f"{MISSING} (fewer than three designs differ in both)"
    return f"{found.spearman:.2f}"


def _rows(report: SearchReport) -> Iterator[list[object]]:
    for trial in report.front:
        values = [m.value if (m := trial.figures.get(name)) else "" for name in report.metrics]
        yield [trial.name, trial.number, *values, *(trial.settings[key] for key in report.keys)]
