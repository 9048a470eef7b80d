"""Collect what all stages measured: summary.json, report.md, report.html and a table."""

import argparse
from dataclasses import replace
from pathlib import Path

from flows.artefacts.judged_target import judged_target
from flows.artefacts.stage_results import (
    design_of,
    remedy,
    require_known,
    result,
    stages_of,
    task_of,
)
from flows.artefacts.vendor_results import vendor_metrics
from flows.artefacts.written_report import fingerprint, is_written, record_written
from flows.command_line.console import output_console
from flows.command_line.options import add_design
from flows.layout import DesignLayout, TargetLayout
from flows.provenance import file_hash, provenance
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import CheckFailed, InputError
from hw.foundation.json_file import json_content
from reports.metrics import write_summary
from reports.report import DesignReport, LayerFormats, Progress, compose
from reports.summary import summarise
from reports.verdict import Outcome


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser)
    parser.add_argument(
        "--data",
        type=Path,
        help="data set whose distributions are shown; default: the one the model was trained on",
    )
    parser.add_argument(
        "--junit",
        type=Path,
        metavar="FILE",
        help="write the demands as JUnit XML, for a CI system; default: do not",
    )
    parser.add_argument(
        "--skipPlot", "--skip-plot", dest="skip_plot", action="store_true", help="show no pictures"
    )


def run(arguments: argparse.Namespace) -> None:
    from reports.rendering.terminal import print_report

    design = design_of(arguments.build, arguments.model, arguments.target, arguments.data)
    of_target = design.target
    report = collect(
        arguments.build, arguments.model, arguments.target, arguments.data, skip_plot=True
    )
    found = fingerprint(report, design, skip_plot=arguments.skip_plot)
    unchanged = is_written(design, found)
    if not unchanged:
        _write(report if arguments.skip_plot else _with_pictures(report, design), of_target)
        record_written(design, found)
    if arguments.junit:
        from reports.rendering.junit import junit

        write_text(arguments.junit, junit(report))
    # a log takes lines of any length; beside each other the forms of a design need this much
    print_report(report, output_console())
    how = "unchanged:" if unchanged else "wrote"
    print(f"{how} {of_target.summary}, {of_target.markdown.name} and {of_target.html.name}")
    failed = [check for check in report.checks if check.outcome is Outcome.FAIL]
    if failed:
        raise CheckFailed(
            "; ".join(
                f"{check.subject} is {check.found.value if check.found else 'undecided'}, "
                f"demanded {check.demand}" + (f" ({check.reason})" if check.reason else "")
                for check in failed
            )
        )
    if report.stale:
        raise CheckFailed(
            f"{report.outcome}, for results count no more: "
            + "; ".join(f"{stage.name}: {stage.detail}" for stage in report.stale)
        )


def _write(report: DesignReport, of_target: TargetLayout) -> None:
    from reports.pictures.gallery import Gallery, write_gallery
    from reports.rendering.pages import html, markdown

    page, text = html(report), markdown(report, of_target.plots.name)
    write_gallery(of_target.plots, report.gallery or Gallery())
    write_text(of_target.html, page)
    write_text(of_target.markdown, text)
    write_summary(of_target.summary, report.summary)


def _with_pictures(report: DesignReport, design: DesignLayout) -> DesignReport:
    from flows.evaluation.pictures import report_gallery  # matplotlib is slow to import

    distances = {
        m.name.removeprefix("data.distance."): float(m.value)
        for m in report.summary.metrics
        if m.name.startswith("data.distance.") and isinstance(m.value, float | int)
    }
    undone = next(stage.undone for stage in report.stages if stage.name == "evaluate")
    return replace(report, gallery=report_gallery(design.model, design.data, distances, undone))


def collect(
    build: Path, model: str, target: str, data: Path | None = None, *, skip_plot: bool = False
) -> DesignReport:
    """Gather all there is on one design and judge it; a stage that is missing is shown as such.

    Args:
        data: data set whose distributions are shown; None for that of the model.
        skip_plot: no pictures.

    Raises:
        InputError: unknown model, target or data, or a damaged file.
    """
    demanded = judged_target(target)
    design = design_of(build, model, target, data)
    require_known(design)
    of_model, of_target, of_data = design.model, design.target, design.data
    if data and not data.exists() and not of_data.metrics.is_file():
        raise InputError(f"--data {data}: no such file or folder, and never inspected")
    encoder = of_model.network("encoder")
    stages = stages_of(design)
    results = [result(stage, design) for stage in stages]
    states = {found.name: found for found, _ in results}
    metrics = [metric for _, measured in results for metric in measured]
    lost = {
        (metric.name, metric.variant)
        for found, measured in results
        if found.progress is Progress.STALE
        for metric in measured
    }
    hls_is_stale = states["hls"].progress is Progress.STALE
    if not hls_is_stale and states["vendor"].progress is Progress.MISSING:
        metrics += vendor_metrics(of_target, None)  # of tools run by hand
    by_name = {stage.name: remedy(stage, design) for stage in stages}
    remedies = {name: f"not done; {remedy}" for name, remedy in by_name.items()}
    summary = summarise(
        of_model.folder.name,
        of_target.folder.name,
        metrics,
        reasons={
            **remedies,  # those of the RTL need no licence
            "rtlsim": f"{remedies['vendor']}; of the RTL: {by_name['rtlsim']}",
            "synth": f"{remedies['vendor']}; of the RTL: {by_name['synth']}",
        },
        provenance=provenance(model_hash=file_hash(encoder) if encoder.is_file() else None),
    )
    report = compose(
        summary,
        description=demanded.description,
        budgets=demanded.budgets,
        stages=list(states.values()),
        layers=[] if hls_is_stale else _layers(of_target),
        lost=lost,
        published=None if task_of(design).about_modules else (),
    )
    return report if skip_plot else _with_pictures(report, design)


def _layers(of_target: TargetLayout) -> list[LayerFormats]:
    if not of_target.hls_types.is_file():
        return []
    with json_content(of_target.hls_types, "run the hls stage anew") as records:
        return [
            LayerFormats(
                record["name"],
                record["class"],
                {k: str(v) for k, v in record.items() if k not in ("name", "class") and v},
            )
            for record in records
        ]
