"""The picture of what the ECON-T's arithmetic costs, and what training in it saves."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hw.foundation.arrays import read_arrays
from reports.pictures.picture import (
    BLUE,
    OCCUPANCY_LABEL,
    ORANGE,
    RED,
    Picture,
    PictureGroup,
    draw_picture,
    head,
)

_CURVES = (
    ("plain", "plain training, as trained", BLUE, "s"),
    ("plain_on_chip", "plain training, run by the chip", ORANGE, "^"),
    ("exact", "trained in the chip's arithmetic", RED, "o"),
)


def arithmetic_picture(file: Path, model: str) -> Picture:
    """Mean distance against occupancy of three forms, from what the evaluation wrote.

    Raises:
        InputError: the file is damaged.
    """
    parts = ("profile_mean", "profile_standard_error", "mean", "standard_error")
    names = ("edges", *(f"{key}_{part}" for key, *_ in _CURVES for part in parts))
    data = read_arrays(file, required=names, remedy="evaluate the model anew")
    edges = data["edges"]
    curves = [
        (
            data[f"{key}_profile_mean"],
            data[f"{key}_profile_standard_error"],
            f"{words}: {data[f'{key}_mean']:.3f} \u00b1 {data[f'{key}_standard_error']:.3f}",
            style,
        )
        for key, words, *style in _CURVES
    ]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        centres = (edges[1:] + edges[:-1]) / 2
        top = last = 0.0
        for mean, error, words, (colour, marker) in curves:
            known = np.isfinite(mean) & (error > 0)  # a single module has no error
            axes.errorbar(
                centres[known], mean[known], yerr=error[known],
                color=colour, marker=marker, markersize=5, linewidth=1.2, label=words,
            )  # fmt: skip
            top = max(top, float(mean[known].max(initial=0)))
            last = max(last, float(edges[1:][known].max(initial=0)))
        axes.set_xlim(edges[0], last or edges[-1])
        axes.set_ylim(0, 1.45 * (top or 1.0))
        axes.set_xlabel(OCCUPANCY_LABEL)
        axes.set_ylabel("EMD [half trigger-cell pitch]")
        axes.legend(loc="upper right")
        head(axes, model)

    caption = (
        "Mean distance with standard error, in bins of occupancy and (legend) over all modules. "
        "Plain training sums products as they are; the chip floors each of them first. The same "
        "weights are shown with either arithmetic, and weights trained in the chip's."
    )
    title = "Training and the chip's arithmetic"
    return draw_picture("arithmetic", title, caption, PictureGroup.QUALITY, draw)
