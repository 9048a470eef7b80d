"""C-simulation of the whole ECON-T block, compared with the golden model or with recorded links.

One program serves any registers and weights: they are inputs of the block.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.foundation.cores import usable_cores
from hw.foundation.errors import ToolFailed
from hw.hls.chip_block import include_folders, source_files
from models.data.geometry import TRIGGER_CELLS
from models.networks.econ_t_formats import FEATURES, LATENTS
from testbench.econ_t.block_sets import BlockSet
from testbench.econ_t.encoder_weights import CONV_BIAS, CONV_KERNEL
from testbench.econ_t.golden_model import autoencoder_stages
from testbench.econ_t.links import INPUT_LINKS, LINK_BITS, OUTPUT_LINKS, Words, bunch_crossings
from testbench.econ_t.registers import OUTPUT_BITS, Chip
from testbench.simulators.csim import compile_cpp, execute

BENCH = Path(__file__).with_name("block_bench.cpp")

_MASK_WORDS = -(-OUTPUT_BITS // LINK_BITS)

# Layouts of the bench's files; what they mean is told in the bench.
_SETTINGS = np.dtype(
    [
        ("crossings", "<i4"),
        ("high_density", "<i4"),
        ("etx", "<i4"),
        ("mux", "<i4", TRIGGER_CELLS),
        ("calibration", "<i4", TRIGGER_CELLS),
        ("mask", "<u4", _MASK_WORDS),
        ("conv_kernel", "<i4", int(np.prod(CONV_KERNEL))),
        ("conv_bias", "<i4", CONV_BIAS),
        ("dense_kernel", "<i4", FEATURES * LATENTS),
        ("dense_bias", "<i4", LATENTS),
    ]
)
_CROSSING = np.dtype([("number", "<i4"), ("links", "<u4", INPUT_LINKS)])
_LINKS: list = [("links", "<u4", OUTPUT_LINKS)]
_STAGES = np.dtype(
    [
        ("calq", "<i4", TRIGGER_CELLS),
        ("sum code", "<i4", 1),
        ("inputs", "<i4", TRIGGER_CELLS),
        ("features", "<i4", FEATURES),
        ("latents", "<i4", LATENTS),
        *_LINKS,
    ]
)

Stages = Mapping[str, npt.NDArray]


@dataclass(frozen=True)
class StageDifference:
    """The first stage in which block and golden model differ for one bunch crossing.

    Attributes:
        stage: `calq`, `sum code`, `inputs`, `features`, `latents` or `links`.
        element: flat index of the first differing number of its result.
        expected, found: its codes.
    """

    stage: str
    element: int
    expected: int
    found: int


@dataclass(frozen=True)
class BlockVerdict:
    """The result of comparing many bunch crossings.

    Attributes:
        crossings: bunch crossings compared.
        mismatches: those whose output links differ.
        difference: the first of them in words; None if there is none.
    """

    crossings: int
    mismatches: int
    difference: str | None = None


@dataclass(frozen=True)
class BlockSimulator:
    """The compiled block of one generation of the chip; it takes registers of both."""

    program: Path
    chip: Chip = Chip.P1

    def links(self, item: BlockSet) -> Words:
        """Output words, shape (n, 13).

        Raises:
            ToolFailed: the program crashed, or did not answer every bunch crossing.
        """
        return self._run(item, np.dtype(_LINKS))["links"]

    def stages(self, item: BlockSet) -> Stages:
        """What every stage gives: integer codes, shape (n, numbers), by the stage's name.

        Raises:
            ToolFailed: the program crashed, or did not answer every bunch crossing.
        """
        answers = self._run(item, _STAGES, "stages")
        return {name: answers[name] for name in _STAGES.names or ()}

    def _run(self, item: BlockSet, answer: np.dtype, *options: str) -> npt.NDArray:
        with tempfile.TemporaryDirectory(prefix="econt-block-") as scratch:
            stimulus, answers = Path(scratch) / "stimulus", Path(scratch) / "answers"
            stimulus.write_bytes(encode_set(item, self.chip))
            execute([str(self.program), str(stimulus), str(answers), *options])
            found = answers.read_bytes()
        if len(found) != len(item.words) * answer.itemsize:
            raise ToolFailed(
                f"{self.program}: {len(item.words)} bunch crossings should give "
                f"{len(item.words) * answer.itemsize} bytes, found {len(found)}"
            )
        return np.frombuffer(found, dtype=answer)


def encode_set(item: BlockSet, chip: Chip = Chip.P1) -> bytes:
    """The set as the bench of the block of a generation reads it.

    Raises:
        ValueError: its registers hold no weights.
    """
    registers, weights = item.registers, item.registers.weights
    if weights is None:
        raise ValueError(f"{item.name}: the registers hold no encoder weights")
    settings = np.zeros((), dtype=_SETTINGS)
    settings["crossings"] = len(item.words)
    settings["high_density"] = registers.high_density
    settings["etx"] = registers.etx
    settings["mux"] = [chip.select(source) for source in registers.mux]
    settings["calibration"] = registers.calibration
    settings["mask"] = np.frombuffer(
        registers.output_mask.to_bytes(_MASK_WORDS * LINK_BITS // 8, "little"), "<u4"
    )
    settings["conv_kernel"] = weights.conv_kernel.ravel()
    settings["conv_bias"] = weights.conv_bias
    settings["dense_kernel"] = weights.dense_kernel.T.ravel()  # the registers' order
    settings["dense_bias"] = weights.dense_bias
    crossings = np.zeros(len(item.words), dtype=_CROSSING)
    crossings["number"] = bunch_crossings(item.words)
    crossings["links"] = item.words
    return settings.tobytes() + crossings.tobytes()


def compile_block(project: Path, folder: Path, chip: Chip = Chip.P1) -> BlockSimulator:
    """Compile the block's project with its bench, for a generation; results in `folder`.

    Raises:
        ToolMissing: no g++.
        ToolFailed: it does not compile; names the log.
    """
    program = folder / "bench"
    includes = [f"-I{path}" for path in include_folders(project)]
    sources = [str(path) for path in source_files(project, BENCH.name)]
    options = [f"-DECON_T_PRODUCTION={int(chip is Chip.PRODUCTION)}", *includes, *sources]
    compile_cpp(options, program, folder / "compile.log", str(project))
    return BlockSimulator(program, chip)


def golden_stages(item: BlockSet) -> Stages:
    """What the golden model gives for a set, in the form of `BlockSimulator.stages`."""
    stages = autoencoder_stages(item.words, item.registers)
    return {
        "calq": stages.calq,
        "sum code": stages.converted.sum_code[:, None],
        "inputs": stages.converted.inputs,
        "features": stages.features.reshape(len(item.words), -1),
        "latents": stages.latents,
        "links": stages.links,
    }


def first_difference(expected: Stages, found: Stages, row: int) -> StageDifference | None:
    """The first stage whose numbers differ in one row of the results."""
    for stage, numbers in expected.items():
        differing = np.flatnonzero(numbers[row] != found[stage][row])
        if differing.size:
            element = int(differing[0])
            codes = (int(of[stage][row, element]) for of in (expected, found))
            return StageDifference(stage, element, *codes)
    return None


def verify(
    simulator: BlockSimulator,
    sets: Iterable[BlockSet],
    progress: Callable[[int], None] = lambda count: None,
) -> BlockVerdict:
    """Compare the block's links with the recorded ones, or with the golden model's, for all sets.

    Args:
        progress: called with the number of bunch crossings done since its last call.

    Raises:
        ToolFailed: the program crashed, or did not answer every bunch crossing.
    """

    def check(item: BlockSet) -> BlockVerdict:
        verdict = _verify_set(simulator, item)
        progress(verdict.crossings)
        return verdict

    with ThreadPoolExecutor(usable_cores()) as pool:
        verdicts = list(pool.map(check, sets))
    return BlockVerdict(
        sum(verdict.crossings for verdict in verdicts),
        sum(verdict.mismatches for verdict in verdicts),
        next((verdict.difference for verdict in verdicts if verdict.difference), None),
    )


def _verify_set(simulator: BlockSimulator, item: BlockSet) -> BlockVerdict:
    found = simulator.links(item)
    expected = item.links
    if expected is None:
        expected = autoencoder_stages(item.words, item.registers).links
    wrong = np.flatnonzero((expected != found).any(axis=1))
    if not wrong.size:
        return BlockVerdict(len(item.words), 0)
    row = int(wrong[0])
    link = int(np.flatnonzero(expected[row] != found[row])[0])
    difference = (
        f"first difference: {item.origin(row)}: link {link}: expected {expected[row, link]:08x}, "
        f"found {found[row, link]:08x}; {_locate(simulator, item, row)}"
    )
    return BlockVerdict(len(item.words), int(wrong.size), difference)


def _locate(simulator: BlockSimulator, item: BlockSet, row: int) -> str:
    """The first stage that differs from the golden model in one row, in words."""
    first = first_difference(golden_stages(item), simulator.stages(item), row)
    if first is None:
        return "every stage agrees with the golden model"
    return (
        f"first stage that differs from the golden model: {first.stage}, element {first.element}: "
        f"expected code {first.expected}, found {first.found}"
    )
