"""Records of the zoo: the number formats of a quantised encoder, of all layers or of each one."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from hw.foundation.fixed_point import FixedFormat
from hw.foundation.strict_config import StrictRecord

_MAX_BITS = 24  # float32, in which Keras computes, holds 24-bit codes exactly
_OF_A_LAYER = ("weight", "bias", "accumulator")


class NumberFormat(StrictRecord):
    """A fixed-point format in the notation of QKeras.

    Attributes:
        total: all bits, the sign included.
        integer: bits before the binary point, the sign NOT included; so 5/1/signed has the step
            1/8 and the range [-2, 1.875].
        signed: two's complement if true.
    """

    total: Annotated[int, Field(ge=1, le=_MAX_BITS)]
    integer: Annotated[int, Field(ge=0)]
    signed: bool = True

    @model_validator(mode="after")
    def _bits_suffice(self) -> "NumberFormat":
        if self.integer + self.signed > self.total:
            raise ValueError(
                f"{self.integer} integer bits{' and a sign' if self.signed else ''} do not fit in "
                f"a total of {self.total} bits"
            )
        if self.signed and self.total == 1:
            raise ValueError("a signed format needs a total of at least 2 bits")
        return self

    @property
    def fixed(self) -> FixedFormat:
        """The same format in the notation of HLS tools; QKeras rounds half to even, saturates."""
        return FixedFormat(
            self.total, self.integer + self.signed, self.signed, rounding="RND_CONV", overflow="SAT"
        )


class LayerFormats(StrictRecord):
    """Number formats of one layer, where they differ from those of all layers.

    What a format here leaves out (`integer`, `signed`) is as in the one of all layers.

    Attributes:
        weight: of its kernel.
        bias: of its bias; where not given, as the one of all layers, or as its weight.
        accumulator: of the activation after it, a ReLU: unsigned.
    """

    weight: NumberFormat | None = None
    bias: NumberFormat | None = None
    accumulator: NumberFormat | None = None


class Quantisation(StrictRecord):
    """Number formats of a quantised encoder (the decoder runs off the detector, in floating point).

    Attributes:
        input: of the network's input.
        weight: of all kernels.
        bias: of all biases; as `weight` where not given.
        accumulator: of the activation after each hidden layer, a ReLU: unsigned.
        latent: of the encoder's output, a ReLU: unsigned.
        layers: formats of single layers by their name (`ModelSpec.weighted_layers`).
    """

    input: NumberFormat
    weight: NumberFormat
    bias: NumberFormat | None = None
    accumulator: NumberFormat
    latent: NumberFormat
    layers: Annotated[dict[str, LayerFormats], Field(max_length=65)] = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _complete_formats_of_layers(cls, record: Any) -> Any:
        """What a layer's format leaves out is taken from the one of all layers."""
        layers = record.get("layers") if isinstance(record, dict) else None
        if not isinstance(layers, dict):
            return record
        common = {part: record.get(part) for part in _OF_A_LAYER}
        common["bias"] = common["bias"] or common["weight"]
        completed = {
            name: {part: _filled(value, common.get(part)) for part, value in formats.items()}
            if isinstance(formats, dict)
            else formats
            for name, formats in layers.items()
        }
        return {**record, "layers": completed}

    @model_validator(mode="after")
    def _relu_is_unsigned(self) -> "Quantisation":
        outputs = {key: getattr(self, key) for key in ("accumulator", "latent")}
        for name, formats in self.layers.items():
            outputs[f"layers.{name}.accumulator"] = formats.accumulator
        for key, number in outputs.items():
            if number and number.signed:
                raise ValueError(f"{key} is the output of a ReLU: give it 'signed: false'")
        return self

    def weight_of(self, layer: str) -> NumberFormat:
        """Format of a layer's kernel."""
        return self._own(layer).weight or self.weight

    def bias_of(self, layer: str) -> NumberFormat:
        """Format of a layer's bias."""
        return self._own(layer).bias or self.bias or self.weight_of(layer)

    def accumulator_of(self, layer: str) -> NumberFormat:
        """Format of the activation after a hidden layer."""
        return self._own(layer).accumulator or self.accumulator

    def _own(self, layer: str) -> LayerFormats:
        return self.layers.get(layer, LayerFormats())


def _filled(given: Any, common: Any) -> Any:
    if isinstance(common, NumberFormat):
        common = common.model_dump()
    if not isinstance(given, dict) or not isinstance(common, dict):
        return given
    return {**common, **given}
