"""Settings of stand-in models, as a training or an import writes them."""

from typing import Any

from flows.artefacts.settings import DataSettings, ModelSettings
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
