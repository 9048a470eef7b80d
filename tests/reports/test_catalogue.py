"""The catalogue: every metric has one row, and no metric is written without."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.forms import GENERATED, RECONFIGURABLE
from hw.foundation.errors import InputError
from models.quality.measures import EMD_UNIT, MEASURES
from reports import catalogue
from reports.catalogue import (
    OTHER,
    QUALITY_MEASURES,
    Demanded,
    find_row,
    label_of,
    named_rows,
    names_measured_by,
    records,
    require_sound,
    required_row,
    row_of,
)
from reports.metrics import Evidence, Metric, Provenance

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = ("hw", "models", "testbench", "reports", "flows")


def test_each_named_metric_finds_its_own_row():
    for row in named_rows():
        assert find_row(row.name) is row


@pytest.mark.parametrize(
    ("name", "unit", "better", "label"),
    [
        ("fpga.zynq7000.lut", "LUT", "lower", "Look-up tables, zynq7000"),
        ("fpga.zynq7000.family", "", None, "FPGA family, zynq7000"),
        ("asic.cells.sky130_fd_sc_hd__nand2_1", "", None, "asic.cells.sky130_fd_sc_hd__nand2_1"),
        ("emd.charge.0.5-1.mean", "half pitch", "lower", "emd.charge.0.5-1.mean"),
        ("emd.occupancy.0-2.std", "half pitch", None, "emd.occupancy.0-2.std"),
        ("quality.cross_correlation.mean", "", "higher", "Cross-correlation of the cells, mean"),
        ("quality.telescope.standard_error", "", None, "Telescope loss, standard error"),
        ("baseline.stc4.chip.bits", "bits/module", "lower", "baseline.stc4.chip.bits"),
        ("baseline.stc4.chip.emd.charge.100-inf.empty_output", "modules", "lower", None),
        ("graph.a.v1.onnx.difference", "", "lower", "Largest difference from Keras, a.v1, onnx"),
    ],
)
def test_a_pattern_serves_all_its_metrics(name, unit, better, label):
    row = required_row(name)
    assert (row.name, row.unit, row.better) == (name, unit, better)
    assert label_of(name) == (label or name)


def test_a_metric_without_row_cannot_be_written():
    with pytest.raises(
        ValueError, match=r"no metric 'csim\.mismatch'; did you mean 'csim\.mismatch"
    ):
        records({"csim.mismatch": 0}, evidence=Evidence.CSIM)
    with pytest.raises(ValueError, match=r"did you mean 'latency\.ns'"):
        records({}, evidence=Evidence.CSIM, reason="no tool", names=("latencies.ns",))


@given(st.text())
def test_a_metric_of_another_version_can_still_be_read(name):
    row = row_of(name)
    assert row.name == name
    assert find_row(name) or (row.section, row.demand, row.detail) == (OTHER, None, False)


def test_records_have_unit_and_direction_and_the_names_asked_for():
    found = records(
        {"latency.ns": 25.0, "rtlsim.vectors": 3},
        evidence=Evidence.RTLSIM,
        form=RECONFIGURABLE,
        reason="no clock",
        names=("ii.cycles", "latency.ns"),
    )
    assert [
        (m.name, m.value, m.unit, m.better, m.reason, m.variant, m.evidence) for m in found
    ] == [
        ("ii.cycles", None, "cycles", "lower", "no clock", "reconfigurable", Evidence.RTLSIM),
        ("latency.ns", 25.0, "ns", "lower", None, "reconfigurable", Evidence.RTLSIM),
        ("rtlsim.vectors", 3, "vectors", None, None, "reconfigurable", Evidence.RTLSIM),
    ]
    assert records({"emd.mean": 1.0}, evidence=Evidence.ESTIMATE)[0].variant is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("gatesim.mismatches", 0, False),
        ("gatesim.mismatches", 2, True),
        ("equivalence.proved", True, False),
        ("equivalence.proved", False, True),
        ("gatesim.vectors", 5, False),
        ("csim.block.emulator_mismatches", 1, True),
    ],
)
def test_a_value_that_breaks_its_demand_carries_the_reason(name, value, told):
    (metric,) = records(
        {name: value}, evidence=Evidence.SYNTH, form=GENERATED, reason="vector 3 differs"
    )
    assert metric.value == value
    assert metric.reason == ("vector 3 differs" if told else None)


def test_a_missing_value_needs_a_reason():
    with pytest.raises(ValueError, match="must say why"):
        records({"emd.mean": None}, evidence=Evidence.ESTIMATE)


def test_a_stage_knows_what_it_leaves_when_it_is_skipped():
    assert names_measured_by("rtlsim") == (
        "rtlsim.vectors",
        "rtlsim.mismatches",
        "rtlsim.vectors_per_second",
        "latency.cycles",
        "latency.ns",
        "ii.cycles",
    )
    assert set(names_measured_by("ecp5")) == {"timing.ecp5.cells", "timing.ecp5.fmax_mhz"}
    assert names_measured_by("nothing") == ()


def test_every_count_of_mismatches_is_to_be_zero():
    """But that of Keras with golden vectors, which stops the import, and partial sums; and no upset
    may reach what tripled registers hold."""
    demanded = {row.name for row in named_rows() if row.demand and row.demand.max == 0}
    counts = {row.name for row in named_rows() if row.name.endswith("mismatches")}
    partial = {"golden.mismatches", "rtlsim.emulator_mismatches", "gatesim.emulator_mismatches"}
    assert demanded == counts - partial | {"protection.upsets.reaching"}
    always = [r.name for r in named_rows() if r.demand and r.demand.when is Demanded.ALWAYS]
    assert always == ["csim.mismatches"]


def test_the_measures_of_the_models_have_their_rows():
    words = {measure.name: measure for measure in QUALITY_MEASURES}
    assert ["emd", *words] == [measure.name for measure in MEASURES]
    for measure in MEASURES:
        name = "emd.mean" if measure.name == "emd" else f"quality.{measure.name}.mean"
        row = required_row(name)
        in_own_table = measure.name != "emd"
        assert (row.section == catalogue.MEASURES) is in_own_table
        if not in_own_table:
            assert row.unit == EMD_UNIT


def test_every_metric_record_made_by_hand_has_a_row():
    unknown = []
    for folder in FOLDERS:
        for file in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Metric":
                    names = [k.value for k in node.keywords if k.arg == "name"]
                    unknown += [
                        f"{file.relative_to(PROJECT)}:{node.lineno}: {name.value}"
                        for name in names
                        if isinstance(name, ast.Constant) and not find_row(name.value)
                    ]
    assert unknown == []


SOUND = Metric(
    name="csim.mismatches", value=0, unit="vectors", evidence=Evidence.CSIM, provenance=Provenance()
)


def test_sound_records_are_taken() -> None:
    proved = SOUND.model_copy(
        update={"name": "equivalence.proved", "value": True, "unit": "", "reason": None}
    )
    unknown = SOUND.model_copy(update={"name": "of.another.version", "value": "anything"})
    missing = SOUND.model_copy(update={"value": None, "reason": "no g++"})
    require_sound([SOUND, proved, unknown, missing], "metrics.json")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": -1}, "a count is never negative"),
        ({"value": False}, "is False, expected a number"),
        ({"value": "none"}, "is 'none', expected a number"),
        ({"unit": "codes"}, "is in 'codes', expected 'vectors'"),
        ({"provenance": None}, "has no provenance"),
        ({"name": "equivalence.proved", "value": 1, "unit": ""}, "expected true or false"),
        ({"name": "fpga.lut", "value": -0.5, "unit": "LUT"}, "never negative"),
    ],
)
def test_records_that_no_stage_writes_are_damage(changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=f"metrics.json: damaged: .*{words}"):
        require_sound([SOUND.model_copy(update=changes)], "metrics.json")
