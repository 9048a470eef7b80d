"""The report: every promised number or its reason, judged apart, rendered alike in all forms."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.commands.report import collect
from flows.layout import data_layout, model_layout, target_layout
from models.data.geometry import cell_coordinates
from reports.catalogue import HARDWARE, MAPPED_TO, SECTIONS, named_rows
from reports.metrics import Evidence, Metric, Provenance, Summary, read_summary, write_metrics
from reports.pictures.distributions import emd_picture
from reports.pictures.evaluation import read_evaluation
from reports.pictures.gallery import Gallery, write_gallery
from reports.pictures.module_display import cell_outlines
from reports.pictures.training import training_picture
from reports.rendering.pages import html, markdown
from reports.report import compose
from reports.summary import strongest, summarise
from reports.tables.occupancy import occupancy_rows
from reports.tables.sections import sections
from reports.tables.values import format_value
from reports.verdict import Outcome, describe, judge, overall
from tests.flows.sealed import seal_all
from tests.flows.trained import trained_settings
from tests.reports.evaluation_arrays import evaluation_arrays

PROMISED = {row.name: row for row in named_rows() if row.promised}
MODEL, TARGET = "4x4x3_dense_w5", "econ_t"
VENDOR = Path(__file__).parents[1] / "hw" / "vendor_reports"
SOURCE = Provenance(model_hash="0123456789abcdef", data_hash="fedcba9876543210", seed=7)


class Bound:
    def __init__(self, low: float | None = None, high: float | None = None):
        self.min, self.max = low, high


def _summary(*metrics: Metric) -> Summary:
    return Summary(model="m", target="t", provenance=SOURCE, metrics=metrics)


def _emd_metrics() -> list[Metric]:
    names = ["emd"] + [f"emd.occupancy.{a}-{b}" for a, b in ((0, 2), (2, 5), (15, 48))]
    values = {"mean": 1.25, "std": 0.5, "standard_error": 0.0125, "median": 1.2}
    values |= {"quantile_16": 0.8, "quantile_84": 1.7, "modules": 1600}
    return [
        Metric(name=f"{name}.{part}", value=value, unit="half pitch", provenance=SOURCE)
        for name in names
        for part, value in values.items()
    ]


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build folder in which every stage is done."""
    of_model, of_target = model_layout(tmp_path, MODEL), target_layout(tmp_path, MODEL, TARGET)
    of_data = data_layout(tmp_path, None)
    distances = [
        Metric(name=f"data.distance.{name}", value=0.03, better="lower")
        for name in ("occ_all", "occ_1MT", "maxQ", "sumQ")
    ]
    counts = [("flops", 6544), ("macs", 3200), ("bops", 170000), ("params", 2144)]
    write_metrics(of_data.metrics, distances)
    write_metrics(of_model.metrics("train"), [Metric(name="train.val_loss", value=0.01)])
    write_metrics(of_model.metrics("evaluate"), _emd_metrics())
    write_metrics(
        of_model.metrics("flops"), [Metric(name=f"{n}.total", value=v) for n, v in counts]
    )
    write_metrics(of_target.metrics("hls"), [Metric(name="hls.layers", value=4)])
    write_metrics(of_target.metrics("csim"), _csim(0))
    of_model.settings.write_text(trained_settings(seed=7).to_json())
    layer = {"name": "conv2d", "class": "Conv2D", "result": "fixed<19,6>", "weight": None}
    of_target.hls_types.write_text(json.dumps([layer]))
    return tmp_path


@pytest.fixture
def pictured(build: Path) -> Path:
    """The same with the files that pictures are drawn from."""
    of_model = model_layout(build, MODEL)
    of_model.history.write_text(json.dumps({"loss": [0.2, 0.02], "val_loss": [0.3, 0.03]}))
    of_model.evaluate.mkdir(exist_ok=True)
    np.savez(of_model.evaluation, **evaluation_arrays())
    found = read_evaluation(of_model.evaluation)
    write_gallery(of_model.plots, Gallery((emd_picture(found, MODEL),)))
    histogram = {"edges": [0, 1, 2], "counts": [3, 1], "published": [300, 100]}
    names = ("occ_all", "occ_1MT", "maxQ", "sumQ")
    data_layout(build, None).histograms.write_text(json.dumps(dict.fromkeys(names, histogram)))
    return build


