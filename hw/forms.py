"""The forms of a design: what the steps after the C++ take, each with the place of its results."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """One form in which the encoder becomes hardware.

    Attributes:
        name: the `variant` of its metric records.
        meaning: what it is, in words for the reader of a report.
        suffix: what the names of its stages end with, after the stage's own name.
        shared_folder: the folder below the build folder that takes a model's place for results
            that serve all models; None where every result belongs to one model.
    """

    name: str
    meaning: str
    suffix: str = ""
    shared_folder: str | None = None


GENERATED = Form("generated", "RTL made from the HLS model, weights as constants")
RECONFIGURABLE = Form(
    "reconfigurable",
    "the chip's own encoder, weights in registers",
    suffix="-reconfigurable",
    shared_folder=".reconfigurable",
)
FORMS = (GENERATED, RECONFIGURABLE)
