"""Event displays: modules before and after compression, and the latents between."""

from matplotlib.figure import Figure

from reports.pictures.evaluation import Evaluation
from reports.pictures.module_display import draw_latents, draw_module
from reports.pictures.picture import MissingValuesError, Picture, PictureGroup, draw_picture

_KINDS = {
    "sample": ("displays", "Event displays", "Typical modules of rising occupancy"),
    "worst": ("displays_worst", "Event displays, worst", "The modules of the largest distance"),
}
"""Name and title of the picture and first words of its caption, by what it shows."""


def display_picture(evaluation: Evaluation, kind: str, model: str) -> Picture:
    """Input, latents and output of a few modules, a row each: of kind `sample` or `worst`."""
    shown = evaluation[kind]
    if not len(shown):
        raise MissingValuesError("no validation module has charge before and after compression")
    inputs, outputs, latents = (evaluation[f"{kind}_{k}"] for k in ("input", "output", "latent"))
    occupied, distances = evaluation["occupancy"][shown], evaluation["emd"][shown]

    def draw(figure: Figure) -> None:
        figure.set_size_inches(10.0, 2.6 * len(shown) + 0.5)
        latent_top = float(latents.max())
        grid = figure.subplots(len(shown), 3, squeeze=False)
        for row, (left, middle, right) in enumerate(grid):
            top = float(max(inputs[row].max(), outputs[row].max()))
            draw_module(left, inputs[row], top)
            draw_latents(middle, latents[row], latent_top)
            tiles = draw_module(right, outputs[row], top)
            bar = figure.colorbar(tiles, ax=[left, right], shrink=0.9, aspect=14, pad=0.02)
            bar.set_label("Charge [CALQ]", fontsize=11, loc="center")
            bar.ax.tick_params(labelsize=10)
            words = f"occupancy {occupied[row]}\nEMD {distances[row]:.2f}"
            left.text(-0.32, 0.98, words, transform=left.transAxes, va="top", fontsize=11)
        for axes, title in zip(grid[0], ("Input", "Latent space", "Output"), strict=True):
            axes.set_title(title, fontsize=13, fontweight="bold", loc="center")
        grid[-1][1].set_xlabel("Output of the encoder", fontsize=11, loc="center")

    name, title, words = _KINDS[kind]
    caption = (
        f"{words} ({model}): charges before compression, the encoder's "
        "outputs, and charges after decompression (scaled to the module's summed charge, which is "
        "transmitted). Empty cells are grey; each row has its own colour scale."
    )
    return draw_picture(name, title, caption, PictureGroup.DISPLAYS, draw)
