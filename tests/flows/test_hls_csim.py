"""HLS conversion and C-simulation: every shape equal, and every fault caught and located."""

import filecmp
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from flows.__main__ import main
from flows.artefacts.stage_results import design_of, state
from flows.layout import TargetLayout, model_layout, target_layout
from flows.stages import BY_NAME
from hw.foundation.errors import InputError, ToolFailed, ToolMissing
from hw.hls.conversion import HlsProject, read_project
from models.networks.zoo import load_model_spec, model_names
from reports.metrics import Metric, read_metrics
from reports.report import Progress
from testbench.simulators.csim import Simulator, compile_project, weight_differences

SHARED = Path(__file__).resolve().parents[3] / "shared" / "econt"
SEED_MODEL = "8x8_c8_S2_qK"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Design:
    """A model on a target in a build folder, and the steps on it as the command line runs them."""

    build: Path
    model: str
    target: str = "econ_t"

    @property
    def files(self) -> TargetLayout:
        return target_layout(self.build, self.model, self.target)

    @property
    def firmware(self) -> Path:
        return self.files.hls / "firmware"

    def step(self, name: str, *options: str) -> int:
        design = ["--build", str(self.build), "--model", self.model, "--target", self.target]
        return main([name, *design, *options])

    def csim(self, *options: str) -> int:
        return self.step("csim", "--vectors", "200", *options)

    def metrics(self) -> dict[str, Metric]:
        return {metric.name: metric for metric in read_metrics(self.files.metrics("csim"))}

    def has_csim(self) -> bool:
        """Whether there are results of the comparison that count."""
        design = design_of(self.build, self.model, self.target)
        return state(BY_NAME["csim"], design).progress is Progress.DONE

    def edit(self, file: str, change: Callable[[str], str]) -> None:
        path = self.firmware / file
        text = path.read_text()
        changed = change(text)
        assert changed != text
        path.write_text(changed)


def lay_model(build: Path, name: str, *, seed: int = 1) -> None:
    """A model as the train stage leaves it, with random weights (and biases other than zero)."""
    from flows.artefacts.trained_model import staged, write_json, write_networks, write_validation
    from models.keras_backend import keras
    from models.networks.encoder import build_networks

    spec = load_model_spec(name)
    keras.utils.set_random_seed(seed)
    encoder = build_networks(spec).encoder
    rng = np.random.default_rng(seed)
    for weight in encoder.weights:
        if "bias" in weight.name:
            weight.assign(rng.uniform(-0.5, 0.9, weight.shape))
    occupied = rng.random((250, 48)) < rng.uniform(0.05, 1, (250, 1))
    charges = np.floor(rng.exponential(40, (250, 48))) * occupied
    with staged(model_layout(build, name)) as staging:
        write_networks(staging, {"encoder": encoder})
        write_validation(staging, charges.astype(np.float32), None, None)
        settings = {"arrangement": spec.arrangement, "normalisation": "msb"}
        write_json(staging.at(staging.layout.settings), settings)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Design:
    build = tmp_path_factory.mktemp("build")
    lay_model(build, SEED_MODEL)
    design = Design(build, SEED_MODEL)
    assert design.step("hls") == 0
    return design


@pytest.fixture
def design(pristine: Design, tmp_path: Path) -> Design:
    """A copy that a test may damage."""
    build = tmp_path / "build"
    shutil.copytree(pristine.build, build)
    return Design(build, pristine.model)


# --- equality ------------------------------------------------------------------------------------
def test_the_seed_model_passes(pristine: Design, capsys: pytest.CaptureFixture[str]) -> None:
    assert pristine.csim() == 0
    assert "0 mismatches" in capsys.readouterr().out
    found = pristine.metrics()
    directed = found["csim.vectors.directed"].value
    assert directed > 3000
    assert found["csim.vectors"].value == directed + 200
    assert found["csim.vectors.validation"].value == 200
    assert found["csim.mismatches"].value == found["csim.mismatching_codes"].value == 0
    assert all(metric.evidence == "csim" for metric in found.values())
    source = found["csim.mismatches"].provenance
    assert source.model_hash == read_project(pristine.files.hls).encoder_hash
    assert {"g++", "hls4ml"} <= set(source.tools)
    assert source.seed == 1
    assert not pristine.files.csim_difference.exists()
    latents = Simulator(pristine.files.csim / "bench", read_project(pristine.files.hls)).run(
        np.random.default_rng(0).uniform(0, 2, (100, 8, 8, 1)).astype(np.float32)
    )
    assert len(np.unique(latents)) > 50  # the test would mean little for constant outputs


