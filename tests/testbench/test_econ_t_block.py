"""The whole ECON-T block in HLS C++: equal to golden model and CMS emulator at every stage."""

import filecmp
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from flows.artefacts.chip_block import make_block
from flows.layout import TargetLayout
from hw.foundation.errors import InputError, ToolFailed, ToolMissing
from hw.hls.chip_block import TOP, include_folders, obstacle, write_block
from hw.targets.target import load_target
from testbench.econ_t.block_csim import (
    BENCH,
    BlockSimulator,
    compile_block,
    encode_set,
    first_difference,
    golden_stages,
    verify,
)
from testbench.econ_t.block_sets import (
    BlockSet,
    corner_sets,
    module_sets,
    random_sets,
    recorded_sets,
)
from testbench.econ_t.converter import convert
from testbench.econ_t.float_codes import CHARGE
from testbench.econ_t.golden_model import autoencoder_stages
from testbench.econ_t.links import BX_PER_ORBIT, OUTPUT_LINKS, pack
from testbench.econ_t.registers import Chip, encoder_cells
from testbench.econ_t.stimulus import random_registers, random_weights, random_words
from tests.flows.test_hls_csim import Design, lay_model

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "econt" / "vectors"
SOURCES = Path(__file__).resolve().parents[2] / "hw" / "econ_t"
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="needs the recorded vectors in ../shared/econt"
)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@dataclass(frozen=True)
class Block:
    """A project of the block, and its compiled program."""

    project: Path
    simulator: BlockSimulator


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Block:
    layout = TargetLayout(tmp_path_factory.mktemp("target"))
    said = make_block(load_target("econ_t"), layout)
    assert said == f"project of the whole chip block, weights as inputs: {layout.block}"
    return Block(layout.block, compile_block(layout.block, layout.csim))


def execute(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)


def differing_stages(block: Block, item: BlockSet) -> list[str]:
    expected, found = golden_stages(item), block.simulator.stages(item)
    assert set(expected) == set(found)
    return [name for name in expected if not np.array_equal(expected[name], found[name])]


# equality ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.shared
@needs_vectors
def test_links_of_every_recorded_set_are_the_emulators(block: Block) -> None:
    sets = recorded_sets(VECTORS)
    assert len(sets) == 5
    verdict = verify(block.simulator, sets)
    assert (verdict.crossings, verdict.mismatches, verdict.difference) == (5000, 0, None)
    for item in sets:
        assert item.links is not None
        assert not differing_stages(block, item)


@pytest.mark.slow
def test_corner_cases_are_exact_at_every_stage(block: Block) -> None:
    sets = list(corner_sets())
    for item in sets:
        assert not differing_stages(block, item), item.name
    stages = [autoencoder_stages(item.words, item.registers) for item in sets]
    # the corners are reached
    total = np.concatenate([s.converted.total for s in stages])
    latents = np.concatenate([s.latents for s in stages])
    assert {0, 1} <= set(total.tolist())
    assert total.max() == 48 * ((2031616 * 4095) >> 11)
    assert (total >= 1 << 22).any()  # the leading one is above the largest shift
    assert latents.min() == 0 and latents.max() == 511
    assert {item.registers.etx for item in sets} == set(range(1, OUTPUT_LINKS + 1))
    assert all(s.headers[0] == 31 and s.headers[16] == 0 for s in stages)
    verdict = verify(block.simulator, sets)
    assert verdict.mismatches == 0
    assert verdict.crossings == sum(len(item.words) for item in sets)


@pytest.mark.slow
def test_random_registers_are_exact_at_every_stage(block: Block) -> None:
    for item in random_sets(rng(7), 60):
        assert not differing_stages(block, item), item.name


@pytest.mark.slow
def test_selectors_beyond_the_inputs_give_code_0(block: Block) -> None:
    registers = random_registers(rng(3), random_weights(rng(3)))
    words = random_words(rng(4), 20)
    codes = np.zeros((20, 48), dtype=np.int64)
    none = BlockSet("code 0", registers, pack(codes, np.arange(20)))
    beyond = BlockSet("beyond", replace(registers, mux=(48, 63) * 24), words)
    expected, found = block.simulator.stages(none), block.simulator.stages(beyond)
    assert all(np.array_equal(expected[name], found[name]) for name in expected)


