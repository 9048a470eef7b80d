"""The cells of the ASIC netlists, by kind: one column a form of the design."""

from dataclasses import dataclass

from reports.metrics import Summary
from reports.tables.values import MISSING, format_value

_PREFIX = "asic.cells."


@dataclass(frozen=True)
class CellTable:
    """How often each cell of the library is used.

    Attributes:
        forms: headings of the columns.
        rows: kind of cell and its number in each form; the most frequent first.
    """

    forms: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def cell_table(summary: Summary) -> CellTable:
    """All metrics `asic.cells.<kind>`; without rows where there are none."""
    counts: dict[str, dict[str, float]] = {}
    for metric in summary.metrics:
        if metric.name.startswith(_PREFIX) and isinstance(metric.value, int | float):
            kind = metric.name.removeprefix(_PREFIX)
            counts.setdefault(kind, {})[metric.variant or ""] = metric.value
    forms = tuple(dict.fromkeys(form for numbers in counts.values() for form in numbers))
    rows = sorted(counts.items(), key=lambda row: (-sum(row[1].values()), row[0]))
    return CellTable(
        forms,
        tuple(
            (kind, tuple(format_value(n[form]) if form in n else MISSING for form in forms))
            for kind, n in rows
        ),
    )
