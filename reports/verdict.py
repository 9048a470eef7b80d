"""The judgement, kept apart from the measurement: does the design keep what its target demands?"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from reports.metrics import Metric, Summary
from reports.summary import strongest


class Outcome(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    NOT_MEASURED = "not measured"


class Bounds(Protocol):
    """A budget: its bounds are included (hw.targets.Budget)."""

    @property
    def max(self) -> float | None: ...
    @property
    def min(self) -> float | None: ...


@dataclass(frozen=True)
class _Exactly:
    max: float
    min: float


@dataclass(frozen=True)
class Check:
    """One demand and how the design meets it.

    Attributes:
        metric: name of the metric that is judged.
        demand: the bound in words, with its unit.
        found: the record at the strongest evidence there is; None if nothing was measured.
        outcome: pass, fail or not measured.
        reason: why it was not measured, or what went wrong.
    """

    metric: str
    demand: str
    found: Metric | None
    outcome: Outcome
    reason: str = ""


# what must hold on any target; a target's own budget of the same name goes before it
_ALWAYS: dict[str, Bounds] = {"csim.mismatches": _Exactly(max=0, min=0)}
_WHERE_MEASURED: dict[str, Bounds] = {
    "csim.golden.mismatches": _Exactly(max=0, min=0),
    "csim.golden_model.mismatches": _Exactly(max=0, min=0),
    "csim.block.mismatches": _Exactly(max=0, min=0),
    "csim.block.emulator_mismatches": _Exactly(max=0, min=0),
    "cosim.passed": _Exactly(max=1, min=1),
}


def judge(summary: Summary, budgets: Mapping[str, Bounds]) -> list[Check]:
    """Judge each budget on the strongest evidence measured; bit accuracy is always demanded."""
    demands = _ALWAYS | dict(budgets)
    demands |= {name: b for name, b in _WHERE_MEASURED.items() if strongest(summary, name)}
    return [check for name, bounds in demands.items() for check in _judge(summary, name, bounds)]


def overall(checks: list[Check]) -> Outcome:
    """Fail if any check fails; no pass without a measured bit accuracy."""
    outcomes = {check.outcome for check in checks}
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL
    accuracy = [check.outcome for check in checks if check.metric == "csim.mismatches"]
    return Outcome.PASS if Outcome.PASS in accuracy else Outcome.NOT_MEASURED


def describe(checks: list[Check]) -> str:
    """How many demands are kept, broken and open, in words."""
    words = {Outcome.PASS: "kept", Outcome.FAIL: "broken", Outcome.NOT_MEASURED: "not measured"}
    counts = [(sum(c.outcome is o for c in checks), word) for o, word in words.items()]
    return f"{len(checks)} demands: " + ", ".join(f"{n} {word}" for n, word in counts if n)


def _judge(summary: Summary, name: str, bounds: Bounds) -> list[Check]:
    measured = strongest(summary, name)
    if not measured:
        record = summary.find(name)
        demand = _demand(bounds, record.unit if record else "")
        reason = (record.reason if record else None) or "no step measures it"
        # vectors were compared and yet no count stands: something else about the C++ is wrong
        undecided = name == "csim.mismatches" and strongest(summary, "csim.vectors")
        outcome = Outcome.FAIL if undecided else Outcome.NOT_MEASURED
        return [Check(name, demand, None, outcome, reason)]
    return [_judge_one(metric, bounds) for metric in measured]


def _judge_one(metric: Metric, bounds: Bounds) -> Check:
    demand = "yes" if isinstance(metric.value, bool) else _demand(bounds, metric.unit)
    if isinstance(metric.value, str) or metric.value is None:
        reason = f"'{metric.value}' is no number"
        return Check(metric.name, demand, metric, Outcome.NOT_MEASURED, reason)
    holds = (bounds.max is None or metric.value <= bounds.max) and (
        bounds.min is None or metric.value >= bounds.min
    )
    if holds:
        return Check(metric.name, demand, metric, Outcome.PASS)
    return Check(metric.name, demand, metric, Outcome.FAIL, metric.reason or "")


def _demand(bounds: Bounds, unit: str) -> str:
    unit = f" {unit}" if unit else ""
    if bounds.max == bounds.min:
        return f"= {bounds.max:g}{unit}"
    limits = [
        f"{sign} {bound:,.10g}{unit}"
        for sign, bound in (("\u2265", bounds.min), ("\u2264", bounds.max))
        if bound is not None
    ]
    return " and ".join(limits)
