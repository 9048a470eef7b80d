"""Simulate the ECON-T's own, reconfigurable RTL with a model's weights loaded over its bus.

The encoder runs the model's modules and is compared with the golden model; so is the whole path
from input links to output links, also with other weights and registers, and where recorded vectors
of the CMS emulator are there, with those.  The compiled simulations serve all models.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.artefacts.chip_block import RECORDED
from flows.artefacts.validation import read_validation
from flows.command_line.step_options import add_build, add_or_skip, add_stimulus, check_stimulus
from flows.layout import (
    DEFAULT_TARGET,
    ModelLayout,
    TargetLayout,
    model_layout,
    reconfigurable_folder,
    target_layout,
)
from flows.provenance import file_hash, provenance
from flows.steps.csim import in_words, vector_groups
from flows.steps.rtlsim import timing
from hw.foundation.errors import CheckFailed, InputError
from hw.open_tools.verilator import version
from hw.targets.target import load_target
from reports.metrics import Evidence, Metric, with_provenance, write_metrics
from reports.rtlsim import rtlsim_metrics
from reports.side_by_side import RECONFIGURABLE
from testbench.comparison import Comparison
from testbench.simulators.rtlsim import (
    RtlDesign,
    RtlSimulator,
    Verification,
    compile_design,
    verify,
)
from testbench.vectors import VectorGroup

if TYPE_CHECKING:
    from testbench.econ_t.block_sets import BlockSet
    from testbench.econ_t.encoder_weights import EncoderWeights
    from testbench.econ_t.reconfigurable import EncoderSet, Stimulus

_RANDOM_SETS = 10  # each loads 1,700 registers over the bus
_PATH_MODULES = 10_000  # modules that take the whole path too; the encoder runs all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_build(parser)
    parser.add_argument("--model", default="econ_t", help="model in the chip's arithmetic")
    parser.add_argument(
        "--target", default=DEFAULT_TARGET, help="hardware target: the clock period of its report"
    )
    add_stimulus(
        parser, "modules that the encoder runs", "seed of random weights, registers and modules"
    )
    add_recorded(parser)
    add_or_skip(
        parser,
        "where it finds a difference, record and tell that and succeed: the report gives the "
        "verdict",
    )


def add_recorded(parser: argparse.ArgumentParser) -> None:
    """`--recorded`."""
    parser.add_argument(
        "--recorded",
        type=Path,
        metavar="DIR",
        default=RECORDED,
        help="vectors of the CMS emulator, as the conformance step takes them; compared if there",
    )


def run(arguments: argparse.Namespace) -> None:
    check_stimulus(arguments)
    target = load_target(arguments.target)
    of_model = model_layout(arguments.build, arguments.model)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    layout.reconfigurable_metrics.unlink(missing_ok=True)
    encoder, weights = chip_encoder(of_model)

    from testbench.econ_t.reconfigurable import (
        autoencoder_design,
        encoder_design,
        encoder_stimulus,
    )

    compiled = reconfigurable_folder(arguments.build)
    groups = vector_groups(of_model, encoder, arguments.vectors, arguments.seed)
    stimulus = encoder_stimulus(encoder_sets(of_model, weights, groups, arguments.seed))
    simulator = _compile(encoder_design(), compiled / "encoder")
    found = {"encoder": _verify(simulator, stimulus, layout, "encoder")}

    simulator = _compile(autoencoder_design(), compiled / "path")
    sets = _path_sets(weights, groups, arguments.seed)
    found["whole path"] = _verify(simulator, _path_stimulus(sets), layout, "path")
    recorded = recorded_by_emulator(arguments.recorded)
    if recorded:
        name = "whole path on the CMS emulator's vectors"
        found[name] = _verify(simulator, _path_stimulus(recorded), layout, "emulator")
    failures = [
        f"{name}: {v.comparison.mismatches:,} of {v.comparison.vectors:,} vectors differ; "
        f"{in_words(v.comparison.first)}; waveforms: {v.waveform}"
        for name, v in found.items()
        if v.comparison.first
    ]
    message = "; ".join(failures) or None
    source = provenance(
        model_hash=file_hash(of_model.network("encoder")),
        data_hash=file_hash(of_model.validation),
        seed=arguments.seed,
        tools={"verilator": version()},
    )
    metrics = _metrics(found, target.clock_period_ns, message, arguments.recorded)
    write_metrics(
        layout.reconfigurable_metrics,
        with_provenance(metrics, source),
    )
    if message and not arguments.or_skip:
        raise CheckFailed(f"reconfigurable RTL: {message}")
    if message:
        print(f"error: reconfigurable RTL: {message}", file=sys.stderr)
        return
    for name, verification in found.items():
        ran = verification.run
        print(
            f"{name}: {verification.comparison.vectors:,} vectors, 0 mismatches, latency "
            f"{ran.latency} clocks, one vector every {ran.initiation_interval}"
        )


def chip_encoder(of_model: ModelLayout) -> tuple[Any, "EncoderWeights"]:
    """A model's Keras encoder, and its weights as the chip holds them.

    Raises:
        InputError: it is not trained, or not in the chip's arithmetic.
    """
    encoder_file = of_model.network("encoder")
    if not encoder_file.is_file():
        raise InputError(
            f"{encoder_file}: no such file; train the model first: make train "
            f"MODEL={of_model.folder.name}"
        )

    from models.networks.econ_t_encoder import has_chip_arithmetic
    from models.networks.encoder import load_network
    from testbench.econ_t.keras_encoder import weights_of

    encoder = load_network(encoder_file)
    if not has_chip_arithmetic(encoder):
        raise InputError(
            f"{encoder_file}: not in the ECON-T's arithmetic, so the chip cannot run it; take a "
            "model of the zoo named econ_t or econ_t_<n>elinks"
        )
    return encoder, weights_of(encoder)


def encoder_sets(
    of_model: ModelLayout, weights: "EncoderWeights", groups: Sequence[VectorGroup], seed: int
) -> list["EncoderSet"]:
    """The model's vectors with its weights, and corners with extreme and random weights."""
    from models.networks.econ_t_formats import INPUT
    from testbench.econ_t.reconfigurable import EncoderSet
    from testbench.econ_t.registers import encoder_cells
    from testbench.econ_t.stimulus import directed_inputs, extreme_weights, random_weights

    arrangement = read_validation(of_model).arrangement
    corners = np.stack(list(directed_inputs().values()))
    rng = np.random.default_rng(seed)
    others = extreme_weights() | {
        f"random weights {index}": random_weights(rng, 0.3) for index in range(_RANDOM_SETS)
    }
    sets = [EncoderSet(name, other, corners) for name, other in others.items()]
    for group in groups:
        codes = INPUT.to_codes(arrangement.to_cells(group.images))
        inputs = codes[:, list(encoder_cells())]
        sets.append(EncoderSet(f"this model, {group.kind}", weights, inputs))
    return sets


