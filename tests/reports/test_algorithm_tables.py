"""The autoencoder beside the other algorithms, and the other measures, as the report shows them."""

from collections.abc import Mapping

import pytest

from reports.metrics import Metric, Provenance, Summary
from reports.rendering.pages import html, markdown
from reports.rendering.terminal import print_report
from reports.report import DesignReport, compose
from reports.tables.algorithms import AlgorithmTable, algorithm_tables
from reports.tables.measures import measure_rows
from reports.tables.sections import sections

Found = tuple[float | None, float | None, int, int]  # mean, standard error, modules, empty ones
BINS = ("", ".occupancy.0-2", ".occupancy.2-48", ".charge.0-1", ".charge.1-inf")


def distances(prefix: str, found: Mapping[str, Found] | Found) -> list[Metric]:
    metrics = []
    for suffix in BINS:
        figures = found if isinstance(found, tuple) else found.get(suffix, found[""])
        mean, error, modules, empty = figures
        spread = ("standard_error", "std", "median", "quantile_16", "quantile_84")
        values = {"mean": mean} | dict.fromkeys(spread, None if mean is None else error)
        metrics += [
            Metric(name=f"{prefix}{suffix}.{part}", value=value, unit="half pitch", reason="none")
            for part, value in values.items()
        ]
        metrics += [
            Metric(name=f"{prefix}{suffix}.{part}", value=value, unit="modules")
            for part, value in (("modules", modules), ("empty_output", empty))
        ]
    return metrics


def bits(name: str, value: float) -> Metric:
    return Metric(name=name, value=value, unit="bits/module", better="lower")


def summary(*metrics: Metric) -> Summary:
    return Summary(model="m", target="t", provenance=Provenance(), metrics=metrics)


def example(own: Mapping[str, Found] | Found = (1.0, 0.01, 1000, 0)) -> Summary:
    stc4 = {"": (0.9, 0.01, 1000, 0), ".occupancy.0-2": (1.4, 0.02, 500, 0)}
    return summary(
        *distances("emd", own),
        bits("quality.bits", 158),
        bits("link.bits", 160),
        *distances("baseline.stc4.ideal.emd", (0.1, 0.01, 1000, 0)),
        *distances("baseline.stc4.chip.emd", stc4),
        bits("baseline.stc4.chip.bits", 136),
        *distances("baseline.threshold.chip.emd", (0.2, 0.01, 400, 600)),
        bits("baseline.threshold.chip.bits", 39.6),
        *distances("baseline.best_choice.chip.emd", (0.3, 0.01, 1000, 0)),
        bits("baseline.best_choice.chip.bits", 161),
    )


def best(table: AlgorithmTable) -> list[list[str]]:
    return [
        [row.name for row in table.rows if row.means[column].best]
        for column in range(len(table.columns))
    ]


def test_columns_are_the_bins_in_words_and_rows_the_algorithms():
    by_occupancy, by_charge = algorithm_tables(example())
    assert by_occupancy.columns == ("all", "0 to 1", "2 to 48")
    assert by_charge.columns == ("all", "0 to 1", "from 1")
    assert "160 bits" in by_occupancy.title
    assert [(row.name, row.form, row.bits) for row in by_charge.rows] == [
        ("autoencoder", "", "158"),
        ("STC4", "ideal", "\u2014"),
        ("STC4", "chip", "136"),
        ("threshold", "chip", "40"),
        ("best choice", "chip", "161"),
    ]


def test_the_best_is_one_that_is_sent_fits_the_links_and_answers():
    # the ideal form is not sent, best choice has too many bits, the threshold answers 40 %
    assert best(algorithm_tables(example())[0]) == [["STC4"], ["autoencoder"], ["STC4"]]


def test_a_mean_tells_its_error_and_what_it_leaves_out():
    rows = algorithm_tables(example())[0].rows
    assert rows[0].means[0].text == "1.000 \u00b1 0.010"
    assert rows[0].means[0].brief == "1.000(10)"
    assert rows[3].means[0].text == "0.200 \u00b1 0.010 (60% empty)"
    assert rows[3].means[0].brief == "0.200(10) 60% empty"


def test_where_the_autoencoder_loses_is_said():
    (found,) = algorithm_tables(example())[0].findings
    assert found == "The autoencoder loses to STC4 (136 bits) in columns all, 2 to 48."
    (found,) = algorithm_tables(example((2.0, 0.01, 1000, 0)))[0].findings
    assert found == "The autoencoder loses to STC4 (136 bits) in every column."


def test_an_autoencoder_that_does_not_fit_the_links_is_not_the_best():
    found = example((0.1, 0.01, 1000, 0))
    metrics = (m for m in found.metrics if m.name != "link.bits")
    table, _ = algorithm_tables(summary(*metrics, bits("link.bits", 140)))
    assert table.findings[0] == "The autoencoder's 158 bits do not fit the links' 140."
    assert best(table) == [["STC4"], ["STC4"], ["STC4"]]


