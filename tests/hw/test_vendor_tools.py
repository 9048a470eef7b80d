"""Vendor tools, by programs that stand for them: they log their arguments, and leave what the true
ones leave."""

import json
import os
import shutil
import sys
import tkinter
from dataclasses import replace
from pathlib import Path

import pytest

from flows.__main__ import main
from flows.layout import TargetLayout, model_layout, target_layout
from flows.provenance import file_hash
from hw.backends import registry
from hw.backends.amd_hls import VITIS as VITIS_BACKEND
from hw.backends.amd_hls import parse_cosim
from hw.backends.bench_data import compare_outputs
from hw.backends.catapult import parse_scverify
from hw.backends.hls_backend import Program, Request
from hw.backends.vendor_runs import (
    VendorRun,
    carry_out,
    plan,
    plan_block,
    prepare,
    read_vendor_reports,
)
from hw.foundation.errors import InputError, ToolFailed, ToolMissing
from hw.hls.chip_block import TOP as BLOCK
from hw.hls.conversion import TOP, HlsProject, Port
from hw.targets.target import load_target
from reports.metrics import read_metrics, read_summary

REPORTS = Path(__file__).parent / "vendor_reports"
MODEL = "8x8_c8_S2_qK"
INPUTS, OUTPUTS = [[0.5, 0.0078125], [1.0, 0.0]], [[0.00390625, 1.99609375], [0.0, 1.0]]
SCRIPT = 'flow package option set /SCVerify/INVOKE_ARGS "$sfd/firmware/weights"\n'

# what each tool leaves: report -> places in the project
VITIS = {
    "vitis_csynth.xml": f"{TOP}_prj/solution1/syn/report/{TOP}_csynth.xml",
    "cosim_pass.rpt": f"{TOP}_prj/solution1/sim/report/{TOP}_cosim.rpt",
}
VIVADO = {"vivado_synth.rpt": "vivado_synth.rpt"}


CATAPULT = {
    "catapult_rtl_asic.rpt": "{top}_prj/{top}.v1/rtl.rpt",
    "catapult_cycle.rpt": "{top}_prj/{top}.v1/cycle.rpt",
}


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("MGC_HOME", raising=False)
    return folder


def install(folder: Path, name: str, leaves: dict[str, str], *, last: str = "") -> Path:
    """A tool that appends its arguments and folder to `<name>.calls`, copies reports into the
    project of the encoder or block, prints what should come out as the outputs of its RTL, and
    ends with the lines `last`."""
    program = folder / name
    program.write_text(
        f"""#!{sys.executable}
import json, pathlib, shutil, sys
call = {{"arguments": sys.argv[1:], "folder": str(pathlib.Path.cwd())}}
with open({str(folder / name)!r} + ".calls", "a") as stream:
    stream.write(json.dumps(call) + "\\n")
top = {BLOCK!r} if pathlib.Path.cwd().name == "block" else {TOP!r}
for report, place in {leaves!r}.items():
    place = pathlib.Path(place.replace("{{top}}", top))
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(pathlib.Path({str(REPORTS)!r}) / report, place)
data = pathlib.Path("tb_data")
if (data / "tb_output_predictions.dat").exists():
    rows = (data / "tb_output_predictions.dat").read_text().splitlines()
    printed = [" ".join(format(float(w), ".6g") for w in row.split()) for row in rows]
    (data / "rtl_cosim_results.log").write_text("\\n".join(printed) + "\\n")
print("INFO: [HLS 200-10] Running")
print("# Errors: 0, Warnings: 3")
{last}
"""
    )
    program.chmod(0o755)
    return program


def calls(folder: Path, name: str) -> list[dict]:
    file = folder / f"{name}.calls"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


# --- command lines ------------------------------------------------------------------------------


def _arguments(runs: list[VendorRun]) -> list[tuple[str, ...]]:
    return [(run.program, *run.command[1:]) for run in runs]


