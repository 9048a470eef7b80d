"""The synth stage: figures of a small design under the report's names, and what stops it."""

import argparse
from pathlib import Path

import pytest

from flows.artefacts.seals import metrics_file
from flows.artefacts.stage_results import design_of, result
from flows.dispatch import carry_out
from flows.layout import model_layout, target_layout
from flows.provenance import file_hash
from flows.stages import BY_NAME
from hw.forms import RECONFIGURABLE
from hw.foundation.errors import InputError
from hw.generated.network_logic import NoLogic
from hw.generated.verilog import GeneratedRtl, InputFormat, RtlPort
from hw.targets.target import load_target
from reports.catalogue import records
from reports.metrics import Evidence, Metric, read_metrics, write_metrics
from reports.report import Progress

MODEL = "small"
VERILOG = """module top (input clock, reset, valid_in, output reg valid_out,
    input [15:0] inputs, output reg [7:0] latents);
  always @(posedge clock) begin
    valid_out <= valid_in & ~reset;
    latents <= inputs[7:0] + inputs[15:8];
  end
endmodule
"""


def _options(build: Path, target: str = "econ_t", *, or_skip: bool = False) -> argparse.Namespace:
    return argparse.Namespace(build=build, model=MODEL, target=target, or_skip=or_skip)


def _build(folder: Path, target: str = "econ_t") -> Path:
    """A build folder in which the rtl stage has made a small adder."""
    encoder = model_layout(folder, MODEL).network("encoder")
    encoder.parent.mkdir(parents=True)
    encoder.write_bytes(b"a trained encoder")
    rtl = target_layout(folder, MODEL, target).rtl
    rtl.mkdir(parents=True)
    (rtl / "top.v").write_text(VERILOG)
    record = GeneratedRtl(
        top="top",
        sources=("top.v",),
        target=load_target(target),
        encoder_hash=file_hash(encoder),
        input=RtlPort(name="inputs", number_format="ufixed<8,1>", count=2),
        output=RtlPort(name="latents", number_format="ufixed<8,1>", count=1),
        network_inputs=(InputFormat(number_format="ufixed<8,1>", count=2),),
        element=(0, 1),
        largest=None,
        latency_cycles=1,
        pipeline_stages=1,
        register_bits=8,
        estimated_lut=8,
        estimated_delay_ns=1.0,
        estimated_stage_delay_ns=1.0,
        layers=(),
        tools={},
    )
    (rtl / "design.json").write_text(record.model_dump_json())
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("target", "other"), [("econ_t", "xc7"), ("xc7z020", "xcup")])
def test_figures_of_both_families_and_of_the_library(tmp_path, capsys, target, other):
    build = _build(tmp_path, target)
    carry_out("synth", _options(build, target))
    metrics = read_metrics(target_layout(build, MODEL, target).metrics("synth"))
    values = {metric.name: metric.value for metric in metrics}
    assert (values["fpga.lut"], values["fpga.ff"], values["fpga.dsp"]) == (9, 9, 0)
    assert (values[f"fpga.{other}.lut"], values[f"fpga.{other}.ff"]) == (9, 9)
    chains = {"xcup": 1, "xc7": 2}
    assert values[f"fpga.{other}.carry"] == chains.pop(other)
    assert [values["fpga.carry"]] == list(chains.values())
    assert values["asic.library"] == "NangateOpenCellLibrary"
    assert values["asic.cells.DFF_X1"] == 9
    assert values["asic.gate_equivalents"] == pytest.approx(values["asic.area_um2"] / 0.798, 1e-3)
    assert {(m.evidence, m.variant) for m in metrics} == {(Evidence.SYNTH, "generated")}
    assert all(m.provenance and m.provenance.tools.keys() == {"pyosys"} for m in metrics)
    assert "9 LUT, 9 FF" in capsys.readouterr().out
    folder = target_layout(build, MODEL, target).synth
    netlists = [entry for entry in folder.iterdir() if entry.is_dir()]
    assert {entry.name for entry in netlists} == {"xcup", "xc7", "asic"}
    assert all((entry / "netlist.v").is_file() for entry in netlists)
    stage, design = BY_NAME["synth"], design_of(build, MODEL, target)
    assert result(stage, design)[0].progress is Progress.DONE
    model_layout(build, MODEL).network("encoder").write_bytes(b"another one")
    assert result(stage, design)[0].progress is Progress.STALE
    with pytest.raises(InputError, match="make rtl MODEL=small"):
        carry_out("synth", _options(build, target))


