"""Fixed-point formats: laws that every format keeps, and the C++ types as the yardstick."""

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.foundation.fixed_point import FixedFormat, parse_format

ROUNDING = ("TRN", "TRN_ZERO", "RND", "RND_CONV", "RND_INF", "RND_ZERO", "RND_MIN_INF")
OVERFLOW = ("WRAP", "SAT", "SAT_SYM", "SAT_ZERO")


@st.composite
def formats(draw: st.DrawFn) -> FixedFormat:
    width = draw(st.integers(1, 24))
    signed = draw(st.booleans())
    return FixedFormat(
        width,
        draw(st.integers(-4, width + 4)),
        signed,
        draw(st.sampled_from(ROUNDING)),
        draw(st.sampled_from(OVERFLOW)),
    )


VALUES = st.floats(-(2.0**20), 2.0**20, width=32)


@given(formats(), st.lists(VALUES, min_size=1, max_size=20))
def test_codes_are_in_range_and_come_back(number: FixedFormat, values: list[float]) -> None:
    codes = number.to_codes(values)
    assert codes.dtype == np.int64
    assert (codes >= number.min_code).all()
    assert (codes <= number.max_code).all()
    assert np.array_equal(number.to_codes(number.to_values(codes)), codes)
    assert number.represents(number.quantise(values))


@given(formats(), VALUES)
def test_rounding_errs_by_less_than_a_step(number: FixedFormat, value: float) -> None:
    if not number.min_value <= value <= number.max_value:
        return
    error = float(number.quantise(value)) - value
    limit = number.step if number.rounding.startswith("TRN") else number.step / 2
    assert abs(error) <= limit
    assert not (number.rounding == "TRN" and error > 0)


@given(formats(), st.lists(VALUES, min_size=2, max_size=20))
def test_saturation_keeps_the_order(number: FixedFormat, values: list[float]) -> None:
    codes = number.with_modes(number.rounding, "SAT").to_codes(sorted(values))
    assert (np.diff(codes) >= 0).all()


@given(formats(), st.integers(-(2**30), 2**30))
def test_wrapping_keeps_the_low_bits(number: FixedFormat, code: int) -> None:
    wrapping = number.with_modes("TRN", "WRAP")
    wrapped = int(wrapping.to_codes(code * number.step))
    assert (wrapped - code) % (1 << number.width) == 0


@given(formats())
def test_notation_is_read_back(number: FixedFormat) -> None:
    assert parse_format(str(number)) == number


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        (2.5, (2, 2, 3, 2, 3, 2, 2)),
        (-2.5, (-3, -2, -2, -2, -3, -2, -3)),
        (3.5, (3, 3, 4, 4, 4, 3, 3)),
        (-3.5, (-4, -3, -3, -4, -4, -3, -4)),
        (2.75, (2, 2, 3, 3, 3, 3, 3)),
        (-2.25, (-3, -2, -2, -2, -2, -2, -2)),
    ],
)
def test_ties_by_hand(value: float, codes: tuple[int, ...]) -> None:
    for rounding, code in zip(ROUNDING, codes, strict=True):
        assert FixedFormat(8, 8, True, rounding, "SAT").to_codes(value) == code


@pytest.mark.parametrize(
    ("overflow", "codes"),
    [
        ("WRAP", (5 - 8, -5 + 8, 3, -4)),
        ("SAT", (3, -4, 3, -4)),
        ("SAT_SYM", (3, -3, 3, -3)),
        ("SAT_ZERO", (0, 0, 3, -4)),
    ],
)
def test_overflow_by_hand(overflow: str, codes: tuple[int, ...]) -> None:
    number = FixedFormat(3, 3, True, "TRN", overflow)
    assert number.to_codes([5, -5, 3, -4]).tolist() == list(codes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fixed<8,1>", FixedFormat(8, 1)),
        ("ap_ufixed<9,1,AP_RND_CONV,AP_SAT,0>", FixedFormat(9, 1, False, "RND_CONV", "SAT")),
        ("ac_fixed<6,1,true>", FixedFormat(6, 1)),
        ("ac_fixed<6,-1,false,AC_RND,AC_SAT_SYM>", FixedFormat(6, -1, False, "RND", "SAT_SYM")),
        ("uint<4>", FixedFormat(4, 4, False)),
        ("fixed<18,7,TRN,WRAP,0>", FixedFormat(18, 7)),
    ],
)
def test_notations(text: str, expected: FixedFormat) -> None:
    assert parse_format(text) == expected