@pytest.mark.slow
def test_the_production_chips_block_counts_a_links_codes_backwards(
    block: Block, tmp_path: Path
) -> None:
    production = compile_block(block.project, tmp_path, Chip.PRODUCTION)
    sets = [
        replace(item, registers=replace(item.registers, chip=chip))
        for chip in Chip
        for item in random_sets(rng(8), 10)
    ]
    verdict = verify(production, sets)
    assert (verdict.mismatches, verdict.difference) == (0, None)
    assert verdict.crossings == sum(len(item.words) for item in sets)
    # on the other chip's selectors it takes other inputs
    confused = verify(BlockSimulator(production.program, Chip.P1), sets)
    assert confused.mismatches > 0 and "differs from the golden model: calq" in (
        confused.difference or ""
    )


@pytest.mark.slow
def test_headers_through_an_orbit(block: Block) -> None:
    registers = replace(random_registers(rng(0), random_weights(rng(0), 0.2)), etx=13)
    count = BX_PER_ORBIT + 40
    words = pack(rng(1).integers(0, 128, (count, 48)), np.arange(count) % BX_PER_ORBIT)
    headers = block.simulator.links(BlockSet("orbit", registers, words))[:, 0] >> 27
    expected = np.arange(count) % BX_PER_ORBIT
    assert np.array_equal(headers, np.where(expected == 0, 31, expected % 16))


@pytest.mark.slow
def test_latent_bits_on_every_number_of_links(block: Block) -> None:
    """Decoded from the links as a receiver does, without the golden model."""
    weights = random_weights(rng(5), 0.3)
    words = random_words(rng(6), 30)
    for etx in range(1, OUTPUT_LINKS + 1):
        registers = replace(random_registers(rng(etx), weights), etx=etx)
        stages = block.simulator.stages(BlockSet("links", registers, words))
        for latents, sum_code, links in zip(
            stages["latents"], stages["sum code"], stages["links"], strict=True
        ):
            everything = "".join(f"{latent:09b}" for latent in reversed(latents.tolist()))
            mask = f"{registers.output_mask:0144b}"
            kept = "".join(b for b, keep in zip(everything, mask, strict=True) if keep == "1")
            bits = "".join(f"{link:032b}" for link in links.tolist())
            size = min(18 + 32 * (etx - 1), 146)
            assert bits[5:14] == f"{int(sum_code[0]):09b}"
            assert bits[14 : 14 + size] == kept[-size:].rjust(size, "0")
            assert "1" not in bits[14 + size :]


def test_modules_reach_the_encoder_in_the_order_of_its_image() -> None:
    calq = np.floor(rng(0).exponential(200, (5, 48)))
    [item] = module_sets("modules", calq, list("abcde"), random_weights(rng(0)), 5)
    stages = autoencoder_stages(item.words, item.registers)
    seen = CHARGE.decode_centre(CHARGE.encode(calq, drop=3), drop=3)[:, list(encoder_cells())]
    assert np.array_equal(stages.calq, seen)
    assert np.array_equal(stages.converted.inputs, convert(seen).inputs)
    assert (item.registers.etx, item.origin(2)) == (3, "modules, c")
    assert stages.headers.tolist() == [31, 1, 2, 3, 4]
    long = list(module_sets("long", np.ones((4000, 48)), ["x"] * 4000, random_weights(rng(0)), 9))
    assert [len(part.words) for part in long] == [BX_PER_ORBIT, 4000 - BX_PER_ORBIT]


# faults that must be caught ------------------------------------------------------------------


