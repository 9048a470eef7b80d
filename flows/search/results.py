"""The result of a search, written anew after each trial: all trials, the front, the page."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from flows.layout import DEFAULT_TARGET, SearchLayout, TargetLayout, target_layout
from flows.search.records import TrialRecord, figures
from flows.search.space import SearchSpace, short_key, value_text
from hw.foundation.atomic_file import atomic_directory, write_text
from models.networks.zoo import ModelSpec
from reports.catalogue import row_of
from reports.metrics import read_summary
from reports.search import (
    RankCorrelation,
    SearchedDesign,
    SearchReport,
    bounds_in_words,
    rank_correlation,
)

_SCHEMA = 1
_COUNTS = ("adder_bits.total", "signed_digits.total", "bops.total")
_SYNTHESISED = "fpga.lut"


def model_text(spec: ModelSpec, heading: list[str]) -> str:
    """A model as the text of a YAML file, under lines of comment."""
    record = spec.model_dump(mode="json", exclude={"name"}, exclude_defaults=True)
    body = yaml.safe_dump(record, sort_keys=False, default_flow_style=None, width=100)
    return "".join(f"# {line}\n" for line in heading) + body


def violations(space: SearchSpace, values: dict[str, float]) -> dict[str, float]:
    """By how much each constraint is broken; 0 or less where it is kept.

    Args:
        values: of the metrics that the constraints are on.
    """
    excess = {}
    for name, bound in space.constraints.items():
        above = values[name] - bound.max if bound.max is not None else -float("inf")
        below = bound.min - values[name] if bound.min is not None else -float("inf")
        excess[name] = max(above, below)
    return excess


def collect(layout: SearchLayout, space: SearchSpace, records: list[TrialRecord]) -> SearchReport:
    """What is known of a search.

    Raises:
        InputError: the summary of a trial cannot be read.
    """
    return SearchReport(
        name=space.name,
        description=space.description,
        keys=tuple(map(short_key, space.space)),
        objectives=space.objectives,
        constraints={
            name: bounds_in_words(bound.max, bound.min, row_of(name).unit)
            for name, bound in space.constraints.items()
        },
        facts=(
            f"{space.events:,} modules",
            f"seed {space.seed}",
            f"target {Path(space.target).stem}",
            *((f"{space.training_epochs} epochs",) if "epochs" not in space.space else ()),
        ),
        planned=max(space.trials, len(records)),
        trials=tuple(_searched(layout, space, record) for record in records),
        ranked=_ranked(layout, space, records),
    )


def _ranked(
    layout: SearchLayout, space: SearchSpace, records: list[TrialRecord]
) -> tuple[RankCorrelation, ...]:
    """How far counts of the network rank the designs as synthesis does."""
    designs = [
        figures(_design(layout, space, record).summary, (*_COUNTS, _SYNTHESISED))
        for record in records
        if record.is_complete and record.repeats is None
    ]
    return tuple(rank_correlation(count, _SYNTHESISED, designs) for count in _COUNTS)


def _design(layout: SearchLayout, space: SearchSpace, record: TrialRecord) -> TargetLayout:
    """Where the figures of a trial lie."""
    name = layout.trial(record.measured_by).name
    return target_layout(layout.designs, name, space.target)


def _searched(layout: SearchLayout, space: SearchSpace, record: TrialRecord) -> SearchedDesign:
    files = layout.trial(record.measured_by)
    design = _design(layout, space, record)
    found = figures(design.summary, space.measured) if record.is_complete else {}
    links = {"report": design.html, "model": files.model, "log": files.log}
    values = {name: float(metric.value or 0) for name, metric in found.items()}
    excess = violations(space, values) if found else {}
    broken = [name for name, by in excess.items() if by > 0]
    reason = record.reason or (f"breaks {', '.join(broken)}" if broken else "")
    if record.repeats is not None:
        reason = f"the same as trial {record.repeats}" + (f": {reason}" if reason else "")
    return SearchedDesign(
        number=record.number,
        name=files.name,
        ending=record.ending,
        reason=reason,
        settings={short_key(key): value_text(value) for key, value in record.settings.items()},
        figures=found,
        keeps=not broken,
        seconds=record.seconds,
        links={
            word: os.path.relpath(path, layout.folder)
            for word, path in links.items()
            if path.is_file()
        },
    )


def write_results(
    layout: SearchLayout, space: SearchSpace, records: list[TrialRecord]
) -> SearchReport:
    """Write everything that tells of the search, each file in one go; returns what they tell.

    Raises:
        InputError: as `collect`.
    """
    from reports.rendering.search import front_table, html, markdown  # matplotlib: slow to import

    report = collect(layout, space, records)
    settings = {record.number: record.settings for record in records}
    write_text(layout.trials, json.dumps(_all(layout, space, records), indent=1) + "\n")
    with atomic_directory(layout.front) as folder:
        for trial in report.front:
            spec = space.model(settings[trial.number], trial.name)
            text = model_text(spec, list(_heading(space, report, trial)))
            write_text(folder / f"{trial.name}.yaml", text)
    write_text(layout.table, front_table(report))
    write_text(layout.markdown, markdown(report))
    write_text(layout.html, html(report))
    return report


def _heading(space: SearchSpace, report: SearchReport, trial: SearchedDesign) -> Iterator[str]:
    """What was measured of a design of the front, and how to make it again."""
    told = (
        f"{name} {metric.value:.6g} {metric.unit}".rstrip() + f" ({metric.evidence.value})"
        for name in report.metrics
        if (metric := trial.figures.get(name)) and isinstance(metric.value, int | float)
    )
    yield f"Trial {trial.number} of the search {space.name}: {', '.join(told)}."
    target = f" TARGET={space.target}" if space.target != DEFAULT_TARGET else ""
    yield f"make MODEL=<this file> EVENTS={space.events} SEED={space.seed}{target}"


def _all(layout: SearchLayout, space: SearchSpace, records: list[TrialRecord]) -> dict[str, Any]:
    """All trials with all their metrics, as JSON values."""
    return {
        "schema": _SCHEMA,
        "space": space.model_dump(mode="json"),
        "trials": [
            {
                **record.model_dump(mode="json"),
                "model": layout.trial(record.measured_by).name,
                "metrics": _metrics(layout, space, record),
            }
            for record in records
        ],
    }


def _metrics(layout: SearchLayout, space: SearchSpace, record: TrialRecord) -> list[Any]:
    if not record.is_complete:
        return []
    name = layout.trial(record.measured_by).name
    summary = read_summary(target_layout(layout.designs, name, space.target).summary)
    return [metric.model_dump(mode="json") for metric in summary.metrics]
