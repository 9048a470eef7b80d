"""What decided a model's weights, as its training or import left it in settings.json."""

import json
from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from flows.artefacts.charge_scale import ChargeScale
from flows.layout import ModelLayout, model_layout
from flows.tasks import Task
from hw.foundation.record_types import FormatText
from hw.foundation.strict_config import StrictRecord, did_you_mean, load_json_record
from models.data.geometry import ARRANGEMENTS, Arrangement
from models.data.normalisation import Normalisation
from models.networks.econ_t_formats import DEFAULT_ELINKS
from models.networks.zoo import DenseDecoder, ModelSpec


class DataSettings(StrictRecord):
    """Which modules were read.

    Attributes:
        name: of the data set's folder.
        hash: of the modules' content.
        modules: how many were used.
        rows_per_file: most rows that were read of each CSV file; 0 for all.
        mask_partials: modules that are partial were left out.
        mask_energies: modules with little simulated energy were left out.
        double: modules were added up two by two.
    """

    name: str
    hash: str
    modules: int = 0
    rows_per_file: int = 0
    mask_partials: bool = False
    mask_energies: bool = False
    double: bool = False


class ValidationSettings(StrictRecord):
    """Which modules are for validation, and how decoded ones are read.

    Attributes:
        whole_sample: all modules that were read; else the part that training held back.
        rescale_output_to_sum: decoded charges get the summed charge of their module.
        max_value: upper limit of decoded charges in CALQ counts; None for no limit.
    """

    data: DataSettings | None = None
    whole_sample: bool = False
    rescale_output_to_sum: bool = False
    max_value: float | None = None


class NewDecoderSettings(StrictRecord):
    """How a decoder was trained for an encoder that was there before.

    Attributes:
        encoder_of: the model whose encoder it is.
        encoder_hash: of that encoder's file.
        decoder: its record in the zoo.
        loss: by name.
        fresh_modules: each epoch had newly generated modules.
    """

    encoder_of: str
    encoder_hash: str
    decoder: DenseDecoder
    loss: str
    fresh_modules: bool = False
    epochs: int
    batch: int
    seed: int


class ModelSettings(StrictRecord):
    """All that decides a model's weights and how they are used.

    Attributes:
        model: its record in the zoo, with what options changed; None for an imported model.
        imported: what an imported model was made from, for the record.
        new_decoder: how its decoder was trained, where that was after its encoder.
        task: what it is for.
        arrangement: name of the arrangement of its input image; empty where its inputs are no
            modules.
        elinks: active eLinks of the data's modules.
        validation_fraction: share of the modules that training held back.
        quick: trained on few modules, to try things out.
        occupancy_weights: each occupancy counted the same.
        fresh_modules: each epoch had newly generated modules.
        loss_hash: of the file that the loss reads, where it reads one.
        formats: number formats of the encoder: `input`, `output`, and each weight array by name.
    """

    model: ModelSpec | None = None
    imported: dict[str, str] | None = None
    new_decoder: NewDecoderSettings | None = None
    task: Task = Task.MODULES
    arrangement: str = ""
    normalisation: Normalisation = Normalisation.MSB
    data: DataSettings | None = None
    elinks: int | None = None
    validation_fraction: float | None = None
    quick: bool = False
    occupancy_weights: bool = False
    fresh_modules: bool = False
    loss_hash: str | None = None
    seed: int | None = None
    epochs: int | None = None
    batch: int | None = None
    patience: int | None = None
    validation: ValidationSettings = ValidationSettings()
    formats: dict[str, FormatText] = Field(default_factory=dict)

    @field_validator("arrangement", "normalisation", mode="before")
    @classmethod
    def _is_known(cls, value: Any, info: ValidationInfo) -> Any:
        if value == "" and info.field_name == "arrangement":
            return value
        known = list(ARRANGEMENTS if info.field_name == "arrangement" else Normalisation)
        if value not in known:
            raise ValueError(
                f"{info.field_name} '{value}' is unknown; {did_you_mean(str(value), known)}"
            )
        return value

    @model_validator(mode="after")
    def _modules_have_an_arrangement(self) -> "ModelSettings":
        if self.task.about_modules and not self.arrangement:
            raise ValueError("arrangement is missing")
        return self

    @property
    def input_arrangement(self) -> Arrangement:
        """The arrangement of a model whose task is modules."""
        return ARRANGEMENTS[self.arrangement]

    @property
    def charge_scale(self) -> ChargeScale:
        """What the summed charge of a decoded module is."""
        if self.validation.rescale_output_to_sum:
            return ChargeScale.SUM
        gives_shares = self.new_decoder or (self.model and self.model.decoder)
        return ChargeScale.SENT_SUM if gives_shares else ChargeScale.NETWORK

    @property
    def links(self) -> int:
        """The eLinks that the latents fill, and so those of the algorithms it is compared with."""
        chip = self.model.econ_t if self.model else None
        return chip.elinks if chip else self.elinks or DEFAULT_ELINKS

    @property
    def of_chip(self) -> bool:
        """Whether the encoder computes as the ECON-T does."""
        return self.model is not None and self.model.econ_t is not None

    def training(self) -> dict[str, Any]:
        """What decides the trained weights, as JSON values: without what came of the training."""
        return self.model_dump(mode="json", exclude={"imported", "validation", "formats"})

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"


def read_settings(layout: ModelLayout) -> ModelSettings | None:
    """Settings of the model in this folder; None where there is no finished model.

    Raises:
        InputError: the file is damaged, or has a key that is none.
    """
    if not layout.settings.is_file():
        return None
    remedy = f"delete {layout.train}, then train or import the model anew"
    return load_json_record(layout.settings, ModelSettings, remedy)


def compared_layout(layout: ModelLayout) -> ModelLayout | None:
    """Folder of the model that this one is compared with; None where it is with none.

    Raises:
        InputError: the model's settings are damaged.
    """
    settings = read_settings(layout)
    name = settings.model.compare_with if settings and settings.model else None
    return model_layout(layout.folder.parent, name) if name else None