@pytest.mark.slow
def test_a_part_of_another_family_has_no_figures_and_says_so(tmp_path, capsys):
    file = tmp_path / "versal.yaml"
    file.write_text(
        "description: d\nbackend: Vitis\npart: xcvc1902-vsva2197-2MP-e-S\nclock_period_ns: 5\n"
    )
    build = _build(tmp_path / "build", str(file))
    carry_out("synth", _options(build, str(file)))
    metrics = {
        m.name: m for m in read_metrics(target_layout(build, MODEL, "versal").metrics("synth"))
    }
    for name in ("fpga.lut", "fpga.ff", "fpga.dsp", "fpga.carry"):
        assert metrics[name].value is None and "xcvc1902" in metrics[name].reason
    assert [metrics[f"fpga.{family}.lut"].value for family in ("xcup", "xc7")] == [9, 9]
    assert metrics["asic.area_um2"].value and "fpga.family" not in metrics
    assert "xcvc1902" in capsys.readouterr().err


def test_where_there_is_no_rtl_the_reason_is_recorded(tmp_path):
    build = _build(tmp_path)
    layout = target_layout(build, MODEL, "econ_t")
    for file in layout.rtl.iterdir():
        file.unlink()
    layout.rtl.rmdir()
    with pytest.raises(InputError, match="run the rtl stage first"):
        carry_out("synth", _options(build, or_skip=True))
    why = "layer 'relu' has no logic"
    write_metrics(layout.metrics("rtl"), [Metric(name="fpga.lut", value=None, reason=why)])
    with pytest.raises(NoLogic, match="relu"):
        carry_out("synth", _options(build))
    carry_out("synth", _options(build, or_skip=True))
    metrics = read_metrics(layout.metrics("synth"))
    assert {metric.reason for metric in metrics} == {why}
    assert {"fpga.lut", "fpga.carry", "asic.area_um2"} <= {metric.name for metric in metrics}


def test_a_faulty_library_of_the_target_is_named(tmp_path):
    build = _build(tmp_path)
    file = tmp_path / "econ_t.yaml"
    file.write_text(
        "description: d\nbackend: Catapult\nasic_library: a\nclock_period_ns: 25\n"
        "liberty: none.lib\n"
    )
    with pytest.raises(InputError, match=r"none\.lib: cannot be read"):
        carry_out("synth", _options(build, str(file)))
    assert not target_layout(build, MODEL, "econ_t").synth.exists()


def test_units_and_directions():
    values = {"fpga.lut": 5, "fpga.xc7.pass_through": 1, "asic.cells.FA_X1": 3, "asic.library": "n"}
    made = records(values, evidence=Evidence.SYNTH, form=RECONFIGURABLE)
    metrics = {m.name: m for m in made}
    assert (metrics["fpga.lut"].unit, metrics["fpga.lut"].better) == ("LUT", "lower")
    assert metrics["fpga.xc7.pass_through"].unit == "LUT"
    assert (metrics["asic.cells.FA_X1"].better, metrics["asic.library"].better) == (None, None)
    assert metrics["fpga.lut"].variant == "reconfigurable"


def test_the_reconfigurable_encoder_is_kept_for_all_models(tmp_path):
    stage = BY_NAME["synth-reconfigurable"]
    designs = [design_of(tmp_path, model, "my/target.yaml") for model in ("one", "two")]
    files = {metrics_file(stage, design) for design in designs}
    assert [file.relative_to(tmp_path).parts for file in files] == [
        (".reconfigurable", "target", "synth-reconfigurable", "metrics.json")
    ]