def _path_sets(
    weights: "EncoderWeights", groups: Sequence[VectorGroup], seed: int
) -> list["BlockSet"]:
    """Modules with the model's weights; corners and random registers with others."""
    from models.networks.econ_t_formats import LATENT
    from testbench.econ_t.block_sets import corner_sets, module_sets, random_sets

    left = _PATH_MODULES
    sets: list[BlockSet] = []
    for group in groups:
        if group.calq is None or not left:
            continue
        calq, origins = group.calq[:left], group.origins[:left]
        sets += module_sets("this model", calq, origins, weights, LATENT.width)
        left -= len(calq)
    return [*sets, *corner_sets(), *random_sets(np.random.default_rng(seed), _RANDOM_SETS)]


def _path_stimulus(sets: Iterable["BlockSet"]) -> "Stimulus":
    from testbench.econ_t.reconfigurable import AutoencoderSet, autoencoder_stimulus

    return autoencoder_stimulus(
        [AutoencoderSet(item.name, item.registers, item.words, item.links) for item in sets]
    )


def recorded_by_emulator(folder: Path) -> list["BlockSet"]:
    """What the emulator recorded of the autoencoder; nothing where there is no such folder."""
    from testbench.econ_t.block_sets import recorded_sets

    return recorded_sets(folder) if folder.is_dir() else []


def _compile(design: RtlDesign, folder: Path) -> RtlSimulator:
    print(
        f"compiling {design.verilog.top} with Verilator: minutes, the first time",
        file=sys.stderr,
        flush=True,
    )
    return compile_design(design, folder)


def _verify(
    simulator: RtlSimulator, stimulus: "Stimulus", layout: TargetLayout, name: str
) -> Verification:
    print(f"{name}: {len(stimulus.origins):,} vectors", file=sys.stderr, flush=True)
    waveform = layout.reconfigurable / f"{name}.vcd"
    return verify(simulator, stimulus.steps, stimulus.expected, stimulus.origins, waveform)


def _metrics(
    found: dict[str, Verification], clock_ns: float, message: str | None, recorded: Path
) -> list[Metric]:
    encoder, _, *emulator = found.values()
    figures = {
        "rtlsim.vectors": sum(v.comparison.vectors for v in found.values()),
        "rtlsim.mismatches": sum(v.comparison.mismatches for v in found.values()),
        "rtlsim.vectors_per_second": round(encoder.comparison.vectors / encoder.run.seconds),
        **timing(encoder.run, clock_ns),
    }
    of_emulator = emulator[0].comparison if emulator else None
    return [
        *rtlsim_metrics(RECONFIGURABLE, figures, message),
        *emulator_metrics("rtlsim", Evidence.RTLSIM, of_emulator, recorded),
    ]


def emulator_metrics(
    prefix: str, evidence: Evidence, found: Comparison | None, recorded: Path
) -> list[Metric]:
    """Records of the comparison with what the emulator sent; None where nothing is recorded."""
    more: dict[str, Any] = {"evidence": evidence, "variant": RECONFIGURABLE, "unit": "BX"}
    if found is None:
        more["reason"] = f"{recorded}: holds no recorded set of the autoencoder"
    bx, mismatches = (found.vectors, found.mismatches) if found else (None, None)
    return [
        Metric(name=f"{prefix}.emulator_bx", value=bx, **more),
        Metric(name=f"{prefix}.emulator_mismatches", value=mismatches, better="lower", **more),
    ]
