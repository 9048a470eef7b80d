"""The tutorial as its reader follows it: each command in order, in a copy of the project.

YAML blocks are the files that their first line names; a `text` block is what the command before it
prints; `# exit status N` after a command says how it ends, 0 where nothing is said.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hw.targets.target import load_target
from models.networks.zoo import load_model_spec

PROJECT = Path(__file__).resolve().parents[2]
TUTORIAL = PROJECT / "docs" / "tutorial.md"
SOURCES = ("Makefile", "pyproject.toml", "constraints.txt")
PACKAGES = ("hw", "models", "testbench", "reports", "flows")
NETWORK = "4x4x3_dense_w5"
_SMALLER = {"latent: 16": "latent: 4"}
SMALL = {
    "EVENTS": "1500",
    "EPOCHS": "1",
    "VECTORS": "500",
    "EVALUATE": "--skipPlot",
    "MODEL": f"small/{NETWORK}.yaml",  # the default model's name, a fraction of its logic
}
_OF_A_CALLING_MAKE = (
    *("MAKEFLAGS", "MAKELEVEL", "PYTHONPATH"),
    *("MODEL", "MODELS", "TARGET", "DATA", "SEED", "VENDOR", "BUILD", "PYTHON"),
)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.M | re.S)
_STATUS = re.compile(r"\s+# exit status (\d+)$")
_FILE_NAME = re.compile(r"# (\S+\.yaml)\n")
_PROMISED = re.compile(r"`(build/[^`<]+)`")


@dataclass(frozen=True)
class Block:
    kind: str
    text: str


def blocks() -> Iterator[Block]:
    for match in _BLOCK.finditer(TUTORIAL.read_text(encoding="utf-8")):
        yield Block(match[1], match[2])


def yaml_files() -> dict[str, str]:
    found = {}
    for block in blocks():
        if block.kind == "yaml":
            name = _FILE_NAME.match(block.text)
            assert name, f"a YAML block must start with its file's name:\n{block.text}"
            found[name[1]] = block.text
    return found


@dataclass(frozen=True)
class Reader:
    """Someone who types what the tutorial says, in a folder of their own."""

    folder: Path

    def prepare(self) -> None:
        """Copy the project; its interpreter is the one that runs the tests."""
        for name in SOURCES:
            shutil.copy2(PROJECT / name, self.folder)
        for name in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / name, self.folder / name, ignore=ignored)
        network = (PROJECT / "models" / "zoo" / f"{NETWORK}.yaml").read_text(encoding="utf-8")
        for of_it, smaller in _SMALLER.items():
            assert of_it in network
            network = network.replace(of_it, smaller)
        (self.folder / SMALL["MODEL"]).parent.mkdir()
        (self.folder / SMALL["MODEL"]).write_text(network)
        python = self.folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        python.chmod(0o755)
        (self.folder / ".venv" / ".installed").touch()

    def types(self, command: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if k not in _OF_A_CALLING_MAKE}
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=environment | SMALL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def follow(self) -> None:
        """Do all that the tutorial says, and see what it says."""
        printed = ""
        for block in blocks():
            if block.kind == "yaml":
                name = _FILE_NAME.match(block.text)
                assert name
                (self.folder / name[1]).write_text(block.text)
            elif block.kind == "text":
                for line in block.text.splitlines():
                    assert line in printed
            elif block.kind == "sh":
                for line in block.text.replace("\\\n", " ").splitlines():
                    expected = _STATUS.search(line)
                    command = _STATUS.sub("", line)
                    done = self.types(command)
                    printed = done.stdout
                    status = int(expected[1]) if expected else 0
                    assert done.returncode == status, f"{command}\n{printed[-3000:]}"
            else:
                raise AssertionError(f"no one runs a block of kind {block.kind}")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    reader = Reader(tmp_path_factory.mktemp("econt"))
    reader.prepare()
    reader.follow()
    return reader.folder


@pytest.mark.slow
def test_the_files_that_it_promises_are_there(finished: Path) -> None:
    promised = _PROMISED.findall(TUTORIAL.read_text(encoding="utf-8"))
    assert len(promised) > 8
    assert not [name for name in promised if not (finished / name).exists()]


def test_its_yaml_files_are_models_and_targets(tmp_path: Path) -> None:
    files = yaml_files()
    assert len(files) > 1
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        load = load_target if "backend:" in text else load_model_spec
        assert load(str(tmp_path / name)).name == Path(name).stem
