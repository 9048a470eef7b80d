"""The Keras layers of the ECON-T encoder against plain integer arithmetic and the golden model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat, parse_format
from hw.foundation.integer_evaluation import evaluate
from models.keras_backend import keras, qkeras, tf
from models.networks.econ_t_encoder import (
    build_econ_t_encoder,
    chip_layers,
    chip_weights,
    has_chip_arithmetic,
    hls_formats,
    on_chip,
)
from models.networks.econ_t_formats import (
    CONV_SUM,
    DENSE_SUM,
    FEATURE,
    INPUT,
    LATENT,
    latent_format,
)
from models.networks.encoder import build_networks
from models.networks.floored_layers import FixedPoint, FlooredConv2D, floored_products
from models.networks.inference import outputs_of
from models.networks.integer_reader import read_network
from models.networks.network_files import load_architecture, load_network
from models.networks.zoo import load_model_spec
from testbench.econ_t.encoder import feature_codes, latent_codes
from testbench.econ_t.encoder_weights import EncoderWeights
from testbench.econ_t.keras_encoder import golden_latents, network_of, weights_of

SHAPES = ((3, 3, 1, 8), (8,), (128, 16), (16,))
EXTREMES = (-32, 31)
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def encoder():
    """One network for many weights: building it takes longer than running it."""
    return build_econ_t_encoder(9)


@st.composite
def encoder_weights(draw) -> EncoderWeights:
    """Any codes; or mostly the largest and smallest ones, which make the largest sums."""
    rng = np.random.default_rng(draw(SEEDS))
    pool = draw(st.sampled_from([np.arange(-32, 32), (-32, -1, 0, 1, 31), EXTREMES, (31,), (-32,)]))
    return EncoderWeights(*(rng.choice(pool, shape) for shape in SHAPES))


@st.composite
def images(draw) -> np.ndarray:
    """Images (20, 8, 8, 1): on the input's grid, off it, at its limits, beyond them, sparse."""
    rng = np.random.default_rng(draw(SEEDS))
    shape = (20, 8, 8, 1)
    kind = draw(st.sampled_from(["codes", "values", "full", "zero", "beyond", "sparse"]))
    match kind:
        case "codes":
            found = rng.integers(0, 256, shape) / 128
        case "values":
            found = rng.uniform(0, 2, shape)
        case "full":
            found = np.full(shape, 255 / 128)
        case "zero":
            found = np.zeros(shape)
        case "beyond":
            found = rng.uniform(-5, 5, shape)
        case _:
            found = rng.uniform(0, 2, shape) * (rng.random(shape) < 0.1)
    return found.astype(np.float32)


def _set(network: keras.Model, weights: EncoderWeights) -> None:
    network.set_weights([codes / 32 for codes in weights.arrays().values()])


@settings(max_examples=60, deadline=None)
@given(encoder_weights(), images(), st.sampled_from([1, 3, 5, 7, 9]))
def test_keras_equals_the_golden_model_in_every_code(encoder, weights, images, bits):
    _set(encoder, weights)
    features = keras.Model(encoder.input, encoder.get_layer("accum1_qa").output)
    codes = INPUT.to_codes(images[..., 0])
    expected = feature_codes(codes, weights)
    assert np.array_equal(features(images).numpy() * 128, expected)
    found = encoder(images).numpy()
    assert np.array_equal(found * 256, latent_codes(expected, weights))
    cut = FixedPoint(str(latent_format(bits)))(found).numpy()
    assert np.array_equal(cut * 2 ** (bits - 1), golden_latents(images, weights, bits))


@pytest.mark.parametrize("bits", [1, 3, 5, 7, 9])
def test_latents_keep_the_highest_bits_of_the_nine(bits):
    rng = np.random.default_rng(bits)
    weights = EncoderWeights(*(rng.integers(-32, 32, shape) for shape in SHAPES))
    images = rng.uniform(0, 0.2, (200, 8, 8, 1)).astype(np.float32)
    found = outputs_of(network_of(weights, bits), images) * 2 ** (bits - 1)
    assert np.array_equal(found, golden_latents(images, weights) >> (9 - bits))
    assert found.max() == 2**bits - 1 and found.min() == 0  # saturation at both ends is reached


