"""Seeded generator of module data: a physical model of layer 9, calibrated to the real ttbar data.

A module stands at one of the layer's places, which fixes pseudorapidity, sensor and calibration.
Pile-up of one bunch crossing reaches it at a density that falls with the radius: photons, each an
electromagnetic shower with its own energy, impact point and depth, and charged particles.  Density
fluctuates from module to module (one factor a module, log-normal by ring).  A few modules are also
crossed by a shower of the hard collision, electromagnetic or hadronic, with an impact point
anywhere about the module.  The read-out adds charge fluctuations, thresholds, noise, compression
and calibration.  The constants in `generator_prior.yaml` come from
`models.data.generator_calibration`.

Neighbours correlate through shared showers and through the module's density.  Comparable with the
correlations measured on one module over many bunch crossings (0.10 at one trigger-cell pitch
falling to 0.03 far away) is a sample of one place, `generate_modules` restricted to one
(waferu, waferv): over all places the difference between dense and sparse modules dominates.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv
from pydantic import Field

from hw.foundation.atomic_file import atomic_path
from hw.foundation.errors import InputError
from hw.foundation.strict_config import StrictRecord, load_record
from models.data import showers
from models.data.dataset import ModuleData
from models.data.geometry import HALF_PITCH_CM, TRIGGER_CELLS
from models.data.readout import Readout, read_out
from models.data.showers import Lateral
from models.data.wafers import LAYER, SUBDETECTOR, wafer_map

PRIOR_FILE = Path(__file__).with_name("generator_prior.yaml")
COLUMNS = (
    *("SimEnergyTotal", "EventSimEnergy", "SimEnergyFraction"),
    *("subdet", "layer", "waferu", "waferv"),
)
BLOCK = 4096  # modules simulated at once, each block with its own random stream

_REFERENCE_CM = 44.0  # radius at which the particle densities are quoted
_CELL_AREA_CM2 = 2 * 3**0.5 * HALF_PITCH_CM**2
_SOURCE_SIDE = 9.5  # half side of the square from which pile-up photons come, half pitches
_HARD_SIDE = 9.0  # half side of the square of hard impact points: a pitch beyond the module
_LEAST_MIPS = 0.02  # fainter showers leave nothing that a threshold would pass
_HARD_FLUCTUATION = 0.2
_INTERACTIONS = 200  # pile-up; the hard collision makes the same soft particles as each of these
_GEV_PER_MIP = 0.0089
_EVENT_SIM_ENERGY_GEV = (7.0, 0.6)  # log-normal, of one event: mean and width of the log

_YAML_LIST = Field(strict=False)  # YAML knows lists only; the record holds a tuple


class PileUp(StrictRecord):
    """Particles of one bunch crossing.

    Attributes:
        photons, charged: particles per unit of eta and phi at radius 44 cm.
        photon_fall, charged_fall: power by which their density per eta and phi falls with radius.
        photon_pt_scale, photon_pt_power: of the transverse momentum in GeV, whose density is
            (1 + pt / scale) ** -power.
        shower_fluctuation: relative width of the MIPs of a photon in this layer.
    """

    photons: float
    photon_fall: float
    charged: float
    charged_fall: float
    photon_pt_scale: float
    photon_pt_power: float
    shower_fluctuation: float


class Ring(StrictRecord):
    """Modules whose centre lies within `radius` (cm): log of their density factor."""

    radius: float
    mean: float
    width: float


class HardShower(StrictRecord):
    """A class of hard showers, log-uniform in transverse momentum (GeV); at most one a module."""

    kind: Literal["electromagnetic", "hadronic"]
    pt_low: float
    pt_high: float
    probability: float


class Prior(StrictRecord):
    """Constants of the simulation, and what is drawn before a module is simulated."""

    pile_up: PileUp
    readout: Readout
    rings: Annotated[tuple[Ring, ...], _YAML_LIST]
    hard_showers: Annotated[tuple[HardShower, ...], _YAML_LIST]

    def ring_of(self, radius: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Index of the ring of each radius (cm)."""
        return np.searchsorted([ring.radius for ring in self.rings[:-1]], radius)


