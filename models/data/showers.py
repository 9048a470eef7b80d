"""Showers crossing layer 9: the minimum-ionising particles (MIPs) they send through each cell.

Longitudinal: the gamma-distributed profile of electromagnetic showers, started at a random depth,
with the scale of 35 GeV electrons.  Lateral: exponential core and halo about the impact point.
Sources: E. Longo and I. Sestili, NIM 128 (1975) 283, and the Review of Particle Physics (profile);
LLRCMS/HGCAL-FastShower python/shower_cfg.py and data/calibration.txt (layer energies, widths,
Moliere radius 2.8 cm with 90 % containment); its widths and the hadronic ones are rounded.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import signal, sparse, special

from models.data.geometry import HALF_PITCH_CM, TRIGGER_CELLS
from models.data.wafers import module_frame

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

DEPTH_X0 = 8.7  # material in front of layer 9, radiation lengths
CRITICAL_ENERGY_GEV = 0.0085
PROFILE_SLOPE = 0.5  # b of the gamma distribution, per radiation length
CONVERSION_X0 = 9 / 7  # mean depth at which a photon converts
MIPS_PER_GEV_AT_MAXIMUM = 13.5  # 41 MeV of a 35 GeV electron in its best layer, 85 keV a MIP
_PROFILE_AT_35_GEV = 0.0951  # share of a 35 GeV shower per radiation length in this layer


class Lateral(IntEnum):
    """Lateral shapes: rows of the table of `_lateral_table`."""

    SOFT = 0  # one electromagnetic particle of the pile-up
    ELECTROMAGNETIC = 1
    HADRONIC = 2


# (core cm, halo cm, part of the energy in the halo); scales of exponentials in the radius.
# All but the hadronic hold 90 % of the energy in one Moliere radius of 2.8 cm.  The soft core is
# narrower than a hard shower's at this depth: only so do neighbours correlate as weakly as they do
# in pile-up of the full simulation (0.1 at one pitch, ECON-T test vectors).
_SHAPES = {
    Lateral.SOFT: (0.25, 3.0, 0.25),
    Lateral.ELECTROMAGNETIC: (0.69, 2.4, 0.2),
    Lateral.HADRONIC: (1.3, 6.0, 0.45),
}
REACH = 11.0  # half width of the table of impact points, half pitches; a module reaches to 8
_STEP = 0.25
_SIDE = round(2 * REACH / _STEP) + 1
_VORONOI_RADIUS = 1.16  # of a trigger cell's hexagon, half pitches


def electromagnetic_mips(energy: Floats, rng: np.random.Generator) -> Floats:
    """Mean number of MIPs that photons of `energy` (GeV) send through layer 9, float32.

    The depth of the first conversion is random, the profile about it is the average one.
    """
    log_energy, shape, offset = _profile_parameters()
    place = np.log(np.maximum(energy, np.exp(log_energy[0])))
    exponent = (np.interp(place, log_energy, shape) - 1).astype(np.float32)
    constant = np.interp(place, log_energy, offset).astype(np.float32)
    conversion = CONVERSION_X0 * rng.standard_exponential(len(energy), dtype=np.float32)
    depth = PROFILE_SLOPE * np.maximum(DEPTH_X0 - conversion, 1e-3)
    share = np.exp(exponent * np.log(depth) - depth + constant)
    return (energy * share).astype(np.float32)


@cache
def _profile_parameters() -> tuple[Floats, Floats, Floats]:
    """Shape and constant (log) of the profile on a grid of log energy."""
    log_energy = np.linspace(np.log(0.02), np.log(5000), 400)
    maximum = np.maximum(log_energy - np.log(CRITICAL_ENERGY_GEV) + 0.5, 1.0)
    shape = np.maximum(1 + PROFILE_SLOPE * (maximum - CONVERSION_X0), 1.2)
    scale = PROFILE_SLOPE * MIPS_PER_GEV_AT_MAXIMUM / _PROFILE_AT_35_GEV
    return log_energy, shape, np.log(scale) - special.gammaln(shape)


def hadronic_mips(energy: Floats, rng: np.random.Generator) -> Floats:
    """Number of MIPs of hadrons of `energy` (GeV): a track, and a shower that seldom starts early.

    Layer 9 lies a third of an interaction length deep, so the shower part fluctuates over orders.
    """
    return (1 + energy * rng.standard_gamma(0.5, len(energy))).astype(np.float32)


@dataclass(frozen=True)
class Showers:
    """Showers in layer 9; arrays of shape (showers,).

    Attributes:
        module: index of the module that each crosses, ascending.
        lateral: `Lateral` of each.
        x, y: impact points about the module's centre in half pitches, also outside the module;
            within REACH.
        mips: mean MIPs in the whole layer.
    """

    module: Ints
    lateral: Ints
    x: Floats
    y: Floats
    mips: Floats


def spread(showers: Showers, modules: int) -> npt.NDArray[np.float32]:
    """Mean MIPs in each trigger cell of `modules` modules, shape (modules, 48)."""
    column = (
        showers.lateral * (_SIDE * _SIDE)
        + np.rint((showers.x + REACH) / _STEP).astype(np.int64) * _SIDE
        + np.rint((showers.y + REACH) / _STEP).astype(np.int64)
    )
    table = _lateral_table()
    starts = np.concatenate([[0], np.cumsum(np.bincount(showers.module, minlength=modules))])
    sums = sparse.csr_matrix((showers.mips, column, starts), shape=(modules, len(table)))
    return sums @ table


@cache
def _lateral_table() -> npt.NDArray[np.float32]:
    """Share of a shower in each trigger cell, shape (shapes * points, 48), by impact point."""
    axis = np.linspace(-REACH, REACH, _SIDE)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    cells = module_frame()
    distance = np.hypot(x[..., None] - cells[:, 0], y[..., None] - cells[:, 1])
    owner = np.where(distance.min(axis=-1) <= _VORONOI_RADIUS, distance.argmin(axis=-1), -1)
    area = (owner == np.arange(TRIGGER_CELLS)[:, None, None]).astype(np.float32)
    shares = []
    for shape in Lateral:
        core, halo, in_halo = _SHAPES[shape]
        kernel = (1 - in_halo) * _exponential_kernel(core) + in_halo * _exponential_kernel(halo)
        share = signal.fftconvolve(area, kernel[None].astype(np.float32), mode="same", axes=(1, 2))
        shares.append(share.clip(0).reshape(TRIGGER_CELLS, -1).T)
    return np.ascontiguousarray(np.concatenate(shares), dtype=np.float32)


def _exponential_kernel(scale_cm: float) -> npt.NDArray[np.float64]:
    """Energy by offset from the axis, exponential in the radius, on the grid of impact points."""
    quantiles = (np.arange(400) + 0.5) / 400
    radius = -np.log1p(-quantiles) * scale_cm / HALF_PITCH_CM
    angle = 2 * np.pi * (np.arange(64) + 0.5) / 64
    edges = (np.arange(_SIDE + 1) - _SIDE / 2) * _STEP
    kernel, _, _ = np.histogram2d(
        np.outer(radius, np.cos(angle)).ravel(),
        np.outer(radius, np.sin(angle)).ravel(),
        bins=[edges, edges],
    )
    return kernel / (len(quantiles) * len(angle))
