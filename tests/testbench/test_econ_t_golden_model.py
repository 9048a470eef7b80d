"""The ECON-T golden model: hand-computed corner cases, a slow second writing, recorded vectors."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.foundation.errors import InputError
from testbench.econ_t.autoencoder_frame import autoencoder_frames, data_bits, masked_bits
from testbench.econ_t.conformance import check_folder, check_recordings
from testbench.econ_t.converter import calibrate, convert
from testbench.econ_t.encoder import conv_codes, image, latent_codes
from testbench.econ_t.encoder_weights import EncoderWeights
from testbench.econ_t.golden_model import autoencoder_stages, charges, transmit
from testbench.econ_t.links import pack
from testbench.econ_t.output_buffer import send_at_once
from testbench.econ_t.recordings import find_recordings, read_inputs
from testbench.econ_t.register_file import read_registers
from testbench.econ_t.registers import (
    Algorithm,
    Registers,
    autoencoder_registers,
    encoder_cells,
    latent_mask,
)

SHARED = Path(__file__).parents[3] / "shared" / "econt"
VECTORS = SHARED / "vectors"
needs_vectors = pytest.mark.skipif(
    not VECTORS.is_dir(), reason="needs the recorded vectors in ../shared/econt"
)
CASES = Path(__file__).parents[3] / "shared" / "cases" / "conformance"
needs_cases = pytest.mark.skipif(
    not CASES.is_dir(), reason="needs the recorded cases in ../shared/cases"
)
LARGEST = (2031616 * 4095) >> 11  # largest CALQ: all input bits and the largest calibration


def weights_of(conv: int = 0, conv_bias: int = 0, dense: int = 0, bias: int = 0) -> EncoderWeights:
    return EncoderWeights(
        np.full((3, 3, 1, 8), conv),
        np.full(8, conv_bias),
        np.full((128, 16), dense),
        np.full(16, bias),
    )


def random_weights(seed: int) -> EncoderWeights:
    random = np.random.default_rng(seed)
    shapes = ((3, 3, 1, 8), (8,), (128, 16), (16,))
    return EncoderWeights(*(random.integers(-32, 32, shape) for shape in shapes))


# converter -----------------------------------------------------------------------------------


def test_calibration_floors() -> None:
    codes = np.zeros((1, 48), dtype=int)
    codes[0, :2] = [0, 1]  # 4 and 12 on a high-density module
    registers = Registers(high_density=True, calibration=(300,) * 48)
    assert calibrate(codes, registers)[0, :3].tolist() == [0, 1, 0]  # 0.58, 1.76, 0.58
    moved = replace(registers, mux=(1, 0, *range(2, 48)))
    assert calibrate(codes, moved)[0, :3].tolist() == [1, 0, 0]
    assert calibrate(codes, replace(registers, calibration=(0,) * 48)).max() == 0
    assert calibrate(codes, replace(registers, high_density=False, calibration=(2048,) * 48))[
        0, :3
    ].tolist() == [1, 3, 1]


@pytest.mark.parametrize(
    ("total", "shift", "code", "first_input"),
    [
        (0, 0, 0, 0),
        (1, 0, 1, 128),  # 1 / 2**0 = 1.0 in steps of 2**-7
        (2, 1, 2, 128),
        (3, 1, 3, 192),
        (15, 3, 15, 240),
        (16, 4, 16, 128),
        (255, 7, 4 << 4 | 15, 255),
        (257, 8, 5 << 4, 128),  # the last bit is cut off
        ((1 << 21) - 1, 20, 17 << 4 | 15, 255),
        (1 << 21, 21, 18 << 4, 128),
        (LARGEST, 21, 18 << 4 | 14, 247),
    ],
)
def test_sum_in_one_cell(total: int, shift: int, code: int, first_input: int) -> None:
    calq = np.zeros((1, 48), dtype=int)
    calq[0, 0] = total
    converted = convert(calq)
    assert converted.total.tolist() == [total]
    assert converted.shift.tolist() == [shift]
    assert converted.sum_code.tolist() == [code]
    assert converted.inputs[0].tolist() == [first_input] + [0] * 47


def test_largest_charges_everywhere() -> None:
    converted = convert(np.full((1, 48), LARGEST))
    assert converted.shift.tolist() == [21]  # the sum has 28 bits, the shift stops at 21
    assert converted.sum_code.tolist() == [24 << 4 | 7]
    assert set(converted.inputs[0].tolist()) == {LARGEST >> 14}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, LARGEST), min_size=48, max_size=48))
def test_inputs_are_charges_over_a_power_of_two(calq: list[int]) -> None:
    converted = convert(np.array([calq]))
    total = sum(calq)
    shift = min(max(total.bit_length() - 1, 0), 21)
    expected = [charge * 128 // 2**shift for charge in calq]
    assert converted.inputs[0].tolist() == expected
    assert max(expected) < 256


# encoder -------------------------------------------------------------------------------------


def test_image_leaves_the_fourth_quadrant_empty() -> None:
    pixels = image(np.arange(1, 49)[None])[0]
    assert pixels[0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert pixels[4].tolist() == [33, 34, 35, 36, 0, 0, 0, 0]
    assert pixels[7].tolist() == [45, 46, 47, 48, 0, 0, 0, 0]


def test_each_product_is_floored() -> None:
    inputs = np.ones((1, 48), dtype=int)  # 2**-7 in every cell
    # each of the nine products -1 * 2**-12 becomes -2**-7, then the bias of 20 / 32 is added
    features = conv_codes(inputs, weights_of(conv=-1, conv_bias=20))
    assert features[0, 0, 0].tolist() == [80 - 9] * 8
    assert features[0, 3, 3].tolist() == [80] * 8  # all nine taps see zeros
    # products of +2**-12 vanish
    assert conv_codes(inputs, weights_of(conv=31))[0].max() == 0
    ones = np.ones((1, 4, 4, 8), dtype=int)
    assert latent_codes(ones, weights_of(dense=-1, bias=31))[0].tolist() == [248 - 128] * 16
    assert latent_codes(ones, weights_of(dense=15, bias=1))[0].tolist() == [8] * 16


def test_relu_and_saturation() -> None:
    nothing = np.zeros((1, 48), dtype=int)
    assert conv_codes(nothing, weights_of(conv_bias=-32)).max() == 0
    features = conv_codes(nothing, weights_of(conv_bias=31))
    assert set(features.ravel().tolist()) == {124}
    assert latent_codes(features, weights_of(dense=31))[0].tolist() == [511] * 16
    assert latent_codes(features, weights_of(dense=-32, bias=31))[0].tolist() == [0] * 16


def slow_encoder(inputs: list[int], weights: EncoderWeights) -> tuple[np.ndarray, list[int]]:
    """The encoder once more, one product at a time, in Python's integers."""
    pixel = {}
    for place, code in enumerate(inputs):
        row, column = divmod(place, 8) if place < 32 else (4 + (place - 32) // 4, place % 4)
        pixel[row, column] = code
    features = np.zeros((4, 4, 8), dtype=int)
    for row, column, channel in np.ndindex(4, 4, 8):
        total = int(weights.conv_bias[channel]) * 4
        for y, x in np.ndindex(3, 3):
            product = pixel.get((2 * row + y, 2 * column + x), 0) * int(
                weights.conv_kernel[y, x, 0, channel]
            )
            total += product // 32
        features[row, column, channel] = max(total, 0)
    latents = []
    for output in range(16):
        total = int(weights.dense_bias[output]) * 8
        for feature, weight in zip(
            features.ravel().tolist(), weights.dense_kernel[:, output].tolist(), strict=True
        ):
            total += feature * weight // 16
        latents.append(min(max(total, 0), 511))
    return features, latents


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 255), min_size=48, max_size=48), st.integers(0, 10**6))
def test_encoder_agrees_with_its_slow_writing(inputs: list[int], seed: int) -> None:
    weights = random_weights(seed)
    features, latents = slow_encoder(inputs, weights)
    assert np.array_equal(conv_codes(np.array([inputs]), weights)[0], features)
    assert latent_codes(features[None], weights)[0].tolist() == latents