OTHER_SHAPES = [
    *(
        (name, "econ_t")
        for name in model_names()
        if name != SEED_MODEL and load_model_spec(name).quantisation is not None
    ),
    (SEED_MODEL, "vitis"),
    (SEED_MODEL, "xc7z020"),
    ("6x6x3_tp_c8_pool_tele_qK", "xc7z020"),
]


@pytest.mark.parametrize(("name", "target"), OTHER_SHAPES)
def test_other_shapes_and_targets_pass(name: str, target: str, tmp_path: Path) -> None:
    lay_model(tmp_path, name)
    design = Design(tmp_path, name, target)
    assert design.step("hls") == 0
    assert design.csim() == 0
    assert design.metrics()["csim.mismatches"].value == 0


WHOLE_NUMBERS = """label: whole numbers, and one bit
arrangement: 8x8
convolutions:
  - {filters: 2, kernel: 1, stride: 4}
dense: [4]
latent: 4
quantisation:
  input: {total: 10, integer: 3}
  weight: {total: 6, integer: 2}
  accumulator: {total: 3, integer: 3, signed: false}
  latent: {total: 1, integer: 1, signed: false}
"""


@pytest.mark.parametrize("target", ["econ_t", "vitis"])
def test_whole_numbers_and_single_bits_pass(target: str, tmp_path: Path) -> None:
    """hls4ml alone would neither round nor limit these, and give a bit two for Catapult."""
    file = tmp_path / "whole.yaml"
    file.write_text(WHOLE_NUMBERS)
    lay_model(tmp_path, str(file))
    design = Design(tmp_path, str(file), target)
    assert design.step("hls") == 0
    project = read_project(design.files.hls)
    assert {"ufixed<3,3,RND_CONV,SAT>", "ufixed<1,1,RND_CONV,SAT>"} <= {
        layer.result for layer in project.layers
    }
    assert design.csim() == 0
    assert design.metrics()["csim.mismatches"].value == 0
    latents = Simulator(design.files.csim / "bench", project).run(
        np.random.default_rng(0).uniform(0, 2, (200, 8, 8, 1)).astype(np.float32)
    )
    assert set(np.unique(latents)) == {0, 1}


def test_lacking_modules_are_generated(design: Design) -> None:
    assert design.step("csim", "--vectors", "300") == 0
    found = design.metrics()
    assert found["csim.vectors.validation"].value == 250
    assert found["csim.vectors.generated"].value == 50


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no real data in ../shared/econt")
def test_the_published_encoder_gives_its_golden_latents(tmp_path: Path) -> None:
    from flows.artefacts.trained_model import staged, write_json, write_networks, write_validation
    from models.networks.network_files import load_foreign

    folder, name = SHARED / "published_encoder", "encoder_8x8_c8_S2_tele_qK_6bit"
    encoder = load_foreign(folder / f"{name}.json", folder / f"{name}.hdf5")
    calq = np.loadtxt(SHARED / "nElinks_5" / "ttbar_pu200_module.csv", delimiter=",", skiprows=1)
    with staged(model_layout(tmp_path, "published")) as staging:
        write_networks(staging, {"encoder": encoder})
        write_validation(staging, calq[:, :48].astype(np.float32), None, None)
        settings = {"arrangement": "8x8", "normalisation": "msb"}
        write_json(staging.at(staging.layout.settings), settings)
        images, latents = (np.load(folder / f"{part}.npy") for part in ("input", "output"))
        golden = {"images": images, "latents": latents.reshape(len(images), -1)}
        np.savez(staging.at(staging.layout.golden), **golden)
    design = Design(tmp_path, "published")
    assert design.step("hls") == 0
    assert design.step("csim", "--vectors", "1000") == 0
    found = design.metrics()
    assert (found["csim.golden.vectors"].value, found["csim.golden.mismatches"].value) == (10, 0)

    wrong = golden["latents"].copy()
    wrong[3, 5] += 1 / 256
    np.savez(model_layout(tmp_path, "published").golden, images=images, latents=wrong)
    assert design.step("csim", "--vectors", "1000") == 1
    found = design.metrics()
    assert found["csim.golden.mismatches"].value == found["csim.mismatches"].value == 1
    difference = json.loads(design.files.csim_difference.read_text())
    assert (difference["origin"], difference["output"]) == ("golden vector 3", 5)


