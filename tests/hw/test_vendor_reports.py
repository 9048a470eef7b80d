"""Vendor reports, in the tools' own formats, to figures; a damaged report is named."""

import os
import shutil
from pathlib import Path

import pytest

from hw.backends.amd_hls import parse_cosim, parse_csynth
from hw.backends.catapult import parse_catapult
from hw.backends.tool_reports import Figure
from hw.backends.vendor_runs import read_vendor_reports
from hw.backends.vivado import parse_vivado_timing, parse_vivado_utilisation
from hw.foundation.errors import InputError

REPORTS = Path(__file__).parent / "vendor_reports"


def _values(figures: list[Figure]) -> dict[str, object]:
    return {figure.name: figure.value for figure in figures}


def _place(report: str, *where: Path) -> None:
    for path in where:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPORTS / report, path)


def test_vitis_hls_estimates():
    figures = parse_csynth(REPORTS / "vitis_csynth.xml")
    assert _values(figures) == {
        "timing.clock_target_ns": 5,
        "latency.cycles": 10,
        "latency.best_cycles": 9,
        "latency.ns": 50,
        "ii.cycles": 1,
        "timing.critical_path_ns": 3.612,
        "fpga.lut": 41877,
        "fpga.ff": 8123,
        "fpga.dsp": 24,
        "fpga.bram": 0,
    }
    report = figures[0].report
    assert (report.tool, report.version, report.evidence) == ("Vitis HLS", "2024.1", "estimate")


def test_vivado_hls_estimates_with_an_unknown_latency():
    figures = {figure.name: figure for figure in parse_csynth(REPORTS / "vivado_hls_csynth.xml")}
    assert figures["fpga.dsp"].value == 132
    assert figures["fpga.dsp"].report.tool == "Vivado HLS"
    assert figures["latency.best_cycles"].value == 103
    for name in ("latency.cycles", "latency.ns"):
        assert figures[name].value is None
        assert figures[name].reason == "Vivado HLS gives 'undef' in vivado_hls_csynth.xml"


def test_cosimulation_that_passed_gives_simulated_latency():
    figures = parse_cosim(REPORTS / "cosim_pass.rpt", clock_ns=5.0)
    assert _values(figures) == {
        "cosim.passed": True,
        "latency.cycles": 11,
        "latency.ns": 55.0,
        "ii.cycles": 2,
    }
    assert {figure.report.evidence for figure in figures} == {"rtlsim"}


def test_cosimulation_that_failed_says_so():
    figures = {figure.name: figure for figure in parse_cosim(REPORTS / "cosim_fail.rpt", 5.0)}
    assert figures["cosim.passed"].value is False
    assert figures["latency.cycles"].value is None
    assert "NA" in (figures["latency.cycles"].reason or "")


def test_vivado_synthesis_counts_block_ram_as_vitis_does():
    figures = parse_vivado_utilisation(REPORTS / "vivado_synth.rpt")
    assert _values(figures) == {
        "fpga.lut": 28565,
        "fpga.ff": 7864,
        "fpga.dsp": 16,
        "fpga.carry": 1790,
        "fpga.bram": 3,  # 1.5 tiles of two RAMB18 each
    }
    assert (figures[0].report.version, figures[0].report.evidence) == ("2024.1", "synth")


def test_vivado_placed_design_on_seven_series():
    figures = parse_vivado_utilisation(REPORTS / "vivado_placed_7series.rpt")
    assert _values(figures) == {
        "fpga.lut": 36020,
        "fpga.ff": 29470,
        "fpga.dsp": 59,
        "fpga.bram": 0,
    }
    assert {figure.report.evidence for figure in figures} == {"pnr"}


def test_vivado_timing_slack():
    (slack,) = parse_vivado_timing(REPORTS / "vivado_timing_summary.rpt")
    assert (slack.name, slack.value, slack.better) == ("timing.slack_ns", -0.173, "higher")


def test_catapult_asic_report(tmp_path):
    _place("catapult_rtl_asic.rpt", tmp_path / "rtl.rpt")
    _place("catapult_cycle.rpt", tmp_path / "cycle.rpt")
    figures = parse_catapult(tmp_path / "rtl.rpt")
    assert _values(figures) == {
        "latency.cycles": 2,
        "latency.ns": 50.0,
        "ii.cycles": 1,
        "timing.critical_path_ns": pytest.approx(18.734513),
        "timing.slack_ns": pytest.approx(6.265487),
        "asic.area_score": 913021.7,
    }
    report = figures[0].report
    assert (report.tool, report.version) == ("Catapult Ultra Synthesis", "2023.1_2/1049935")


def test_catapult_without_a_clock_gives_no_time():
    figures = {f.name: f for f in parse_catapult(REPORTS / "catapult_rtl_asic.rpt")}
    assert figures["latency.ns"].value is None
    assert "no cycle.rpt beside it" in (figures["latency.ns"].reason or "")


