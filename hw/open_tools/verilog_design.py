"""A design in (System)Verilog, as the tools that read it are told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_LARGEST = 2**31 - 1


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

    @property
    def parameter_words(self) -> Mapping[str, str]:
        """The parameters as Verilog writes them: with a width where 32 bits do not hold them."""
        return {
            name: str(value)
            if -_LARGEST <= value <= _LARGEST
            else f"{value.bit_length()}'h{value:x}"
            for name, value in self.parameters.items()
        }