def _csim(mismatches: int | None, reason: str | None = None) -> list[Metric]:
    return [
        Metric(name=name, value=value, unit="vectors", evidence=Evidence.CSIM, reason=reason)
        for name, value in (
            ("csim.vectors", None if mismatches is None else 100_000),
            ("csim.mismatches", mismatches),
        )
    ]


def _report(build: Path, *more: str, sealed: bool = True) -> int:
    if sealed:
        seal_all(build, MODEL, TARGET)
    return main(["report", "--build", str(build), "--model", MODEL, "--target", TARGET, *more])


def test_a_finished_design_is_written_in_all_forms(pictured, capsys):
    assert _report(pictured) == 0
    of_target = target_layout(pictured, MODEL, TARGET)
    summary = read_summary(of_target.summary)
    assert (summary.model, summary.target) == (MODEL, TARGET)
    assert summary.provenance.seed == 7
    assert summary.provenance.model_hash == SOURCE.model_hash
    assert summary.find("emd.mean").value == 1.25
    pictures = {path.stem for path in of_target.plots.glob("*.png")}
    assert pictures == {"training", "emd", "data"}
    text, page = of_target.markdown.read_text(), of_target.html.read_text()
    printed = capsys.readouterr().out
    for rendering in (text, page, printed):
        assert "PASS" in rendering.upper()
        assert "100,000" in rendering and "1.25" in rendering and "6,544" in rendering
        assert "1.250 \u00b1 0.013" in rendering
    assert all((of_target.folder / name).is_file() for name in re.findall(r"\((plots/.*?)\)", text))
    assert "`fixed<19,6>`" in text and "fixed&lt;19,6&gt;" in page
    # the page needs no other file and no network
    addresses = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"'\s>)]+)""", page)
    images = [address for address in addresses if address.startswith("data:image/svg+xml;base64,")]
    assert len(images) == len(pictures)
    assert all(address.startswith("#") for address in set(addresses) - set(images))
    assert "<script" not in page and "@import" not in page and "<link" not in page


def test_a_report_may_be_without_pictures(pictured):
    assert _report(pictured, "--skipPlot") == 0
    of_target = target_layout(pictured, MODEL, TARGET)
    assert "<img" not in of_target.html.read_text()
    assert not [*of_target.plots.glob("*.png")]


def test_pictures_that_are_lacking_say_why(build):
    assert _report(build) == 0
    of_target = target_layout(build, MODEL, TARGET)
    for rendering in (of_target.html.read_text(), of_target.markdown.read_text()):
        assert "the evaluation drew none (--skipPlot)" in rendering
        assert "has no history of its training" in rendering


def test_the_same_results_give_the_same_picture(tmp_path):
    history = tmp_path / "history.json"
    history.write_text(json.dumps({"loss": [0.2, 0.1], "val_loss": [0.3, 0.2]}))
    assert training_picture(history, MODEL).rendered == training_picture(history, MODEL).rendered


def test_nothing_done_gives_every_promised_name_with_its_reason(tmp_path, capsys):
    assert _report(tmp_path) == 0
    summary = read_summary(target_layout(tmp_path, MODEL, TARGET).summary)
    for name in PROMISED:
        metric = summary.find(name)
        assert metric is not None and metric.value is None and metric.reason
    assert "make csim" in summary.find("csim.mismatches").reason
    assert "make evaluate" in summary.find("emd.mean").reason
    hardware = summary.find("fpga.lut").reason
    assert "make synth" in hardware
    assert "make vendor" in hardware and "needs Vitis HLS or Catapult: make doctor" in hardware
    assert "make rtlsim" in summary.find("latency.ns").reason
    assert "NOT MEASURED" in capsys.readouterr().out


