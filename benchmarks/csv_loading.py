"""Loading module CSV: the reference's pandas calls against this project, cold and from its cache.

`python -m benchmarks.csv_loading --rows 1000000`; each run has a process of its own, and
the fastest of `--repeat` runs counts, since other work on the machine only slows.
"""

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

_METHODS = ("pandas", "cold", "cached")


def _pandas(file: Path) -> None:
    """The reference's two readings of a headerless file (Ecoder train.py)."""
    import pandas as pd

    charges = [f"CALQ_{cell}" for cell in range(48)]
    pd.read_csv(file, dtype="float64", header=0, usecols=[*range(48)], names=charges)
    pd.read_csv(file, dtype="float64", header=0, usecols=[55, 56], names=["tc_eta", "tc_phi"])


def _measure(method: str, file: Path, cache: Path) -> None:
    """Print seconds and peak memory (MB) of one way to load `file`."""
    if method == "pandas":
        import pandas as pd  # noqa: F401 - its import is not what is timed

        start = time.perf_counter()
        _pandas(file)
    else:
        from models.data.dataset import load_modules

        start = time.perf_counter()
        load_modules(file, cache=cache if method == "cached" else None)
    seconds = time.perf_counter() - start
    print(seconds, _peak_memory_mb())


def _peak_memory_mb() -> float:
    """Largest resident memory of this process; Linux's `ru_maxrss` counts its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        return float(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)  # macOS counts bytes


def _run(method: str, file: Path, cache: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.csv_loading", "--measure", method, str(file)]
    done = subprocess.run([*command, str(cache)], capture_output=True, text=True, check=True)
    seconds, memory = done.stdout.split()
    return float(seconds), float(memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="modules in the file")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each method")
    parser.add_argument("--measure", nargs=3, metavar=("METHOD", "FILE", "CACHE"), help="internal")
    arguments = parser.parse_args()
    if arguments.measure:
        method, file, cache = arguments.measure
        _measure(method, Path(file), Path(cache))
        return
    from models.data.generator import generate_modules, write_csv

    with tempfile.TemporaryDirectory() as folder:
        file, cache = Path(folder) / "modules.csv", Path(folder) / "cache"
        print(f"writing {arguments.rows} modules", file=sys.stderr)
        write_csv(generate_modules(arguments.rows, seed=1), file)
        time.sleep(3)  # so that the file counts as settled and its hash is remembered
        _run("cached", file, cache)  # fills the cache
        runs = [
            {method: _run(method, file, cache) for method in _METHODS}
            for _ in range(arguments.repeat)
        ]
        figures = {method: min(run[method] for run in runs) for method in _METHODS}
        size = file.stat().st_size / 1e6
    table = Table(title=f"{arguments.rows} modules, {size:.0f} MB of text", title_justify="left")
    for heading in ("method", "seconds", "peak memory [MB]", "times faster than pandas"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for method, (seconds, memory) in figures.items():
        ratio = figures["pandas"][0] / seconds
        table.add_row(method, f"{seconds:.2f}", f"{memory:.0f}", f"{ratio:.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
