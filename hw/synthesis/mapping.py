"""What all mappings of a design to cells share: scripts' begin and end, running them, results."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hw.foundation.atomic_file import atomic_directory, write_text
from hw.foundation.content_hash import HashIndex
from hw.foundation.errors import EcontError, InputError
from hw.foundation.json_file import json_content
from hw.open_tools.verilog_design import VerilogDesign
from hw.open_tools.yosys import quoted, run, version

NETLIST = "netlist.v"
"""The mapped netlist as Verilog."""
NETLIST_JSON = "netlist.json"
"""The same as yosys's JSON."""
STATISTICS = "statistics.json"

_HASHES = "files"  # in the statistics: hashes of the netlists that they are of

# Widths travel from a module's ports to its leaves one adder a round.
NARROWING_ROUNDS = 6

Modules = Mapping[str, Any]
"""Modules of a design by name, as yosys writes them in JSON."""


_ONE_SUM = "one_sum"
"""Attribute of modules in Verilog that are one sum of several numbers."""


def relative(path: Path, folder: Path) -> str:
    """`path` as a word of a script that runs in `folder`: a moved build folder stays whole."""
    return quoted(Path(os.path.relpath(path.resolve(), folder.resolve())))


def elaborate(design: VerilogDesign, folder: Path) -> list[str]:
    """Commands that read a design and make it cells of word width, as narrow as can be shown."""
    parameters = "".join(
        f" -chparam {name} {word}" for name, word in design.parameter_words.items()
    )
    sources = " ".join(relative(source, folder) for source in design.sources)
    return [
        f"read_verilog -sv {sources}",
        f"hierarchy -check -top {design.top}{parameters}",
        "proc",
        # sums so marked: later, numbers as narrow as can be are no longer one sum to yosys
        f"alumacc A:{_ONE_SUM}",
        "check -assert",
        "memory",
        "opt -full",
        *NARROWING_ROUNDS * ["wreduce", "opt_clean"],
    ]


def write(design: VerilogDesign) -> list[str]:
    """Commands that write the mapped netlist."""
    return [
        "delete t:$scopeinfo",
        "blackbox =A:whitebox",
        f"hierarchy -check -top {design.top}",
        "check -mapped -assert",
        "stat",
        f"write_json {NETLIST_JSON}",
        f"write_verilog -noattr {NETLIST}",
    ]


def fingerprint(script: str, files: Iterable[Path]) -> str:
    """Digest of all that a netlist depends on."""
    digest = hashlib.sha256("\0".join([version(), script]).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


class Statistics(Protocol):
    """Frozen record of what a mapped design takes; `fingerprint` is that of all it depends on."""

    @property
    def fingerprint(self) -> str: ...


Counted = TypeVar("Counted", bound=Statistics)


def read_statistics(kind: type[Counted], folder: Path) -> Counted | None:
    """The statistics that `map_once` left in a folder; None if it did not, or if they or the
    netlists are not as it left them."""
    try:
        content = json.loads((folder / STATISTICS).read_text(encoding="utf-8"))
        intact = content.pop(_HASHES) == _hashes(folder)
        return kind(**content) if intact else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _hashes(folder: Path) -> dict[str, str]:
    index = HashIndex()
    return {name: index[folder / name] for name in (NETLIST, NETLIST_JSON)}


def _is_sound(done: Counted, folder: Path, count: Callable[[Modules], Counted]) -> bool:
    """Whether the statistics are those of the netlist beside them."""
    try:
        return count(read_modules(folder)) == done
    except EcontError:
        return False


def map_once(
    kind: type[Counted],
    folder: Path,
    source: str,
    script: str,
    *,
    what: str,
    count: Callable[[Modules], Counted],
    files: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Counted:
    """Run a script; the folder, replaced as a whole, holds script, log, netlist and statistics.

    A folder that holds the sound result of the same `source` is left as it is.

    Args:
        kind: the record that `count` makes of the netlist's modules.
        source: its fingerprint.
        what: is being done, for the message of a failure.
        files: what the script reads in its folder, by name.
        progress: called with 1 at each command of the script.

    Raises:
        ToolMissing: yosys is not installed.
        ToolFailed: yosys failed.
    """
    done = read_statistics(kind, folder)
    if done is not None and done.fingerprint == source and _is_sound(done, folder, count):
        return done
    with atomic_directory(folder) as temporary:
        for name, text in (files or {}).items():
            write_text(temporary / name, text)
        run(script, temporary, what, progress=progress)
        statistics = count(read_modules(temporary))
        text = json.dumps({**vars(statistics), _HASHES: _hashes(temporary)}, indent=1)
        write_text(temporary / STATISTICS, text + "\n")
    return statistics


def read_modules(folder: Path) -> Modules:
    """The modules of the netlist in `folder`.

    Raises:
        InputError: there is none, or it is damaged.
    """
    return netlist_modules(folder / NETLIST_JSON)


def netlist_modules(file: Path) -> Modules:
    """The modules of a netlist that yosys wrote as JSON.

    Raises:
        InputError: there is no such file, or it is damaged; `make synth` maps the design anew.
    """
    with json_content(file, "map the design anew: make synth") as content:
        modules: Modules = content["modules"]
        for module in modules.values():
            for part in ("ports", "cells", "netnames", "attributes"):
                module.setdefault(part, {}).items()
        return modules


def instances(modules: Modules, top: str) -> Counter[str]:
    """How often each module of a netlist stands in the whole of it, the top once."""
    found: Counter[str] = Counter()
    pending = Counter({top: 1})
    while pending:
        name, count = pending.popitem()
        found[name] += count
        for cell in modules[name]["cells"].values():
            if cell["type"] in modules and not is_leaf(modules[cell["type"]]):
                pending[cell["type"]] += count
    return found


def count_cells(modules: Modules, top: str) -> Counter[str]:
    """Cells of each kind in the whole netlist, those of its submodules as often as they stand.

    Raises:
        InputError: there are none.
    """
    cells: Counter[str] = Counter()
    for name, count in instances(modules, top).items():
        for cell in modules[name]["cells"].values():
            kind = cell["type"]
            if kind not in modules or is_leaf(modules[kind]):
                cells[kind] += count
    if not cells:
        raise InputError(f"nothing is left of {top} to map: it is wires and constants only")
    return cells


def is_leaf(module: Any) -> bool:
    """Whether a module is a cell of a technology, not a part of the design."""
    return "blackbox" in module["attributes"] or "whitebox" in module["attributes"]