# --- faults that must be caught ------------------------------------------------------------------
def bump(index: int, step: float) -> Callable[[str], str]:
    """Add a step to one number of a weight file, in its own notation."""

    def change(text: str) -> str:
        before, numbers, after = re.fullmatch(
            r"(.*=\s*\{)?([^{}]+)(\};.*)?", text, flags=re.DOTALL
        ).groups("")
        values = numbers.split(",")
        values[index] = f" {float(values[index]) + step:.10f}"
        return before + ",".join(values) + after

    return change


def failure(design: Design, capsys: pytest.CaptureFixture[str]) -> tuple[str, dict]:
    """The message and the record of a simulation that must fail."""
    assert design.csim() == 1
    found = design.metrics()
    assert found["csim.mismatches"].value > 0
    assert found["csim.vectors"].value > 3000
    record = json.loads(design.files.csim_difference.read_text())
    message = capsys.readouterr().err
    assert f"vector {record['vector']} ({record['origin']})" in message
    assert f"output {record['output']}" in message
    assert f"expected code {record['expected']}, found {record['found']}" in message
    assert record["expected"] != record["found"]
    assert len(record["input"]) == 64
    return message, record


def arrays_of(design: Design, layer: str) -> tuple[str, ...]:
    layers = {known.name: known for known in read_project(design.files.hls).layers}
    return layers[layer].arrays


@pytest.mark.parametrize(
    ("layer", "array", "step"),
    [("conv2d_0_m", 0, 0.125), ("encoded_vector", 0, 0.125), ("encoded_vector", 1, -0.125)],
)
def test_one_changed_weight_is_caught_and_located(
    design: Design, capsys: pytest.CaptureFixture[str], layer: str, array: int, step: float
) -> None:
    name = arrays_of(design, layer)[array]
    for suffix in (".h", ".txt"):
        design.edit(f"weights/{name}{suffix}", bump(7, step))
    message, record = failure(design, capsys)
    assert record["first_layer"]["layer"] == layer
    assert f"first layer that differs: {layer}" in message


def test_a_weight_changed_for_synthesis_alone_is_simulated(
    design: Design, capsys: pytest.CaptureFixture[str]
) -> None:
    name = arrays_of(design, "conv2d_0_m")[0]
    design.edit(f"weights/{name}.h", bump(3, 0.25))
    message, record = failure(design, capsys)
    assert record["first_layer"]["layer"] == "conv2d_0_m"
    assert f"weights/{name}.txt of layer conv2d_0_m" in message


def test_a_weight_changed_in_the_text_files_alone_is_caught_and_located(
    design: Design, capsys: pytest.CaptureFixture[str]
) -> None:
    name = arrays_of(design, "encoded_vector")[0]
    design.edit(f"weights/{name}.txt", bump(40, 0.25))
    message, record = failure(design, capsys)
    assert f"weights/{name}.txt of layer encoded_vector" in message
    assert "at index 40" in message
    assert record["first_layer"]["layer"] == "encoded_vector"


