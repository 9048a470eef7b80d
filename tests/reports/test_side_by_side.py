"""From HLS to gates: one column a form and level, dashes with reasons, anchors with sources."""

import io
import re

import pytest
from rich.console import Console

from hw.forms import GENERATED
from hw.targets.target import Budget
from reports.catalogue import HARDWARE, named_rows, records
from reports.metrics import Evidence, Metric, Provenance, Summary
from reports.rendering.pages import html, markdown
from reports.rendering.terminal import print_report
from reports.report import Progress, StageState, compose
from reports.summary import strongest
from reports.tables.anchors import anchors
from reports.tables.side_by_side import FormColumn, SideBySide, side_by_side
from reports.tables.values import MISSING
from reports.verdict import Outcome, judge, overall

COSTS = {row.name for row in named_rows() if row.section == HARDWARE and row.form_row}
RTL, NETLIST = Evidence.RTLSIM, Evidence.SYNTH
FORMS = ("generated", "reconfigurable")


def _metric(name, value, evidence=Evidence.ESTIMATE, variant=None, reason=None) -> Metric:
    return Metric(name=name, value=value, evidence=evidence, variant=variant, reason=reason)


def _summary(*metrics: Metric) -> Summary:
    return Summary(model="m", target="t", provenance=Provenance(), metrics=metrics)


def _csim() -> list[Metric]:
    counts = (("csim.vectors", 100_000), ("csim.mismatches", 0))
    return [_metric(name, value, Evidence.CSIM) for name, value in counts]


def _whole_flow() -> list[Metric]:
    """What all steps leave for both forms; no two figures of a row are equal."""
    metrics = [_metric("fpga.lut", 60_001), _metric("latency.cycles", 9), *_csim()]
    for number, form in enumerate(FORMS, start=1):
        metrics += [
            _metric("latency.cycles", number, RTL, form),
            _metric("latency.ns", 25.0 * number, RTL, form),
            _metric("ii.cycles", 1, RTL, form),
            _metric("rtlsim.vectors", 100_000 + number, RTL, form),
            _metric("rtlsim.mismatches", 0, RTL, form),
            _metric("fpga.lut", 10_000 * number, NETLIST, form),
            _metric("fpga.carry", 100 * number, NETLIST, form),
            _metric("asic.area_um2", 50_000.25 * number, NETLIST, form),
            _metric("timing.slack_ns", 5.5 * number, NETLIST, form),
            _metric("gatesim.mismatches", 0, NETLIST, form),
            _metric("equivalence.proved", True, NETLIST, form),
        ]
    return metrics


def _table(*metrics: Metric, undone=None) -> SideBySide:
    return side_by_side(_summary(*metrics), anchors(), undone or {})


def _column(table: SideBySide, title: str, level: str) -> dict[str, str]:
    (column,) = [c for c in table.columns if (c.title, c.level) == (title, level)]
    labels = [f"{a} {b}".strip() for a, b in zip(table.labels, table.units, strict=True)]
    return dict(zip(labels, column.cells, strict=True))


def test_each_form_and_level_has_a_column_of_its_own():
    table = _table(*_whole_flow())
    headings = [(column.title, column.level) for column in table.columns]
    assert len(set(headings)) == len(headings)
    assert headings == [
        ("HLS", "estimate"),
        ("HLS C++", "csim"),
        ("generated RTL", "rtlsim"),
        ("reconfigurable RTL", "rtlsim"),
        ("generated FPGA netlist", "synth"),
        ("reconfigurable FPGA netlist", "synth"),
        ("generated ASIC netlist", "synth"),
        ("reconfigurable ASIC netlist", "synth"),
        ("generated routed ECP5", "pnr"),
        *((anchor.title, "published") for anchor in anchors()),
    ]
    assert _column(table, "HLS", "estimate")["Look-up tables"] == "60,001"
    assert _column(table, "HLS C++", "csim")["Vectors compared"] == "100,000"
    rtl = _column(table, "reconfigurable RTL", "rtlsim")
    assert (rtl["Latency cycles"], rtl["Latency ns"]) == ("2", "50")
    assert (rtl["Vectors compared"], rtl["Vectors that differ"]) == ("100,002", "0")
    fpga = _column(table, "generated FPGA netlist", "synth")
    assert (fpga["Look-up tables"], fpga["Carry cells"], fpga["Area um2"]) == ("10,000", "100", "")
    asic = _column(table, "reconfigurable ASIC netlist", "synth")
    assert (asic["Area um2"], asic["Slack ns"], asic["Look-up tables"]) == ("100,000", "11", "")
    assert asic["Equal to RTL, proved"] == "yes"