@pytest.mark.parametrize(("conv", "dense"), [(31, -32), (31, 31), (-32, 31)])
def test_no_weights_and_image_leave_the_formats_of_the_sums(conv, dense):
    codes = zip(SHAPES, (conv, conv, dense, dense), strict=True)
    weights = EncoderWeights(*(np.full(shape, code) for shape, code in codes))
    features = feature_codes(np.full((1, 8, 8), INPUT.max_code), weights)
    assert CONV_SUM.min_code <= 9 * (255 * conv >> 5) + 4 * conv <= CONV_SUM.max_code
    assert features.max() <= FEATURE.max_code
    sums = ((features.reshape(1, -1)[..., None] * weights.dense_kernel) >> 4).sum(axis=1)
    sums += 8 * weights.dense_bias
    assert DENSE_SUM.min_code <= sums.min() and sums.max() <= DENSE_SUM.max_code
    if (conv, dense) == (31, -32):  # one bit less would be too few
        assert features.max() > FEATURE.max_code // 2
        assert sums.min() < DENSE_SUM.min_code // 2


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(2, 8), st.booleans(), st.sampled_from(["TRN,WRAP", "TRN,SAT"]))
def test_fixed_point_layer_equals_the_format(seed, width, signed, modes):
    number = parse_format(f"{'' if signed else 'u'}fixed<{width},2,{modes}>")
    values = np.random.default_rng(seed).uniform(-9, 9, 300).astype(np.float32)
    assert np.array_equal(FixedPoint(str(number))(values).numpy(), number.quantise(values))


def test_fixed_point_layer_passes_the_gradient_within_the_range():
    values = tf.constant([-0.1, 0.0, 0.3, 1.99, 2.0, 5.0])
    for text, expected in (("ufixed<3,1,TRN,SAT>", [0, 1, 1, 1, 0, 0]), ("fixed<9,8>", [1] * 6)):
        with tf.GradientTape() as tape:
            tape.watch(values)
            total = tf.reduce_sum(FixedPoint(text)(values))
        assert tape.gradient(total, values).numpy().tolist() == expected


@pytest.mark.parametrize("text", ["fixed<8,1,RND,SAT>", "fixed<8,1,TRN,SAT_SYM>"])
def test_fixed_point_layer_refuses_other_modes(text):
    with pytest.raises(ValueError, match="TRN with WRAP or SAT"):
        FixedPoint(text)


def test_floored_products_have_the_gradient_of_the_plain_product():
    rng = np.random.default_rng(0)
    a = tf.constant(rng.random((4, 3, 5)), tf.float32)
    w = tf.constant(rng.normal(size=(5, 2)), tf.float32)
    target = tf.constant(rng.normal(size=(4, 3, 2)), tf.float32)
    gradients = []
    for product in (lambda: floored_products(a, w, 4), lambda: a @ w):
        with tf.GradientTape() as tape:
            tape.watch([a, w])
            total = tf.reduce_sum(product() * target)
        gradients.append(tape.gradient(total, [a, w]))
    for ours, plain in zip(*gradients, strict=True):
        assert ours.shape == plain.shape
        assert np.allclose(ours, plain, atol=1e-5)
    exact = (np.floor(a.numpy()[..., None] * w.numpy() * 16) / 16).sum(axis=-2)
    assert np.array_equal(floored_products(a, w, 4), exact.astype(np.float32))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_floored_layers_of_other_shapes(padding):
    """Several channels, other strides, activation and no bias: an integer loop over all taps."""
    rng = np.random.default_rng(1)
    conv = FlooredConv2D(
        3, (2, 3), strides=(1, 2), padding=padding, use_bias=False, activation="relu",
        kernel_quantizer="quantized_bits(6,0,alpha=1)", product_fraction=4,
    )  # fmt: skip
    images = rng.integers(0, 16, (5, 6, 7, 2)) / 8
    found = conv(images.astype(np.float32)).numpy() * 16
    kernel = np.rint(np.asarray(conv.kernel_quantizer_internal(conv.kernel)) * 32).astype(int)
    codes = np.rint(images * 8).astype(int)
    plain = keras.layers.Conv2D(3, (2, 3), strides=(1, 2), padding=padding, use_bias=False)
    assert plain(images).shape == found.shape
    if padding == "same":
        codes = np.pad(codes, ((0, 0), (0, 1), (1, 1), (0, 0)))
    for y, x in np.ndindex(found.shape[1:3]):
        patch = codes[:, y : y + 2, 2 * x : 2 * x + 3, :, None]
        sums = (patch * kernel >> 4).sum(axis=(1, 2, 3))
        assert np.array_equal(found[:, y, x], np.maximum(sums, 0))


