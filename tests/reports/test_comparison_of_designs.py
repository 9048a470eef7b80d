"""Comparing designs: directions, errors, gaps, what is never compared, and the command line."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.commands.compare import _short_paths
from flows.layout import model_layout, target_layout
from reports.comparison import Change, ComparedDesign, compare
from reports.metrics import Evidence, Metric, Provenance, Summary, write_summary
from reports.rendering.comparison import markdown, to_json
from tests.reports.evaluation_arrays import evaluation_arrays

PROJECT = Path(__file__).resolve().parents[2]


def metric(name: str, value: object, **more) -> Metric:
    better = more.pop("better", "lower")
    reason = None if value is not None else "not run"
    return Metric(name=name, value=value, better=better, reason=reason, **more)


def design(name: str, *metrics: Metric, **provenance) -> ComparedDesign:
    summary = Summary(
        model=name, target="econ_t", provenance=Provenance(**provenance), metrics=metrics
    )
    return ComparedDesign(name, summary)


def change(before: Metric, after: Metric, tolerance: float = 0.01) -> Change:
    comparison = compare([design("a", before), design("b", after)], tolerance)
    assert len(comparison.figures) == 1
    return comparison.figures[0].cells[1].change


@pytest.mark.parametrize(
    ("better", "before", "after", "expected"),
    [
        ("lower", 100, 90, Change.BETTER),
        ("lower", 100, 110, Change.WORSE),
        ("higher", 100, 110, Change.BETTER),
        ("higher", 100, 90, Change.WORSE),
        ("lower", 100, 101, Change.SAME),  # within 1 %
        ("lower", 100, 101.1, Change.WORSE),
        ("lower", 0, 1, Change.WORSE),  # nothing is within a percentage of zero
        ("higher", -2.0, -1.0, Change.BETTER),
        ("higher", True, False, Change.WORSE),
        (None, 100, 200, Change.DIFFERENT),
        ("lower", "a", "b", Change.DIFFERENT),
        ("lower", 1, None, Change.MISSING),
    ],
)
def test_the_metric_tells_which_direction_is_better(better, before, after, expected):
    assert change(metric("x.y", before, better=better), metric("x.y", after, better=better)) is (
        expected
    )


def test_a_mean_must_differ_by_more_than_its_error():
    def sides(error: float) -> list[ComparedDesign]:
        return [
            design(
                name, metric("emd.mean", value), metric("emd.standard_error", error, better=None)
            )
            for name, value in (("a", 1.0), ("b", 1.1))
        ]

    def outcome(error: float) -> Change:
        return compare(sides(error)).figures[0].cells[1].change

    assert outcome(0.03) is Change.WORSE  # 0.1 is more than 2 * 0.042
    assert outcome(0.04) is Change.SAME


def test_other_units_and_evidence_are_never_compared():
    a = design("a", metric("latency", 2, unit="cycles"), metric("fpga.lut", 100, unit="LUT"))
    b = design(
        "b",
        metric("latency", 50, unit="ns"),
        metric("fpga.lut", 900, unit="LUT", evidence=Evidence.SYNTH),
    )
    comparison = compare([a, b])
    assert not comparison.changed(Change.WORSE) and not comparison.changed(Change.BETTER)
    assert len(comparison.figures) == 4
    assert "latency is not compared: unit 'cycles' and 'ns'" in comparison.notes
    assert "fpga.lut is not compared: evidence 'estimate' and 'synth'" in comparison.notes


def test_variants_are_figures_of_their_own():
    a = design("a", metric("ii", 1, variant="generated"), metric("ii", 2, variant="chip"))
    b = design("b", metric("ii", 1, variant="generated"), metric("ii", 3, variant="chip"))
    (name, figure) = compare([a, b]).changed(Change.WORSE)[0]
    assert (name, figure.first.variant) == ("b", "chip")


def test_figures_that_two_tools_tell_are_compared_tool_by_tool():
    def timed(tool: str, value: float) -> Metric:
        return metric("timing.critical_path_ns", value, provenance=Provenance(tools={tool: "1"}))

    a = design("a", timed("abc", 5.0), timed("OpenSTA", 6.0))
    b = design("b", timed("OpenSTA", 6.0), timed("abc", 7.0))
    comparison = compare([a, b])
    assert [(f.tool, f.cells[1].change) for f in comparison.figures] == [
        ("abc", Change.WORSE),
        ("OpenSTA", Change.SAME),
    ]
    assert "(abc) | 5 | 7 (+40.0% **worse**) |" in markdown(comparison)


def test_settings_bins_and_losses_are_no_regressions():
    names = ("train.val_loss", "emd.occupancy.0-2.mean", "baseline.stc4.chip.emd.mean")
    names += ("csim.vectors_per_second",)
    a = design("a", *(metric(name, 1.0) for name in names))
    b = design("b", *(metric(name, 2.0) for name in names))
    comparison = compare([a, b])
    assert not comparison.main and not comparison.changed(Change.WORSE)
    assert "train.val_loss" in markdown(comparison, details=True) or "Loss, validation" in markdown(
        comparison, details=True
    )


def test_what_differs_besides_the_figures_is_pointed_out():
    source = [Provenance(data_hash="1" * 16), Provenance(data_hash="2" * 16)]
    a = design("a", metric("emd.mean", 1.0, provenance=source[0]), tools={"POT": "0.9.6"})
    b = design(
        "b", metric("emd.mean", 1.0, provenance=source[1]), tools={"POT": "0.9.7"}, git_dirty=True
    )
    notes = " ".join(compare([a, b]).notes)
    assert "different validation modules" in notes and "1" * 16 in notes
    assert "POT 0.9.6, 0.9.7" in notes and "b was measured with uncommitted changes" in notes
    assert not compare([a, a]).notes


def test_markdown_is_a_table_with_marks_and_dashes():
    a = design("a|x", metric("emd.mean", 1.0, unit="half pitch"), metric("fpga.lut", None))
    b = design("b", metric("emd.mean", 1.25, unit="half pitch"), metric("fpga.lut", 7))
    c = design("c", metric("emd.mean", 0.5, unit="half pitch"))
    lines = markdown(compare([a, b, c])).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert rows[0] == "| metric | a\\|x | b | c | unit | evidence |"
    assert "| 1 | 1.25 (+25.0% **worse**) | 0.5 (-50.0% better) | half pitch |" in rows[2]
    assert "| \u2014 | 7 | \u2014 |" in rows[3]
    assert "b against a|x: 0 better, 1 worse" in "\n".join(lines)


def test_json_holds_every_figure():
    a = design("a", metric("emd.mean", 1.0), metric("train.loss", 1.0))
    b = design("b", metric("emd.mean", 2.0))
    content = json.loads(to_json(compare([a, b])))
    assert content["regressions"] == 1 and content["improvements"] == 0
    assert [figure["name"] for figure in content["figures"]] == ["emd.mean", "train.loss"]
    assert content["figures"][0]["relative"] == [None, 1.0]
    assert content["figures"][1]["changes"] == ["base", "missing"]


# --- the command line -----------------------------------------------------------------------------


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """Two reported models, `good` and `bad`, with their evaluations."""
    for name, value in (("good", 1.0), ("bad", 1.5)):
        found = design(name, metric("emd.mean", value), metric("csim.mismatches", 0))
        write_summary(target_layout(tmp_path, name, "econ_t").summary, found.summary)
        evaluation = model_layout(tmp_path, name).evaluation
        evaluation.parent.mkdir()
        np.savez(evaluation, **evaluation_arrays(200))
    return tmp_path


def test_models_are_compared_by_name_or_by_file(build, capsys):
    by_name = ["compare", "--build", str(build), "--models", "good,bad"]
    assert main(by_name) == 0
    printed = capsys.readouterr().out
    assert "(+50.0% worse)" in printed and "0 better, 1 worse, 1 same" in printed
    files = [str(target_layout(build, name, "econ_t").summary) for name in ("good", "bad")]
    assert main(["compare", *files]) == 0
    assert capsys.readouterr().out == printed
    assert main(["compare", *(str(Path(file).parent) for file in files)]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["/a/old/b/m/t", "/a/new/b/m/t"], ["old", "new"]),
        (["/a/old/x/m/t", "/a/new/m/t"], ["old/x", "new"]),
        (["/a/b", "/a/b/c"], [".", "c"]),
        (["/a/a", "/a/a/a"], [".", "a"]),
    ],
)
def test_designs_of_one_name_are_called_by_their_folders(folders, names):
    assert _short_paths([Path(folder) for folder in folders]) == names


def test_a_regression_may_fail(build, capsys):
    words = ["compare", "--build", str(build), "--fail-on-regression"]
    assert main([*words, "--models", "good,bad"]) == 1
    assert "emd.mean of bad" in capsys.readouterr().err
    assert main([*words, "--models", "bad,good"]) == 0
    assert main([*words, "--models", "good,bad", "--tolerance", "0.6"]) == 0


def test_table_figures_and_overlays_are_written(build, tmp_path):
    folder = tmp_path / "out"
    words = ["compare", "--build", str(build), "--models", "good,bad", "--output", str(folder)]
    assert main(words) == 0
    text = (folder / "comparison.md").read_text()
    pictures = [line[:-1].split("](")[1] for line in text.splitlines() if line.startswith("![")]
    assert pictures == [f"plots/models_{name}.png" for name in ("emd", "occupancy", "charge")]
    assert all((folder / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert json.loads((folder / "comparison.json").read_text())["regressions"] == 1
    assert main([*words, "--skipPlot"]) == 0
    assert "![" not in (folder / "comparison.md").read_text()


def test_make_names_the_models_and_the_target():
    words = ["make", "-n", "compare", "MODELS=a,b", "TARGET=vitis", "BUILD=out"]
    plan = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    command = " ".join(plan.replace("\\\n", " ").split())
    assert "flows compare --build out --models 'a,b' --target vitis" in command
    assert "--output 'out/compare/a_b/vitis'" in command


def test_overlays_need_the_evaluations(build, tmp_path, capsys):
    model_layout(build, "bad").evaluation.unlink()
    words = ["--models", "good,bad", "--output", str(tmp_path / "out")]
    assert main(["compare", "--build", str(build), *words]) == 0
    assert "no overlays: bad has no " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--models", "good,missing"], "make report MODEL=missing TARGET=econ_t"),
        (["--models", "good"], "two at least"),
        (["--models", "good,good"], "given twice"),
        ([], "make compare MODELS=a,b"),
        (["a.json", "--models", "a,b"], "not both"),
        (["--models", "good,bad", "--tolerance", "-1"], "give 0 or more"),
    ],
)
def test_a_faulty_request_names_the_remedy(build, capsys, words, message):
    assert main(["compare", "--build", str(build), *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[1]", '{"schema": 9}', '{"schema": 1, "model": "x"}'])
def test_a_damaged_summary_is_named(build, capsys, content):
    file = target_layout(build, "bad", "econ_t").summary
    file.write_text(content)
    assert main(["compare", "--build", str(build), "--models", "good,bad"]) == 2
    printed = capsys.readouterr().err
    assert str(file) in printed and "make report" in printed
