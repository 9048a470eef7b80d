"""The pictures of a report, in CMS style: drawn from the files that the steps leave."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import mplhep
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from hw.atomic_file import atomic_path
from hw.errors import InputError
from reports.event_display import draw_latents, draw_module

# mplhep's CMS style at the size of a page, not of a slide
_STYLE: Any = {
    **mplhep.style.CMS,
    "figure.figsize": (6.4, 4.4),
    "figure.dpi": 100,
    "savefig.dpi": 150,
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
BLUE, ORANGE, RED, GREY = "#5790fc", "#f89c20", "#e42536", "#9c9ca1"  # of that style
_HISTOGRAM_AXES = {
    "occ_all": "Trigger cells with charge",
    "occ_1MT": r"Trigger cells above 1 MIP$_\mathrm{T}$",
    "maxQ": r"log$_{10}$(largest charge / MIP$_\mathrm{T}$)",
    "sumQ": r"log$_{10}$(2$^{\lfloor\log_2\,\mathrm{sum}\rfloor}$ / MIP$_\mathrm{T}$)",
}
_LEAST_OCCUPANCY_SHOWN = 24
EMD_LABEL = "Earth mover's distance [half trigger-cell pitch]"


@dataclass(frozen=True)
class Picture:
    """One drawn figure.

    Attributes:
        name: stem of its files.
        title: short, for a heading.
        caption: what it shows and how to read it.
    """

    name: str
    title: str
    caption: str
    figure: Figure

    def save(self, path: Path) -> None:
        """Write the picture in the format that the suffix of `path` names."""
        # a fixed salt and no date: the same results give the same file
        with (
            matplotlib.rc_context(_STYLE | {"svg.hashsalt": self.name}),
            atomic_path(path) as temporary,
        ):
            metadata = {"Date": None} if path.suffix == ".svg" else None
            self.figure.savefig(temporary, metadata=metadata)

    def svg(self) -> str:
        """The picture as an SVG document."""
        stream = io.StringIO()
        with matplotlib.rc_context(_STYLE | {"svg.hashsalt": self.name}):
            self.figure.savefig(stream, format="svg", metadata={"Date": None})
        return stream.getvalue()


def write_pictures(folder: Path, pictures: Sequence[Picture]) -> None:
    """Write each picture as PNG into `folder`."""
    for picture in pictures:
        picture.save(folder / f"{picture.name}.png")


def training_picture(history: Path, model: str) -> Picture:
    """Loss against epoch, from `history.json`.

    Raises:
        InputError: the file is damaged.
    """
    losses = _read_json(history)
    try:
        training, validation = losses["loss"], losses.get("val_loss", [])
    except (KeyError, AttributeError, TypeError) as error:
        raise InputError(f"{history}: no list 'loss'; train the model anew") from error

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        marker = "o" if len(training) < 40 else None
        for values, name, colour in (
            (training, "training", BLUE),
            (validation, "validation", ORANGE),
        ):
            epochs = np.arange(1, len(values) + 1)
            axes.plot(epochs, values, marker=marker, markersize=4, color=colour, label=name)
        if validation:
            best = int(np.argmin(validation))
            axes.axvline(
                best + 1, color=GREY, linestyle=":", label=f"lowest: {validation[best]:.4g}"
            )
        axes.set_xlabel("Epoch")
        axes.set_ylabel("Loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_minor_locator(NullLocator())
        if min(training) > 0 and max(training) > 10 * min(training):
            axes.set_yscale("log")
        axes.legend()
        head(axes, model)

    caption = "Loss after each epoch on the training and the validation modules."
    return draw_picture("training", "Training", caption, draw)


def quality_pictures(evaluation: Path, model: str) -> list[Picture]:
    """Distribution and occupancy profile of the distance, and event displays.

    Args:
        evaluation: what the evaluation step wrote, `evaluation.npz`.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with np.load(evaluation, allow_pickle=False) as stored:
            data = {name: stored[name] for name in stored.files}
        distances = data["emd"]
        pictures = [_emd_picture(distances[~np.isnan(distances)], model)]
        pictures.append(_profile_picture(data, model))
        if len(data["sample"]):
            pictures.append(_display_picture(data, model))
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{evaluation}: damaged: {error}; evaluate the model anew") from error
    return pictures


