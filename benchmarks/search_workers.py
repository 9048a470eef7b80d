"""How many trials a search finishes in a time with two local workers, against one.

The trials are ordinary small ones, trained, converted, compared and synthesised; the space's seed
and the sampler are the same for both.  On a machine of two cores each worker has one.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LEAST_RATIO = 1.2
_PROJECT = Path(__file__).parents[1]
_SPACE = """\
base: 4x4x3_dense_w5
space:
  quantisation.weight.total: [3, 4, 5, 6]
  pruning.dense: [0.3, 0.5, 0.7]
sampler: random
trials: {trials}
epochs: 1
events: 20000
vectors: 2000
"""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search_workers",
        description=__doc__.split("\n", maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--trials", type=int, default=4, help="trials of each search")
    arguments = parser.parse_args(argv)
    seconds = {workers: _seconds(workers, arguments.trials) for workers in (1, 2)}
    ratio = seconds[1] / seconds[2]
    print(
        f"{arguments.trials} trials: {seconds[1]:.0f} s with one worker, {seconds[2]:.0f} s with "
        f"two; ratio {ratio:.2f} (at least {LEAST_RATIO:g})"
    )
    return 0 if ratio >= LEAST_RATIO else 1


def _seconds(workers: int, trials: int) -> float:
    """Time of a search from nothing, its data included."""
    with tempfile.TemporaryDirectory(prefix="econt-bench-") as scratch:
        space = Path(scratch) / "workers.yaml"
        space.write_text(_SPACE.format(trials=trials))
        command = [sys.executable, "-m", "flows", "search", str(space), "--build", scratch]
        start = time.perf_counter()
        subprocess.run(
            [*command, "--workers", str(workers)],
            cwd=_PROJECT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
