"""Why numbers are missing: the names that share a reason are told together."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """Numbers that were not measured for one reason."""

    names: tuple[str, ...]
    reason: str


def group_gaps(reasons: Iterable[tuple[str, str]]) -> list[Gap]:
    """Group pairs of name and reason by reason; an empty reason is no gap."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons:
        if reason:
            names.setdefault(reason, []).append(name)
    return [Gap(tuple(dict.fromkeys(members)), reason) for reason, members in names.items()]
