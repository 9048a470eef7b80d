"""Triple chosen weight registers of the chip's encoder: what it costs, and the proof that it holds.

The weight registers are mapped to the cell library once for each level of protection; the network
behind them is the same for all.  Of every tripled bit the netlist must still have three flip-flops
and their vote, and no upset of a single flip-flop of the fully tripled registers may change a
weight: both are shown on the netlist, and both must catch a voter that is left out.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.artefacts.netlists import liberty_file
from flows.artefacts.stage_results import metrics_file, remedy, state
from flows.command_line.options import LEAVE_VERDICT, add_build, add_or_skip, add_target
from flows.command_line.progress import progress
from flows.frame import Found
from flows.layout import DesignLayout
from flows.radiation.protection import Level, levels
from flows.stages import BY_NAME, Stage
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError, ToolMissing
from hw.netlist.gate_netlist import GateNetlist, mapped_netlist
from hw.netlist.redundancy import Kept, RedundantNetlist
from hw.netlist.simple_gates import Gate, Net
from hw.netlist.static_timing import critical_path
from hw.open_tools.verilog_design import VerilogDesign
from hw.open_tools.yosys import DISTRIBUTION
from hw.rtl import sources
from hw.synthesis.asic import AsicStatistics, CellLibrary, read_library, synthesise_asic
from hw.targets.target import load_target
from reports.catalogue import Value
from reports.report import Progress
from testbench.econ_t.protected_bits import tmrg_module
from testbench.simulators.flip_machine import FlipMachine

CANNOT = (ToolMissing,)

_TOP = "encoder_registers"
_WEIGHTS, _UPSET = "weights", "upset"
_SHARES = (0.99,)
_TO_TMRG = "damage_99"
_CLOCKS = 3  # of each simulated upset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_build(parser)
    parser.add_argument("--model", default="econ_t", help="model in the chip's arithmetic")
    add_target(parser, "hardware target: its Liberty file")
    add_or_skip(parser, LEAVE_VERDICT)


def measure(stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    upsets = BY_NAME["upsets"]
    if state(upsets, design).progress is not Progress.DONE:
        raise InputError(f"{stage.name} needs the damage of each bit: {remedy(upsets, design)}")
    target = load_target(arguments.target)
    library = read_library(liberty_file(target), target.gate_equivalent_cell)
    folder = metrics_file(stage, design).parent
    chosen = levels(design.model, _SHARES)
    values: dict[str, Value] = {}
    failures, told = [], []
    with progress("levels of protection", len(chosen)) as advance:
        for level in chosen:
            print(f"mapping the weight registers: {level.words}", file=sys.stderr, flush=True)
            built = _build(level, library, folder / level.name)
            values |= _values(level, built)
            if built.fault:
                failures.append(f"{level.words}: {built.fault}")
            told.append(_in_words(level, built))
            if level.name == "all":
                reaching, caught = _single_upsets(built.netlist)
                values["protection.upsets.flip_flops"] = len(built.netlist.registers)
                values["protection.upsets.reaching"] = reaching
                values["protection.control_caught"] = caught
                if reaching:
                    failures.append(f"{reaching} single upsets change a weight")
                if not caught:
                    failures.append("a voter that was left out was not found")
            advance(1)
    _write_choices(folder, chosen)
    return Found(
        values,
        failure="; ".join(failures) or None,
        subject="tripled weight registers",
        told=(*told, f"masks and TMRG's module: {folder}"),
        packages=(DISTRIBUTION,),
    )


@dataclass(frozen=True)
class _Built:
    """The weight registers at one level, mapped.

    Attributes:
        proved: tripled bits whose copies and vote are all there.
        fault: the first bit of which that is not so, and why; empty where there is none.
    """

    statistics: AsicStatistics
    netlist: GateNetlist
    critical_path_ns: float
    proved: int
    fault: str


def _build(level: Level, library: CellLibrary, folder: Path) -> _Built:
    design = VerilogDesign(sources(), _TOP, {"TRIPLED": level.mask} if level.mask else {})
    statistics = synthesise_asic(design, library, folder, flat=False)
    netlist = mapped_netlist(folder, _TOP, library.library)
    found = _proofs(netlist, level)
    faulty = [item for item in found if item.fault]
    fault = f"{len(faulty)} bits, such as {faulty[0].bit}: {faulty[0].fault}" if faulty else ""
    path = critical_path(netlist)
    return _Built(statistics, netlist, path.delay_ns, len(found) - len(faulty), fault)


def _proofs(netlist: GateNetlist, level: Level) -> list[Kept]:
    voted = netlist.outputs[_WEIGHTS]
    bits = {f"weight bit {i}": voted[i] for i in level.bits.nonzero()[0].tolist()}
    return list(RedundantNetlist(netlist, unused=(_UPSET,)).kept(bits))


def _values(level: Level, built: _Built) -> dict[str, Value]:
    name = f"protection.{level.name}"
    cells, library = built.statistics.cells, built.netlist.library
    return {
        f"{name}.bits": float(level.bits.mean()),
        f"{name}.damage_left": level.damage_left,
        f"{name}.flip_flops": sum(n for kind, n in cells.items() if library.cells[kind].storage),
        f"{name}.area_um2": built.statistics.area_um2,
        f"{name}.critical_path_ns": round(built.critical_path_ns, 4),
        f"{name}.proved": built.proved == int(level.bits.sum()),
    }


def _in_words(level: Level, built: _Built) -> str:
    return (
        f"{level.words}: {level.bits.mean():.1%} of the bits, "
        f"{level.damage_left:.2%} of the damage "
        f"left, {built.statistics.area_um2:,.0f} um2, {built.critical_path_ns:.3f} ns, "
        f"{built.proved:,} of {level.bits.sum():,} tripled bits proved to be kept"
    )


# --- upsets of single flip-flops ------------------------------------------------------------------
def _single_upsets(netlist: GateNetlist) -> tuple[int, bool]:
    """How many single upsets change a weight, and whether a voter that is left out is caught."""
    (item,) = RedundantNetlist(netlist, (_UPSET,)).kept({"": netlist.outputs[_WEIGHTS][0]})
    copy = next(net for net, inverted in item.copies[1].outputs.items() if not inverted)
    damaged = _without_voter(netlist, netlist.outputs[_WEIGHTS][0], copy)
    return _reaching(netlist, len(netlist.registers)), _reaching(damaged, 1, item) == 1


def _reaching(netlist: GateNetlist, count: int, only: Kept | None = None) -> int:
    names = {only.copies[1].gate.name} if only else None
    registers = [r for r in netlist.registers if names is None or r.gate.name in names][:count]
    state = {register.gate.name: 0 for register in netlist.registers}
    inputs = [{net: 0 for nets in netlist.inputs.values() for net in nets}] * _CLOCKS
    with progress("upsets of single flip-flops", len(registers)) as advance:
        effects = FlipMachine(netlist).effects(
            state, inputs, registers, ports=(_WEIGHTS,), progress=advance
        )
    return sum(bool(effect.differs.any() or effect.stays) for effect in effects)


def _without_voter(netlist: GateNetlist, voted: Net, copy: Net) -> GateNetlist:
    """The netlist in which one copy stands in place of the vote."""
    voter = netlist.drivers[voted]
    kind, source, result = next(
        (name, next(iter(logic.inputs)), pin)
        for name, logic in sorted(netlist.library.gates.items())
        for pin, table in logic.truth_tables.items()
        if table == (False, True)
    )
    return netlist.with_gate(Gate(voter.name, kind, {source: copy, result: voted}))


# --- files ----------------------------------------------------------------------------------------
def _write_choices(folder: Path, chosen: Sequence[Level]) -> None:
    masks = {
        level.name: {"bits": int(level.bits.sum()), "TRIPLED": f"{len(level.bits)}'h{level.mask:x}"}
        for level in chosen
    }
    write_text(folder / "masks.json", json.dumps(masks, indent=1) + "\n")
    for level in chosen:
        if level.name == _TO_TMRG:
            text = "\n".join(tmrg_module(level.bits)) + "\n"
            write_text(folder / "encoder_weight_registers.v", text)
