"""Flips of stored weight bits: which bits there are, and what a flip changes, exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat
from models.data.geometry import ARRANGEMENTS
from models.networks.econ_t_formats import CONV_KERNEL, DENSE_KERNEL, LATENT, WEIGHT
from models.upsets.damage import Damage, Measure, bits_for, in_order
from models.upsets.exposure import Curve, Exposure
from models.upsets.many_flips import Sampled, sample_rate
from models.upsets.representative import representative
from models.upsets.stored_bits import StoredBits, flipped, stored_bits

FORMATS = st.builds(
    FixedFormat, st.integers(2, 9), st.integers(-2, 4), st.booleans(), st.just("RND_CONV"),
    st.sampled_from(["SAT", "SAT_SYM"]),
)  # fmt: skip


# --- bits -----------------------------------------------------------------------------------------
@given(FORMATS, st.data())
def test_a_flip_changes_one_bit_and_two_flips_nothing(number, data):
    codes = np.array(data.draw(st.lists(st.integers(number.min_code, number.max_code), min_size=1)))
    bit = data.draw(st.integers(0, number.width - 1))
    after = flipped(codes, np.array(bit), number)
    assert np.array_equal(flipped(after, np.array(bit), number), codes)
    size = 1 << number.width
    assert np.array_equal((after % size) ^ (codes % size), np.full_like(codes, 1 << bit))
    low = -(1 << (number.width - 1)) if number.signed else 0
    assert low <= after.min() <= after.max() < low + size
    is_sign = number.signed and bit == number.width - 1
    assert set(np.abs(after - codes)) == {1 << bit}
    if is_sign:
        assert np.array_equal(after > codes, codes < 0)


def some_bits() -> StoredBits:
    codes = {"a/kernel": np.array([[3, -4], [0, 1]]), "a/bias": np.array([1, 2])}
    formats = {"a/kernel": FixedFormat(3, 1), "a/bias": FixedFormat(2, 2, signed=False)}
    return stored_bits(codes, formats)


def test_all_bits_are_counted_once_and_know_their_weight():
    bits = some_bits()
    assert len(bits) == 4 * 3 + 2 * 2
    assert bits.array.tolist() == [0] * 12 + [1] * 4
    assert bits.element[[0, 3, 11, 12, 15]].tolist() == [0, 1, 3, 0, 1]
    assert bits.bit[:4].tolist() == [0, 1, 2, 0]
    assert bits.from_top[[0, 2, 12, 13]].tolist() == [2, 0, 1, 0]
    # 3 is 011: its sign makes it 3 - 4, its lowest bit 2; steps of 1/4
    assert bits.change[[0, 1, 2]].tolist() == [-0.25, -0.5, -1.0]
    assert bits.change[[12, 13]].tolist() == [-1.0, 2.0]


@given(st.sets(st.integers(0, 15)))
def test_many_flips_are_the_flips_of_each_bit(numbers):
    bits = some_bits()
    which = np.isin(np.arange(16), list(numbers))
    expected = [array.codes.ravel().copy() for array in bits.arrays]
    for number in numbers:
        of = bits.array[number]
        at = bits.element[number]
        expected[of][at] = flipped(expected[of][at], bits.bit[number], bits.arrays[of].format)
    for codes, after in zip(bits.with_flips(which), expected, strict=True):
        assert np.array_equal(codes.ravel(), after)


# --- an encoder -----------------------------------------------------------------------------------
def chip_encoder(seed: int = 0, latent_bits: int = 9):
    """An encoder in the chip's arithmetic with random weights; latent 3 is fed by nothing."""
    from testbench.econ_t.encoder_weights import EncoderWeights
    from testbench.econ_t.keras_encoder import network_of

    rng = np.random.default_rng(seed)
    dense = rng.integers(-9, 10, DENSE_KERNEL)
    dense[:, 3] = 0
    weights = EncoderWeights(
        rng.integers(-20, 32, CONV_KERNEL),
        rng.integers(-3, 4, 8),
        dense,
        rng.integers(-3, 20, 16),
    )
    return network_of(weights, latent_bits), weights


def some_modules(count: int = 12):
    rng = np.random.default_rng(5)
    calq = rng.exponential(60, (count, 48)) * (rng.random((count, 48)) < 0.4)
    calq[:, 0] += 1
    return calq.astype(np.float32).round()


def images_of(calq):
    from models.data.normalisation import normalise

    return ARRANGEMENTS["8x8"].to_images(normalise(calq)[0])


def decode(latents, modules):
    """A decoder that shows the latents as cells, three cells each."""
    return np.repeat(latents, 3, axis=1) + np.float32(0.01)


