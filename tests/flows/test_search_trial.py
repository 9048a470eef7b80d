"""Trials: which stages they go through, when a training is given up, how their processes end."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.layout import TrialLayout
from flows.search.stopping import Curve, StopRule, bit_operations
from flows.search.trial import StageError, run_stage, stages_of
from models.networks.zoo import load_model_spec, model_names

PROJECT = Path(__file__).resolve().parents[2]


def test_the_metrics_decide_on_the_stages() -> None:
    always = ("train", "evaluate", "flops", "hls", "csim")
    assert stages_of(["emd.mean"]) == always
    assert stages_of(["emd.mean", "fpga.lut"]) == (*always, "rtl", "synth")
    assert stages_of(["latency.cycles"]) == (*always, "rtl", "rtlsim")
    assert stages_of(["timing.slack_ns"]) == (*always, "rtl", "synth", "timing")
    assert stages_of(["energy.per_module_pj"]) == (*always, "rtl", "synth", "energy")


@pytest.mark.parametrize(
    ("epoch", "val_loss", "given_up"),
    [(2, 1.0, False), (3, 0.9, True), (3, 0.88, False), (4, 9.0, False)],
)
def test_a_training_is_given_up_by_a_margin(epoch: int, val_loss: float, given_up: bool) -> None:
    others = (Curve(7, 100.0, 0.8), Curve(8, 101.0, 0.1))
    reason = StopRule(3, 0.1, 100.0, others).reason(epoch, val_loss)
    assert (reason is not None) == given_up
    if reason:
        assert "trial 7 had 0.8 with as many bit operations" in reason


def test_a_dearer_network_gives_up_nothing() -> None:
    assert StopRule(3, 0.1, 100.0, (Curve(8, 101.0, 0.1),)).reason(3, 9.0) is None


def test_bit_operations_of_a_small_encoder() -> None:
    spec = load_model_spec("8x8_c8_S2_qK")
    # 4 x 4 x 8 outputs of 9 products with 10-bit inputs, then 128 x 16 with 11-bit features
    assert bit_operations(spec) == 4 * 4 * 8 * 9 * 5 * 10 + 128 * 16 * 5 * 11


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [n for n in model_names() if "elinks" not in n and "long" not in n]
)
def test_products_are_counted_as_the_network_has_them(name: str) -> None:
    from models.networks.complexity import layer_costs
    from models.networks.encoder import build_networks

    spec = load_model_spec(name)
    floating = spec.model_copy(update={"quantisation": None, "econ_t": None, "pruning": None})
    products = bit_operations(floating) / 32**2
    costs = layer_costs(build_networks(floating).encoder)
    counted = sum(cost.macs for cost in costs)
    assert products <= counted
    if not spec.conv_mask:  # whose zero weights the network has, too
        assert products == counted


def process(lock: Path, parent: int, *command: str) -> list[str]:
    return [sys.executable, "-m", "flows.search.stage_process", str(lock), str(parent), *command]


@pytest.mark.parametrize("deaf", [False, True])
def test_a_stage_whose_starter_has_gone_ends(tmp_path: Path, deaf: bool) -> None:
    """Also where it inherits that interruptions are ignored, as from a shell's `&`."""
    command = process(tmp_path / "lock", 1, "data", "--events", "20000000", "--build")
    shell = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] if deaf else []
    done = subprocess.run(
        [*shell, *command, str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    # interrupted wherever it was, be it in the middle of an import, and not killed after a while
    assert done.returncode not in (0, -signal.SIGKILL)
    assert not list(tmp_path.rglob("modules.csv"))


def test_stages_of_a_trial_wait_for_one_another(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = process(lock, os.getpid(), "--help")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        started = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            started.wait(5)
    assert "usage: python -m flows" in started.communicate(timeout=100)[0]
    assert started.returncode == 0


def test_a_failing_stage_is_told_with_its_message(tmp_path: Path) -> None:
    files = TrialLayout(tmp_path / "0000", "m")
    with pytest.raises(StageError, match=r"flops: .*nix"):
        run_stage(["flops", "--build", str(tmp_path), "--model", "nix"], files)
    assert "error: " in files.log.read_text()
