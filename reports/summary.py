"""All metrics of one design on one target: each promised number is there or says why not."""

from collections.abc import Iterable, Mapping

from reports.catalogue import named_rows
from reports.metrics import Evidence, Metric, Provenance, Summary

_EVIDENCE_ORDER = list(Evidence)


def summarise(
    model: str,
    target: str,
    metrics: Iterable[Metric],
    reasons: Mapping[str, str],
    provenance: Provenance,
) -> Summary:
    """Gather `metrics` and fill the gaps.

    Args:
        reasons: why a promised number may be missing, by the stage that measures it; what a stage
            measures that is not among them does not concern the design.
        provenance: where it was gathered; hashes, seed and tools of the metrics are added.
    """
    gathered = list(metrics)
    known = {metric.name for metric in gathered}
    for row in named_rows():
        if row.promised and row.name not in known and row.stage in reasons:
            gathered.append(
                Metric(
                    name=row.name,
                    value=None,
                    unit=row.unit,
                    evidence=row.levels[0] if row.levels else Evidence.ESTIMATE,
                    reason=reasons[row.stage],
                )
            )
    sources = [metric.provenance for metric in gathered if metric.provenance is not None]
    tools: dict[str, str] = {}
    for source in [*sources, provenance]:
        tools |= source.tools
    return Summary(
        model=model,
        target=target,
        provenance=provenance.model_copy(
            update={
                "model_hash": provenance.model_hash or _first(s.model_hash for s in sources),
                "data_hash": provenance.data_hash or _first(s.data_hash for s in sources),
                "seed": provenance.seed
                if provenance.seed is not None
                else _first(s.seed for s in sources),
                "tools": dict(sorted(tools.items())),
            }
        ),
        metrics=tuple(gathered),
    )


def strongest(summary: Summary, name: str) -> list[Metric]:
    """The measured metrics of that name, of each form of the design (`variant`) those at its own
    highest evidence level; the strongest evidence comes first."""
    measured = [m for m in summary.metrics if m.name == name and m.value is not None]
    highest: dict[str | None, int] = {}
    for metric in measured:
        highest[metric.variant] = max(_rank(metric), highest.get(metric.variant, 0))
    best = [m for m in measured if _rank(m) == highest[m.variant]]
    return sorted(best, key=_rank, reverse=True)


def _rank(metric: Metric) -> int:
    return _EVIDENCE_ORDER.index(metric.evidence)


def _first(values: Iterable[object]) -> object:
    return next((value for value in values if value is not None), None)