@dataclass(frozen=True)
class Latents:
    """What is random about modules beside their showers; arrays of shape (n,).

    Attributes:
        wafer: row of `wafer_map()`.
        density: factor on the mean pile-up density.
        hard: index into `Prior.hard_showers`, -1 for none.
        hard_pt: transverse momentum of the hard shower, GeV.
    """

    wafer: npt.NDArray[np.int64]
    density: npt.NDArray[np.float64]
    hard: npt.NDArray[np.int64]
    hard_pt: npt.NDArray[np.float64]

    def select(self, index: npt.NDArray) -> "Latents":
        """The same for some of the modules (mask or indices)."""
        return Latents(
            self.wafer[index], self.density[index], self.hard[index], self.hard_pt[index]
        )


@cache
def load_prior(path: Path = PRIOR_FILE) -> Prior:
    """The calibrated prior of this project, or another one.

    Raises:
        InputError: no such file, or not a prior.
    """
    return load_record(path, Prior)


def draw_latents(count: int, prior: Prior, rng: np.random.Generator) -> Latents:
    """Latents of `count` modules: every place of the layer is equally likely."""
    wafers = wafer_map()
    wafer = rng.integers(0, len(wafers.u), count)
    ring = prior.ring_of(wafers.radius)[wafer]
    mean = np.array([entry.mean for entry in prior.rings])[ring]
    width = np.array([entry.width for entry in prior.rings])[ring]
    density = np.exp(mean + width * rng.standard_normal(count))
    probability = np.array([shower.probability for shower in prior.hard_showers])
    hard = np.searchsorted(np.cumsum(probability), rng.random(count), side="right")
    hard = np.where(hard < len(probability), hard, -1)
    low, high = np.array([(shower.pt_low, shower.pt_high) for shower in prior.hard_showers]).T
    pt = low[hard] * (high[hard] / low[hard]) ** rng.random(count)
    return Latents(wafer, density, hard, pt)


