"""Codes, links and frames of the ECON-T: hand-computed cases, and decoders written for the test."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw.foundation.errors import InputError
from testbench.econ_t.best_choice import SENT_OF_LINKS, best_choice_frames, ranking
from testbench.econ_t.float_codes import CHARGE, SUM_8_BIT, SUM_9_BIT, FloatCode
from testbench.econ_t.frames import Frames
from testbench.econ_t.links import (
    INPUT_COLUMN,
    bunch_crossings,
    output_headers,
    pack,
    read_link_csv,
    short_headers,
    unpack,
    write_link_csv,
)
from testbench.econ_t.output_buffer import BUFFER_WORDS, send_at_once, send_buffered
from testbench.econ_t.registers import Chip
from testbench.econ_t.repeater import repeater_frames
from testbench.econ_t.super_trigger_cell import STC_TYPES, super_trigger_cell_frames
from testbench.econ_t.threshold_sum import threshold_sum_frames, truncated_words

CHARGES = st.lists(st.integers(0, 4_062_240), min_size=48, max_size=48)
FEW_VALUES = st.lists(st.integers(0, 3), min_size=48, max_size=48)  # many ties


class BitReader:
    """Reads fields from 16-bit words, highest bit first."""

    def __init__(self, words: np.ndarray) -> None:
        self.bits = "".join(f"{int(word):016b}" for word in words)

    def take(self, width: int) -> int:
        field, self.bits = self.bits[:width], self.bits[width:]
        return int(field, 2) if field else 0

    def rest_is_zero(self) -> bool:
        return "1" not in self.bits


def take_map(bits: BitReader, chip: Chip) -> list[int]:
    """The cells marked in a bit map, in their order; the production chip sends the last first."""
    order = range(48) if chip is Chip.P1 else range(47, -1, -1)
    return sorted(cell for cell in order if bits.take(1))


def scalar_encode(value: int, exponent: int, mantissa: int) -> int:
    """The code found by search: the largest whose bin starts at or below `value`."""
    code = FloatCode(exponent, mantissa)
    starts = code.decode(np.arange(code.max_code + 1))
    return int(np.searchsorted(starts, value, side="right") - 1)


@pytest.mark.parametrize(
    ("value", "drop", "code"),
    [
        *((0, 0, 0), (7, 0, 7), (8, 0, 8), (15, 0, 15), (16, 0, 16), (17, 0, 16), (18, 0, 17)),
        *((100, 0, 36), (7, 3, 0), (8, 3, 1)),
        *((245760, 0, 0x7F), (245759, 0, 0x7E), (1 << 22, 0, 0x7F)),
    ],
)
def test_encode_4e3m(value: int, drop: int, code: int) -> None:
    assert CHARGE.encode(value, drop) == code


@pytest.mark.parametrize(
    ("code", "high_density", "low_density"),
    [(0, 4, 1), (1, 12, 3), (8, 68, 17), (15, 124, 31), (16, 136, 34), (0x7F, 2031616, 507904)],
)
def test_decode_adds_half_a_bin(code: int, high_density: int, low_density: int) -> None:
    assert CHARGE.decode_centre(code, drop=3) == high_density
    assert CHARGE.decode_centre(code, drop=1) == low_density


def test_5e4m_of_the_largest_sum() -> None:
    assert SUM_9_BIT.encode(15) == 15
    assert SUM_9_BIT.encode(16) == 16
    assert SUM_9_BIT.encode(33) == 32
    assert SUM_9_BIT.encode(48 * 4_062_240) == 24 << 4 | 7  # 23 * 2**23 and a remainder


@pytest.mark.parametrize("code", [CHARGE, SUM_8_BIT, SUM_9_BIT])
def test_every_code_is_its_own_encoding(code: FloatCode) -> None:
    codes = np.arange(code.max_code + 1)
    below_2_to_53 = codes[code.decode(codes) < 1 << 53]
    assert np.array_equal(code.encode(code.decode(below_2_to_53)), below_2_to_53)


@given(st.integers(0, 1 << 28), st.sampled_from([CHARGE, SUM_8_BIT, SUM_9_BIT]))
def test_encode_finds_the_bin(value: int, code: FloatCode) -> None:
    assert code.encode(value) == scalar_encode(value, code.exponent, code.mantissa)


@settings(max_examples=25, deadline=None)
@given(CHARGES, st.integers(0, 3563))
def test_input_links_unpack_to_what_was_packed(charges: list[int], bx: int) -> None:
    codes = CHARGE.encode([charges])
    words = pack(codes, np.array([bx]))
    assert np.array_equal(unpack(words), codes)
    assert words[0, 0] >> 28 == (9 if bx == 0 else 10)


def test_first_code_of_a_link_is_in_its_lowest_bits() -> None:
    words = np.full((1, 12), 0xA0000000, dtype=np.uint32)
    words[0, 2] |= 5 | 6 << 7 | 7 << 14 | 0x7F << 21
    assert unpack(words)[0, 8:12].tolist() == [5, 6, 7, 0x7F]


def test_headers_count_from_the_orbit_header() -> None:
    words = np.full((3570, 12), 0xA0000000, dtype=np.uint32)
    words[2, 0] = 0x90000000
    bx = bunch_crossings(words)
    assert bx[:5].tolist() == [0, 1, 0, 1, 2]
    assert bx[3565:3568].tolist() == [3563, 0, 1]
    headers = output_headers(np.array([0, 1, 8, 15, 16, 17, 3563]))
    assert headers.tolist() == [31, 1, 8, 15, 0, 1, 11]
    assert short_headers(headers).tolist() == [15, 1, 0, 7, 0, 1, 3]


def test_link_csv(tmp_path) -> None:
    words = np.arange(24, dtype=np.uint32).reshape(2, 12) * 0x0A0B0C0D
    write_link_csv(tmp_path / "in.csv", INPUT_COLUMN, words)
    assert np.array_equal(read_link_csv(tmp_path / "in.csv", INPUT_COLUMN, 12), words)
    lines = (tmp_path / "in.csv").read_text().splitlines()
    (tmp_path / "bare.csv").write_text("\n".join(lines[1:]))
    assert np.array_equal(read_link_csv(tmp_path / "bare.csv", INPUT_COLUMN, 12), words)
    turned = [",".join(line.split(",")[::-1]) for line in lines]
    (tmp_path / "turned.csv").write_text("\n".join(turned))
    assert np.array_equal(read_link_csv(tmp_path / "turned.csv", INPUT_COLUMN, 12), words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no bunch crossing"),
        ("RX_DATA_0,RX_DATA_1\n1,2\n", "expected the 3 columns"),
        ("1,2,3\n1,2\n", ":2: expected 3 words, found 2"),
        ("1,2,3\n1,x,3\n", ":2: column 2: 'x' is no hexadecimal word"),
        ("1,2,123456789\n", "column 3"),
    ],
)
def test_bad_link_csv_is_told(tmp_path, text: str, message: str) -> None:
    (tmp_path / "links.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_link_csv(tmp_path / "links.csv", INPUT_COLUMN, 3)
    with pytest.raises(InputError, match="cannot be read"):
        read_link_csv(tmp_path / "none.csv", INPUT_COLUMN, 3)


def reader(frames: Frames, etx: int = 13) -> BitReader:
    links = send_at_once(frames, etx).links[0]
    assert not links[etx:].any()
    return BitReader(np.array([(word >> 16, word & 0xFFFF) for word in links.tolist()]).ravel())


HEADERS = np.array([31])


@settings(max_examples=30, deadline=None)
@given(CHARGES | FEW_VALUES, st.integers(0, 4), st.integers(1, 13), st.integers(0, 3))
def test_super_trigger_cells_decode(charges, stc_type: int, etx: int, drop: int) -> None:
    bits = reader(super_trigger_cell_frames(np.array([charges]), HEADERS, stc_type, etx, drop), etx)
    cells = 16 if stc_type == 1 else 4
    counts = {0: (2, 5, 8, 11, 12), 1: (2, 3), 2: (4, 8, 12), 3: (3, 6, 10, 12), 4: (3, 6, 10, 12)}
    if etx > len(counts[stc_type]):
        assert bits.rest_is_zero()
        return
    assert bits.take(4) == 15
    groups = [charges[i : i + cells] for i in range(0, 48, cells)][: counts[stc_type][etx - 1]]
    if stc_type not in (2, 4):
        for group in groups:
            last_of_the_largest = max(i for i in range(cells) if group[i] == max(group))
            assert bits.take(4 if cells == 16 else 2) == last_of_the_largest
    for group in groups:
        if stc_type in (2, 3):
            assert bits.take(7) == scalar_encode(sum(group) >> drop, 4, 3)
        else:
            assert bits.take(9) == scalar_encode(sum(group), 5, 4)
    assert bits.rest_is_zero()


def test_super_trigger_cell_types_fit_their_links() -> None:
    assert {name: form.max_etx for name, form in STC_TYPES.items()} == {
        0: 5,
        1: 2,
        2: 3,
        3: 4,
        4: 4,
    }
    with pytest.raises(InputError, match="stc_type 5 is not supported"):
        super_trigger_cell_frames(np.zeros((1, 48), dtype=int), HEADERS, 5, 1, 0)


def scalar_network(values: list[int]) -> list[int]:
    """Batcher's network one comparison at a time: the ranking of 48 values."""
    values, cells = list(values), list(range(48))
    p = 32
    while p:
        q, r, d = 32, 0, p
        while q >= p:
            for i in range(48 - d):
                if (i & p) == r and values[i] < values[i + d]:
                    values[i], values[i + d] = values[i + d], values[i]
                    cells[i], cells[i + d] = cells[i + d], cells[i]
            q, r, d = q // 2, p, q - p
        p //= 2
    assert values == sorted(values, reverse=True)
    return cells


