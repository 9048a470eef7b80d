"""Means of the measures against occupancy, charge and pseudorapidity."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from models.quality.quality import PROFILE_BINS, in_bin, statistics
from reports.pictures.evaluation import Evaluation, Values
from reports.pictures.measures import known_measures, label
from reports.pictures.picture import (
    BLUE,
    CHARGE_LABEL,
    GREY,
    OCCUPANCY_LABEL,
    MissingValuesError,
    Picture,
    PictureGroup,
    draw_picture,
    head,
    head_of_panels,
    panels,
)

FEWEST = 5  # modules of a bin that is shown: fewer give no error to speak of
_ETA_STEP = 0.1


@dataclass(frozen=True)
class Coordinate:
    """What a measure is profiled in.

    Attributes:
        name: for titles and files.
        label: of its axis; `short`: the same where there is little room.
        values: of each module, shape (n,).
        edges: of its bins.
        logarithmic: its axis.
    """

    name: str
    label: str
    short: str
    values: npt.NDArray
    edges: tuple[float, ...]
    logarithmic: bool = False


@dataclass(frozen=True)
class Profile:
    """Statistics of a measure in bins, NaN in a bin of too few modules; arrays of shape (bins,)."""

    edges: Values
    count: npt.NDArray[np.int64]
    mean: Values
    standard_error: Values
    low: Values
    high: Values

    @property
    def shown(self) -> npt.NDArray[np.bool_]:
        return self.count >= FEWEST


def occupancy_of(evaluation: Evaluation) -> Coordinate:
    """Bins of two trigger cells, as far as there are modules."""
    values = evaluation["occupancy"]
    edges = [e for e in PROFILE_BINS if not e or e <= values.max(initial=0) + 2]
    return Coordinate("occupancy", OCCUPANCY_LABEL, "Occupancy", values, tuple(edges))


def charge_of(evaluation: Evaluation) -> Coordinate:
    """Bins of a factor of two."""
    values = evaluation["charge"]
    filled = values[values > 0]
    first, last = (
        (int(np.floor(np.log2(filled.min()))), int(np.ceil(np.log2(filled.max() * 1.001))))
        if len(filled)
        else (0, 1)
    )
    edges = tuple(2.0**k for k in range(first, last + 1))
    return Coordinate("charge", CHARGE_LABEL, CHARGE_LABEL, values, edges, logarithmic=True)


def eta_of(evaluation: Evaluation) -> Coordinate:
    """Bins of 0.1 in the absolute pseudorapidity."""
    if "eta" not in evaluation.arrays:
        raise MissingValuesError(
            "the data set tells no pseudorapidity of its modules; it is read from the column "
            "tc_eta, or from column 55 of files without header"
        )
    values = np.abs(evaluation["eta"])
    known = values[np.isfinite(values)]
    first = np.floor(known.min(initial=3.0) / _ETA_STEP)
    last = max(np.ceil(known.max(initial=0.0) / _ETA_STEP), first + 1)
    edges = tuple((np.arange(first, last + 1) * _ETA_STEP).tolist())
    return Coordinate(
        "pseudorapidity", r"Pseudorapidity |$\eta$| of the module", r"|$\eta$|", values, edges
    )


def profile_of(values: Values, along: Coordinate) -> Profile:
    """The measure `values`, shape (n,), in the bins of `along`."""
    bins = [
        statistics(values[in_bin(along.values, lower, upper, along.edges)])
        for lower, upper in pairwise(along.edges)
    ]
    shown = [bin.count >= FEWEST for bin in bins]

    def column(part: str) -> Values:
        found = np.array([getattr(bin, part) for bin in bins], dtype=float)
        return np.where(shown, found, np.nan)

    return Profile(
        np.array(along.edges),
        np.array([bin.count for bin in bins]),
        *(column(part) for part in ("mean", "standard_error", "low", "high")),
    )


def require_a_mean(profiles: Iterable[Profile], along: Coordinate) -> None:
    """Refuse to draw axes without a point.

    Raises:
        MissingValuesError: no bin of any of `profiles` is shown.
    """
    if not any(found.shown.any() for found in profiles):
        raise MissingValuesError(
            f"no bin of {along.name} has {FEWEST} modules or more; evaluate more modules"
        )


def profile_picture(evaluation: Evaluation, along: Coordinate, model: str) -> Picture:
    """The earth mover's distance along one coordinate, and how many modules each bin has."""
    found = profile_of(evaluation["emd"], along)
    require_a_mean([found], along)

    def draw(figure: Figure) -> None:
        axes, below = stacked(figure)
        _draw_spread(axes, found, "16 to 84 % of the modules")
        draw_means(axes, found, along, words="mean with standard error")
        _frame(axes, found)
        axes.set_ylabel("EMD [half trigger-cell pitch]")
        axes.legend(loc="upper right", ncols=2)
        head(axes, model, f"{found.count.sum():,} modules")
        draw_counts(below, found, along)

    caption = (
        f"Distance against {along.name}. Horizontal bars are the bins; a bin of fewer than "
        f"{FEWEST} modules has no point. Below: modules of each bin."
    )
    title = f"Distance against {along.name}"
    return draw_picture(f"emd_{along.name}", title, caption, PictureGroup.QUALITY, draw)