def test_a_mismatch_fails_with_status_1_after_the_files_are_written(build, capsys):
    of_target = target_layout(build, MODEL, TARGET)
    write_metrics(of_target.metrics("csim"), _csim(3, "first difference: vector 17, layer conv2d"))
    assert _report(build) == 1
    output = capsys.readouterr()
    assert "csim.mismatches is 3" in output.err and "vector 17, layer conv2d" in output.err
    assert "vector 17, layer conv2d" in of_target.html.read_text()
    assert read_summary(of_target.summary).find("csim.mismatches").value == 3
    assert "FAIL" in of_target.markdown.read_text() and of_target.html.is_file()


def test_a_broken_budget_of_the_target_fails(build, capsys):
    solution = target_layout(build, MODEL, TARGET).hls / "encoder_prj" / "encoder.v1"
    solution.mkdir(parents=True)
    shutil.copy(VENDOR / "catapult_cycle.rpt", solution / "cycle.rpt")
    report = (VENDOR / "catapult_rtl_asic.rpt").read_text()
    (solution / "rtl.rpt").write_text(report)
    assert _report(build) == 0  # 2 cycles of 25 ns are within 50 ns
    slow = re.sub(r"(9415 +)2 ", r"\g<1>3 ", report)
    (solution / "rtl.rpt").write_text(slow)
    assert _report(build) == 1
    assert "latency.ns is 75.0, demanded \u2264 50 ns" in capsys.readouterr().err
    latency = read_summary(target_layout(build, MODEL, TARGET).summary).find("latency.ns")
    assert latency.evidence is Evidence.ESTIMATE
    assert latency.provenance.tools == {"Catapult Ultra Synthesis": "2023.1_2/1049935"}


def test_figures_of_a_replaced_encoder_are_not_taken_for_the_present_one(build, capsys):
    of_model, of_target = model_layout(build, MODEL), target_layout(build, MODEL, TARGET)
    encoder = of_model.network("encoder")
    encoder.write_text("first")
    assert _report(build) == 0
    assert read_summary(of_target.summary).find("csim.mismatches").value == 0
    encoder.write_text("second")
    assert _report(build, sealed=False) == 1
    mismatches = read_summary(of_target.summary).find("csim.mismatches")
    assert mismatches.value is None
    assert "train/encoder.keras has changed since; make csim" in mismatches.reason
    assert "NOT MEASURED" in capsys.readouterr().out
    assert main(["status", "--build", str(build), "--require", "csim"]) == 1
    assert "stage csim is stale" in capsys.readouterr().err


def test_a_skipped_stage_shows_its_reason_everywhere(build, capsys):
    of_target = target_layout(build, MODEL, TARGET)
    reason = "a model in floating point has no bit-exact C++ <b>|</b>"
    write_metrics(of_target.metrics("csim"), _csim(None, reason))
    assert _report(build) == 0
    page, text = of_target.html.read_text(), of_target.markdown.read_text()
    assert "skipped" in page and "skipped" in text
    assert "&lt;b&gt;|&lt;/b&gt;" in page and "<b>|" not in page
    assert reason.replace("|", "\\|") in text  # within the table of stages
    assert "NOT MEASURED" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["pictures", "history", "hls_types", "histograms", "metrics"])
def test_a_damaged_file_is_named_and_nothing_passes(pictured, damage):
    of_model, of_target = model_layout(pictured, MODEL), target_layout(pictured, MODEL, TARGET)
    seal_all(pictured, MODEL, TARGET)
    file = {
        "pictures": of_model.plots / "gallery.json",
        "history": of_model.history,
        "hls_types": of_target.hls_types,
        "histograms": data_layout(pictured, None).histograms,
        "metrics": of_model.metrics("evaluate"),
    }[damage]
    file.write_text('{"conv2d": 1}')
    report = collect(pictured, MODEL, TARGET)
    assert report.outcome is Outcome.NOT_MEASURED
    assert any(str(file.relative_to(pictured)) in stage.detail for stage in report.stale)
    assert _report(pictured, sealed=False) == 1