@settings(max_examples=40, deadline=None)
@given(CHARGES | FEW_VALUES)
def test_ranking_is_that_of_the_network(charges: list[int]) -> None:
    assert ranking(np.array([charges]))[0].tolist() == scalar_network(charges)


@settings(max_examples=25, deadline=None)
@given(
    CHARGES | FEW_VALUES,
    st.integers(1, 13),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from(Chip),
)
def test_best_choice_decodes(charges, etx: int, drop: int, use_sum: bool, chip: Chip) -> None:
    frames = best_choice_frames(np.array([charges]), HEADERS, etx, drop, use_sum, chip=chip)
    bits = reader(frames, etx)
    counts = [1, 4, 6, 9, 14, 18, 23, 28, 32, 37, 41, 46, 48]
    values = [min(charge >> drop, 0x3FFFF) for charge in charges]
    best = sorted(scalar_network(values)[: counts[etx - 1]])
    assert bits.take(4) == 15
    left = sum(values) if use_sum else sum(values) - sum(values[cell] for cell in best)
    assert bits.take(8) == scalar_encode(left, 5, 3)
    if len(best) < 8:
        assert [bits.take(6) for _ in best] == best
    else:
        assert take_map(bits, chip) == best
    for cell in best:
        assert bits.take(7) == scalar_encode(values[cell], 4, 3)
    assert bits.rest_is_zero()
    assert SENT_OF_LINKS[etx] == counts[etx - 1]


