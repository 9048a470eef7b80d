"""The learned earth mover's distance against the exact one."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hw.foundation.arrays import read_arrays
from reports.pictures.picture import BLUE, ORANGE, Picture, PictureGroup, draw_picture, head

_SHOWN = 2000  # pairs of each kind: more would only fill the picture
_LABEL = "half trigger-cell pitch"


def learned_emd_picture(pairs: Path, name: str) -> Picture:
    """Predicted against exact distances, and their difference, of the held-out pairs.

    Args:
        pairs: .npz with `exact`, `predicted` (half pitches) and `reconstructed`.
        name: of the learned distance.
    """
    names = ("exact", "predicted", "reconstructed")
    stored = read_arrays(
        pairs,
        required=names,
        shapes=dict.fromkeys(names, ("n",)),
        remedy="run the emd-cnn stage anew",
    )
    exact, predicted, reconstructed = (stored[name] for name in names)
    kinds = [
        ("two modules", ~reconstructed, BLUE),
        ("a module and its reconstruction", reconstructed, ORANGE),
    ]

    def draw(figure: Figure) -> None:
        figure.set_size_inches(8.6, 4.2)
        both, error = figure.subplots(1, 2)
        largest = float(max(exact.max(), predicted.max()))
        both.plot([0, largest], [0, largest], color="black", linewidth=0.8)
        low, high = np.quantile(predicted - exact, (0.002, 0.998))
        edges = np.linspace(low, high, 61)
        for label, chosen, colour in kinds:
            if not chosen.any():
                continue
            x, y = exact[chosen], predicted[chosen]
            both.plot(
                x[:_SHOWN], y[:_SHOWN], ".", markersize=2, color=colour, alpha=0.5, rasterized=True
            )
            rms = float(np.sqrt(np.mean((y - x) ** 2)))
            error.hist(
                y - x, edges, histtype="step", linewidth=1.6, color=colour, density=True,
                label=f"{label}\n({len(x)} pairs, rms {rms:.3f})",
            )  # fmt: skip
        both.set_xlabel(f"Exact EMD [{_LABEL}]", fontsize=11.5)
        both.set_ylabel("Learned EMD", fontsize=11.5)
        error.set_xlabel("Learned - exact EMD", fontsize=11.5)
        error.set_ylabel("Pairs, normalised", fontsize=11.5)
        error.margins(y=0.35)
        error.legend(fontsize=9, loc="upper right")
        head(both, "Learned EMD", name)
        head(error, "Error", "held-out pairs")

    return draw_picture(
        "learned_emd",
        "Learned against exact EMD",
        "Left: the network's distance against the exact one, of held-out pairs; on the line they "
        "are equal. Right: their difference.",
        PictureGroup.TRAINING,
        draw,
    )