def test_a_misspelt_name_is_refused_with_a_suggestion(build, capsys):
    assert main(["report", "--build", str(build), "--model", "8x8_c8_S2_qk"]) == 2
    assert "did you mean '8x8_c8_S2_qK'?" in capsys.readouterr().err
    assert main(["report", "--build", str(build), "--target", "econt"]) == 2
    assert "did you mean 'econ_t'?" in capsys.readouterr().err
    assert _report(build, "--data", str(build / "absent.csv")) == 2
    assert "absent.csv: no such file or folder" in capsys.readouterr().err


def test_the_data_set_may_be_named(build, tmp_path):
    other = tmp_path / "elsewhere" / "nElinks_5"
    metric = Metric(name="data.distance.maxQ", value=0.5)
    write_metrics(data_layout(build, other).metrics, [metric])
    seal_all(build, MODEL, TARGET, other)
    report = collect(build, MODEL, TARGET, other)
    assert report.summary.find("data.distance.maxQ").value == 0.5
    assert report.summary.find("data.distance.sumQ").value is None


# --- summary and verdict ------------------------------------------------------------------------


def test_a_summary_fills_gaps_only_where_nothing_stands():
    assert {"csim.mismatches", "emd.mean", "fpga.lut", "latency.ns"} <= set(PROMISED)
    reasons = {row.stage: f"not done: {row.stage}" for row in PROMISED.values()}
    given = [Metric(name="emd.mean", value=1.0), Metric(name="ii.cycles", value=None, reason="x")]
    summary = summarise("m", "t", given, reasons, SOURCE)
    names = [metric.name for metric in summary.metrics]
    assert len(names) == len(set(names)) and set(PROMISED) <= set(names)
    assert summary.find("ii.cycles").reason == "x"
    assert summary.find("csim.vectors").evidence is Evidence.CSIM
    for name, row in PROMISED.items():
        metric = summary.find(name)
        if name not in ("emd.mean", "ii.cycles"):
            assert (metric.unit, metric.reason) == (row.unit, f"not done: {row.stage}")


def test_budgets_are_judged_on_the_strongest_evidence():
    luts = [
        Metric(name="fpga.lut", value=60_000, evidence=Evidence.ESTIMATE),
        Metric(name="fpga.lut", value=50_000, evidence=Evidence.SYNTH),
        Metric(name="fpga.lut", value=None, evidence=Evidence.PNR, reason="not routed"),
    ]
    summary = _summary(*luts)
    assert [metric.value for metric in strongest(summary, "fpga.lut")] == [50_000]
    check = judge(summary, {"fpga.lut": Bound(high=53_200)})[-1]
    assert (check.outcome, check.found.evidence) == (Outcome.PASS, Evidence.SYNTH)


def test_each_variant_is_judged():
    luts = [Metric(name="fpga.lut", value=v, variant=n) for n, v in (("a", 1), ("b", 9))]
    outcomes = [c.outcome for c in judge(_summary(*luts), {"fpga.lut": Bound(high=5)})]
    assert outcomes == [Outcome.NOT_MEASURED, Outcome.PASS, Outcome.FAIL]


@pytest.mark.parametrize(
    ("value", "low", "high", "outcome"),
    [
        (5, None, 5, Outcome.PASS),
        (6, None, 5, Outcome.FAIL),
        (5, 5, None, Outcome.PASS),
        (4, 5, None, Outcome.FAIL),
        ("fast", None, 5, Outcome.NOT_MEASURED),
        (None, None, 5, Outcome.NOT_MEASURED),
    ],
)
def test_bounds_are_included(value, low, high, outcome):
    metric = Metric(name="x", value=value, reason=None if value is not None else "no tool")
    check = judge(_summary(metric), {"x": Bound(low, high)})[-1]
    assert check.outcome is outcome
    assert bool(check.reason) == (outcome is Outcome.NOT_MEASURED)


def test_no_pass_without_measured_bit_accuracy():
    fast = Metric(name="latency.ns", value=25.0, unit="ns")
    checks = judge(_summary(fast), {"latency.ns": Bound(high=50)})
    assert overall(checks) is Outcome.NOT_MEASURED
    checks = judge(_summary(fast, *_csim(0)), {"latency.ns": Bound(high=50)})
    assert overall(checks) is Outcome.PASS
    assert describe(checks) == "2 demands: 2 kept"
    checks = judge(_summary(fast, *_csim(0)), {"latency.ns": Bound(high=20)})
    assert overall(checks) is Outcome.FAIL