@pytest.fixture(scope="module")
def flippable():
    from models.upsets.flippable_encoder import FlippableEncoder

    network, weights = chip_encoder()
    calq = some_modules()
    return FlippableEncoder(network, images_of(calq)), weights, calq


def golden(codes, calq):
    from testbench.econ_t.encoder_weights import EncoderWeights
    from testbench.econ_t.keras_encoder import golden_latents

    return golden_latents(images_of(calq), EncoderWeights(*codes))


def test_all_bits_of_the_chips_encoder_are_stored(flippable):
    encoder, _, calq = flippable
    assert len(encoder.bits) == 12_864
    assert {array.format for array in encoder.bits.arrays} == {WEIGHT.with_modes("RND_CONV", "SAT")}
    blocks = encoder.blocks()
    assert len(blocks) == 8 + 16
    numbers = np.concatenate([block.bits for block in blocks])
    assert np.array_equal(np.sort(numbers), np.arange(12_864))
    unflipped = [array.codes for array in encoder.bits.arrays]
    assert np.array_equal(encoder.codes, golden(unflipped, calq))


def test_the_fast_way_gives_what_the_golden_model_gives_with_that_bit_flipped(flippable):
    """Of both layers, of kernels and biases, of every bit of a weight."""
    encoder, _, calq = flippable
    rng = np.random.default_rng(2)
    changed_any = 0
    for block in encoder.blocks()[::3]:
        found = list(encoder.after_flips(block))
        picked = set(rng.choice(len(block.bits), 12, replace=False))
        picked |= set(range(len(block.bits) - 6, len(block.bits)))  # of the bias
        for at in sorted(picked):
            flips = np.zeros(len(encoder.bits), bool)
            flips[block.bits[at]] = True
            expected = golden(encoder.bits.with_flips(flips), calq)
            modules, codes = found[at]
            after = encoder.codes.copy()
            after[modules] = codes
            assert np.array_equal(after, expected)
            assert (codes != encoder.codes[modules]).any(axis=1).all()
            changed_any += len(modules)
    assert changed_any > 100


@pytest.mark.parametrize("latent_bits", [3, 9])
def test_the_fast_way_gives_what_the_plain_way_gives(latent_bits):
    from models.upsets.flippable_encoder import FlippableEncoder

    calq = some_modules(12)
    encoder = FlippableEncoder(chip_encoder(1, latent_bits)[0], images_of(calq))
    everything = np.arange(len(calq))
    for block in encoder.blocks()[5::9]:
        for number, (modules, codes) in list(
            zip(block.bits, encoder.after_flips(block), strict=True)
        )[::37]:
            flips = np.zeros(len(encoder.bits), bool)
            flips[number] = True
            after = encoder.codes.copy()
            after[modules] = codes
            plain = encoder.latents(encoder.bits.with_flips(flips), everything)
            assert np.array_equal(after, plain)
    unflipped = [array.codes for array in encoder.bits.arrays]
    assert np.array_equal(encoder.latents(unflipped, everything), encoder.codes)


