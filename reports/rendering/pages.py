"""The report as Markdown and as one self-contained HTML page."""

import base64
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hw.forms import RECONFIGURABLE
from reports.catalogue import QUALITY
from reports.pictures.picture import Picture
from reports.report import DesignReport
from reports.summary import strongest
from reports.tables.algorithms import LEGEND as ALGORITHMS_LEGEND
from reports.tables.layer_costs import LEGEND as LAYERS_LEGEND
from reports.tables.side_by_side import LEGEND
from reports.tables.values import MISSING, format_value
from reports.verdict import describe

# attributes of an SVG document that hold coordinates, in points
_COORDINATES = re.compile(r' (?:d|x|y|points)="[^"]*"')
_DIGITS = re.compile(r"(\.\d\d)\d+")
# with a soft hyphen: as one word it makes its columns the widest by far
_HYPHENATED = "recon\u00adfigurable"
_TEMPLATES = Path(__file__).resolve().parent / "templates"


def _image(picture: Picture) -> str:
    """The picture as a data address: an image's own styles and names stay inside it.

    White space and digits of coordinates that nobody sees are left out, a quarter of its size.
    """
    document = re.sub(r"\s+", " ", picture.rendered[0]).replace("> <", "><")
    document = _COORDINATES.sub(lambda found: _DIGITS.sub(r"\1", found[0]), document)
    return "data:image/svg+xml;base64," + base64.b64encode(document.encode()).decode()


def _cell(text: object) -> str:
    """Text that keeps to its cell of a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def environment() -> Environment:
    """Where the templates are, with the filters that they use."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=lambda name: bool(name and ".html" in name),
    )
    environment.filters |= {
        "image": _image,
        "value": format_value,
        "cell": _cell,
        "describe": describe,
        "hyphenated": lambda title: title.replace(RECONFIGURABLE.name, _HYPHENATED),
    }
    environment.globals |= {
        "missing": MISSING,
        "strongest": strongest,
        "quality": QUALITY,
        "forms_legend": LEGEND,
        "algorithms_legend": ALGORITHMS_LEGEND,
        "layers_legend": LAYERS_LEGEND,
    }
    return environment


def html(report: DesignReport) -> str:
    """One HTML page that needs no other file and no network."""
    return (
        environment()
        .get_template("report.html.j2")
        .render(report=report, layer_roles=_roles(report))
    )


def markdown(report: DesignReport, plots: str) -> str:
    """The report in Markdown; `plots` is the folder of the pictures, relative to it."""
    template = environment().get_template("report.md.j2")
    return template.render(report=report, plots=plots, layer_roles=_roles(report))


def _roles(report: DesignReport) -> list[str]:
    """The number formats that any layer has, in order of appearance."""
    return list(dict.fromkeys(role for layer in report.layers for role in layer.formats))
