"""Why an earlier stage has no results, where it was skipped."""

from pathlib import Path

from reports.metrics import read_metrics


def reason_of_skip(metrics_file: Path) -> str | None:
    """The reason that the stage recorded for all of its metrics; None where it was done or is not
    done at all.

    Raises:
        InputError: the file is damaged.
    """
    if not metrics_file.is_file():
        return None
    found = read_metrics(metrics_file)
    skipped = bool(found) and all(metric.value is None for metric in found)
    return found[0].reason if skipped else None