def test_best_choice_sends_the_code_of_a_chosen_charge_of_zero() -> None:
    calq = np.zeros((1, 48), dtype=int)
    calq[0, [0, 47]] = [8, 16]  # codes 8 and 16; of six others the charge 0 is sent
    chosen = sorted(ranking(calq)[0, :6].tolist())
    assert chosen[0] == 0 and chosen[-1] == 47
    codes = [int(CHARGE.encode(calq[0, cell])) for cell in chosen]
    bits = reader(best_choice_frames(calq, HEADERS, 3, 0, False), 3)
    assert (bits.take(4), bits.take(8)) == (15, 0)
    assert [bits.take(6) for _ in chosen] == chosen
    assert [bits.take(7) for _ in chosen] == codes == [8, 0, 0, 0, 0, 16]
    earlier = reader(best_choice_frames(calq, HEADERS, 3, 0, False, send_zeros=False), 3)
    earlier.take(4 + 8 + 6 * 6)
    assert [earlier.take(7) for _ in range(3)] == [8, 16, 0]


def test_only_the_map_tells_the_chips_apart() -> None:
    calq = np.zeros((1, 48), dtype=int)
    calq[0, :9] = 8 + np.arange(9)
    forms = {chip: best_choice_frames(calq, HEADERS, 4, 0, False, chip=chip) for chip in Chip}
    for chip, frames in forms.items():
        fields = [field for field in frames.layouts[0] if field.name.startswith("map bit")]
        cells = range(48) if chip is Chip.P1 else range(47, -1, -1)
        assert [field.name for field in fields] == [f"map bit {cell}" for cell in cells]
        bits = reader(frames, 4)
        bits.take(12)
        assert f"{bits.take(48):048b}" == ("1" * 9 + "0" * 39)[:: 1 if chip is Chip.P1 else -1]
        assert [bits.take(7) for _ in range(9)] == [*range(8, 16), 16]
    fewer = {chip: best_choice_frames(calq, HEADERS, 3, 0, False, chip=chip) for chip in Chip}
    assert np.array_equal(fewer[Chip.P1].words, fewer[Chip.PRODUCTION].words)


