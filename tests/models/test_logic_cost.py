"""The cost of adders in the loss: at codes, between them, and what training makes of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.foundation.errors import InputError
from models.keras_backend import keras, qkeras, tf
from models.networks.cheaper_weights import LogicCost, Pruning
from models.networks.complexity import layer_costs
from models.networks.encoder import Networks, build_networks
from models.networks.number_formats import integer_weights
from models.networks.zoo import ModelSpec
from models.training.logic_cost import AdderCost
from models.training.losses import get_loss
from models.training.training import History, TrainingSettings, make_reproducible, train
from tests.models.test_signed_digits import fewest_digits

IMAGES = (np.random.default_rng(0).random((700, 8, 8, 1)) ** 8).astype(np.float32)
COST = LogicCost(weight=1e-3, until=0.25)
EPOCHS = 8


def networks() -> Networks:
    make_reproducible(1)
    unsigned = {"total": 8, "integer": 1, "signed": False}
    formats = {
        "input": unsigned, "weight": {"total": 6, "integer": 0}, "accumulator": unsigned,
        "latent": unsigned,
    }  # fmt: skip
    record = {"arrangement": "8x8", "latent": 4, "quantisation": formats}
    convolutions = [{"filters": 2, "kernel": 3, "stride": 2}]
    return build_networks(
        ModelSpec.model_validate(
            {"name": "m", "label": "m", "convolutions": convolutions, **record}
        )
    )


def trained(parts: Networks, cost: LogicCost | None, **options: Any) -> History:
    how = TrainingSettings(
        seed=1, epochs=EPOCHS, batch=100, learning_rate=0.01, logic_cost=cost,
        fused=options.pop("fused", False), pruning=options.pop("pruning", None),
    )  # fmt: skip
    loss = get_loss("telescopeMSE", "8x8")
    return train(
        parts.autoencoder, loss, IMAGES[:500], IMAGES[500:], how, encoder=parts.encoder, **options
    )


def adder_bits(parts: Networks) -> int:
    return sum(cost.adder_bits or 0 for cost in layer_costs(parts.encoder))


def digits(parts: Networks) -> int:
    return sum(cost.signed_digits or 0 for cost in layer_costs(parts.encoder))


def one_weight(value: float) -> tuple[float, float]:
    """Adder bits of a 5-bit weight (step 1/16) that 3-bit inputs meet once, and their slope."""
    inputs = keras.Input((1,))
    x = qkeras.QActivation("quantized_relu(3)")(inputs)
    layer = qkeras.QDense(1, kernel_quantizer="quantized_bits(5,0,alpha=1)", use_bias=False)
    network = keras.Model(inputs, layer(x))
    layer.set_weights([np.array([[value]])])
    cost = AdderCost(network, COST)
    with tf.GradientTape() as tape:
        found = cost.value()
    return float(found), float(tape.gradient(found, layer.kernel)[0, 0])


@pytest.mark.parametrize(
    ("place", "bits", "slope"),
    [
        (0, 0, 0),
        (1, 1, 1),  # to 0
        (-1, 1, -1),
        (5, 2, 1),  # to 4
        (4, 1, 1 / 4),  # to 0
        (6.2, 1.9, -1 / 2),  # to 8, which is as far from 6 as 4
        (5.8, 1.9, 1 / 2),
        (15, 2, 1 / 7),  # to 8, since the format has no 16
        (-15, 2, 1),  # to -16
        (-20, 1 + 4 / 16, -1 / 16),  # saturated: the code -16, to 0
        (11.4, 2.6, -1),
    ],
)
def test_a_weight_is_pulled_to_the_nearest_code_of_fewer_digits(
    place: float, bits: float, slope: float
) -> None:
    found = one_weight(place / 16)
    assert found == pytest.approx((3 * bits, 3 * 16 * slope), rel=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_at_the_codes_the_term_is_the_true_cost(seed: int) -> None:
    parts = networks()
    random = np.random.default_rng(seed)
    for name in ("conv2d_0_m", "encoded_vector"):
        kernel = parts.encoder.get_layer(name).kernel
        kernel.assign(random.integers(-32, 32, kernel.shape) / 32)
    assert float(AdderCost(parts.encoder, COST).value()) == pytest.approx(adder_bits(parts))
    codes = integer_weights(parts.encoder)["encoded_vector/kernel"].ravel().tolist()
    assert layer_costs(parts.encoder)[1].signed_digits == sum(map(fewest_digits, codes))


def test_training_with_the_cost_ends_with_fewer_adders() -> None:
    free, costly = networks(), networks()
    without, with_cost = trained(free, None), trained(costly, COST)
    assert digits(costly) < 0.7 * digits(free)
    assert adder_bits(costly) < 0.7 * adder_bits(free)
    zeros = [
        np.count_nonzero(integer_weights(parts.encoder)["encoded_vector/kernel"] == 0)
        for parts in (free, costly)
    ]
    assert zeros[1] > zeros[0]
    # the losses that are told are without the term, and the last one is of the order of the other
    assert with_cost.epochs[-1].loss < 1.1 * without.epochs[-1].loss
    assert with_cost.settled == 2 and with_cost.best >= 2 and without.settled == 0


def test_the_same_seed_gives_the_same_weights_interrupted_and_compiled_or_not(
    tmp_path: Path,
) -> None:
    def interrupt(history: History) -> None:
        if len(history.epochs) == 3:
            raise KeyboardInterrupt

    straight, again, resumed = networks(), networks(), networks()
    trained(straight, COST, fused=True)
    trained(again, COST, fused=True)
    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(KeyboardInterrupt):
        trained(networks(), COST, fused=True, checkpoint=checkpoint, on_progress=interrupt)
    trained(resumed, COST, fused=True, checkpoint=checkpoint)
    for other in (again, resumed):
        for one, two in zip(
            straight.autoencoder.get_weights(), other.autoencoder.get_weights(), strict=True
        ):
            assert np.array_equal(one, two)


def test_it_goes_with_pruning() -> None:
    parts = networks()
    history = trained(parts, COST, pruning=Pruning(dense=0.5, until=0.5))
    kernel = integer_weights(parts.encoder)["encoded_vector/kernel"]
    assert np.count_nonzero(kernel == 0) >= kernel.size // 2
    assert history.settled == 4


def test_weights_without_codes_are_refused() -> None:
    plain = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="plain")])
    with pytest.raises(InputError, match=r"logic_cost: .*'plain' are not quantised"):
        AdderCost(plain, COST)
    long = qkeras.QDense(2, kernel_quantizer="quantized_bits(20,0,alpha=1)", name="long")
    with pytest.raises(InputError, match=r"'long' are of 20 bits"):
        AdderCost(keras.Sequential([keras.Input((3,)), long]), COST)
