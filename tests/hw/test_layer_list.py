"""What hls4ml's layers cannot do as they are is done by more of them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from hw.foundation.fixed_point import FixedFormat
from hw.foundation.integer_evaluation import evaluate
from hw.foundation.integer_network import NetworkBuilder
from hw.hls.conversion import convert
from hw.targets.target import load_target
from testbench.simulators.csim import compile_project


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.parametrize("target", ["econ_t", "vitis"])
@pytest.mark.parametrize("signed", [False, True])
def test_numbers_far_below_the_step_are_rounded(target: str, signed: bool, tmp_path: Path) -> None:
    """Numbers below 2**-8 in absolute value on the grid of 2**-4."""
    import models.keras_backend  # noqa: F401 - before hls4ml

    number = FixedFormat(3 + signed, -8 + signed, signed)
    build = NetworkBuilder("cast")
    build.input("x", (2,), number)
    build.cast("y", "x", FixedFormat(5 + signed, 1 + signed, signed, "RND_CONV", "SAT"))
    network = build.network("y")
    codes = np.arange(number.min_code, number.max_code + 1)
    x = np.stack([number.to_values(codes)] * 2, axis=1).astype(np.float32)
    _, project = convert(
        network, load_target(target), tmp_path / "hls", encoder_hash="0" * 16, log=tmp_path / "log"
    )
    found = compile_project(tmp_path / "hls", project, tmp_path / "csim").run(x)
    np.testing.assert_array_equal(found, evaluate(network, x))
