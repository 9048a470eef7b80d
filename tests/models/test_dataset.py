"""Reading module data: no row lost, every fault named by line and column, a cache that is safe."""

import codecs
import gzip
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.foundation.errors import InputError
from models.data.csv_layout import CALQ_NAMES
from models.data.dataset import load_modules

REAL = Path(__file__).resolve().parents[3] / "shared" / "econt" / "nElinks_5"
HEADER = ",".join(CALQ_NAMES)
ROW = ",".join(["3"] * 48)


def charges(count: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, 1 << 22, (count, 48)) * random.integers(0, 2, (count, 48))


def headerless(calq: np.ndarray, eta: float = 2.5, phi: float = -1.25) -> str:
    rest = f"1.5,3.5,0.4,1,9,-3,4,{eta},{phi}"
    return "".join(",".join(map(str, row)) + f",{rest}\n" for row in calq)


def with_header(calq: np.ndarray) -> str:
    return HEADER + "\n" + "".join(",".join(map(str, row)) + "\n" for row in calq)


def write(folder: Path, text: str | bytes, name: str = "modules.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_headerless_file_keeps_its_first_row_and_directions(tmp_path: Path) -> None:
    calq = charges(5)
    modules = load_modules(write(tmp_path, headerless(calq)))
    assert np.array_equal(modules.calq, calq)
    assert modules.calq.dtype == np.float32
    assert modules.eta is not None and modules.phi is not None
    assert modules.eta.tolist() == [2.5] * 5
    assert modules.phi.tolist() == [-1.25] * 5
    assert modules.event is None


def test_charges_alone_are_enough_with_and_without_header(tmp_path: Path) -> None:
    calq = charges(3)
    bare = "".join(",".join(map(str, row)) + "\n" for row in calq)
    assert np.array_equal(load_modules(write(tmp_path, bare)).calq, calq)
    modules = load_modules(write(tmp_path, with_header(calq)))
    assert np.array_equal(modules.calq, calq)
    assert modules.eta is None


def test_named_columns_in_any_order_and_more(tmp_path: Path) -> None:
    calq = charges(4)
    names = ["", "ModType", *reversed(CALQ_NAMES), "SimEnergyFraction", "unknown", "entry"]
    rows = [
        [i, "FI", *reversed(row.tolist()), 0.25 * i, "text", i // 2] for i, row in enumerate(calq)
    ]
    text = "\n".join(",".join(map(str, row)) for row in [names, *rows])
    modules = load_modules(write(tmp_path, text))
    assert np.array_equal(modules.calq, calq)
    assert modules.columns["ModType"].tolist() == ["FI"] * 4
    assert modules.columns["SimEnergyFraction"].tolist() == [0, 0.25, 0.5, 0.75]
    assert modules.event is not None and modules.event.tolist() == [0, 0, 1, 1]
    assert set(modules.columns) == {"ModType", "SimEnergyFraction"}


def test_equal_entries_of_several_files_are_one_event(tmp_path: Path) -> None:
    row = ",".join(["1"] * 48)
    write(tmp_path, f"{HEADER},entry\n{row},5\n{row},9\n", "a.csv")
    write(tmp_path, f"{HEADER},entry\n{row},9\n{row},9\n", "b.csv")
    event = load_modules(tmp_path).event
    assert event is not None
    assert event[0] != event[1] == event[2] == event[3]


def test_without_entry_the_energy_tells_the_event_unless_it_is_zero(tmp_path: Path) -> None:
    row = ",".join(["1"] * 48)
    energies = ["0", "77.5", "0.0", "77.50", "3"]
    text = f"{HEADER},EventSimEnergy\n" + "".join(f"{row},{energy}\n" for energy in energies)
    event = load_modules(write(tmp_path, text)).event
    assert event is not None
    assert event[1] == event[3]
    assert len(set(event.tolist())) == 4


def test_a_folder_is_read_in_sorted_order(tmp_path: Path) -> None:
    first, second = charges(2, 1), charges(3, 2)
    write(tmp_path, headerless(second), "b.csv")
    write(tmp_path, headerless(first), "a.csv")
    write(tmp_path, "not read", "notes.txt")
    write(tmp_path, "not read", "._a.csv")
    assert np.array_equal(load_modules(tmp_path).calq, np.concatenate([first, second]))


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: (text + "\n\n").encode(),
        lambda text: ("\n" + text.replace("\n", "\n\n")).encode(),
        lambda text: (" \n" + text.replace("\n", "\n \t\n")).encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: text.replace(",", " , ").encode(),
        lambda text: text.replace("CALQ_7,", '"CALQ_7",').encode(),
    ],
    ids=[
        "mark",
        "crlf",
        "trailing blanks",
        "blank lines",
        "white lines",
        "no newline",
        "spaces",
        "quotes",
    ],
)
@pytest.mark.parametrize("layout", [headerless, with_header])
def test_harmless_differences_of_text_change_nothing(tmp_path: Path, disguise, layout) -> None:
    calq = charges(6)
    modules = load_modules(write(tmp_path, disguise(layout(calq))))
    assert np.array_equal(modules.calq, calq)


