"""Published designs, to set one's own beside: `anchors.yaml` read into records."""

from functools import cache
from pathlib import Path

from hw.foundation.strict_config import StrictRecord, load_record

_FILE = Path(__file__).resolve().with_name("anchors.yaml")


class Anchor(StrictRecord):
    """One published design.

    Attributes:
        title: heading of its column.
        design: what it is, and at which level its figures stand.
        source: where they are published.
        figures: by metric name; a text where the source gives a range.
    """

    title: str
    design: str
    source: str
    figures: dict[str, int | float | str]


class _Anchors(StrictRecord):
    anchors: list[Anchor]


@cache
def anchors() -> tuple[Anchor, ...]:
    """All of them, in the order of the file."""
    return tuple(load_record(_FILE, _Anchors).anchors)