def measures_profile_picture(evaluation: Evaluation, along: Coordinate, model: str) -> Picture:
    """All measures but the earth mover's distance along one coordinate, a panel each."""
    names = [name for name in known_measures(evaluation.arrays) if name != "emd"]
    if not names:
        raise MissingValuesError(
            f"{evaluation.file} has the earth mover's distance alone; evaluate the model anew"
        )
    profiles = {name: profile_of(evaluation[name], along) for name in names}
    require_a_mean(profiles.values(), along)

    def draw(figure: Figure) -> None:
        for axes, (name, found) in zip(
            panels(figure, len(profiles)), profiles.items(), strict=True
        ):
            if name != "zero_fraction":  # which is 0 or 1
                _draw_spread(axes, found, None)
            draw_means(axes, found, along, size=3.5)
            if name == "zero_fraction":
                axes.set_ylim(0, 1.3 * max(found.mean[found.shown].max(initial=0), 0.01))
            axes.set_xlabel(along.short)
            axes.set_ylabel(label(name))
        head_of_panels(figure, model)

    caption = (
        f"Each measure against {along.name}: mean with standard error, and the range of the middle "
        f"68 % of the modules (band). A bin of fewer than {FEWEST} modules has no point."
    )
    title = f"All measures against {along.name}"
    return draw_picture(f"measures_{along.name}", title, caption, PictureGroup.QUALITY, draw)


def stacked(figure: Figure) -> tuple[Axes, Axes]:
    """Axes for profiles, and lower ones under them, of the same abscissa, for the modules."""
    figure.set_size_inches(6.4, 5.2)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    return axes, below


def draw_means(
    axes: Axes,
    found: Profile,
    along: Coordinate,
    *,
    colour: str = "black",
    marker: str = "o",
    words: str | None = None,
    line: str = "none",
    size: float = 5,
    shift: float = 0.0,
) -> None:
    """Mean with standard error of each shown bin.

    Args:
        shift: moves the points off the centre, in bin widths, so that errors do not cover others.
    """
    shown = found.shown
    lower, upper = found.edges[:-1][shown], found.edges[1:][shown]
    if along.logarithmic:
        centres = np.sqrt(lower * upper) * (upper / lower) ** shift
    else:
        centres = (lower + upper) / 2 + shift * (upper - lower)
    axes.errorbar(
        centres,
        found.mean[shown],
        xerr=None if line != "none" else (centres - lower, upper - centres),
        yerr=found.standard_error[shown],
        linestyle=line,
        linewidth=1.2,
        elinewidth=1.1,
        marker=marker,
        markersize=size,
        color=colour,
        label=words,
    )
    if along.logarithmic:
        axes.set_xscale("log")
    if shown.any():
        axes.set_xlim(lower[0], upper[-1])


def draw_counts(
    axes: Axes,
    found: Profile,
    along: Coordinate,
    *,
    colour: str | None = None,
    most: int | None = None,
) -> None:
    """Modules of each bin, on a logarithmic scale; as a line where a colour is given.

    Args:
        most: modules of the fullest bin of all that are drawn into these axes.
    """
    most = most or int(found.count.max(initial=1))
    if colour is None:
        axes.stairs(found.count, found.edges, fill=True, color=GREY, alpha=0.5)
    else:
        axes.stairs(found.count, found.edges, color=colour)
    if found.count.any():
        axes.set_yscale("log")
    axes.set_ylim(0.7, 5 * max(most, 1))
    axes.yaxis.set_major_locator(LogLocator(numticks=4))
    axes.set_ylabel("Modules")
    axes.set_xlabel(along.label)


def _draw_spread(axes: Axes, found: Profile, words: str | None) -> None:
    shown = found.shown
    axes.bar(
        found.edges[:-1][shown],
        (found.high - found.low)[shown],
        width=np.diff(found.edges)[shown],
        bottom=found.low[shown],
        align="edge",
        color=BLUE,
        alpha=0.25,
        linewidth=0,
        label=words,
    )


def _frame(axes: Axes, found: Profile) -> None:
    top = found.high[found.shown].max(initial=0)
    axes.set_ylim(0, 1.3 * top if top > 0 else 1)
