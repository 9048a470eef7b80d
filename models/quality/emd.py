"""The earth mover's distance between the charge distributions of two modules, exact and fast.

Each module's charges are divided by their sum; the distance is the least charge-weighted way that
turns one distribution into the other, in half trigger-cell pitches (models.data.geometry).  This is
the quality metric of the ECON-T literature (FastML Science Benchmarks, arXiv 2207.07958).
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np
import numpy.typing as npt

from hw.foundation.cores import usable_cores
from hw.foundation.errors import ToolFailed
from models.data.geometry import TRIGGER_CELLS, cell_distances

# POT imports every array library it finds, TensorFlow (and with it Keras 3) included; it needs none
for _backend in ("TENSORFLOW", "PYTORCH", "JAX", "CUPY"):
    os.environ.setdefault(f"POT_BACKEND_DISABLE_{_backend}", "1")

import ot  # noqa: E402

try:  # POT's solver without the checks of its public function, which take as long as the solving
    from ot.lp.emd_wrap import emd_c
except ImportError:  # a private name of the version that constraints.txt pins
    emd_c = None

__all__ = ["emd", "ot", "require_charges"]  # POT is imported here and nowhere else

_OPTIMAL = 1  # POT's result codes: 0 infeasible, 1 optimal, 2 unbounded, 3 iteration limit
_FAILURES = {0: "problem infeasible", 2: "problem unbounded", 3: "iteration limit reached"}
_MAX_ITERATIONS = 1_000_000
_BATCH = 500  # modules solved between two progress reports


def emd(
    cells_a: npt.ArrayLike,
    cells_b: npt.ArrayLike,
    *,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> npt.NDArray[np.float64]:
    """Earth mover's distance of each pair of modules, shape (n,), in half trigger-cell pitches.

    The cell distance is a metric, so an optimal plan leaves the charge that both modules have in
    the same cell where it is; only the surplus of either side is transported.  This is exact and
    makes the linear programme about a quarter of its size.

    Args:
        cells_a, cells_b: charges in any unit, shape (n, 48), finite and not negative.
        workers: threads (the solver runs outside Python's lock); None for one a usable core.
        progress: called with the number of modules finished since its last call.

    Returns:
        The distances; NaN where either module is empty (has no charge to compare).

    Raises:
        ValueError: shapes differ or are not (n, 48); a charge is negative or not finite.
        ToolFailed: the transport solver did not reach the optimum.
    """
    shares_a, shares_b = _shares(cells_a, "cells_a"), _shares(cells_b, "cells_b")
    if shares_a.shape != shares_b.shape:
        raise ValueError(f"{len(shares_a)} modules cannot be compared with {len(shares_b)}")
    distances = np.empty(len(shares_a))

    def solve(start: int) -> int:
        batch = slice(start, start + _BATCH)
        distances[batch] = _solve_batch(shares_a[batch], shares_b[batch])
        return len(distances[batch])

    starts = range(0, len(distances), _BATCH)
    with ThreadPoolExecutor(workers or usable_cores()) as pool:
        for done in as_completed([pool.submit(solve, start) for start in starts]):
            finished = done.result()
            if progress:
                progress(finished)
    return distances


def _shares(cells: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """Charges as fractions of each module's sum; a row of NaN for an empty module."""
    charges = np.asarray(cells, dtype=np.float64)
    require_charges(charges, name)
    total = charges.sum(axis=1, keepdims=True)
    return np.divide(charges, total, out=np.full_like(charges, np.nan), where=total > 0)


def require_charges(charges: npt.NDArray, name: str) -> None:
    """Refuse what cannot be the charges of modules.

    Raises:
        ValueError: the shape is not (n, 48), or a charge is negative or not finite; names module
            and cell.
    """
    if charges.ndim != 2 or charges.shape[1] != TRIGGER_CELLS:
        raise ValueError(f"{name} has shape {charges.shape}, expected (modules, {TRIGGER_CELLS})")
    wrong = ~np.isfinite(charges) | (charges < 0)
    if wrong.any():
        module, cell = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name}: charge {charges[module, cell]} in module {module}, cell {cell}; "
            "charges must be finite and not negative"
        )


def _solve_batch(
    shares_a: npt.NDArray[np.float64], shares_b: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    surplus = shares_a - shares_b
    from_a, to_b = surplus.clip(min=0), (-surplus).clip(min=0)
    moved = from_a.sum(axis=1)
    # either side becomes a distribution of its own: their sums differ by rounding, and the solver
    # works with an absolute tolerance that suits masses of order one
    with np.errstate(invalid="ignore", divide="ignore"):
        supply = from_a / moved[:, None]
        demand = to_b / to_b.sum(axis=1, keepdims=True)
    distances = cell_distances()
    result = np.where(np.isnan(moved), np.nan, 0.0)
    for module in np.flatnonzero(np.isfinite(supply).all(1) & np.isfinite(demand).all(1)):
        sources, sinks = supply[module].nonzero()[0], demand[module].nonzero()[0]
        between = distances.take(sources, axis=0).take(sinks, axis=1)
        cost = _least_cost(supply[module, sources], demand[module, sinks], between)
        result[module] = cost * moved[module]
    return result


def _least_cost(supply: npt.NDArray, demand: npt.NDArray, distances: npt.NDArray) -> float:
    """Of transporting `supply`, shape (m,), to `demand`, shape (n,), over distances (m, n)."""
    if emd_c is None:
        cost, log = ot.emd2(supply, demand, distances, numItermax=_MAX_ITERATIONS, log=True)
        code = log["result_code"]
    else:
        _, cost, _, _, code = emd_c(supply, demand, distances, _MAX_ITERATIONS, 1)
    if code != _OPTIMAL:
        raise ToolFailed(f"optimal transport (POT): {_FAILURES.get(code, f'code {code}')}")
    return float(cost)