def test_co_simulation_stands_in_the_column_of_the_rtl_that_hls_makes():
    table = _table(_metric("cosim.vectors", 8, RTL), _metric("cosim.mismatches", 0, RTL))
    column = _column(table, "HLS RTL", "rtlsim")
    assert (column["Vectors compared"], column["Vectors that differ"]) == ("8", "0")
    (gap,) = [name for g in table.gaps for name in g.names if name.startswith("HLS RTL")]
    assert gap == "HLS RTL [rtlsim] latency.cycles, latency.ns, ii.cycles"


def test_timing_is_of_the_fpga_where_no_asic_was_synthesised():
    vivado = [_metric("fpga.lut", 5, NETLIST), _metric("timing.slack_ns", -0.2, NETLIST)]
    column = _column(_table(*vivado), "HLS FPGA netlist", "synth")
    assert (column["Look-up tables"], column["Slack ns"]) == ("5", "-0.2")


def test_what_the_rtl_generator_tells_is_an_estimate():
    table = _table(_metric("fpga.lut", 4, Evidence.ESTIMATE, "generated"))
    assert _column(table, "generated RTL", "estimate")["Look-up tables"] == "4"
    names = [name for gap in table.gaps for name in gap.names]
    assert not any(name.startswith("generated RTL [estimate]") for name in names)


def test_an_ecp5_and_a_second_timing_are_told_apart():
    area = _metric("asic.area_um2", 1.0, NETLIST, "generated")
    first = _metric("timing.critical_path_ns", 9.5, NETLIST, "generated")
    second = _metric("timing.opensta.critical_path_ns", 10.25, NETLIST, "generated")
    figures = {"timing.ecp5.fmax_mhz": 41.5, "timing.ecp5.cells": 812}
    routing = records(figures, evidence=Evidence.PNR, form=GENERATED)
    table = _table(area, first, second, *routing)
    asic = _column(table, "generated ASIC netlist", "synth")
    assert (asic["Critical path ns"], asic["Critical path, OpenSTA ns"]) == ("9.5", "10.25")
    routed = _column(table, "generated routed ECP5", "pnr")
    assert (routed["Highest clock MHz"], routed["Logic cells"]) == ("41.5", "812")
    assert "generated routed ECP5" not in str(table.gaps)
    assert "four inputs" in dict(table.notes)["generated routed ECP5"]
    assert "Critical path, OpenSTA" not in _table(area, first).labels


def test_what_two_tools_tell_of_one_form_is_shown_both():
    area = _metric("asic.area_um2", 1.0, NETLIST, "generated")
    paths = [_metric("timing.critical_path_ns", ns, NETLIST, "generated") for ns in (9.5, 10.25)]
    column = _column(_table(area, *paths), "generated ASIC netlist", "synth")
    assert column["Critical path ns"] == "9.5 / 10.25"
    bound = {"timing.critical_path_ns": Budget(max=10.0)}
    assert [c.outcome for c in judge(_summary(*paths), bound)][1:] == [Outcome.PASS, Outcome.FAIL]