def test_vitis_is_called_by_its_newer_program_first(bin_folder, tmp_path):
    target = load_target("vitis")
    install(bin_folder, "vitis_hls", {})
    older = plan(tmp_path, target, Request())
    assert _arguments(older) == [("vitis_hls", "-f", "build_prj.tcl")]
    install(bin_folder, "vitis-run", {})
    newer = plan(tmp_path, target, Request())
    assert _arguments(newer) == [("vitis-run", "--mode", "hls", "--tcl", "build_prj.tcl")]
    assert newer[0].folder == tmp_path and newer[0].log.parent == tmp_path


def test_vivado_synthesises_after_hls(bin_folder, tmp_path):
    for name in ("vitis-run", "vivado"):
        install(bin_folder, name, {})
    runs = plan(tmp_path, load_target("vitis"), Request(synthesis=True))
    script = ("vivado", "-mode", "batch", "-nojournal", "-nolog", "-source", "vivado_synth.tcl")
    assert _arguments(runs)[1:] == [script]
    assert len({run.log for run in runs}) == 2


def test_vivado_hls_gets_its_options_in_one_argument(bin_folder, tmp_path):
    install(bin_folder, "vivado_hls", {})
    target = load_target("vitis").model_copy(update={"backend": "Vivado"})
    ((program, *words),) = _arguments(plan(tmp_path, target, Request(cosim=False)))
    assert (program, words[:2]) == ("vivado_hls", ["-f", "build_prj.tcl"])
    options = "reset=1 csim=0 synth=1 cosim=0 validation=0 export=0 vsynth=0 fifo_opt=0"
    assert words[2:] == [options]


def test_catapult_is_found_in_its_home_too(bin_folder, tmp_path, monkeypatch):
    home = tmp_path / "mentor"
    (home / "bin").mkdir(parents=True)
    install(home / "bin", "catapult", {})
    monkeypatch.setenv("MGC_HOME", str(home))
    command = ("catapult", "-product", "ultra", "-shell", "-f", "vendor.tcl")
    assert _arguments(plan(tmp_path, load_target("econ_t"), Request())) == [command]
    assert _arguments(plan_block(tmp_path)) == [command]


@pytest.mark.parametrize(
    ("name", "synthesis", "message"),
    [
        ("vitis", False, "vitis-run or vitis_hls is not on PATH; install AMD Vitis"),
        ("vitis", True, "vivado is not on PATH; install AMD Vivado"),
        ("econ_t", False, "catapult is not on PATH; install Siemens Catapult"),
    ],
)
def test_a_missing_tool_is_named_with_remedies(bin_folder, tmp_path, name, synthesis, message):
    if synthesis:
        install(bin_folder, "vitis-run", {})
    with pytest.raises(ToolMissing, match=message) as error:
        plan(tmp_path, load_target(name), Request(synthesis=synthesis))
    assert "make synth" in str(error.value)
    assert calls(bin_folder, "vitis-run") == []


def test_an_asic_is_not_given_to_vivado(bin_folder, tmp_path):
    install(bin_folder, "catapult", {})
    with pytest.raises(InputError, match="econ_t' is an ASIC"):
        plan(tmp_path, load_target("econ_t"), Request(synthesis=True))


def test_one_row_makes_a_backend(bin_folder, tmp_path, monkeypatch):
    """Targets, calls, scripts and reports of a tool that this project does not know."""
    told = []
    other = replace(
        VITIS_BACKEND,
        name="Other",
        programs=(Program("other_hls", "HLS", "ask its vendor"),),
        arguments=lambda program, request: (program, str(request.cosim)),
        prepare=lambda project, request, *, vectors: told.append((project, vectors)),
        read_reports=lambda project: parse_cosim(REPORTS / "cosim_pass.rpt"),
    )
    rows = {**registry.BACKENDS, "Other": other}
    for user in ("hw.targets.target", "hw.backends.vendor_runs"):
        monkeypatch.setattr(f"{user}.BACKENDS", rows)
    file = tmp_path / "own.yaml"
    file.write_text("description: own\nbackend: Other\npart: xc7\nclock_period_ns: 5\n")
    target = load_target(str(file))
    with pytest.raises(ToolMissing, match="other_hls is not on PATH; ask its vendor"):
        plan(tmp_path, target, Request())
    install(bin_folder, "other_hls", {})
    (run,) = plan(tmp_path, target, Request())
    assert (run.program, run.command[1:]) == ("other_hls", ("other_hls", "True"))
    assert run.log.name == "vendor_other.log"
    prepare(tmp_path, TOP, target, Request(), (INPUTS, OUTPUTS))
    assert told == [(tmp_path, True)]
    assert "cosim.passed" in {figure.name for figure in read_vendor_reports(tmp_path)}


