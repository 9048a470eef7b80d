"""Networks built from the zoo, and the number formats read back from them."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hw.foundation.fixed_point import FixedFormat
from models.data.geometry import ARRANGEMENTS
from models.keras_backend import keras, qkeras
from models.networks.conv_mask import KeptPixels
from models.networks.encoder import build_networks
from models.networks.network_files import load_network
from models.networks.number_formats import (
    activation_format,
    input_format,
    integer_weights,
    is_quantised,
    output_format,
    weight_formats,
)
from models.networks.zoo import ModelSpec, load_model_spec, model_names
from models.training.losses import get_loss

QUANTISED = [name for name in model_names() if load_model_spec(name).quantisation]


@pytest.fixture(scope="module")
def zoo():
    """Networks of every model of the zoo, by name."""
    keras.utils.set_random_seed(1)
    return {name: build_networks(load_model_spec(name)) for name in model_names()}


def modules(arrangement: str, count: int = 16) -> np.ndarray:
    random = np.random.default_rng(1)
    cells = random.random((count, 48)) * (random.random((count, 48)) < 0.4)
    return ARRANGEMENTS[arrangement].to_images(cells.astype(np.float32))


def small_spec(**entries) -> ModelSpec:
    return ModelSpec(name="small", label="small", **{"arrangement": "8x8", **entries})


# --- structure ------------------------------------------------------------------------------------


def test_the_quantised_seed_has_the_layers_of_the_reference(zoo):
    networks = zoo["8x8_c8_S2_qK"]
    assert [layer.name for layer in networks.encoder.layers] == [
        "input_1", "input_qa", "conv2d_0_m", "accum1_qa", "flatten", "encoded_vector", "encod_qa",
    ]  # fmt: skip
    assert [layer.name for layer in networks.decoder.layers] == [
        "decoder_input", "de_dense_final", "de_reshape", "conv2D_t_0", "conv2d_t_final",
        "decoder_output",
    ]  # fmt: skip
    assert networks.encoder.count_params() == 2144
    assert networks.autoencoder.count_params() == 2144 + networks.decoder.count_params()


def test_the_float_seed(zoo):
    encoder = zoo["8x8_c8_S2_tele"].encoder
    assert encoder.count_params() == 2144
    assert encoder.get_layer("conv2d_0_m").activation is keras.activations.relu
    assert encoder.get_layer("encoded_vector").activation is keras.activations.relu
    assert not is_quantised(encoder)
    assert input_format(encoder) is None
    assert output_format(encoder) is None


@pytest.mark.parametrize("name", model_names())
def test_images_in_latents_between_images_out(zoo, name):
    spec, networks = load_model_spec(name), zoo[name]
    images = modules(spec.arrangement)
    latents = networks.encoder(images).numpy()
    restored = networks.autoencoder(images).numpy()
    assert latents.shape == (16, spec.latent)
    assert latents.min() >= 0
    assert restored.shape == images.shape
    if spec.decoder:  # shares of the charge; a pixel without a trigger cell has none
        image = ARRANGEMENTS[spec.arrangement]
        np.testing.assert_allclose(image.to_cells(restored).sum(axis=1), 1, rtol=1e-5)
        assert image.to_cells(restored).min() > 0 and restored.max() < 1
    else:
        assert 0 < restored.min() < restored.max() < 1
    np.testing.assert_allclose(networks.decoder(latents), restored, rtol=1e-5)


def test_weights_are_shared(zoo):
    networks = zoo["8x8_c8_S2_tele"]
    images = modules("8x8")
    before = networks.autoencoder(images).numpy()
    layer = networks.encoder.get_layer("encoded_vector")
    kept = layer.get_weights()
    layer.set_weights([np.zeros_like(weight) for weight in kept])
    assert not np.allclose(networks.autoencoder(images), before)
    layer.set_weights(kept)


def test_a_seed_fixes_the_weights():
    def build(seed):
        keras.utils.set_random_seed(seed)
        return build_networks(load_model_spec("8x8_c8_S2_qK")).autoencoder.get_weights()

    first, again, other = build(5), build(5), build(6)
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, other))


def test_channels_first_and_last_are_the_same_network_transposed():
    first, last = (
        small_spec(arrangement=arrangement, convolutions=[{"filters": 4, "kernel": 3}])
        for arrangement in ("6x6x3", "6x6x3_tp")
    )
    networks = build_networks(first), build_networks(last)
    networks[1].autoencoder.set_weights(networks[0].autoencoder.get_weights())
    images = modules("6x6x3"), modules("6x6x3_tp")
    np.testing.assert_array_equal(images[0].transpose(0, 2, 3, 1), images[1])
    latents = [net.encoder(image).numpy() for net, image in zip(networks, images, strict=True)]
    np.testing.assert_array_equal(latents[0], latents[1])
    restored = [net.autoencoder(x).numpy() for net, x in zip(networks, images, strict=True)]
    np.testing.assert_array_equal(restored[0].transpose(0, 2, 3, 1), restored[1])


convolutions = st.fixed_dictionaries(
    {
        "filters": st.integers(1, 3),
        "kernel": st.integers(1, 5),
        "stride": st.integers(1, 4),
        "padding": st.sampled_from(["same", "valid"]),
        "pool": st.booleans(),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    arrangement=st.sampled_from(list(ARRANGEMENTS)),
    layers=st.lists(convolutions, max_size=3),
    dense=st.lists(st.integers(1, 6), max_size=2),
)
def test_the_decoder_restores_the_shape_whatever_the_layers(arrangement, layers, dense):
    try:
        spec = small_spec(
            arrangement=arrangement, convolutions=layers, dense=dense, quantisation=None
        )
    except ValidationError as error:  # a kernel that does not fit
        assume("does not fit" not in str(error))
        raise
    assert build_networks(spec).autoencoder.output_shape[1:] == spec.image.shape


# --- the mask on the last feature map -------------------------------------------------------------


@pytest.mark.parametrize("quantised", [False, True])
def test_pixels_without_a_cell_do_not_reach_the_latents(quantised, tmp_path):
    formats = load_model_spec("8x8_c8_S2_tele_qK").quantisation if quantised else None
    spec = small_spec(
        convolutions=[{"filters": 2, "kernel": 1}],
        conv_mask=True,
        quantisation=formats.model_dump() if formats else None,
    )
    networks = build_networks(spec)
    images = modules("8x8")
    networks.autoencoder.compile(loss=get_loss("weightedMSE", "8x8"), optimizer="adam")
    networks.autoencoder.fit(images, images, epochs=3, verbose=0)  # the mask holds in training
    kernel = networks.encoder.get_layer("encoded_vector").get_weights()[0].reshape(64, 2, 16)
    kept = ARRANGEMENTS["8x8"].primary
    assert not kernel[~kept].any()
    assert kernel[kept].any()
    disturbed = np.where(kept.reshape(8, 8, 1), images, 1.0).astype(np.float32)
    latents = networks.encoder(images).numpy()
    np.testing.assert_array_equal(networks.encoder(disturbed), latents)

    networks.encoder.save(tmp_path / "net.keras")
    loaded = load_network(tmp_path / "net.keras")
    np.testing.assert_array_equal(loaded(images), latents)
    assert isinstance(loaded.get_layer("encoded_vector").kernel_constraint, KeptPixels)


def test_the_mask_is_on_the_first_dense_layer():
    spec = small_spec(convolutions=[{"filters": 2, "kernel": 3}], dense=[4], conv_mask=True)
    encoder = build_networks(spec).encoder
    assert isinstance(encoder.get_layer("en_dense_0").kernel_constraint, KeptPixels)
    assert encoder.get_layer("encoded_vector").kernel_constraint is None


# --- number formats -------------------------------------------------------------------------------


def test_formats_of_the_quantised_seed(zoo):
    encoder = zoo["8x8_c8_S2_qK"].encoder
    modes = {"rounding": "RND_CONV", "overflow": "SAT"}
    weight = FixedFormat(5, 2, True, **modes)
    assert weight_formats(encoder) == {
        f"{layer}/{part}": weight
        for layer in ("conv2d_0_m", "encoded_vector")
        for part in ("kernel", "bias")
    }
    assert input_format(encoder) == FixedFormat(10, 4, True, **modes)
    assert output_format(encoder) == FixedFormat(9, 1, False, **modes)
    assert activation_format(encoder.get_layer("accum1_qa")) == FixedFormat(11, 3, False, **modes)
    assert is_quantised(encoder)
    assert not is_quantised(zoo["8x8_c8_S2_qK"].decoder)


@pytest.mark.parametrize("name", QUANTISED)
def test_a_network_computes_with_its_integer_weights_and_formats(zoo, name):
    # the encoder in integers: every layer from codes alone, in NumPy
    spec, encoder = load_model_spec(name), zoo[name].encoder
    formats, codes = weight_formats(encoder), integer_weights(encoder)
    values = {key: formats[key].to_values(codes[key]) for key in codes}
    x = modules(spec.arrangement)
    for layer in encoder.layers[1:]:
        if isinstance(layer, qkeras.QActivation):
            number = activation_format(layer)
            x = number.quantise(np.maximum(x, 0) if not number.signed else x)
        elif isinstance(layer, qkeras.QDense):
            x = x @ values[f"{layer.name}/kernel"] + values[f"{layer.name}/bias"]
        elif isinstance(layer, qkeras.QConv2D):
            plain = keras.layers.Conv2D(
                layer.filters, layer.kernel_size, layer.strides, layer.padding, dtype="float64"
            )
            plain.build(x.shape)
            plain.set_weights([values[f"{layer.name}/{part}"] for part in ("kernel", "bias")])
            x = plain(x).numpy()
        else:
            x = layer(x).numpy()
    np.testing.assert_array_equal(x, encoder(modules(spec.arrangement)))
    assert x.any()


def test_bias_has_its_own_format_where_given():
    quantisation = load_model_spec("8x8_c8_S2_qK").quantisation.model_dump()
    quantisation["bias"] = {"total": 7, "integer": 2, "signed": True}
    formats = weight_formats(build_networks(small_spec(quantisation=quantisation)).encoder)
    assert (formats["encoded_vector/bias"].width, formats["encoded_vector/kernel"].width) == (7, 5)


def test_layers_have_their_own_formats_where_given():
    quantisation = load_model_spec("8x8_c8_S2_qK").quantisation.model_dump()
    quantisation["layers"] = {
        "conv2d_0_m": {"weight": {"total": 3}, "accumulator": {"total": 7}},
        "en_dense_0": {"bias": {"total": 9}},
    }
    convolutions = [{"filters": 2, "kernel": 3}]
    spec = small_spec(convolutions=convolutions, dense=[5], quantisation=quantisation)
    encoder = build_networks(spec).encoder
    widths = {name: number.width for name, number in weight_formats(encoder).items()}
    assert widths == {
        "conv2d_0_m/kernel": 3, "conv2d_0_m/bias": 3, "en_dense_0/kernel": 5, "en_dense_0/bias": 9,
        "encoded_vector/kernel": 5, "encoded_vector/bias": 5,
    }  # fmt: skip
    outputs = [encoder.get_layer(name) for name in ("accum1_qa", "en_dense_0_qa")]
    assert [activation_format(layer).width for layer in outputs] == [7, 11]


def test_a_saved_network_keeps_its_formats(zoo, tmp_path):
    encoder = zoo["8x8_c8_S2_qK"].encoder
    encoder.save(tmp_path / "net.keras")
    loaded = load_network(tmp_path / "net.keras")
    assert weight_formats(loaded) == weight_formats(encoder)
    codes = integer_weights(encoder)
    assert integer_weights(loaded).keys() == codes.keys()
    for key, found in integer_weights(loaded).items():
        np.testing.assert_array_equal(found, codes[key])


def dense(quantiser: str) -> keras.Model:
    layer = qkeras.QDense(3, kernel_quantizer=quantiser, bias_quantizer=quantiser, name="layer")
    return keras.Sequential([keras.layers.Input((4,)), layer])


@pytest.mark.parametrize(
    ("quantiser", "expected"),
    [
        ("quantized_bits(6,0,alpha=1)", FixedFormat(6, 1, True, "RND_CONV", "SAT")),
        ("quantized_bits(6,0,1,alpha=1)", FixedFormat(6, 1, True, "RND_CONV", "SAT_SYM")),
        (
            "quantized_bits(4,2,keep_negative=0,alpha=1)",
            FixedFormat(4, 2, False, "RND_CONV", "SAT"),
        ),
        (
            "quantized_bits(1,0,keep_negative=0,alpha=1)",
            FixedFormat(1, 0, False, "RND_CONV", "SAT"),
        ),
    ],
)
def test_formats_of_quantisers(quantiser, expected):
    network = dense(quantiser)
    assert weight_formats(network)["layer/kernel"] == expected
    random = np.random.default_rng(1)
    network.set_weights([random.normal(0, 3, size) for size in ((4, 3), (3,))])
    kernel = np.asarray(network.layers[0].kernel_quantizer_internal(network.layers[0].kernel))
    np.testing.assert_array_equal(kernel, expected.quantise(network.layers[0].kernel))


@pytest.mark.parametrize(
    "quantiser",
    [
        "quantized_bits(4)",  # QKeras takes auto_po2 for a kernel's scale
        "quantized_bits(1,0,alpha=1)",
        "quantized_po2(4)",
        "ternary(alpha=1)",
        "binary(alpha=1)",
        "quantized_bits(4,0,1,alpha='auto_po2')",
    ],
)
def test_weights_of_other_quantisers_are_fixed_point_numbers_too(quantiser):
    network = dense(quantiser)
    layer = network.layers[0]
    codes, number = (f(network)["layer/kernel"] for f in (integer_weights, weight_formats))
    used = np.asarray(layer.kernel_quantizer_internal(layer.kernel))
    np.testing.assert_array_equal(number.to_values(codes), used)
    assert used.any() and number.width <= 16
