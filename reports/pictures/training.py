"""The course of a training."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from hw.foundation.json_file import json_content
from reports.pictures.picture import (
    BLUE,
    GREY,
    ORANGE,
    Picture,
    PictureGroup,
    draw_picture,
    head,
)


def training_picture(history: Path, model: str) -> Picture:
    """Loss against epoch, from `history.json`.

    Raises:
        InputError: the file is damaged.
    """
    with json_content(history, "train the model anew") as losses:
        training, validation = (
            [float(loss) for loss in values]
            for values in (losses["loss"], losses.get("val_loss", []))
        )
        if not np.isfinite([*training, *validation]).all() or not training:
            raise ValueError("no losses, or some that are not finite")

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
    return draw_picture("training", "Training", caption, PictureGroup.TRAINING, draw)
