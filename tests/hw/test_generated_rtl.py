"""The Verilog made of a network: equal to Keras in every shape, and wrong RTL is caught."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.layout import model_layout, target_layout
from hw.foundation.errors import InputError
from hw.foundation.fixed_point import FixedFormat, parse_format
from hw.generated.network_logic import NetworkLogic, Wiring
from hw.generated.verilog import GeneratedRtl, read_rtl, write_rtl
from hw.targets.target import Rtl, load_target
from models.networks.zoo import load_model_spec
from reports.metrics import Metric, read_metrics
from tests.flows.test_hls_csim import lay_model

# small, so that its simulation is compiled in seconds
SMALL_MODEL = """\
label: small
arrangement: 8x8
convolutions:
  - {filters: 2, kernel: 3, stride: 2}
latent: 3
loss: weightedMSE
quantisation:
  input: {total: 10, integer: 3}
  weight: {total: 5, integer: 1}
  accumulator: {total: 11, integer: 3, signed: false}
  latent: {total: 9, integer: 1, signed: false}
"""


def step(build: Path, model: str, target: str, name: str, *options: str) -> int:
    design = ["--build", str(build), "--model", model, "--target", target]
    return main([name, *design, *options])


def metrics(file: Path) -> dict[str, Metric]:
    return {metric.name: metric for metric in read_metrics(file)}


# the record and the wrapper ---------------------------------------------------------------------


def small_logic(output: FixedFormat) -> tuple[NetworkLogic, Wiring]:
    """Two inputs, two outputs: their sum with two bits cut off, and twice the first."""
    from alkaid.trace import FVArray, trace

    number = FixedFormat(6, 2, False)
    port = FVArray.from_kif(np.zeros(2, int), np.full(2, 2), np.full(2, 4), hwconf=(1, 1, -1))
    a, b = np.asarray(port)
    total = (a + b).quantize(0, 3, 2)
    logic = trace(port, [total, a * 2], keep_dead_inputs=True)
    wiring = Wiring(2, np.array([0, 1]))
    return NetworkLogic(logic, (number, number), number, output, 2, 2), wiring


@pytest.mark.parametrize(
    "rtl, latency, stages",
    [
        (Rtl(pipeline_stages=0), 0, 1),
        (Rtl(pipeline_stages=1), 1, 1),
        (Rtl(pipeline_stages=3), 3, 3),
        (Rtl(stage_delay_ns=100.0), 1, 1),
    ],
)
def test_pipeline_as_the_target_asks(tmp_path: Path, rtl: Rtl, latency: int, stages: int) -> None:
    target = load_target("vitis").model_copy(update={"rtl": rtl})
    logic, wiring = small_logic(FixedFormat(8, 4, False))
    design = write_rtl(logic, wiring, target, tmp_path / "rtl", encoder_hash="0" * 16)
    assert (design.latency_cycles, design.pipeline_stages) == (latency, stages)
    assert design == read_rtl(tmp_path / "rtl")
    assert {f.name for f in (tmp_path / "rtl").iterdir()} == {"design.json", *design.sources}
    assert bool(design.register_bits) == bool(latency)


def test_the_record_is_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no generated RTL"):
        read_rtl(tmp_path)
    (tmp_path / "design.json").write_text('{"top": "x"}')
    with pytest.raises(InputError, match="damaged"):
        read_rtl(tmp_path)


def test_the_port_shows_what_it_has_elements_for() -> None:
    fields = {name: None for name in GeneratedRtl.model_fields}
    port = {"name": "inputs", "number_format": "ufixed<8,2>", "count": 3}
    design = GeneratedRtl.model_construct(
        **fields | {"input": type("Port", (), port), "element": (2, -1, 0, 2), "largest": 2.0}
    )
    images = np.array([[0.5, 9, 3, 0.25], [1, 0, -1, 1]], dtype=np.float32)
    inputs = design.inputs(images)
    assert inputs[:, 0].tolist() == [2, 0]  # limited
    assert inputs[:, 1].tolist() == [0, 0]  # shown nowhere
    assert design.images_of(inputs)[1].tolist() == [1, 0, 0, 1]


def test_target_takes_one_depth() -> None:
    with pytest.raises(ValueError, match="either 'pipeline_stages' or 'stage_delay_ns'"):
        Rtl(pipeline_stages=2, stage_delay_ns=1.0)


# whole networks ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("model", ["econ_t", "6x6x3_tp_c8_pool_tele_qK", "6x6x3_c8_S2_tele_qK"])
def test_logic_of_the_zoo_equals_keras(tmp_path: Path, model: str) -> None:
    """Pooling, transposition, floored products; in the logic's own interpreter."""
    from flows.artefacts.hls_project import network_in_integers
    from hw.generated.network_logic import network_logic, straight_wiring
    from models.data.geometry import ARRANGEMENTS
    from models.networks.network_files import load_network
    from testbench.stimulus import directed_images

    lay_model(tmp_path, model)
    encoder = load_network(model_layout(tmp_path, model).network("encoder"))
    network = network_in_integers(encoder)
    number = network.inputs[0].number
    _, images = directed_images(ARRANGEMENTS[load_model_spec(model).arrangement], number, 1)
    flat = images.reshape(len(images), -1)
    logic = network_logic(network, straight_wiring(flat.shape[1]))
    found = logic.logic.predict(logic.input.quantise(flat))
    np.testing.assert_array_equal(found, encoder.predict_on_batch(images).reshape(len(flat), -1))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model on a target of three stages, through hls, rtl and rtlsim."""
    build = tmp_path_factory.mktemp("build")
    (build / "small.yaml").write_text(SMALL_MODEL)
    lay_model(build, str(build / "small.yaml"))
    text = (Path("hw/targets") / "econ_t.yaml").read_text()
    (build / "deep.yaml").write_text(text.replace("pipeline_stages: 2", "pipeline_stages: 3"))
    for name in ("hls", "rtl"):
        assert step(build, "small", str(build / "deep.yaml"), name) == 0
    options = ("--vectors", "300", "--seed", "2")
    assert step(build, "small", str(build / "deep.yaml"), "rtlsim", *options) == 0
    return build


@pytest.mark.slow
def test_rtl_equals_keras(simulated: Path) -> None:
    layout = target_layout(simulated, "small", "deep")
    found = metrics(layout.metrics("rtlsim"))
    assert {m.variant for m in found.values()} == {"generated"}
    assert found["rtlsim.mismatches"].value == 0
    vectors = found["rtlsim.vectors"].value
    assert isinstance(vectors, int) and vectors > 3000  # directed ones besides the 300 modules
    assert (found["latency.cycles"].value, found["ii.cycles"].value) == (3, 1)
    assert found["latency.ns"].value == 75
    assert metrics(layout.metrics("rtl"))["latency.cycles"].value == 3
    design = read_rtl(layout.rtl)
    assert design.input.count == 48
    assert parse_format(design.input.number_format) == FixedFormat(8, 2, False)
    assert not layout.rtlsim_difference.exists()


@pytest.mark.slow
def test_a_changed_rtl_is_caught_and_shown(simulated: Path, capsys: pytest.CaptureFixture) -> None:
    layout = target_layout(simulated, "small", "deep")
    target, options = str(simulated / "deep.yaml"), ("--vectors", "300")
    logic = layout.rtl / "logic1.v"
    right = logic.read_text()
    # one adder subtracts instead, or the other way round
    wrong = re.sub(
        r"(shift_adder #\([^)]*,)([01])\)",
        lambda m: f"{m[1]}{1 - int(m[2])})",
        right,
        count=1,
    )
    assert wrong != right
    try:
        logic.write_text(wrong)
        assert step(simulated, "small", target, "rtlsim", *options) == 1
        said = capsys.readouterr().err
        assert re.search(r"vectors differ .* first difference: vector \d+ \(.+\), output \d+", said)
        found = metrics(layout.metrics("rtlsim"))["rtlsim.mismatches"]
        assert isinstance(found.value, int) and found.value > 0 and found.reason
        first = json.loads(layout.rtlsim_difference.read_text())
        assert first["expected"] != first["found"] and len(first["input_codes"]) == 48
        assert layout.rtlsim_waveform.read_text().startswith("$version")
        # for a report it is recorded, and the report gives the verdict
        assert step(simulated, "small", target, "rtlsim", *options, "--or-skip") == 0
        assert metrics(layout.metrics("rtlsim"))["rtlsim.mismatches"].value == found.value
    finally:
        logic.write_text(right)


@pytest.mark.slow
def test_rtl_of_another_encoder_is_refused(simulated: Path, capsys: pytest.CaptureFixture) -> None:
    layout = target_layout(simulated, "small", "deep")
    record = layout.rtl / "design.json"
    text = record.read_text()
    try:
        record.write_text(re.sub(r'"encoder_hash":"?[^,]*', '"encoder_hash":"ffff"', text))
        assert step(simulated, "small", str(simulated / "deep.yaml"), "rtlsim") == 2
        assert "was not made from" in capsys.readouterr().err
    finally:
        record.write_text(text)


@pytest.mark.slow
def test_a_float_model_is_skipped_or_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    model, target = "8x8_c8_S2_tele", "vitis"
    lay_model(tmp_path, model)
    assert step(tmp_path, model, target, "hls", "--or-skip") == 0
    for name in ("rtl", "rtlsim"):
        assert step(tmp_path, model, target, name) == 2
        assert "floating point" in capsys.readouterr().err
        assert step(tmp_path, model, target, name, "--or-skip") == 0
    layout = target_layout(tmp_path, model, target)
    for file in (layout.metrics("rtl"), layout.metrics("rtlsim")):
        assert all(m.value is None and "floating point" in m.reason for m in read_metrics(file))
