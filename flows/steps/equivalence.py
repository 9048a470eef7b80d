"""Prove that the mapped netlist computes what the RTL does, with a control that must be caught."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flows.command_line.progress import progress
from flows.command_line.step_options import (
    OR_VERDICT,
    add_design,
    add_or_skip,
    or_verdict,
    require_at_least,
    require_some_seconds,
)
from flows.layout import (
    TargetLayout,
    model_layout,
    reconfigurable_equivalence,
    reconfigurable_synth,
    target_layout,
)
from flows.provenance import file_hash, provenance
from flows.steps.rtlsim import generated_design, simulated_design
from flows.steps.synth import ASIC, RECONFIGURABLE_TOP
from flows.steps.timing import cell_library, synthesised
from hw.foundation.errors import CheckFailed, ToolMissing
from hw.generated.network_logic import NoLogic
from hw.netlist.equivalence import ControlFailed, compare, control, gates_of, modules_of
from hw.netlist.gate_netlist import mapped_netlist, read_modules_apart
from hw.netlist.module_equivalence import ModuleProof, prove_modules
from hw.open_tools.abc import OutOfTime
from hw.open_tools.verilator import Design
from hw.open_tools.yosys import DISTRIBUTION
from hw.rtl import sources
from hw.synthesis.netlist import NETLIST_JSON
from hw.targets.target import Target, load_target
from reports.form_metrics import Value
from reports.metrics import with_provenance, write_metrics
from reports.netlist import EQUIVALENCE, netlist_metrics
from reports.side_by_side import GENERATED, RECONFIGURABLE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    parser.add_argument(
        "--reconfigurable",
        action="store_true",
        help="prove the chip's own encoder, module by module, in place of the model's generated "
        "RTL",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed that chooses the gates of the controls"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=900.0,
        metavar="SECONDS",
        help="time after which a proof is given up, undecided",
    )
    add_or_skip(parser, OR_VERDICT)


def run(arguments: argparse.Namespace) -> None:
    require_at_least(0, arguments, "seed")
    require_some_seconds(arguments)
    target = load_target(arguments.target)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    encoder_file = model_layout(arguments.build, arguments.model).network("encoder")
    if arguments.reconfigurable:
        file = reconfigurable_equivalence(arguments.build, arguments.target)
        results = _Results(file, RECONFIGURABLE, arguments.seed)
    else:
        results = _Results(layout.equivalence_metrics, GENERATED, arguments.seed)
    results.file.unlink(missing_ok=True)

    def record(reason: str) -> None:
        model_hash = None if arguments.reconfigurable else file_hash(encoder_file)
        results.write(model_hash, {}, reason)

    with or_verdict(arguments, "equivalence", (NoLogic, ToolMissing, OutOfTime), record):
        if arguments.reconfigurable:
            folder = reconfigurable_synth(arguments.build) / ASIC
            _prove_reconfigurable(results, folder, target, arguments.seconds)
        else:
            _prove_generated(results, layout, encoder_file, target, arguments.seconds)


@dataclass(frozen=True)
class _Results:
    """Where the results of a form of the design go."""

    file: Path
    variant: str
    seed: int

    def write(self, model_hash: str | None, values: dict[str, Value], reason: str | None) -> None:
        source = provenance(model_hash=model_hash, seed=self.seed, packages=(DISTRIBUTION,))
        metrics = netlist_metrics(EQUIVALENCE, self.variant, values, reason)
        write_metrics(self.file, with_provenance(metrics, source))

    @contextmanager
    def recording_failure(self, model_hash: str | None) -> Iterator[None]:
        """Where a check fails before there is a verdict, record that."""
        try:
            yield
        except CheckFailed as error:
            of_control = isinstance(error, ControlFailed)
            name = "equivalence.control_caught" if of_control else "equivalence.proved"
            self.write(model_hash, {name: False}, str(error))
            raise


def _prove_generated(
    results: _Results, layout: TargetLayout, encoder_file: Path, target: Target, seconds: float
) -> None:
    design = generated_design(layout, encoder_file)
    library = cell_library(target)
    netlist = mapped_netlist(synthesised(layout), design.top, library)
    print(f"reading {layout.rtl}", file=sys.stderr, flush=True)
    rtl = gates_of(simulated_design(design, layout.rtl).verilog, library)
    print("proving that the netlist equals it", file=sys.stderr, flush=True)
    with results.recording_failure(design.encoder_hash):
        verdict = compare(rtl, netlist, seconds=seconds)
        mutation = control(rtl, netlist, results.seed, seconds=seconds)
    message = None
    if not verdict.equal:
        message = (
            f"the netlist of {design.top} is not what the RTL is; of {verdict.functions} functions "
            f"these differ: {', '.join(verdict.differing)}, ...; make gatesim names vectors"
        )
    values: dict[str, Value] = {
        "equivalence.proved": verdict.equal,
        "equivalence.functions": verdict.functions,
        "equivalence.control_caught": True,
    }
    results.write(design.encoder_hash, values, message)
    if message:
        raise CheckFailed(message)
    print(
        f"equivalence proved: {verdict.functions} functions of RTL and netlist are the same; "
        f"the control was caught ({mutation})"
    )


def _prove_reconfigurable(results: _Results, folder: Path, target: Target, seconds: float) -> None:
    library = cell_library(target)
    netlist = read_modules_apart(folder / NETLIST_JSON, RECONFIGURABLE_TOP, library)
    print(f"reading the RTL of {RECONFIGURABLE_TOP}", file=sys.stderr, flush=True)
    rtl = modules_of(Design(sources(), RECONFIGURABLE_TOP), library)
    with results.recording_failure(None), progress("equivalence, modules", len(netlist)) as advance:
        proofs = prove_modules(rtl, netlist, results.seed, seconds=seconds, progress=advance)
    differing = [proof for proof in proofs if proof.verdict and not proof.verdict.equal]
    undecided = [proof.name for proof in proofs if proof.verdict is None]
    controls = [proof.control for proof in proofs if proof.control]
    functions = sum(proof.verdict.functions for proof in proofs if proof.verdict)
    values: dict[str, Value] = {"equivalence.functions": functions}
    if controls:
        values["equivalence.control_caught"] = True
    if differing:
        message = f"modules of the netlist that are not what the RTL is: {_in_words(differing)}"
        results.write(None, values | {"equivalence.proved": False}, message)
        raise CheckFailed(message)
    if undecided:
        raise OutOfTime(
            f"of {len(proofs)} modules these were not proved in {seconds:g} s each: "
            f"{', '.join(undecided)}"
        )
    results.write(None, values | {"equivalence.proved": True}, None)
    print(
        f"equivalence proved: {len(proofs)} modules, {functions:,} functions of RTL and netlist "
        f"are the same; {len(controls)} of {len(controls)} controls were caught"
    )


def _in_words(differing: list[ModuleProof]) -> str:
    return "; ".join(
        f"{proof.name}: {', '.join(proof.verdict.differing)}, ..."
        for proof in differing
        if proof.verdict
    )
