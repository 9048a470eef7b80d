"""The metric record and its files: no silent gap, strict reading, stable shape on disk."""

import json

import pytest

from hw.foundation.errors import InputError
from reports.metrics import (
    Evidence,
    Metric,
    Provenance,
    Summary,
    read_metrics,
    read_summary,
    write_metrics,
    write_summary,
)

SOURCE = Provenance(model_hash="0123456789abcdef", tools={"POT": "0.9.7"}, seed=1, git_dirty=False)
EMD = Metric(name="emd.mean", value=1.25, unit="half pitch", better="lower", provenance=SOURCE)
GAP = Metric(name="latency.ns", value=None, unit="ns", reason="no report")


def test_a_metric_without_value_must_say_why():
    with pytest.raises(ValueError, match="a metric without a value must say why"):
        Metric(name="emd.mean", value=None)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_is_finite_or_none(value):
    with pytest.raises(ValueError, match="is no value; give None and the reason"):
        Metric(name="emd.mean", value=value)


def test_a_metric_is_frozen_and_refuses_unknown_keys():
    with pytest.raises(ValueError, match="frozen"):
        EMD.value = 2.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="extra"):
        Metric.model_validate({"name": "a", "value": 1, "units": "ns"})


def test_metrics_come_back_as_written(tmp_path):
    metrics = [
        EMD,
        GAP,
        Metric(name="csim.mismatches", value=0, unit="vectors", evidence=Evidence.CSIM),
        Metric(name="cosim.passed", value=True, evidence=Evidence.RTLSIM),
        Metric(name="asic.area_um2", value=3.6e6, unit="um2", variant="generated"),
    ]
    write_metrics(tmp_path / "metrics.json", metrics)
    assert read_metrics(tmp_path / "metrics.json") == metrics
    kept = {type(metric.value) for metric in read_metrics(tmp_path / "metrics.json")}
    assert kept == {float, type(None), int, bool}


def test_the_summary_has_the_promised_shape(tmp_path):
    summary = Summary(model="m", target="t", provenance=SOURCE, metrics=(EMD, GAP))
    write_summary(tmp_path / "summary.json", summary)
    content = json.loads((tmp_path / "summary.json").read_text())
    assert list(content) == ["schema", "model", "target", "provenance", "metrics"]
    assert content["schema"] == 1
    assert content["metrics"][0]["name"] == "emd.mean"
    assert set(content["metrics"][1]) == {
        "name", "value", "unit", "evidence", "better", "reason", "variant", "provenance",
    }  # fmt: skip
    assert read_summary(tmp_path / "summary.json") == summary


def test_a_summary_finds_by_name_and_variant():
    variants = [Metric(name="fpga.lut", value=n, variant=v) for n, v in ((1, "a"), (2, "b"))]
    summary = Summary(model="m", target="t", provenance=SOURCE, metrics=tuple(variants))
    assert summary.find("fpga.lut") is variants[0]
    assert summary.find("fpga.lut", "b") is variants[1]
    assert summary.find("fpga.ff") is None


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"name": "a"}]', '[{"name": "a", "value": null}]']
)
def test_a_damaged_metrics_file_is_named(tmp_path, text):
    file = tmp_path / "metrics.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"metrics\.json"):
        read_metrics(file)


def test_an_absent_metrics_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.json: cannot be read"):
        read_metrics(tmp_path / "absent.json")


@pytest.mark.parametrize("text", ["[]", "{", '{"schema": 2}', '{"schema": 1, "model": "m"}'])
def test_a_damaged_or_foreign_summary_is_named(tmp_path, text):
    file = tmp_path / "summary.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"summary\.json"):
        read_summary(file)
