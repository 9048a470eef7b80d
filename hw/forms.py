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
        design: which of the chip's own designs it is (`hw.rtl.designs`); empty for generated RTL.
        whole_path: it is the path from input links to output links, the encoder within it; so
            its figures are no other encoder's, and an FPGA is no place for it.
    """

    name: str
    meaning: str
    suffix: str = ""
    shared_folder: str | None = None
    design: str = ""
    whole_path: bool = False


GENERATED = Form("generated", "RTL made from the HLS model, weights as constants")
RECONFIGURABLE = Form(
    "reconfigurable",
    "the chip's own encoder, weights in registers",
    suffix="-reconfigurable",
    shared_folder=".reconfigurable",
    design="encoder",
)
CHIP = Form(
    "whole chip path",
    "the chip's own converter, encoder and formatter, weights in registers",
    suffix="-chip",
    shared_folder=".reconfigurable",
    design="autoencoder",
    whole_path=True,
)
CHIP_TRIPLED = Form(
    "whole chip path, registers tripled",
    "the same with three copies of every weight and setting, voted",
    suffix="-chip-tripled",
    shared_folder=".reconfigurable",
    design="autoencoder_tmr",
    whole_path=True,
)
FORMS = (GENERATED, RECONFIGURABLE, CHIP, CHIP_TRIPLED)
