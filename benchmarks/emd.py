"""Speed of the exact earth mover's distance against a loop of POT calls, one a module.

The loop is the way ECON-T evaluations are commonly written: normalise one pair, call `ot.emd2` on
all 48 x 48 cells, take the next.  Both run in the same process on the same pairs: generated
modules, and dense images such as a decoder makes of them.  A quarter of the pairs is measured
first, to see that the time grows as their number does.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from models.data.generator import generate_modules
from models.data.geometry import cell_distances
from models.quality.emd import emd, ot

SPEED_UP_REQUIRED = 3.0
LARGEST_GROWTH = 6.0  # in time, for four times the pairs; the fastest of some runs each
_RUNS = 3
_TOLERANCE = 1e-9


def decoder_like(calq: npt.NDArray, seed: int) -> npt.NDArray[np.float64]:
    """Each charge smeared over about one pitch, with noise: dense as a decoder's images are."""
    spread = np.exp(-((cell_distances() / 2.0) ** 2)) + 0.002
    spread /= spread.sum(axis=0)
    smeared = calq @ spread.T
    return smeared * np.random.default_rng(seed).lognormal(0.0, 0.3, smeared.shape)


def emd_loop(cells_a: npt.NDArray, cells_b: npt.NDArray) -> npt.NDArray[np.float64]:
    """One `ot.emd2` call a pair, on all cells."""
    distances = np.array(cell_distances())
    return np.array(
        [
            ot.emd2(a / a.sum(), b / b.sum(), distances)
            for a, b in zip(cells_a, cells_b, strict=True)
        ]
    )


def _timed(function: Callable[[], npt.NDArray]) -> tuple[float, npt.NDArray]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.emd",
        description=__doc__.split("\n", maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--pairs", type=int, default=20_000, help="module pairs to compare")
    parser.add_argument("--seed", type=int, default=1, help="seed of the generated modules")
    arguments = parser.parse_args(argv)

    calq = generate_modules(arguments.pairs, arguments.seed).calq.astype(np.float64)
    calq = calq[calq.sum(axis=1) > 0]
    images = decoder_like(calq, arguments.seed)
    quarter = len(calq) // 4
    few = min(_timed(lambda: emd(calq[:quarter], images[:quarter]))[0] for _ in range(_RUNS))
    ours, fast = min((_timed(lambda: emd(calq, images)) for _ in range(_RUNS)), key=lambda t: t[0])
    theirs, slow = _timed(lambda: emd_loop(calq, images))
    difference = float(np.abs(fast - slow).max())
    ratio = theirs / ours
    print(
        f"EMD of {len(calq)} module pairs: {ours:.2f} s; ot.emd2 loop {theirs:.2f} s; "
        f"{ratio:.1f}x as fast "
        f"(required {SPEED_UP_REQUIRED:g}x); largest difference {difference:.1e}; "
        f"{ours / few:.1f} times as long as a quarter of the pairs (at most {LARGEST_GROWTH:g})"
    )
    fast_enough = ratio >= SPEED_UP_REQUIRED and ours / few <= LARGEST_GROWTH
    return 0 if fast_enough and difference < _TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
