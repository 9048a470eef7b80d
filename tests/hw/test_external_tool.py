"""The runner of external programs: what it gives, says of failures, and leaves running."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hw.foundation import external_tool
from hw.foundation.cores import usable_cores
from hw.foundation.errors import OutOfTime, ToolFailed, ToolMissing

PROJECT = Path(__file__).parents[2]


def shell(text: str) -> list[str]:
    return ["sh", "-c", text]


def test_all_that_a_program_prints_is_returned_and_logged(tmp_path):
    log = tmp_path / "logs" / "tool.log"
    output = external_tool.run(
        shell('pwd; echo "$ECONT_WORD"; echo no >&2; cat'),
        "work",
        folder=tmp_path,
        log=log,
        environment={"ECONT_WORD": "yes"},
    )
    assert output == f"{tmp_path}\nyes\nno\n"  # and cat found no input
    command, _, logged = log.read_text().partition("\n")
    assert command.startswith("sh -c ") and logged == output


def test_a_failure_names_work_command_status_log_and_last_lines(tmp_path):
    log = tmp_path / "tool.log"
    with pytest.raises(ToolFailed) as error:
        external_tool.run(shell("seq 100; exit 3"), "counting", log=log)
    first, *lines = str(error.value).splitlines()
    assert first == f"counting failed (exit status 3; log: {log}; sh -c 'seq 100; exit 3'):"
    assert lines == [str(n) for n in range(86, 101)] and len(lines) == external_tool.LINES_SHOWN


def test_a_long_command_is_shortened_in_the_message_only(tmp_path):
    log, words = tmp_path / "log", ["word"] * 200
    with pytest.raises(ToolFailed) as error:
        external_tool.run(["false", *words], "nothing", log=log)
    assert len(str(error.value).splitlines()[0]) < 300 + len(str(log))
    assert log.read_text().split() == ["false", *words]


def test_a_crash_is_told_by_its_signal():
    with pytest.raises(ToolFailed, match="killed by SIGSEGV"):
        external_tool.run(shell("kill -SEGV $$"), "crashing")
    with pytest.raises(ToolFailed, match=r"killed by SIGABRT(.|\n)*why"):
        external_tool.filter_bytes(shell("echo why >&2; kill -ABRT $$"), b"", "crashing")


def test_a_filter_gets_and_gives_bytes():
    data = bytes(range(256)) * 1000
    assert external_tool.filter_bytes(["cat"], data, "copying") == data


def test_lines_are_told_while_the_program_runs(tmp_path):
    told = tmp_path / "told"
    seen: list[str] = []

    def tell(line):
        seen.append(line)
        told.touch()

    wait = f"while [ ! -e {told} ]; do sleep 0.1; done"
    output = external_tool.run(
        shell(f"echo first; {wait}; printf 'second\\nthird'"), "printing", seconds=60, on_line=tell
    )
    assert seen == output.splitlines() == ["first", "second", "third"]


@pytest.mark.parametrize("follow", [None, lambda line: None])
def test_a_program_that_takes_too_long_ends_with_all_it_started(tmp_path, follow):
    mark = tmp_path / "still_there"
    command = shell(f"(sleep 4; touch {mark}) & wait")
    with pytest.raises(OutOfTime, match=r"sleeping was not done after 0\.3 s"):
        external_tool.run(command, "sleeping", seconds=0.3, on_line=follow)
    time.sleep(4.5)
    assert not mark.exists()


def test_a_program_that_another_one_leaves_running_is_not_waited_for():
    """As licence servers are, which vendors' tools start."""
    left = int(external_tool.run(shell("sleep 100 & echo $!"), "starting", seconds=60))
    os.kill(left, signal.SIGKILL)  # fails where it has ended


def test_what_is_missing_is_named_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        ToolMissing, match=r"g\+\+ is not installed, and C-simulation needs it; .*apt"
    ):
        external_tool.program("g++", "C-simulation")
    with pytest.raises(
        ToolMissing,
        match=r"Nothing is not installed, and work needs it; .*make environment.*'none'",
    ):
        external_tool.package_folder("Nothing", "work", "none_such", "none")
    with pytest.raises(ToolFailed, match="none-such cannot be run: No such file"):
        external_tool.run(["none-such"], "work")


INTERRUPTED = """
import sys
from concurrent.futures import ThreadPoolExecutor
from hw.foundation import external_tool
work = ["sh", "-c", sys.argv[1]]
try:
    with external_tool.tools_killed_on_interruption(), ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(external_tool.run, work, "work") for _ in range(3)]:
            done.result()
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def _interruptible():
    """A shell starts its background jobs, and so perhaps these tests, with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_tools_of_all_threads(tmp_path, number):
    """Those that run, and those that wait for their turn."""
    started, ended = tmp_path / "started", tmp_path / "ended"
    work = f"echo >> {started}; (sleep 8; echo >> {ended}) & wait"
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED, work], cwd=PROJECT) as process:
        while not (started.exists() and len(started.read_text()) == 2):
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)  # what comes just before Python waits for a lock is handled only after it
        process.send_signal(number)
        assert process.wait(timeout=60) == 130
    assert not ended.exists()
    time.sleep(8)
    assert not ended.exists() and len(started.read_text()) == 2


def test_signals_are_handled_as_before_afterwards():
    before = signal.getsignal(signal.SIGTERM)
    with external_tool.tools_killed_on_interruption():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_only_the_main_thread_handles_signals():
    before = signal.getsignal(signal.SIGTERM)

    def enter() -> None:
        with external_tool.tools_killed_on_interruption():
            seen.append(signal.getsignal(signal.SIGTERM))

    seen: list[object] = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_cores_are_those_that_the_process_may_use():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert usable_cores() == len(before)


def test_a_status_other_than_0_may_be_no_failure():
    assert external_tool.run(shell("echo told; exit 3"), "work", any_status=True) == "told\n"
    with pytest.raises(ToolFailed, match="cannot be run"):
        external_tool.run(["/no/such/program"], "work", any_status=True)
