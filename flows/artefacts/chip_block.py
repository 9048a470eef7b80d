"""The ECON-T block of a model in the chip's arithmetic: its HLS project, and that project's proof.

The block is the chip from input links to output links.  Weights are among its inputs, so one
program is compared for those of the model and for any others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.hls_project import network_in_integers
from flows.command_line.progress import progress
from flows.layout import TargetLayout
from hw.foundation.errors import InputError
from hw.hls.chip_block import EXPECTED, STIMULUS, obstacle, write_block
from hw.targets.target import Target
from reports.metrics import Evidence, Metric

if TYPE_CHECKING:
    from testbench.econ_t.block_csim import BlockSimulator, BlockVerdict
    from testbench.econ_t.block_sets import BlockSet
    from testbench.econ_t.encoder_weights import EncoderWeights

RECORDED = Path("../shared/econt/vectors")
"""Where recorded vectors of the CMS emulator are looked for."""

_RANDOM_SETS = 100  # in a comparison
_RANDOM_SETS_SHIPPED = 10  # in the project, for the simulation of its RTL
_GOLDEN, _EMULATOR = "golden model", "CMS emulator"
_METRICS = {
    _GOLDEN: ("csim.block.vectors", "csim.block.mismatches"),
    _EMULATOR: ("csim.block.emulator_bx", "csim.block.emulator_mismatches"),
}


@dataclass(frozen=True)
class Modules:
    """Modules to run through the block.

    Attributes:
        calq: charges, shape (n, 48), in CALQ counts.
        origins: a name for each.
    """

    calq: npt.NDArray
    origins: Sequence[str]


@dataclass(frozen=True)
class BlockOutcome:
    """What was compared and found.

    Attributes:
        metrics: `csim.block.*`.
        mismatches: bunch crossings that differ.
        failures: the differences in words.
        summary: all of it in words.
    """

    metrics: tuple[Metric, ...]
    mismatches: int
    failures: tuple[str, ...]
    summary: str


def make_block(target: Target, layout: TargetLayout) -> str:
    """Write the block's project, if the target is one for it; what was done, in words.

    Raises:
        InputError, ToolFailed: as `hw.hls.chip_block.write_block`.
    """
    from testbench.econ_t.block_csim import BENCH, encode_set, golden_stages
    from testbench.econ_t.block_sets import corner_sets, random_sets
    from testbench.econ_t.keras_encoder import network_of
    from testbench.econ_t.stimulus import extreme_weights

    reason = obstacle(target)
    if reason:
        return f"no project of the whole chip block: {reason}"
    encoder = network_of(next(iter(extreme_weights().values())))  # none of these is zero
    sets = [*corner_sets(), *random_sets(np.random.default_rng(0), _RANDOM_SETS_SHIPPED)]
    write_block(
        network_in_integers(encoder),
        target,
        layout.block,
        bench=BENCH,
        test_data={
            STIMULUS: b"".join(encode_set(item) for item in sets),
            EXPECTED: b"".join(golden_stages(item)["links"].tobytes() for item in sets),
        },
        log=layout.folder / "block.log",
    )
    return f"project of the whole chip block, weights as inputs: {layout.block}"


def check_block(
    weights: "EncoderWeights",
    latent_bits: int,
    modules: Iterable[Modules],
    *,
    target: Target,
    layout: TargetLayout,
    seed: int,
    recorded: Path,
) -> BlockOutcome:
    """Compile the block and compare its output links in every bit: with the golden model on the
    model's weights and `modules`, on corner cases and on random registers; and with the CMS
    emulator's on all sets of its autoencoder in the folder `recorded`, where there is one.

    Args:
        weights: of the model's encoder.
        latent_bits: bits of its latents, 1 to 9, the highest of the chip's.
        seed: of the random registers.

    Raises:
        InputError: there is no project of the block, or a recorded file is faulty.
        ToolMissing: no g++.
        ToolFailed: it does not compile, or crashes.
    """
    from testbench.econ_t.block_csim import compile_block
    from testbench.econ_t.block_sets import corner_sets, module_sets, random_sets, recorded_sets

    reason = obstacle(target)
    if reason:
        outcome = _outcome(dict.fromkeys(_METRICS, reason))
        return replace(outcome, summary=f"whole chip block: not compared ({reason})")
    if not layout.block.is_dir():
        raise InputError(f"{layout.block}: no such folder; run the hls stage anew")
    simulator = compile_block(layout.block, layout.csim / "block")

    sets = [
        item
        for some in modules
        for item in module_sets("this model", some.calq, some.origins, weights, latent_bits)
    ]
    sets += [*corner_sets(), *random_sets(np.random.default_rng(seed), _RANDOM_SETS)]
    found: dict[str, BlockVerdict | str] = {_GOLDEN: _verify(simulator, sets, "ECON-T block")}
    if not recorded.is_dir():
        found[_EMULATOR] = f"{recorded}: no such folder"
    elif known := recorded_sets(recorded):
        found[_EMULATOR] = _verify(simulator, known, "ECON-T block, recorded vectors")
    else:
        found[_EMULATOR] = f"{recorded}: holds no set of the autoencoder"
    return _outcome(found)


def _verify(
    simulator: "BlockSimulator", sets: Sequence["BlockSet"], description: str
) -> "BlockVerdict":
    from testbench.econ_t.block_csim import verify

    with progress(description, sum(len(item.words) for item in sets)) as advance:
        return verify(simulator, sets, advance)


def _outcome(found: Mapping[str, "BlockVerdict | str"]) -> BlockOutcome:
    """Of the comparison with each form, by its name: the verdict, or why there is none."""
    metrics, mismatches, failures, words = [], 0, [], []
    csim: dict[str, Any] = {"unit": "BX", "evidence": Evidence.CSIM}
    for whom, verdict in found.items():
        compared, differing = _METRICS[whom]
        if isinstance(verdict, str):
            metrics += [
                Metric(name=compared, value=None, reason=verdict, **csim),
                Metric(name=differing, value=None, reason=verdict, better="lower", **csim),
            ]
            words.append(f"not compared with the {whom} ({verdict})")
            continue
        metrics += [
            Metric(name=compared, value=verdict.crossings, **csim),
            Metric(
                name=differing,
                value=verdict.mismatches,
                reason=verdict.difference,
                better="lower",
                **csim,
            ),
        ]
        mismatches += verdict.mismatches
        count = f"{verdict.mismatches:,} of {verdict.crossings:,} BX differ from the {whom}"
        words.append(count)
        if verdict.difference:
            failures.append(f"whole chip block: {count}; {verdict.difference}")
    return BlockOutcome(
        tuple(metrics), mismatches, tuple(failures), f"whole chip block: {'; '.join(words)}"
    )
