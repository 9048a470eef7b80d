"""The generated RTL that the rtl stage left, and the vectors as its ports take them."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from flows.artefacts.encoder import trained_encoder
from flows.artefacts.skipped import reason_of_skip
from flows.layout import DesignLayout
from flows.provenance import file_hash
from hw.foundation.errors import InputError
from hw.foundation.fixed_point import Codes
from hw.generated.network_logic import NoLogic, Wiring
from hw.generated.verilog import GeneratedRtl, RtlPort, read_rtl
from hw.open_tools.verilog_design import VerilogDesign
from models.data.geometry import TRIGGER_CELLS, Arrangement
from models.data.normalisation import LARGEST, Normalisation
from testbench.simulators.rtlsim import DataPort, RtlDesign
from testbench.vectors import Images, VectorGroup


def module_wiring(arrangement: Arrangement, normalisation: Normalisation) -> Wiring:
    """The cells of a normalised module, in CALQ order, where the network's image shows them."""
    shown = np.where(arrangement.shown, arrangement.cell, -1)
    return Wiring(TRIGGER_CELLS, shown, LARGEST[normalisation])


def generated_design(of_design: DesignLayout) -> GeneratedRtl:
    """The generated RTL's record, which must have been made from this encoder.

    Raises:
        NoLogic: the rtl stage was skipped.
        InputError: there is no encoder or no RTL, or it is another encoder's or incomplete.
    """
    layout, encoder_file = of_design.target, trained_encoder(of_design.model)
    if reason := reason_of_skip(layout.metrics("rtl")):
        raise NoLogic(reason)
    design = read_rtl(layout.rtl)
    if design.encoder_hash != file_hash(encoder_file):
        raise InputError(
            f"{layout.rtl} was not made from {encoder_file}; run the rtl stage anew: "
            f"make rtl MODEL={layout.folder.parent.name} TARGET={layout.folder.name}"
        )
    if lacking := [name for name in design.sources if not (layout.rtl / name).is_file()]:
        raise InputError(
            f"{layout.rtl} lacks {', '.join(lacking)}; run the rtl stage anew: "
            f"make clean-rtl rtl MODEL={layout.folder.parent.name} TARGET={layout.folder.name}"
        )
    return design


def simulated_design(design: GeneratedRtl, folder: Path) -> RtlDesign:
    """A generated design in `folder` as the simulation takes it."""
    return RtlDesign(
        VerilogDesign(tuple(folder / source for source in design.sources), design.top),
        _data_port(design.input),
        _data_port(design.output),
    )


def shown_groups(groups: Sequence[VectorGroup], design: GeneratedRtl) -> list[VectorGroup]:
    """The vectors as the design's input port can show them.

    What the port has no elements for becomes 0, what is beyond its range is limited; where the
    expected outputs are known and a vector would change, it is left out.
    """
    shown = []
    for group in groups:
        images = design.images_of(design.inputs(group.images)).reshape(group.images.shape)
        if group.latents is None:
            shown.append(replace(group, images=images))
            continue
        same = (images == group.images).reshape(len(images), -1).all(axis=1)
        if not same.all():
            print(
                f"{np.count_nonzero(~same)} {group.kind} vectors are no modules and left out",
                file=sys.stderr,
            )
        origins = [origin for origin, kept in zip(group.origins, same, strict=True) if kept]
        shown.append(VectorGroup(group.kind, images[same], origins, group.latents[same]))
    return [group for group in shown if len(group.images)]


def port_codes(images: Images, design: GeneratedRtl) -> Codes:
    """Codes of the design's input port for images that it can show."""
    return design.codes(images)


def _data_port(port: RtlPort) -> DataPort:
    number = port.fixed
    return DataPort(port.name, number.width, port.count, number.signed)
