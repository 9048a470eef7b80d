"""OpenSTA, where it is installed: a mapped netlist and its clock handed over, its answer read."""

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hw.foundation import external_tool
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError, ToolFailed
from hw.netlist.gate_netlist import GateNetlist, port_bit, to_verilog

OPENSTA = "OpenSTA"
CLOCK = "econt_clock"
NOT_INSTALLED = "OpenSTA is not installed; Debian/Ubuntu: apt install opensta"

_STA = "sta"
_LIBRARY = "cells.lib"
_WIRE_LOAD = re.compile(r"default_wire_load\w*\s*:\s*[^;\n]*;?")
_ERROR = re.compile(r"^Error:", re.MULTILINE)
_Answer = TypeVar("_Answer")


def opensta_version() -> str | None:
    """Version of OpenSTA; None where its program `sta` is not on PATH, or is another one."""
    program = shutil.which(_STA)
    if program is None:
        return None
    try:
        found = re.match(r"\d+\.\d\S*", external_tool.run([program, "-version"], OPENSTA))
    except ToolFailed:
        return None
    return found[0] if found else None


def design(netlist: GateNetlist, clock_period_ns: float) -> list[str]:
    """Commands that read the netlist: an ideal clock, inputs that change at its edge, no wires.

    Raises:
        InputError: a clock is no input.
    """
    ports = {
        net: port_bit(p, i) for p, nets in netlist.inputs.items() for i, net in enumerate(nets)
    }
    clocks = {register.clock for register in netlist.registers}
    if unknown := clocks - ports.keys():
        names = ", ".join(netlist.name(net) for net in sorted(unknown))
        raise InputError(f"{netlist.top}: registers are clocked by {names}, which is no input")
    places = f" [get_ports {{{' '.join(ports[net] for net in sorted(clocks))}}}]" if clocks else ""
    data = [name for net, name in ports.items() if net not in clocks]
    return [
        f"read_liberty {_LIBRARY}",
        "read_verilog netlist.v",
        f"link_design {netlist.top}",
        f"create_clock -name {CLOCK} -period {clock_period_ns:.9g}{places}",
        f"set_input_delay 0 -clock {CLOCK} [get_ports {{{' '.join(data)}}}]",
    ]


def read(
    netlist: GateNetlist,
    script: Sequence[str],
    parse: Callable[[str], _Answer | None],
    purpose: str,
    library: str | None = None,
) -> _Answer:
    """What OpenSTA answers to a script that starts with `design`.

    Args:
        parse: its output; None for no answer.
        purpose: one word, for messages and the script's name.
        library: Liberty text; None for the netlist's own, without its wire loads.

    Raises:
        ToolMissing: `sta` is not on PATH.
        ToolFailed: it failed, or gave no answer.
    """
    program = external_tool.program(_STA, f"{purpose} by {OPENSTA}")
    what = f"{purpose} of {netlist.top} with {OPENSTA}"
    if library is None:
        own = netlist.library.file.read_text(encoding="utf-8", errors="replace")
        library = _WIRE_LOAD.sub("", own)
    with tempfile.TemporaryDirectory(prefix=f"econt-{purpose}-") as scratch:
        folder = Path(scratch)
        write_text(folder / _LIBRARY, library)
        write_text(folder / "netlist.v", "\n".join(to_verilog(netlist)) + "\n")
        write_text(folder / f"{purpose}.tcl", "\n".join([*script, "exit", ""]))
        command = [program, "-no_splash", "-exit", f"{purpose}.tcl"]
        output = external_tool.run(command, what, folder=folder)
    # it goes on after an error, and ends as if nothing had been
    answer = None if _ERROR.search(output) else parse(output)
    if answer is None:
        raise external_tool.failure(what, output, command)
    return answer