def test_best_choice_saturates_before_ranking() -> None:
    calq = np.zeros((1, 48), dtype=int)
    calq[0, [3, 40]] = [1 << 21, 1 << 18]  # equal as 18-bit charges: the network's order decides
    first = scalar_network([min(charge, 0x3FFFF) for charge in calq[0]])[0]
    assert first == 40 != scalar_network(calq[0].tolist())[0]
    bits = reader(best_choice_frames(calq, HEADERS, 1, 0, False), 1)
    assert bits.take(4) == 15
    assert bits.take(8) == scalar_encode(0x3FFFF, 5, 3)
    assert (bits.take(6), bits.take(7)) == (first, 127)


def test_best_choice_of_nothing() -> None:
    frames = best_choice_frames(np.zeros((1, 48), dtype=int), HEADERS, 1, 0, False)
    bits = reader(frames, 1)
    assert (bits.take(4), bits.take(8), bits.take(6)) == (15, 0, 0)
    assert bits.rest_is_zero()


@settings(max_examples=30, deadline=None)
@given(CHARGES, st.integers(0, 4), st.integers(1, 13))
def test_repeater_decodes(charges, drop: int, etx: int) -> None:
    bits = reader(repeater_frames(np.array([charges]), HEADERS, drop), etx)
    codes = "".join(f"{scalar_encode(charge >> drop, 4, 3):07b}" for charge in charges)
    sent = min(341, 32 * etx)
    assert bits.bits[:sent] == ("11111" + codes)[:sent]


