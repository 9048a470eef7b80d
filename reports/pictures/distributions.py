"""Distributions of the measures over the modules."""

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.quality.quality import OCCUPANCY_BINS, in_bin, statistics
from reports.pictures.evaluation import Evaluation, Values
from reports.pictures.measures import known_measures, label
from reports.pictures.picture import (
    BLUE,
    CHARGE_LABEL,
    COLOURS,
    GREY,
    LINES,
    OCCUPANCY_LABEL,
    RED,
    MissingValuesError,
    Picture,
    PictureGroup,
    draw_picture,
    head,
    head_of_panels,
    panels,
    with_error,
)

EMD_LABEL = "Earth mover's distance [half trigger-cell pitch]"
_NO_DISTRIBUTION = ("emd", "zero_fraction")  # has a picture of its own; is 0 or 1


def range_of(values: Values, share: float = 0.998) -> tuple[float, float]:
    """Limits that hold `share` of the values, from 0 where none is negative."""
    if not len(values):
        return 0.0, 1.0
    low, high = np.quantile(values, ((1 - share) / 2, (1 + share) / 2))
    if values.min() >= 0:
        low, high = 0.0, float(np.quantile(values, share))
    return float(low), float(high) if high > low else float(low) + 1.0


def draw_distribution(
    axes: Axes,
    values: Values,
    edges: npt.NDArray,
    colour: str,
    words: str | None = None,
    *,
    filled: bool = False,
    fractions: bool = False,
    line: Any = "-",
) -> float:
    """Draw a histogram with statistical errors; the outer bins hold the values beyond them.

    Args:
        fractions: divide by the number of values, to compare samples of different sizes.

    Returns:
        The height of its highest bin.
    """
    counts, _ = np.histogram(values.clip(edges[0], edges[-1]), bins=edges)
    scale = 1 / max(len(values), 1) if fractions else 1.0
    if filled:
        axes.stairs(counts * scale, edges, fill=True, color=colour, alpha=0.3)
    axes.stairs(
        counts * scale, edges, color=colour, linewidth=1.5, label=words or None, linestyle=line
    )
    centres = (edges[1:] + edges[:-1]) / 2
    hit = counts > 0
    axes.errorbar(
        centres[hit],
        (counts * scale)[hit],
        yerr=(np.sqrt(counts) * scale)[hit],
        fmt="none",
        ecolor=colour,
        elinewidth=0.9,
    )
    return float(counts.max(initial=0) * scale)


def emd_picture(evaluation: Evaluation, model: str) -> Picture:
    """Distribution of the earth mover's distance."""
    distances = _known(evaluation["emd"])

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        upper = max(range_of(distances)[1], 0.1)
        edges = np.linspace(0, upper, 61)
        if len(distances):
            low, high = np.quantile(distances, (0.16, 0.84))
            words = f"16 to 84 %: {low:.2f} to {high:.2f}"
            axes.axvspan(low, high, color=GREY, alpha=0.2, linewidth=0, label=words)
        top = draw_distribution(axes, distances, edges, BLUE, filled=True)
        found = statistics(distances)
        if found.count:
            words = f"mean {with_error(found.mean, found.standard_error)}, std {found.std:.3f}"
            axes.axvline(found.mean, color=RED, label=words)
            axes.legend(loc="upper right")
        axes.set_xlim(0, upper)
        axes.set_ylim(0, 1.3 * max(top, 1))
        axes.set_xlabel(EMD_LABEL)
        axes.set_ylabel(f"Modules / {edges[1]:.2g}")
        head(axes, model, f"{len(distances):,} validation modules")

    caption = (
        "Distance between each validation module's charges and what the autoencoder makes of them; "
        "0 is a perfect copy. Bars are statistical errors; the last bin holds all larger values."
    )
    return draw_picture("emd", "Earth mover's distance", caption, PictureGroup.QUALITY, draw)


