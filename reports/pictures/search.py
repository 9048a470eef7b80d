"""The picture of a search: quality against cost, each trial a point that leads to its report."""

import io
import re
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from reports.pictures.picture import BLUE, GREY, ORANGE, RED, PictureGroup, draw_picture
from reports.search import SearchedDesign, SearchReport

NAME = "front"
_ORDERS = 6.0  # ratio of the largest figure to the smallest from which on an axis is logarithmic


def search_picture(report: SearchReport) -> str:
    """The picture as an SVG element that can stand in a page: points are links with a title.

    With more than two objectives it shows the first against the last.
    """
    figure = draw_picture(NAME, "", "", PictureGroup.QUALITY, lambda f: _draw(f, report)).figure
    assert figure
    document = io.StringIO()
    # text as text: the page's reader can search and select it
    with matplotlib.rc_context({"svg.hashsalt": NAME, "svg.fonttype": "none"}):
        FigureCanvasSVG(figure).print_svg(
            document, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    svg = document.getvalue()
    svg = svg[svg.index("<svg") :]
    for trial in _drawn(report):
        title = f"<title>{escape(_title(report, trial))}</title>"
        svg = svg.replace(f'<g id="{_identity(trial)}">', f'<g id="{_identity(trial)}">{title}')
    return re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)  # as wide as its place


def _drawn(report: SearchReport) -> list[SearchedDesign]:
    return [t for t in report.trials if t.ending == "complete" and report.point(t) is not None]


def _identity(trial: SearchedDesign) -> str:
    return f"trial-{trial.number}"


def _title(report: SearchReport, trial: SearchedDesign) -> str:
    figures = ", ".join(
        f"{report.heading(name)}: {trial.value(name):.4g}" for name in report.objectives
    )
    return f"trial {trial.number}: {figures}; {trial.in_words()}"


def _draw(figure: Figure, report: SearchReport) -> None:
    figure.set_size_inches(8.6, 5.2)
    axes = figure.add_subplot()
    quality, cost = report.objectives[0], report.objectives[-1]
    front = report.front
    on_front = {trial.number for trial in front}
    shown = _drawn(report)
    for trial in shown:
        beaten = trial.number not in on_front
        colour = GREY if not trial.keeps else BLUE if beaten else RED
        _point(axes, trial, cost, quality, color=colour, marker="x" if not trial.keeps else "o",
               markersize=6 if beaten else 9, zorder=3 if beaten else 4)  # fmt: skip
    xs: list[Any] = [trial.value(cost) for trial in front]
    ys: list[Any] = [trial.value(quality) for trial in front]
    axes.step(xs, ys, where="post", color=RED, linewidth=1.2, zorder=2)
    for anchor in report.published:
        x, y = (float(anchor.figures[name]) for name in (cost, quality))
        axes.plot([x], [y], marker="*", markersize=14, color=ORANGE, linestyle="none", zorder=3)
        axes.annotate(anchor.title, (x, y), xytext=(-8, 8), textcoords="offset points",
                      ha="right", fontsize=10.5)  # fmt: skip
        xs.append(x)
    for label, marker, colour in _kinds(report, shown, on_front):
        axes.plot([], [], marker=marker, color=colour, linestyle="none", label=label)
    if shown or report.published:
        axes.legend(loc="best", frameon=False)
    axes.margins(0.1)
    axes.set_xlabel(report.heading(cost))
    axes.set_ylabel(report.heading(quality))
    _scale(axes, [value for t in shown if (value := t.value(cost)) is not None] + xs)


def _point(axes: Axes, trial: SearchedDesign, cost: str, quality: str, **style: Any) -> None:
    x, y = trial.value(cost), trial.value(quality)
    assert x is not None and y is not None  # only such trials are drawn
    (line,) = axes.plot([x], [y], linestyle="none", **style)
    line.set_gid(_identity(trial))
    line.set_url(next(iter(trial.links.values()), None))


def _kinds(
    report: SearchReport, shown: list[SearchedDesign], on_front: set[int]
) -> list[tuple[str, str, str]]:
    beaten = [t for t in shown if t.keeps and t.number not in on_front]
    breaking = [t for t in shown if not t.keeps]
    kinds = [
        ("front: no other is better in both", "o", RED, on_front),
        ("other trials", "o", BLUE, beaten),
        ("a constraint is broken", "x", GREY, breaking),
        ("published", "*", ORANGE, report.published),
    ]
    return [(label, marker, colour) for label, marker, colour, found in kinds if found]


def _scale(axes: Axes, values: list[Any]) -> None:
    known = [value for value in values if value is not None]
    if known and min(known) > 0 and max(known) / min(known) > _ORDERS:
        axes.set_xscale("log")
        axes.set_xlim(min(known) / 1.3, max(known) * 1.3)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