@settings(max_examples=25, deadline=None)
@given(
    CHARGES | FEW_VALUES,
    st.lists(st.integers(0, 5) | st.integers(0, 1 << 22), min_size=48, max_size=48),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from(Chip),
)
def test_threshold_sum_decodes(charges, threshold, drop: int, use_sum: bool, chip: Chip) -> None:
    frames = threshold_sum_frames(
        np.array([charges]), HEADERS, tuple(threshold), drop, use_sum, chip=chip
    )
    bits = reader(frames)
    sent = [cell for cell in range(48) if charges[cell] >= threshold[cell]]
    assert bits.take(5) == 31
    assert bits.take(3) == (0b100 if len(sent) >= 8 else 0b010 if sent else 0)
    left = sum(charges) if use_sum else sum(charges) - sum(charges[cell] for cell in sent)
    assert bits.take(8) == scalar_encode(left, 5, 3)
    size = 16 + 7 * len(sent)
    if len(sent) >= 8:
        assert take_map(bits, chip) == sent
        size += 48
    elif sent:
        assert bits.take(3) == len(sent)
        assert [bits.take(6) for _ in sent] == sent
        size += 3 + 6 * len(sent)
    for cell in sent:
        assert bits.take(7) == scalar_encode(charges[cell] >> drop, 4, 3)
    assert bits.rest_is_zero()
    assert frames.lengths[0] == -(-size // 16)


def test_threshold_sum_by_hand() -> None:
    calq = np.zeros((1, 48), dtype=int)
    calq[0, 5] = 100  # 4E3M code 36
    frames = threshold_sum_frames(calq, HEADERS, (47,) * 48, 0, False)
    assert frames.words[0, :2].tolist() == [0xFA00, 0b001_000101_0100100]
    assert frames.lengths.tolist() == [2]
    assert truncated_words(calq, HEADERS).tolist() == [0b11111_110_00100100]


def test_threshold_sum_sends_charges_of_zero_at_threshold_zero() -> None:
    calq = np.zeros((1, 48), dtype=int)
    calq[0, 5] = 100
    threshold = (0, 1, 0, 1, 1, 47, *(1,) * 42)
    bits = reader(threshold_sum_frames(calq, HEADERS, threshold, 0, False))
    assert (bits.take(5), bits.take(3), bits.take(8), bits.take(3)) == (31, 0b010, 0, 3)
    assert [bits.take(6) for _ in range(3)] == [0, 2, 5]
    assert [bits.take(7) for _ in range(3)] == [0, 0, 36]
    assert bits.rest_is_zero()


def frames_of_lengths(lengths: list[int]) -> Frames:
    words = np.zeros((len(lengths), 26), dtype=np.int64)
    for bx, length in enumerate(lengths):
        words[bx, :length] = 0x1000 * (bx + 1) + np.arange(length)
    return Frames(words, np.array(lengths), [()] * len(lengths))


def test_buffer_evens_out_and_fills_up() -> None:
    frames = frames_of_lengths([3, 1, 1, 0])
    idle = np.array([0xF0, 0xF1, 0xF2, 0xF3])
    sent = send_buffered(frames, np.zeros(4, dtype=int), idle, 1, (48, 511, 0)).links
    assert sent[:, 0].tolist() == [0x10001001, 0x10022000, 0x300000F2, 0x00F300F3]
    assert not sent[:, 1:].any()


def test_buffer_drains_after_the_last_frame() -> None:
    frames = frames_of_lengths([5])
    sent = send_buffered(frames, np.zeros(1, dtype=int), np.array([0xF0]), 1, (48, 511, 0)).links
    assert sent[:, 0].tolist() == [0x10001001, 0x10021003, 0x100400F0]


def test_a_drain_ends_where_words_are_unknown() -> None:
    frames = frames_of_lengths([25, 25])  # one idle word each
    idle = np.array([0xF0, 0xF1])
    sent = send_buffered(frames, np.zeros(2, dtype=int), idle, 2, (50, 511, 0))
    # 50 words and one idle word: the thirteenth row would take 48, 49, idle, unknown
    assert sent.links.shape == (*sent.frame.shape[:1], 13) == (12, 13)
    assert sent.links[0, :2].tolist() == [0x10001001, 0x10021003]
    assert sent.links[11, :2].tolist() == [0x20132014, 0x20152016]
    assert send_buffered(frames, np.zeros(2, dtype=int), idle, 3, (50, 511, 0)).links.shape[0] == 8


def test_buffer_truncates_at_its_thresholds() -> None:
    truncated = np.array([0xC00, 0xC01, 0xC02])
    idle = np.array([0xF0, 0xF1, 0xF2])
    frames = frames_of_lengths([20, 20, 2])
    over_t1 = send_buffered(frames, truncated, idle, 1, (36, 511, 0)).links[:, 0].tolist()
    # 18 words wait when the second frame comes: one word instead; the third frame fits
    assert over_t1[9:12] == [0x10121013, 0x0C013000, 0x300100F2]
    over_t2 = send_buffered(frames, truncated, idle, 1, (400, 10, 4)).links[:, 0].tolist()
    # more than T2 words wait when the short third frame comes: its word has the type's lowest bit
    assert over_t2[20] >> 16 == 0xC02 | 0x100


def slow_buffer(
    frames: Frames, truncated: list[int], idle: list[int], etx: int, limits: tuple[int, int, int]
) -> list[list[int]]:
    """The 16-bit words sent, once more with a plain list: 400 places, of which the last ones stay
    as they are when the rest moves up."""
    t1, t2, t3 = limits
    places, waiting, sent = [-1] * 400, 0, []
    for bx, length in enumerate(frames.lengths.tolist()):
        late = waiting > t2 and length <= t3
        if waiting + length > t1 or late:
            kind = 0 if waiting + length > t1 else 0x100
            new, counted = [truncated[bx] | kind, idle[bx]], 1
        else:
            new = [*frames.words[bx, :length].tolist(), *[idle[bx]] * (26 - length)]
            counted = length
        for place, word in enumerate(new, start=waiting):
            if place < 400:
                places[place] = word
        waiting += counted
        sent.append(places[: 2 * etx])
        places = places[2 * etx :] + places[400 - 2 * etx :]
        waiting = max(waiting - 2 * etx, 0)
    return sent


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 26), min_size=30, max_size=90),
    st.integers(1, 13),
    st.integers(26, 700),
    st.integers(0, 700),
    st.integers(0, 26),
)
def test_buffer_of_400_words(lengths: list[int], etx: int, t1: int, t2: int, t3: int) -> None:
    count = np.arange(len(lengths))
    words = 1 + 26 * count[:, None] + np.arange(26)  # all different
    frames = Frames(words, np.array(lengths), [()] * len(lengths))
    truncated, idle = 0xC00 + count, 0xF000 + count
    slow = slow_buffer(frames, truncated.tolist(), idle.tolist(), etx, (t1, t2, t3))
    assume(all(-1 not in row for row in slow))  # words that were never stored are refused
    sent = send_buffered(frames, truncated, idle, etx, (t1, t2, t3)).links[: len(lengths)]
    expected = [[row[2 * link] << 16 | row[2 * link + 1] for link in range(etx)] for row in slow]
    assert sent[:, :etx].tolist() == expected
    assert not sent[:, etx:].any()