def test_a_comparison_that_could_not_count_fails():
    vectors, mismatches = _csim(None, "weight files disagree")
    vectors = vectors.model_copy(update={"value": 100_000, "reason": None})
    (check,) = judge(_summary(vectors, mismatches), {})
    assert (check.outcome, check.reason) == (Outcome.FAIL, "weight files disagree")


def test_golden_vectors_are_demanded_where_there_are_any():
    golden = Metric(name="csim.golden.mismatches", value=1, evidence=Evidence.CSIM)
    assert overall(judge(_summary(*_csim(0), golden), {})) is Outcome.FAIL
    assert len(judge(_summary(*_csim(0)), {})) == 1


@pytest.mark.parametrize("row", [r for r in named_rows() if r.demand], ids=lambda r: r.name)
def test_each_demand_of_the_catalogue_is_judged(row):
    of_yes_or_no = row.demand.min == 1
    wrong, right = (False, True) if of_yes_or_no else (1, 0)
    outcomes = {}
    for value in (wrong, right):
        metric = Metric(name=row.name, value=value, unit=row.unit)
        (check,) = [c for c in judge(_summary(metric), {}) if c.metric == row.name]
        outcomes[value] = check.outcome
        assert check.demand == ("yes" if of_yes_or_no else f"= 0 {row.unit}")
    assert outcomes == {wrong: Outcome.FAIL, right: Outcome.PASS}


def test_a_failed_cosimulation_fails_the_verdict():
    failed = Metric(name="cosim.passed", value=False, evidence=Evidence.RTLSIM)
    assert overall(judge(_summary(*_csim(0), failed), {})) is Outcome.FAIL


# --- tables -------------------------------------------------------------------------------------


def test_evidence_levels_are_columns_and_never_mixed():
    metrics = [
        Metric(name="fpga.lut", value=60_000, evidence=Evidence.ESTIMATE),
        Metric(name="fpga.lut", value=50_000, evidence=Evidence.SYNTH),
        Metric(name="latency.ns", value=25.0, evidence=Evidence.RTLSIM),
        Metric(name="ii.cycles", value=None, reason="no tool"),
    ]
    (hardware,) = sections(_summary(*metrics))
    assert hardware.columns == (Evidence.ESTIMATE, Evidence.RTLSIM, Evidence.SYNTH)
    cells = {row.name: row.cells for row in hardware.rows}
    assert cells["fpga.lut"] == ("60,000", "\u2014", "50,000")
    assert cells["latency.ns"] == ("\u2014", "25", "\u2014")
    assert cells["ii.cycles"] == ("\u2014", "\u2014", "\u2014")
    (gap,) = hardware.gaps
    assert (gap.names, gap.reason) == (("ii.cycles",), "no tool")


def test_every_metric_of_the_catalogue_is_shown_with_its_words():
    rows = [row for row in named_rows() if row.section in SECTIONS]
    metrics = [Metric(name=row.name, value=1, unit=row.unit) for row in rows]
    report = compose(_summary(*metrics), description="", budgets={}, stages=[], layers=[])
    shown = {row.name: (row.label, row.unit) for s in report.sections for row in s.rows}
    for row in rows:
        if row.section == HARDWARE and row.form_row:
            assert row.form_row == MAPPED_TO or row.form_row in report.forms.labels
        else:
            assert shown.pop(row.name) == (row.label, row.unit) and row.label
    assert not shown