# --- projects -----------------------------------------------------------------------------------


def test_the_scripts_get_options_and_test_data(tmp_path):
    prepare(tmp_path, TOP, load_target("vitis"), Request(cosim=True), (INPUTS, OUTPUTS))
    options = (tmp_path / "build_opt.tcl").read_text().split()
    assert options[:4] == ["array", "set", "opt", "{"] and options[-1] == "}"
    settings = dict(zip(options[4:-1:2], options[5:-1:2], strict=True))
    assert (settings["csim"], settings["synth"], settings["cosim"]) == ("0", "1", "1")
    data = tmp_path / "tb_data"
    assert (data / "tb_input_features.dat").read_text() == "0.5 0.0078125\n1.0 0.0\n"
    assert (data / "tb_output_predictions.dat").read_text() == "0.00390625 1.99609375\n0.0 1.0\n"


def test_what_an_earlier_run_left_is_removed(tmp_path):
    for report, place in (VITIS | VIVADO).items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPORTS / report, tmp_path / place)
    assert read_vendor_reports(tmp_path)
    prepare(tmp_path, TOP, load_target("vitis"), Request(), None)
    assert read_vendor_reports(tmp_path) == []


def test_catapults_bench_reads_the_test_data(tmp_path):
    script = tmp_path / "build_prj.tcl"
    script.write_text(f"#  {SCRIPT}{SCRIPT}")
    for _ in range(2):  # again on its own result
        prepare(tmp_path, TOP, load_target("econ_t"), Request(), (INPUTS, OUTPUTS))
        data = "$sfd/tb_data/tb_input_features.dat $sfd/tb_data/tb_output_predictions.dat"
        assert script.read_text().splitlines() == [
            f"#  {SCRIPT.strip()}",
            f'flow package option set /SCVerify/INVOKE_ARGS "$sfd/firmware/weights {data}"',
        ]
    script.write_text("")
    with pytest.raises(InputError, match="0 times"):
        prepare(tmp_path, TOP, load_target("econ_t"), Request(), (INPUTS, OUTPUTS))


@pytest.mark.parametrize(("body", "status"), [("set ::seen $::argv", 0), ('error "no licence"', 1)])
def test_catapults_script_ends_with_the_status_of_the_projects(tmp_path, body, status):
    (tmp_path / "build_prj.tcl").write_text(f"set ::from [info script]\n{body}\n")
    prepare(tmp_path, TOP, load_target("econ_t"), Request(), None)
    tcl = tkinter.Tcl()
    ended, printed = [], []
    tcl.createcommand("exit", lambda code: ended.append(int(code)))
    tcl.createcommand("puts", printed.append)
    tcl.eval(f"info script {{{tmp_path / 'vendor.tcl'}}}")
    tcl.eval((tmp_path / "vendor.tcl").read_text())
    assert ended[0] == status
    assert tcl.eval("set ::from") == str(tmp_path / "build_prj.tcl")
    if status:
        assert printed == ["# Error: no licence"]
    else:
        assert "synth=1 cosim=1" in tcl.eval("set ::seen")


