"""The conformance command, on folders made here."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from testbench.econ_t.best_choice import best_choice_frames
from testbench.econ_t.encoder_weights import EncoderWeights
from testbench.econ_t.golden_model import charges, transmit
from testbench.econ_t.links import (
    INPUT_COLUMN,
    OUTPUT_COLUMN,
    OUTPUT_LINKS,
    output_headers,
    pack,
    read_link_csv,
    write_link_csv,
)
from testbench.econ_t.output_buffer import send_at_once
from testbench.econ_t.register_file import write_registers
from testbench.econ_t.registers import Algorithm, Chip, Registers

INPUTS = pack(np.random.default_rng(5).integers(0, 128, (40, 48)), np.arange(40))
WEIGHTS = EncoderWeights(
    *(np.zeros(shape, dtype=int) for shape in ((3, 3, 1, 8), (8,), (128, 16), (16,)))
)
SETTINGS = Registers(
    weights=WEIGHTS,
    high_density=True,
    drop_lsb=3,
    threshold=(400_000,) * 48,
    use_sum=False,
    buffer_t1=60,
)


def make_folder(root: Path, name: str, registers: Registers, rows: int | None = None) -> Path:
    if not (root / "testInput.csv").exists():
        write_link_csv(root / "testInput.csv", INPUT_COLUMN, INPUTS)
    folder = root / name
    folder.mkdir()
    write_registers(folder / "init.yaml", registers)
    links = transmit(INPUTS, registers).links
    write_link_csv(folder / "testOutput.csv", OUTPUT_COLUMN, links[:rows])
    return folder


def flip(folder: Path, row: int, link: int, mask: int) -> None:
    file = folder / "testOutput.csv"
    links = read_link_csv(file, OUTPUT_COLUMN, OUTPUT_LINKS)
    links[row, link] ^= np.uint32(mask)
    write_link_csv(file, OUTPUT_COLUMN, links)


def run(root: Path, capsys) -> tuple[int, list[str], str]:
    status = main(["conformance", str(root)])
    streams = capsys.readouterr()
    return status, streams.out.splitlines(), streams.err


def test_all_algorithms_pass(tmp_path, capsys) -> None:
    for algorithm in Algorithm:
        registers = replace(SETTINGS, algorithm=algorithm, etx=2)
        make_folder(tmp_path, algorithm.title, registers, rows=40)
    status, lines, _ = run(tmp_path, capsys)
    assert status == 0
    assert lines[-1] == "5 passed, 0 failed"
    assert [line.split("  ")[0] for line in lines[:-1]] == sorted(a.title for a in Algorithm)
    assert all("40 of 40 BX exact" in line for line in lines[:-1])
    assert "super trigger cell type 1, 2 eTx" in lines[3]


def test_rows_that_drain_the_buffer_count(tmp_path, capsys) -> None:
    make_folder(tmp_path, "TS", replace(SETTINGS, algorithm=Algorithm.THRESHOLD_SUM, etx=2))
    status, lines, _ = run(tmp_path, capsys)
    assert status == 0
    assert " of 40 BX" not in lines[0]


def test_recordings_that_stop_with_a_full_buffer_count(tmp_path, capsys) -> None:
    """What its drain would send is not known, and not recorded."""
    registers = replace(
        SETTINGS, algorithm=Algorithm.THRESHOLD_SUM, etx=2, threshold=(0,) * 48, buffer_t1=48
    )
    make_folder(tmp_path, "TS", registers, rows=40)
    status, lines, _ = run(tmp_path, capsys)
    assert (status, lines[-1]) == (0, "1 passed, 0 failed")
    assert "40 of 40 BX exact" in lines[0]


@pytest.mark.parametrize(
    ("algorithm", "etx", "case"),
    [
        (Algorithm.AUTOENCODER, 5, (7, 0, 1 << 31, "header: expected 23, found 7")),
        (Algorithm.AUTOENCODER, 5, (7, 4, 0b10, "latent 0: expected 2, found 0")),
        (Algorithm.AUTOENCODER, 5, (7, 5, 1, "link 5 (not in use): expected 00000001")),
        (Algorithm.BEST_CHOICE, 2, (3, 0, 1 << 19, "address 0: expected")),
        (Algorithm.BEST_CHOICE, 13, (3, 0, 1 << 19, "map bit 0: expected 0, found 1")),
        (Algorithm.BEST_CHOICE, 13, (3, 12, 1 << 16, "(fill bits): expected")),
        (Algorithm.REPEATER, 13, (0, 0, 1 << 26, "charge 0: expected")),
        (Algorithm.REPEATER, 13, (0, 12, 1, "link 12 (idle word): expected 00000001")),
        (Algorithm.SUPER_TRIGGER_CELL, 2, (9, 1, 1 << 31, "sum ")),
    ],
)
def test_first_difference_is_named(tmp_path, capsys, algorithm, etx, case) -> None:
    row, link, mask, field = case
    folder = make_folder(tmp_path, "set", replace(SETTINGS, algorithm=algorithm, etx=etx))
    flip(folder, row, link, mask)
    flip(folder, row + 5, 0, 1)
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1
    assert lines[-1] == "0 passed, 1 failed"
    assert "38 of 40 BX exact; FAILED: first difference at BX " in lines[0]
    assert f"at BX {row}, " in lines[0] and field in lines[0]


def test_difference_in_a_waiting_frame_names_its_bx(tmp_path, capsys) -> None:
    registers = replace(SETTINGS, algorithm=Algorithm.THRESHOLD_SUM, etx=1)
    sent = transmit(INPUTS, registers)
    row = int(np.flatnonzero(sent.frame[:, 0] == 1)[0])  # where the frame of BX 1 starts
    assert row > 1 and sent.word[row, 0] == 0
    folder = make_folder(tmp_path, "TS", registers)
    flip(folder, row, 0, 1 << 27)
    _, lines, _ = run(tmp_path, capsys)
    assert f"first difference at BX {row}, header of BX 1: expected 0, found 1" in lines[0]


def test_folders_that_cannot_be_compared_fail_by_name(tmp_path, capsys) -> None:
    good = replace(SETTINGS, algorithm=Algorithm.BEST_CHOICE, etx=4)
    make_folder(tmp_path, "a_good", good)
    make_folder(tmp_path, "b_no_output", good).joinpath("testOutput.csv").unlink()
    long = make_folder(tmp_path, "c_long", good) / "testOutput.csv"
    long.write_text(long.read_text() + long.read_text().partition("\n")[2][:117])
    make_folder(tmp_path, "d_text", good).joinpath("testOutput.csv").write_text("nothing here\n")
    (tmp_path / "e_empty").mkdir()
    broken = make_folder(tmp_path, "f_broken", good) / "init.yaml"
    broken.write_text("ECON-T: [")
    stc = make_folder(tmp_path, "g_type_7", replace(SETTINGS, algorithm=Algorithm(1), etx=1))
    text = (stc / "init.yaml").read_text()
    (stc / "init.yaml").write_text(re.sub(r"(stc_type:\s+param_value: )1", r"\g<1>7", text))
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1
    assert lines[-1] == "1 passed, 6 failed"
    expected = {
        "a_good": "40 of 40 BX exact",
        "b_no_output": "FAILED: .*testOutput.csv: cannot be read",
        "c_long": "FAILED: .*41 rows for the 40 bunch crossings",
        "d_text": "FAILED: .*expected 13 words",
        "e_empty": "FAILED: .*init.yaml: cannot be read",
        "f_broken": "FAILED: .*not valid YAML",
        "g_type_7": "FAILED: stc_type 7 is not supported",
    }
    for line, (name, text) in zip(lines[:-1], expected.items(), strict=True):
        assert re.match(rf"{name} .*{text}", line)


def test_a_recording_shorter_than_its_input_is_compared_as_far_as_it_goes(tmp_path, capsys) -> None:
    good = replace(SETTINGS, algorithm=Algorithm.BEST_CHOICE, etx=4)
    make_folder(tmp_path, "a", good, rows=39)
    make_folder(tmp_path, "b", good)
    flip(make_folder(tmp_path, "c", good, rows=10), 7, 0, 1)
    make_folder(tmp_path, "d", replace(SETTINGS, algorithm=Algorithm(0), etx=2), rows=5)
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1
    assert "39 of 39 BX exact (the recording ends 1 BX before its input)" in lines[0]
    assert lines[1].endswith("40 of 40 BX exact")
    assert "9 of 10 BX exact (the recording ends 30 BX" in lines[2] and "FAILED" in lines[2]
    assert "5 of 5 BX exact (the recording ends 35 BX before its input)" in lines[3]
    assert lines[-1] == (
        "3 passed, 1 failed; 3 shorter than the input and compared as far as recorded "
        "(66 BX not compared)"
    )


def zero_charge_folder(root: Path, *, send_zeros: bool) -> Path:
    """Best choice of 48 cells, every second one without charge once three bits are cut off."""
    registers = replace(SETTINGS, algorithm=Algorithm.BEST_CHOICE, etx=13)
    folder = make_folder(root, "BC", registers)
    codes = np.random.default_rng(6).integers(1, 128, (40, 48))
    codes[1::2, ::2] = 0  # the charge 4 of a high-density module
    words = pack(codes, np.arange(40))
    write_link_csv(root / "testInput.csv", INPUT_COLUMN, words)
    frames = best_choice_frames(
        charges(words, registers),
        output_headers(np.arange(40)),
        13,
        3,
        False,
        send_zeros=send_zeros,
    )
    write_link_csv(folder / "testOutput.csv", OUTPUT_COLUMN, send_at_once(frames, 13).links)
    return folder


def test_codes_of_charge_zero_that_are_left_out_are_named_and_fail(tmp_path, capsys) -> None:
    folder = zero_charge_folder(tmp_path, send_zeros=False)
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1 and lines[-1] == "0 passed, 1 failed"
    assert " of 40 BX exact; FAILED: first difference at BX 1, charge" in lines[0]
    assert lines[0].endswith("was left out by the emulator until April 2022")
    flip(folder, 2, 0, 1)  # of another cause
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1 and "2022" not in lines[0]
    zero_charges = tmp_path / "sent"
    zero_charges.mkdir()
    zero_charge_folder(zero_charges, send_zeros=True)
    status, lines, _ = run(zero_charges, capsys)
    assert (status, lines[-1]) == (0, "1 passed, 0 failed")


@pytest.mark.parametrize("algorithm", [Algorithm.BEST_CHOICE, Algorithm.THRESHOLD_SUM])
def test_the_production_chips_map_is_told_from_the_first_chips(tmp_path, capsys, algorithm) -> None:
    settings = replace(SETTINGS, algorithm=algorithm, etx=10, threshold=(0,) * 48)
    for chip in Chip:
        make_folder(tmp_path, chip.value, replace(settings, chip=chip))
    status, lines, _ = run(tmp_path, capsys)
    assert (status, lines[-1]) == (0, "2 passed, 0 failed")
    recorded = [tmp_path / chip.value / "testOutput.csv" for chip in Chip]
    first, production = (file.read_text() for file in recorded)
    recorded[0].write_text(production)
    recorded[1].write_text(first)
    if algorithm is Algorithm.THRESHOLD_SUM:
        assert first == production  # all cells are sent: the maps are the same
        return
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1 and lines[-1] == "0 passed, 2 failed"
    assert "map bit 0: expected" in lines[0] and "map bit 47: expected" in lines[1]


def test_groups_below_a_folder_give_one_total(tmp_path, capsys) -> None:
    good = replace(SETTINGS, algorithm=Algorithm.BEST_CHOICE, etx=4)
    for group in ("one", "deep/two"):
        (tmp_path / group).mkdir(parents=True)
        make_folder(tmp_path / group, "set", good)
    stray = tmp_path / "one" / "testOutput.csv"  # of the group: registers are missing
    stray.write_text((tmp_path / "one" / "set" / "testOutput.csv").read_text())
    own = tmp_path / "own"
    own.mkdir()
    (make_folder(own, "set", good)).joinpath("testInput.csv").write_text(
        (own / "testInput.csv").read_text()
    )
    (own / "testInput.csv").unlink()
    (tmp_path / "one" / "no_output").mkdir()
    (tmp_path / "one" / "no_output" / "init.yaml").write_text(
        (tmp_path / "one" / "set" / "init.yaml").read_text()
    )
    (tmp_path / "scripts" / "inner").mkdir(parents=True)
    (tmp_path / "deep" / "round").symlink_to(tmp_path)
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1
    assert [line.split("  ")[0] for line in lines[:-2]] == [
        "deep/two/set",
        "one/no_output",
        "one/set",
        "own/set",
    ]
    assert "best choice, 4 eTx: FAILED: " in lines[1] and "testOutput.csv: cannot be" in lines[1]
    assert lines[-2:] == ["no recording in: scripts", "3 passed, 1 failed"]


def test_a_folder_may_be_a_recording_itself(tmp_path, capsys) -> None:
    good = replace(SETTINGS, algorithm=Algorithm.REPEATER, etx=13)
    folder = make_folder(tmp_path, "set", good)
    status, lines, _ = run(folder, capsys)
    assert status == 0 and lines[0].startswith("set  repeater, 13 eTx: 40 of")
    (tmp_path / "testInput.csv").rename(folder / "testInput.csv")
    status, lines, _ = run(folder, capsys)
    assert (status, lines[-1]) == (0, "1 passed, 0 failed")
    (folder / "testInput.csv").unlink()
    status, lines, _ = run(folder, capsys)
    assert status == 1 and "testInput.csv: cannot be read" in lines[0]


def test_a_type_of_super_trigger_cells_without_a_recording_is_named(tmp_path, capsys) -> None:
    settings = replace(SETTINGS, chip=Chip.PRODUCTION, algorithm=Algorithm(1), etx=3, stc_type=4)
    make_folder(tmp_path, "STC", settings).joinpath("testOutput.csv").unlink()
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1
    assert re.match(r"STC  super trigger cell type 4, 3 eTx: FAILED: .*testOutput.csv: ", lines[0])


def test_unreadable_input_fails_every_folder(tmp_path, capsys) -> None:
    for name in ("a", "b"):
        make_folder(tmp_path, name, SETTINGS)
    (tmp_path / "testInput.csv").write_text("RX_DATA_0\n1\n")
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1
    assert re.match(r"a  FAILED: .*testInput.csv:1: expected the 12 columns", lines[0])
    (tmp_path / "testInput.csv").unlink()
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1
    assert re.match(r"b  FAILED: .*testInput.csv: cannot be read", lines[1])
    assert lines[2:] == ["0 passed, 2 failed"]


def test_no_entry_is_skipped_in_silence(tmp_path, capsys) -> None:
    good = replace(SETTINGS, algorithm=Algorithm.BEST_CHOICE)
    make_folder(tmp_path, ".hidden", good)
    make_folder(tmp_path, "name\nof two lines", good)
    (tmp_path / "link").symlink_to(tmp_path / ".hidden")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / ".git").mkdir()
    status, lines, _ = run(tmp_path, capsys)
    assert status == 1
    assert lines[-1] == "3 passed, 1 failed"
    assert [line.split("  ")[0] for line in lines[:-1]] == [
        ".hidden",
        "dangling",
        "link",
        "name of two lines",
    ]
    assert "FAILED: " in lines[1] and "cannot be read" in lines[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace(",", " ,\t"),
        lambda text: re.sub(r"[^,\n]+", r'"\g<0>"', text),
        lambda text: re.sub(r"(?m)(^|,)(?=[0-9a-f]{8})", r"\g<1>0x", text).rstrip("\n"),
        lambda text: text.partition("\n")[2] + "\n\n",
    ],
)
def test_other_spellings_of_a_csv_are_read(tmp_path, capsys, change) -> None:
    folder = make_folder(tmp_path, "set", SETTINGS)
    for file in (tmp_path / "testInput.csv", folder / "testOutput.csv"):
        file.write_text(change(file.read_text()), encoding="utf-8")
    status, lines, _ = run(tmp_path, capsys)
    assert (status, lines[-1]) == (0, "1 passed, 0 failed")


def test_bad_folders_are_input_errors(tmp_path, capsys) -> None:
    status, _, error = run(tmp_path / "none", capsys)
    assert status == 2 and "none: cannot be read as a folder: No such file" in error
    write_link_csv(tmp_path / "testInput.csv", INPUT_COLUMN, INPUTS)
    status, _, error = run(tmp_path / "testInput.csv", capsys)
    assert status == 2 and "Not a directory" in error
    status, _, error = run(tmp_path, capsys)
    assert status == 2 and "holds no recording to check" in error
