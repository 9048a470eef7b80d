"""Prove that the mapped netlist computes what the RTL does, with a control that must be caught."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

from flows.artefacts.generated_rtl import generated_design, simulated_design
from flows.artefacts.netlists import cell_library, chip_design, mapped_folder
from flows.command_line.options import LEAVE_VERDICT, add_design, add_or_skip, add_seconds
from flows.command_line.progress import progress
from flows.frame import Found
from flows.layout import DesignLayout
from flows.stages import Stage
from hw.forms import GENERATED
from hw.foundation.errors import CheckFailed, OutOfTime, ToolMissing
from hw.generated.network_logic import NoLogic
from hw.netlist.equivalence import ControlFailed, compare, control, gates_of, modules_of
from hw.netlist.gate_netlist import mapped_netlist, read_modules_apart
from hw.netlist.liberty import Library
from hw.netlist.module_equivalence import ModuleProof, prove_modules
from hw.open_tools.yosys import DISTRIBUTION
from hw.synthesis.mapping import NETLIST_JSON
from hw.targets.target import load_target
from reports.catalogue import Value

CANNOT = (NoLogic, ToolMissing, OutOfTime)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    parser.add_argument(
        "--seed", type=int, default=1, help="seed that chooses the gates of the controls"
    )
    add_seconds(parser, 900.0, "time after which a proof is given up, undecided")
    add_or_skip(parser, LEAVE_VERDICT)


def measure(stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    library = cell_library(load_target(arguments.target))
    prove = _prove_generated if stage.form is GENERATED else _prove_reconfigurable
    try:
        return prove(design, stage, library, arguments)
    except ControlFailed as error:
        return _found({"equivalence.control_caught": False}, str(error))
    except CheckFailed as error:  # before there is a verdict on the functions
        return _found({"equivalence.proved": False}, str(error))


def _found(values: dict[str, Value], failure: str | None, *told: str) -> Found:
    return Found(
        values, failure=failure, subject="equivalence", told=told, packages=(DISTRIBUTION,)
    )


def _prove_generated(
    design: DesignLayout, stage: Stage, library: Library, arguments: argparse.Namespace
) -> Found:
    assert stage.form is not None
    rtl = generated_design(design)
    netlist = mapped_netlist(mapped_folder(design, stage.form), rtl.top, library)
    print(f"reading {design.target.rtl}", file=sys.stderr, flush=True)
    gates = gates_of(simulated_design(rtl, design.target.rtl).verilog, library)
    print("proving that the netlist equals it", file=sys.stderr, flush=True)
    seconds = arguments.seconds
    with ThreadPoolExecutor(2) as pool:  # each is a run of ABC, on one core
        proof = pool.submit(compare, gates, netlist, seconds=seconds)
        caught = pool.submit(control, gates, netlist, arguments.seed, seconds=seconds)
        verdict, mutation = proof.result(), caught.result()
    values: dict[str, Value] = {
        "equivalence.proved": verdict.equal,
        "equivalence.functions": verdict.functions,
        "equivalence.control_caught": True,
    }
    if not verdict.equal:
        return _found(
            values,
            f"the netlist of {rtl.top} is not what the RTL is; of {verdict.functions} functions "
            f"these differ: {', '.join(verdict.differing)}, ...; make gatesim names vectors",
        )
    return _found(
        values,
        None,
        f"equivalence proved: {verdict.functions} functions of RTL and netlist are the same; "
        f"the control was caught ({mutation})",
    )


def _prove_reconfigurable(
    design: DesignLayout, stage: Stage, library: Library, arguments: argparse.Namespace
) -> Found:
    assert stage.form is not None
    file = mapped_folder(design, stage.form) / NETLIST_JSON
    verilog = chip_design(stage.form)
    netlist = read_modules_apart(file, verilog.top, library)
    print(f"reading the RTL of {verilog.top}", file=sys.stderr, flush=True)
    rtl = modules_of(verilog, library)
    seconds = arguments.seconds
    with progress("equivalence, modules", len(netlist)) as advance:
        proofs = prove_modules(rtl, netlist, arguments.seed, seconds=seconds, progress=advance)
    differing = [proof for proof in proofs if proof.verdict and not proof.verdict.equal]
    undecided = [proof.name for proof in proofs if proof.verdict is None]
    controls = [proof.control for proof in proofs if proof.control]
    functions = sum(proof.verdict.functions for proof in proofs if proof.verdict)
    values: dict[str, Value] = {"equivalence.functions": functions}
    if controls:
        values["equivalence.control_caught"] = True
    if differing:
        return _found(
            values | {"equivalence.proved": False},
            f"modules of the netlist that are not what the RTL is: {_in_words(differing)}",
        )
    if undecided:
        raise OutOfTime(
            f"of {len(proofs)} modules these were not proved in {seconds:g} s each: "
            f"{', '.join(undecided)}"
        )
    return _found(
        values | {"equivalence.proved": True},
        None,
        f"equivalence proved: {len(proofs)} modules, {functions:,} functions of RTL and netlist "
        f"are the same; {len(controls)} of {len(controls)} controls were caught",
    )


def _in_words(differing: list[ModuleProof]) -> str:
    return "; ".join(
        f"{proof.name}: {', '.join(proof.verdict.differing)}, ..."
        for proof in differing
        if proof.verdict
    )