def test_any_other_form_gets_a_column():
    table = _table(_metric("fpga.lut", 7, Evidence.PNR, "tripled"), _metric("ii.cycles", 3, RTL))
    assert _column(table, "tripled routed FPGA", "pnr")["Look-up tables"] == "7"
    assert _column(table, "HLS RTL", "rtlsim")["Initiation interval cycles"] == "3"


def test_the_reconfigurable_form_is_shown_only_where_a_step_speaks_of_it():
    reason = "only of an encoder in the chip's arithmetic"
    plain = _table(*_csim())
    assert not any("reconfigurable" in column.title for column in plain.columns)
    named = _table(_metric("rtlsim.mismatches", None, RTL, "reconfigurable", reason))
    assert _column(named, "reconfigurable RTL", "rtlsim")["Vectors that differ"] == MISSING
    assert any(gap.reason == reason for gap in named.gaps)


def test_every_dash_has_a_reason():
    undone = {"rtlsim": "not done; make rtlsim", "synth": "not done; make synth"}
    table = _table(
        _metric("fpga.lut", None, reason="no Vitis"),
        _metric("asic.area_um2", 9.0, NETLIST, "generated"),
        _metric("equivalence.proved", None, NETLIST, "generated", reason="cec did not end"),
        undone=undone,
    )
    reasons = {name: gap.reason for gap in table.gaps for name in gap.names}
    assert reasons["generated RTL [rtlsim]"] == "not done; make rtlsim"
    assert reasons["generated FPGA netlist [synth]"] == "not done; make synth"
    assert reasons["generated ASIC netlist [synth] equivalence.proved"] == "cec did not end"
    assert reasons["generated ASIC netlist [synth] asic.gate_equivalents"] == "not done; make synth"
    explained = [name.partition("]")[0] + "]" for name in reasons]
    for column in table.columns:
        assert (MISSING in column.cells) == (f"{column.title} [{column.level}]" in explained)


def test_what_a_netlist_is_mapped_to_is_told():
    library = [_metric("asic.library", "Nangate", NETLIST, form) for form in FORMS]
    family = _metric("fpga.family", "UltraScale+", NETLIST, "generated")
    areas = [_metric("asic.area_um2", 1, NETLIST, form) for form in FORMS]
    lut = _metric("fpga.lut", 1, NETLIST, "generated")
    notes = dict(_table(*library, family, lut, *areas).notes)
    assert notes["generated ASIC netlist, reconfigurable ASIC netlist"] == "mapped to Nangate"
    assert notes["generated FPGA netlist"] == "mapped to UltraScale+"


def test_anchors_are_published_figures_with_their_sources():
    table = _table()
    asic = _column(table, "ECON-T ASIC", "published")
    assert (asic["Latency ns"], asic["Area um2"]) == ("25 to 50", "3,600,000")
    fpga = _column(table, "hls4ml FPGA build", "published")
    figures = ("103", "517", "92", "36,023", "29,474", "59")
    assert tuple(cell for cell in fpga.values() if cell) == figures
    notes = dict(table.notes)
    assert set(notes) == {"ECON-T ASIC", "hls4ml FPGA build"}
    assert "arXiv:2105.01683" in notes["ECON-T ASIC"]
    assert "65 nm" in notes["ECON-T ASIC"] and "95 mW" in notes["ECON-T ASIC"]
    assert "triple modular redundancy" in notes["ECON-T ASIC"]
    assert "pynq_z2_2samples" in notes["hls4ml FPGA build"]
    assert all(
        set(anchor.figures) <= COSTS | {"emd.mean"} and anchor.source for anchor in anchors()
    )


# --- renderings ---------------------------------------------------------------------------------


def _report(*metrics: Metric, stages=()):
    summary = _summary(*metrics)
    return compose(
        summary,
        description="",
        budgets={"asic.area_um2": Budget(max=9e5)},
        stages=list(stages),
        layers=[],
    )


