"""The encoder in the ECON-T's arithmetic as HLS C++: equal to Keras and to the golden model."""

import json
from pathlib import Path

import numpy as np
import pytest

from flows.layout import model_layout
from models.networks.econ_t_formats import DENSE_SUM
from tests.flows.test_hls_csim import Design, lay_model

pytestmark = pytest.mark.slow

MODEL = "econ_t"


@pytest.mark.parametrize(
    ("model", "target"),
    [(MODEL, "econ_t"), (MODEL, "vitis"), (MODEL, "xc7z020"), ("econ_t_2elinks", "econ_t")],
)
def test_keras_golden_model_and_cpp_are_equal(model, target, tmp_path, capsys):
    lay_model(tmp_path, model)
    design = Design(tmp_path, model, target)
    assert design.step("hls") == 0
    assert design.csim() == 0
    assert "0 mismatches of exact arithmetic, golden model and C++" in capsys.readouterr().out
    found = {name: metric.value for name, metric in design.metrics().items()}
    assert found["csim.golden_model.vectors"] == found["csim.vectors"] > 3000
    assert found["csim.golden_model.mismatches"] == found["csim.mismatches"] == 0


@pytest.mark.parametrize("codes", [(31, -32), (31, 31), (-32, 31)])
def test_the_largest_sums_do_not_wrap(codes, tmp_path):
    """All weights at a limit: the directed images at full scale then reach the largest sums."""
    from flows.artefacts.trained_model import staged, write_networks
    from testbench.econ_t.encoder_weights import EncoderWeights
    from testbench.econ_t.keras_encoder import network_of

    conv, dense = codes
    weights = EncoderWeights(
        np.full((3, 3, 1, 8), conv), np.full(8, conv), np.full((128, 16), dense), np.full(16, dense)
    )
    lay_model(tmp_path, MODEL)
    with staged(model_layout(tmp_path, MODEL), keep=True) as staging:
        write_networks(staging, {"encoder": network_of(weights)})
    design = Design(tmp_path, MODEL)
    assert design.step("hls") == 0
    assert design.csim() == 0
    layers = json.loads(design.files.hls_types.read_text())
    accumulators = {layer["name"]: layer.get("accumulator") for layer in layers}
    assert accumulators["encoded_vector"] == str(DENSE_SUM)


def test_products_that_are_not_floored_are_caught(tmp_path: Path, capsys):
    """One more fraction bit in the accumulator, and the latents are no more the chip's."""
    lay_model(tmp_path, MODEL)
    design = Design(tmp_path, MODEL)
    assert design.step("hls") == 0
    narrow, wide = f"ac_fixed<{DENSE_SUM.width},{DENSE_SUM.integer},true>", "ac_fixed<24,12,true>"
    design.edit("defines.h", lambda text: text.replace(narrow, wide))
    assert design.csim() == 1
    told = capsys.readouterr().err
    assert "first layer that differs: encoded_vector" in told
    assert "golden model:" in told
    found = {name: metric.value for name, metric in design.metrics().items()}
    assert found["csim.golden_model.mismatches"] == found["csim.mismatches"] > 0
