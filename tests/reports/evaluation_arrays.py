"""Per-module results as an evaluation writes them, for the tests of what is drawn from them."""

import numpy as np
import numpy.typing as npt

from models.quality.measures import MEASURES
from models.quality.quality import occupancy, summed_charge

ALGORITHMS = ("threshold", "stc4", "stc16", "ctc4", "best_choice", "mean_image")


def evaluation_arrays(modules: int = 300, shown: int = 2) -> dict[str, npt.NDArray]:
    """Arrays of an evaluation of `modules` modules, the last of which is empty."""
    rng = np.random.default_rng(1)
    filled = rng.random((modules, 48)) < rng.random((modules, 1))
    calq = np.where(filled, rng.integers(1, 200, (modules, 48)), 0).astype(np.float32)
    calq[:, 0] += 1
    calq[-1:] = 0
    arrays: dict[str, npt.NDArray] = {
        "occupancy": occupancy(calq),
        "charge": summed_charge(calq),
        "occupancy_after": occupancy(calq * 2),
        "eta": rng.uniform(1.5, 3.0, modules).astype(np.float32),
    }
    for index, measure in enumerate(MEASURES):
        values = rng.gamma(4, 0.3, modules).astype(np.float32)
        arrays[measure.name] = np.where(calq.sum(axis=1) > 0, values, np.nan)
        arrays[measure.name][: index // 4] = np.nan  # some come back empty
    for place, name in enumerate(ALGORITHMS):
        for form in ("ideal", "chip"):
            values = rng.gamma(4, 0.1 * (place + 1), modules).astype(np.float32)
            arrays[f"baseline.{name}.{form}.emd"] = np.where(calq.sum(axis=1) > 0, values, np.nan)
            arrays[f"baseline.{name}.{form}.telescope"] = values
        arrays[f"baseline.{name}.chip.bits"] = np.full(modules, 20 * place + 20, np.int16)
    for kind in ("sample", "worst"):
        arrays[kind] = np.arange(min(shown, max(modules - 1, 0)))
        arrays[f"{kind}_input"] = calq[arrays[kind]]
        arrays[f"{kind}_output"] = calq[arrays[kind]][:, ::-1]
        arrays[f"{kind}_latent"] = rng.random((len(arrays[kind]), 16)).astype(np.float32)
    return arrays
