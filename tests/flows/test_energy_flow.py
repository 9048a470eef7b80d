"""The stage that computes the energy of a netlist, on a design trained and mapped here."""

from pathlib import Path

import pytest

from flows.__main__ import main
from flows.layout import target_layout
from hw.synthesis.nangate45 import nangate45
from reports.metrics import Metric, read_metrics, read_summary
from tests.flows import tiny_design
from tests.flows.tiny_design import NAME, TARGET

pytestmark = pytest.mark.slow

PARTS = ("switching", "internal", "clock", "leakage")


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    """A build folder up to the synth stage."""
    folder = tmp_path_factory.mktemp("energy")
    build, model = folder / "build", tiny_design.record(folder)
    assert tiny_design.generate(build) == tiny_design.train(build, model) == 0
    for stage in ("hls", "rtl", "synth"):
        assert tiny_design.of_target(stage, build, NAME) == 0
    return build


def _energy(build: Path, *options: str, target: Path | str = TARGET) -> int:
    design = ["--build", str(build), "--model", NAME, "--target", str(target)]
    return main(["energy", *design, *options])


def _found(build: Path, target: str = TARGET) -> dict[str, Metric]:
    return {m.name: m for m in read_metrics(target_layout(build, NAME, target).metrics("energy"))}


def _reported(build: Path) -> dict[str, Metric]:
    tiny_design.report(build)  # other stages are not done, so that its verdict is not good
    return {m.name: m for m in read_summary(target_layout(build, NAME, TARGET).summary).metrics}


def test_figures(build, monkeypatch, capsys):
    monkeypatch.setattr("flows.commands.energy.opensta_version", lambda: None)
    absent = _reported(build)["energy.per_module_pj"]
    assert absent.value is None and "make energy" in absent.reason
    assert _energy(build, "--modules", "100") == 0
    assert "over 100 modules; no wires, no glitches: a lower bound" in capsys.readouterr().out
    found = _found(build)
    parts = [found[f"energy.{part}_pj"].value for part in PARTS]
    total = found["energy.per_module_pj"]
    assert all(part > 0 for part in parts)
    assert total.value == pytest.approx(sum(parts), abs=1e-3)
    assert (total.unit, total.evidence, total.variant) == ("pJ", "synth", "generated")
    assert found["energy.power_mw"].value == pytest.approx(total.value / 25.0, abs=1e-5)
    assert found["energy.modules"].value == 100
    assert "apt install opensta" in found["energy.opensta.power_mw"].reason
    assert _reported(build)["energy.per_module_pj"].value == total.value
    page = target_layout(build, NAME, TARGET).html.read_text()
    assert "no wires, no glitches: a lower bound" in page


def test_all_modules_where_there_are_fewer(build):
    assert _energy(build, "--modules", "1000000") == 0
    assert 100 < _found(build)["energy.modules"].value <= 2000
    assert _energy(build, "--modules", "0") == 2


def test_a_library_without_power_is_told_and_recorded_where_asked(build, tmp_path, capsys):
    library = tmp_path / "silent.lib"
    library.write_text(nangate45().read_text().replace("internal_power ()", "other_power ()"))
    target = tmp_path / "silent.yaml"
    own = Path("hw/targets/econ_t.yaml").read_text()
    target.write_text(f"liberty: {library}\n{own}")
    for stage in ("hls", "rtl", "synth"):
        assert tiny_design.of_target(stage, build, NAME, target) == 0
    assert _energy(build, target=target) == 2
    assert "has no internal energy" in capsys.readouterr().err
    assert _energy(build, "--or-skip", target=target) == 0
    skipped = _found(build, "silent")["energy.per_module_pj"]
    assert skipped.value is None
    assert "silent.lib: cell" in skipped.reason and "has no internal energy" in skipped.reason


def test_a_netlist_of_other_rtl_is_refused(build, capsys):
    verilog = target_layout(build, NAME, TARGET).rtl
    file = next(iter(sorted(verilog.glob("*.v"))))
    text = file.read_text()
    file.write_text(text + "// another\n")
    try:
        assert _energy(build) == 2
        assert "make synth" in capsys.readouterr().err
    finally:
        file.write_text(text)
