"""The result of a search: which designs are of the front, and the page that shows them."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.metrics import Evidence, Metric
from reports.rendering.search import front_table, html, markdown
from reports.search import SearchedDesign, SearchReport, bounds_in_words, rank_correlation

EMD, LUT, SLACK = "emd.mean", "fpga.lut", "timing.slack_ns"


def design(number: int, values: Mapping[str, float], **changes: object) -> SearchedDesign:
    fields: dict[str, object] = {
        "number": number,
        "name": f"mine-{number:04d}",
        "ending": "complete",
        "reason": "",
        "settings": {"filters": str(number), "weight.total": "5 & <6>"},
        "figures": {
            name: Metric(name=name, value=value, unit="", evidence=Evidence.SYNTH)
            for name, value in values.items()
        },
        "keeps": True,
        "seconds": 1.0,
        "links": {"report": f"designs/mine-{number:04d}/econ_t/report.html"},
    }
    return SearchedDesign(**(fields | changes))  # type: ignore[arg-type]


def report(*trials: SearchedDesign, objectives: tuple[str, ...] = (EMD, LUT)) -> SearchReport:
    return SearchReport(
        "mine", "words", ("filters", "weight.total"), objectives, {}, ("seed 1",), 9, trials
    )


def numbers(found: SearchReport) -> list[int]:
    return [trial.number for trial in found.front]


def test_the_front_holds_what_no_other_beats() -> None:
    found = report(
        design(0, {EMD: 1.0, LUT: 100}),
        design(1, {EMD: 0.5, LUT: 300}),
        design(2, {EMD: 0.6, LUT: 300}),  # worse than 1
        design(3, {EMD: 0.5, LUT: 300}),  # the same as 1, and later
        design(4, {EMD: 0.1, LUT: 10}, keeps=False),
        design(5, {}, ending="failed", reason="no"),
    )
    assert numbers(found) == [0, 1]
    assert found.endings() == {"complete": 5, "failed": 1}


def test_what_is_better_when_higher_counts_so() -> None:
    found = report(
        design(0, {SLACK: 5.0, LUT: 100}),
        design(1, {SLACK: 9.0, LUT: 100}),
        objectives=(SLACK, LUT),
    )
    assert numbers(found) == [1]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_every_trial_is_of_the_front_or_beaten_by_it(points: list[tuple[int, int]]) -> None:
    found = report(*(design(n, {EMD: e, LUT: c}) for n, (e, c) in enumerate(points)))
    front = {points[number] for number in numbers(found)}
    assert len(front) == len(found.front)
    for point in points:
        beaten = [p for p in front if p != point and p[0] <= point[0] and p[1] <= point[1]]
        assert bool(beaten) != (point in front)


def test_the_page_links_each_point_and_escapes_settings() -> None:
    found = report(design(0, {EMD: 0.8, LUT: 4000}), design(1, {}, ending="failed", reason="a <b>"))
    page = html(found)
    assert '<a xlink:href="designs/mine-0000/econ_t/report.html"' in page
    assert "weight.total 5 &amp; &lt;6&gt;</title>" in page
    assert "a &lt;b&gt;" in page
    assert "hls4ml FPGA build" in page  # a published design has both figures
    assert "http" not in page.replace("http://www.w3.org", "")  # XML names, which nobody loads


def test_a_search_without_results_has_a_page() -> None:
    assert "No trial has come to its end" in html(report())


def test_tables_hold_figures_and_settings() -> None:
    found = report(design(3, {EMD: 0.8, LUT: 4000}))
    assert front_table(found).splitlines() == [
        "model,trial,emd.mean,fpga.lut,filters,weight.total",
        "mine-0003,3,0.8,4000,3,5 & <6>",
    ]
    assert "| mine-0003 | 0.8 | 4,000 | 3 | 5 & <6> |" in markdown(found)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((None, 0.0), "at least 0 ns"),
        ((2.0, None), "at most 2 ns"),
        ((2.0, 1.0), "at least 1 ns and at most 2 ns"),
    ],
)
def test_bounds_are_told_in_words(bounds: tuple[float | None, float | None], words: str) -> None:
    assert bounds_in_words(*bounds, "ns") == words


def test_counts_are_ranked_against_synthesis() -> None:
    values = [(1.0, 10), (2.0, 20), (3.0, 15), (4.0, 40)]  # two neighbours the other way round
    designs = [design(n, {EMD: e, LUT: c}) for n, (e, c) in enumerate(values)]
    found = rank_correlation(EMD, LUT, [d.figures for d in (*designs, design(9, {LUT: 1}))])
    assert found.designs == 4
    assert found.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))
    shown = replace(report(*designs), ranked=(found,))
    assert "0.80" in html(shown)
    assert "0.80 (4 designs)" in markdown(shown)


@pytest.mark.parametrize("values", [[], [(1.0, 1), (2.0, 2)], [(1.0, 1), (1.0, 2), (1.0, 3)]])
def test_too_few_or_equal_designs_have_no_rank(values: list[tuple[float, int]]) -> None:
    figures = [design(n, {EMD: e, LUT: c}).figures for n, (e, c) in enumerate(values)]
    found = rank_correlation(EMD, LUT, figures)
    assert (found.spearman, found.designs) == (None, len(values))
    assert "fewer than three designs" in markdown(replace(report(), ranked=(found,)))
