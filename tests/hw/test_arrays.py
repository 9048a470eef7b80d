"""Every way in which an array file can be bad ends in one error with file and remedy."""

from collections.abc import Iterator
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


SHAPES = {"calq": ("n", 48), "eta": ("n",)}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"calq": np.ones((10, 47))}, r"'calq' holds float64 of shape \(10, 47\); needed .*n, 48"),
        ({"calq": np.ones(48)}, r"'calq' holds .* shape \(48,\)"),
        ({"calq": np.ones((10, 48, 1))}, r"'calq' holds .* shape \(10, 48, 1\)"),
        ({"calq": np.full((10, 48), "1")}, r"'calq' holds <U1"),
        ({"calq": np.ones((10, 48)), "eta": np.ones(9)}, r"shape \(n.*\), n = 10;"),
    ],
)
def test_an_array_of_another_kind_or_shape_is_told(tmp_path: Path, arrays, message) -> None:
    file = tmp_path / "arrays.npz"
    np.savez(file, **arrays)
    with pytest.raises(InputError, match=rf"arrays\.npz: .*{message}.*make it anew$"):
        read_arrays(file, required=("calq",), shapes=SHAPES, remedy=REMEDY)


def test_what_is_not_there_needs_no_shape_and_further_sizes_can_be_any(tmp_path: Path) -> None:
    file = tmp_path / "arrays.npz"
    np.savez(file, images=np.ones((5, 4, 4, 3)), latents=np.ones((5, 16)))
    shapes = {"images": ("k", ...), "latents": ("k", "m"), "eta": ("k",)}
    assert set(read_arrays(file, shapes=shapes)) == {"images", "latents"}
    with pytest.raises(InputError, match=r"k = 5"):
        read_arrays(file, shapes={"images": ("k", ...), "latents": ("m", "k")})


def everything_wrong_with(content: bytes) -> Iterator[bytes]:
    for end in range(0, len(content), 7):
        yield content[:end]
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        yield bytes(damaged)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_no_flipped_bit_is_believed_or_raises_anything_else(tmp_path: Path, save) -> None:
    file = tmp_path / "arrays.npz"
    calq = np.arange(48, dtype=np.uint16).reshape(1, 48)
    save(file, calq=calq, name=np.array("modules"))
    told = 0
    for damaged in everything_wrong_with(file.read_bytes()):
        file.write_bytes(damaged)
        try:
            found = read_arrays(file, required=("calq", "name"))
        except InputError:
            told += 1
        else:
            assert np.array_equal(found["calq"], calq) and str(found["name"]) == "modules"
    assert told > 100


def test_a_damaged_header_of_a_single_array_raises_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "array.npy"
    np.save(file, np.ones((4, 16)))
    told = 0
    for damaged in everything_wrong_with(file.read_bytes()[:128]):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=r"array\.npy"):  # its numbers are lacking, too
            read_array(file)
        told += 1
    assert told > 100


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
