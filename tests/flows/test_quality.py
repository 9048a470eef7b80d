"""`python -m flows quality`: a model and the chip's algorithms on any module data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.layout import model_layout
from models.data.generator import generate_modules, write_csv
from models.quality.emd import emd
from testbench.econ_t import received
from tests.flows.trained import lay_trained

MODEL = "econ_t_2elinks"


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("laid")
    modules = generate_modules(300, seed=5)
    calq = modules.calq.copy()
    calq[:7] = 0
    calq[7, 1:] = 0
    calq[7, 0] = 30
    write_csv(replace(modules, calq=calq), folder / "modules.csv")
    lay_trained(folder / "build", MODEL, calq[:100])
    return folder


def rows(folder: Path, capsys: pytest.CaptureFixture, *words: str) -> dict[str, list[str]]:
    assert main(["quality", "--build", str(folder / "build"), "--model", MODEL, *words]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells}


def test_every_algorithm_is_measured_on_the_links_of_the_model(laid, capsys):
    table = rows(laid, capsys, str(laid / "modules.csv"), "--above", "35")
    calq = generate_modules(300, seed=5).calq[8:]
    calq = calq[calq.sum(axis=1) > 35]
    sent = received.algorithms(2)["best_choice"](calq)
    expected = emd(calq, sent.calq).mean()
    assert table["best choice"][:3] == [f"{sent.bits[0]}", f"{len(calq)}", f"{expected:.3f}"]
    assert table["autoencoder"][0] == str(5 + 9 + 16 * 3)  # header, sum, 3 bits a latent
    assert table["algorithm"][-1] == "15 to 48"


def test_bins_hold_all_modules(laid, capsys):
    table = rows(laid, capsys)  # the validation modules, of which seven are empty
    own = table["autoencoder"]
    means = np.array([float(cell) for cell in own[4:] if cell != "\u2014"])
    assert own[1] == "93"
    assert means.min() <= float(own[2]) <= means.max()


def test_the_table_is_written_too_and_nothing_of_the_model_changes(laid, capsys, tmp_path):
    layout = model_layout(laid / "build", MODEL)
    before = {p: p.read_bytes() for p in layout.folder.rglob("*") if p.is_file()}
    output = tmp_path / "table.md"
    words = ["--modules", "50", "--output", str(output), "--model", MODEL]
    assert main(["quality", "--build", str(laid / "build"), *words]) == 0
    assert output.read_text() == capsys.readouterr().out
    assert "50 modules" in output.read_text()
    assert before == {p: p.read_bytes() for p in layout.folder.rglob("*") if p.is_file()}


def test_faults_are_told(laid, capsys, tmp_path):
    build = ["--build", str(laid / "build")]
    data = str(laid / "modules.csv")
    for words, message in (
        (["--model", "econ_t", data], "train the model first"),
        (["--model", MODEL, str(tmp_path / "none.csv")], "none.csv"),
        (["--model", MODEL, data, "--above", "1e9"], "no module has a charge above 1e+09"),
    ):
        assert main(["quality", *build, *words]) == 2
        assert message in capsys.readouterr().err