def binned_emd_picture(evaluation: Evaluation, model: str) -> Picture:
    """Distributions of the earth mover's distance in coarse bins of the occupancy."""
    distances, occupied = evaluation["emd"], evaluation["occupancy"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        upper = max(range_of(_known(distances))[1], 0.1)
        edges = np.linspace(0, upper, 41)
        top = 0.0
        for colour, (first, last) in zip(COLOURS, pairwise(OCCUPANCY_BINS), strict=False):
            values = _known(distances[in_bin(occupied, first, last, OCCUPANCY_BINS)])
            if len(values):
                shown = last if last == OCCUPANCY_BINS[-1] else last - 1
                words = f"{first} to {shown}: mean {values.mean():.2f} ({len(values):,})"
                top = max(
                    top, draw_distribution(axes, values, edges, colour, words, fractions=True)
                )
        axes.set_xlim(0, upper)
        axes.set_ylim(0, 1.3 * (top or 1.0))
        axes.set_xlabel(EMD_LABEL)
        axes.set_ylabel(f"Fraction of modules / {edges[1]:.2g}")
        if top:
            axes.legend(loc="upper right", title="Occupancy: mean (modules)", title_fontsize=11)
        head(axes, model)

    caption = (
        "The distance in bins of occupancy (trigger cells above 1 MIP_T), each distribution as a "
        "fraction of its own modules. The last bin holds all larger values."
    )
    return draw_picture(
        "emd_binned", "Distance in bins of occupancy", caption, PictureGroup.QUALITY, draw
    )


def measures_picture(evaluation: Evaluation, model: str) -> Picture:
    """Distributions of all other measures, a panel each."""
    names = [n for n in known_measures(evaluation.arrays) if n not in _NO_DISTRIBUTION]
    if not names:
        raise MissingValuesError(
            f"{evaluation.file} has the earth mover's distance alone; evaluate the model anew"
        )

    def draw(figure: Figure) -> None:
        for axes, name in zip(panels(figure, len(names)), names, strict=True):
            _draw_measure(axes, name, _known(evaluation[name]))
        head_of_panels(figure, model)

    caption = (
        "Each measure over the validation modules, with mean and its standard error. The outer "
        "bins hold all values beyond them. RMS and mean are weighted with the charge; what each "
        "measure is: docs/metrics.md."
    )
    return draw_picture("measures", "All measures", caption, PictureGroup.QUALITY, draw)


def before_and_after_picture(evaluation: Evaluation, model: str) -> Picture:
    """Occupancy and charge of the modules before compression and after decompression."""
    occupied = evaluation["occupancy"], evaluation["occupancy_after"]
    charge = evaluation["charge"]
    charges = charge, charge * np.nan_to_num(evaluation["charge_response"])

    def draw(figure: Figure) -> None:
        figure.set_size_inches(11.0, 4.4)
        left, right = figure.subplots(1, 2)
        edges = np.arange(-0.5, max(values.max(initial=1) for values in occupied) + 1.5)
        _draw_pair(left, occupied, edges)
        left.set_xlabel(OCCUPANCY_LABEL)
        filled = np.concatenate([values[values > 0] for values in charges])
        _draw_pair(right, charges, _logarithmic_edges(filled, 51))
        right.set_xscale("log")
        right.set_xlabel(CHARGE_LABEL)
        head(left, model)
        head(right, "", f"{len(charge):,} validation modules")

    caption = (
        "Validation modules before compression and as the decoder gives them back, its charges not "
        "rescaled. The outer bins hold all values beyond them, modules without charge included."
    )
    title = "Occupancy and charge before and after"
    return draw_picture("before_and_after", title, caption, PictureGroup.QUALITY, draw)


def _logarithmic_edges(values: Values, count: int) -> npt.NDArray[np.float64]:
    """Edges that hold all values, which are above 0, and a decade at least."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (1.0, 1.0)
    wider = max(10 / (high / low), 1.01**2) ** 0.5
    return np.geomspace(low / wider, high * wider, count)


def _draw_pair(axes: Axes, pair: tuple[Values, Values], edges: npt.NDArray) -> None:
    before, after = pair
    top = draw_distribution(axes, before, edges, GREY, "before", filled=True)
    top = max(top, draw_distribution(axes, after, edges, BLUE, "after", line=LINES[1]))
    if top > 0:
        axes.set_yscale("log")
    axes.set_ylim(0.6, 20 * max(top, 1))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylabel("Modules")
    axes.legend(loc="upper right")


def _draw_measure(axes: Axes, name: str, values: Values) -> None:
    low, high = range_of(values)
    edges = np.linspace(low, high, 41)
    top = draw_distribution(axes, values, edges, BLUE, filled=True)
    found = statistics(values)
    if found.count:
        axes.axvline(found.mean, color=RED, linewidth=1.2)
        words = with_error(found.mean, found.standard_error)
        axes.set_title(f"mean {words}", loc="right", fontsize=10)
    axes.set_xlim(low, high)
    axes.set_ylim(0, 1.15 * max(top, 1))
    axes.set_xlabel(label(name))
    axes.set_ylabel("Modules")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 4))
    axes.yaxis.get_offset_text().set_fontsize(10)


def _known(values: Values) -> Values:
    return values[~np.isnan(values)]
