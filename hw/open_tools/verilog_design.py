"""A design in (System)Verilog, as the tools that read it are told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class VerilogDesign:
    """A design with a top module.

    Attributes:
        sources: files in order, packages before their users.
        top: name of the top module.
        parameters: of the top module, by name.
    """

    sources: tuple[Path, ...]
    top: str
    parameters: Mapping[str, int] = field(default_factory=dict)
