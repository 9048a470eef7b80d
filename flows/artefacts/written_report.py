"""Whether the report that lies there is the one that would be written now: it takes seconds."""

import hashlib
import json
from pathlib import Path

from flows.artefacts.seals import SEAL, metrics_file
from flows.layout import DesignLayout
from flows.stages import STAGES
from hw.foundation.atomic_file import write_text
from hw.foundation.content_hash import HashIndex
from hw.foundation.errors import InputError
from reports.report import DesignReport

_RECORD = ".report.json"
_PROJECT = Path(__file__).resolve().parents[2]
_ROOMS = ("reports", "flows", "models", "hw/foundation")  # whose code makes a report


def fingerprint(report: DesignReport, design: DesignLayout, *, skip_plot: bool) -> str:
    """Of all that the report shows, the pictures by the seals of the stages that they are of."""
    digest = hashlib.sha256(report.summary.model_dump_json().encode())
    shown = (report.description, report.stages, report.checks, report.layers, skip_plot, _code())
    digest.update(repr(shown).encode())
    for stage in STAGES:
        seal = metrics_file(stage, design).with_name(SEAL)
        if seal.is_file():
            digest.update(seal.read_bytes())
    return digest.hexdigest()


def _code() -> int:
    """When the code of this project changed last, in ns."""
    files = (
        file
        for room in _ROOMS
        for pattern in ("**/*.py", "**/*.j2")
        for file in (_PROJECT / room).glob(pattern)
    )
    return max((file.stat().st_mtime_ns for file in files), default=0)


def is_written(design: DesignLayout, found: str) -> bool:
    """Whether the files of the report of this fingerprint lie there as they were written."""
    try:
        record = json.loads((design.target.folder / _RECORD).read_text(encoding="utf-8"))
        return bool(record == {"fingerprint": found, "files": _files(design)})
    except (OSError, ValueError):
        return False


def require_as_written(summary: Path) -> None:
    """Refuse a summary that has been changed since its report was written beside it.

    Raises:
        InputError: it has been.
    """
    try:
        content = json.loads(summary.with_name(_RECORD).read_text(encoding="utf-8"))
        written = content["files"][summary.name]
    except (OSError, ValueError, LookupError, TypeError):
        return  # it was taken elsewhere, without its report
    if summary.is_file() and HashIndex()[summary] != written:
        raise InputError(f"{summary}: has changed since its report was written; make report again")


def record_written(design: DesignLayout, found: str) -> None:
    """Keep the fingerprint of the report that was just written."""
    record = {"fingerprint": found, "files": _files(design)}
    write_text(design.target.folder / _RECORD, json.dumps(record, indent=1) + "\n")


def _files(design: DesignLayout) -> dict[str, str]:
    index, target = HashIndex(), design.target
    files = [target.summary, target.markdown, target.html, *sorted(target.plots.glob("*"))]
    return {str(file.relative_to(target.folder)): index[file] for file in files}
