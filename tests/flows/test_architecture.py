"""Who may import whom, as pyproject.toml declares it, and that a broken rule would be noticed."""

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = ("hw", "models", "testbench", "reports", "flows")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_all_contracts_are_kept() -> None:
    done = lint_imports(PROJECT)
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


def test_a_step_that_imports_a_step_is_noticed(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    for name in FOLDERS:
        only_python = shutil.ignore_patterns("*.yaml", "*.v", "*.sv", "*.cpp", "*.h", "__pycache__")
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=only_python)
    step = tmp_path / "flows" / "commands" / "timing.py"
    step.write_text(step.read_text() + "\nimport flows.commands.synth\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "flows.commands.timing -> flows.commands.synth" in done.stdout
