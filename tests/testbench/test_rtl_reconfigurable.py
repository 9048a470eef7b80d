"""The hand-written RTL against the golden model and the CMS emulator, code by code."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hw.foundation.errors import ToolFailed
from hw.open_tools.verilator import lint
from hw.open_tools.verilog_design import VerilogDesign
from hw.rtl import AUTOENCODER, ENCODER, designs, sources
from testbench.econ_t.converter import convert
from testbench.econ_t.encoder_weights import EncoderWeights
from testbench.econ_t.golden_model import autoencoder_stages, charges
from testbench.econ_t.links import (
    BX_PER_ORBIT,
    INPUT_COLUMN,
    INPUT_LINKS,
    OUTPUT_COLUMN,
    OUTPUT_LINKS,
    pack,
    read_link_csv,
)
from testbench.econ_t.reconfigurable import (
    ALGORITHM_ERRORS,
    CONVERTER_ERRORS,
    ERROR_CLEAR,
    FORMATTER_ERRORS,
    AutoencoderSet,
    EncoderSet,
    Stimulus,
    autoencoder_design,
    autoencoder_stimulus,
    encoder_design,
    encoder_stimulus,
    register_writes,
    weight_writes,
)
from testbench.econ_t.register_file import read_registers
from testbench.econ_t.registers import Chip, Registers, autoencoder_registers
from testbench.econ_t.stimulus import (
    directed_inputs,
    extreme_weights,
    random_registers,
    random_weights,
    random_words,
)
from testbench.simulators.rtlsim import (
    Feed,
    Read,
    RtlSimulator,
    Step,
    Upset,
    Verification,
    Write,
    compile_design,
    verify,
)

VECTORS = Path(__file__).parents[3] / "shared" / "econt" / "vectors"
ADDRESSES = range(0x0C20)


def check(simulator: RtlSimulator, stimulus: Stimulus, folder: Path) -> Verification:
    return verify(
        simulator, stimulus.steps, stimulus.expected, stimulus.origins, folder / "failure.vcd"
    )


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


# lint and synthesis front end ------------------------------------------------------------------


def test_lint_is_clean() -> None:
    lint(VerilogDesign(sources(), AUTOENCODER))


@pytest.mark.slow
@pytest.mark.parametrize(
    "top, parameters",
    [
        (ENCODER, {}),
        (ENCODER, {"TMR": 1, "LATENCY": 0}),
        (ENCODER, {"LATENCY": 3}),
        (AUTOENCODER, {"TMR": 1, "PRODUCTION": 1}),
        (
            AUTOENCODER,
            {"CONVERTER_LATENCY": 0, "ENCODER_LATENCY": 0, "FORMATTER_LATENCY": 0},
        ),
    ],
)
def test_lint_is_clean_with_other_parameters(top: str, parameters: dict[str, int]) -> None:
    lint(VerilogDesign(sources(), top, parameters))


def test_the_designs_to_map_have_registers_once_and_three_times() -> None:
    tops = {name: (design.top, design.parameters["TMR"]) for name, design in designs().items()}
    assert tops == {
        "encoder": (ENCODER, 0),
        "encoder_tmr": (ENCODER, 1),
        "autoencoder": (AUTOENCODER, 0),
        "autoencoder_tmr": (AUTOENCODER, 1),
    }
    assert all(design.sources == sources() for design in designs().values())


def test_lint_finds_a_narrow_sum(tmp_path: Path) -> None:
    design = mutant(tmp_path, "converter.sv", "sum + SUM_BITS'(", "sum + 20'(")
    with pytest.raises(ToolFailed, match="WIDTH"):
        lint(VerilogDesign(design, "converter"))


def yosys(*commands: str) -> None:
    """Run yosys on the sources, in a process of its own: it exits where a command fails."""
    files = " ".join(str(file) for file in sources())
    script = (
        "import sys\nfrom pyosys import libyosys\ndesign = libyosys.Design()\n"
        "for command in sys.argv[1:]:\n    libyosys.run_pass(command, design)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, f"read_verilog -sv {files}", *commands],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("tmr", [0, 1])
def test_yosys_reads_it(tmr: int) -> None:
    yosys(f"hierarchy -check -top {AUTOENCODER} -chparam TMR {tmr}", "proc", "check -assert")


@pytest.mark.slow
@pytest.mark.parametrize("tmr, copies", [(0, 1), (1, 3)])
def test_synthesis_keeps_the_copies(tmr: int, copies: int) -> None:
    yosys(
        f"hierarchy -top register_block -chparam TMR {tmr}",
        "synth -flatten -top register_block",
        f"select -assert-count {copies} t:*register_copy*",
        "select -assert-count 8 t:$_SDFF_*",  # of one byte, in the one module of all copies
    )


def mutant(folder: Path, file: str, old: str, new: str) -> tuple[Path, ...]:
    """A copy of the sources in which one text of one file is replaced."""
    copies = tuple(Path(shutil.copy(source, folder)) for source in sources())
    target = folder / file
    text = target.read_text()
    assert text.count(old) == 1, f"{file} holds '{old}' {text.count(old)} times"
    target.write_text(text.replace(old, new))
    return copies


# encoder ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> RtlSimulator:
    return compile_design(encoder_design(), tmp_path_factory.mktemp("encoder"))


def encoder_sets(modules: int) -> list[EncoderSet]:
    """Directed vectors for extreme weights, then `modules` modules for random ones."""
    directed = np.stack(list(directed_inputs().values()))
    sets = [EncoderSet(name, weights, directed) for name, weights in extreme_weights().items()]
    registers = replace(Registers(), high_density=True)
    for index, scale in enumerate((1.0, 0.3, 0.1, 1.0)):
        random = rng(index)
        words = random_words(random, modules // 4)
        inputs = convert(charges(words, registers)).inputs
        if index == 3:  # not normalised
            inputs = random.integers(0, 256, inputs.shape)
        sets.append(EncoderSet(f"random {index}", random_weights(random, scale), inputs))
    return sets


@pytest.mark.slow
def test_encoder_equals_the_golden_model(encoder: RtlSimulator, tmp_path: Path) -> None:
    stimulus = encoder_stimulus(encoder_sets(100_000))
    assert len(stimulus.expected) > 100_000
    result = check(encoder, stimulus, tmp_path)
    assert result.comparison.first is None
    assert result.comparison.vectors == len(stimulus.expected)
    assert result.run.latency == 2
    assert result.run.initiation_interval == 1
    inner = (stimulus.expected > 0) & (stimulus.expected < 511)
    assert 0.1 < inner.mean() < 0.9  # neither all clipped nor never


@pytest.mark.slow
def test_encoder_with_gaps_in_the_input(encoder: RtlSimulator, tmp_path: Path) -> None:
    random = rng(5)
    item = EncoderSet(
        "gaps",
        random_weights(random, 0.3),
        random.integers(0, 256, (2000, 48)),
        random.integers(0, 3, 2000),
    )
    result = check(encoder, encoder_stimulus([item]), tmp_path)
    assert result.comparison.equal
    assert result.run.latency == 2


@pytest.mark.slow
def test_weights_are_read_back(encoder: RtlSimulator) -> None:
    pairs = weight_writes(random_weights(rng(6)))
    holes = [address for address in ADDRESSES if address not in dict(pairs)]
    assert len(pairs) == 1608
    run = encoder.run([Write(pairs), Write([(a, 0xFF) for a in holes]), Read(list(ADDRESSES))])
    expected = [dict(pairs).get(address, 0) for address in ADDRESSES]
    assert run.reads.tolist() == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "file, old, new",
    [
        (
            "floored_product.sv",
            "assign product = full[FULL_BITS-1:DROP];",
            "assign product = full[FULL_BITS-1:DROP] + full[DROP-1];",  # rounds
        ),
        ("convolution.sv", "= kernel[tap][filter];", "= kernel[tap][filter == 7 ? 6 : filter];"),
    ],
    ids=["rounded products", "wrong weight"],
)
def test_a_mutated_encoder_is_caught(tmp_path: Path, file: str, old: str, new: str) -> None:
    design = encoder_design()
    changed = VerilogDesign(mutant(tmp_path, file, old, new), ENCODER, design.verilog.parameters)
    simulator = compile_design(replace(design, verilog=changed), tmp_path / "build")
    stimulus = encoder_stimulus(encoder_sets(400))
    run = simulator.run(stimulus.steps)
    assert (run.codes != stimulus.expected).any(axis=1).sum() > 20


# whole data path -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory: pytest.TempPathFactory) -> RtlSimulator:
    return compile_design(autoencoder_design(), tmp_path_factory.mktemp("autoencoder"))


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not VECTORS.is_dir(), reason="needs the vectors in ../shared/econt")
def test_links_equal_the_emulator(autoencoder: RtlSimulator, tmp_path: Path) -> None:
    words = read_link_csv(VECTORS / "testInput.csv", INPUT_COLUMN, INPUT_LINKS)
    sets = [
        AutoencoderSet(
            folder.name,
            read_registers(folder / "init.yaml"),
            words,
            read_link_csv(folder / "testOutput.csv", OUTPUT_COLUMN, OUTPUT_LINKS),
        )
        for folder in sorted(VECTORS.glob("AE*"))
    ]
    assert len(sets) == 5
    result = check(autoencoder, autoencoder_stimulus(sets), tmp_path)
    assert result.comparison.first is None
    assert result.comparison.vectors == 5000
    assert result.run.latency == 5
    assert result.run.initiation_interval == 1


@pytest.mark.slow
def test_links_equal_the_golden_model(autoencoder: RtlSimulator, tmp_path: Path) -> None:
    random = rng(7)
    sets = [
        AutoencoderSet(
            f"random registers {index}",
            random_registers(random, random_weights(random, 0.4)),
            random_words(random, 400),
        )
        for index in range(40)
    ]
    # every number of links, all bits sent; then more than an orbit, its header only at the start
    base = autoencoder_registers(random_weights(random, 0.4), latent_bits=9)
    sets += [
        AutoencoderSet(f"{etx} eTx", replace(base, etx=etx), random_words(random, 200))
        for etx in range(1, 14)
    ]
    sets.append(AutoencoderSet("modules", base, random_words(random, 100_000)))
    words = random_words(random, BX_PER_ORBIT + 50)
    words[1:, 0] = words[1:, 0] & 0x0FFF_FFFF | 0xA000_0000
    sets.append(AutoencoderSet("over an orbit", base, words))
    headers = autoencoder_stages(words, base).headers
    assert headers[[0, BX_PER_ORBIT]].tolist() == [31, 31]
    assert (headers == 31).sum() == 2
    words = random_words(random, 300)
    gaps = random.integers(0, 3, 300)
    sets.append(AutoencoderSet("gaps", base, words, gaps=gaps))
    result = check(autoencoder, autoencoder_stimulus(sets), tmp_path)
    assert result.comparison.first is None
    assert result.run.latency == 5
    assert result.run.initiation_interval == 1


@pytest.mark.slow
def test_corners_of_the_converter(autoencoder: RtlSimulator, tmp_path: Path) -> None:
    """Every code alone and in all cells: all shifts, empty to largest sums, both densities."""
    codes = np.zeros((257, 48), dtype=np.int64)
    codes[1:129] = np.arange(128)[:, None]
    codes[129:, 5] = np.arange(128)
    words = pack(codes, np.arange(len(codes)))
    base = autoencoder_registers(random_weights(rng(8), 0.4))
    sets = [
        AutoencoderSet(
            f"calibration {factor}, high density {high}",
            replace(base, calibration=(factor,) * 48, high_density=high),
            words,
        )
        for factor in (0, 1, 300, 2048, 4095)
        for high in (False, True)
    ]
    totals = np.concatenate([convert(charges(words, item.registers)).total for item in sets])
    bits = {int(total).bit_length() for total in totals}
    assert bits == set(range(max(bits) + 1)) and max(bits) == 28
    assert check(autoencoder, autoencoder_stimulus(sets), tmp_path).comparison.first is None


@pytest.mark.slow
def test_the_production_chip_counts_a_links_codes_backwards(tmp_path: Path) -> None:
    simulator = compile_design(autoencoder_design(chip=Chip.PRODUCTION), tmp_path / "design")
    random = rng(8)
    sets = [
        AutoencoderSet(
            f"{chip} {index}",
            replace(random_registers(random, random_weights(random, 0.3)), chip=chip),
            random_words(random, 200),
        )
        for chip in Chip
        for index in range(3)
    ]
    result = check(simulator, autoencoder_stimulus(sets, Chip.PRODUCTION), tmp_path)
    assert (result.comparison.vectors, result.comparison.mismatches) == (1200, 0)
    # on the other chip's selectors it takes other inputs
    confused = check(simulator, autoencoder_stimulus(sets), tmp_path)
    assert confused.comparison.mismatches > 0


@pytest.mark.slow
def test_registers_reset_to_the_chips_values(autoencoder: RtlSimulator) -> None:
    run = autoencoder.run([Read(list(ADDRESSES))])
    # the golden model's defaults are the chip's reset values; drop_lsb and so on are not here
    expected = dict(register_writes(Registers()))
    assert run.reads.tolist() == [expected.get(address, 0) for address in ADDRESSES]
    assert len(run.upsets) == 0


@pytest.mark.slow
def test_registers_hold_their_bits(autoencoder: RtlSimulator) -> None:
    every = [(address, 0xFF) for address in ADDRESSES]
    run = autoencoder.run([Write(every), Read(list(ADDRESSES))])
    implemented = {address: 0xFF for address, _ in register_writes(all_registers())}
    implemented[0x03B0] = 0xF7
    implemented[0x0454] = 0x0F
    implemented |= {0x03C4 + i: 0x3F for i in range(48)}
    implemented |= {0x03F5 + 2 * i: 0x0F for i in range(48)}
    implemented[ERROR_CLEAR] = 0x01
    assert run.reads.tolist() == [implemented.get(address, 0) for address in ADDRESSES]


def all_registers() -> Registers:
    return replace(Registers(), weights=random_weights(rng(9)))


# triple modular redundancy ---------------------------------------------------------------------

_BLOCKS: dict[str, tuple[int, int]] = {
    # register block -> bits that exist in its copies, its error counter
    "fmtbuf_config": (8, FORMATTER_ERRORS),
    "fmtbuf_mask": (144, FORMATTER_ERRORS),
    "mfc_mux_select": (48 * 8, CONVERTER_ERRORS),
    "mfc_cal_val": (48 * 16, CONVERTER_ERRORS),
    "mfc_algo": (8, CONVERTER_ERRORS),
    **{f"autoencoder.g_block[{n}].registers": (1072, ALGORITHM_ERRORS) for n in range(12)},
}


def copy_of(block: str, copy: str) -> str:
    return f"{AUTOENCODER}.registers.{block}.g_tmr.{copy}.q"


@pytest.fixture(scope="module")
def redundant(tmp_path_factory: pytest.TempPathFactory) -> RtlSimulator:
    """With triple redundancy, and with the shortest pipeline that has registers."""
    design = autoencoder_design(latencies=(1, 1, 0), tmr=True, upsets=True)
    return compile_design(design, tmp_path_factory.mktemp("redundant"))


def with_upsets(upset: Callable[[int], list[Step]]) -> tuple[list[Step], np.ndarray]:
    """Steps that feed 500 words, with the steps of `upset` before each, and the right links."""
    random = rng(10)
    registers = autoencoder_registers(random_weights(random, 0.4))
    words = random_words(random, 500)
    steps: list[Step] = [Write(register_writes(registers))]
    for row, word in enumerate(words.astype(np.int64)):
        steps += [*upset(row), Feed(word[None])]
    return steps, autoencoder_stages(words, registers).links.astype(np.int64)


@pytest.mark.slow
def test_one_upset_copy_changes_nothing_but_the_flag(redundant: RtlSimulator) -> None:
    random = rng(11)
    names = list(_BLOCKS)
    hits: dict[int, int] = {FORMATTER_ERRORS: 0, CONVERTER_ERRORS: 0, ALGORITHM_ERRORS: 0}
    rows = []

    def upset(row: int) -> list[Step]:
        if row % 2:
            return []
        name = names[row // 2] if row // 2 < len(names) else names[random.integers(len(names))]
        bits, counter = _BLOCKS[name]
        hits[counter] += 1
        rows.append(row)
        return [Upset(copy_of(name, "abc"[random.integers(3)]), int(random.integers(bits)))]

    steps, expected = with_upsets(upset)
    counters = list(hits)
    steps += [Read(counters), Write([(ERROR_CLEAR, 1), (ERROR_CLEAR, 0)]), Read(counters)]
    run = redundant.run(steps)
    np.testing.assert_array_equal(run.codes, expected)
    np.testing.assert_array_equal(run.upsets, run.fed[rows])  # the clock of the upset, no other
    assert run.reads.tolist() == [*hits.values(), 0, 0, 0]
    assert (run.latency, run.initiation_interval) == (2, 1)


@pytest.mark.slow
def test_two_upset_copies_do_change_the_links(redundant: RtlSimulator) -> None:
    """The control of the test above: an upset does reach the links where two copies agree on it."""

    def upset(row: int) -> list[Step]:
        etx_bit = 6  # 5 eTx become 1
        return [Upset(copy_of("fmtbuf_config", c), etx_bit) for c in "ac"] if row == 100 else []

    steps, expected = with_upsets(upset)
    run = redundant.run([*steps, Read([0x03B0])])
    wrong = np.flatnonzero((run.codes != expected).any(axis=1))
    # the formatter has no register here: the answer after the converter's and encoder's clocks
    assert wrong.tolist() == list(range(98, 500))
    assert run.upsets.tolist() == [run.fed[100]]
    assert run.reads.tolist() == [0x15]


@pytest.mark.slow
def test_an_upset_is_scrubbed(redundant: RtlSimulator) -> None:
    """The same bit of two copies, one after the other: the first is mended in between."""
    upsets = {100: "a", 101: "b", 102: "c"}
    steps, expected = with_upsets(
        lambda row: [Upset(copy_of("fmtbuf_config", upsets[row]), 6)] if row in upsets else []
    )
    run = redundant.run(steps)
    np.testing.assert_array_equal(run.codes, expected)
    assert run.upsets.tolist() == run.fed[100:103].tolist()


@pytest.mark.slow
def test_an_unknown_copy_is_an_error(redundant: RtlSimulator) -> None:
    with pytest.raises(ToolFailed, match=re.escape("no register nowhere.q")):
        redundant.run([Upset("nowhere.q", 0)])
    with pytest.raises(ToolFailed, match="no such bit"):
        redundant.run([Upset(copy_of("mfc_algo", "a"), 8)])


# stimulus --------------------------------------------------------------------------------------


def test_a_set_must_start_an_orbit() -> None:
    words = random_words(rng(12), 3)
    with pytest.raises(ValueError, match="header of BX 0"):
        AutoencoderSet("late", Registers(), words[1:])


def test_writes_hold_the_register_file() -> None:
    weights = EncoderWeights(
        np.zeros((3, 3, 1, 8), int), np.zeros(8, int), np.zeros((128, 16), int), np.arange(16)
    )
    registers = replace(
        Registers(), etx=5, output_mask=(0xABCD << 128) | 0x1234, mux=(47, *range(1, 48))
    )
    written = dict(register_writes(replace(registers, weights=weights)))
    assert written[0x03B0] == 0x5 << 4 | 0b101
    assert [written[0x03C1], written[0x03C2]] == [0x34, 0x12]  # mask_ae2
    assert [written[0x03B1 + 14], written[0x03B1 + 15]] == [0xCD, 0xAB]  # end of mask_ae
    assert written[0x03C4] == 47
    production = dict(register_writes(registers, Chip.PRODUCTION))
    assert [production[0x03C4 + cell] for cell in range(5)] == [44, 2, 1, 0, 7]
    assert [written[0x03F4], written[0x03F5]] == [0x00, 0x08]
    # the last block's last 12 bytes: 16 codes of 6 bits
    last = 0x0538 + 11 * 143 + 134
    tail = sum(written[last - 12 + i] << (8 * i) for i in range(12))
    assert [(tail >> (6 * i)) & 0x3F for i in range(16)] == list(range(16))
