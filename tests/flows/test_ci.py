"""docs/ci.md: its recipes are YAML that CI systems take, and their commands run."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "ci.md").read_text(encoding="utf-8")
GITLAB, GITHUB = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S))
SMALL = "EVENTS=2000 EPOCHS=1 VECTORS=200"


def _github_commands() -> list[str]:
    return [step["run"] for step in GITHUB["jobs"]["encoder"]["steps"] if "run" in step]


def _commands(recipe: str) -> list[str]:
    return GITLAB["encoder"]["script"] if recipe == "gitlab" else _github_commands()


def test_the_recipes_are_what_the_systems_take() -> None:
    job = GITLAB["encoder"]
    assert set(job) == {"image", "variables", "cache", "script", "artifacts"}
    assert all(isinstance(line, str) for line in job["script"])
    assert job["artifacts"]["reports"]["junit"] == "junit-*.xml"
    assert GITHUB[True] == ["pull_request"]  # YAML 1.1 reads the key `on` so
    steps = GITHUB["jobs"]["encoder"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    assert all(
        re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]) for step in steps if "uses" in step
    )


@pytest.mark.parametrize("recipe", ["gitlab", "github"])
def test_the_recipes_name_targets_and_variables_that_exist(recipe: str) -> None:
    printed = subprocess.run(
        ["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    known = set(re.findall(r"^  ([A-Za-z][\w-]*)\s", printed, flags=re.M))
    called = [
        words.split()
        for command in _commands(recipe)
        for words in re.findall(r"\bmake ([^;\n]+)", re.sub(r'"[^"]*"', "x", command))
    ]
    assert len(called) >= 3
    for words in called:
        for word in words:
            assert word.startswith("$") or word.partition("=")[0] in known, word


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the environment of this one."""
    copy = tmp_path_factory.mktemp("ci") / "checkout"
    leave = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache")
    shutil.copytree(PROJECT, copy, ignore=leave)
    (copy / ".venv").symlink_to((PROJECT / ".venv").resolve())
    return copy


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("recipe", ["gitlab", "github"])
def test_the_commands_of_the_recipes_run(checkout: Path, tmp_path: Path, recipe: str) -> None:
    environment: dict[str, Any] = {
        **{k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")},
        "SETTINGS": SMALL,
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    for command in _commands(recipe):
        if command == "make environment":
            continue  # the environment that this test runs in
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", command], cwd=checkout, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    suites = [ElementTree.parse(file).getroot() for file in checkout.glob("junit-*.xml")]
    assert len(suites) == 2
    assert all(int(suite.find("testsuite").get("errors")) == 0 for suite in suites)
    if recipe == "github":
        assert "|" in (tmp_path / "summary.md").read_text()
