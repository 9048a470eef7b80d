"""The demands as JUnit XML, and the recipes for CI that use it."""

from xml.etree import ElementTree

from reports.metrics import Evidence, Metric, Provenance, Summary
from reports.rendering.junit import junit
from reports.report import Progress, StageState, compose


class Bound:
    def __init__(self, high: float):
        self.min, self.max = None, high


def _suite(*metrics: Metric, stages=(), budgets=None, lost=()) -> ElementTree.Element:
    summary = Summary(model="m", target="t", provenance=Provenance(), metrics=metrics)
    report = compose(
        summary, description="d", budgets=budgets or {}, stages=list(stages), layers=[], lost=lost
    )
    return ElementTree.fromstring(junit(report)).find("testsuite")


def _csim(mismatches: int | None, reason: str | None = None) -> Metric:
    return Metric(name="csim.mismatches", value=mismatches, unit="vectors",
                  evidence=Evidence.CSIM, reason=reason)  # fmt: skip


def test_each_demand_is_a_case():
    suite = _suite(_csim(0), Metric(name="latency.ns", value=75.0, unit="ns"),
                   budgets={"latency.ns": Bound(50), "fpga.lut": Bound(1)})  # fmt: skip
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": 3, "failures": 1, "errors": 0, "skipped": 1}
    cases = {case.get("name").split()[0]: case for case in suite}
    assert cases["csim.mismatches"].find("system-out").text == "0 vectors, evidence: csim"
    assert "latency.ns is 75" in cases["latency.ns"].find("failure").get("message")
    assert cases["fpga.lut"].find("skipped").get("message")
    assert {case.get("classname") for case in suite} == {"m.t"}


def test_results_that_count_no_more_are_an_error():
    stale = StageState("csim", Progress.STALE, "w3.h has changed since; make csim <m> & \x00 more")
    suite = _suite(_csim(None, "stale"), stages=[stale], lost={("csim.mismatches", None)})
    assert suite.get("errors") == "1" and suite.get("skipped") == "1"
    assert "w3.h has changed since" in suite.find(".//error").get("message")
