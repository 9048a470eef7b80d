"""What the system does to a command: an error with its file and remedy, and never a traceback."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import flows.__main__ as command_line
from flows.__main__ import main
from flows.command_line.failures import in_words
from hw.foundation.atomic_file import atomic_directory, atomic_path, write_text
from hw.foundation.errors import InputError

PROJECT = Path(__file__).resolve().parents[2]


def flows(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows", *arguments],
        cwd=PROJECT, text=True, check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "b/x"), "b/x: No space left.*make room"),
        (PermissionError(errno.EACCES, "Permission denied", "b"), "b: Permission.*--build"),
        (OSError(errno.EROFS, "Read-only file system", "b"), "b: Read-only.*--build"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "b"), "a file lies where a folder"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "b"), "a folder lies where a file"),
        (MemoryError(), "memory does not suffice"),
        (KeyError("x"), "unexpected KeyError.*ECONT_TRACEBACK"),
    ],
)
def test_errors_of_the_system_are_told_with_a_remedy(monkeypatch, capsys, error, words):
    def fail(argv: list[str]) -> int:
        raise error

    monkeypatch.setattr(command_line, "_run", fail)
    assert main([]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and "Traceback" not in told
    assert __import__("re").search(words, told)
    assert in_words(error) in told


def test_a_traceback_can_be_asked_for(monkeypatch):
    def fail(argv: list[str]) -> int:
        raise KeyError("x")

    monkeypatch.setattr(command_line, "_run", fail)
    monkeypatch.setenv("ECONT_TRACEBACK", "1")
    with pytest.raises(KeyError):
        main([])


def test_output_that_nobody_reads_and_none_at_all(tmp_path):
    read, write = os.pipe()
    os.close(read)
    done = flows("--help", stdout=write)
    os.close(write)
    assert done.returncode == 141 and done.stderr == ""
    closed = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m flows --help 2>/dev/null >&-"],
        cwd=PROJECT,
        check=False,
    )
    assert closed.returncode == 0
    with Path("/dev/full").open("w") as full:
        done = flows("--help", stdout=full)
    assert done.returncode == 2 and "make room" in done.stderr and "Traceback" not in done.stderr


def test_a_terminal_without_utf_8_loses_characters_alone(tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = flows("status", "--build", str(tmp_path), env=environment)
    assert done.returncode == 0 and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["..", "a/b", "", "a b", "data", "x;y", "*"])
def test_names_are_refused_before_anything_runs(tmp_path, capsys, name):
    for command in (["status"], ["csim"], ["report"], ["hls"], ["evaluate"], ["flops"]):
        assert main([*command, "--build", str(tmp_path), "--model", name]) == 2
    assert main(["csim", "--build", str(tmp_path), "--target", name]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("folder", ["", "/", "a b", "a;b", "a'b", 'a"b', "a$b", "a#b", "a\tb"])
def test_build_folders_that_tools_would_take_apart_are_refused(tmp_path, capsys, folder):
    given = folder if folder in ("", "/") else str(tmp_path / folder)
    with pytest.raises(SystemExit) as end:
        main(["status", "--build", given])
    assert end.value.code == 2
    assert "--build" in capsys.readouterr().err


def test_unknown_models_and_targets_have_no_status(tmp_path, capsys):
    assert main(["status", "--build", str(tmp_path), "--model", "8x8_c8_S2_qk"]) == 2
    assert "did you mean '8x8_c8_S2_qK'" in capsys.readouterr().err
    assert main(["status", "--build", str(tmp_path), "--target", "econt"]) == 2
    assert "did you mean 'econ_t'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [["data", "--events", "100000000000"], ["data", "--seed", str(2**32)],
     ["csim", "--seed", str(2**32)], ["csim", "--vectors", "10000000000"],
     ["train", "--seed", str(2**32)], ["train", "--epochs", "10000000000"]],
)  # fmt: skip
def test_absurd_numbers_are_refused(tmp_path, capsys, command):
    assert main([*command, "--build", str(tmp_path)]) == 2
    assert "at most" in capsys.readouterr().err


def test_a_misspelt_budget_is_refused_with_a_suggestion(tmp_path, capsys):
    target = tmp_path / "mine.yaml"
    source = (PROJECT / "hw" / "targets" / "econ_t.yaml").read_text().split("budgets:")[0]
    target.write_text(f"{source}budgets:\n  csim.mismatchs: {{max: 0}}\n")
    for command in ("status", "report", "hls"):
        assert main([command, "--build", str(tmp_path), "--target", str(target)]) == 2
        told = capsys.readouterr().err
        assert "did you mean 'csim.mismatches'?" in told and f"{target}:" in told
    target.write_text(source.replace("clock_period_ns: 25", "clock_period_ns: .inf"))
    assert main(["status", "--build", str(tmp_path), "--target", str(target)]) == 2
    assert "clock_period_ns" in capsys.readouterr().err


def test_a_yaml_file_that_unfolds_without_end_is_refused_at_once(tmp_path, capsys):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    bomb = tmp_path / "bomb.yaml"
    bomb.write_text("\n".join(lines))
    assert main(["status", "--build", str(tmp_path), "--target", str(bomb)]) == 2
    assert "aliases" in capsys.readouterr().err
    bomb.write_text("a: &a [*a]\n")
    assert main(["status", "--build", str(tmp_path), "--target", str(bomb)]) == 2
    for odd in (b"\xff\xfe", b"2024-99-99: 1\n", b"? [1]\n: 2\n", b"a: !!python/object:x.y {}\n",
                b"[" * 5000, b"\x00", b"- 1\n", b"", b"clock: 2001-99-01\n"):  # fmt: skip
        bomb.write_bytes(odd)
        assert main(["status", "--build", str(tmp_path), "--target", str(bomb)]) == 2
        told = capsys.readouterr().err
        assert str(bomb) in told and "unexpected" not in told


# --- writing ------------------------------------------------------------------------------------
def test_results_stay_until_the_new_ones_are_complete(tmp_path):
    folder = tmp_path / "results"
    with atomic_directory(folder) as new:
        (new / "a").write_text("first")
    with pytest.raises(InputError, match="make room"), atomic_directory(folder) as new:
        (new / "a").write_text("second")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (folder / "a").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_file_or_link_in_the_place_of_a_folder_is_told(tmp_path):
    for name in ("file", "link"):
        place = tmp_path / name
        place.write_text("mine") if name == "file" else place.symlink_to(tmp_path)
        with pytest.raises(InputError, match="move it away"), atomic_directory(place) as new:
            (new / "a").write_text("x")
        assert place.is_symlink() or place.read_text() == "mine"


def test_what_killed_writers_left_is_swept_and_what_living_ones_write_is_not(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    left = tmp_path / f".train.{dead}.abc.tmp"
    left.mkdir()
    (left / "half.keras").write_text("x")
    half = tmp_path / f".metrics.{dead}.tmp.json"
    half.write_text("x")
    living = tmp_path / f".train.{os.getppid()}.def.tmp"
    living.mkdir()
    stranger = tmp_path / ".train.notes.tmp"
    stranger.write_text("mine")
    with atomic_directory(tmp_path / "train") as new:
        (new / "a").write_text("x")
    with atomic_path(tmp_path / "metrics.json") as file:
        file.write_text("{}")
    assert {path.name for path in tmp_path.iterdir()} == {
        "train", "metrics.json", living.name, stranger.name,
    }  # fmt: skip


def test_a_folder_that_was_just_moved_aside_comes_back(tmp_path):
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    aside = tmp_path / f".hls.{dead}.abc.old.tmp"
    aside.mkdir()
    (aside / "project.json").write_text("whole")
    with pytest.raises(InputError), atomic_directory(tmp_path / "hls"):
        raise InputError("no new one")
    assert (tmp_path / "hls" / "project.json").read_text() == "whole"


def test_a_read_only_build_is_told(tmp_path, monkeypatch, capsys):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert main(["data", "--build", str(tmp_path / "b"), "--events", "10"]) == 2
    assert "cannot be written" in capsys.readouterr().err
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / "x" / "y", "z")