def _printed(report, width: int) -> str:
    stream = io.StringIO()
    print_report(report, Console(width=width, file=stream))
    return stream.getvalue()


def test_all_renderings_show_all_forms_and_sources():
    stage = StageState("rtlsim", Progress.MISSING, "make rtlsim")
    report = _report(*_whole_flow(), stages=[stage])
    page, text = html(report), markdown(report, "plots")
    printed = " ".join(_printed(report, 132).split())
    for rendering in (page.replace("\u00ad", ""), text):
        for column in report.forms.columns:
            assert column.title in rendering
    for rendering in (page, text, printed):
        for figure in ("60,001", "100,002", "20,000", "3,600,000", "36,023", "25 to 50", "100,000"):
            assert figure in rendering
        assert "arXiv:2105.01683" in rendering and "pynq_z2_2samples" in rendering
        assert "generated RTL [rtlsim]" not in rendering  # nothing of it is missing
        assert "asic.gate_equivalents, timing.critical_path_ns" in rendering


def test_the_costs_stand_in_one_table_only():
    report = _report(*_whole_flow(), _metric("fpga.bram", 3, NETLIST, "generated"))
    rows = {row.name for section in report.sections for row in section.rows}
    assert "fpga.bram" in rows and not rows & COSTS


def test_cells_are_counted_in_a_table_of_their_own():
    cells = [
        _metric(f"asic.cells.{kind}", count, NETLIST, form)
        for kind, form, count in (
            ("INV_X1", "generated", 7),
            ("XOR2_X1", "generated", 1000),
            ("XOR2_X1", "reconfigurable", 3000),
        )
    ]
    report = _report(*cells)
    assert report.cells.forms == FORMS
    assert report.cells.rows == (("XOR2_X1", ("1,000", "3,000")), ("INV_X1", ("7", MISSING)))
    assert not any("cells" in row.name for section in report.sections for row in section.rows)
    assert "| `XOR2_X1` | 1,000 | 3,000 |" in markdown(report, "plots")
    assert "<code>XOR2_X1</code></td><td" in html(report)


def test_figures_of_another_family_are_named():
    report = _report(_metric("fpga.xc7.lut", 5, NETLIST, "generated"))
    (row,) = [row for section in report.sections for row in section.rows if "xc7" in row.name]
    assert row.label == "Look-up tables, xc7 (generated)"


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_terminal_shows_every_column_at_any_width(width):
    report = _report(*_whole_flow())
    printed = _printed(report, width)
    tables = printed.split("From HLS to gates")[1:]
    assert (len(tables) == 1) == (width == 200)
    assert all(len(line) <= width for line in printed.splitlines())
    luts = [row for row in printed.splitlines() if row.strip().startswith("Look-up tables")]
    found = [cell for row in luts for cell in re.findall(r"[\d,]+", row)]
    assert found == ["60,001", "10,000", "20,000", "36,023"]


def test_the_terminal_leaves_out_columns_without_figures():
    printed = _printed(_report(*_csim(), _metric("ii.cycles", None, reason="no tool")), 132)
    heading = printed.split("From HLS to gates")[1].split("Latency")[0]
    assert "csim" in heading and "published" in heading and "rtlsim" not in heading
    assert "HLS [estimate]" in printed and "no tool" in printed


def test_an_empty_column_is_told_from_one_with_figures():
    assert FormColumn("a", "synth", ("", MISSING)).is_empty
    assert not FormColumn("a", "synth", ("", "0")).is_empty


# --- verdict by form ----------------------------------------------------------------------------


def _judged(metrics, budgets) -> dict[str, Outcome]:
    return {check.subject: check.outcome for check in judge(_summary(*metrics), budgets)}