def test_catapult_fpga_report_of_an_endless_process():
    figures = {f.name: f for f in parse_catapult(REPORTS / "catapult_rtl_fpga.rpt")}
    assert figures["fpga.lut"].value == 820
    assert "asic.area_score" not in figures
    assert figures["latency.cycles"].value is None
    assert "without end" in (figures["latency.cycles"].reason or "")
    assert figures["latency.ns"].reason == figures["latency.cycles"].reason


def test_a_project_without_reports_has_no_figures(tmp_path):
    assert read_vendor_reports(tmp_path) == []
    assert read_vendor_reports(tmp_path / "absent") == []


def test_a_vitis_project_is_read_whole(tmp_path):
    solution = tmp_path / "encoder_prj" / "solution1"
    _place(
        "vitis_csynth.xml",
        solution / "syn/report/encoder_csynth.xml",
    )
    _place("vivado_hls_csynth.xml", solution / "syn/report/dense_latency_csynth.xml")
    _place("cosim_pass.rpt", solution / "sim/report/encoder_cosim.rpt")
    _place("vivado_synth.rpt", tmp_path / "vivado_synth.rpt")
    figures = {(f.name, f.report.evidence): f.value for f in read_vendor_reports(tmp_path)}
    assert figures["latency.cycles", "estimate"] == 10
    assert figures["latency.cycles", "rtlsim"] == 11
    assert figures["latency.ns", "rtlsim"] == 55.0
    assert figures["fpga.lut", "estimate"] == 41877
    assert figures["fpga.lut", "synth"] == 28565
    assert figures["cosim.passed", "rtlsim"] is True


def test_the_whole_design_report_goes_before_those_of_its_functions(tmp_path):
    report = tmp_path / "any_prj/hls/syn/report"
    _place("vivado_hls_csynth.xml", report / "dense_csynth.xml", report / "conv_csynth.xml")
    with pytest.raises(InputError, match=r"several \*_csynth.xml"):
        read_vendor_reports(tmp_path)
    _place("vitis_csynth.xml", report / "csynth.xml")
    assert _values(read_vendor_reports(tmp_path))["fpga.lut"] == 41877


def test_a_catapult_project_is_read_from_its_newest_solution(tmp_path):
    old, new = tmp_path / "encoder_prj/encoder.v2", tmp_path / "encoder_prj/encoder.v12"
    _place("catapult_rtl_fpga.rpt", old / "rtl.rpt")
    _place("catapult_rtl_asic.rpt", new / "rtl.rpt")
    _place("catapult_cycle.rpt", new / "cycle.rpt")
    _place("vivado_timing_summary.rpt", new / "vivado_concat_v/timing_summary_synth.rpt")
    _place("vivado_synth.rpt", new / "vivado_concat_v/utilization_synth.rpt")
    os.utime(old / "rtl.rpt", (1, 1))
    values = _values(read_vendor_reports(tmp_path))
    assert values["latency.ns"] == 50.0
    assert values["timing.slack_ns"] == -0.173
    assert values["fpga.lut"] == 28565


@pytest.mark.parametrize(
    ("parser", "report", "cut", "complaint"),
    [
        (parse_csynth, "vitis_csynth.xml", "</profile>", "cannot be read as a C synthesis report"),
        (parse_csynth, "vitis_csynth.xml", "<LUT>41877</LUT>", "no <AreaEstimates/Resources/LUT>"),
        (parse_csynth, "vitis_csynth.xml", "<Version>2024.1</Version>", "no <ReportVersion"),
        (parse_cosim, "cosim_pass.rpt", "Verilog", "no VHDL or Verilog result row"),
        (parse_vivado_utilisation, "vivado_synth.rpt", "| CLB LUTs*  ", "no row 'CLB LUTs'"),
        (parse_vivado_utilisation, "vivado_synth.rpt", "Tool Version", "Tool Version"),
        (parse_vivado_timing, "vivado_timing_summary.rpt", "WNS(ns)", "no 'WNS"),
        (parse_catapult, "catapult_rtl_asic.rpt", "Design Total:", "no 'Design Total:'"),
        (parse_catapult, "catapult_rtl_asic.rpt", "Total Area Score:", "no 'Total Area Score:'"),
        (parse_catapult, "catapult_rtl_asic.rpt", "Max Delay:", "no 'Max Delay:'"),
        (parse_catapult, "catapult_rtl_asic.rpt", "-- Catapult", "Catapult header"),
    ],
)
def test_a_damaged_report_is_named_with_what_it_lacks(tmp_path, parser, report, cut, complaint):
    text = (REPORTS / report).read_text()
    assert cut in text
    damaged = tmp_path / report
    damaged.write_text(text.replace(cut, ""))
    with pytest.raises(InputError, match=complaint) as error:
        parser(damaged)
    assert str(damaged) in str(error.value)


def test_a_figure_that_is_no_number_is_an_error(tmp_path):
    damaged = tmp_path / "csynth.xml"
    damaged.write_text((REPORTS / "vitis_csynth.xml").read_text().replace("41877", "many"))
    with pytest.raises(InputError, match="'many' is no number for fpga"):
        parse_csynth(damaged)


def test_an_unreadable_report_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        parse_cosim(tmp_path / "absent_cosim.rpt")