@pytest.mark.parametrize("name", ["8x8_c8_S2_tele_qK", "8x8_c8c4_d32_tele_qK"])
def test_encoders_of_plain_qkeras_are_flipped_exactly(name):
    """Of several layers too; some of them in a symmetric format, which a flip can leave."""
    from models.networks.encoder import build_networks
    from models.networks.zoo import load_model_spec
    from models.upsets.flippable_encoder import FlippableEncoder

    spec = load_model_spec(name)
    from models.keras_backend import keras

    keras.utils.set_random_seed(3)
    network = build_networks(spec).encoder
    calq = some_modules(10)
    images = spec.image.to_images((calq / calq.sum(axis=1, keepdims=True)).astype(np.float32))
    trained = np.asarray(network.predict_on_batch(images))
    encoder = FlippableEncoder(network, images)
    assert np.array_equal(encoder.format.to_values(encoder.codes), trained)
    everything = np.arange(len(calq))
    changed = 0
    for block in encoder.blocks()[::5]:
        pairs = list(zip(block.bits, encoder.after_flips(block), strict=True))
        for number, (modules, codes) in pairs[:: max(1, len(pairs) // 6)]:
            flips = np.zeros(len(encoder.bits), bool)
            flips[number] = True
            after = encoder.codes.copy()
            after[modules] = codes
            plain = encoder.latents(encoder.bits.with_flips(flips), everything)
            assert np.array_equal(after, plain)
            changed += len(modules)
    assert changed


def test_an_encoder_in_floating_point_has_no_stored_bits():
    from models.networks.encoder import build_networks
    from models.networks.zoo import load_model_spec
    from models.upsets.flippable_encoder import FlippableEncoder

    network = build_networks(load_model_spec("8x8_c8_S2_tele")).encoder
    with pytest.raises(InputError, match="no stored bits"):
        FlippableEncoder(network, np.zeros((1, 8, 8, 1), np.float32))


# --- damage ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def damage(flippable):
    """Of the bits of one filter and of two latents: numbers of the bits, and their damage."""
    encoder, _, calq = flippable
    measure = Measure(encoder, calq, decode)
    blocks = [encoder.blocks()[at] for at in (2, 8, 15)]
    found = [measure.of_block(block) for block in blocks]
    means = {name: np.concatenate([d.arrays()[name] for d in found]) for name in found[0].arrays()}
    return measure, np.concatenate([block.bits for block in blocks]), Damage(**means)


def test_damage_is_the_change_of_the_distance_of_each_module(flippable, damage):
    from models.quality.emd import emd

    encoder, _, calq = flippable
    measure, numbers, found = damage
    before = emd(calq, decode(LATENT.to_values(encoder.codes), None))
    assert np.allclose(measure.before, before, atol=1e-12)
    order = np.argsort(-found.mean)
    for at in [*order[:3], *order[600:603], order[-1]]:
        flips = np.zeros(len(encoder.bits), bool)
        flips[numbers[at]] = True
        codes = golden(encoder.bits.with_flips(flips), calq)
        change = emd(calq, decode(LATENT.to_values(codes), None)) - before
        assert found.mean[at] == pytest.approx(change.mean(), abs=1e-6)
        assert found.worst[at] == pytest.approx(max(change.max(), 0), abs=1e-6)
        assert found.changed[at] == (codes != encoder.codes).any(axis=1).mean()


def test_a_sign_of_a_weight_whose_input_is_always_zero_changes_nothing(flippable, damage):
    """The features of the empty quadrant depend on the convolution's bias alone; where that is not
    positive they are zero, and so is all that their weights do."""
    encoder, weights, _ = flippable
    _, numbers, found = damage
    dead = np.flatnonzero(weights.conv_bias <= 0)
    assert len(dead)
    features = 8 * (4 * 3 + 3) + dead  # the last window sees the empty quadrant and padding alone
    bits = encoder.bits
    of_dense = np.array([array.codes.ndim == 2 for array in bits.arrays])[bits.array[numbers]]
    of_dead = of_dense & np.isin(bits.element[numbers] // 16, features)
    signs = of_dead & (bits.from_top[numbers] == 0)
    assert signs.sum() == 2 * len(dead)
    assert not found.changed[of_dead].any()
    assert not found.mean[of_dead].any()


def test_the_blocks_are_put_in_the_order_of_the_bits(flippable):
    encoder, _, _ = flippable
    blocks = encoder.blocks()
    made = [Damage(*[block.bits.astype(float)] * 7) for block in blocks]
    assert np.array_equal(in_order(encoder, blocks, made).mean, np.arange(len(encoder.bits)))
    with pytest.raises(ValueError, match="not all bits once"):
        in_order(encoder, blocks[1:], made[1:])


def test_the_sign_of_the_largest_weight_of_the_busiest_input_is_found_on_top():
    from models.upsets.flippable_encoder import FlippableEncoder
    from testbench.econ_t.encoder_weights import EncoderWeights
    from testbench.econ_t.keras_encoder import network_of

    conv, dense = np.zeros(CONV_KERNEL, int), np.zeros(DENSE_KERNEL, int)
    conv[0, 0, 0, 2] = 31  # one filter copies the corner of each window
    dense[2 + 8 * np.arange(12), np.arange(12)] = 1  # each latent is one feature, weakly
    dense[2, 5] = 31  # but for the large weight
    network = network_of(EncoderWeights(conv, np.zeros(8, int), dense, np.full(16, 2)))
    calq = np.zeros((30, 48), np.float32)
    calq[:, ARRANGEMENTS["8x8"].cell[0]] = np.arange(30) + 100  # all charge at that corner
    encoder = FlippableEncoder(network, images_of(calq))
    measure = Measure(encoder, calq, lambda latents, _: np.repeat(latents, 3, axis=1))
    block = next(b for b in encoder.blocks() if b.layer == "encoded_vector" and b.output == 5)
    found = measure.of_block(block)
    parts = [encoder.bits.arrays[at].part for at in encoder.bits.array[block.bits]]
    kernel = [i for i, part in enumerate(parts) if part == "kernel"]
    worst = block.bits[max(kernel, key=lambda i: abs(found.mean[i]))]
    assert encoder.bits.element[worst] == 2 * 16 + 5
    assert encoder.bits.from_top[worst] == 0


def test_a_module_that_comes_back_empty_counts_with_the_largest_distance(flippable):
    from models.data.geometry import cell_distances

    encoder, _, calq = flippable
    measure = Measure(encoder, calq, lambda latents, _: np.repeat(latents, 3, axis=1))
    nothing = np.zeros((2, 16), np.int64)
    distances, empty = measure.distances(np.array([0, 1]), nothing)
    assert empty.all()
    assert np.array_equal(distances, np.full(2, cell_distances().max()))


def test_bits_with_a_share_of_the_damage():
    harm = np.array([1.0, 0.0, 6.0, 3.0])
    assert [bits_for(harm, share) for share in (0.5, 0.6, 0.61, 0.9, 0.99, 1)] == [1, 1, 2, 2, 3, 3]
    assert bits_for(np.zeros(3), 0.99) == 0


# --- modules, many flips, time --------------------------------------------------------------------
def test_chosen_modules_have_the_occupancies_of_all():
    from models.quality.quality import occupancy

    rng = np.random.default_rng(1)
    busy = rng.integers(0, 30, 5000)
    calq = np.where(np.arange(48) < busy[:, None], 50.0, 0.0)
    chosen = representative(calq, 500)
    assert len(set(chosen.tolist())) == 500
    assert calq[chosen].any(axis=1).all()
    filled = occupancy(calq[busy > 0])
    for count in range(1, 30):
        expected = 500 * (filled == count).mean()
        assert abs((occupancy(calq[chosen]) == count).sum() - expected) <= 1
    few = calq[:20]
    assert np.array_equal(representative(few, 100), np.flatnonzero(few.any(axis=1)))


def test_sampled_memories_repeat_and_safe_bits_stay(flippable):
    encoder, _, calq = flippable
    measure = Measure(encoder, calq, decode)
    options = {"memories": 4, "modules": 10, "seed": (1, 2)}
    first = sample_rate(encoder, measure, 0.01, **options)
    assert first == sample_rate(encoder, measure, 0.01, **options)
    # the encoder is not trained: flips may bring its modules nearer, too
    assert first.change != 0 and first.standard_error > 0 and first.worst > first.change
    safe = np.ones(len(encoder.bits), bool)
    assert sample_rate(encoder, measure, 0.5, **options, safe=safe) == Sampled(0.5, 0.0, 0.0, 0.0)
    unflipped = [array.codes for array in encoder.bits.arrays]
    assert np.array_equal(encoder.latents(unflipped, np.arange(len(calq))), encoder.codes)


def test_times_and_rates():
    exposure = Exposure(2e7, 1e-14)
    assert exposure.mean_time(12_864) == pytest.approx(1 / (12_864 * 2e-7))
    assert exposure.mean_time(0) is None
    assert exposure.bit_error_rate(1.0) == pytest.approx(2e-7, rel=1e-6)
    assert exposure.bit_error_rate(1e12) == pytest.approx(0.5)
    curve = Curve(100.0, [Sampled(1e-4, 0.3, 0.1, 1), Sampled(0.5, 2.0, 0.1, 3)])
    assert curve.change(0) == 0
    assert curve.change(5e-5) == pytest.approx(5e-3)  # one flip at a time, known exactly
    assert curve.change(0.5) == pytest.approx(2.0)
    assert 0 < curve.mean_over(exposure, 600) < curve.at(exposure, 600) < curve.at(exposure, 36e3)
    assert curve.mean_over(exposure, 100) == pytest.approx(100 * 2e-7 * 100 / 2, rel=1e-3)


def test_the_cheap_ranking_finds_the_harmful_bits(flippable):
    """On a decoder that is linear, where the first order is nearly all there is."""
    from scipy.stats import spearmanr

    from models.keras_backend import keras
    from models.upsets.cheap_ranking import first_order_scores

    network, _ = chip_encoder()
    calq = some_modules()
    latents = keras.layers.Input((16,))
    x = keras.layers.Dense(64, use_bias=False, name="show")(latents)
    decoder = keras.Model(latents, keras.layers.Reshape((8, 8, 1))(x))
    arrangement = ARRANGEMENTS["8x8"]
    shown = np.zeros((16, 64), np.float32)
    shown[np.arange(48) // 3, arrangement.pixel_of_cell()] = 1
    decoder.set_weights([shown])
    encoder, _, _ = flippable
    scores = first_order_scores(
        network, decoder, encoder.bits, images=images_of(calq), arrangement=arrangement, seed=1
    )
    again = first_order_scores(
        network, decoder, encoder.bits, images=images_of(calq), arrangement=arrangement, seed=1
    )
    assert np.array_equal(scores, again)
    measure = Measure(
        encoder, calq, lambda codes, _: arrangement.to_cells(decoder(codes).numpy()) + 1e-6
    )
    block = encoder.blocks()[8]
    found = measure.of_block(block)
    assert spearmanr(scores[block.bits], np.abs(found.mean)).statistic > 0.5
