"""The data set's distributions of occupancy and charge over the published ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hw.foundation.json_file import json_content
from reports.pictures.picture import BLUE, GREY, Picture, PictureGroup, draw_picture

_HISTOGRAM_AXES = {
    "occ_all": "Trigger cells with charge",
    "occ_1MT": r"Trigger cells above 1 MIP$_\mathrm{T}$",
    "maxQ": r"log$_{10}$(largest charge / MIP$_\mathrm{T}$)",
    "sumQ": r"log$_{10}$(2$^{\lfloor\log_2\,\mathrm{sum}\rfloor}$ / MIP$_\mathrm{T}$)",
}


def data_picture(histograms: Path, distances: Mapping[str, float]) -> Picture:
    """The data set's four distributions over the published ones, in one picture.

    Args:
        histograms: `histograms.json` of the data stage: name -> edges, counts, published, and the
            modules outside the edges of either (outside, published_outside).
        distances: total-variation distance by name, for the legend.

    Raises:
        InputError: the file is damaged.
    """

    def draw(figure: Figure) -> None:
        figure.set_size_inches(10.5, 7.6)
        for axes, (name, histogram) in zip(figure.subplots(2, 2).flat, found.items(), strict=False):
            _draw_histogram(axes, name, histogram, distances.get(name))

    caption = (
        "This data set (line) and the published ttbar pile-up 200 sample (filled), as fractions of "
        "all modules. D is the total-variation distance, the modules beyond the axis included: 0 "
        "for equal, 1 for disjoint distributions."
    )
    title = "Occupancy and charge against the published distributions"
    with json_content(histograms, "run the data stage anew") as found:
        return draw_picture("data", title, caption, PictureGroup.DATA, draw)


def _draw_histogram(
    axes: Axes, name: str, histogram: Mapping[str, Any], distance: float | None
) -> None:
    edges = np.asarray(histogram["edges"], dtype=float)
    ours = _fractions(histogram["counts"], histogram.get("outside", 0))
    published = _fractions(histogram["published"], histogram.get("published_outside", 0))
    axes.stairs(published, edges, fill=True, color=GREY, alpha=0.5, label="published")
    text = "this data set" if distance is None else f"this data set, D = {distance:.3f}"
    axes.stairs(ours, edges, color=BLUE, linewidth=1.8, label=text)
    axes.set_xlabel(_HISTOGRAM_AXES.get(name, name))
    axes.set_ylabel("Fraction of modules")
    axes.set_xlim(edges[0], edges[-1])
    if name == "occ_1MT":  # falls over six decades
        axes.set_yscale("log")
        axes.set_ylim(top=40 * max(ours.max(), published.max()))
    else:
        axes.set_ylim(0, 1.35 * max(ours.max(), published.max()))
    axes.legend(loc="upper right")


def _fractions(counts: Sequence[float], outside: float) -> npt.NDArray[np.float64]:
    """Counts as fractions of all modules, those outside the histogram's range included."""
    values = np.asarray(counts, dtype=float)
    return values / max(values.sum() + outside, 1.0)
