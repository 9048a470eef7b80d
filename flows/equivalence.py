"""Prove that the mapped netlist computes what the RTL does, with a control that must be caught."""

import argparse
import sys
from pathlib import Path

from flows.layout import (
    TargetLayout,
    model_layout,
    target_layout,
)
from flows.provenance import file_hash, provenance
from flows.rtlsim import generated_design, simulated_design
from flows.step_options import (
    OR_VERDICT,
    add_design,
    add_or_skip,
    require_at_least,
    require_some_seconds,
)
from flows.timing import cell_library, synthesised
from hw.abc import OutOfTime
from hw.equivalence import compare, control, gates_of
from hw.errors import CheckFailed, ToolMissing
from hw.gate_netlist import mapped_netlist
from hw.network_logic import NoLogic
from hw.targets import Target, load_target
from hw.yosys import DISTRIBUTION
from reports.form_metrics import Value
from reports.metrics import with_provenance, write_metrics
from reports.netlist import EQUIVALENCE, netlist_metrics
from reports.side_by_side import GENERATED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    parser.add_argument(
        "--seed", type=int, default=1, help="seed that chooses the gates of the control"
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
    layout.equivalence_metrics.unlink(missing_ok=True)
    try:
        _prove(layout, encoder_file, target, arguments.seed, arguments.seconds)
    except (NoLogic, ToolMissing, OutOfTime) as error:
        if not arguments.or_skip:
            raise
        _write(layout, file_hash(encoder_file), arguments.seed, {}, str(error))
        print(f"equivalence skipped: {error}")
    except CheckFailed as error:
        if not arguments.or_skip:
            raise
        print(f"error: {error}", file=sys.stderr)


def _prove(
    layout: TargetLayout, encoder_file: Path, target: Target, seed: int, seconds: float
) -> None:
    design = generated_design(layout, encoder_file)
    library = cell_library(target)
    netlist = mapped_netlist(synthesised(layout), design.top, library)
    print(f"reading {layout.rtl}", file=sys.stderr, flush=True)
    rtl = gates_of(simulated_design(design, layout.rtl).verilog, library)
    print("proving that the netlist equals it", file=sys.stderr, flush=True)
    failed: dict[str, Value] = {"equivalence.proved": False}
    try:
        verdict = compare(rtl, netlist, seconds=seconds)
        failed = {"equivalence.control_caught": False}
        mutation = control(rtl, netlist, seed, seconds=seconds)
    except CheckFailed as error:
        _write(layout, design.encoder_hash, seed, failed, str(error))
        raise
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
    _write(layout, design.encoder_hash, seed, values, message)
    if message:
        raise CheckFailed(message)
    print(
        f"equivalence proved: {verdict.functions} functions of RTL and netlist are the same; "
        f"the control was caught ({mutation})"
    )


def _write(
    layout: TargetLayout, model_hash: str, seed: int, values: dict[str, Value], reason: str | None
) -> None:
    source = provenance(model_hash=model_hash, seed=seed, packages=(DISTRIBUTION,))
    metrics = netlist_metrics(EQUIVALENCE, GENERATED, values, reason)
    write_metrics(layout.equivalence_metrics, with_provenance(metrics, source))