def test_a_floating_point_autoencoder_cannot_be_sent_and_is_not_marked():
    found = example((0.1, 0.01, 1000, 0))
    metrics = (m for m in found.metrics if m.name != "quality.bits")
    none = Metric(name="quality.bits", value=None, unit="bits/module", reason="floats")
    table, _ = algorithm_tables(summary(*metrics, none))
    assert table.findings[0] == (
        "The autoencoder has no number of bits (floats): as measured, it cannot be sent."
    )
    assert best(table) == [["STC4"], ["STC4"], ["STC4"]]


def test_modules_that_the_autoencoder_does_not_answer_are_told():
    own = {"": (0.1, 0.01, 700, 300), ".occupancy.2-48": (0.1, 0.01, 500, 0)}
    table, _ = algorithm_tables(example(own))
    assert table.findings == (
        "The autoencoder brings nothing back of some modules, and its mean is not compared there: "
        "30% in all, 30% in 0 to 1.",
    )


def test_the_mean_of_one_module_has_no_error_and_decides_nothing():
    table, _ = algorithm_tables(example((9.0, None, 1, 0)))
    assert (table.rows[0].means[0].text, table.rows[0].means[0].brief) == (
        "9.000 \u00b1 \u2014",
        "9.000(\u2014)",
    )
    assert table.findings[0].startswith("No algorithm")


def test_a_difference_within_two_standard_errors_is_no_loss():
    # sqrt(0.06^2 + 0.01^2) twice is more than the difference of 0.1
    (found,) = algorithm_tables(example((1.0, 0.06, 1000, 0)))[0].findings
    assert found.startswith("No algorithm within the links' bits")


def test_an_autoencoder_that_is_not_measured_is_not_judged():
    table, _ = algorithm_tables(example((None, 0, 0, 0)))
    assert table.rows[0].means[0].text == "\u2014"
    assert table.findings == ("The autoencoder's distance is not known.",)
    assert best(table)[0] == ["STC4"]


def test_without_other_algorithms_there_is_no_table():
    assert algorithm_tables(summary(*distances("emd", (1.0, 0.1, 10, 0)))) == []


def quality(name: str, **parts: float | None) -> list[Metric]:
    return [
        Metric(name=f"quality.{name}.{part}", value=value, unit="", reason="none", better=None)
        for part, value in parts.items()
    ]


def test_a_measure_is_one_row_with_as_many_decimals_as_its_error_tells():
    first, second, third = measure_rows(
        summary(
            *quality("cross_correlation", mean=0.81234, standard_error=0.0123, std=0.4, modules=9),
            *quality("zero_fraction", mean=0, standard_error=0, std=0, median=0, modules=9),
            *quality("telescope", mean=None, standard_error=None, modules=0),
        )
    )
    assert (first.label, first.mean, first.std) == (
        "Cross-correlation of the cells",
        "0.812 \u00b1 0.012",
        "0.4",
    )
    assert second.mean == "0"
    assert third.mean == "\u2014"


@pytest.fixture
def report() -> DesignReport:
    found = example()
    found = found.model_copy(
        update={
            "metrics": (
                *found.metrics,
                *quality("telescope", mean=0.5, standard_error=0.1, modules=9),
            )
        }
    )
    return compose(found, description="d", budgets={}, stages=[], layers=[])


def test_they_have_tables_of_their_own(report):
    shown = {row.name for section in sections(report.summary) for row in section.rows}
    assert "quality.bits" in shown and "emd.mean" in shown
    assert not [n for n in shown if n.startswith("baseline.") or n.count(".") > 1]
    assert [row.label for row in report.measures] == ["Telescope loss"]


def test_all_forms_of_the_report_show_them(report, capsys):
    from rich.console import Console

    page, text = html(report), markdown(report, "plots")
    print_report(report, Console(width=140))
    terminal = capsys.readouterr().out
    for rendering in (page, text):
        for words in ("0.900 \u00b1 0.010", "from 1", "Telescope loss", "0.50 \u00b1 0.10"):
            assert words in rendering
        assert "loses to STC4 (136 bits) in columns all, 2 to 48" in rendering
    assert "<b>0.900 \u00b1 0.010</b>" in page and "**0.900 \u00b1 0.010**" in text
    assert "0.900(10)*" in terminal and "loses to STC4" in terminal
    rows = [line for line in text.splitlines() if line.startswith("| STC4 | chip")]
    assert len(rows) == 2 and all(line.count("|") == 7 for line in rows)


def test_the_tables_say_which_algorithm_to_send_where():
    mixture = [
        Metric(name="mixture.occupancy.emd.mean", value=0.85, unit="half pitch"),
        Metric(name="mixture.occupancy.autoencoder", value=0.25, unit=""),
    ]
    by_occupancy, by_charge = algorithm_tables(summary(*example().metrics, *mixture))
    assert by_occupancy.choice == (
        "Smallest mean within the links' bits: autoencoder in 0 to 1; STC4 in all, 2 to 48.",
        "Each module sent by the best algorithm of its bin: mean 0.850, 25% of the modules by the "
        "autoencoder.",
    )
    assert len(by_charge.choice) == 1  # no mixture was measured along the charge