def swap(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


FAULTS = {
    "decoded charge": ("converter.h", swap("charge << 2", "charge << 1"), "calq"),
    "calibration": ("econ_t_types.h", swap("FACTOR_FRACTION = 11", "FACTOR_FRACTION = 10"), "calq"),
    "module sum": ("econ_t_types.h", swap("ac_int<28, false> sum_t", "ac_int<27, false> sum_t"), 0),
    "largest shift": ("econ_t_types.h", swap("MAX_SHIFT = 21", "MAX_SHIFT = 22"), "inputs"),
    "image": ("encoder.h", swap("(row - HALF) * HALF", "(row - HALF) * (HALF - 1)"), "features"),
    "convolution sum": ("defines.h", swap("<13,6,true> conv", "<14,6,true> conv"), "features"),
    "dense sum": ("defines.h", swap("<20,12,true> encoded", "<18,10,true> encoded"), "latents"),
    "mask": ("formatter.h", swap("digit < STEPS", "digit < STEPS - 1"), "links"),
    "wiring": ("econ_t_block.cpp", swap("latents, etx,", "latents, 5,"), "links"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_changed_width_or_shift_is_caught_and_its_stage_named(
    block: Block, tmp_path: Path, fault: str
) -> None:
    file, change, stage = FAULTS[fault]
    project = tmp_path / "block"
    shutil.copytree(block.project, project)
    source = project / "firmware" / file
    text = source.read_text()
    source.write_text(change(text))
    assert source.read_text() != text
    sets = [*corner_sets(), *random_sets(rng(0), 10)]
    verdict = verify(compile_block(project, tmp_path), sets)
    assert 0 < verdict.mismatches <= verdict.crossings
    named = re.search(r"golden model: ([a-z ]+), element \d+: expected", verdict.difference or "")
    assert named and named[1] == (stage or "sum code")


@pytest.mark.slow
def test_formats_that_are_not_the_encoders_do_not_compile(block: Block, tmp_path: Path) -> None:
    project = tmp_path / "block"
    shutil.copytree(block.project, project)
    types = project / "firmware" / "econ_t_types.h"
    types.write_text(types.read_text().replace("ac_fixed<6, 1, true>", "ac_fixed<7, 1, true>"))
    with pytest.raises(ToolFailed, match=r"compilation of .*block with .*log: .*compile\.log"):
        compile_block(project, tmp_path)


@pytest.mark.slow
def test_first_difference_names_stage_and_element(block: Block) -> None:
    [item] = random_sets(rng(1), 1)
    found = dict(block.simulator.stages(item))
    expected = golden_stages(item)
    assert first_difference(expected, found, 3) is None
    found["latents"] = found["latents"].copy()
    found["latents"][3, 5] += 1
    assert first_difference(expected, found, 2) is None
    difference = first_difference(expected, found, 3)
    assert difference is not None
    assert (difference.stage, difference.element) == ("latents", 5)
    assert difference.found == difference.expected + 1


@pytest.mark.slow
def test_recorded_links_that_differ_are_told_apart_from_a_faulty_block(block: Block) -> None:
    [item] = random_sets(rng(1), 1)
    links = golden_stages(item)["links"].copy()
    links[11, 0] ^= 1
    verdict = verify(block.simulator, [replace(item, links=links)])
    assert verdict.mismatches == 1
    assert "random registers 0, row 11: link 0: expected" in (verdict.difference or "")
    assert "every stage agrees with the golden model" in (verdict.difference or "")


# a program that does not answer --------------------------------------------------------------


@pytest.mark.slow
def test_a_truncated_stimulus_is_an_error(block: Block, tmp_path: Path) -> None:
    [item] = random_sets(rng(1), 1)
    stimulus = tmp_path / "stimulus"
    for lost in (1, 60):
        stimulus.write_bytes(encode_set(item)[:-lost])
        done = execute(block.simulator.program, stimulus, tmp_path / "answers")
        assert done.returncode == 3
        assert "ends within a set" in done.stderr


def test_missing_answers_are_an_error(tmp_path: Path) -> None:
    program = tmp_path / "bench"
    program.write_text('#!/bin/sh\nhead -c 10 /dev/zero > "$2"\n')
    program.chmod(0o755)
    [item] = random_sets(rng(1), 1)
    with pytest.raises(ToolFailed, match=r"40 bunch crossings should give 2080 bytes, found 10"):
        BlockSimulator(program).links(item)


def test_registers_without_weights_are_refused() -> None:
    [item] = random_sets(rng(1), 1)
    with pytest.raises(ValueError, match="hold no encoder weights"):
        encode_set(replace(item, registers=replace(item.registers, weights=None)))


@pytest.mark.slow
def test_a_missing_compiler_is_told(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=r"apt install g\+\+"):
        compile_block(block.project, tmp_path)


# the project ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_same_files_are_written_again(block: Block, tmp_path: Path) -> None:
    layout = TargetLayout(tmp_path)
    make_block(load_target("econ_t"), layout)

    def files(folder: Path) -> list[Path]:
        return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())

    assert files(layout.block) == files(block.project)
    for file in files(layout.block):
        assert filecmp.cmp(layout.block / file, block.project / file, shallow=False), file
    assert {path.name for path in tmp_path.iterdir()} == {"block", "block.log"}


@pytest.mark.slow
def test_weights_are_inputs_and_nowhere_else(block: Block) -> None:
    firmware = block.project / "firmware"
    encoder = (firmware / "econt_encoder.cpp").read_text()
    parameters = (firmware / "parameters.h").read_text()
    assert not (firmware / "weights").exists()
    assert "weights/" not in parameters and "load_weights" not in encoder
    assert set(re.findall(r"n_zeros = (\d+)", parameters)) == {"0"}  # a multiplier for every one
    texts = [path.read_text() for path in firmware.glob("*.[ch]*")]
    assert sum(text.count("#pragma hls_design top") for text in texts) == 1
    header = (firmware / f"{TOP}.h").read_text()
    assert re.search(r"dense_kernel\[econ_t::DENSE_WEIGHTS\]", header)


@pytest.mark.slow
def test_the_projects_own_bench_passes_and_can_fail(block: Block, tmp_path: Path) -> None:
    """As the script has it run: on the stimulus and the links that the project holds."""
    data = block.project / "tb_data"
    command = [block.simulator.program, data / "stimulus.bin", tmp_path / "answers"]
    passed = execute(*command, data / "links.bin")
    assert passed.returncode == 0
    assert re.match(r"0 of \d{4,} bunch crossings wrong", passed.stdout)
    links = bytearray((data / "links.bin").read_bytes())
    links[100] ^= 1
    wrong = tmp_path / "wrong"
    wrong.write_bytes(links)
    failed = execute(*command, wrong)
    assert failed.returncode == 1 and failed.stdout.startswith("1 of ")
    wrong.write_bytes(links[:-52])
    assert execute(*command, wrong).returncode == 3


@pytest.mark.slow
def test_the_synthesised_side_compiles_too(block: Block) -> None:
    includes = [f"-I{folder}" for folder in include_folders(block.project)]
    for source in (f"{TOP}.cpp", "econt_encoder.cpp"):
        file = block.project / "firmware" / source
        options = ("-std=c++17", "-D__SYNTHESIS__", "-w", "-fsyntax-only")
        done = execute("g++", *options, *includes, file)
        assert done.returncode == 0, done.stderr[:2000]


@pytest.mark.slow
def test_the_script_names_files_and_ports_that_exist(block: Block) -> None:
    """Run by Tcl itself, with Catapult's commands written down instead of carried out."""
    tkinter = pytest.importorskip("tkinter")
    tcl = tkinter.Tcl()
    called: list[tuple[str, ...]] = []
    for command in ("options", "project", "flow", "solution", "directive", "go"):
        tcl.createcommand(command, lambda *words, name=command: called.append((name, *words)))
    tcl.eval(f"info script {{{block.project / 'build_prj.tcl'}}}")
    tcl.eval((block.project / "build_prj.tcl").read_text())
    added = [Path(words[3]) for words in called if words[:3] == ("solution", "file", "add")]
    assert [file.name for file in added] == ["econ_t_block.cpp", "econt_encoder.cpp", BENCH.name]
    assert all(file.is_file() for file in added)
    assert ("solution", "design", "set", TOP, "-top") in called
    flags = next(words[3] for words in called if words[2:3] == ("Input/CompilerFlags",))
    assert flags == "-DECON_T_PRODUCTION=0"
    assert any(words[:4] == ("solution", "library", "add", "nangate-45nm_beh") for words in called)
    [invocation] = [words[-1] for words in called if "/SCVerify/INVOKE_ARGS" in words]
    stimulus, _, expected = invocation.split()
    assert Path(stimulus).is_file() and Path(expected).is_file()
    clocks = next(words[3] for words in called if words[:3] == ("directive", "set", "-CLOCKS"))
    assert "-CLOCK_PERIOD 25.0" in clocks
    header = (block.project / "firmware" / f"{TOP}.h").read_text()
    ports = re.findall(r"(\w+)(?:\[[\w:]+\])?[,)]", header[header.index(f"void {TOP}") :])
    direct = [w[2].split("/")[-1].split(":")[0] for w in called if w[-1] == "[DirectInput]"]
    assert set(ports) == {*direct, "links_in", "crossing", "links_out"}


@pytest.mark.parametrize("file", sorted(SOURCES.glob("*.[ch]*")), ids=lambda file: file.name)
def test_sources_are_hardware(file: Path) -> None:
    """Every loop is unrolled; nothing is allocated, nothing is in floating point, no state."""
    code = re.sub(r"//.*", "", file.read_text())
    assert not re.search(r"\b(new|malloc|std::|float|double|static|while|printf|goto)\b", code)
    lines = [line.strip() for line in code.splitlines() if line.strip()]
    for before, line in pairwise(lines):
        if re.match(r"for\b", line):
            assert before == "#pragma hls_unroll yes", line


def test_targets_that_are_not_for_the_block(tmp_path: Path) -> None:
    chip = load_target("econ_t")
    assert obstacle(chip) is None
    assert "'vitis' is no ASIC" in (obstacle(load_target("vitis")) or "")
    for change in ({"io_type": "io_stream"}, {"strategy": "Resource"}, {"reuse_factor": 2}):
        assert "does not take a module each clock" in (
            obstacle(chip.model_copy(update=change)) or ""
        )
    vitis = load_target("vitis")
    assert "no ASIC" in make_block(vitis, TargetLayout(tmp_path))
    with pytest.raises(InputError, match="no ASIC"):
        write_block(None, vitis, tmp_path / "x", bench=BENCH, test_data={}, log=tmp_path / "log")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_encoder_in_another_form_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hw.hls import chip_block

    unknown = (("the top function", re.compile("void another_top"), ""),)
    monkeypatch.setattr(chip_block, "_EDITS", unknown)
    with pytest.raises(ToolFailed, match="the top function was found 0 times"):
        make_block(load_target("econ_t"), TargetLayout(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"block.log"}


# the step ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_csim_step_runs_the_block_and_fails_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_model(tmp_path, "econ_t_2elinks")
    design = Design(tmp_path, "econ_t_2elinks")
    assert design.step("hls") == 0
    assert "project of the whole chip block" in capsys.readouterr().out
    assert design.csim("--recorded", str(tmp_path / "none")) == 0
    assert "0 of 9,826 BX differ from the golden model" in capsys.readouterr().out
    found = design.metrics()
    assert found["csim.block.vectors"].value == 9826
    assert found["csim.block.mismatches"].value == found["csim.mismatches"].value == 0
    for name in ("csim.block.emulator_bx", "csim.block.emulator_mismatches"):
        assert found[name].value is None
        assert found[name].reason == f"{tmp_path / 'none'}: no such folder"
        assert found[name].provenance == found["csim.mismatches"].provenance

    source = design.files.block / "firmware" / "formatter.h"
    source.write_text(source.read_text().replace("header_t(31)", "header_t(15)"))
    assert design.csim() == 1
    told = capsys.readouterr().err
    assert "whole chip block" in told
    assert "this model, validation module 0: link 0: expected" in told
    assert "first stage that differs from the golden model: links, element 0" in told
    found = design.metrics()
    assert found["csim.mismatches"].value >= found["csim.block.mismatches"].value > 0
    assert "validation module 0" in (found["csim.mismatches"].reason or "")
    if VECTORS.is_dir():
        assert found["csim.block.emulator_bx"].value == 5000
        assert found["csim.block.emulator_mismatches"].value == 5 * 1  # BX 0 of each set

    shutil.rmtree(design.files.block)
    assert design.csim() == 2
    assert "run the hls stage anew" in capsys.readouterr().err
