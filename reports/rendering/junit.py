"""The demands as JUnit XML, which CI systems show beside the tests of a merge request."""

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from reports.report import DesignReport
from reports.tables.values import format_value
from reports.verdict import Check, Outcome

# XML 1.0 has no place for these, not even as numbers
_NO_CHARACTERS = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: DesignReport) -> str:
    """One test case a demand, and one for each stage whose results count no more.

    A demand that is broken is a failure; one that was not measured is skipped, with the reason;
    results that count no more are an error.
    """
    summary = report.summary
    suite = Element("testsuite", name=_clean(f"{summary.model} on {summary.target}"))
    for check in report.checks:
        _add_demand(suite, check, f"{summary.model}.{summary.target}")
    for stage in report.stale:
        case = SubElement(
            suite,
            "testcase",
            classname=_clean(f"{summary.model}.{summary.target}"),
            name=_clean(f"results of {stage.name} count"),
        )
        SubElement(case, "error", message=_clean(stage.detail))
    for kind, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"),
                      ("skipped", "skipped")):  # fmt: skip
        suite.set(kind, str(sum(1 for _ in suite.iter(tag))))
    suites = Element("testsuites")
    suites.append(suite)
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _add_demand(suite: Element, check: Check, design: str) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=_clean(design),
        name=_clean(f"{check.subject} {check.demand}"),
    )
    if check.outcome is Outcome.PASS and check.found:
        found = f"{format_value(check.found.value)} {check.found.unit}".strip()
        SubElement(case, "system-out").text = _clean(
            f"{found}, evidence: {check.found.evidence.value}"
        )
    elif check.outcome is Outcome.FAIL:
        found = format_value(check.found.value) if check.found else "undecided"
        message = f"{check.subject} is {found}, demanded {check.demand}"
        SubElement(case, "failure", message=_clean(message)).text = _clean(check.reason)
    else:
        SubElement(case, "skipped", message=_clean(check.reason or "not measured"))


def _clean(text: str) -> str:
    return _NO_CHARACTERS.sub("?", text)
