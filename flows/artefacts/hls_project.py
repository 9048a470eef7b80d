"""The HLS project that the hls stage left."""

from typing import Any

from flows.artefacts.encoder import trained_encoder
from flows.artefacts.skipped import reason_of_skip
from flows.layout import DesignLayout
from flows.provenance import file_hash
from hw.foundation.errors import InputError
from hw.foundation.integer_network import IntegerNetwork, NoFixedPoint
from hw.hls.conversion import HlsProject, read_project


def hls_project(design: DesignLayout) -> HlsProject:
    """The record of the HLS project, which must have been made from this encoder.

    Raises:
        NoFixedPoint: the hls stage was skipped.
        InputError: there is no encoder or no project, or it is another encoder's.
    """
    layout, encoder_file = design.target, trained_encoder(design.model)
    if reason := reason_of_skip(layout.metrics("hls")):
        raise NoFixedPoint(reason)
    project = read_project(layout.hls)
    if project.encoder_hash != file_hash(encoder_file):
        raise InputError(
            f"{layout.hls} was not made from {encoder_file}; run the hls stage anew: "
            f"make hls MODEL={layout.folder.parent.name} TARGET={layout.folder.name}"
        )
    return project


def network_in_integers(encoder: Any) -> IntegerNetwork:
    """The encoder in integers: what every form of it must equal.

    Raises:
        NoFixedPoint: it is in floating point.
        Refused: a layer, or a setting of one, without an exact form.
    """
    from models.networks.econ_t_encoder import has_chip_arithmetic, hls_formats
    from models.networks.integer_reader import read_network

    network = read_network(encoder)
    return network.with_formats(hls_formats(encoder)) if has_chip_arithmetic(encoder) else network