@pytest.mark.parametrize("text", ["", "float", "fixed<8>", "fixed<8,1,ROUND>", "fixed<0,0>"])
def test_what_is_no_format(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_format(text)


# --- the C++ types -------------------------------------------------------------------------------
SHAPES = ((8, 3, True), (6, 1, False), (5, 7, True), (4, -1, True), (12, 12, False))


def cpp_type(family: str, number: FixedFormat) -> str:
    modes = f"{family.upper()}_{number.rounding}, {family.upper()}_{number.overflow}"
    if family == "ac":
        signed = str(number.signed).lower()
        return f"ac_fixed<{number.width}, {number.integer}, {signed}, {modes}>"
    kind = "ap_fixed" if number.signed else "ap_ufixed"
    return f"{kind}<{number.width}, {number.integer}, {modes}>"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
@pytest.mark.parametrize("source", ["double", "wide type"])
@pytest.mark.parametrize("family", ["ac", "ap"])
def test_codes_are_those_of_the_cpp_types(family: str, source: str, tmp_path: Path) -> None:
    """Both from a double (a network's input) and from a wider fixed-point type (inside it)."""
    hls4ml = Path(pytest.importorskip("importlib.util").find_spec("hls4ml").origin).parent
    include = {"ac": "catapult/ac_types/include", "ap": "vivado/ap_types"}[family]
    known = [
        FixedFormat(*shape, rounding, overflow)
        for shape, rounding, overflow in itertools.product(SHAPES, ROUNDING, OVERFLOW)
    ]
    (tmp_path / "cases.inc").write_text("".join(f"CASE({cpp_type(family, n)})\n" for n in known))
    conversion = "double" if source == "double" else cpp_type(family, FixedFormat(40, 20))
    (tmp_path / "source.h").write_text(f"#define SOURCE {conversion}\n")
    program = tmp_path / "program"
    subprocess.run(
        [
            *("g++", "-std=c++17", "-w", "-O1", "-include", str(tmp_path / "source.h")),
            *(["-DAC_TYPES"] if family == "ac" else []),
            *(f"-I{tmp_path}", f"-I{hls4ml / 'templates' / include}"),
            *(str(Path(__file__).with_name("fixed_point_types.cpp")), "-o", str(program)),
        ],
        check=True,
    )
    rng = np.random.default_rng(1)
    values = np.concatenate(
        [
            np.arange(-300, 300) / 64.0,  # ties of every shape, in and out of range
            rng.integers(-(2**15), 2**15, 300) / 2.0**10,
            rng.normal(scale=3, size=300).astype(np.float32),
            [0.0, 1e-5, -1e-5, 1000.5, -1000.5],
        ]
    )
    if source != "double":
        values = FixedFormat(40, 20).quantise(values)
    done = subprocess.run([program], input=values.tobytes(), capture_output=True, check=True)
    found = np.frombuffer(done.stdout, dtype=np.int64).reshape(len(known), len(values))
    for number, codes in zip(known, found, strict=True):
        wrong = np.flatnonzero(number.to_codes(values) != codes)
        assert not wrong.size, (
            f"{number}: {values[wrong[0]]} gives {number.to_codes(values[wrong[0]])}, "
            f"C++ {codes[wrong[0]]} ({wrong.size} differ)"
        )
