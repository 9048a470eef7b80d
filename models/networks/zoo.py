"""The model zoo: one YAML file in `models/zoo/` describes one autoencoder; its stem is its name."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from hw.foundation.errors import InputError
from hw.foundation.strict_config import StrictRecord, did_you_mean, read_mapping, validate_record
from models.data.geometry import ARRANGEMENTS, Arrangement
from models.networks.cheaper_weights import LogicCost, Pruning
from models.networks.econ_t_formats import (
    FILTERS,
    KERNEL,
    LATENT_BITS_OF_ELINKS,
    LATENTS,
    STRIDE,
    TRAINED_WEIGHT,
    latent_format,
)
from models.networks.quantisation import Quantisation

_FOLDER = Path(__file__).parents[1] / "zoo"
_SUFFIX = ".yaml"
_OWN_SUFFIXES = (_SUFFIX, ".yml")
MODEL_NAME = r"^[A-Za-z0-9][\w.+-]*$"
"""What can name a model, of the zoo or not: a pattern."""
_POOL = 2
# far more than any encoder has, and far less than any machine holds
_Extent = Annotated[int, Field(gt=0, le=4096)]
_Kernel = Annotated[int, Field(gt=0, le=64)]
_Count = Annotated[int, Field(gt=0, le=10_000_000)]
_MOST_LAYERS = 64
_YAML_LIST = Field(strict=False)  # YAML and JSON know lists only; the record holds a tuple


class EconT(StrictRecord):
    """The encoder computes as the ECON-T does: Q0.5 weights, and every product floored.

    Attributes:
        elinks: output links that the latents share, which leave each of them its highest 1, 3, 5,
            7 or 9 bits.
    """

    elinks: Annotated[int, Field(ge=1, le=max(LATENT_BITS_OF_ELINKS))] = max(LATENT_BITS_OF_ELINKS)

    @property
    def latent_bits(self) -> int:
        return LATENT_BITS_OF_ELINKS[self.elinks]


class Convolution(StrictRecord):
    """One convolution of the encoder, with ReLU and perhaps 2 x 2 maximum pooling after it.

    Attributes:
        filters: number of output channels.
        kernel: side of the square kernel, in pixels.
        stride: step of the kernel, in pixels, both ways.
        padding: `same` pads with zeros so that stride 1 keeps the image's size; `valid` does not.
        pool: whether 2 x 2 maximum pooling follows.
    """

    filters: _Extent
    kernel: _Kernel
    stride: _Kernel = 1
    padding: Literal["same", "valid"] = "same"
    pool: bool = False

    def convolved_side(self, side: int) -> int:
        """Side of the feature map before pooling, for an image of `side`; below 1: does not fit."""
        if self.padding == "same":
            return -(-side // self.stride)
        return (side - self.kernel) // self.stride + 1

    def output_side(self, side: int) -> int:
        """Side of the feature map after pooling."""
        convolved = self.convolved_side(side)
        return -(-convolved // _POOL) if self.pool else convolved


class Copies(StrictRecord):
    """Augmentation: copies, with their cells shuffled, of modules within an occupancy range.

    Attributes:
        count: copies made of each such module.
        occupancy_above: a module is copied if more trigger cells than this are non-zero ...
        occupancy_up_to: ... and at most this many.
    """

    count: _Extent
    occupancy_above: Annotated[int, Field(ge=0, le=48)]
    occupancy_up_to: Annotated[int, Field(ge=0, le=48)]


class DenseDecoder(StrictRecord):
    """A decoder of dense layers that gives each trigger cell's share of the module's charge.

    It runs off the detector, so its size costs no hardware there.  The shares, by a softmax, add up
    to 1; the receiver scales them to the summed charge that the chip sends beside the latents.

    Attributes:
        widths: of the hidden layers, in order.
        activation: of the hidden layers, a Keras activation by name.
    """

    widths: Annotated[tuple[_Extent, ...], _YAML_LIST, Field(max_length=_MOST_LAYERS)]
    activation: Literal["relu", "elu", "gelu", "swish", "tanh"] = "relu"


class ModelSpec(StrictRecord):
    """One autoencoder: encoder, decoder, and how it is trained.

    Attributes:
        name: stem of its YAML file.
        label: short text for plots and tables.
        arrangement: how the trigger cells form an image (models.data.geometry.ARRANGEMENTS).
        channels_first: may be given to say so; must agree with the arrangement.
        convolutions: the encoder's convolutions in order; may be empty.
        dense: widths of the dense layers between the convolutions and the latent layer.
        latent: number of encoder outputs.
        decoder: a decoder of its own kind; null for the mirror of the encoder.
        loss: a name that models.training.losses.get_loss knows.
        optimizer: a Keras optimizer by name.
        learning_rate: of the optimizer; its own default where null.
        schedule: of the learning rate over the epochs: `constant`, or `cosine`, falling to 0.
        epochs, batch, patience: of the training (models.training.training.TrainingSettings), where
            the command line says nothing else; null for the command line's own defaults.
        fresh_modules: each epoch trains on newly generated modules, where the data are generated.
        occupancy_weights: modules are weighted so that each occupancy counts the same.
        pruning: weights that training sets to 0; null for none.
        logic_cost: what adders of the wired weights cost in the loss; null for nothing.
        bit_flip_rate: chance of each stored weight bit of the encoder to be wrong in a step of the
            training, so that it learns to bear upsets; null for none.
        conv_mask: whether only those pixels of the last feature map feed the dense layers that
            hold a trigger cell; the convolutions must then keep the image's size.
        copies: data augmentation, or null.
        quantisation: number formats of the encoder, or null for a floating-point one.
        econ_t: the ECON-T's own arithmetic in place of `quantisation`, or null.
        compare_with: a model of the zoo, quantised and of the same topology; where it has been
            trained too, the evaluation tells what it loses when the chip runs it.  Or null.
    """

    name: Annotated[str, Field(pattern=MODEL_NAME)]
    label: str
    arrangement: str
    channels_first: bool | None = None
    convolutions: Annotated[
        tuple[Convolution, ...], _YAML_LIST, Field(max_length=_MOST_LAYERS)
    ] = ()
    dense: Annotated[tuple[_Extent, ...], _YAML_LIST, Field(max_length=_MOST_LAYERS)] = ()
    latent: _Extent = 16
    decoder: DenseDecoder | None = None
    loss: str = "telescopeMSE"
    optimizer: str = "adam"
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    schedule: Literal["constant", "cosine"] = "constant"
    epochs: _Count | None = None
    batch: _Count | None = None
    patience: _Count | None = None
    fresh_modules: bool = False
    occupancy_weights: bool = False
    pruning: Pruning | None = None
    logic_cost: LogicCost | None = None
    bit_flip_rate: Annotated[float, Field(ge=0, le=0.5)] | None = None
    conv_mask: bool = False
    copies: Copies | None = None
    quantisation: Quantisation | None = None
    econ_t: EconT | None = None
    compare_with: str | None = None

    @field_validator("arrangement")
    @classmethod
    def _is_an_arrangement(cls, name: str) -> str:
        if name not in ARRANGEMENTS:
            raise ValueError(f"unknown '{name}'; {did_you_mean(name, list(ARRANGEMENTS))}")
        return name

    @model_validator(mode="after")
    def _is_buildable(self) -> "ModelSpec":
        if self.channels_first not in (None, self.image.channels_first):
            raise ValueError(
                f"channels_first: arrangement '{self.arrangement}' has its channels "
                f"{'first' if self.image.channels_first else 'last'}"
            )
        side = self.image_side
        for index, convolution in enumerate(self.convolutions):
            if convolution.convolved_side(side) < 1:
                raise ValueError(
                    f"convolutions.{index}: a kernel of {convolution.kernel} pixels does not fit "
                    f"the {side} x {side} map before it; use padding: same or a smaller kernel"
                )
            side = convolution.output_side(side)
        if self.conv_mask and (not self.convolutions or side != self.image_side):
            raise ValueError(
                "conv_mask: needs convolutions that keep the image's size (stride 1, padding same, "
                "no pooling), since it selects pixels of the image"
            )
        if self.bit_flip_rate and not (self.econ_t or self.quantisation):
            raise ValueError("bit_flip_rate: a floating-point encoder has no stored bits to flip")
        if self.logic_cost and not (self.econ_t or self.quantisation):
            raise ValueError(
                "logic_cost: is counted in digits of integer weights, which a floating-point "
                "encoder lacks; give 'quantisation'"
            )
        if self.quantisation:
            self._require_layers(self.quantisation)
        if self.econ_t:
            self._require_chip_topology()
        elif self.compare_with:
            raise ValueError("compare_with: is for a model in the ECON-T's arithmetic (econ_t)")
        return self

    def _require_layers(self, formats: Quantisation) -> None:
        *hidden, last = self.weighted_layers
        for name, own in formats.layers.items():
            if name not in (*hidden, last):
                raise ValueError(
                    f"quantisation.layers.{name}: the encoder has no such layer; "
                    f"{did_you_mean(name, [*hidden, last])}"
                )
            if name == last and own.accumulator:
                raise ValueError(
                    f"quantisation.layers.{name}.accumulator: this layer gives the latents; set "
                    "quantisation.latent"
                )

    def _require_chip_topology(self) -> None:
        if self.quantisation:
            raise ValueError("econ_t: fixes all number formats; remove 'quantisation'")
        chip = Convolution(filters=FILTERS, kernel=KERNEL, stride=STRIDE)
        for key, expected in (
            ("arrangement", "8x8"),
            ("convolutions", (chip,)),
            ("dense", ()),
            ("latent", LATENTS),
            ("conv_mask", False),
        ):
            if getattr(self, key) != expected:
                raise ValueError(
                    f"{key}: the ECON-T's encoder is one convolution of {FILTERS} filters, kernel "
                    f"{KERNEL}, stride {STRIDE} on the 8x8 image, then {LATENTS} latents; change "
                    f"{key} or remove 'econ_t'"
                )

    @property
    def weighted_layers(self) -> tuple[str, ...]:
        """Names of the encoder's layers with weights: convolutions, dense layers, the latents'."""
        return (
            *(f"conv2d_{index}_m" for index in range(len(self.convolutions))),
            *(f"en_dense_{index}" for index in range(len(self.dense))),
            "encoded_vector",
        )

    @property
    def image(self) -> Arrangement:
        """The arrangement itself."""
        return ARRANGEMENTS[self.arrangement]

    @property
    def image_side(self) -> int:
        """Side of the square input image, in pixels."""
        return self.image.shape[1]  # rows or columns, whichever order

    @property
    def image_channels(self) -> int:
        return self.image.shape[0 if self.image.channels_first else 2]


def model_names() -> list[str]:
    """Names of the zoo's models, sorted."""
    return sorted(path.stem for path in _FOLDER.glob(f"*{_SUFFIX}"))


