"""Figures from the reports of vendor tools, and what all readers of such reports share.

Nothing is computed that a tool does not state, but for units, cycles turned into time, and
simulated outputs compared with those expected.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hw.foundation.errors import InputError

HLS_ESTIMATE = "estimate"
RTL_SIMULATION = "rtlsim"
SYNTHESIS = "synth"
PLACE_AND_ROUTE = "pnr"
"""Evidence levels."""

_NOT_KNOWN = ("na", "n/a", "undef", "-", "?", "x")


@dataclass(frozen=True)
class Report:
    """One report file and what wrote it.

    Attributes:
        file: the report.
        tool, version: `Vitis HLS`, `2023.1`.
        evidence: `estimate` (HLS), `rtlsim` (co-simulation), `synth` or `pnr` (logic synthesis).
    """

    file: Path
    tool: str
    version: str
    evidence: str

    def figure(self, name: str, text: str, unit: str) -> "Figure":
        """A figure from the report's text; a tool's word for `not known` gives None and says so.

        Raises:
            InputError: the text is neither.
        """
        if text.lower() in _NOT_KNOWN:
            reason = f"{self.tool} gives '{text}' in {self.file.name}"
            return Figure(name, None, unit, self, reason=reason)
        try:
            number = float(text)
        except ValueError as error:
            raise InputError(f"{self.file}: '{text}' is no number for {name}") from error
        return Figure(name, int(number) if number.is_integer() else number, unit, self)


@dataclass(frozen=True)
class Figure:
    """One number of one report.

    Attributes:
        name: dotted metric name, `latency.cycles`.
        value: None where the tool gives none; `reason` then says why.
        unit: `cycles`, `ns`, `LUT`, ...; empty for a yes or no.
        report: where it stands.
        better: direction of improvement; None where neither is.
    """

    name: str
    value: float | int | bool | None
    unit: str
    report: Report
    better: Literal["lower", "higher"] | None = "lower"
    reason: str | None = None


def newest(paths: Iterable[Path]) -> Path | None:
    """The file that was written last; None of none."""
    return max(paths, key=lambda path: path.stat().st_mtime, default=None)


def report_lines(path: Path) -> list[str]:
    """The lines of a report.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def match_line(path: Path, lines: list[str], pattern: str, what: str) -> tuple[str, ...]:
    """The groups of `pattern` in the first line that begins with it.

    Raises:
        InputError: no line does; the message says `what` is missing.
    """
    for line in lines:
        if found := re.match(pattern, line):
            return found.groups()
    raise InputError(f"{path}: no {what}; the report is malformed or incomplete")
