"""What the project needs to know of an HLS tool; one file of this folder has the facts of each."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hw.backends.tool_reports import Figure

if TYPE_CHECKING:  # a target names its backend
    from hw.targets.target import Target


@dataclass(frozen=True)
class Program:
    """A program of a vendor.

    Attributes:
        purpose: what the flow does with it.
        remedy: how to get it.
        home: environment variable that names the folder above its `bin`, where PATH lacks that.
    """

    name: str
    purpose: str
    remedy: str
    home: str | None = None

    def path(self) -> str | None:
        """Where it is; None where it is not installed."""
        home = os.environ.get(self.home) if self.home else None
        at_home = shutil.which(self.name, path=str(Path(home) / "bin")) if home else None
        return shutil.which(self.name) or at_home


@dataclass(frozen=True)
class Request:
    """What is wanted of the tools.

    Attributes:
        cosim: simulate the RTL that HLS makes, beside synthesis to RTL.
        synthesis: logic synthesis of that RTL for the target's FPGA.
    """

    cosim: bool = True
    synthesis: bool = False


class Prepare(Protocol):
    """Tells the scripts of a project what is requested; `vectors` says whether the bench's data
    were written for it."""

    def __call__(self, project: Path, request: Request, *, vectors: bool) -> None: ...


@dataclass(frozen=True)
class HlsBackend:
    """An HLS tool that hls4ml writes projects for.

    Attributes:
        name: hls4ml's name for it, a target's `backend`.
        programs: that can run its projects, the preferred one first.
        include_folders: in the project's `firmware`, of the headers that the C++ needs.
        conversion_options: what hls4ml's conversion is told besides what it is told for all.
        arguments: of a program, by its name, that does what is requested.
        read_reports: figures of all reports that it left in a project.
        prepare: done to a project before a program runs; None for nothing.
        definitions: macros of the C-simulation's bench, without their prefix.
        takes_asic_libraries: whether a target may name an ASIC library.
        calls_synthesis: whether it calls the FPGA vendor's synthesis by itself.
    """

    name: str
    programs: tuple[Program, ...]
    include_folders: tuple[str, ...]
    conversion_options: Callable[["Target"], dict[str, Any]]
    arguments: Callable[[str, Request], tuple[str, ...]]
    read_reports: Callable[[Path], list[Figure]]
    prepare: Prepare | None = None
    definitions: Mapping[str, str] = field(default_factory=dict)
    takes_asic_libraries: bool = False
    calls_synthesis: bool = False


def script_options(request: Request) -> dict[str, int]:
    """Options of hls4ml's scripts.  The C-simulation has been done; outputs are compared here."""
    return {
        "reset": 1,
        "csim": 0,
        "synth": 1,
        "cosim": int(request.cosim),
        "validation": 0,
        "export": 0,
        "vsynth": 0,
        "fifo_opt": 0,
    }
