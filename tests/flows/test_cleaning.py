"""`make clean` and its kin remove what this project wrote, exactly, and refuse everything else."""

import os
import subprocess
from pathlib import Path

import pytest

from flows.cleaning import main
from flows.layout import TAKEN_NAMES, data_layout, model_layout, target_layout
from flows.stages import STAGES, Scope
from hw.foundation.errors import InputError

PROJECT = Path(__file__).resolve().parents[2]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(
        ["make", *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build folder with two models, within a home that has folders of the same names."""
    build = tmp_path / "home" / "build"
    for model in ("m", "n"):
        for file in ("train/settings.json", "train/seal.json", "t/csim/metrics.json",
                     "t/csim/bench", "train.settings"):  # fmt: skip
            path = build / model / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
    data = build / "data" / "generated"
    data.mkdir(parents=True)
    (data / "modules.csv").write_text("1\n")
    (data / "metrics.json").write_text("[]")
    for stranger in ("m/thesis.tex", "train/photo.jpg", "data/money.csv", "data/generated/own.txt"):
        path = tmp_path / "home" / stranger
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")
    return build


def test_what_is_named_is_removed_and_nothing_else(build, tmp_path):
    before = tree(tmp_path)
    assert main(["csim", "--build", str(build), "--model", "m", "--target", "t"]) == 0
    gone = {f"home/build/m/t/csim{name}" for name in ("", "/metrics.json", "/bench")}
    assert before - tree(tmp_path) == gone
    assert main(["model", "--build", str(build), "--model", "m"]) == 0
    assert not (build / "m").exists() and (build / "n").exists()
    assert main(["data", "--build", str(build)]) == 0
    assert not (build / "data" / "generated").exists()
    assert main(["all", "--build", str(build)]) == 0
    assert not build.exists()
    assert sum(1 for name in tree(tmp_path) if name.endswith((".tex", ".jpg", ".csv", ".txt"))) == 4


def test_folders_of_others_are_left_alone(build, tmp_path, capsys):
    home, before = build.parent, tree(tmp_path)
    for stage in ("train", "csim", "hls"):
        (home / "m" / stage).mkdir(exist_ok=True)
        (home / "m" / stage / "mine.txt").write_text("precious")
        assert main([stage, "--build", str(home), "--model", "m", "--target", "t"]) == 2
        assert "nothing was removed" in capsys.readouterr().err
    assert main(["model", "--build", str(home), "--model", "m"]) == 2
    assert main(["data", "--build", str(home)]) == 0  # its own files only, of which there are none
    assert main(["all", "--build", str(home)]) == 0
    assert before <= tree(tmp_path) | {"home/build"}
    assert "kept, for it holds what this project did not write" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["", ".", "..", "/", "../m", "m/../m", "a/b", ".hidden", "m n",
                                  "m;x", "$HOME", "*", "data", "train"])  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(build, tmp_path, name, capsys):
    before = tree(tmp_path)
    for what in ("model", "csim"):
        assert main([what, "--build", str(build), "--model", name, "--target", "t"]) == 2
    assert main(["csim", "--build", str(build), "--model", "m", "--target", name]) == 2
    assert tree(tmp_path) == before


@pytest.mark.parametrize("folder", ["/", "", "~"])
def test_a_whole_disk_or_home_is_no_build_folder(folder, capsys):
    folder = str(Path.home()) if folder == "~" else folder
    assert main(["all", "--build", folder]) == 2
    assert "no build folder" in capsys.readouterr().err


def test_links_are_not_followed(build, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "train").mkdir(parents=True)
    (elsewhere / "train" / "settings.json").write_text("{}")
    before = tree(elsewhere)
    (build / "linked").symlink_to(elsewhere)
    (build / "n" / "t" / "hls").symlink_to(elsewhere)
    assert main(["model", "--build", str(build), "--model", "linked"]) == 2
    assert main(["hls", "--build", str(build), "--model", "n", "--target", "t"]) == 2
    assert main(["all", "--build", str(build)]) == 0
    assert tree(elsewhere) == before
    link = tmp_path / "link"
    link.symlink_to(build)
    assert main(["all", "--build", str(link)]) == 2


def test_the_environment_goes_with_all_and_a_link_to_one_stays_one(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "pyvenv.cfg").write_text("home = /\n")
    (tmp_path / "build").mkdir()
    linked = tmp_path / ".venv"
    linked.symlink_to(shared)
    command = ["all", "--build", str(tmp_path / "build"), "--environment"]
    assert main([*command, str(linked)]) == 0
    assert not linked.is_symlink() and (shared / "pyvenv.cfg").is_file()
    (tmp_path / "mine").mkdir()
    assert main([*command, str(tmp_path / "mine")]) == 0
    assert (tmp_path / "mine").is_dir()
    assert main([*command, str(shared)]) == 0
    assert not shared.exists()


@pytest.mark.parametrize(
    "variable",
    ["MODEL=a b", "MODEL=", "MODEL=x;y", "MODEL='x'", 'TARGET="x"', "BUILD=", "BUILD=a b",
     "BUILD=a:b", "BUILD=a*", "DATA=a b", "DATA=a;b", "MODEL=a$$b", "MODELS=a b"],
)  # fmt: skip
def test_make_refuses_names_that_a_shell_would_take_apart(variable, tmp_path):
    build = [] if variable.startswith("BUILD") else [f"BUILD={tmp_path}"]
    for goal in ("clean", "train", "distclean"):
        done = make("-n", goal, variable, *build)
        assert done.returncode == 2
        assert f"*** {variable.partition('=')[0]}" in done.stderr.replace("***  ", "*** ")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("variable", ["MODEL=..", "MODEL=a/b", "MODEL=data", "TARGET=train"])
def test_make_refuses_other_names_before_any_stage(variable, tmp_path):
    for goal in ("train", "clean-csim"):
        done = make(goal, variable, f"BUILD={tmp_path / 'build'}")
        assert done.returncode == 2
        assert "error: --" in done.stderr and "cannot" not in done.stdout
    assert not (tmp_path / "build" / "data").exists()


def test_every_folder_of_a_stage_is_a_taken_name():
    own = {
        stage.name for stage in STAGES if stage.scope is not Scope.FORM and "-rec" not in stage.name
    }
    assert own <= TAKEN_NAMES
    for name in TAKEN_NAMES:
        with pytest.raises(InputError, match="stage's folder"):
            model_layout(Path("b"), name)
        with pytest.raises(InputError, match="stage's folder"):
            target_layout(Path("b"), "m", name)


@pytest.mark.parametrize("name", ["generated", ".hidden"])
def test_a_data_set_cannot_take_the_place_of_the_generated_one(name, tmp_path):
    with pytest.raises(InputError, match="cannot name a data set"):
        data_layout(tmp_path, tmp_path / name)
