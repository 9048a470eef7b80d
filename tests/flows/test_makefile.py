"""The Makefile as a user meets it: help, settings that force a rebuild, clear early errors."""

import os
import re
import subprocess
from pathlib import Path

from flows.__main__ import main
from flows.artefacts.seals import metrics_file
from flows.artefacts.settings import NewDecoderSettings
from flows.artefacts.stage_results import design_of
from flows.layout import DEFAULT_MODEL, model_layout, target_layout
from flows.stages import STAGES, Scope
from tests.flows.sealed import seal_all
from tests.flows.trained import trained_settings

PROJECT = Path(__file__).resolve().parents[2]
VARIABLES = ("MODEL", "TARGET", "DATA", "EPOCHS", "EVENTS", "VECTORS", "SEED", "EVALUATE", "VENDOR")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(
        ["make", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_documents_every_public_target_and_variable() -> None:
    text = (PROJECT / "Makefile").read_text()
    printed = make("help").stdout
    phony = {
        name
        for line in re.findall(r"^\.PHONY:(.*)$", text, flags=re.M)
        for name in line.split()
        if name.islower()
    }
    listed = set(re.findall(r"^  ([a-z][a-z0-9-]*)\s", printed, flags=re.M))
    assert phony <= listed
    for variable in VARIABLES:
        assert re.search(rf"^  {variable}\s+.*\S", printed, flags=re.M)


def test_each_stage_can_be_cleaned_and_no_other(tmp_path: Path) -> None:
    folders = {"data": "data/generated", "flops": "m/flops", "csim": "m/t/csim"}
    for folder in folders.values():
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "metrics.json").write_text("[]")
    where = (f"BUILD={tmp_path}", "MODEL=m", "TARGET=t")
    for stage in STAGES:
        assert make(f"clean-{stage.name}", *where).returncode == 0, stage.name
    assert not any((tmp_path / folder).exists() for folder in folders.values())
    assert "No rule to make target 'clean-csin'" in make("clean-csin", *where).stderr


def test_each_required_stage_is_known_to_the_status(tmp_path: Path) -> None:
    settings = model_layout(tmp_path, "m").settings
    settings.parent.mkdir(parents=True)
    settings.write_text(trained_settings("econ_t").to_json())
    required = [stage.name for stage in STAGES if stage.scope in (Scope.TARGET, Scope.FORM)]
    for name in required:  # not done, but known
        assert main(["status", "--build", str(tmp_path), "--model", "m", "--require", name]) == 1
    assert main(["status", "--build", str(tmp_path), "--model", "m", "--require", "csin"]) == 2


def test_help_lines_are_one_line_each() -> None:
    for line in make("help").stdout.splitlines():
        assert len(line) < 120


def test_a_changed_setting_rebuilds_only_what_depends_on_it(tmp_path: Path) -> None:
    def plan(*settings: str) -> str:
        return make("-n", "report", f"BUILD={tmp_path}", *settings).stdout

    assert "flows train" in plan()
    first = make("-q", f"{tmp_path}/x/train.settings", f"BUILD={tmp_path}")
    assert first.returncode in (0, 1)
    stamp = tmp_path / "m" / "train.settings"
    make(str(stamp), f"BUILD={tmp_path}", "EPOCHS=3")
    before = stamp.stat().st_mtime_ns
    make(str(stamp), f"BUILD={tmp_path}", "EPOCHS=3")
    assert stamp.stat().st_mtime_ns == before
    make(str(stamp), f"BUILD={tmp_path}", "EPOCHS=4")
    assert "EPOCHS=4" in stamp.read_text()


def test_an_imported_encoder_goes_on_to_hardware_and_is_never_trained(tmp_path: Path) -> None:
    layout = model_layout(tmp_path, "m")
    layout.train.mkdir(parents=True)
    layout.metrics("train").write_text("[]")
    layout.settings.write_text(trained_settings(model=None, imported={}).to_json())
    planned = make("-n", "rtl", "MODEL=m", f"BUILD={tmp_path}").stdout
    assert "flows rtl" in planned
    assert "flows train" not in planned
    layout.settings.write_text(trained_settings().to_json())
    assert "flows train" in make("-n", "rtl", "MODEL=m", f"BUILD={tmp_path}").stdout
    new_decoder = NewDecoderSettings(
        encoder_of="x", encoder_hash="0", decoder={"widths": [8]}, loss="sinkhorn_divergence",
        epochs=1, batch=1, seed=1,
    )  # fmt: skip
    layout.settings.write_text(trained_settings(new_decoder=new_decoder).to_json())
    assert "flows train" not in make("-n", "rtl", "MODEL=m", f"BUILD={tmp_path}").stdout


def test_the_recipe_of_a_model_gives_the_epochs_that_make_is_not_told(tmp_path: Path) -> None:
    def training(*settings: str) -> str:
        planned = make("-n", "train", f"BUILD={tmp_path}", *settings).stdout
        return next(line for line in planned.splitlines() if "flows train" in line)

    own = tmp_path / "own.yaml"
    own.write_text("label: x\narrangement: 8x8\nepochs: 3\n")
    assert "--epochs" not in training(f"MODEL={own}")
    assert "--epochs 7 " in training(f"MODEL={own}", "EPOCHS=7")
    assert "--epochs 10 " in training("MODEL=8x8_c8_S2_qK")


def test_an_unfit_python_is_named_with_the_remedy(tmp_path: Path) -> None:
    fake = tmp_path / "python3.9"
    fake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.0" && exit 0\nexit 1\n')
    fake.chmod(0o755)
    done = make("-B", ".venv/.installed", f"PYTHON={fake}")
    assert done.returncode != 0
    assert "Python 3.11 to 3.13" in done.stderr
    assert "Python 3.9.0" in done.stderr


def test_make_goes_by_content_too_whatever_the_date(tmp_path: Path) -> None:
    """Stand-ins for all results, younger than what they are made of, and then one older change."""
    build = tmp_path / "build"
    model = DEFAULT_MODEL

    def plan() -> set[str]:
        done = make("-n", "report", f"BUILD={build}")
        assert done.returncode == 0, done.stderr
        return set(re.findall(r"-m flows ([\w-]+)", done.stdout)) - {"report"}

    assert {"data", "train", "csim", "equivalence"} <= plan()  # which leaves the stamps of settings
    layout, target = model_layout(build, model), target_layout(build, model, "econ_t")
    weights = target.hls / "firmware" / "weights" / "w3.h"
    weights.parent.mkdir(parents=True)
    weights.write_text("{1, 2}")
    layout.train.mkdir()
    layout.settings.write_text(trained_settings(model).to_json())
    for stage in STAGES:
        if stage.scope is not Scope.FORM:
            file = metrics_file(stage, design_of(build, model, "econ_t"))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("[]")
    seal_all(build, model)
    assert plan() == set()
    before = weights.stat().st_mtime
    weights.write_text("{1, 3}")
    os.utime(weights, (before - 1e6, before - 1e6))
    changed = plan()
    assert {"hls", "csim", "rtl", "rtlsim"} <= changed
    assert not {"data", "train", "evaluate", "flops"} & changed
    weights.write_text("{1, 2}")
    assert plan() == set()
    layout.metrics("flops").write_text("damaged")
    assert plan() == {"flops"}
    own = tmp_path / f"{model}.yaml"
    own.write_text((PROJECT / "models" / "zoo" / f"{model}.yaml").read_text().replace("8,", "4,"))
    os.utime(own, (1e9, 1e9))
    assert "flows train" in make("-n", "train", f"BUILD={build}", f"MODEL={own}").stdout
