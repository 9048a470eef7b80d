"""Several models in one picture."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.figure import Figure

from models.quality.quality import statistics
from reports.pictures.distributions import EMD_LABEL, draw_distribution, range_of
from reports.pictures.evaluation import Evaluation
from reports.pictures.picture import (
    COLOURS,
    LINES,
    MARKERS,
    MissingValuesError,
    Picture,
    PictureGroup,
    draw_picture,
    head,
    with_error,
)
from reports.pictures.profiles import (
    Coordinate,
    draw_counts,
    draw_means,
    profile_of,
    require_a_mean,
    stacked,
)


def models_emd_picture(evaluations: Mapping[str, Evaluation]) -> Picture:
    """Distributions of the earth mover's distance of several models, by their names."""
    distances = {name: e["emd"][~np.isnan(e["emd"])] for name, e in evaluations.items()}

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        upper = max(range_of(values)[1] for values in distances.values())
        edges = np.linspace(0, upper, 51)
        top = 0.0
        for index, (name, values) in enumerate(distances.items()):
            colour, _, line = _style(index)
            words = f"{name}: no module"
            found = statistics(values)
            if found.count:
                words = f"{name}: {with_error(found.mean, found.standard_error)} ({found.count:,})"
            height = draw_distribution(
                axes, values, edges, colour, words, fractions=True, line=line
            )
            top = max(top, height)
        axes.set_xlim(0, upper)
        axes.set_ylim(0, (1.25 + 0.08 * len(distances)) * (top or 1.0))
        axes.set_xlabel(EMD_LABEL)
        axes.set_ylabel(f"Fraction of modules / {edges[1]:.2g}")
        axes.legend(loc="upper right", title="Mean (modules)", title_fontsize=11)
        head(axes, "", "validation modules")

    caption = (
        "Distance of each model on its own validation modules, as fractions of all; with the mean, "
        "its standard error and the number of modules. The last bin holds all larger values."
    )
    return draw_picture("models_emd", "Distances of the models", caption, PictureGroup.MODELS, draw)


def models_profile_picture(
    evaluations: Mapping[str, Evaluation], coordinate: Callable[[Evaluation], Coordinate]
) -> Picture:
    """Mean distance of several models along one coordinate, and the modules of each bin."""
    along = {name: coordinate(evaluation) for name, evaluation in evaluations.items()}
    if not along:
        raise MissingValuesError("no model to be compared")
    widest = max(along.values(), key=lambda one: one.edges[-1] - one.edges[0])
    profiles = {name: profile_of(evaluations[name]["emd"], one) for name, one in along.items()}
    require_a_mean(profiles.values(), widest)

    def draw(figure: Figure) -> None:
        axes, below = stacked(figure)
        most = max(int(found.count.max(initial=1)) for found in profiles.values())
        for index, (name, found) in enumerate(profiles.items()):
            colour, marker, line = _style(index)
            draw_means(
                axes, found, along[name], colour=colour, marker=marker, words=name, line=line,
                shift=0.08 * (index - (len(profiles) - 1) / 2),
            )  # fmt: skip
            draw_counts(below, found, widest, colour=colour, most=most)
        means = [found.mean[found.shown].max(initial=0) for found in profiles.values()]
        axes.set_xlim(widest.edges[0], widest.edges[-1])
        axes.set_ylim(0, (1.25 + 0.08 * len(along)) * max(means) if max(means) > 0 else 1)
        axes.set_ylabel("EMD [half trigger-cell pitch]")
        axes.legend(loc="upper right")

    caption = (
        f"Mean distance with standard error against {widest.name}, each model on its own "
        "validation modules. Points are moved aside a little to be seen; below, the modules of "
        "each bin."
    )
    title = f"Models against {widest.name}"
    return draw_picture(f"models_{widest.name}", title, caption, PictureGroup.MODELS, draw)


def _style(index: int) -> tuple:
    return COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], LINES[index % len(LINES)]
