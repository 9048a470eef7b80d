"""What is kept of each trial that has ended: one JSON file beside its model."""

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from flows.layout import SearchLayout, TrialLayout
from flows.search.trial import Ending
from hw.foundation.atomic_file import write_text
from hw.foundation.strict_config import StrictRecord, load_json_record
from reports.metrics import Metric, read_summary
from reports.summary import strongest


class TrialRecord(StrictRecord):
    """One trial.

    Attributes:
        ending: an `Ending`.
        reason: why it did not come to its end; empty where it did.
        repeats: the trial with the same settings whose results it shares; None where there is none.
        settings: the values of the keys that varied.
        seconds: its last run took.
        bit_operations: of its encoder (flows/search/stopping.py); None where there is no encoder.
        val_loss: validation loss after each epoch, where the training came to its end.
    """

    number: int
    ending: str
    reason: str = ""
    repeats: int | None = None
    settings: dict[str, Any]
    seconds: float = 0.0
    bit_operations: float | None = None
    val_loss: list[float] = Field(default=[])

    @property
    def is_complete(self) -> bool:
        return self.ending == Ending.COMPLETE

    @property
    def measured_by(self) -> int:
        """The trial that has its results."""
        return self.number if self.repeats is None else self.repeats


def write_record(files: TrialLayout, record: TrialRecord) -> None:
    write_text(files.record, json.dumps(record.model_dump(mode="json"), indent=1) + "\n")


def read_record(files: TrialLayout) -> TrialRecord | None:
    """The record of a trial that has ended; None of one that has not.

    Raises:
        InputError: it is damaged.
    """
    if not files.record.is_file():
        return None
    remedy = f"delete {files.record}: the search carries out the trial again"
    return load_json_record(files.record, TrialRecord, remedy)


def read_records(layout: SearchLayout, count: int) -> list[TrialRecord]:
    """The records of all trials that have ended, of those asked for so far."""
    found = (read_record(layout.trial(number)) for number in range(count))
    return [record for record in found if record]


def figures(summary: Path, names: tuple[str, ...]) -> dict[str, Metric]:
    """Of each metric the record of the strongest evidence in a design's summary, where it has a
    value.

    Raises:
        InputError: the summary cannot be read.
    """
    content = read_summary(summary)
    return {name: found[0] for name in names if (found := strongest(content, name))}
