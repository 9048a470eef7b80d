"""Training against upsets: flips in the training steps, and nowhere else."""

import numpy as np
import pytest

from hw.foundation.errors import InputError
from models.keras_backend import keras, qkeras, tf
from models.networks.zoo import load_model_spec
from models.training.bit_flips import flips_in_training


def small_network():
    """A weight of 4 bits, 1 integer bit: steps of 1/8."""
    keras.utils.set_random_seed(1)
    inputs = keras.layers.Input((20,))
    encoder = keras.Model(
        inputs,
        qkeras.QDense(
            30, kernel_quantizer="quantized_bits(4,0,alpha=1)", use_bias=False, name="dense"
        )(inputs),
    )
    network = keras.Model(encoder.input, encoder.output)
    network.compile(keras.optimizers.SGD(0.0), "mse")
    return network, encoder


def seen_weights(network):
    """The weights that the network computes with now."""
    return np.asarray(network(tf.constant(np.eye(20, dtype=np.float32))))


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_a_step_computes_with_flipped_bits_and_a_test_without(rate):
    network, encoder = small_network()
    plain = seen_weights(network)
    seen = []
    with flips_in_training(network, encoder, rate):
        step = network.train_step
        layer = encoder.get_layer("dense")
        quantiser = layer.kernel_quantizer_internal
        quantiser._is_training.assign(1.0)
        seen = np.asarray(quantiser(layer.kernel))
        quantiser._is_training.assign(0.0)
        assert np.array_equal(seen_weights(network), plain)  # as in validation
        batch = (tf.eye(20), tf.zeros((20, 30)))
        step(batch)
        assert quantiser._is_training.numpy() == 0
    codes, after = np.rint(plain * 8).astype(int), np.rint(seen * 8).astype(int)
    assert after.min() >= -8 and after.max() <= 7
    flipped = (codes % 16) ^ (after % 16)
    share = sum((flipped >> bit & 1).mean() for bit in range(4)) / 4
    assert share == pytest.approx(rate, abs=4 * (rate / codes.size / 4) ** 0.5)
    assert np.array_equal(seen_weights(network), plain)
    assert layer.kernel_quantizer_internal is not quantiser


def test_the_loss_of_a_step_is_that_of_the_flipped_weights_and_its_gradient_straight():
    network, encoder = small_network()
    layer = encoder.get_layer("dense")
    with flips_in_training(network, encoder, 0.2):
        quantiser = layer.kernel_quantizer_internal
        quantiser._is_training.assign(1.0)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(quantiser(layer.kernel) * 3.0)
        gradient = tape.gradient(total, layer.kernel)
        assert np.allclose(gradient, 3.0)
        expected = float(tf.reduce_mean(quantiser(layer.kernel) ** 2))
        quantiser._is_training.assign(0.0)
        batch = (tf.eye(20), tf.zeros((20, 30)))
        network.reset_metrics()
        assert float(network.train_step(batch)["loss"]) == pytest.approx(expected, rel=1e-5)
        network.reset_metrics()
        plain = float(network.test_step(batch)["loss"])
        assert plain == pytest.approx(float(np.mean(seen_weights(network) ** 2)), rel=1e-5)
        assert plain != pytest.approx(expected, rel=1e-3)


def test_without_a_rate_nothing_is_changed():
    network, encoder = small_network()
    before = encoder.get_layer("dense").kernel_quantizer_internal, network.train_step
    with flips_in_training(network, encoder, None):
        assert (encoder.get_layer("dense").kernel_quantizer_internal, network.train_step) == before


def test_what_has_no_stored_bits_is_refused(tmp_path):
    inputs = keras.layers.Input((3,))
    network = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    with (
        pytest.raises(InputError, match="no bit flips"),
        flips_in_training(network, network, 0.1),
    ):
        pass
    file = tmp_path / "mine.yaml"
    file.write_text("label: x\narrangement: 8x8\nbit_flip_rate: 0.01\n")
    with pytest.raises(InputError, match="floating-point encoder has no stored bits"):
        load_model_spec(str(file))
