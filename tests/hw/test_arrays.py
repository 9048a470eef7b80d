"""Every way in which an array file can be bad ends in one error with file and remedy."""

from pathlib import Path

import numpy as np
import pytest

from hw.foundation.arrays import read_array, read_arrays
from hw.foundation.errors import InputError

REMEDY = "make it anew"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "arrays.npz"
    np.savez_compressed(file, calq=np.arange(480.0).reshape(10, 48), eta=np.ones(10))
    return file


def test_what_was_written_is_read(archive: Path) -> None:
    found = read_arrays(archive, required=("calq",), wanted=lambda name: name != "eta")
    assert list(found) == ["calq"]
    assert np.array_equal(found["calq"], np.arange(480.0).reshape(10, 48))


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def foreign(file: Path) -> None:
    file.write_text("charge\n1\n")


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for position in range(60, 200):
        content[position] ^= 0xFF
    file.write_bytes(bytes(content))


def absent(file: Path) -> None:
    file.unlink()


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def pickled(file: Path) -> None:
    np.savez(file, calq=np.array([{"a": 1}], dtype=object))


def lacking(file: Path) -> None:
    np.savez(file, charge=np.ones(3))


def one_array(file: Path) -> None:
    with file.open("wb") as stream:
        np.save(stream, np.ones(3))


@pytest.mark.parametrize(
    "damage",
    [truncated, empty, foreign, flipped, absent, a_folder, pickled, lacking, one_array],
)
def test_damage_is_one_error_with_file_and_remedy(archive: Path, damage) -> None:
    damage(archive)
    with pytest.raises(InputError) as told:
        read_arrays(archive, required=("calq",), remedy=REMEDY)
    assert str(told.value).startswith(f"{archive}: ")
    assert str(told.value).endswith(f"; {REMEDY}")


def objects(file: Path) -> None:
    np.save(file, np.array([{"a": 1}], dtype=object))


@pytest.mark.parametrize("damage", [truncated, empty, foreign, absent, a_folder, objects])
def test_a_bad_single_array_is_told(tmp_path: Path, damage) -> None:
    file = tmp_path / "array.npy"
    np.save(file, np.ones((4, 16)))
    assert read_array(file).shape == (4, 16)
    damage(file)
    with pytest.raises(InputError, match=r"array\.npy: .*; make it anew$"):
        read_array(file, REMEDY)