# --- running ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "shown"),
    [
        ("sys.exit(3)", "exit status 3"),
        ("print('ERROR: [HLS 200-70] Compilation errors found')", "ERROR: [HLS 200-70]"),
        ("print('# Error: go analyze: Failed analyze')", "Failed analyze"),
        ("print('# ** Error (suppressible): (vsim-19) no licence')", "vsim-19"),
        ("print('// Error: Compilation aborted (CIN-5)')", "CIN-5"),
        ("sys.stderr.write('ERROR: [Synth 8-439] module not found\\n')", "Synth 8-439"),
    ],
)
def test_an_error_fails_the_run_and_is_shown(bin_folder, tmp_path, last, shown):
    program = install(bin_folder, "tool", {}, last=last)
    run = VendorRun((str(program), "-x"), tmp_path, tmp_path / "tool.log")
    with pytest.raises(ToolFailed) as error:
        carry_out(run)
    assert shown in str(error.value) and str(run.log) in str(error.value)
    assert "Running" in run.log.read_text()


def test_a_program_that_cannot_be_run_is_told(tmp_path):
    program = tmp_path / "tool"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    with pytest.raises(ToolFailed, match="tool cannot be run: No such file"):
        carry_out(VendorRun((str(program), "-x"), tmp_path, tmp_path / "tool.log"))


def test_a_run_without_error_keeps_its_log(bin_folder, tmp_path):
    program = install(bin_folder, "tool", {})
    run = VendorRun((str(program), "-x"), tmp_path, tmp_path / "tool.log")
    carry_out(run)
    assert run.log.read_text().splitlines()[:2] == [f"{program} -x", "INFO: [HLS 200-10] Running"]


# --- simulated outputs --------------------------------------------------------------------------


def _simulated(folder: Path, text: str) -> dict[str, tuple]:
    report = parse_cosim(REPORTS / "cosim_pass.rpt")[0].report
    rows = "".join(" ".join(map(str, row)) + "\n" for row in OUTPUTS)
    (folder / "tb_output_predictions.dat").write_text(rows)
    (folder / "rtl_cosim_results.log").write_text(text)
    return {f.name: (f.value, f.reason or "") for f in compare_outputs(folder, report)}


def test_simulated_outputs_are_compared_with_those_expected(tmp_path):
    found = _simulated(tmp_path, "0.00390625 1.99609 \n0 1 \n")  # as a bench prints them
    assert found == {"cosim.vectors": (2, ""), "cosim.mismatches": (0, "")}
    found = _simulated(tmp_path, "0.00390625 1.99609 \n0.00390625 1 \n")
    assert found["cosim.mismatches"][0] == 1 and "vector 1" in found["cosim.mismatches"][1]
    found = _simulated(tmp_path, "0.00390625 1.99219 \n0 1 0 \n")
    assert found["cosim.mismatches"][0] == 2
    found = _simulated(tmp_path, "0.00390625 1.99609 \n")
    assert found["cosim.vectors"][0] == 1 and found["cosim.mismatches"][0] is None
    with pytest.raises(InputError, match="log:2: not a line of numbers"):
        _simulated(tmp_path, "0 0\nx 1\n")


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("# Info: scverify_top/user_tb: Simulation PASSED @ 60051 ns", True),
        ("# Error: scverify_top/user_tb: Simulation FAILED @ 60051 ns", False),
        ("# Info: go extract", None),
    ],
)
def test_the_transcript_of_catapult_tells_its_simulation(tmp_path, text, passed):
    transcript = tmp_path / "catapult.log"
    transcript.write_text(f"Catapult Ultra Synthesis 2024.2/1130128\n{text}\n")
    figures = parse_scverify(transcript)
    assert [figure.value for figure in figures] == ([] if passed is None else [passed])
    if figures:
        assert (figures[0].report.version, figures[0].report.evidence) == (
            "2024.2/1130128",
            "rtlsim",
        )


# --- the step -----------------------------------------------------------------------------------


