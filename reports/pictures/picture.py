"""A picture in CMS style, and the helpers that all kinds of pictures share."""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib
import mplhep
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.ticker import MaxNLocator

from hw.foundation.atomic_file import atomic_directory
from hw.foundation.errors import InputError

# mplhep's CMS style at the size of a page, not of a slide
_STYLE: Any = {
    **mplhep.style.CMS,
    "figure.figsize": (6.4, 4.4),
    "figure.dpi": 150,
    "font.size": 13,
    "axes.linewidth": 1.1,
    "xtick.major.size": 6,
    "xtick.minor.size": 3,
    "ytick.major.size": 6,
    "ytick.minor.size": 3,
    "xtick.major.pad": 5,
    "legend.fontsize": 11,
    "legend.handlelength": 1.4,
    "figure.constrained_layout.use": True,
}
# the colours of that style, told apart by colour-blind readers too
BLUE, ORANGE, RED, GREY = "#5790fc", "#f89c20", "#e42536", "#9c9ca1"
COLOURS = (BLUE, ORANGE, RED, "#a96b59", "#7a21dd", "#717581", "#92dadd", "#b9ac70")
MARKERS = "sD^vP*Xh"  # and lines: never told apart by colour alone
LINES = ("-", (0, (5, 1.5)), "-.", (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 2)), "-", "--")
_PANEL_COLUMNS = 3
OCCUPANCY_LABEL = r"Occupancy: trigger cells above 1 MIP$_\mathrm{T}$"
CHARGE_LABEL = r"Charge of the module [MIP$_\mathrm{T}$]"


class PictureGroup(StrEnum):
    """What a picture is about, in the order of the gallery."""

    QUALITY = "Compression quality"
    ALGORITHMS = "Beside the other algorithms"
    MODELS = "Beside other models"
    DISPLAYS = "Event displays"
    NETWORK = "Inside the network"
    RADIATION = "Radiation"
    TRAINING = "Training"
    DATA = "Data"


@dataclass(frozen=True)
class Picture:
    """One picture, rendered when it is asked for.

    Attributes:
        name: stem of its files.
        title: short, for a heading.
        caption: what it shows and how to read it.
        group: its place in the gallery.
        figure: what is drawn; or, of a picture that was drawn before,
        folder: where its files are.
    """

    name: str
    title: str
    caption: str
    group: PictureGroup
    figure: Figure | None = None
    folder: Path | None = None

    @cached_property
    def rendered(self) -> tuple[str, bytes]:
        """The picture as an SVG document and as a PNG image.

        Raises:
            InputError: it was drawn before and its files cannot be read.
        """
        if self.figure is None:
            return self._read()
        # a fixed salt and no date: the same results give the same file
        with matplotlib.rc_context(_STYLE | {"svg.hashsalt": self.name}):
            engine = self.figure.get_layout_engine()
            if engine is not None:
                engine.execute(self.figure)
                self.figure.set_layout_engine("none")  # laid out once for both formats
            svg, png = io.StringIO(), io.BytesIO()
            FigureCanvasAgg(self.figure).print_png(png)
            FigureCanvasSVG(self.figure).print_svg(svg, metadata={"Date": None})  # leaves 72 dpi
        return svg.getvalue(), png.getvalue()

    def write(self, folder: Path) -> None:
        """Write both formats into `folder`."""
        svg, png = self.rendered
        (folder / f"{self.name}.png").write_bytes(png)
        (folder / f"{self.name}.svg").write_text(svg, encoding="utf-8")

    def _read(self) -> tuple[str, bytes]:
        if self.folder is None:
            raise ValueError(f"picture '{self.name}' has neither a figure nor files")
        try:
            return (
                (self.folder / f"{self.name}.svg").read_text(encoding="utf-8"),
                (self.folder / f"{self.name}.png").read_bytes(),
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{self.folder}: cannot be read: {error}; evaluate anew") from error


class MissingValuesError(Exception):
    """A picture's values are not in the results; the message says why, and the remedy."""


def draw_picture(
    name: str, title: str, caption: str, group: PictureGroup, draw: Callable[[Figure], None]
) -> Picture:
    """A picture in the report's style, from what `draw` puts into an empty figure."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure()
        draw(figure)
    return Picture(name, title, caption, group, figure)


def write_pictures(folder: Path, pictures: Sequence[Picture]) -> None:
    """Write each picture as PNG and SVG into `folder`, in place of all in it."""
    with atomic_directory(folder) as temporary:
        for picture in pictures:
            picture.write(temporary)


def panels(figure: Figure, count: int) -> list[Axes]:
    """That many small axes in rows of three, and the figure at the size for them."""
    rows, columns = -(-count // _PANEL_COLUMNS), min(_PANEL_COLUMNS, count)
    width, height = 3.8 * columns, 2.9 * rows + 0.4
    figure.set_size_inches(width, height)
    # places that are known need no measuring, which takes long with so many axes
    places = {
        "left": 0.85 / width,
        "right": 1 - 0.25 / width,
        "bottom": 0.65 / height,
        "top": 1 - 0.65 / height,
        "wspace": 0.34,
        "hspace": 0.46,
    }
    figure.set_layout_engine(PlaceHolderLayoutEngine(True, True))
    grid = list(figure.subplots(rows, columns, squeeze=False, gridspec_kw=places).flat)
    for axes in grid[count:]:
        axes.remove()
    for axes in grid[:count]:
        axes.minorticks_off()
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.tick_params(labelsize=10)
        axes.xaxis.label.set_fontsize(11.5)
        axes.yaxis.label.set_fontsize(11.5)
    return grid[:count]


def with_error(value: float, error: float) -> str:
    """Both, to the first significant digit of the error: `1.330 \u00b1 0.003`; NaN: no error."""
    if math.isnan(error):
        return f"{value:.3f}"
    decimals = max(0, -math.floor(math.log10(error))) if error > 0 else 3
    return f"{value:.{decimals}f} \u00b1 {error:.{decimals}f}"


def head_of_panels(figure: Figure, words: str) -> None:
    """Bold words over all panels, on the left."""
    figure.suptitle(words, fontsize=12, fontweight="bold", x=0.02, ha="left")


def head(axes: Axes, left: str, right: str = "") -> None:
    """Words over the axes: bold ones on the left, small ones on the right."""
    axes.set_title(left, loc="left", fontsize=12, fontweight="bold")
    axes.set_title(right, loc="right", fontsize=11)
