"""Equivalence of RTL and a netlist with the same hierarchy, module by module.

Where synthesis maps each module once, each is proved once, however often it stands: as a function
of its inputs and of what its instances of other modules drive, which gives its outputs and what
drives these instances.  With the same instances everywhere, equal modules make equal designs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hw.foundation.errors import CheckFailed, OutOfTime
from hw.netlist.equivalence import Mutation, Verdict, compare, control
from hw.netlist.gate_netlist import Module


@dataclass(frozen=True)
class ModuleProof:
    """What was found of one module.

    Attributes:
        name: of the module and where it stands.
        verdict: None where there was none in the time given.
        control: the change that was told from the RTL; None without a verdict of equality, and in
            a module of wires only.
    """

    name: str
    verdict: Verdict | None
    control: Mutation | None = None


def prove_modules(
    rtl: Mapping[str, Module],
    netlist: Mapping[str, Module],
    seed: int,
    *,
    seconds: float | None = None,
    progress: Callable[[int], None] = lambda count: None,
) -> list[ModuleProof]:
    """Compare all modules, each equal one with a control of its own.

    Args:
        seed: chooses the gates of the controls.
        seconds: after which each proof is given up.
        progress: called with the number of modules done since its last call.

    Raises:
        CheckFailed: other modules or instances, or a register without counterpart.
        ControlFailed: a control was not told from the RTL.
        InputError, ToolMissing, ToolFailed: as `hw.netlist.equivalence.compare`.
    """
    _check_instances(rtl, netlist)
    proofs = []
    for kind, module in netlist.items():
        proofs.append(_prove(rtl[kind], module, seed, seconds))
        progress(1)
    return proofs


def _check_instances(rtl: Mapping[str, Module], netlist: Mapping[str, Module]) -> None:
    for kind in (*rtl, *netlist):
        if kind not in rtl or kind not in netlist:
            which = "RTL" if kind in rtl else "netlist"
            name = (rtl.get(kind) or netlist[kind]).name
            raise CheckFailed(f"module {name} is only in the {which}")
        here, there = rtl[kind].instances, netlist[kind].instances
        if other := sorted(set(here.items()) ^ set(there.items())):
            raise CheckFailed(
                f"module {rtl[kind].name}: RTL and netlist have other instances: "
                f"{other[0][0]} is a {here.get(other[0][0], 'nothing')} in the RTL, a "
                f"{there.get(other[0][0], 'nothing')} in the netlist"
            )


def _prove(rtl: Module, netlist: Module, seed: int, seconds: float | None) -> ModuleProof:
    try:
        verdict = compare(rtl.netlist, netlist.netlist, seconds=seconds)
        if not verdict.equal or not netlist.netlist.gates:
            return ModuleProof(rtl.name, verdict)
        mutation = control(rtl.netlist, netlist.netlist, seed, seconds=seconds)
    except OutOfTime:
        return ModuleProof(rtl.name, None)
    return ModuleProof(rtl.name, verdict, mutation)
