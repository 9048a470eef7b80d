"""The costs of a design by layer: parts of the whole, each at its evidence level."""

from collections.abc import Mapping
from dataclasses import dataclass

from hw.forms import GENERATED
from reports.catalogue import required_row
from reports.metrics import Evidence, Metric, Summary
from reports.tables.gaps import Gap, group_gaps
from reports.tables.values import MISSING, format_value

LEGEND = (
    "Each operation of the generated logic counts with the layer that it was made for; where one "
    "serves several, with one of them. Depth and delay are of the slowest path from input to "
    "output, so a layer beside that path has none."
)

_PREFIX = "layers."
_BETWEEN = "between_layers."
_ONE_NETLIST = (
    "synthesis maps the whole logic as one module and optimises across layers: a cell of the "
    "netlist belongs to no one layer"
)


@dataclass(frozen=True)
class _Column:
    """A cost.

    Attributes:
        title: heading.
        part: the last word of the metrics of the parts; empty where parts cannot be told.
        total: the metric of the whole.
        variant: the form of the design that both are of.
        stage: measures it.
        elsewhere: the value of a layer that has no such metric, where others have.
    """

    title: str
    part: str
    total: str
    stage: str
    level: Evidence = Evidence.ESTIMATE
    variant: str | None = GENERATED.name
    elsewhere: int | None = None


_COLUMNS = (
    _Column("MACs", "macs", "macs.total", "flops", variant=None, elsewhere=0),
    _Column("non-zero weights", "nonzero_weights", "nonzero_weights.total", "flops",
            variant=None, elsewhere=0),
    _Column("adders", "adders", "logic.adders", "rtl"),
    _Column("look-up tables", "lut", "fpga.lut", "rtl"),
    _Column("depth", "depth", "logic.depth", "rtl"),
    _Column("delay", "delay_ns", "logic.delay_ns", "rtl"),
    _Column("look-up tables", "", "fpga.lut", "synth", Evidence.SYNTH),
    _Column("area", "", "asic.area_um2", "synth", Evidence.SYNTH),
)  # fmt: skip


@dataclass(frozen=True)
class LayerCostTable:
    """One row a layer, then what is between layers, then the whole.

    Attributes:
        columns: heading, evidence level and unit of each.
        rows: name of the row and its cells; none where nothing is known by layer.
        gaps: explain the dashes.
    """

    columns: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    gaps: tuple[Gap, ...]


def layer_cost_table(summary: Summary, undone: Mapping[str, str]) -> LayerCostTable:
    """The metrics `layers.<layer>.<cost>`, `between_layers.<cost>` and the totals.

    Args:
        undone: why a stage has no results, by the stage's name.
    """
    known = {(m.name, m.evidence, m.variant): m for m in summary.metrics if m.value is not None}
    columns = [(column, _parts(column, known)) for column in _COLUMNS]
    layers = _in_order([list(parts) for _, parts in columns])
    if not layers:
        return LayerCostTable((), (), ())
    gaps = []
    cells = []
    for column, parts in columns:
        whole = known.get((column.total, column.level, column.variant))
        between = known.get((_BETWEEN + column.part, column.level, column.variant))
        absent = format_value(column.elsewhere if parts else None)
        of_layers = [format_value(parts[n].value) if n in parts else absent for n in layers]
        rest = format_value(between.value) if between else absent
        cells.append([*of_layers, rest, format_value(whole.value if whole else None)])
        if MISSING in cells[-1]:
            told = _ONE_NETLIST if whole else undone.get(column.stage, "not measured")
            gaps.append((f"{column.title} by layer [{column.level.value}]", told))
    names = [*layers, "between layers", "whole"]
    return LayerCostTable(
        tuple((c.title, c.level.value, _unit(c)) for c in _COLUMNS),
        tuple((name, tuple(column[i] for column in cells)) for i, name in enumerate(names)),
        tuple(group_gaps(gaps)),
    )


def _parts(
    column: _Column, known: Mapping[tuple[str, Evidence, str | None], Metric]
) -> dict[str, Metric]:
    """The metrics of a column by layer."""
    end = f".{column.part}"
    return {
        name.removeprefix(_PREFIX).removesuffix(end): metric
        for (name, level, variant), metric in known.items()
        if column.part and name.startswith(_PREFIX) and name.endswith(end)
        if (level, variant) == (column.level, column.variant)
    }


def _in_order(found: list[list[str]]) -> list[str]:
    """All names, in the order of the longest list, the network's where its logic was made."""
    longest = max(found, key=len)
    return list(dict.fromkeys([*longest, *(name for names in found for name in names)]))


def _unit(column: _Column) -> str:
    unit = required_row(column.total).unit
    return unit if unit in ("ns", "um2") else ""