def test_each_form_is_judged_on_its_own_strongest_evidence():
    metrics = [
        *_csim(),
        _metric("latency.ns", 75.0),  # HLS
        _metric("latency.ns", 60.0, Evidence.ESTIMATE, "generated"),
        _metric("latency.ns", 50.0, RTL, "generated"),
        _metric("latency.ns", 25.0, Evidence.PNR, "reconfigurable"),
    ]
    assert _judged(metrics, {"latency.ns": Budget(max=50.0)}) == {
        "csim.mismatches": Outcome.PASS,
        "latency.ns (HLS)": Outcome.FAIL,
        "latency.ns (generated)": Outcome.PASS,
        "latency.ns (reconfigurable)": Outcome.PASS,
    }
    assert [m.value for m in strongest(_summary(*metrics), "latency.ns")] == [25.0, 50.0, 75.0]


def test_one_form_that_fails_fails_the_design_and_is_named():
    areas = dict(zip(FORMS, (1, 9), strict=True))
    metrics = [*_csim(), *(_metric("asic.area_um2", a, NETLIST, f) for f, a in areas.items())]
    checks = judge(_summary(*metrics), {"asic.area_um2": Budget(max=5.0)})
    assert overall(checks) is Outcome.FAIL
    (failed,) = [check for check in checks if check.outcome is Outcome.FAIL]
    assert failed.subject == "asic.area_um2 (reconfigurable)"


def test_a_demand_that_nothing_measured_says_what_to_run():
    def why(*stages: StageState) -> str:
        (check,) = [
            c for c in _report(*_csim(), stages=stages).checks if c.metric == "asic.area_um2"
        ]
        assert check.outcome is Outcome.NOT_MEASURED
        return check.reason

    assert why(StageState("synth", Progress.MISSING, "make synth")) == "not done; make synth"
    assert why(StageState("synth", Progress.SKIPPED, "no Liberty")) == "no Liberty"
    assert why() == "no stage measures it"


def test_a_form_without_figure_is_not_measured():
    unmeasured = _metric("fpga.lut", None, NETLIST, "reconfigurable", "synthesis did not end")
    metrics = [_metric("fpga.lut", 5, NETLIST, "generated"), unmeasured]
    checks = judge(_summary(*metrics), {"fpga.lut": Budget(max=9.0)})
    found = {check.subject: (check.outcome, check.reason) for check in checks}
    assert found["fpga.lut (generated)"] == (Outcome.PASS, "")
    assert found["fpga.lut (reconfigurable)"] == (Outcome.NOT_MEASURED, "synthesis did not end")


@pytest.mark.parametrize("name", ["rtlsim.mismatches", "gatesim.mismatches", "cosim.mismatches"])
def test_any_comparison_that_found_a_difference_fails(name):
    wrong = _metric(name, 1, RTL, "generated", "first difference: vector 3")
    checks = judge(_summary(*_csim(), wrong), {})
    assert overall(checks) is Outcome.FAIL
    assert checks[-1].reason == "first difference: vector 3"
    right = judge(_summary(*_csim(), _metric(name, 0, RTL, "generated")), {})
    assert overall(right) is Outcome.PASS
    vectors = _metric(name.replace("mismatches", "vectors"), 100, RTL, "generated")
    undecided = _metric(name, None, RTL, "generated", "the simulator died")
    assert overall(judge(_summary(*_csim(), vectors, undecided), {})) is Outcome.FAIL


def test_equivalence_that_is_not_proved():
    def judged(proved, name="equivalence.proved"):
        reason = None if proved is not None else "did not end"
        metric = _metric(name, proved, NETLIST, "generated", reason)
        return _judged([*_csim(), metric], {}).get(f"{name} (generated)")

    assert judged(False, "equivalence.control_caught") is Outcome.FAIL
    assert (judged(True), judged(False), judged(None)) == (Outcome.PASS, Outcome.FAIL, None)


def test_simulated_rtl_alone_gives_no_pass():
    metrics = [_metric("rtlsim.mismatches", 0, RTL, "generated")]
    assert overall(judge(_summary(*metrics), {})) is Outcome.NOT_MEASURED
