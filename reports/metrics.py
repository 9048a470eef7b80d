"""The one record for every number of this project, and the files that hold such records."""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError
from hw.foundation.json_file import json_content
from reports.evidence import Evidence

__all__ = [
    "Evidence",
    "Metric",
    "Provenance",
    "Summary",
    "read_metrics",
    "read_summary",
    "with_provenance",
    "write_metrics",
    "write_summary",
]

SCHEMA: Literal[1] = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Provenance(_Record):
    """Where a number comes from: enough to measure it again.

    Hashes are SHA-256, shortened to 16 hexadecimal digits; `tools` maps a tool to its version.
    """

    model_hash: str | None = None
    data_hash: str | None = None
    tools: dict[str, str] = {}
    git_commit: str | None = None
    git_dirty: bool | None = None
    seed: int | None = None


class Metric(_Record):
    """One measured (or not measured) number.

    Attributes:
        name: dotted, lower case: `csim.mismatches`.
        value: None where it was not measured; `reason` then says why.
        unit: `ns`, `um2`, `cycles`, ...; the empty string for a pure number.
        evidence: the level at which the value was obtained.
        better: which direction is an improvement; None where neither is.
        variant: set where one name is measured on several forms of the design
            (for example `generated` and `reconfigurable` RTL).
    """

    name: str
    value: float | int | bool | str | None
    unit: str = ""
    evidence: Evidence = Evidence.ESTIMATE
    better: Literal["lower", "higher"] | None = None
    reason: str | None = None
    variant: str | None = None
    provenance: Provenance | None = None

    @model_validator(mode="after")
    def _no_silent_gap(self) -> "Metric":
        if self.value is None and not self.reason:
            raise ValueError(f"{self.name}: a metric without a value must say why (reason)")
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"{self.name}: {self.value} is no value; give None and the reason")
        return self


class Summary(_Record):
    """The contract with other tools: `build/<model>/<target>/summary.json`."""

    schema_version: Literal[1] = SCHEMA
    model: str
    target: str
    provenance: Provenance
    metrics: tuple[Metric, ...]

    def find(self, name: str, variant: str | None = None) -> Metric | None:
        """The metric of that name, or None."""
        for metric in self.metrics:
            if metric.name == name and (variant is None or metric.variant == variant):
                return metric
        return None


def with_provenance(metrics: Iterable[Metric], source: Provenance) -> list[Metric]:
    """The same metrics, of this provenance."""
    return [metric.model_copy(update={"provenance": source}) for metric in metrics]


def write_metrics(path: Path | str, metrics: list[Metric]) -> None:
    """Write one step's metrics (a JSON list) in one go."""
    records = [metric.model_dump(mode="json", exclude_none=False) for metric in metrics]
    write_text(path, json.dumps(records, indent=1) + "\n")


def read_metrics(path: Path | str) -> list[Metric]:
    """Read what `write_metrics` wrote.

    Raises:
        InputError: no such file, or not a list of metric records.
    """
    with json_content(path, "run the stage anew") as records:
        if not isinstance(records, list):
            raise TypeError("not a list of metric records")
        return [Metric.model_validate(record) for record in records]


def write_summary(path: Path | str, summary: Summary) -> None:
    """Write the summary with its schema number under the key `schema`."""
    content = summary.model_dump(mode="json")
    content = {"schema": content.pop("schema_version"), **content}
    write_text(path, json.dumps(content, indent=1) + "\n")


def read_summary(path: Path | str) -> Summary:
    """Read a summary.json.

    Raises:
        InputError: no such file, another schema, or a malformed record.
    """
    with json_content(path, "make report writes it anew") as content:
        if content.get("schema") != SCHEMA:
            raise InputError(
                f"{path}: schema {content.get('schema')!r}, expected {SCHEMA}; make report writes "
                "it anew"
            )
        content["schema_version"] = content.pop("schema")
        return Summary.model_validate(content)
