"""The judgement, kept apart from the measurement: does the design keep what its target demands?"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from reports.catalogue import Demand, Demanded, named_rows, row_of
from reports.metrics import Metric, Summary
from reports.summary import strongest

HLS = "HLS"
"""Name of the form that metrics without a variant are of, where there are others."""


class Outcome(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    NOT_MEASURED = "not measured"


class Bounds(Protocol):
    """A budget: its bounds are included (hw.targets.target.Budget)."""

    @property
    def max(self) -> float | None: ...
    @property
    def min(self) -> float | None: ...


@dataclass(frozen=True)
class Check:
    """One demand and how one form of the design meets it.

    Attributes:
        metric: name of the metric that is judged.
        demand: the bound in words, with its unit.
        found: the record at the strongest evidence there is; None if nothing was measured.
        outcome: pass, fail or not measured.
        reason: why it was not measured, or what went wrong.
        variant: the form that is judged, where the design has several.
    """

    metric: str
    demand: str
    found: Metric | None
    outcome: Outcome
    reason: str = ""
    variant: str | None = None

    @property
    def subject(self) -> str:
        """What is judged: the metric and, where there are several, the form."""
        return f"{self.metric} ({self.variant})" if self.variant else self.metric


Lost = Collection[tuple[str, str | None]]
"""Metrics, each by name and form, of results that count no more."""


def judge(
    summary: Summary,
    budgets: Mapping[str, Bounds],
    undone: Mapping[str, str] | None = None,
    lost: Lost = (),
) -> list[Check]:
    """Judge each form of the design on its own, on the strongest evidence that it has.

    Bit accuracy is always demanded: of the C++, and of whatever else was compared.

    Args:
        budgets: of the target, by metric name; a budget goes before what is demanded always.
        undone: why a stage has no results, by its name.
        lost: metrics that were measured, and whose demands therefore stay.
    """
    of_catalogue = {row.name: row.demand for row in named_rows() if row.demand}
    demands: dict[str, Bounds] = {name: of_catalogue[name] for name in _always_demanded()}
    demands |= budgets
    demands |= {
        name: demand
        for name, demand in of_catalogue.items()
        if demand.when is not Demanded.ALWAYS
        and (_tried(summary, name) or any(name == metric for metric, _ in lost))
    }
    checks = []
    for name, bounds in demands.items():
        variants = _variants(summary, name)
        for variant in variants:
            found = _judge(summary, name, variant, bounds, undone or {})
            if variant is None and len(variants) > 1:
                found = [replace(check, variant=HLS) for check in found]
            checks += found
    return checks


def overall(checks: list[Check], *, stale: bool = False) -> Outcome:
    """Fail if any check fails; no pass without a measured bit accuracy, nor on results of which
    some count no more (`stale`)."""
    outcomes = {check.outcome for check in checks}
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL
    if stale:
        return Outcome.NOT_MEASURED
    accuracy = [check.outcome for check in checks if check.metric in _always_demanded()]
    return Outcome.PASS if Outcome.PASS in accuracy else Outcome.NOT_MEASURED


def describe(checks: list[Check]) -> str:
    """How many demands are kept, broken and open, in words."""
    words = {Outcome.PASS: "kept", Outcome.FAIL: "broken", Outcome.NOT_MEASURED: "not measured"}
    counts = Counter(check.outcome for check in checks)
    told = (f"{counts[outcome]} {word}" for outcome, word in words.items() if counts[outcome])
    return f"{len(checks)} demands: " + ", ".join(told)


def _always_demanded() -> list[str]:
    return [row.name for row in named_rows() if row.demand and row.demand.when is Demanded.ALWAYS]


def _variants(summary: Summary, name: str) -> list[str | None]:
    """The forms of the design that have this metric, measured or not."""
    return list(dict.fromkeys(m.variant for m in summary.metrics if m.name == name)) or [None]


def _compared(summary: Summary, name: str, variant: str | None) -> bool:
    """Whether vectors were run, of which this metric counts those that differ."""
    vectors = name.removesuffix("mismatches") + "vectors"
    return name.endswith(".mismatches") and any(
        metric.variant == variant for metric in strongest(summary, vectors)
    )


def _tried(summary: Summary, name: str) -> bool:
    return bool(strongest(summary, name)) or any(
        _compared(summary, name, variant) for variant in _variants(summary, name)
    )


def _judge(
    summary: Summary,
    name: str,
    variant: str | None,
    bounds: Bounds,
    undone: Mapping[str, str],
) -> list[Check]:
    measured = [metric for metric in strongest(summary, name) if metric.variant == variant]
    if not measured:
        record = next((m for m in summary.metrics if m.name == name and m.variant == variant), None)
        demand = _demand(bounds, record.unit if record else row_of(name).unit)
        missing = undone.get(row_of(name).stage, "no stage measures it")
        reason = (record.reason if record else None) or missing
        # vectors were compared and yet no count stands: something else about the design is wrong
        undecided = _compared(summary, name, variant)
        outcome = Outcome.FAIL if undecided else Outcome.NOT_MEASURED
        return [Check(name, demand, None, outcome, reason, variant)]
    return [_judge_one(metric, bounds) for metric in measured]


def _judge_one(metric: Metric, bounds: Bounds) -> Check:
    demand = "yes" if isinstance(metric.value, bool) else _demand(bounds, metric.unit)

    def check(outcome: Outcome, reason: str = "") -> Check:
        return Check(metric.name, demand, metric, outcome, reason, metric.variant)

    if isinstance(metric.value, str) or metric.value is None:
        return check(Outcome.NOT_MEASURED, f"'{metric.value}' is no number")
    holds = (bounds.max is None or metric.value <= bounds.max) and (
        bounds.min is None or metric.value >= bounds.min
    )
    return check(Outcome.PASS) if holds else check(Outcome.FAIL, metric.reason or "")


def _demand(bounds: Bounds, unit: str) -> str:
    if isinstance(bounds, Demand) and bounds.min == 1:
        return "yes"
    unit = f" {unit}" if unit else ""
    if bounds.max == bounds.min:
        return f"= {bounds.max:g}{unit}"
    limits = [
        f"{sign} {bound:,.10g}{unit}"
        for sign, bound in (("\u2265", bounds.min), ("\u2264", bounds.max))
        if bound is not None
    ]
    return " and ".join(limits)