@settings(max_examples=30, deadline=None)
@given(
    calq=st.lists(
        st.lists(
            st.integers(0, (1 << 22) - 1) | st.floats(0, 4e6, width=32), min_size=48, max_size=48
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, calq: list) -> None:
    folder = tmp_path_factory.mktemp("round_trip")
    text = "".join(",".join(map(str, row)) + "\n" for row in calq)
    modules = load_modules(write(folder, text), cache=folder / "cache")
    assert np.array_equal(modules.calq, np.array(calq, dtype=np.float32))
    again = load_modules(folder / "modules.csv", cache=folder / "cache")
    assert np.array_equal(again.calq, modules.calq)


def changed(line: int, column: int, value: str, count: int = 4) -> str:
    rows = headerless(charges(count)).splitlines()
    fields = rows[line - 1].split(",")
    fields[column] = value
    rows[line - 1] = ",".join(fields)
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"modules\.csv: is empty"),
        ("\n\n", r"modules\.csv: is empty"),
        (HEADER + "\n", r"modules\.csv: has a header and no modules"),
        (changed(3, 5, "abc"), r"modules\.csv:3: column 5 \(CALQ_5\): 'abc' is not a number"),
        (changed(1, 5, "abc"), r"modules\.csv:1: column 5 \(CALQ_5\): 'abc' is not a number"),
        (changed(2, 47, ""), r"modules\.csv:2: column 47 \(CALQ_47\): is empty"),
        (changed(4, 0, "nan"), r"modules\.csv:4: column 0 \(CALQ_0\): nan is not a finite"),
        (changed(4, 0, "inf"), r"modules\.csv:4: column 0 \(CALQ_0\): inf is not a finite"),
        (changed(2, 9, "-3"), r"modules\.csv:2: column 9 \(CALQ_9\): charge -3 is negative"),
        (changed(2, 55, "NaN"), r"modules\.csv:2: column 55 \(tc_eta\): NaN is not a finite"),
        (changed(3, 8, "1,2"), r"modules\.csv:3: has 58 fields, the first row has 57"),
        ("1,2,3\n4,5,6\n", r"modules\.csv:1: has 3 columns and no header"),
        (headerless(charges(2)).replace(",-3,4,", ","), r"modules\.csv:1: has 55 columns"),
        (HEADER.replace("CALQ_3,", "") + "\n", r"modules\.csv:1: the header lacks CALQ_3;"),
        (with_header(charges(2)) + "1,2\n", r"modules\.csv:4: has 2 fields, the first row has 48"),
        (with_header(charges(2)).replace("\n0,", "\n-1,", 1), r"column 'CALQ_0': charge -1"),
        ("a,b\n1,2\n", r"modules\.csv:1: is neither a row of numbers nor a header"),
        (b"\x00\xff\xfe\x80" * 99, r"modules\.csv:1: is not UTF-8 text"),
        (gzip.compress(headerless(charges(3)).encode()), r"unpack the file if it is compressed"),
        (with_header(charges(2)).encode("utf-16"), r"modules\.csv:1: is not UTF-8 text"),
        (with_header(charges(2)).replace("\n", "\r").encode(), r"carriage returns alone"),
        (headerless(charges(2)).replace("\n", "\r").encode(), r"carriage returns alone"),
        (with_header(charges(1)).replace(",", ";"), r"separated by commas"),
        (changed(2, 3, "1e39"), r"modules\.csv:2: column 3 \(CALQ_3\): 1e39 is too large"),
        (changed(2, 3, "1e38"), r"modules\.csv:2: column 3 \(CALQ_3\): 1e38 is too large"),
        (changed(2, 3, "1_0"), r"modules\.csv:2: column 3 \(CALQ_3\): '1_0' is not a number"),
        (changed(2, 3, "\u0663"), r"modules\.csv:2: column 3 \(CALQ_3\): '\u0663' is not"),
        (changed(3, 50, '"open'), r"modules\.csv:3: is not CSV"),
        (
            f"{HEADER},more\n{ROW},1\n{ROW}\n",
            r"modules\.csv:3: has 48 fields, the first row has 49",
        ),
        (f"{HEADER},more\n{ROW}\n", r"modules\.csv:2: has 48 fields, the first row has 49"),
        (f"{ROW},{ROW}\n{ROW},1\n{ROW},{ROW}\n", r"modules\.csv:2: has 49 fields"),
        (f"{ROW}\n\n \n{ROW},1\n", r"modules\.csv:4: has 49 fields"),
        (
            f"{HEADER},ModType\n{ROW},F\n".encode() + f"{ROW},\xe9\n".encode("latin-1"),
            r":3: is not UTF-8",
        ),
    ],
)
def test_every_fault_is_named_by_file_line_and_column(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    if isinstance(text, str) and "column 'CALQ_0'" in message:
        calq = charges(2)
        calq[0, 0] = -1
        text = with_header(calq)
    with pytest.raises(InputError, match=message):
        load_modules(write(tmp_path, text), cache=tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*.npz"))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_fault_far_down_a_large_file_is_found_at_its_line(tmp_path: Path, newline: str) -> None:
    row = ",".join(["123456"] * 48) + newline
    count = (1 << 21) // len(row)  # beyond the blocks that are read at once
    text = HEADER + newline + newline + row * count + row.replace("123456", "-1", 1) + row
    with pytest.raises(InputError, match=rf":{count + 3}: column 'CALQ_0': charge -1"):
        load_modules(write(tmp_path, text))


@pytest.mark.parametrize("columns", [[*range(48)], [*range(47, -1, -1)]])
def test_quick_and_careful_reading_agree_over_many_blocks(tmp_path: Path, columns: list) -> None:
    calq = charges(6000)
    names = ",".join(CALQ_NAMES[column] for column in columns) + ",tc_eta,entry,HD_LD\n"
    rows = [",".join(map(str, row[columns])) + f",{i / 7},{i},HD" for i, row in enumerate(calq)]
    plain = load_modules(write(tmp_path, names + "\n".join(rows)))
    quoted = [",".join(f'"{field}"' for field in row.split(",")) for row in rows]
    careful = load_modules(write(tmp_path, names + "\n".join(quoted)))
    for modules in (plain, careful):
        assert np.array_equal(modules.calq, calq)
        assert modules.eta is not None and modules.event is not None
        assert np.array_equal(modules.eta, np.array([i / 7 for i in range(6000)], np.float32))
        assert modules.event.tolist() == [*range(6000)]
    few = load_modules(tmp_path / "modules.csv", rows_per_file=5555)
    assert np.array_equal(few.calq, calq[:5555])


def test_a_text_column_of_numbers_must_be_numbers(tmp_path: Path) -> None:
    text = f"{HEADER},layer\n" + ",".join(["1"] * 48) + ",nine\n"
    with pytest.raises(InputError, match=r":2: column 'layer': 'nine' is not a number"):
        load_modules(write(tmp_path, text))


def test_the_header_is_checked_against_what_the_user_says(tmp_path: Path) -> None:
    named = write(tmp_path, with_header(charges(2)), "named.csv")
    bare = write(tmp_path, headerless(charges(2)), "bare.csv")
    with pytest.raises(InputError, match=r"named\.csv:1: has a header, but --noHeader"):
        load_modules(named, header=False)
    with pytest.raises(InputError, match=r"bare\.csv:1: has no header"):
        load_modules(bare, header=True)
    assert len(load_modules(bare, header=False)) == len(load_modules(named, header=True)) == 2
    with pytest.raises(InputError, match=r"named\.csv: has a header, unlike .*bare\.csv"):
        load_modules(tmp_path)


def test_files_of_other_columns_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path, headerless(charges(2)), "a.csv")
    write(tmp_path, ROW + "\n", "b.csv")
    with pytest.raises(InputError, match=r"b\.csv: and .*a\.csv differ in .*tc_eta, tc_phi"):
        load_modules(tmp_path)


def test_missing_files_and_folders_without_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        load_modules(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match=r"holds no \*\.csv file"):
        load_modules(tmp_path)


def test_rows_per_file_stops_early_and_forgives_what_comes_after(tmp_path: Path) -> None:
    text = changed(4, 0, "broken", count=6)
    path = write(tmp_path, text)
    assert len(load_modules(path, rows_per_file=3)) == 3
    with pytest.raises(InputError, match=":4:"):
        load_modules(path, rows_per_file=4)
    named = write(tmp_path, with_header(charges(9)), "named.csv")
    assert np.array_equal(load_modules(named, rows_per_file=2).calq, charges(9)[:2])
    with pytest.raises(InputError, match="at least 1"):
        load_modules(path, rows_per_file=0)


def test_the_cache_answers_for_the_same_content_only(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    path = write(tmp_path, headerless(charges(3, 1)))
    first = load_modules(path, cache=cache)
    stored = list(cache.glob("*.npz"))
    assert len(stored) == 1
    before = stored[0].stat().st_mtime_ns
    again = load_modules(path, cache=cache)
    assert np.array_equal(again.calq, first.calq)
    assert again.eta is not None and first.eta is not None
    assert np.array_equal(again.eta, first.eta)
    assert again.content_hash == first.content_hash == load_modules(path).content_hash
    assert stored[0].stat().st_mtime_ns == before
    write(tmp_path, headerless(charges(3, 2)))
    other = load_modules(path, cache=cache)
    assert np.array_equal(other.calq, charges(3, 2))
    assert other.content_hash != first.content_hash
    assert len(load_modules(path, rows_per_file=1, cache=cache)) == 1
    with pytest.raises(InputError, match="has no header"):
        load_modules(path, header=True, cache=cache)


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, headerless(charges(2)))
    with pytest.raises(InputError, match=r"modules\.csv: cannot be written"):
        load_modules(path, cache=path)


def test_the_index_of_hashes_knows_settled_files_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    text = headerless(charges(3, 1))
    path = write(tmp_path, text)
    load_modules(path, cache=cache)
    assert not (cache / "hashes.json").exists()  # it may change again within its time stamp
    os.utime(path, (1e9, 1e9))  # an older date is no proof: the file was touched this moment
    load_modules(path, cache=cache)
    assert not (cache / "hashes.json").exists()
    later = time.time() + 10
    monkeypatch.setattr("hw.foundation.content_hash.time.time", lambda: later)
    load_modules(path, cache=cache)
    assert str(path.resolve()) in json.loads((cache / "hashes.json").read_text())
    other = text.translate(str.maketrans("12", "21"))
    path.write_text(other)
    os.utime(path, (1e9, 1e9))  # the same name, size and time, but not the same content
    expected = load_modules(write(tmp_path, other, "other.csv")).calq
    assert np.array_equal(load_modules(path, cache=cache).calq, expected)


def damages(content: bytes) -> Iterator[bytes]:
    yield b""
    yield b"nothing of use" * 100
    yield content[: len(content) // 2]
    for place in range(0, len(content), 97):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        yield bytes(damaged)


@pytest.mark.parametrize("largest", [1 << 12, 1 << 22])  # stored as 16-bit counts, and as floats
def test_a_damaged_cache_is_never_believed(tmp_path: Path, largest: int) -> None:
    cache = tmp_path / "cache"
    calq = charges(60) % largest
    path = write(tmp_path, headerless(calq))
    os.utime(path, (1e9, 1e9))
    load_modules(path, cache=cache)
    stored = next(cache.glob("*.npz"))
    for damaged in damages(stored.read_bytes()):
        stored.write_bytes(damaged)
        (cache / "hashes.json").write_text("{broken")
        modules = load_modules(path, cache=cache)
        assert np.array_equal(modules.calq, calq)
        assert modules.eta is not None and modules.eta.tolist() == [2.5] * 60


def test_all_columns_survive_the_cache(tmp_path: Path) -> None:
    names = f"entry,{HEADER},EventSimEnergy,HD_LD,ModType,tc_eta,tc_phi\n"
    text = names + "".join(f"{i},{','.join(['5'] * 48)},1.5,HD,F{i},1.75,0.5\n" for i in range(3))
    path = write(tmp_path, text)
    first = load_modules(path, cache=tmp_path / "cache")
    again = load_modules(path, cache=tmp_path / "cache")
    assert set(again.columns) == set(first.columns) == {"EventSimEnergy", "HD_LD", "ModType"}
    assert again.columns["ModType"].tolist() == ["F0", "F1", "F2"]
    for name in ("calq", "eta", "phi", "event"):
        assert np.array_equal(getattr(again, name), getattr(first, name))


@pytest.mark.shared
@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/econt/nElinks_5 is absent")
def test_the_real_file_with_header() -> None:
    modules = load_modules(REAL)
    assert len(modules) == 1000
    assert modules.calq[0, :3].tolist() == [272, 44, 1344]
    assert modules.event is not None and len(np.unique(modules.event)) == 1000
