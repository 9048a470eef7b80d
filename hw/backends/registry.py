"""The HLS backends, by the name that a target gives."""

from collections.abc import Mapping

from hw.backends.amd_hls import VITIS, VIVADO
from hw.backends.catapult import CATAPULT
from hw.backends.hls_backend import HlsBackend

BACKENDS: Mapping[str, HlsBackend] = {
    backend.name: backend for backend in (VITIS, VIVADO, CATAPULT)
}