def data_pictures(histograms: Path, distances: Mapping[str, float]) -> list[Picture]:
    """The data set's four distributions over the published ones, in one picture.

    Args:
        histograms: `histograms.json` of the data step: name -> edges, counts, published, and the
            modules outside the edges of either (outside, published_outside).
        distances: total-variation distance by name, for the legend.

    Raises:
        InputError: the file is damaged.
    """
    found = _read_json(histograms)

    def draw(figure: Figure) -> None:
        figure.set_size_inches(10.5, 7.6)
        for axes, (name, histogram) in zip(figure.subplots(2, 2).flat, found.items(), strict=False):
            _draw_histogram(axes, name, histogram, distances.get(name))

    caption = (
        "This data set (line) and the published ttbar pile-up 200 sample (filled), as fractions of "
        "all modules. D is the total-variation distance, the modules beyond the axis included: 0 "
        "for equal, 1 for disjoint distributions."
    )
    try:
        return [draw_picture("data", "Data against the published distributions", caption, draw)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{histograms}: damaged: {error}; run the data step anew") from error


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


def _emd_picture(distances: npt.NDArray, model: str) -> Picture:
    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        upper = max(float(np.quantile(distances, 0.998)) if len(distances) else 1.0, 0.1)
        counts, edges = np.histogram(distances.clip(max=upper), bins=60, range=(0, upper))
        axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.35)
        axes.stairs(counts, edges, color=BLUE, linewidth=1.5)
        if len(distances):
            low, high = np.quantile(distances, (0.16, 0.84))
            axes.axvspan(
                low, high, color=GREY, alpha=0.2, label=f"16 to 84 %: {low:.2f} to {high:.2f}"
            )
            axes.axvline(
                distances.mean(),
                color=RED,
                label=f"mean {distances.mean():.3f}, std {distances.std():.3f}",
            )
        axes.set_xlim(0, upper)
        axes.set_ylim(0, 1.25 * max(counts.max(), 1))
        axes.set_xlabel(EMD_LABEL)
        axes.set_ylabel(f"Modules / {edges[1]:.2g}")
        if len(distances):
            axes.legend(loc="upper right")
        head(axes, model, f"{len(distances):,} validation modules")

    caption = (
        "Distance between each validation module's charges and what the autoencoder makes of them; "
        "0 is a perfect copy. The last bin holds all larger values."
    )
    return draw_picture("emd", "Compression quality", caption, draw)


def _profile_picture(data: Mapping[str, npt.NDArray], model: str) -> Picture:
    filled = data["profile_count"] > 0
    edges = data["profile_edges"]
    centres, half_widths = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        low, high = data["profile_low"], data["profile_high"]
        axes.bar(
            centres[filled],
            (high - low)[filled],
            width=2 * half_widths[filled],
            bottom=low[filled],
            color=BLUE,
            alpha=0.22,
            label="16 to 84 %",
        )
        axes.errorbar(
            centres[filled],
            data["profile_mean"][filled],
            xerr=half_widths[filled],
            yerr=data["profile_standard_error"][filled],
            fmt="o",
            markersize=5,
            color="black",
            label="mean with standard error",
        )
        last = edges[1:][filled].max(initial=0)
        axes.set_xlim(edges[0], max(last, _LEAST_OCCUPANCY_SHOWN))
        top = high[filled].max() if filled.any() else 1.0
        axes.set_ylim(0, 1.3 * top)
        axes.set_xlabel(r"Occupancy: trigger cells above 1 MIP$_\mathrm{T}$")
        axes.set_ylabel("EMD [half trigger-cell pitch]")
        axes.legend(loc="upper right", ncols=2)
        head(axes, model)

    caption = "Distance against occupancy, in bins of two trigger cells."
    return draw_picture("emd_occupancy", "Quality against occupancy", caption, draw)


def _display_picture(data: Mapping[str, npt.NDArray], model: str) -> Picture:
    rows = len(data["sample"])

    def draw(figure: Figure) -> None:
        figure.set_size_inches(10.0, 2.6 * rows + 0.5)
        latent_top = float(data["sample_latent"].max())
        grid = figure.subplots(rows, 3, squeeze=False)
        for row, index in enumerate(data["sample"]):
            left, middle, right = grid[row]
            before, after = data["sample_input"][row], data["sample_output"][row]
            top = float(max(before.max(), after.max()))
            draw_module(left, before, top)
            draw_latents(middle, data["sample_latent"][row], latent_top)
            tiles = draw_module(right, after, top)
            bar = figure.colorbar(tiles, ax=[left, right], shrink=0.9, aspect=14, pad=0.02)
            bar.set_label("Charge [CALQ]", fontsize=11, loc="center")
            bar.ax.tick_params(labelsize=10)
            text = f"occupancy {data['occupancy'][index]}\nEMD {data['emd'][index]:.2f}"
            left.text(-0.32, 0.98, text, transform=left.transAxes, va="top", fontsize=11)
        for axes, title in zip(grid[0], ("Input", "Latent space", "Output"), strict=True):
            axes.set_title(title, fontsize=13, fontweight="bold", loc="center")
        grid[-1][1].set_xlabel("Output of the encoder", fontsize=11, loc="center")

    caption = (
        "Typical modules of rising occupancy: charges before compression, the encoder's outputs, "
        "and charges after decompression (scaled to the module's summed charge, which is "
        "transmitted). Empty cells are grey; each row has its own colour scale."
    )
    return draw_picture("displays", "Event displays", caption, draw)


def draw_picture(name: str, title: str, caption: str, draw: Callable[[Figure], None]) -> Picture:
    """A picture in the report's style, from what `draw` puts into an empty figure."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure()
        draw(figure)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # laid out once, then written in two formats
    return Picture(name, title, caption, figure)


def head(axes: Axes, left: str, right: str = "") -> None:
    """Words over the axes: bold ones on the left, small ones on the right."""
    axes.set_title(left, loc="left", fontsize=12, fontweight="bold")
    axes.set_title(right, loc="right", fontsize=11)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