def test_weight_files_that_disagree_without_effect_do_not_pass(
    design: Design, capsys: pytest.CaptureFixture[str]
) -> None:
    name = arrays_of(design, "encoded_vector")[0]
    design.edit(f"weights/{name}.txt", bump(0, 2.0**-30))  # vanishes in the weight's type
    assert design.csim() == 1
    assert f"weights/{name}.txt" in capsys.readouterr().err
    assert design.metrics()["csim.mismatches"].value is None


def test_a_changed_weight_is_caught_where_headers_are_the_only_source(
    pristine: Design, capsys: pytest.CaptureFixture[str]
) -> None:
    design = Design(pristine.build, pristine.model, "vitis")
    assert design.step("hls") == 0
    name = arrays_of(design, "encoded_vector")[0]
    assert not (design.firmware / f"weights/{name}.txt").exists()
    design.edit(f"weights/{name}.h", bump(99, 0.125))
    _, record = failure(design, capsys)
    assert record["first_layer"]["layer"] == "encoded_vector"


def narrowed(name: str, fraction_lost: int) -> Callable[[str], str]:
    """Take fraction bits from one type in defines.h."""

    def change(text: str) -> str:
        return re.sub(
            rf"ac_fixed<(\d+)(,\d+,true> {name};)",
            lambda m: f"ac_fixed<{int(m[1]) - fraction_lost}{m[2]}",
            text,
        )

    return change


@pytest.mark.parametrize(
    ("change", "layer"),
    [
        (narrowed("conv2d_0_m_accum_t", 6), "conv2d_0_m"),
        (narrowed("encoded_vector_accum_t", 9), "encoded_vector"),
        (lambda text: re.sub(r"AC_RND_CONV(,AC_SAT> input_1_t)", r"AC_TRN\1", text), "input_1"),
        (lambda text: re.sub(r"AC_RND_CONV(,AC_SAT> input_1_t)", r"AC_RND\1", text), "input_1"),
        (lambda text: re.sub(r"AC_SAT(> input_1_t)", r"AC_WRAP\1", text), "input_1"),
        (lambda text: re.sub(r"AC_SAT(> result_t)", r"AC_WRAP\1", text), "encod_qa"),
    ],
    ids=["conv-accumulator", "dense-accumulator", "input-TRN", "input-RND", "input-WRAP", "output"],
)
def test_a_changed_type_is_caught_and_located(
    design: Design,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[str], str],
    layer: str,
) -> None:
    design.edit("defines.h", change)
    _, record = failure(design, capsys)
    assert record["first_layer"]["layer"] == layer


def test_the_report_gets_a_failure_as_a_record(
    design: Design, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix in (".h", ".txt"):
        design.edit(f"weights/{arrays_of(design, 'conv2d_0_m')[0]}{suffix}", bump(0, 0.5))
    assert design.csim("--or-skip") == 0  # told, and judged by report and by `make csim`
    assert "first layer that differs: conv2d_0_m" in capsys.readouterr().err
    mismatches = design.metrics()["csim.mismatches"]
    assert mismatches.value > 0
    assert "conv2d_0_m" in mismatches.reason
    assert design.step("status", "--require", "csim") == 1  # of a project that nobody made so
    assert "is not what the hls stage wrote" in capsys.readouterr().err


def test_a_repaired_design_leaves_no_trace_of_the_failure(design: Design) -> None:
    name = arrays_of(design, "conv2d_0_m")[0]
    original = {s: (design.firmware / f"weights/{name}{s}").read_text() for s in (".h", ".txt")}
    for suffix in original:
        design.edit(f"weights/{name}{suffix}", bump(0, 0.5))
    assert design.csim() == 1
    for suffix, text in original.items():
        (design.firmware / f"weights/{name}{suffix}").write_text(text)
    assert design.csim() == 0
    assert not design.files.csim_difference.exists()


# --- a program that does not answer --------------------------------------------------------------
def fake_simulator(pristine: Design, tmp_path: Path, script: str) -> Simulator:
    program = tmp_path / "bench"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Simulator(program, read_project(pristine.files.hls))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("cat >/dev/null; head -c 128 /dev/zero", r"should give 384 bytes .* found 128"),
        ("cat >/dev/null; echo overflow >&2; exit 5", r"exit status 5(.|\n)*overflow"),
        ("cat >/dev/null; kill -SEGV $$", "killed by SIGSEGV"),
    ],
)
def test_missing_answers_are_an_error(
    pristine: Design, tmp_path: Path, script: str, message: str
) -> None:
    simulator = fake_simulator(pristine, tmp_path, script)
    with pytest.raises(ToolFailed, match=message):
        simulator.run(np.zeros((3, 8, 8, 1), np.float32))


