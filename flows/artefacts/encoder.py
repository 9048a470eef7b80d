"""The trained encoder that every later stage starts from."""

from pathlib import Path

from flows.layout import ModelLayout
from hw.foundation.errors import InputError


def trained_encoder(of_model: ModelLayout) -> Path:
    """The file of the model's encoder.

    Raises:
        InputError: the model has not been trained.
    """
    encoder_file = of_model.network("encoder")
    if not encoder_file.is_file():
        raise InputError(f"{encoder_file}: no such file; {train_first(of_model)}")
    return encoder_file


def train_first(of_model: ModelLayout) -> str:
    """The remedy of what lacks a trained model."""
    return f"train the model first: make train MODEL={of_model.folder.name}"
