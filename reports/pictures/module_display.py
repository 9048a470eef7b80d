"""Event displays: charges on the hexagonal module, trigger cell by trigger cell."""

from functools import cache

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from models.data.geometry import SECTOR_SIDE, TRIGGER_CELLS, cell_coordinates

_COLOURS = colormaps["YlOrRd"]
_EMPTY = "#f0f0f2"
_LATENT_COLOUR = "#5790fc"


@cache
def cell_outlines() -> npt.NDArray[np.float64]:
    """Corners of each trigger cell, shape (48, 4, 2), in half pitches.

    A trigger cell is a rhombus: the unit cell of its sector's lattice, around its centre.
    """
    centres = cell_coordinates().reshape(-1, SECTOR_SIDE, SECTOR_SIDE, 2)
    along_row = centres[:, :1, 1:2] - centres[:, :1, :1]
    along_column = centres[:, 1:2, :1] - centres[:, :1, :1]
    corners = (
        centres + sign_row * along_row / 2 + sign_column * along_column / 2
        for sign_row, sign_column in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    )
    return np.stack(list(corners), axis=-2).reshape(TRIGGER_CELLS, 4, 2)


def draw_module(axes: Axes, charges: npt.NDArray, top: float) -> PolyCollection:
    """Draw the charges of one module, shape (48,), on a colour scale from 0 to `top`.

    Returns:
        The tiles, for a colour bar.
    """
    shown = np.ma.masked_less_equal(charges, 0.0)
    tiles = PolyCollection(
        list(cell_outlines()), cmap=_COLOURS.with_extremes(bad=_EMPTY), edgecolors="#b8b8bc"
    )
    tiles.set_linewidth(0.6)
    tiles.set_array(shown)
    tiles.set_clim(0.0, max(top, 1e-9))
    axes.add_collection(tiles)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.minorticks_off()
    for spine in axes.spines.values():
        spine.set_visible(False)
    return tiles


def draw_latents(axes: Axes, latents: npt.NDArray, top: float) -> None:
    """Draw the encoder's outputs, shape (n,), as bars on a scale to `top`."""
    axes.bar(np.arange(len(latents)), latents, color=_LATENT_COLOUR, width=0.85)
    axes.set_xlim(-0.7, len(latents) - 0.3)
    axes.set_ylim(min(0.0, float(latents.min())), 1.08 * max(top, 1e-9))
    axes.set_box_aspect(0.8)
    axes.tick_params(labelsize=10)
    axes.tick_params(axis="x", which="minor", bottom=False, top=False)
