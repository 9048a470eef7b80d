"""Recordings of the chip's links, and where they lie.

A recording is a folder with registers (`init.yaml`) and output links (`testOutput.csv`); its input
links (`testInput.csv`) lie in it or in a folder above it, where they serve several recordings.
"""

from dataclasses import dataclass
from pathlib import Path

from hw.foundation.errors import InputError
from testbench.econ_t.links import (
    INPUT_COLUMN,
    INPUT_LINKS,
    OUTPUT_COLUMN,
    OUTPUT_LINKS,
    Words,
    read_link_csv,
)

INPUT_FILE = "testInput.csv"
REGISTER_FILE = "init.yaml"
OUTPUT_FILE = "testOutput.csv"


@dataclass(frozen=True)
class Recording:
    """A folder to check.

    Attributes:
        folder: with registers and output links.
        name: its path below the folder that was searched.
        input_file: input links.
    """

    folder: Path
    name: str
    input_file: Path


@dataclass(frozen=True)
class Search:
    """What was found below a folder.

    Attributes:
        recordings: in order of their names.
        skipped: names of folders without any recording in them.
    """

    recordings: tuple[Recording, ...]
    skipped: tuple[str, ...]


def find_recordings(folder: Path) -> Search:
    """The recordings in a folder: itself, and those in all folders below it.

    A folder that holds registers is a recording, and one that holds output links unless recordings
    lie below it.  Of the folders beside input links every one is, also a link that leads to none,
    which can only fail.  Hidden folders without registers or output links are left out.

    Raises:
        InputError: a folder cannot be read, or none holds a recording.
    """
    above = folder.resolve().parent / INPUT_FILE
    search = _search(folder, folder.resolve().name, above if above.exists() else None, frozenset())
    if not search.recordings:
        raise InputError(
            f"{folder}: holds no recording to check; each is a folder with {REGISTER_FILE} and "
            f"{OUTPUT_FILE}, {INPUT_FILE} in it or above it"
        )
    return search


def _search(folder: Path, name: str, inputs: Path | None, above: frozenset[Path]) -> Search:
    """Search a folder and what is below it.

    Args:
        name: of the folder; those below it are named by their path from the folder searched first.
        inputs: the input links above it.
        above: the folders above it, where links could lead in circles.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read as a folder: {error.strerror}") from error
    own = folder / INPUT_FILE
    own_inputs = own if own.exists() else inputs
    recordings: list[Recording] = []
    skipped: list[str] = []
    itself = Recording(folder, name, own_inputs or folder.parent / INPUT_FILE)
    if (folder / REGISTER_FILE).exists():
        recordings.append(itself)
    group = own.exists() and not recordings
    inside = above | {folder.resolve()}
    for path in entries:
        dangling = path.is_symlink() and not path.exists()
        if not (path.is_dir() or dangling) or path.resolve() in inside:
            continue
        if path.name.startswith(".") and not _holds_recording(path):
            continue
        inner = f"{name}/{path.name}" if above else path.name
        found = Search((), ()) if dangling else _search(path, inner, own_inputs, inside)
        if group and not found.recordings:
            recordings.append(Recording(path, inner, own))
        elif not found.recordings:
            skipped.append(inner)
        recordings += found.recordings
        skipped += found.skipped if found.recordings else ()
    if not recordings and (folder / OUTPUT_FILE).exists():
        recordings.append(itself)
    return Search(tuple(recordings), tuple(skipped))


def _holds_recording(folder: Path) -> bool:
    return (folder / REGISTER_FILE).exists() or (folder / OUTPUT_FILE).exists()


def read_inputs(file: Path) -> Words:
    """Input words, shape (n, 12), of a file. Raises InputError as `read_link_csv`."""
    return read_link_csv(file, INPUT_COLUMN, INPUT_LINKS)


def read_outputs(folder: Path) -> Words:
    """Output words, shape (n, 13), of a recording. Raises InputError as `read_link_csv`."""
    return read_link_csv(folder / OUTPUT_FILE, OUTPUT_COLUMN, OUTPUT_LINKS)