def simulate(
    latents: Latents, prior: Prior, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Modules with the given latents.

    Returns:
        CALQ, shape (n, 48); mean MIPs of the pile-up and of the hard showers in the module, (n,).
    """
    soft = _photon_mips(latents, prior.pile_up, rng) + _charged_mips(latents, prior.pile_up)
    hard = _hard_mips(latents, prior, rng)
    calq = read_out(soft + hard, latents.wafer, wafer_map(), prior.readout, rng)
    return calq, soft.sum(axis=1), hard.sum(axis=1)


def _charged_mips(latents: Latents, pile_up: PileUp) -> npt.NDArray[np.float32]:
    """Mean number of charged particles through each cell."""
    radius = wafer_map().cell_radius
    per_cell = pile_up.charged * _CELL_AREA_CM2 / radius**2
    per_cell = per_cell * (radius / _REFERENCE_CM) ** -pile_up.charged_fall
    return (per_cell[latents.wafer] * latents.density[:, None]).astype(np.float32)


def _photon_mips(
    latents: Latents, pile_up: PileUp, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Mean MIPs of the pile-up photons in each cell.

    Over a square about the module, turned so that one axis points away from the beam, the density
    falls exponentially: the tangent of the power law at the module's centre.
    """
    wafers, modules, side = wafer_map(), len(latents.wafer), _SOURCE_SIDE
    radius = wafers.radius
    slope = (2 + pile_up.photon_fall) * HALF_PITCH_CM / radius
    area = (2 * side * HALF_PITCH_CM) ** 2 * np.sinh(slope * side) / (slope * side)
    mean = pile_up.photons * area / radius**2 * (radius / _REFERENCE_CM) ** -pile_up.photon_fall
    number = rng.poisson(mean[latents.wafer] * latents.density)
    total = int(number.sum())
    module = np.repeat(np.arange(modules), number)
    wafer = latents.wafer[module]

    steep = np.exp(slope * side).astype(np.float32)[wafer]
    uniform = rng.random(total, dtype=np.float32)
    outward = -np.log(steep * (1 - uniform) + uniform / steep) / slope.astype(np.float32)[wafer]
    across = side * (2 * rng.random(total, dtype=np.float32) - 1)
    cosine, sine = (wafers.xy / radius[:, None]).astype(np.float32).T
    x = outward * cosine[wafer] - across * sine[wafer]
    y = outward * sine[wafer] + across * cosine[wafer]

    exponent = rng.standard_exponential(total, dtype=np.float32) / (pile_up.photon_pt_power - 1)
    pt = pile_up.photon_pt_scale * np.expm1(exponent)
    energy = pt * np.cosh(wafers.eta()).astype(np.float32)[wafer]
    mips = showers.electromagnetic_mips(energy, rng)
    mips *= _fluctuation(pile_up.shower_fluctuation, total, rng)
    seen = (mips > _LEAST_MIPS) & (np.abs(x) < showers.REACH) & (np.abs(y) < showers.REACH)
    lateral = np.full(np.count_nonzero(seen), Lateral.SOFT)
    photons = showers.Showers(module[seen], lateral, x[seen], y[seen], mips[seen])
    return showers.spread(photons, modules)


def _hard_mips(latents: Latents, prior: Prior, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Mean MIPs of the hard shower, where there is one, in each cell."""
    module = np.flatnonzero(latents.hard >= 0)
    count = len(module)
    hadronic = np.array([shower.kind == "hadronic" for shower in prior.hard_showers])
    hadronic = hadronic[latents.hard[module]]
    x, y = _HARD_SIDE * (2 * rng.random((2, count)) - 1)
    energy = latents.hard_pt[module] * np.cosh(wafer_map().eta())[latents.wafer[module]]
    mips = np.where(
        hadronic,
        showers.hadronic_mips(energy, rng),
        showers.electromagnetic_mips(energy, rng) * _fluctuation(_HARD_FLUCTUATION, count, rng),
    )
    lateral = np.where(hadronic, Lateral.HADRONIC, Lateral.ELECTROMAGNETIC)
    return showers.spread(showers.Showers(module, lateral, x, y, mips), len(latents.wafer))


def _fluctuation(width: float, count: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Factors with mean 1 and relative standard deviation `width`."""
    factor = rng.standard_gamma(1 / width**2, count, dtype=np.float32)
    factor *= np.float32(width**2)
    return factor


def simulate_seen(
    latents: Latents, prior: Prior, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Like `simulate`, but a module without charge is simulated again until it has some.

    The real sample has no module without charge; the prior is that of the modules it has.
    """
    calq, soft, hard = simulate(latents, prior, rng)
    empty = np.flatnonzero(calq.sum(axis=1) == 0)
    while len(empty):
        calq[empty], soft[empty], hard[empty] = simulate(latents.select(empty), prior, rng)
        empty = empty[calq[empty].sum(axis=1) == 0]
    return calq, soft, hard


def generate_modules(
    count: int, seed: int, *, progress: Callable[[int], None] | None = None
) -> ModuleData:
    """Modules that look like the real ttbar `nElinks_5` data.

    The first modules of a longer sample with the same seed are the same modules.

    Args:
        count: number of modules, at least 1.
        seed: of all random numbers, at least 0.
        progress: called with the number of modules finished since its last call.

    Returns:
        `calq` holds integers below 2**22; `columns` are COLUMNS, energies in GeV;
        there are no events: modules are independent.

    Raises:
        InputError: a count below 1 or a negative seed.
    """
    if count < 1:
        raise InputError(f"cannot generate {count} modules; ask for at least 1")
    if seed < 0:
        raise InputError(f"seed {seed} is negative; use 0 or more")
    calq = np.empty((count, TRIGGER_CELLS), dtype=np.float32)
    wafer = np.empty(count, dtype=np.int64)
    sim_energy = np.empty((2, count), dtype=np.float32)
    for start in range(0, count, BLOCK):
        block = slice(start, min(start + BLOCK, count))
        size = block.stop - start
        # whole blocks, so that where a sample ends does not change what it holds
        stream = np.random.SeedSequence(seed, spawn_key=(start // BLOCK,))
        rng = np.random.Generator(np.random.SFC64(stream))
        latents = draw_latents(BLOCK, load_prior(), rng)
        charges, soft, hard = simulate_seen(latents, load_prior(), rng)
        calq[block] = charges[:size]
        wafer[block] = latents.wafer[:size]
        sim_energy[:, block] = _sim_energy(soft, hard, rng)[:, :size]
        if progress:
            progress(size)
    return _module_data(calq, wafer, sim_energy)


def _sim_energy(
    soft: npt.NDArray[np.float32], hard: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Energies of the hard collision in the module and in the event, GeV, shape (2, n)."""
    # of the soft particles, the hard collision made its share; the real sample keeps only modules
    # that it reached, hence never 0
    share = rng.standard_exponential(len(soft)) / _INTERACTIONS
    module = _GEV_PER_MIP * (hard + (1 + soft) * share)
    mean, width = _EVENT_SIM_ENERGY_GEV
    event = np.exp(mean + width * rng.standard_normal(len(soft)))
    return np.stack([module, event + module])


def _module_data(
    calq: npt.NDArray[np.float32],
    wafer: npt.NDArray[np.int64],
    sim_energy: npt.NDArray[np.float32],
) -> ModuleData:
    wafers = wafer_map()
    module_energy, event_energy = sim_energy
    columns = {
        "SimEnergyTotal": module_energy,
        "EventSimEnergy": event_energy,
        "SimEnergyFraction": module_energy / event_energy,
        "subdet": np.full(len(calq), SUBDETECTOR, dtype=np.int64),
        "layer": np.full(len(calq), LAYER, dtype=np.int64),
        "waferu": wafers.u[wafer],
        "waferv": wafers.v[wafer],
    }
    digest = hashlib.sha256(calq.tobytes())
    for column in (wafer, sim_energy):
        digest.update(column.tobytes())
    return ModuleData(
        calq=calq,
        eta=wafers.eta()[wafer].astype(np.float32),
        phi=wafers.phi()[wafer].astype(np.float32),
        columns=columns,
        event=None,
        content_hash=digest.hexdigest()[:16],
    )


def write_csv(modules: ModuleData, path: Path | str) -> None:
    """Write modules in the layout of the real headerless data, in one step.

    57 columns: 0-47 CALQ (integers), 48-54 COLUMNS, 55 tc_eta, 56 tc_phi.

    Raises:
        InputError: modules without one of these columns, or with charges that are not integers.
    """
    missing = [name for name in COLUMNS if name not in modules.columns]
    missing += [
        name for name, value in (("eta", modules.eta), ("phi", modules.phi)) if value is None
    ]
    if missing:
        raise InputError(
            f"{path}: cannot be written: the modules have no {', '.join(missing)}; "
            "the headerless layout needs all of them"
        )
    if not np.array_equal(modules.calq, np.rint(modules.calq)):
        raise InputError(f"{path}: cannot be written: charges must be integers (CALQ counts)")
    charges = modules.calq.astype(np.int32)
    columns = [charges[:, cell] for cell in range(TRIGGER_CELLS)]
    columns += [modules.columns[name] for name in COLUMNS]
    arrays = [pa.array(column) for column in (*columns, modules.eta, modules.phi)]
    table = pa.table(arrays, names=[str(index) for index in range(len(arrays))])
    options = csv.WriteOptions(include_header=False)
    with (
        atomic_path(path) as temporary,
        csv.CSVWriter(temporary, table.schema, write_options=options) as file,
    ):
        file.write_table(table)