def test_a_design_without_layer_calls_is_an_error(pristine: Design, tmp_path: Path) -> None:
    simulator = fake_simulator(pristine, tmp_path, "cat >/dev/null; echo input_1 0 0")
    with pytest.raises(ToolFailed, match="shows no layers"):
        simulator.trace(np.zeros((8, 8, 1), np.float32))


def test_vectors_of_another_size_are_refused(pristine: Design, tmp_path: Path) -> None:
    simulator = fake_simulator(pristine, tmp_path, "cat")
    with pytest.raises(InputError, match="vectors of 48 numbers for a design with 64 inputs"):
        simulator.run(np.zeros((3, 4, 4, 3), np.float32))


def test_a_crash_of_the_design_ends_the_step_with_its_cause(
    design: Design, capsys: pytest.CaptureFixture[str]
) -> None:
    design.edit(
        "econt_encoder.cpp", lambda text: text.replace("    nnet::conv_2d", "abort();//", 1)
    )
    assert design.csim() == 2
    assert "killed by SIGABRT" in capsys.readouterr().err
    assert not design.has_csim()


def test_a_design_that_does_not_compile_names_the_log(
    design: Design, capsys: pytest.CaptureFixture[str]
) -> None:
    design.edit("econt_encoder.cpp", lambda text: text.replace("    nnet::conv_2d", "oops", 1))
    assert design.csim() == 2
    message = capsys.readouterr().err
    assert "compile.log" in message
    assert "oops" in message


