"""Collect what all stages measured: summary.json, report.md, report.html and a table."""

import argparse
import json
from pathlib import Path

from flows.artefacts.stage_results import design_of, remedy, result, stages_of, task_of
from flows.artefacts.vendor_results import vendor_metrics
from flows.command_line.console import output_console
from flows.command_line.options import add_design
from flows.layout import TargetLayout, model_layout, target_layout
from flows.provenance import file_hash, provenance
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import CheckFailed, InputError
from hw.foundation.strict_config import did_you_mean
from hw.targets.target import load_target
from models.networks.zoo import model_names
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
        "--skipPlot", "--skip-plot", dest="skip_plot", action="store_true", help="show no pictures"
    )


def run(arguments: argparse.Namespace) -> None:
    from reports.pictures.gallery import Gallery, write_gallery
    from reports.rendering.pages import html, markdown
    from reports.rendering.terminal import print_report

    of_target = target_layout(arguments.build, arguments.model, arguments.target)
    report = collect(
        arguments.build,
        arguments.model,
        arguments.target,
        arguments.data,
        skip_plot=arguments.skip_plot,
    )
    page, text = html(report), markdown(report, of_target.plots.name)
    write_gallery(of_target.plots, report.gallery or Gallery())
    write_text(of_target.html, page)
    write_text(of_target.markdown, text)
    write_summary(of_target.summary, report.summary)
    # a log takes lines of any length; beside each other the forms of a design need this much
    print_report(report, output_console())
    print(f"wrote {of_target.summary}, {of_target.markdown.name} and {of_target.html.name}")
    failed = [check for check in report.checks if check.outcome is Outcome.FAIL]
    if failed:
        raise CheckFailed(
            "; ".join(
                f"{check.subject} is {check.found.value if check.found else 'undecided'}, "
                f"demanded {check.demand}" + (f" ({check.reason})" if check.reason else "")
                for check in failed
            )
        )


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
    from flows.evaluation.pictures import (
        report_gallery,  # as late as this: matplotlib is slow to import
    )

    demanded = load_target(target)
    _refuse_unknown(build, model)
    design = design_of(build, model, target, data)
    of_model, of_target, of_data = design.model, design.target, design.data
    if data and not data.exists() and not of_data.metrics.is_file():
        raise InputError(f"--data {data}: no such file or folder, and never inspected")
    encoder = of_model.network("encoder")
    stages = stages_of(design)
    results = [result(stage, design) for stage in stages]
    states = {found.name: found for found, _ in results}
    metrics = [metric for _, measured in results for metric in measured]
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
    distances = {
        m.name.removeprefix("data.distance."): float(m.value)
        for m in metrics
        if m.name.startswith("data.distance.") and isinstance(m.value, float | int)
    }
    about_modules = task_of(design).about_modules
    gallery = None
    if not skip_plot and about_modules:
        undone = states["evaluate"].undone
        gallery = report_gallery(of_model, of_data, distances, undone)
    return compose(
        summary,
        description=demanded.description,
        budgets=demanded.budgets,
        stages=list(states.values()),
        layers=[] if hls_is_stale else _layers(of_target),
        gallery=gallery,
        published=None if about_modules else (),
    )


def _refuse_unknown(build: Path, model: str) -> None:
    """A misspelt model would give a report of nothing but gaps."""
    trained = {settings.parent.parent.name for settings in build.glob("*/train/*.json")}
    known = sorted({*model_names(), *trained})
    if not model_layout(build, model).folder.is_dir() and model not in known:
        raise InputError(f"no model '{model}' in {build} or the zoo; {did_you_mean(model, known)}")


def _layers(of_target: TargetLayout) -> list[LayerFormats]:
    if not of_target.hls_types.is_file():
        return []
    try:
        records = json.loads(of_target.hls_types.read_text(encoding="utf-8"))
        return [
            LayerFormats(
                record["name"],
                record["class"],
                {k: str(v) for k, v in record.items() if k not in ("name", "class") and v},
            )
            for record in records
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{of_target.hls_types}: not a list of layers with name and class: {error!r}; "
            "run the hls stage anew"
        ) from error
