"""Stand-in models of random weights, and their settings, as a training or an import writes them."""

from pathlib import Path
from typing import Any

import numpy.typing as npt

from flows.artefacts.settings import DataSettings, ModelSettings
from flows.artefacts.trained_model import (
    formats_of,
    staged,
    write_json,
    write_networks,
    write_validation,
)
from flows.layout import ModelLayout, model_layout
from models.data.normalisation import Normalisation
from models.networks.zoo import load_model_spec


def trained_settings(name: str = "8x8_c8_S2_qK", **changes: Any) -> ModelSettings:
    """Of a model of the zoo, trained on generated data."""
    spec = load_model_spec(name)
    settings = ModelSettings(
        model=spec,
        arrangement=spec.arrangement,
        normalisation=Normalisation.MSB,
        data=DataSettings(name="generated", hash="0", modules=1),
        seed=1,
        epochs=10,
    )
    return settings.model_copy(update=changes)


def lay_trained(build: Path, name: str, validation: npt.NDArray) -> ModelLayout:
    """The folder of a model of the zoo, untrained, with these validation modules (n, 48)."""
    from models.keras_backend import keras
    from models.networks.encoder import build_networks

    keras.utils.set_random_seed(1)
    networks = build_networks(load_model_spec(name))
    layout = model_layout(build, name)
    with staged(layout) as staging:
        parts = ("encoder", "decoder", "autoencoder")
        write_networks(staging, {part: getattr(networks, part) for part in parts})
        write_validation(staging, validation, None, None)
        settings = trained_settings(name, formats=formats_of(networks.encoder))
        write_json(staging.at(layout.settings), settings.model_dump(mode="json"))
    return layout
