"""Remove results: those that this project wrote, and nothing else.

`python -m flows.cleaning`, which needs no environment: `make clean`, `make clean-<stage>` and
`make distclean` call it.  A folder is removed where it holds what only this project writes; a link
is never followed.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from flows.layout import DataLayout, ModelLayout, data_layout, model_layout, target_layout
from hw.forms import FORMS
from hw.foundation.errors import InputError

_OF_STAGE = ("metrics.json", "seal.json")
_OF_MODEL = ("train/settings.json", "train/seal.json", "train.settings", ".runtimes")
_OF_DATA = ("modules.csv", "histograms.json", "data.settings", *_OF_STAGE)
_OF_BUILD = (".runtimes", ".cache")


def clean_stage(build: Path, stage: str, model: str, target: str) -> None:
    """Remove the results of one stage: of the model, on the target, or of a form on the target."""
    of_model, of_target = model_layout(build, model), target_layout(build, model, target)
    ours = _is_ours(of_model.folder, _OF_MODEL)
    for folder in (of_model.folder / stage, of_target.folder / stage):
        _remove(folder, ours=ours)
    for shared in sorted({form.shared_folder for form in FORMS if form.shared_folder}):
        _remove(build / shared / of_target.folder.name / stage, ours=True)


def clean_data(layout: DataLayout) -> None:
    """Remove what the data stage wrote of a data set; the set itself lies elsewhere."""
    _refuse_link(layout.folder)
    for name in _OF_DATA:
        (layout.folder / name).unlink(missing_ok=True)
    if layout.folder.is_dir() and not any(layout.folder.iterdir()):
        layout.folder.rmdir()


def clean_model(layout: ModelLayout) -> None:
    """Remove all results of a model."""
    _remove(layout.folder, ours=_is_ours(layout.folder, _OF_MODEL))


def clean_build(build: Path) -> None:
    """Remove all results in a build folder, and the folder where nothing else is in it."""
    _refuse_link(build)
    if not build.is_dir():
        return
    for folder in sorted(build.iterdir()):
        if folder.is_symlink() or not folder.is_dir():
            continue
        if _is_ours(folder, _OF_MODEL):
            _remove(folder, ours=True)
    for data in _data_sets(build):
        clean_data(data)
    for name in _OF_BUILD:
        _remove(build / "data" / name, ours=True)
    for shared in {form.shared_folder for form in FORMS if form.shared_folder}:
        _remove(build / shared, ours=True)
    comparisons = build / "compare"
    for file in sorted(comparisons.glob("*/*/comparison.json")):
        _remove(file.parent, ours=True)
    (build / ".hashes.json").unlink(missing_ok=True)
    for folder in (*comparisons.glob("*"), comparisons, build / "data", build):
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()
    if build.is_dir():
        left = ", ".join(sorted(entry.name for entry in build.iterdir())[:5])
        print(f"{build}: kept, for it holds what this project did not write: {left}")


def clean_environment(folder: Path) -> None:
    """Remove a virtual environment; of a link to one, the link."""
    if folder.is_symlink():
        folder.unlink()
    elif (folder / "pyvenv.cfg").is_file():
        shutil.rmtree(folder)


def _data_sets(build: Path) -> Iterator[DataLayout]:
    for folder in sorted((build / "data").glob("*")):
        if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith("."):
            yield DataLayout(folder)


def _is_ours(folder: Path, marks: tuple[str, ...]) -> bool:
    return any((folder / mark).exists() for mark in marks)


def _refuse_link(folder: Path) -> None:
    if folder.is_symlink():
        raise InputError(
            f"{folder} is a link, which may lead anywhere: nothing was removed; remove it yourself"
        )


def _remove(folder: Path, *, ours: bool) -> None:
    """Remove a folder if it is `ours`, has results of a stage, or is empty."""
    _refuse_link(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of results: nothing was removed")
    if not (ours or _is_ours(folder, _OF_STAGE) or not any(folder.iterdir())):
        raise InputError(
            f"{folder} holds nothing that tells it from a folder of yours: nothing was removed"
        )
    print(f"removing {folder}")
    shutil.rmtree(folder)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 2 where something is not to be removed."""
    parser = argparse.ArgumentParser(prog="python -m flows.cleaning", description=__doc__)
    parser.add_argument("what", help="a stage's name, 'model' or 'all'")
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--target", default="")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--environment", type=Path)
    options = parser.parse_args(argv)
    try:
        if options.build.resolve() in (Path("/"), Path.home()) or options.build == Path():
            raise InputError(f"--build '{options.build}' is no build folder: nothing was removed")
        match options.what:
            case "all":
                clean_build(options.build)
            case "model":
                clean_model(model_layout(options.build, options.model))
            case "data":
                clean_data(data_layout(options.build, options.data))
            case stage:
                clean_stage(options.build, stage, options.model, options.target)
        if options.environment:
            clean_environment(options.environment)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