# frame of the autoencoder --------------------------------------------------------------------


def test_data_bits_end_at_five_links() -> None:
    assert [data_bits(etx) for etx in range(1, 8)] == [18, 50, 82, 114, 146, 146, 146]


def autoencoder_links(latents: np.ndarray, etx: int, mask: int = 2**144 - 1) -> list[int]:
    frames = autoencoder_frames(np.array([31]), np.array([0x155]), latents, etx, mask)
    links = send_at_once(frames, etx).links[0].tolist()
    assert not any(links[etx:])
    return links[:etx]


def test_frame_on_five_links() -> None:
    latents = np.zeros((1, 16), dtype=int)
    latents[0, 15], latents[0, 0] = 0x100, 0x001
    # header 11111, sum 101010101, two zeros, then the last latent's highest bit
    top = 0b11111_101010101_00 << 16 | 1 << 15
    assert autoencoder_links(latents, 5) == [top, 0, 0, 0, 1]
    assert autoencoder_links(latents, 13)[:5] == [top, 0, 0, 0, 1]


def test_fewer_links_carry_the_last_bits() -> None:
    latents = np.zeros((1, 16), dtype=int)
    latents[0, 0], latents[0, 1], latents[0, 2] = 0x1FF, 0x0AA, 0x155
    start = 0b11111_101010101 << 18
    assert autoencoder_links(latents, 1) == [start | 0x0AA << 9 | 0x1FF]
    assert autoencoder_links(latents, 2) == [start, 0x155 << 18 | 0x0AA << 9 | 0x1FF]


