"""Progress of long work: a bar on a terminal, a line now and then in a log."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 10.0


def _beside_others() -> bool:
    """Whether `make` runs stages side by side, whose bars would overwrite each other."""
    return "--jobserver" in os.environ.get("MAKEFLAGS", "")


def _in_words(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit}"
    return f"about {seconds:.0f} s"


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of items finished since its last call."""
    console = Console(stderr=True)
    if console.is_terminal and not _beside_others():
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bars:
            task = bars.add_task(description, total=total)
            yield lambda count: bars.advance(task, count)
        return
    start = last = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        if time.monotonic() - last > _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            to_go = _in_words((last - start) / done * (total - done))
            print(f"{description}: {done} of {total}, {to_go} to go", file=sys.stderr, flush=True)

    yield advance
    print(f"{description}: {done} in {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
