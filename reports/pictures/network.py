"""Inside the networks: weights, what each layer puts out, and the latents."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hw.foundation.arrays import read_arrays
from reports.pictures.picture import (
    BLUE,
    GREY,
    ORANGE,
    MissingValuesError,
    Picture,
    PictureGroup,
    draw_picture,
    head,
    head_of_panels,
    panels,
)

_WEIGHT = re.compile(r"weight\.(\w+)\.(.+)")
_OUTPUT = re.compile(r"output\.(\w+)\.(.+)\.edges")
# few distinct weights, all on a grid, are quantised: each value gets its own bar
_FEW_VALUES, _FINEST_STEP = 64, 2.0**-12


@dataclass(frozen=True)
class NetworkValues:
    """What the evaluation wrote of the networks' numbers; arrays by name."""

    file: Path
    arrays: Mapping[str, npt.NDArray]


def read_network_values(file: Path) -> NetworkValues:
    """Read `network_values.npz`.

    Raises:
        InputError: the file is damaged.
    """
    return NetworkValues(file, read_arrays(file, remedy="evaluate the model anew"))


def weights_picture(values: NetworkValues, network: str, model: str) -> Picture:
    """Distribution of each weight array of `network` (`encoder` or `decoder`)."""
    found = {
        match[2]: array.ravel()
        for name, array in values.arrays.items()
        if (match := _WEIGHT.fullmatch(name)) and match[1] == network and array.size
    }
    if not found:
        raise MissingValuesError(f"{values.file} has no weights of a {network}")

    def draw(figure: Figure) -> None:
        for axes, (name, array) in zip(panels(figure, len(found)), found.items(), strict=True):
            _draw_weights(axes, array)
            axes.set_title(f"{name} ({array.size:,})", loc="left", fontsize=10.5)
        head_of_panels(figure, f"{model}, {network}")

    caption = (
        f"The {network}'s weights as its layers compute with them, and their number. A quantised "
        "array has a bar for each value that its format can give."
    )
    return draw_picture(
        f"weights_{network}", f"Weights of the {network}", caption, PictureGroup.NETWORK, draw
    )


def outputs_picture(values: NetworkValues, network: str, model: str) -> Picture:
    """Distribution of what each layer of `network` puts out."""
    layers = [
        match[2]
        for name in values.arrays
        if (match := _OUTPUT.fullmatch(name)) and match[1] == network
    ]
    if not layers:
        raise MissingValuesError(f"{values.file} has no layer outputs of a {network}")

    def draw(figure: Figure) -> None:
        for axes, layer in zip(panels(figure, len(layers)), layers, strict=True):
            key = f"output.{network}.{layer}"
            edges, counts = values.arrays[f"{key}.edges"], values.arrays[f"{key}.counts"]
            zeros = int(values.arrays[f"{key}.zeros"])
            axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.6)
            axes.set_yscale("log")
            axes.set_ylim(0.7, 4 * max(counts.max(initial=1), 1))
            axes.set_xlim(edges[0], edges[-1])
            axes.set_xlabel("Output of the layer")
            axes.set_ylabel("Numbers")
            share = zeros / max(zeros + int(counts.sum()), 1)
            axes.set_title(layer, loc="left", fontsize=10.5)
            axes.set_title(f"{share:.0%} zeros", loc="right", fontsize=10)
        head_of_panels(figure, f"{model}, {network}")

    modules = len(values.arrays.get("latents", ()))
    caption = (
        f"What each layer of the {network} puts out for {modules:,} validation modules with "
        "charge, numbers that are not zero; the share of exact zeros is given apart. Layers that "
        "only move numbers are left out."
    )
    return draw_picture(
        f"outputs_{network}", f"Layer outputs of the {network}", caption, PictureGroup.NETWORK, draw
    )


def latents_picture(values: NetworkValues, model: str) -> Picture:
    """Range and mean of each of the encoder's outputs, and how often each is zero."""
    if "latents" not in values.arrays:
        raise MissingValuesError(f"{values.file} has no latents: no validation module has charge")
    latents = values.arrays["latents"].reshape(len(values.arrays["latents"]), -1)
    low, median, high = np.quantile(latents, (0.16, 0.5, 0.84), axis=0)
    index = np.arange(latents.shape[1])

    def draw(figure: Figure) -> None:
        figure.set_size_inches(6.4, 5.2)
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
        axes.bar(index, high - low, bottom=low, width=0.8, color=BLUE, alpha=0.35, linewidth=0,
                 label="16 to 84 % of the modules")  # fmt: skip
        axes.plot(index, median, "_", markersize=14, markeredgewidth=2, color="black",
                  label="median")  # fmt: skip
        axes.plot(index, latents.max(axis=0), "v", markersize=5, color=ORANGE, label="largest")
        top, bottom = float(latents.max()), float(latents.min())
        span = (top - bottom) or 1.0
        axes.set_ylim(bottom - 0.03 * span, top + 0.35 * span)
        axes.set_ylabel("Latent")
        axes.legend(loc="upper right", ncols=3, fontsize=10)
        head(axes, model, f"{len(latents):,} validation modules")
        below.bar(index, 100 * (latents == 0).mean(axis=0), width=0.8, color=GREY)
        below.set_ylim(0, 100)
        below.set_ylabel("Zero [%]")
        below.set_xlabel("Output of the encoder")
        below.set_xlim(-0.8, len(index) - 0.2)
        below.minorticks_off()

    caption = (
        "Each of the encoder's outputs over validation modules with charge. An output that is "
        "always zero carries nothing; one at its largest value saturates."
    )
    return draw_picture("latents", "Latents", caption, PictureGroup.NETWORK, draw)


def _draw_weights(axes: Axes, array: npt.NDArray) -> None:
    distinct, counts = np.unique(array, return_counts=True)
    steps = array.astype(np.float64) / _FINEST_STEP
    if len(distinct) <= _FEW_VALUES and (steps == np.round(steps)).all():
        step = float(np.diff(distinct).min()) if len(distinct) > 1 else 1.0
        axes.bar(distinct, counts, width=0.85 * step, color=BLUE)
        axes.set_xlim(distinct[0] - 2 * step, distinct[-1] + 2 * step)
        top = counts.max()
    else:
        # weights a float32's resolution apart have no float32 edges between them
        filled, edges = np.histogram(array.astype(np.float64), bins=min(60, 10 + len(array) // 4))
        axes.stairs(filled, edges, fill=True, color=BLUE, alpha=0.6)
        axes.set_xlim(edges[0], edges[-1])
        top = filled.max()
    axes.set_ylim(0, 1.12 * top)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.set_xlabel("Weight")
    axes.set_ylabel("Weights")