def test_mask_removes_bits_and_the_rest_move_to_the_end() -> None:
    latents = np.full((1, 16), 0b101000000)
    start = 0b11111_101010101 << 18
    everything = int("101" * 16, 2)
    assert autoencoder_links(latents, 2, latent_mask(3)) == [
        start | everything >> 32,
        everything & 0xFFFFFFFF,
    ]
    latents[:] = 0
    latents[0, 15] = 0x100
    assert autoencoder_links(latents, 1, 1 << 143) == [start | 1]
    assert autoencoder_links(latents, 1, 1 << 142) == [start]
    assert autoencoder_links(latents, 1, 0) == [start]
    assert masked_bits(latents, 1 << 143).tolist() == [[1]]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 511), min_size=16, max_size=16),
    st.integers(0, 2**144 - 1),
    st.integers(1, 13),
)
def test_frames_decode(latents: list[int], mask: int, etx: int) -> None:
    links = autoencoder_links(np.array([latents]), etx, mask)
    bits = "".join(f"{link:032b}" for link in links)
    everything = "".join(f"{latent:09b}" for latent in reversed(latents))
    kept = "".join(
        bit for bit, keep in zip(everything, f"{mask:0144b}", strict=True) if keep == "1"
    )
    size = min(18 + 32 * (etx - 1), 146)
    assert bits[:14] == "11111101010101"
    assert bits[14 : 14 + size] == kept[-size:].rjust(size, "0")
    assert "1" not in bits[14 + size :]


# whole path ----------------------------------------------------------------------------------


def random_inputs(count: int, seed: int = 0) -> np.ndarray:
    codes = np.random.default_rng(seed).integers(0, 128, (count, 48))
    return pack(codes, np.arange(count) % 3564)


@pytest.mark.parametrize("etx", [1, 2, 5, 13])
@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_headers_of_every_algorithm(algorithm: Algorithm, etx: int) -> None:
    registers = replace(
        autoencoder_registers(weights_of(), etx), algorithm=algorithm, threshold=(1 << 22,) * 48
    )
    if algorithm is Algorithm.SUPER_TRIGGER_CELL:
        registers = replace(registers, etx=min(etx, 2))
    links = transmit(random_inputs(20), registers).links
    short = algorithm in (Algorithm.SUPER_TRIGGER_CELL, Algorithm.BEST_CHOICE)
    first = links[:20, 0] >> (28 if short else 27)
    assert first.tolist() == [15 if short else 31] + [
        bx % (8 if short else 16) for bx in range(1, 20)
    ]
    assert not links[:, registers.etx :].any()


def test_stages_fit_together() -> None:
    registers = autoencoder_registers(random_weights(3), etx=3)
    words = random_inputs(50)
    stages = autoencoder_stages(words, registers)
    assert np.array_equal(stages.links, transmit(words, registers).links)
    assert np.array_equal(stages.calq, charges(words, registers))
    assert stages.features.shape == (50, 4, 4, 8) and stages.latents.shape == (50, 16)
    assert stages.masked.shape == (50, 80) and stages.headers[0] == 31


def test_what_is_not_known_is_refused() -> None:
    registers = autoencoder_registers(random_weights(0))
    with pytest.raises(InputError, match="encoder weights"):
        transmit(random_inputs(1), replace(registers, weights=None))
    with pytest.raises(InputError, match="buff_t1 9 is below the frame's 10 words"):
        transmit(random_inputs(1), replace(registers, buffer_t1=9))


# recorded vectors ----------------------------------------------------------------------------


@needs_vectors
@pytest.mark.shared
def test_every_recorded_vector_is_exact() -> None:
    inputs = read_inputs(VECTORS / "testInput.csv")
    verdicts = [check_folder(path, inputs) for path in sorted(VECTORS.iterdir()) if path.is_dir()]
    assert len(verdicts) >= 10
    assert [verdict for verdict in verdicts if not verdict.passed] == []


@needs_cases
@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "crossings"),
    [("best_choice_zero_charge", 1), ("production_map_order", 1), ("threshold_sum_buffer", 97)],
)
def test_recorded_cases_are_exact(name: str, crossings: int) -> None:
    [recording] = find_recordings(CASES / name).recordings
    [verdict] = check_recordings([recording])
    assert verdict.passed
    assert (verdict.exact, verdict.total, verdict.unrecorded) == (crossings, crossings, 0)


@needs_vectors
@pytest.mark.shared
def test_charges_are_those_of_the_training_data() -> None:
    """The registers of the vectors lead each cell to the encoder input where training has it."""
    registers = read_registers(VECTORS / "AE" / "init.yaml")
    ours = autoencoder_registers(random_weights(0))
    assert (ours.mux, ours.high_density) == (registers.mux, registers.high_density)
    calq = charges(read_inputs(VECTORS / "testInput.csv"), registers)
    with (SHARED / "nElinks_5" / "ttbar_pu200_module.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    cells = np.array([[int(row[f"CALQ_{cell}"]) for cell in range(48)] for row in rows])
    assert np.array_equal(calq, cells[:, list(encoder_cells())])
