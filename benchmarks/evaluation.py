"""Time of a full evaluation: every measure of an autoencoder and of all other algorithms.

The autoencoder's answer is stood in for by dense images such as a decoder makes.  A quarter of the
modules is measured first, to see that the time grows as their number does.
"""

import argparse
import sys
import time

import numpy as np

from benchmarks.emd import decoder_like
from flows.command_line.progress import progress
from flows.evaluation.baselines import measure_baselines
from models.data.generator import generate_modules
from models.quality.measures import measure_modules

LONGEST_SECONDS = 300.0  # for 100,000 modules
_STATED_MODULES = 100_000
_ELINKS = 5


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evaluation",
        description=__doc__.split("\n", maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--modules", type=int, default=_STATED_MODULES, help="modules to evaluate")
    parser.add_argument("--seed", type=int, default=1, help="seed of the generated modules")
    arguments = parser.parse_args(argv)

    calq = generate_modules(arguments.modules, arguments.seed).calq
    quarter = _seconds(calq[: max(len(calq) // 4, 1)], arguments.seed)
    seconds = _seconds(calq, arguments.seed)
    allowed = LONGEST_SECONDS * len(calq) / _STATED_MODULES
    print(
        f"all measures of {len(calq)} modules, autoencoder and 6 other algorithms in 2 forms: "
        f"{seconds:.1f} s (at most {allowed:.0f} s); {seconds / quarter:.1f} times as long as a "
        "quarter of them"
    )
    return 0 if seconds <= allowed else 1


def _seconds(calq: np.ndarray, seed: int) -> float:
    images = decoder_like(calq, seed).astype(np.float32)
    start = time.perf_counter()
    measure_baselines(calq, _ELINKS, full=True)
    with progress("autoencoder", len(calq)) as advance:
        measure_modules(calq, images, full=True, progress=advance)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
