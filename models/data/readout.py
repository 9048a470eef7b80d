"""From MIPs in a trigger cell to CALQ counts: sensor, front end, compression, calibration.

The chain of the simulated HGCROC and ECON-T: charge equalised to that of 200 um sensors, hits below
three times the nominal noise dropped, noise of irradiated sensors, 4E3M compression, transverse
calibration.
Sources: cms-sw/cmssw L1Trigger/L1THGCal hgcalVFEProducer_cfi.py and HGCalVFESummationImpl.cc
(equalisation, threshold, 100 fC / 1024 per count); ECON-T emulator (compression, calibration).
"""

import numpy as np
import numpy.typing as npt

from hw.foundation.strict_config import StrictRecord
from models.data.wafers import CALIBRATION_BITS, Sensor, WaferMap

COUNTS_PER_MIP = 26.3  # 2.57 fC of a 200 um sensor in counts of 100 fC / 1024
# three times the nominal noise of one sensor cell, after equalisation, by sensor class
THRESHOLD_COUNTS = np.array([21.0, 10.3, 5.2], dtype=np.float32)
_DROPPED_BITS = {Sensor.FI: 3, Sensor.FM: 1, Sensor.FO: 1}
_MANTISSA_BITS = 3
_LARGEST_CODED = 15 << 14  # code 0x7F; the front end saturates there
NOISE_REFERENCE_CM = 44.0


class PerSensor(StrictRecord):
    """One number for each sensor class."""

    FI: float
    FM: float
    FO: float

    def array(self) -> npt.NDArray[np.float32]:
        """The numbers by `Sensor`."""
        return np.array([getattr(self, sensor.name) for sensor in Sensor], dtype=np.float32)


class Readout(StrictRecord):
    """What the calibration against the published distributions fixes.

    Attributes:
        collection: charge of one MIP against the nominal one: what irradiation and equalisation
            leave.
        noise_hits: noise hits per trigger cell and bunch crossing; of class FI at radius
            NOISE_REFERENCE_CM.
        noise_fall: power by which noise of class FI falls with the radius, as the fluence does.
        noise_excess: mean charge of a noise hit above the threshold, in thresholds.
        crossing_shape: shape of the gamma distribution of the charge of one MIP.
    """

    collection: PerSensor
    noise_hits: PerSensor
    noise_fall: float
    noise_excess: float
    crossing_shape: float


def read_out(
    mips: npt.NDArray[np.float32],
    wafer: npt.NDArray[np.int64],
    wafers: WaferMap,
    readout: Readout,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """CALQ of modules, shape (n, 48), from the mean MIPs in their cells, shape (n, 48).

    Args:
        wafer: row of each module in `wafers`, shape (n,).
    """
    sensor = wafers.sensor[wafer]
    threshold = THRESHOLD_COUNTS[sensor][:, None]
    crossings = rng.poisson(mips)
    hit = crossings > 0
    charge = np.zeros(mips.shape, dtype=np.float32)
    shape = np.float32(readout.crossing_shape)
    charge[hit] = rng.standard_gamma(crossings[hit] * shape, dtype=np.float32) / shape
    charge *= (np.float32(COUNTS_PER_MIP) * readout.collection.array())[sensor][:, None]
    charge *= charge >= threshold
    noisy = rng.random(mips.shape, dtype=np.float32) < _noise_probability(wafer, wafers, readout)
    excess = rng.standard_exponential(np.count_nonzero(noisy), dtype=np.float32)
    base = np.broadcast_to(threshold, mips.shape)[noisy]
    charge[noisy] += base * (1 + np.float32(readout.noise_excess) * excess)
    dropped = np.array([_DROPPED_BITS[kind] for kind in Sensor])[sensor][:, None]
    raw = through_4e3m(charge.astype(np.int64), dropped)
    return (raw * wafers.calibration[wafer]) >> CALIBRATION_BITS


def _noise_probability(
    wafer: npt.NDArray[np.int64], wafers: WaferMap, readout: Readout
) -> npt.NDArray[np.float32]:
    hits = readout.noise_hits.array()[wafers.sensor]
    fluence = (wafers.radius / NOISE_REFERENCE_CM) ** -readout.noise_fall
    hits = np.where(wafers.sensor == Sensor.FI, hits * fluence, hits)
    return (1 - np.exp(-hits)).astype(np.float32)[wafer][:, None]


def through_4e3m(
    charge: npt.NDArray[np.int64], dropped: npt.NDArray[np.int64] | int
) -> npt.NDArray[np.int64]:
    """Charges as ECON-T sees them: 4E3M code of the front end, decoded to the middle of its bin.

    Args:
        charge: counts >= 0.
        dropped: lowest bits that the front end drops before coding, broadcast to `charge`.
    """
    value = np.minimum(charge >> dropped, _LARGEST_CODED)
    bits = np.frexp(value.astype(np.float64))[1]
    exponent = np.maximum(bits - (_MANTISSA_BITS + 1), 0)
    kept = (value >> exponent) << exponent
    return (kept << dropped) + ((1 << (exponent + dropped)) >> 1)