def test_no_metric_is_left_out_of_the_tables():
    metrics = [*_emd_metrics(), Metric(name="new.thing", value=1), *_csim(0)]
    summary = _summary(*metrics)
    shown = {row.name for section in sections(summary) for row in section.rows}
    assert shown | {m.name for m in metrics if ".occupancy." in m.name} == {m.name for m in metrics}
    assert [row.cells for row in occupancy_rows(summary)] == ["0 to 1", "2 to 4", "15 to 48"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\u2014"), (True, "yes"), (0, "0"), (1234567, "1,234,567"), (2.0, "2"),
        (0.00331854, "0.003319"), (1.26295, "1.263"), (913021.7, "913,021.7"), ("rtl", "rtl"),
    ],
)  # fmt: skip
def test_values_are_formatted_for_reading(value, text):
    assert format_value(value) == text


def test_html_and_markdown_keep_hostile_text_as_text():
    name = "<script>alert(1)</script>|x"
    metric = Metric(name="a.b", value=name)
    report = compose(
        _summary(metric),
        description=name,
        budgets={},
        stages=[],
        layers=[],
    )
    assert "<script>" not in html(report)
    assert "|x |" not in markdown(report, "plots").replace("\\|", "")


# --- pictures -----------------------------------------------------------------------------------


def test_trigger_cells_are_equal_rhombi_around_their_centres():
    corners = cell_outlines()
    np.testing.assert_allclose(corners.mean(axis=1), cell_coordinates(), atol=1e-12)
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    np.testing.assert_allclose(sides, 2.0, atol=1e-12)
    x, y = corners[..., 0], corners[..., 1]
    areas = np.abs((x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y).sum(axis=1)) / 2
    np.testing.assert_allclose(areas, 2 * 3**0.5, atol=1e-12)


def test_a_single_epoch_without_validation_can_be_drawn(tmp_path):
    history = tmp_path / "history.json"
    history.write_text(json.dumps({"loss": [0.1]}))
    assert training_picture(history, MODEL).rendered[0].startswith("<?xml")


# --- status -------------------------------------------------------------------------------------


def test_status_tells_what_is_done_and_what_to_run(build, capsys):
    target_layout(build, MODEL, TARGET).metrics("csim").unlink()
    seal_all(build, MODEL, TARGET)
    assert main(["status", "--build", str(build)]) == 0
    printed = capsys.readouterr().out
    assert "emd.mean = 1.25 half pitch" in printed
    assert f"make csim MODEL={MODEL}" in " ".join(printed.split())


def test_status_can_require_a_stage(build, capsys):
    def require(stage: str) -> int:
        seal_all(build, MODEL, TARGET)
        return main(["status", "--build", str(build), "--require", stage])

    of_target = target_layout(build, MODEL, TARGET)
    assert require("csim") == 0
    write_metrics(of_target.metrics("csim"), _csim(1))
    assert require("csim") == 1
    write_metrics(of_target.metrics("csim"), _csim(None, "no g++"))
    assert require("csim") == 1
    assert "was skipped: no g++" in capsys.readouterr().err
    of_target.metrics("csim").unlink()
    assert require("csim") == 1
    assert "make csim" in capsys.readouterr().err


def test_a_model_of_ones_own_is_found_under_its_file_name(build):
    assert model_layout(build, "mine/4x4x3_dense_w5.yaml") == model_layout(build, MODEL)
    assert target_layout(build, MODEL, "a/b.v1.yml").folder.name == "b.v1"


def test_a_demand_whose_proof_is_lost_stays_and_nothing_passes():
    kept = Metric(name="csim.mismatches", value=0, unit="vectors", evidence=Evidence.CSIM)
    lost = Metric(name="equivalence.proved", value=None, reason="netlist.json has changed since",
                  evidence=Evidence.SYNTH, variant="generated")  # fmt: skip
    without = judge(_summary(kept, lost), {})
    assert [check.metric for check in without] == ["csim.mismatches"]
    checks = judge(_summary(kept, lost), {}, lost={("equivalence.proved", "generated")})
    found = {check.metric: check for check in checks}
    assert found["equivalence.proved"].outcome is Outcome.NOT_MEASURED
    assert "netlist.json" in found["equivalence.proved"].reason
    assert "2 demands: 1 kept, 1 not measured" in describe(checks)
    assert overall(checks, stale=True) is Outcome.NOT_MEASURED
    assert overall(checks) is Outcome.PASS
