"""The driver of a search: nothing lost, nothing done twice, whatever dies; with stand-in trials."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import distributed
import pytest

from flows.layout import SearchLayout, search_layout
from flows.search.driver import SearchOptions
from flows.search.records import TrialRecord, read_record
from flows.search.study import only_driver
from hw.foundation.errors import CheckFailed, InputError, ToolMissing
from models.networks.zoo import load_model_spec
from tests.flows import fake_search

PROJECT = Path(__file__).resolve().parents[2]


def space_file(folder: Path, text: str = fake_search.SPACE, name: str = "mine") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return file


def with_filters(choices: str, text: str = fake_search.SPACE) -> str:
    return text.replace("{low: 1, high: 9}", choices)


def records_of(layout: SearchLayout, count: int) -> list[TrialRecord]:
    found = [read_record(layout.trial(number)) for number in range(count)]
    assert all(found), found
    return [record for record in found if record]


def settings_of(layout: SearchLayout, count: int) -> list[object]:
    return [record.settings for record in records_of(layout, count)]


def test_a_search_leaves_all_trials_and_the_front(tmp_path: Path) -> None:
    space = space_file(tmp_path, with_filters("[1, 2, 4, 8, 9]").replace("trials: 8", "trials: 12"))
    report = fake_search.run(tmp_path, space)
    layout = search_layout(tmp_path, "mine")
    assert len(report.trials) == 12
    assert {trial.ending for trial in report.trials} == {"complete"}
    points = [(t.value("emd.mean"), t.value("fpga.lut")) for t in report.front]
    assert points == sorted(points, key=lambda point: point[1] or 0)
    assert points == sorted(points, reverse=True)  # what costs more is better
    assert all(t.settings["convolutions.0.filters"] != "9" for t in report.front)  # slack below 0
    kept = json.loads(layout.trials.read_text())
    assert [trial["number"] for trial in kept["trials"]] == list(range(12))
    names = {metric["name"] for trial in kept["trials"] for metric in trial["metrics"]}
    assert {"emd.mean", "fpga.lut", "timing.slack_ns"} <= names
    with layout.table.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == [design.name for design in report.front]
    assert [float(row["fpga.lut"]) for row in rows] == [point[1] for point in points]
    for design in report.front:
        spec = load_model_spec(str(layout.front / f"{design.name}.yaml"))
        assert str(spec.convolutions[0].filters) == design.settings["convolutions.0.filters"]
        assert spec.epochs == 4
        assert f"| {design.name} |" in layout.markdown.read_text()
    assert {file.stem for file in layout.front.iterdir()} == {row["model"] for row in rows}
    page = layout.html.read_text()
    assert "designs/mine-0000/econ_t/report.html" in page
    assert '<g id="trial-0"><title>trial 0: ' in page


def test_the_same_seed_gives_the_same_trials_and_another_does_not(tmp_path: Path) -> None:
    found = []
    for build, seed in (("a", 1), ("b", 1), ("c", 2)):
        space = space_file(tmp_path, fake_search.SPACE + f"seed: {seed}\n")
        fake_search.run(tmp_path / build, space)
        found.append(settings_of(search_layout(tmp_path / build, "mine"), 8))
    assert found[0] == found[1]
    assert found[0] != found[2]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_a_search_can_go_on_with_more_trials(tmp_path: Path, sampler: str) -> None:
    text = with_filters("[1, 2, 3]") + f"sampler: {sampler}\n"
    fake_search.run(tmp_path / "a", space_file(tmp_path, text.replace("trials: 8", "trials: 5")))
    fake_search.run(tmp_path / "a", space_file(tmp_path, text.replace("trials: 8", "trials: 13")))
    fake_search.run(tmp_path / "b", space_file(tmp_path, text.replace("trials: 8", "trials: 13")))
    at_once = settings_of(search_layout(tmp_path / "b", "mine"), 13)
    assert settings_of(search_layout(tmp_path / "a", "mine"), 13) == at_once


def test_another_space_of_the_same_name_is_refused(tmp_path: Path) -> None:
    fake_search.run(tmp_path, space_file(tmp_path, with_filters("[1, 2]")))
    changed = with_filters("[1, 3]").replace("epochs: 4", "epochs: 5")
    with pytest.raises(InputError, match="begun with another space, epochs"):
        fake_search.run(tmp_path, space_file(tmp_path, changed))


def test_failing_trials_are_told_and_do_not_end_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = space_file(tmp_path, with_filters("[2, 11, 12]").replace("trials: 8", "trials: 9"))
    report = fake_search.run(tmp_path, space)
    by_filters = {t.settings["convolutions.0.filters"]: t for t in report.trials}
    assert by_filters["2"].ending == "complete"
    assert by_filters["12"].ending == "failed"
    assert by_filters["12"].reason == "csim: 3 codes differ"
    assert "a fault of the worker's own" in by_filters["11"].reason
    assert len(report.trials) == 9
    printed = capsys.readouterr().out
    assert "failed: csim: 3 codes differ" in printed
    assert "9 of 9 trials" in printed


def test_a_search_without_any_result_fails(tmp_path: Path) -> None:
    space = space_file(tmp_path, with_filters("[12]").replace("trials: 8", "trials: 2"))
    with pytest.raises(CheckFailed, match="csim: 3 codes differ"):
        fake_search.run(tmp_path, space)
    assert search_layout(tmp_path, "mine").html.is_file()


def test_settings_that_come_again_are_not_carried_out_again(tmp_path: Path) -> None:
    text = with_filters("[2]").replace("{low: 3, high: 9}", "[4, 5]")
    report = fake_search.run(tmp_path, space_file(tmp_path, text))
    layout = search_layout(tmp_path, "mine")
    assert len(list(layout.designs.iterdir())) == 2
    repeated = [t for t in report.trials if t.reason.startswith("the same as trial")]
    assert len(repeated) == 6
    assert len(report.front) == 2
    assert all(t.value("fpga.lut") for t in repeated)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_time_and_not_the_trial(tmp_path: Path) -> None:
    space = space_file(tmp_path, with_filters("[10]").replace("trials: 8", "trials: 1"))
    report = fake_search.run(tmp_path, space, SearchOptions(workers=2))
    assert [trial.ending for trial in report.trials] == ["complete"]
    log = search_layout(tmp_path, "mine").trial(0).log.read_text().splitlines()
    assert len(set(log)) == 2  # two processes had it


@pytest.mark.slow
def test_a_driver_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    space = space_file(tmp_path, with_filters("[1, 2, 3, 4, 5, 6, 7, 8]"))
    layout = search_layout(tmp_path / "a", "mine")
    command = [sys.executable, "-m", "tests.flows.fake_search", str(tmp_path / "a"), str(space)]
    with subprocess.Popen([*command, "1", "1.0"], cwd=PROJECT) as process:
        _wait_for(layout.trial(2).log, process)  # the third trial has begun
        os.kill(process.pid, signal.SIGKILL)
    assert read_record(layout.trial(1))
    assert read_record(layout.trial(2)) is None
    with layout.study.open("ab") as journal:
        journal.write(b'{"op_code": 4, "half')  # as if it had been killed while it wrote
    fake_search.run(tmp_path / "a", space)
    fake_search.run(tmp_path / "b", space)
    assert settings_of(layout, 8) == settings_of(search_layout(tmp_path / "b", "mine"), 8)
    own = [record.number for record in records_of(layout, 8) if record.repeats is None]
    begun = {n: len(layout.trial(n).log.read_text().splitlines()) for n in own}
    assert begun.pop(2) == 2
    assert set(begun.values()) == {1}


def _wait_for(file: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 240
    while not file.is_file():
        assert process.poll() is None, "the driver ended by itself"
        assert time.monotonic() < end
        time.sleep(0.1)


def test_two_drivers_do_not_share_a_search(tmp_path: Path) -> None:
    space = space_file(tmp_path)
    with (
        only_driver(search_layout(tmp_path, "mine").lock),
        pytest.raises(InputError, match="another process carries out this search"),
    ):
        fake_search.run(tmp_path, space)


def test_trainings_far_worse_than_a_cheaper_one_are_given_up(tmp_path: Path) -> None:
    text = with_filters("[1, 2, 3, 4, 5, 6, 7, 8]") + "early_stop: {after: 2, margin: 0.0}\n"
    report = fake_search.run(tmp_path, space_file(tmp_path, text))
    layout = search_layout(tmp_path, "mine")
    endings = [record.ending for record in records_of(layout, 8)]
    assert endings.count("complete") >= 1
    for trial in report.trials:
        if trial.ending == "stopped":
            assert "validation loss" in trial.reason
            assert trial not in report.front


@pytest.mark.slow
def test_after_its_time_a_search_begins_no_trial(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="none was begun"):
        fake_search.run(tmp_path, space_file(tmp_path), SearchOptions(workers=1, seconds=0.0))


@pytest.mark.slow
def test_workers_of_a_scheduler_carry_out_the_trials(tmp_path: Path) -> None:
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        space = space_file(tmp_path, with_filters("[1, 2]").replace("trials: 8", "trials: 2"))
        options = SearchOptions(scheduler=cluster.scheduler_address)
        report = fake_search.run(tmp_path, space, options)
    assert len(report.trials) == 2


def test_a_scheduler_that_is_not_there_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("flows.search.workers._CONNECT_S", 1.0)
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        fake_search.run(
            tmp_path, space_file(tmp_path), SearchOptions(scheduler="tcp://127.0.0.1:9")
        )


def test_a_batch_system_without_its_package_is_told(tmp_path: Path) -> None:
    text = fake_search.SPACE + "cluster: {system: slurm, jobs: 2}\n"
    with pytest.raises(ToolMissing, match="pip install dask-jobqueue"):
        fake_search.run(tmp_path, space_file(tmp_path, text), SearchOptions())