def test_words_beyond_the_buffer_are_counted_and_lost() -> None:
    """25 words come and 20 go each BX: frame 76 starts at place 380, and its last five are lost."""
    frames = frames_of_lengths([25] * 100)
    idle = np.zeros(100, dtype=int)
    sent = send_buffered(frames, idle, idle, 10, (505, 511, 0))
    assert BUFFER_WORDS == 400
    words = sent.word[:100, :20]
    assert words[95].tolist() == list(range(20))
    # its first five stand in the place of the last five, then the next frame follows
    assert words[96].tolist() == [*range(5), *range(15)]
    assert sent.frame[96, :20].tolist() == [76] * 5 + [77] * 15
    assert words[97].tolist() == [*range(5), *range(5), *range(10)]
    # from BX 80 on nothing is stored: the same twenty words go out again and again
    assert words[99].tolist() == [*range(5)] * 4
    assert sent.frame[99, :20].tolist() == [76] * 5 + [77] * 5 + [78] * 5 + [79] * 5


def test_a_truncated_word_beyond_the_buffer_is_lost_too() -> None:
    frames = frames_of_lengths([26] * 40)
    truncated, idle = np.full(40, 0xC00), np.zeros(40, dtype=int)
    sent = send_buffered(frames, truncated, idle, 1, (410, 511, 0))
    first = 17  # 408 words wait: 26 more are over T1, and the word in their place is over 400
    assert int(frames.lengths[:first].sum()) - 2 * first == 408
    assert not (sent.word == -1)[:, :2].any() or sent.frame[(sent.word == -1)].min() > first


def test_buffer_refuses_to_invent_words() -> None:
    with pytest.raises(InputError, match="not supported"):
        send_buffered(frames_of_lengths([25]), np.array([1]), np.array([2]), 13, (20, 511, 0))
