"""Pictures of what flips of stored weight bits do."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from hw.foundation.arrays import read_arrays
from reports.pictures.gallery import Gallery, gather
from reports.pictures.picture import (
    BLUE,
    COLOURS,
    GREY,
    LINES,
    MARKERS,
    ORANGE,
    MissingValuesError,
    Picture,
    PictureGroup,
    draw_picture,
    head,
)

_CHANGE = "Change of the mean EMD [half pitch]"
_LEAST = 1e-5  # half pitch: below it a change is not told from none on some thousand modules

Arrays = Mapping[str, npt.NDArray]


def upset_gallery(file: Path, model: str) -> Gallery:
    """All of them, from the arrays that the upsets stage left.

    Raises:
        InputError: the file cannot be read.
    """
    arrays = read_arrays(file, required=("array_names", "mean", "curve.rate"), remedy="make upsets")
    return gather(
        (
            ("Damage by layer and bit", partial(_by_place, arrays, model)),
            ("Damage by output of each layer", partial(_by_output, arrays, model)),
            ("Damage in the most harmful bits", partial(_cumulated, arrays, model)),
            ("Cheap ranking and damage", partial(_cheap, arrays, model)),
            ("Distance and bit error rate", partial(_rates, arrays, model)),
            ("Distance over time", partial(_times, arrays, model)),
        )
    )


def _harm(arrays: Arrays) -> npt.NDArray[np.float64]:
    harm = arrays["mean"].clip(min=0)
    if not harm.any():
        raise MissingValuesError("no flip of a bit does damage")
    return harm


def _by_place(arrays: Arrays, model: str) -> Picture:
    harm = _harm(arrays)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        names = list(map(str, arrays["array_names"]))
        for index, name in enumerate(names):
            places = np.unique(arrays["from_top"][arrays["array"] == index])
            of = [harm[(arrays["array"] == index) & (arrays["from_top"] == p)] for p in places]
            means = np.array([values.mean() for values in of])
            worst = np.array([values.max() for values in of])
            colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
            at = places + 0.09 * (index - (len(names) - 1) / 2)
            axes.vlines(at, means.clip(_LEAST), worst.clip(_LEAST), color=colour, lw=1.2)
            axes.plot(
                at, means.clip(_LEAST), marker, color=colour, ms=5, label=name,
                ls=LINES[index % len(LINES)], lw=1,
            )  # fmt: skip
        axes.set_yscale("log")
        axes.set_xlabel("Bit of the weight, from the highest (0: sign)")
        axes.set_ylabel(_CHANGE)
        axes.minorticks_off()
        axes.set_xticks(np.unique(arrays["from_top"]))
        bottom, top = axes.get_ylim()
        axes.set_ylim(bottom, top * 10 ** (0.35 * np.log10(top / bottom)))
        axes.legend(loc="upper right", ncols=2, fontsize=9.5)
        head(axes, model, "flips of single bits")

    caption = (
        "What a flip of one stored bit adds to the mean earth mover's distance, by weight array "
        "and place of the bit: the mean over the bits (marker), and up to the worst one (line). "
        "Flips that lower the distance count as 0."
    )
    title = "Damage by layer and bit"
    return draw_picture("upsets_by_bit", title, caption, PictureGroup.RADIATION, draw)


def _by_output(arrays: Arrays, model: str) -> Picture:
    harm = _harm(arrays)
    names = list(map(str, arrays["array_names"]))
    layers = list(dict.fromkeys(name.rsplit("/", 1)[0] for name in names))
    layer_of_array = np.array([layers.index(name.rsplit("/", 1)[0]) for name in names])
    layer_of_bit = layer_of_array[arrays["array"]]

    def draw(figure: Figure) -> None:
        figure.set_size_inches(6.4, 1.1 + 1.75 * len(layers))
        grid = figure.subplots(len(layers), 1, squeeze=False)[:, 0]
        drawn = []
        for layer, axes in enumerate(grid):
            of = layer_of_bit == layer
            outputs = int(arrays["output"][of].max()) + 1
            places = int(arrays["from_top"][of].max()) + 1
            total = np.zeros((places, outputs))
            np.add.at(total, (arrays["from_top"][of], arrays["output"][of]), harm[of])
            drawn.append((axes, total / harm.sum()))
        most = max(share.max() for _, share in drawn)
        norm = LogNorm(most * 1e-4, most)
        for layer, (axes, share) in enumerate(drawn):
            image = axes.imshow(
                np.ma.masked_less_equal(share, 0), norm=norm, aspect="auto", cmap="viridis"
            )
            axes.set_title(layers[layer], loc="left", fontsize=10.5)
            axes.set_ylabel("Bit from top", fontsize=11)
            axes.minorticks_off()
            axes.set_yticks(range(share.shape[0]))
            axes.set_xticks(range(0, share.shape[1], max(1, share.shape[1] // 16)))
            axes.tick_params(labelsize=9)
        grid[-1].set_xlabel("Output of the layer: filter, neuron or latent", fontsize=11)
        figure.colorbar(image, ax=list(grid), label="Share of the damage")
        figure.suptitle(model, fontsize=12, fontweight="bold", x=0.02, ha="left")

    caption = (
        "Where the damage sits: the share of each output of a layer (a filter of a convolution, a "
        "latent) and of each place of a bit in all damage of single flips, biases included. White: "
        "none."
    )
    title = "Damage by output of each layer"
    return draw_picture("upsets_by_output", title, caption, PictureGroup.RADIATION, draw)


def _cumulated(arrays: Arrays, model: str) -> Picture:
    harm = _harm(arrays)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        share = 100 * np.arange(1, len(harm) + 1) / len(harm)
        by_place = np.lexsort((-harm, arrays["from_top"]))
        for name, order, colour, line in (
            ("by measured damage", np.argsort(-harm, kind="stable"), BLUE, LINES[0]),
            (
                "by the cheap ranking",
                np.argsort(-arrays["scores"], kind="stable"),
                ORANGE,
                LINES[1],
            ),
            ("highest bits first", by_place, GREY, LINES[2]),
        ):
            left = 100 * (1 - np.cumsum(harm[order]) / harm.sum())
            axes.plot(share, left.clip(1e-3), color=colour, ls=line, label=name)
        axes.axhline(1, color="black", lw=0.8)
        axes.axvline(15, color="black", lw=0.8)
        axes.set_yscale("log")
        axes.set_xlim(0, 60)
        axes.set_ylim(1e-2, 150)
        axes.set_xlabel("Bits protected [%]")
        axes.set_ylabel("Damage left [%]")
        axes.legend(loc="upper right")
        head(axes, model, "flips of single bits")

    caption = (
        "Damage of single flips that is left when the first bits of a ranking are protected. Thin "
        "lines: 1 % of the damage, 15 % of the bits."
    )
    title = "Damage in the most harmful bits"
    return draw_picture("upsets_protected", title, caption, PictureGroup.RADIATION, draw)


def _cheap(arrays: Arrays, model: str) -> Picture:
    harm, scores = _harm(arrays), arrays["scores"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        least = scores[scores > 0].min(initial=1.0)
        for place in np.unique(arrays["from_top"]):
            of = arrays["from_top"] == place
            axes.plot(
                scores[of].clip(least), harm[of].clip(_LEAST), ".", ms=2,
                color=COLOURS[place % len(COLOURS)], label=f"bit {place} from the top",
                rasterized=True,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("Score of the cheap ranking")
        axes.set_ylabel(_CHANGE)
        axes.legend(loc="upper left", fontsize=9, markerscale=4)
        head(axes, model, f"{len(harm):,} bits")

    caption = (
        "The cheap score of each bit (change of the weight times the mean absolute gradient of the "
        "decoded shares) and the damage that was measured. Points at the lower edge: none."
    )
    title = "Cheap ranking and damage"
    return draw_picture("upsets_cheap_ranking", title, caption, PictureGroup.RADIATION, draw)


def _rates(arrays: Arrays, model: str) -> Picture:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        base = arrays["before"].mean()
        share = arrays["protected"].mean()
        for index, (suffix, words) in enumerate(
            (("", "no bit protected"), (".protected", f"the worst {share:.1%} of the bits safe"))
        ):
            rate = arrays[f"curve{suffix}.rate"]
            axes.errorbar(
                rate, base + arrays[f"curve{suffix}.change"],
                arrays[f"curve{suffix}.standard_error"], color=COLOURS[index],
                marker=MARKERS[index], ls=LINES[index], label=words, capsize=2,
            )  # fmt: skip
        axes.axhline(base, color=GREY, lw=1)
        axes.set_xscale("log")
        axes.set_xlabel("Bit error rate of the weights")
        axes.set_ylabel("Mean EMD [half pitch]")
        axes.legend(loc="upper left")
        head(axes, model, "flips of many bits")

    caption = (
        "Mean distance when each stored bit is wrong by itself with this chance, with the standard "
        "error from the memories drawn. Grey: without flips. At 0.5 the memory is noise."
    )
    title = "Distance and bit error rate"
    return draw_picture("upsets_rates", title, caption, PictureGroup.RADIATION, draw)


def _times(arrays: Arrays, model: str) -> Picture:
    flux, cross_section, scrub = arrays["conditions"]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        base, hours = arrays["before"].mean(), arrays["time"] / 3600
        for index, (suffix, words) in enumerate(
            (("", "no bit protected"), (".protected", "the worst bits safe"))
        ):
            axes.plot(
                hours, base + arrays[f"time.change{suffix}"], color=COLOURS[index],
                ls=LINES[index], label=words,
            )  # fmt: skip
        axes.axvline(scrub / 3600, color=GREY, lw=1, ls=LINES[3], label="scrubbing interval")
        axes.set_xscale("log")
        axes.set_xlabel("Time since the weights were written [h]")
        axes.set_ylabel("Mean EMD [half pitch]")
        axes.legend(loc="upper left")
        head(axes, model, rf"{flux:.2g} /cm$^2$/s, {cross_section:.2g} cm$^2$ per bit")

    caption = (
        "Mean distance after a time without writing the weights anew, at the flux and the upset "
        "cross-section that the stage was given."
    )
    title = "Distance over time"
    return draw_picture("upsets_over_time", title, caption, PictureGroup.RADIATION, draw)