@pytest.fixture
def build(tmp_path: Path, bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build folder with the HLS projects of one model for two targets, without their C++."""
    encoder = model_layout(tmp_path, MODEL).network("encoder")
    encoder.parent.mkdir(parents=True)
    encoder.write_text("an encoder")
    for name in ("vitis", "econ_t"):
        layout = target_layout(tmp_path, MODEL, name)
        layout.hls.mkdir(parents=True)
        (layout.hls / "build_prj.tcl").write_text(SCRIPT)
        port = Port(name="x", cpp_type="x_t", number_format="ufixed<8,1>", shape=(2,))
        record = HlsProject(
            top=TOP,
            target=load_target(name),
            encoder_hash=file_hash(encoder),
            hls4ml="1.3.0",
            inputs=(port,),
            output=port,
            layers=(),
        )
        (layout.hls / "project.json").write_text(record.model_dump_json())
    monkeypatch.setattr("flows.commands.vendor._vectors", lambda *_: (INPUTS, OUTPUTS))
    return tmp_path


def _vendor(build: Path, target: str, *options: str) -> int:
    design = ["--build", str(build), "--model", MODEL, "--target", target]
    return main(["vendor", *design, *options])


def _values(layout: TargetLayout) -> dict[tuple[str, str], object]:
    metrics = read_metrics(layout.metrics("vendor"))
    return {(metric.name, metric.evidence.value): metric.value for metric in metrics}


def test_vitis_from_call_to_report(build, bin_folder, capsys):
    layout = target_layout(build, MODEL, "vitis")
    install(bin_folder, "vitis-run", VITIS)
    install(bin_folder, "vivado", VIVADO)
    assert _vendor(build, "vitis", "--synthesis") == 0
    (call,) = calls(bin_folder, "vitis-run")
    assert call["folder"] == str(layout.hls.resolve())
    assert call["arguments"] == ["--mode", "hls", "--tcl", "build_prj.tcl"]
    assert len(calls(bin_folder, "vivado")) == 1
    values = _values(layout)
    assert values["latency.cycles", "estimate"] == 10
    assert values["latency.cycles", "rtlsim"] == 11
    assert values["cosim.vectors", "rtlsim"] == 2 and values["cosim.mismatches", "rtlsim"] == 0
    assert values["fpga.lut", "synth"] == 28565
    (source,) = {metric.provenance.model_hash for metric in read_metrics(layout.metrics("vendor"))}
    assert source == file_hash(model_layout(build, MODEL).network("encoder"))
    assert {log.name for log in layout.hls.glob("*.log")} == {
        "vendor_vitis.log",
        "vendor_vivado_synth.log",
    }
    assert "28,565" in capsys.readouterr().out

    assert main(["report", "--build", str(build), "--model", MODEL, "--target", "vitis"]) == 1
    assert "ii.cycles is 2, demanded" in capsys.readouterr().err  # the fixture's co-simulation
    text = layout.markdown.read_text()
    assert "HLS RTL<br>rtlsim" in text and "HLS FPGA netlist<br>synth" in text
    assert "| vendor | done | latency.ns" in text
    metrics = read_summary(layout.summary).metrics
    assert len([m for m in metrics if m.name == "fpga.lut"]) == 2  # estimate and synthesis, once


def test_catapult_takes_encoder_and_block(build, bin_folder):
    layout = target_layout(build, MODEL, "econ_t")
    layout.block.mkdir()
    (layout.block / "build_prj.tcl").write_text("")
    passed = "print('# Info: scverify_top/user_tb: Simulation PASSED @ 60051 ns')"
    install(bin_folder, "catapult", CATAPULT, last=passed)
    assert _vendor(build, "econ_t") == 0
    folders = [Path(call["folder"]).name for call in calls(bin_folder, "catapult")]
    assert folders == ["hls", "block"]
    values = _values(layout)
    for name in ("", "block."):
        assert values[f"{name}latency.ns", "estimate"] == 50.0
        assert values[f"{name}asic.area_score", "estimate"] == 913021.7
        assert values[f"{name}cosim.passed", "rtlsim"] is True
    assert "tb_input_features.dat" in (layout.hls / "build_prj.tcl").read_text()


def test_a_missing_tool_ends_the_step_before_anything_is_touched(build, capsys):
    layout = target_layout(build, MODEL, "vitis")
    assert _vendor(build, "vitis") == 2
    error = capsys.readouterr().err
    assert "vitis-run or vitis_hls is not on PATH" in error and "settings64.sh" in error
    assert not layout.metrics("vendor").exists() and not (layout.hls / "tb_data").exists()


def test_a_failed_tool_leaves_no_metrics(build, bin_folder, capsys):
    layout = target_layout(build, MODEL, "vitis")
    layout.metrics("vendor").parent.mkdir()
    layout.metrics("vendor").write_text("[]")
    install(bin_folder, "vitis-run", VITIS, last="print('ERROR: [COSIM 212-4] simulator failed')")
    assert _vendor(build, "vitis") == 2
    error = capsys.readouterr().err
    assert "COSIM 212-4" in error and str(layout.hls / "vendor_vitis.log") in error
    assert not layout.metrics("vendor").exists()


def test_a_tool_that_leaves_no_report_did_not_do_its_work(build, bin_folder, capsys):
    install(bin_folder, "vitis-run", {})
    assert _vendor(build, "vitis", "--no-cosim") == 2
    assert "no report of synthesis to RTL in" in capsys.readouterr().err
    install(bin_folder, "vitis-run", {"vitis_csynth.xml": VITIS["vitis_csynth.xml"]})
    assert _vendor(build, "vitis") == 2
    assert "no report of co-simulation in" in capsys.readouterr().err
    assert _vendor(build, "vitis", "--no-cosim") == 0


@pytest.mark.parametrize(
    "case",
    [
        ("cosim_fail.rpt", "", "cosim.passed is no"),
        (
            "cosim_pass.rpt",
            "(data / 'rtl_cosim_results.log').write_text('0.5 1.99609\\n0 1\\n')",
            "cosim.mismatches is 1 (first difference: vector 0 of",
        ),
    ],
)
def test_rtl_that_differs_fails_and_is_recorded(build, bin_folder, capsys, case):
    report, last, complaint = case
    layout = target_layout(build, MODEL, "vitis")
    leaves = {"vitis_csynth.xml": VITIS["vitis_csynth.xml"], report: VITIS["cosim_pass.rpt"]}
    install(bin_folder, "vitis-run", leaves, last=last)
    assert _vendor(build, "vitis") == 1
    assert complaint in capsys.readouterr().err
    assert layout.metrics("vendor").is_file()
    assert main(["report", "--build", str(build), "--model", MODEL, "--target", "vitis"]) == 1
    for text in (layout.markdown.read_text(), layout.html.read_text()):
        assert "cosim." in text and "FAIL" in text.upper()


def test_reports_of_a_tool_run_by_hand_are_shown(build):
    layout = target_layout(build, MODEL, "econ_t")
    for folder, top in ((layout.hls, TOP), (layout.block, BLOCK)):
        for report, place in CATAPULT.items():
            file = folder / place.format(top=top)
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPORTS / report, file)
    assert main(["report", "--build", str(build), "--model", MODEL, "--target", "econ_t"]) == 0
    summary = read_summary(layout.summary)
    assert summary.find("latency.ns").value == 50.0
    assert summary.find("block.latency.ns").value == 50.0


# --- with hls4ml's own bench --------------------------------------------------------------------

# what stands for the vendor's tool: the bench, with the C++ in place of RTL that HLS makes of it
BENCH = f"""
import subprocess
sources = ["{TOP}_test.cpp", "firmware/{TOP}.cpp"]
subprocess.run(["g++", "-DRTL_SIM", "-Ifirmware/ap_types", *sources, "-o", "bench"], check=True)
subprocess.run(["./bench"], check=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("target", ["vitis", "xc7z020"])
def test_the_bench_of_hls4ml_takes_the_test_data(tmp_path, monkeypatch, target):
    from tests.flows.test_hls_csim import SEED_MODEL, Design, lay_model

    design = Design(tmp_path / "build", SEED_MODEL, target)
    lay_model(design.build, SEED_MODEL)
    assert design.step("hls") == 0
    tools = tmp_path / "bin"
    tools.mkdir()
    install(tools, "vitis-run", VITIS, last=BENCH)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    assert design.step("vendor", "--vectors", "50") == 0
    values = _values(design.files)
    assert values["cosim.vectors", "rtlsim"] > 50
    assert values["cosim.mismatches", "rtlsim"] == 0
