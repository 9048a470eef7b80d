"""How the measures of compression quality are written at an axis."""

from collections.abc import Container

from reports.catalogue import DISTANCE, QUALITY_MEASURES

_MEASURES = {measure.name: measure for measure in (DISTANCE, *QUALITY_MEASURES)}


def label(name: str) -> str:
    """Words and unit of a measure."""
    measure = _MEASURES[name]
    return f"{measure.axis} [{measure.unit}]" if measure.unit else measure.axis


def known_measures(names: Container[str]) -> list[str]:
    """Those of `names` that are measures, in the order in which they are shown."""
    return [name for name in _MEASURES if name in names]
