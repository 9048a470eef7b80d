"""Damage of every kind to every file that stages leave: no report passes on it, and none crashes.

A small design goes through all stages once.  Each case then damages one file, looks at what report,
status and Make's own question make of it, and puts the file back.
"""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from flows.__main__ import main
from flows.artefacts.seals import metrics_file
from flows.artefacts.stage_results import design_of, result
from flows.stages import BY_NAME
from reports.metrics import read_metrics
from reports.report import Progress
from tests.flows import tiny_design
from tests.flows.tiny_design import NAME, TARGET, of_model, of_target, report

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
T = f"{NAME}/{TARGET}"
FILES = {  # a file, or the first one of a pattern, and the stage that wrote it
    **{f"data/generated/{name}": "data" for name in ("modules.csv", "histograms.json")},
    **{
        f"{NAME}/train/{name}": "train"
        for name in (
            "encoder.keras", "decoder.keras", "autoencoder.keras", "settings.json", "history.json",
            "validation.npz", "encoder.json", "weights_integer.npz",
        )
    },
    **{
        f"{NAME}/evaluate/{name}": "evaluate"
        for name in (
            "evaluation.npz", "network_values.npz", "plots/gallery.json", "plots/*.svg",
            "plots/*.png",
        )
    },
    **{
        f"{T}/hls/{name}": "hls"
        for name in (
            "project.json", "layer_types.json", "firmware/econt_encoder.cpp",
            "firmware/weights/w*.h", "firmware/parameters.h",
        )
    },
    **{f"{T}/rtl/{name}": "rtl" for name in ("design.json", "econt_encoder_rtl.v", "*.v")},
    **{
        f"{T}/synth/{name}": "synth"
        for name in (
            "asic/netlist.json", "asic/netlist.v", "asic/statistics.json", "xcup/netlist.json",
            "xcup/statistics.json",
        )
    },
    "data/generated/metrics.json": "data",
    **{f"{NAME}/{stage}/metrics.json": stage for stage in ("train", "evaluate", "flops")},
    **{f"{T}/{stage}/metrics.json": stage for stage in tiny_design.OF_TARGET},
    "data/generated/seal.json": "data",
    **{f"{NAME}/{stage}/seal.json": stage for stage in ("train", "evaluate", "flops")},
    **{f"{T}/{stage}/seal.json": stage for stage in tiny_design.OF_TARGET},
}  # fmt: skip


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def garbled(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00" + bytes(range(256)))


def of_other_content(file: Path) -> None:
    """Sound as such, and of nothing that was measured."""
    if file.suffix == ".json":
        content = json.loads(file.read_text())
        if isinstance(content, list) and content and "value" in content[0]:
            content[0]["value"] = 12345
        elif isinstance(content, dict):
            content["one more"] = 1
        file.write_text(json.dumps(content))
    else:
        file.write_bytes(file.read_bytes() + b"\n")


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_dead_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("/nowhere/at/all")


FAULTS: tuple[Callable[[Path], None], ...] = (
    truncated, empty, flipped, garbled, of_other_content, a_folder, a_dead_link,
)  # fmt: skip
_CASES = [(file, fault) for fault in FAULTS for file in FILES]


def _cases() -> Iterator[object]:
    """A hundred of them are for every day, spread over files and faults; all for `test-faults`."""
    step = len(_CASES) / 100
    daily = {int(number * step) for number in range(100)}
    for number, (file, fault) in enumerate(_CASES):
        marks = () if number in daily else (pytest.mark.faults,)
        yield pytest.param(file, fault, marks=marks, id=f"{file} {fault.__name__}")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    tiny_design.finish(folder / "build", tiny_design.record(folder))
    return folder / "build"


@pytest.fixture
def damage(finished: Path, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Damages a file of the finished design; it is put back at the end."""
    kept: list[tuple[Path, Path]] = []

    def apply(pattern: str, fault: Callable[[Path], object]) -> Path:
        file = sorted(finished.glob(pattern))[0]
        copy = tmp_path / f"kept{len(kept)}"
        shutil.copy2(file, copy)
        kept.append((file, copy))
        fault(file)
        return file

    yield apply
    for file, copy in reversed(kept):
        if file.is_dir() and not file.is_symlink():
            file.rmdir()
        else:
            file.unlink(missing_ok=True)
        shutil.copy2(copy, file)


def _summary(build: Path, target: str = TARGET) -> dict:
    return json.loads((build / NAME / target / "summary.json").read_text())


def _stale(build: Path, model: str = NAME, target: str = TARGET) -> set[str]:
    design = design_of(build, model, target)
    found = {name: result(BY_NAME[name], design)[0].progress for name in ALL}
    return {name for name, progress in found.items() if progress is Progress.STALE}


ALL = ("data", "train", "evaluate", "flops", *tiny_design.OF_TARGET)


def test_the_finished_design_passes(finished, capsys):
    assert report(finished) == 0
    assert "PASS" in capsys.readouterr().out
    assert _stale(finished) == set()


@pytest.mark.parametrize(("pattern", "fault"), _cases())
def test_damage_is_noticed(finished, damage, capsys, pattern, fault):
    damage(pattern, fault)
    stage = FILES[pattern]
    status = report(finished)
    told = capsys.readouterr()
    assert status == 1, told.err
    assert "NOT MEASURED" in told.out and "PASS" not in told.out
    assert stage in _stale(finished)
    assert "Traceback" not in told.out + told.err and "unexpected" not in told.err
    assert main(["status", "--build", str(finished), "--model", NAME, "--stale"]) == 0
    listed = capsys.readouterr().out.split()
    design = design_of(finished, NAME, TARGET)
    assert str(metrics_file(BY_NAME[stage], design).relative_to(finished)) in listed


# --- changes that look sound --------------------------------------------------------------------
def _replace(pattern: str, replacement: str) -> Callable[[Path], None]:
    def edit(file: Path) -> None:
        text, count = re.subn(pattern, replacement, file.read_text(), count=1)
        assert count == 1
        file.write_text(text)

    return edit


CHANGES = {
    "first weight of a header": (
        f"{T}/hls/firmware/weights/w*.h", _replace(r"\{(-?)([\d.]+)", r"{\g<1>1\2"), "csim",
    ),
    "an inverted assignment": (
        f"{T}/rtl/econt_encoder_rtl.v", _replace(r"= (\{|valid)", r"= ~\1"), "rtlsim",
    ),
    "a NAND that became a NOR": (
        f"{T}/synth/asic/netlist.json", _replace('"NAND2_X1"', '"NOR2_X1"'), "equivalence",
    ),
    "an area of 1 um2": (
        f"{T}/synth/asic/statistics.json", _replace(r'"area_um2": [\d.]+', '"area_um2": 1'),
        "synth",
    ),
    "no mismatches, whatever was found": (
        f"{T}/csim/metrics.json", _replace(r'"value": \d+', '"value": 100000'), "csim",
    ),
    "an empty picture": (f"{NAME}/evaluate/plots/*.svg", empty, "evaluate"),
    "half of the modules": ("data/generated/modules.csv", truncated, "train"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_after_the_check_is_not_believed(finished, damage, capsys, change):
    demands = re.search(r"(\d+) demands", _reported(finished, capsys))
    damage(*CHANGES[change][:2])
    assert report(finished) == 1
    printed = capsys.readouterr().out
    assert "NOT MEASURED" in printed
    # a demand whose proof is lost is still asked
    assert re.search(r"(\d+) demands", printed)[1] == demands[1]
    assert CHANGES[change][2] in _stale(finished)


def _reported(build: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert report(build) == 0
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def other(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another training of the same record."""
    folder = tmp_path_factory.mktemp("other")
    shutil.copytree(finished, folder / "build")
    assert tiny_design.train(folder / "build", tiny_design.record(folder), seed="2") == 0
    return folder / "build"


@pytest.mark.parametrize(
    "name",
    ["encoder.keras", "decoder.keras", "validation.npz", "history.json", "metrics.json",
     "seal.json"],
)  # fmt: skip
def test_files_of_another_model_are_not_taken(finished, other, damage, name):
    damage(f"{NAME}/train/{name}", partial(shutil.copy2, other / NAME / "train" / name))
    assert "train" in _stale(finished)
    assert report(finished) == 1


def test_proofs_of_another_model_are_not_taken(finished, other):
    shutil.copytree(finished / T / "csim", other / T / "csim", dirs_exist_ok=True)
    assert {"csim", "hls"} <= _stale(other)
    assert report(other) == 1


def test_a_summary_that_was_edited_is_not_compared(finished, damage, tmp_path, capsys):
    assert report(finished) == 0
    shutil.copytree(finished / T, tmp_path / "first")
    arguments = ["compare", str(tmp_path / "first"), str(finished / T), "--skipPlot"]
    assert main(arguments) == 0
    damage(f"{T}/summary.json", _replace(r'"value": 0\b', '"value": 1'))
    assert main(arguments) == 2
    assert "has changed since its report was written" in capsys.readouterr().err
    assert report(finished) == 0  # writes it anew
    assert main(arguments) == 0


def test_an_own_file_of_a_built_name_is_another_target_and_model(finished, tmp_path):
    target = tmp_path / f"{TARGET}.yaml"
    source = (PROJECT / "hw" / "targets" / f"{TARGET}.yaml").read_text()
    target.write_text(re.sub(r"clock_period_ns: *\d+", "clock_period_ns: 7", source))
    assert {"hls", "rtl", "synth", "timing"} <= _stale(finished, NAME, str(target))
    model = tiny_design.record(tmp_path)
    assert _stale(finished, str(model)) == set()
    model.write_text(model.read_text().replace("latent: 2", "latent: 3"))
    assert "train" in _stale(finished, str(model))
    # a budget is no part of the work: it only judges
    target.write_text(source + "\n")
    assert _stale(finished, NAME, str(target)) == set()


def test_a_stage_mends_what_was_damaged(finished, tmp_path, capsys):
    build, model = tmp_path / "build", tiny_design.record(tmp_path)
    shutil.copytree(finished, build)
    flipped(build / NAME / "train" / "decoder.keras")
    assert tiny_design.train(build, model) == 0
    assert "not as its training left it" in capsys.readouterr().out
    garbled(build / NAME / "train" / "settings.json")
    assert tiny_design.train(build, model) == 0
    assert _stale(build) == set()  # the same seed makes the same network
    netlist = build / T / "synth" / "asic" / "netlist.json"
    truncated(netlist)
    assert of_target("timing", build, model) == 2  # refuses, and says what to do
    assert "make synth" in capsys.readouterr().err
    assert of_target("synth", build, model) == 0
    _replace(r'"area_um2": [\d.]+', '"area_um2": 1')(netlist.with_name("statistics.json"))
    assert of_target("synth", build, model) == 0
    area = {m.name: m.value for m in read_metrics(build / T / "synth" / "metrics.json")}
    assert area["asic.area_um2"] > 1
    assert of_target("timing", build, model) == 0
    assert "synth" not in _stale(build) and "timing" not in _stale(build)


NEXT = {  # what reads a file of the stage
    "data": ("train",), "train": ("evaluate", "flops", "hls", "csim"), "hls": ("csim", "rtl"),
    "rtl": ("rtlsim", "synth"), "synth": ("timing", "gatesim", "equivalence"),
}  # fmt: skip


@pytest.mark.faults
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize(
    "pattern", [f for f, s in FILES.items() if s in NEXT and not f.endswith(("seal.json", ".csv"))]
)
def test_the_next_stage_tells_or_works(finished, tmp_path, capsys, pattern, fault):
    """Whatever it does, it is no crash, and where it fails it names a remedy or a difference."""
    build, model = tmp_path / "build", tiny_design.record(tmp_path)
    shutil.copytree(finished, build)
    fault(sorted(build.glob(pattern))[0])
    for stage in NEXT[FILES[pattern]]:
        if stage == "train":
            status = tiny_design.train(build, model)
        elif stage in tiny_design.OF_TARGET:
            status = of_target(stage, build, model)
        else:
            status = of_model(stage, build, model)
        told = capsys.readouterr()
        assert status in (0, 1, 2)
        assert "Traceback" not in told.out + told.err
        assert "unexpected" not in told.err, told.err
        assert status == 0 or "error: " in told.err


# --- killed in the middle -----------------------------------------------------------------------
@pytest.mark.faults
@pytest.mark.parametrize("stage", ["hls", "csim", "rtl", "synth", "equivalence"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_killed_stage_gives_the_same_figures_when_run_again(finished, tmp_path, stage, share):
    build, model = tmp_path / "build", tiny_design.record(tmp_path)
    shutil.copytree(finished, build)
    shutil.rmtree(build / T / stage)
    command = [sys.executable, "-m", "flows", stage, "--build", str(build), "--model", str(model),
               "--target", TARGET, *tiny_design.OF_TARGET[stage]]  # fmt: skip
    start = time.monotonic()
    whole = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
    seconds = time.monotonic() - start
    assert whole.returncode == 0
    shutil.rmtree(build / T / stage)
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(share * seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert of_target(stage, build, model) == 0
    first, second = (
        {m.name: m.value for m in read_metrics(root / T / stage / "metrics.json")}
        for root in (finished, build)
    )
    measured = [name for name in first if "per_second" not in name]
    assert {n: first[n] for n in measured} == {n: second[n] for n in measured}
    # a netlist names its sources relative to where it was made: here, elsewhere than the first one
    assert _stale(build) <= ({"timing", "gatesim", "equivalence"} if stage == "synth" else set())
    hidden = [f.name for f in (build / T).rglob(".*") if f.name.endswith(".tmp")]
    assert not hidden


# --- a full disk --------------------------------------------------------------------------------
@pytest.mark.faults
@pytest.mark.parametrize("stage", ["data", "train", "evaluate", *tiny_design.OF_TARGET, "report"])
def test_a_full_disk_is_told_and_loses_no_finished_result(finished, tmp_path, stage):
    """Files may not become larger than some kilobytes, which a program meets as a full disk."""
    build, model = tmp_path / "build", tiny_design.record(tmp_path)
    shutil.copytree(finished, build)
    design = ["--build", str(build), "--model", str(model)]
    options = {
        "data": ["--build", str(build), "--events", "2000", "--seed", "2"],
        "train": ["-i", str(build / "data/generated/modules.csv"), "-o", str(build), "--models",
                  str(model), "--retrain", "--trainOnly", "--nrowsPerFile", "0"],
        "evaluate": [*design, "--skipBaselines"],
    }.get(stage, [*design, "--target", TARGET, *tiny_design.OF_TARGET.get(stage, ())])  # fmt: skip
    command = shlex.join([sys.executable, "-m", "flows", stage, *options])
    before = _results(build)
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 2; exec {command}"], cwd=PROJECT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    if done.returncode:
        assert done.returncode == 2 and "error: " in done.stderr
        assert _results(build) == before
        assert _stale(build) == set()
    else:  # what it writes is smaller than that
        assert stage in ("timing", "gatesim", "equivalence", "rtlsim", "csim")


def _results(build: Path) -> dict[str, bytes]:
    """All files but logs, caches and what stages compile for themselves."""
    return {
        str(file.relative_to(build)): file.read_bytes()
        for file in build.rglob("*")
        if file.is_file()
        and file.suffix != ".log"
        and not {part[0] for part in file.relative_to(build).parts} & {"."}
        and file.parent.name not in ("csim", "simulator")
    }
