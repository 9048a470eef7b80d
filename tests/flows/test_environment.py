"""The environment itself: the packages that must live together, and the doctor that names them."""

import subprocess
import sys

import pytest

from flows.commands import doctor

# one process for all: the order of imports decides which Keras the others find
_TOGETHER = """
from models.keras_backend import keras, qkeras, tf
import hls4ml
import sys
assert sys.modules["keras"] is keras, "hls4ml must see the Keras that QKeras uses"
assert keras.__version__.startswith("2."), keras.__version__
layer = qkeras.QDense(2, kernel_quantizer="quantized_bits(6,0,alpha=1)")
layer.build((None, 3))
print("together", tf.__version__)
"""


@pytest.mark.slow
def test_tensorflow_qkeras_and_hls4ml_import_together() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TOGETHER], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "together" in done.stdout


def test_keras_3_imported_first_is_refused() -> None:
    # a stand-in for Keras 3: importing the real one takes seconds and must not be undone
    code = (
        "import sys, types; sys.modules['keras'] = types.ModuleType('keras')\n"
        "import models.keras_backend"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "import this module first" in done.stderr


def test_doctor_names_versions_and_remedies(capsys: pytest.CaptureFixture[str]) -> None:
    missing = doctor.Tool("no-such-program", "nothing", required=False, remedy="cannot be had")
    assert doctor.find(missing) is None
    assert doctor.find(doctor.Tool("g++", "C-simulation", True, "")) is not None
    status = doctor.run(None)  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert status == 0
    assert "hls4ml" in printed and "g++" in printed


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo 'Tool v2024.1 (64-bit)'; exit 1", "Tool v2024.1 (64-bit)"),
        ("echo hello; echo 'Tool 3.2' >&2", "Tool 3.2"),
        ("exit 1", "version unknown"),
    ],
)
def test_doctor_takes_the_version_from_what_a_program_prints(tmp_path, script, version):
    program = tmp_path / "tool"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    assert doctor.program_version(str(program)) == version


def test_doctor_fails_where_a_required_tool_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = doctor.Tool("no-such-program", "everything", required=True, remedy="build it yourself")
    monkeypatch.setattr(doctor, "TOOLS", (needed,))
    assert doctor.run(None) == 2  # type: ignore[arg-type]
    assert "build it yourself" in capsys.readouterr().out