# --- what cannot be done -------------------------------------------------------------------------
def test_a_missing_compiler_is_named_with_the_remedy(
    design: Design, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    had = design.has_csim()
    monkeypatch.setenv("PATH", str(design.build))
    assert design.csim() == 2
    assert "apt install g++" in capsys.readouterr().err
    assert design.has_csim() == had  # a tool that is missing takes no result away
    assert design.csim("--or-skip") == 0
    skipped = design.metrics()["csim.mismatches"]
    assert skipped.value is None
    assert "apt install g++" in skipped.reason
    with pytest.raises(ToolMissing):
        compile_project(design.files.hls, read_project(design.files.hls), design.files.csim)


def test_a_floating_point_encoder_is_refused_or_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "8x8_c8_S2_tele"
    lay_model(tmp_path, name)
    design = Design(tmp_path, name)
    assert design.step("hls") == 2
    message = capsys.readouterr().err
    assert "floating point" in message
    assert "kernel of layer 'conv2d_0_m'" in message
    assert "--quantize" in message
    assert not design.files.hls.exists()
    assert design.step("hls", "--or-skip") == 0
    [metric] = read_metrics(design.files.metrics("hls"))
    assert metric.value is None
    assert "floating point" in metric.reason
    assert design.csim() == 2
    assert design.csim("--or-skip") == 0
    assert "floating point" in design.metrics()["csim.mismatches"].reason


def test_steps_in_the_wrong_order_say_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    design = Design(tmp_path, SEED_MODEL)
    assert design.step("hls") == 2
    assert f"make train MODEL={SEED_MODEL}" in capsys.readouterr().err
    lay_model(tmp_path, SEED_MODEL)
    assert design.csim() == 2
    assert "run the hls stage first" in capsys.readouterr().err
    assert design.step("csim", "--vectors", "0") == 2
    assert "--vectors 0" in capsys.readouterr().err


def test_a_project_of_another_encoder_is_not_simulated(
    design: Design, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_model(design.build, SEED_MODEL, seed=2)
    assert design.csim() == 2
    assert "run the hls stage anew" in capsys.readouterr().err


def test_an_unsupported_layer_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from flows.artefacts.trained_model import staged, write_json, write_networks
    from models.keras_backend import keras, qkeras

    images = keras.layers.Input((8, 8, 1))
    x = qkeras.QActivation("quantized_bits(8,1,alpha=1)")(images)
    x = keras.layers.Softmax(name="shares")(x)
    network = keras.Model(images, keras.layers.Flatten()(x))
    with staged(model_layout(tmp_path, "odd")) as staging:
        write_networks(staging, {"encoder": network})
        settings = {"arrangement": "8x8", "normalisation": "msb"}
        write_json(staging.at(staging.layout.settings), settings)
    design = Design(tmp_path, "odd")
    assert design.step("hls") == 2
    assert "layer 'shares' is a Softmax" in capsys.readouterr().err
    assert not design.files.hls.exists()


# --- the project ---------------------------------------------------------------------------------
def test_the_project_is_complete_and_the_terminal_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_model(tmp_path, SEED_MODEL)
    capsys.readouterr()
    for target, script in (("econ_t", "setup_asic_libs {nangate-45nm_beh}"), ("vitis", "open_sol")):
        design = Design(tmp_path, SEED_MODEL, target)
        assert design.step("hls") == 0
        assert script in (design.files.hls / "build_prj.tcl").read_text()
        assert (design.firmware / "econt_encoder.cpp").is_file()
        assert read_project(design.files.hls).target.name == target
        left = {path.name for path in design.files.folder.iterdir()}
        assert left == {"hls", "hls.log", ".runtimes"}
        assert design.files.metrics("hls").is_file() and design.files.hls_types.is_file()
    printed = capsys.readouterr().out
    assert "Copying" not in printed
    assert "conv2d_0_m" in printed
    records = json.loads(design.files.hls_types.read_text())
    types = {record["name"]: record for record in records}
    assert types["input_1"]["result"] == "fixed<10,4,RND_CONV,SAT>"
    assert types["encod_qa"]["result"] == "ufixed<9,1,RND_CONV,SAT>"
    assert types["conv2d_0_m"]["class"] == "Conv2D"
    assert types["conv2d_0_m"]["weight"] == "fixed<5,2>"
    assert types["conv2d_0_m"]["reuse_factor"] == 1


def test_the_same_encoder_gives_the_same_files(design: Design) -> None:
    before = design.build / "before"
    shutil.copytree(design.files.hls, before)
    assert design.step("hls") == 0

    def files(folder: Path) -> list[Path]:
        return sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())

    assert files(before) == files(design.files.hls)
    for path in files(before):
        # hls4ml writes absolute paths in two files
        if path.name in ("hls4ml_config.yml", "econt_encoder_bridge.cpp"):
            continue
        assert filecmp.cmp(before / path, design.files.hls / path, shallow=False), path


def test_a_failed_conversion_keeps_the_last_project_and_its_results_count_no_more(
    design: Design, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = model_layout(design.build, design.model).network("encoder")
    before = read_project(design.files.hls)
    encoder.write_bytes(b"no model")
    assert design.step("hls") == 2
    assert read_project(design.files.hls) == before
    capsys.readouterr()
    arguments = ["--build", str(design.build), "--model", design.model, "--require", "hls"]
    assert main(["status", *arguments]) == 1
    assert "encoder.keras has changed since" in capsys.readouterr().err


def test_a_damaged_project_record_is_told(design: Design) -> None:
    (design.files.hls / "project.json").write_text("{}")
    with pytest.raises(InputError, match=r"project\.json: damaged"):
        read_project(design.files.hls)


def test_a_missing_weight_file_is_told(design: Design) -> None:
    project: HlsProject = read_project(design.files.hls)
    (design.firmware / "weights" / f"{arrays_of(design, 'encoded_vector')[0]}.h").unlink()
    with pytest.raises(InputError, match="run the hls stage anew"):
        weight_differences(design.files.hls, project)
