"""The main job as a newcomer runs it: `make` to a report, on real data where it is present."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from flows.layout import DEFAULT_MODEL

PROJECT = Path(__file__).resolve().parents[2]
REAL_DATA = PROJECT.parent / "shared" / "econt" / "nElinks_5"
MODEL = DEFAULT_MODEL
REQUIRED = [
    "csim.vectors",
    "csim.mismatches",
    "flops.total",
    "macs.total",
    "bops.total",
    "params.total",
    "emd.mean",
    "emd.std",
    "data.distance.occ_all",
    "data.distance.occ_1MT",
    "data.distance.maxQ",
    "data.distance.sumQ",
    "latency.cycles",
    "latency.ns",
    "ii.cycles",
]
OF_GATES = [
    "rtlsim.vectors",
    "rtlsim.mismatches",
    "latency.cycles",
    "latency.ns",
    "ii.cycles",
    "fpga.lut",
    "fpga.ff",
    "fpga.dsp",
    "fpga.carry",
    "asic.area_um2",
    "asic.gate_equivalents",
    "timing.critical_path_ns",
    "timing.slack_ns",
    "gatesim.vectors",
    "gatesim.mismatches",
    "equivalence.proved",
    "equivalence.control_caught",
]

pytestmark = pytest.mark.slow


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


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("build")
    data = [f"DATA={REAL_DATA}"] if REAL_DATA.is_dir() else ["EVENTS=5000"]
    done = make(f"BUILD={build}", f"MODEL={MODEL}", "EPOCHS=2", *data)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return build


@pytest.fixture(scope="module")
def summary(finished: Path) -> dict:
    return json.loads((finished / MODEL / "econ_t" / "summary.json").read_text())


def value(summary: dict, name: str) -> float | None:
    return next(m["value"] for m in summary["metrics"] if m["name"] == name)


def test_the_verdict_covers_at_least_100000_vectors_without_a_mismatch(summary: dict) -> None:
    assert value(summary, "csim.mismatches") == 0
    assert value(summary, "csim.vectors") >= 100_000


def test_known_counts_of_the_model(summary: dict) -> None:
    assert value(summary, "params.total") == 48 * 16 + 16
    assert value(summary, "macs.total") == 48 * 16
    assert value(summary, "flops.total") == 2 * 48 * 16 + 16  # products, sums, biases


def test_every_promised_number_is_there_or_says_why_not(summary: dict) -> None:
    records = {metric["name"]: metric for metric in summary["metrics"]}
    for name in REQUIRED:
        assert name in records
        assert records[name]["value"] is not None or records[name]["reason"]
    assert summary["schema"] == 1
    assert summary["provenance"]["seed"] is not None


def test_gates_are_measured_and_equal(summary: dict) -> None:
    records = {m["name"]: m for m in summary["metrics"] if m["variant"] == "generated"}
    assert [name for name in OF_GATES if records[name]["value"] is None] == []
    assert records["rtlsim.vectors"]["value"] >= 100_000
    assert records["rtlsim.mismatches"]["value"] == records["gatesim.mismatches"]["value"] == 0
    assert records["equivalence.proved"]["value"] is True
    assert records["equivalence.control_caught"]["value"] is True
    assert records["ii.cycles"]["value"] == 1
    assert records["latency.cycles"]["value"] <= 2
    assert records["fpga.dsp"]["value"] == 0


def test_the_html_report_is_self_contained_and_has_pictures(finished: Path) -> None:
    html = (finished / MODEL / "econ_t" / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["']https?://""", html)
    assert html.count("<svg") + html.count("data:image") >= 5


def test_a_second_make_does_nothing_again(finished: Path) -> None:
    data = [f"DATA={REAL_DATA}"] if REAL_DATA.is_dir() else ["EVENTS=5000"]
    plan = make("-n", "csim", f"BUILD={finished}", f"MODEL={MODEL}", "EPOCHS=2", *data).stdout
    assert "flows train" not in plan
    assert "flows csim" not in plan


def test_a_stage_that_was_done_passes_when_asked_by_name(finished: Path) -> None:
    data = [f"DATA={REAL_DATA}"] if REAL_DATA.is_dir() else ["EVENTS=5000"]
    done = make("csim", f"BUILD={finished}", f"MODEL={MODEL}", "EPOCHS=2", *data)
    assert done.returncode == 0, done.stderr
