"""Module data: the record of charges and directions that all else reads, and its loading."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from models.data.csv_layout import ENTRY, ETA, PHI, CsvLayout, find_layout
from models.data.csv_reader import Columns, read_csv
from models.data.data_cache import content_hash, read_cache, write_cache
from models.data.geometry import TRIGGER_CELLS

_ENERGY_OF_EVENT = "EventSimEnergy"


@dataclass(frozen=True, eq=False)
class ModuleData:
    """Charges of n modules, and what else is known of them.

    Attributes:
        calq: calibrated trigger-cell charges, CALQ counts, float32 of shape (n, 48).
        eta: pseudorapidity (tc_eta), float32 of shape (n,), or None.
        phi: azimuth (tc_phi), radians, float32 of shape (n,), or None.
        columns: further columns by their name in the file, each of shape (n,).
        event: a number for each module, equal for modules of one event, shape (n,); None where
            the file does not tell.
        content_hash: of the files read, 16 hexadecimal digits.
    """

    calq: npt.NDArray[np.float32]
    eta: npt.NDArray[np.float32] | None = None
    phi: npt.NDArray[np.float32] | None = None
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    event: npt.NDArray[np.int64] | None = None
    content_hash: str = ""

    def __len__(self) -> int:
        return len(self.calq)

    def select(self, rows: Any) -> "ModuleData":
        """The modules at `rows`: indices, a slice, or a mask of shape (n,)."""
        return ModuleData(
            self.calq[rows],
            None if self.eta is None else self.eta[rows],
            None if self.phi is None else self.phi[rows],
            {name: values[rows] for name, values in self.columns.items()},
            None if self.event is None else self.event[rows],
            self.content_hash,
        )


def load_modules(
    path: Path | str,
    *,
    header: bool | None = None,
    rows_per_file: int | None = None,
    cache: Path | None = None,
) -> ModuleData:
    """Read one CSV file, or all `*.csv` of a folder in sorted order.

    Args:
        header: True or False demands that the files have or lack a header; None takes either.
        rows_per_file: read only so many modules of each file; faults after them do not matter.
        cache: folder for fast copies of the data; None reads the text every time.

    Raises:
        InputError: no such file, mixed layouts, or a fault in a file, told with line and column.
    """
    if rows_per_file is not None and rows_per_file < 1:
        raise InputError(f"rows per file must be at least 1, found {rows_per_file}")
    try:
        return _load(Path(path), header, rows_per_file, cache)
    except OSError as error:
        raise InputError(
            f"{error.filename or path}: cannot be read or written: {error.strerror or error}"
        ) from error


def _load(path: Path, header: bool | None, rows: int | None, cache: Path | None) -> ModuleData:
    files = csv_files(path)
    layouts = [find_layout(file, header) for file in files]
    _refuse_mixture(files, layouts)
    content = content_hash(files, cache)
    key = f"{content}-{rows or 'all'}"
    stored = cache / f"modules-{key}.npz" if cache else None
    columns = read_cache(stored, key) if stored else None
    if columns is None:
        columns = _with_event(_read_files(files, layouts, rows))
        if stored:
            write_cache(stored, key, columns)
    return ModuleData(
        columns.pop("calq"),
        columns.pop(ETA, None),
        columns.pop(PHI, None),
        event=columns.pop("event", None),
        columns=columns,
        content_hash=content,
    )


def csv_files(path: Path) -> list[Path]:
    """The file itself, or all `*.csv` of a folder in sorted order.

    Raises:
        InputError: there is none.
    """
    if path.is_dir():
        found = [file for file in path.glob("*.csv") if not file.name.startswith(".")]
        files = sorted(file for file in found if file.is_file())
        if not files:
            raise InputError(f"{path}: this folder holds no *.csv file")
        return files
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder")
    return [path]


def _refuse_mixture(files: list[Path], layouts: list[CsvLayout]) -> None:
    first, expected = files[0], layouts[0]
    for file, layout in zip(files, layouts, strict=True):
        odd = sorted(set(layout.position) ^ set(expected.position))
        if layout.header != expected.header:
            what = f"has {'a' if layout.header else 'no'} header, unlike {first}"
        elif odd:
            what = f"and {first} differ in the columns {', '.join(odd)}"
        else:
            continue
        raise InputError(f"{file}: {what}; keep files of one layout in a folder")


def _read_files(files: list[Path], layouts: list[CsvLayout], rows: int | None) -> Columns:
    charges = _GrowingRows()
    blocks: dict[str, list[npt.NDArray]] = {}
    for file, layout in zip(files, layouts, strict=True):
        before = len(charges)
        for block in read_csv(file, layout, rows):
            charges.append(block.pop("calq"))
            for name, values in block.items():
                blocks.setdefault(name, []).append(values)
        if len(charges) == before:
            raise InputError(f"{file}: has a header and no modules; expected one module a row")
    return {"calq": charges.array()} | {name: np.concatenate(b) for name, b in blocks.items()}


class _GrowingRows:
    """Charges appended block by block, and never twice in memory."""

    def __init__(self) -> None:
        self._rows = np.empty((1 << 16, TRIGGER_CELLS), dtype=np.float32)
        self._filled = 0

    def __len__(self) -> int:
        return self._filled

    def append(self, block: npt.NDArray) -> None:
        filled = self._filled + len(block)
        if filled > len(self._rows):  # the C library moves the pages of a large array, not bytes
            self._resize(max(filled, len(self._rows) * 9 // 8))
        self._rows[self._filled : filled] = block
        self._filled = filled

    def array(self) -> npt.NDArray[np.float32]:
        self._resize(self._filled)
        return self._rows

    def _resize(self, rows: int) -> None:
        self._rows.resize((rows, self._rows.shape[1]), refcheck=False)


def _with_event(columns: Columns) -> Columns:
    """Number the events by `entry`, else by their energy, in all files together.

    The makers of the data deal one event's modules out to several files, so equal entries of two
    files may be one event; where they are not, the two only keep together needlessly.
    """
    entry = columns.pop(ENTRY, None)
    if entry is not None:
        event = np.unique(entry, return_inverse=True)[1]
    elif _ENERGY_OF_EVENT in columns:
        energy = columns[_ENERGY_OF_EVENT]
        event = np.unique(energy, return_inverse=True)[1]
        unknown = energy == 0  # without signal there is nothing to know the event by
        event[unknown] = -1 - np.arange(np.count_nonzero(unknown))
    else:
        return columns
    return {**columns, "event": event.astype(np.int64)}