def test_floored_convolution_needs_channels_last():
    with pytest.raises(ValueError, match="channels last"):
        FlooredConv2D(3, 2, data_format="channels_first", product_fraction=4)


# --- the encoder as a Keras network ---------------------------------------------------------------
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_encoder_is_read_back_from_its_file(encoder, tmp_path, suffix):
    _set(encoder, EncoderWeights(*(np.random.default_rng(3).integers(-32, 32, s) for s in SHAPES)))
    file = tmp_path / f"encoder{suffix}"
    encoder.save(file)
    again = load_network(file)
    assert has_chip_arithmetic(again)
    assert weights_of(again) == weights_of(encoder)
    (tmp_path / "encoder.json").write_text(encoder.to_json())
    assert has_chip_arithmetic(load_architecture(tmp_path / "encoder.json"))


@pytest.mark.parametrize(
    ("model", "bits"),
    [("econ_t", 9), ("econ_t_4elinks", 7), ("econ_t_3elinks", 5), ("econ_t_2elinks", 3)],
)
def test_zoo_models_have_the_chips_arithmetic_and_latents(model, bits):
    spec = load_model_spec(model)
    encoder = build_networks(spec).encoder
    assert has_chip_arithmetic(encoder)
    assert encoder.count_params() == 2144
    assert hls_formats(encoder)["encod_qa"]["result"] == FixedFormat(bits, 1, False, "TRN", "SAT")
    assert spec.compare_with
    plain = build_networks(load_model_spec(spec.compare_with)).encoder
    assert not has_chip_arithmetic(plain)
    chip = on_chip(plain)
    assert has_chip_arithmetic(chip) and chip.layers[-1].format == latent_format(bits)


def test_the_encoder_in_integers_floors_its_products(encoder):
    rng = np.random.default_rng(5)
    weights = EncoderWeights(*(rng.integers(-32, 32, shape) for shape in SHAPES))
    _set(encoder, weights)
    images = (rng.integers(0, 256, (50, 8, 8, 1)) / 128).astype(np.float32)
    expected = encoder(images).numpy()
    network = read_network(encoder)
    for form in (network, network.with_formats(hls_formats(encoder))):
        values = form.result.number.to_values(evaluate(form, images))
        np.testing.assert_array_equal(values, expected)
    sums = next(o for o in network.operations if o.name == "encoded_vector")
    assert sums.accumulator.fraction == encoder.layers[5].product_fraction


def test_weights_on_chip_are_those_that_the_plain_network_computes_with():
    plain = build_networks(load_model_spec("econ_t_plain")).encoder
    codes = np.rint(
        np.asarray(plain.layers[2].kernel_quantizer_internal(plain.layers[2].kernel)) * 32
    )
    assert np.array_equal(weights_of(on_chip(plain)).conv_kernel, codes)
    assert weights_of(plain) == weights_of(on_chip(plain))


def test_a_changed_encoder_is_not_the_chips(encoder):
    def changed(**options):
        def clone(layer):
            config = layer.get_config()
            for key in options.keys() & config.keys():
                config[key] = options[key]
            return type(layer).from_config(config)

        return keras.models.clone_model(encoder, clone_function=clone)

    with keras.utils.custom_object_scope({"Clip": qkeras.Clip}):
        assert has_chip_arithmetic(changed())
        assert not has_chip_arithmetic(changed(product_fraction=6))
        assert not has_chip_arithmetic(changed(activation="tanh"))
        assert not has_chip_arithmetic(changed(format="ufixed<12,5,TRN,SAT>"))


# --- what the chip cannot run --------------------------------------------------------------------
def _network(*layers, shape=(8, 8, 1)) -> keras.Model:
    return keras.Sequential([keras.layers.Input(shape), *layers])