def load_model_spec(name: str) -> ModelSpec:
    """The zoo's model `name`, or the model described by the YAML file at the path `name`.

    Raises:
        InputError: no such model (with a suggestion) or file, or a fault in the file, told with
            its line and key.
    """
    if name.endswith(_OWN_SUFFIXES):
        return _read_spec(Path(name))
    if name not in model_names():
        raise InputError(
            f"unknown model '{name}'; {did_you_mean(name, model_names())} "
            f"(a path that ends in {_SUFFIX} names a model of your own)"
        )
    return _read_spec(_FOLDER / f"{name}{_SUFFIX}")


def compared_spec(spec: ModelSpec) -> ModelSpec | None:
    """The record of the model that `spec` is compared with, or None.

    Raises:
        InputError: no such model, or one whose weights the ECON-T cannot take over.
    """
    if spec.compare_with is None:
        return None
    found = load_model_spec(spec.compare_with)
    same = ("arrangement", "convolutions", "dense", "latent", "conv_mask")
    different = [key for key in same if getattr(found, key) != getattr(spec, key)]
    formats = found.quantisation
    if formats is None or found.econ_t:
        different = ["quantisation"]
    elif any(
        number(layer).fixed != TRAINED_WEIGHT
        for number in (formats.weight_of, formats.bias_of)
        for layer in found.weighted_layers
    ):
        different.append("quantisation.weight")
    elif spec.econ_t and formats.latent.fixed.with_modes("TRN", "SAT") != latent_format(
        spec.econ_t.latent_bits
    ):
        different.append("quantisation.latent")
    if different:
        raise InputError(
            f"model '{spec.name}': compare_with '{found.name}' differs in {', '.join(different)}; "
            "give a model of the same topology, quantised to 6-bit weights with 0 integer bits"
        )
    return found


def _read_spec(file: Path) -> ModelSpec:
    data, lines = read_mapping(file)
    if "name" in data:
        raise InputError(
            f"{file}:{lines[('name',)]}: key 'name': a model is named by its file ('{file.stem}'); "
            "remove the key"
        )
    if not re.fullmatch(MODEL_NAME, file.stem):
        raise InputError(
            f"{file}: '{file.stem}' cannot name a model; name the file with letters, digits and "
            ". _ + -"
        )
    return validate_record(ModelSpec, {"name": file.stem, **data}, file, lines)
