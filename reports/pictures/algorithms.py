"""The autoencoder beside the other compression algorithms, on the same modules."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.catalogue import algorithm_label
from reports.metrics import Metric
from reports.pictures.distributions import EMD_LABEL, draw_distribution, range_of
from reports.pictures.evaluation import CompressionAlgorithm, Evaluation, Values
from reports.pictures.picture import (
    COLOURS,
    LINES,
    MARKERS,
    MissingValuesError,
    Picture,
    PictureGroup,
    draw_picture,
    head,
)
from reports.pictures.profiles import (
    Coordinate,
    draw_counts,
    draw_means,
    profile_of,
    require_a_mean,
)

_AUTOENCODER = "autoencoder"
_SENT_BITS = re.compile(r"baseline\.(\w+)\.chip\.bits")
_HEADROOM = 1.45  # height of axes over their highest point: above is the legend
_FORMS = {"ideal": "ideal form", "chip": "as transmitted"}


@dataclass(frozen=True)
class _Curve:
    words: str
    emd: Values
    colour: str
    marker: str
    line: Any


def algorithms_emd_picture(evaluation: Evaluation, model: str) -> Picture:
    """Distributions of the distance, a panel for each form of the algorithms."""
    forms = _curves(evaluation)
    filled = int((evaluation["charge"] > 0).sum())

    def draw(figure: Figure) -> None:
        upper = max(
            range_of(_known(curve.emd), 0.98)[1] for curves in forms.values() for curve in curves
        )
        edges = np.linspace(0, upper, 41)
        for axes, (form, curves) in zip(_row(figure, len(forms)), forms.items(), strict=True):
            top = 0.0
            for curve in curves:
                known = _known(curve.emd)
                top = max(
                    top,
                    draw_distribution(
                        axes, known, edges, curve.colour, fractions=True, line=curve.line
                    ),
                )
                axes.plot(
                    [],
                    [],
                    color=curve.colour,
                    label=f"{curve.words}: {_mean_in_words(known, filled)}",
                )
            axes.set_xlim(0, upper)
            if top > 0:
                axes.set_yscale("log")
                axes.set_ylim(0.2 / len(evaluation["emd"]), 1e3 * top)
            axes.set_xlabel(EMD_LABEL, fontsize=12)
            axes.set_ylabel(f"Fraction of modules / {edges[1]:.2g}")
            axes.legend(loc="upper right", fontsize=10)
            head(axes, model, _FORMS.get(form, form))

    caption = (
        "Distance of the autoencoder and of the other algorithms on the same modules, with the "
        "mean and, where some modules come back empty, the share of modules that it is the mean "
        "of. The last bin holds all larger values. Threshold: cells above 1.35 MIP_T. Ideal: "
        "charges are not rounded; as transmitted: in the chip's number formats on the links that "
        "the model was trained for."
    )
    return draw_picture(
        "algorithms_emd", "Distances of all algorithms", caption, PictureGroup.ALGORITHMS, draw
    )


def algorithms_profile_picture(evaluation: Evaluation, along: Coordinate, model: str) -> Picture:
    """Mean distance of all algorithms along one coordinate, a column for each form."""
    forms = {
        form: [(curve, profile_of(curve.emd, along)) for curve in curves]
        for form, curves in _curves(evaluation).items()
    }
    require_a_mean((found for curves in forms.values() for _, found in curves), along)

    def draw(figure: Figure) -> None:
        figure.set_size_inches(6.2 * len(forms), 5.6)
        grid = figure.subplots(
            2, len(forms), sharex=True, sharey="row", height_ratios=(4, 1), squeeze=False
        )
        for column, (form, curves) in enumerate(forms.items()):
            axes, below = grid[0][column], grid[1][column]
            top = 0.0
            for index, (curve, found) in enumerate(curves):
                draw_means(
                    axes, found, along, colour=curve.colour, marker=curve.marker,
                    words=curve.words, line=curve.line, size=4.5,
                    shift=0.06 * (index - len(curves) // 2),
                )  # fmt: skip
                top = max(top, found.mean[found.shown].max(initial=0))
            axes.set_ylim(0, 1.4 * top if top > 0 else 1)
            axes.legend(loc="upper right", ncols=2, fontsize=10)
            head(axes, model, _FORMS.get(form, form))
            own = profile_of(evaluation["emd"], along)
            draw_counts(below, own, along)
            if own.shown.any():
                axes.set_xlim(own.edges[:-1][own.shown][0], own.edges[1:][own.shown][-1])
            if column:
                below.set_ylabel("")
        grid[0][0].set_ylabel("EMD [half trigger-cell pitch]")

    caption = (
        f"Mean distance with standard error against {along.name}: below the autoencoder's curve an "
        "algorithm keeps more of the pattern. A module of which an algorithm keeps nothing has no "
        "distance and is not in its mean. Points are moved aside a little to be seen; below, the "
        "modules of each bin."
    )
    title = f"All algorithms against {along.name}"
    return draw_picture(f"algorithms_{along.name}", title, caption, PictureGroup.ALGORITHMS, draw)


def budget_picture(metrics: Iterable[Metric], model: str) -> Picture:
    """Mean distance of each algorithm against the bits that it sends of a module.

    Args:
        metrics: of the evaluation.

    Raises:
        MissingValuesError: they have no algorithm of which both are known.
    """
    known = {m.name: m.value for m in metrics if isinstance(m.value, int | float)}
    points = []
    if {"emd.mean", "quality.bits"} <= known.keys():
        error = known.get("emd.standard_error", 0.0)
        points.append((_AUTOENCODER, known["quality.bits"], known["emd.mean"], error))
    others = [match[1] for name in known if (match := _SENT_BITS.fullmatch(name))]
    for name in others:
        key = f"baseline.{name}.chip"
        if f"{key}.emd.mean" in known:
            error = known.get(f"{key}.emd.standard_error", 0.0)
            points.append((name, known[f"{key}.bits"], known[f"{key}.emd.mean"], error))
    if "link.bits" not in known:
        raise MissingValuesError(
            "no other algorithm in the evaluation; evaluate the model without --skipBaselines"
        )
    if len(points) < 2:
        raise MissingValuesError(
            "fewer than two algorithms bring charge back in a known number of bits"
        )

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for name, bits, mean, error in points:
            colour, marker, _ = _style(name, others)
            axes.errorbar(
                [bits], [mean], yerr=[error], linestyle="none", marker=marker, markersize=9,
                color=colour, label=algorithm_label(name),
            )  # fmt: skip
        held = known["link.bits"]
        axes.axvline(held, ymax=1 / _HEADROOM, color="#717581", linestyle=":", label="links hold")
        axes.set_xlim(0, 1.1 * max(*(bits for _, bits, _, _ in points), held))
        axes.set_ylim(0, _HEADROOM * (max(mean for _, _, mean, _ in points) or 1))
        axes.set_xlabel("Mean frame of a module [bits]")
        axes.set_ylabel("Mean EMD [half trigger-cell pitch]")
        axes.legend(loc="upper right", ncols=2, fontsize=10)
        head(axes, model, "as transmitted")

    caption = (
        "Mean distance (with standard error, mostly smaller than the mark) against the mean size "
        "of a module's frame in the chip's formats; towards the lower left is better. Modules of "
        "which an algorithm keeps nothing are not in its mean."
    )
    return draw_picture(
        "algorithms_bits", "Distance and bits sent", caption, PictureGroup.ALGORITHMS, draw
    )


def _curves(evaluation: Evaluation) -> dict[str, list[_Curve]]:
    """The autoencoder and the algorithms, by form."""
    algorithms = evaluation.algorithms
    names = list(dict.fromkeys(algorithm.name for algorithm in algorithms))
    forms = dict.fromkeys(algorithm.form for algorithm in algorithms)
    own = _Curve(_AUTOENCODER, evaluation["emd"], *_style(_AUTOENCODER, names))
    return {
        form: [own, *(_curve(a, names) for a in algorithms if a.form == form)] for form in forms
    }


def _curve(algorithm: CompressionAlgorithm, names: Sequence[str]) -> _Curve:
    words = algorithm_label(algorithm.name)
    return _Curve(words, algorithm.emd, *_style(algorithm.name, names))


def _style(name: str, names: Sequence[str]) -> tuple[str, str, Any]:
    """Colour, marker and line of one of the algorithms `names`, the same in all pictures."""
    if name == _AUTOENCODER:
        return "black", "o", "-"
    order = names.index(name) % len(COLOURS)
    return COLOURS[order], MARKERS[order], LINES[order]


def _mean_in_words(known: Values, filled: int) -> str:
    """The mean, and of what share of the modules with charge."""
    if not len(known):
        return "keeps nothing"
    share = len(known) / filled
    return f"{known.mean():.2f}" + (f" ({share:.1%})" if share < 0.9995 else "")


def _row(figure: Figure, count: int) -> list[Axes]:
    figure.set_size_inches(6.2 * count, 5.0)
    return list(figure.subplots(1, count, squeeze=False, sharey=True)[0])


def _known(values: Values) -> Values:
    return values[~np.isnan(values)]