def _chip_like(*between, shape=(8, 8, 1), latents=16, use_bias=True, **conv) -> keras.Model:
    """The chip's topology in ordinary layers, but for what is given."""
    options = {"filters": 8, "kernel_size": 3, "strides": 2, "padding": "same", "name": "c"}
    return _network(
        keras.layers.Conv2D(**options | conv),
        *between,
        keras.layers.Flatten(),
        keras.layers.Dense(latents, use_bias=use_bias, name="d"),
        shape=shape,
    )


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (
            lambda: _network(keras.layers.Flatten(), keras.layers.Dense(16)),
            "one convolution and one dense layer, this network: 'dense",
        ),
        (
            lambda: _chip_like(filters=4),
            r"'c': .* of shape \(3, 3, 1, 8\), this one \(3, 3, 1, 4\)",
        ),
        (lambda: _chip_like(strides=1), r"'c': .* strides \(2, 2\), this one \(1, 1\)"),
        (lambda: _chip_like(padding="valid"), "'c': .* padding same, this one valid"),
        (lambda: _chip_like(latents=12), r"'d': .* of shape \(128, 16\), this one \(128, 12\)"),
        (
            lambda: _chip_like(use_bias=False),
            r"'d': .* \['kernel', 'bias'\], this one \['kernel'\]",
        ),
        (lambda: _chip_like(keras.layers.MaxPooling2D()), "has no MaxPooling2D"),
        (lambda: _chip_like(shape=(4, 4, 3)), r"\(8, 8, 1\), this network \(4, 4, 3\)"),
    ],
)
def test_another_topology_is_told(network, told):
    with pytest.raises(InputError, match=told):
        chip_layers(network())


@pytest.mark.parametrize(
    ("array", "index", "value", "told"),
    [
        (0, (1, 2, 0, 5), 1.5, r"layer 'conv2d_0_m' kernel\[1, 2, 0, 5\] = 1.5 is outside"),
        (1, (3,), -1.25, r"layer 'conv2d_0_m' bias\[3\] = -1.25 is outside"),
        (2, (100, 7), -2.0, r"layer 'encoded_vector' kernel\[100, 7\] = -2 is outside"),
        (3, (15,), 1.01, r"layer 'encoded_vector' bias\[15\] = 1.01 is outside"),
    ],
)
def test_a_weight_out_of_range_is_told(array, index, value, told):
    network = build_econ_t_encoder(9)
    weights = network.get_weights()
    weights[array][index] = value
    network.set_weights(weights)
    with pytest.raises(InputError, match=told):
        weights_of(network)


def test_a_weight_between_two_codes_is_told():
    network = _chip_like()
    network.layers[0].kernel.assign(np.full(SHAPES[0], 0.51))
    told = r"layer 'c' kernel\[0, 0, 0, 0\] = 0.51 is not a multiple of 1/32"
    with pytest.raises(InputError, match=told):
        weights_of(network)


def test_a_network_of_other_latents_is_not_for_the_chip():
    plain = build_networks(load_model_spec("8x8_c8_S2_tele")).encoder
    with pytest.raises(InputError, match="in floating point"):
        on_chip(plain)


@settings(max_examples=25, deadline=None)
@given(encoder_weights())
def test_weights_go_through_keras_and_back(encoder, weights):
    _set(encoder, weights)
    assert weights_of(encoder) == weights


def test_an_encoder_of_given_weights_has_them():
    weights = EncoderWeights(*(np.random.default_rng(9).integers(-32, 32, s) for s in SHAPES))
    network = network_of(weights)
    assert weights_of(network) == weights
    assert list(chip_weights(network)) == [
        "conv2d_0_m/kernel", "conv2d_0_m/bias", "encoded_vector/kernel", "encoded_vector/bias"
    ]  # fmt: skip


def test_new_encoder_has_no_dead_latent():
    """Flooring pulls latents down: the first bias must make up for it."""
    keras.utils.set_random_seed(1)
    encoder = build_econ_t_encoder(9)
    rng = np.random.default_rng(1)
    cells = rng.random((500, 48)) * (rng.random((500, 48)) < 0.3)
    pixels = np.zeros((500, 64))
    pixels[:, :48] = cells / cells.sum(axis=1, keepdims=True).clip(1e-9) * 1.5
    latents = outputs_of(encoder, pixels.reshape(-1, 8, 8, 1).astype(np.float32))
    assert ((latents > 0).mean(axis=0) > 0.1).all()
    assert (latents < LATENT.max_value).all()
