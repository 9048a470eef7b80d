"""Compare designs, each by its summary.json: a table, a Markdown section, overlays."""

import argparse
from functools import partial
from pathlib import Path

from flows.artefacts.written_report import require_as_written
from flows.command_line.console import output_console
from flows.command_line.options import add_build
from flows.layout import DEFAULT_TARGET, ModelLayout, target_layout
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import CheckFailed, InputError
from reports.comparison import Change, ComparedDesign, DesignComparison, compare
from reports.metrics import read_summary
from reports.rendering.comparison import markdown, print_comparison, to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "summaries",
        nargs="*",
        type=Path,
        metavar="SUMMARY",
        help="summary.json of a design (or its folder), two at least; the first is the base; "
        "default: those of --models",
    )
    add_build(parser)
    parser.add_argument(
        "--models", help="names of models, comma between them; default: the designs of SUMMARY"
    )
    parser.add_argument("--target", default=DEFAULT_TARGET, help="hardware target of --models")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=0.01,
        metavar="FRACTION",
        help="largest relative difference that counts as none; a mean must also differ by more "
        "than two standard errors",
    )
    parser.add_argument(
        "--all", action="store_true", dest="details", help="show bins and other algorithms too"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="print Markdown, as for a pull request"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="folder for comparison.md, comparison.json and the overlays as PNG and SVG; "
        "default: only print",
    )
    parser.add_argument(
        "--skipPlot", "--skip-plot", dest="skip_plot", action="store_true", help="no overlays"
    )
    parser.add_argument(
        "--fail-on-regression",
        action="store_true",
        help="exit with status 1 if any figure is worse than that of the first design",
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.tolerance < 0:
        raise InputError(f"--tolerance {arguments.tolerance}: give 0 or more (0.01 is 1 %)")
    files = _files(arguments)
    designs = _designs(files)
    comparison = compare(designs, arguments.tolerance)
    if arguments.markdown:
        print(markdown(comparison, details=arguments.details), end="")
    else:
        print_comparison(comparison, output_console(), details=arguments.details)
    if arguments.output:
        _write(arguments.output, comparison, files, arguments)
    worse = comparison.changed(Change.WORSE)
    if worse and arguments.fail_on_regression:
        told = "; ".join(
            f"{figure.first.name} of {name}"
            + (f" ({figure.first.variant})" if figure.first.variant else "")
            for name, figure in worse
        )
        raise CheckFailed(f"worse than {designs[0].name}: {told}")


def _files(arguments: argparse.Namespace) -> list[Path]:
    if arguments.models and arguments.summaries:
        raise InputError("give summary.json files or --models, not both")
    if arguments.models:
        names = [name.strip() for name in arguments.models.split(",") if name.strip()]
        files = []
        for name in names:
            layout = target_layout(arguments.build, name, arguments.target)
            files.append(layout.summary)
            if not layout.summary.is_file():
                raise InputError(
                    f"{layout.summary}: no such file; make its report first: "
                    f"make report MODEL={name} TARGET={arguments.target}"
                )
    else:
        files = [file / "summary.json" if file.is_dir() else file for file in arguments.summaries]
    if len(files) < 2:
        raise InputError(
            f"{len(files)} design(s) given, two at least are compared: name their summary.json "
            "files, or --models a,b (make compare MODELS=a,b)"
        )
    if len({file.resolve() for file in files}) < len(files):
        raise InputError("the same design is given twice")
    return files


def _designs(files: list[Path]) -> list[ComparedDesign]:
    for file in files:
        require_as_written(file)
    summaries = [read_summary(file) for file in files]
    for names in (
        [summary.model for summary in summaries],
        [f"{summary.model} on {summary.target}" for summary in summaries],
        _short_paths([file.parent for file in files]),
    ):
        if len(set(names)) == len(names):
            break
    return [ComparedDesign(name, summary) for name, summary in zip(names, summaries, strict=True)]


def _short_paths(folders: list[Path]) -> list[str]:
    """The parts of the paths in which they differ."""
    parts = [folder.resolve().parts for folder in folders]
    shortest = min(map(len, parts))
    alike = [len(set(column)) == 1 for column in zip(*parts, strict=False)]
    first = alike.index(False) if False in alike else shortest
    ends = [len(set(column)) == 1 for column in zip(*map(reversed, parts), strict=False)]
    last = min(ends.index(False) if False in ends else shortest, shortest - first)
    return [str(Path(*path[first : len(path) - last])) for path in parts]


def _write(
    folder: Path, comparison: DesignComparison, files: list[Path], arguments: argparse.Namespace
) -> None:
    write_text(folder / "comparison.json", to_json(comparison))
    pictures: list[str] = []
    if not arguments.skip_plot:
        pictures = _draw(folder / "plots", comparison, files)
    text = markdown(comparison, details=arguments.details, pictures=pictures)
    write_text(folder / "comparison.md", text)
    print(f"wrote {folder / 'comparison.md'}, comparison.json" + (", plots" if pictures else ""))


def _draw(folder: Path, comparison: DesignComparison, files: list[Path]) -> list[str]:
    """Draw the overlays; returns their addresses relative to the folder above."""
    from reports.pictures.evaluation import read_evaluation
    from reports.pictures.gallery import gather, write_gallery
    from reports.pictures.models import models_emd_picture, models_profile_picture
    from reports.pictures.profiles import charge_of, occupancy_of

    evaluations = {}
    for design, file in zip(comparison.designs, files, strict=True):
        found = ModelLayout(file.resolve().parent.parent).evaluation
        if not found.is_file():
            print(f"no overlays: {design.name} has no {found}")
            return []
        evaluations[design.name] = read_evaluation(found)
    gallery = gather(
        [
            ("Distances of the models", partial(models_emd_picture, evaluations)),
            (
                "Models against occupancy",
                partial(models_profile_picture, evaluations, occupancy_of),
            ),
            ("Models against charge", partial(models_profile_picture, evaluations, charge_of)),
        ]
    )
    write_gallery(folder, gallery)
    for lacking in gallery.not_drawn:
        print(f"not drawn: {lacking.title}: {lacking.reason}")
    return [f"{folder.name}/{picture.name}.png" for picture in gallery.pictures]
