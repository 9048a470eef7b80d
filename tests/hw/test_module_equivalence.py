"""Equivalence of a netlist that keeps its hierarchy, module by module, on the chip's own RTL."""

import argparse
import json
from pathlib import Path

import pytest

from flows.commands import equivalence
from flows.dispatch import carry_out
from flows.layout import shared_folder, shared_layout
from hw.forms import RECONFIGURABLE
from hw.foundation.errors import CheckFailed, InputError, OutOfTime
from hw.netlist import module_equivalence
from hw.netlist.equivalence import ControlFailed, compare, modules_of
from hw.netlist.gate_netlist import read_modules_apart
from hw.netlist.liberty import read_liberty
from hw.netlist.module_equivalence import prove_modules
from hw.open_tools.verilog_design import VerilogDesign
from hw.rtl import sources
from hw.synthesis.asic import nangate45, read_library, synthesise_asic
from hw.synthesis.mapping import NETLIST_JSON
from reports.metrics import read_metrics

TOP = "small"
# a register file of two bytes in three copies, whose loops go through its instances, beside a
# neuron of three products
VERILOG = """module small (input clock, reset, write, input [15:0] address, input [7:0] write_data,
    output [7:0] read_data, output upset, input [23:0] x, output [12:0] sum, output [15:0] kept);
  register_block #(.BASE(16'h10), .BYTES(2), .TMR(1)) registers (.contents(kept), .*);
  neuron #(.INPUTS(3), .WIRED(3'b101)) neuron (.x, .weights({kept[5:0], kept[15:4]}),
    .bias(kept[11:6]), .sum);
endmodule
"""


@pytest.fixture(scope="module")
def library():
    return read_liberty(nangate45())


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    file = tmp_path_factory.mktemp("small") / "small.sv"
    file.write_text(VERILOG)
    return VerilogDesign((*sources(), file), TOP)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory, design):
    """The folder of its netlist."""
    folder = tmp_path_factory.mktemp("mapped") / "asic"
    synthesise_asic(design, read_library(nangate45(), "NAND2_X1"), folder, flat=False)
    return folder


@pytest.fixture(scope="module")
def rtl(design, library):
    return modules_of(design, library)


def _changed(mapped: Path, folder: Path, change) -> Path:
    """A copy of the netlist in which `change` was done to its modules."""
    text = json.loads((mapped / NETLIST_JSON).read_text())
    change({m["attributes"].get("hdlname", name): m for name, m in text["modules"].items()})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NETLIST_JSON).write_text(json.dumps(text))
    return folder / NETLIST_JSON


def _other_gate(modules):
    """An AND in place of a NAND in the multiplier."""
    cells = modules["floored_product"]["cells"].values()
    next(cell for cell in cells if cell["type"] == "NAND2_X1")["type"] = "AND2_X1"


def _crossed_wires(modules):
    """Two bits of what the register block writes into one of its copies."""
    data = modules["register_block"]["cells"]["g_tmr.b"]["connections"]["d"]
    data[2], data[3] = data[3], data[2]


def _one_copy_less(modules):
    del modules["register_block"]["cells"]["g_tmr.c"]


def _another_module(modules):
    cells = modules["neuron"]["cells"]
    cells["g_input[0].g_wired.multiplier"]["type"] = cells["g_input[2].g_wired.multiplier"][
        "type"
    ].replace("floored", "other")


@pytest.mark.slow
class TestModules:
    def test_each_module_is_proved_once_with_a_control(self, rtl, mapped, library):
        netlist = read_modules_apart(mapped / NETLIST_JSON, TOP, library)
        done = []
        proofs = prove_modules(rtl, netlist, seed=1, progress=done.append)
        names = [proof.name.split()[0] for proof in proofs]
        assert names[:4] == ["small", "neuron", "floored_product", "register_block"]
        assert set(names[4:]) == {"register_bus", "register_copy"} and len(names) == 6
        copies = next(proof for proof in proofs if proof.name.startswith("register_copy"))
        assert "(registers.g_tmr." in copies.name
        assert sum(done) == len(proofs)
        for proof in proofs:
            assert proof.verdict.equal and proof.verdict.functions, proof
            assert (proof.control is None) == proof.name.startswith("small"), proof  # wires only
        # outputs, and what stands at the pins of the instances
        assert proofs[0].verdict.functions == (8 + 1 + 13 + 16) + (3 + 16 + 8) + (24 + 18 + 6)

    def test_a_changed_gate_is_found(self, tmp_path, rtl, mapped, library):
        file = _changed(mapped, tmp_path, _other_gate)
        proofs = prove_modules(rtl, read_modules_apart(file, TOP, library), seed=1)
        differing = [proof for proof in proofs if not proof.verdict.equal]
        assert [proof.name.split(".")[0] for proof in differing] == ["floored_product (neuron"]
        assert differing[0].control is None

    def test_crossed_wires_at_an_instance_are_found(self, tmp_path, rtl, mapped, library):
        file = _changed(mapped, tmp_path, _crossed_wires)
        proofs = prove_modules(rtl, read_modules_apart(file, TOP, library), seed=1)
        differing = {p.name: p.verdict.differing for p in proofs if not p.verdict.equal}
        assert differing == {"register_block (registers)": ("g_tmr.b.d_2", "g_tmr.b.d_3")}

    def test_a_missing_instance_is_named(self, tmp_path, rtl, mapped, library):
        file = _changed(mapped, tmp_path, _one_copy_less)
        with pytest.raises(CheckFailed, match=r"register_block.*g_tmr\.c.*nothing in the netlist"):
            prove_modules(rtl, read_modules_apart(file, TOP, library), seed=1)

    def test_other_modules_are_named(self, rtl, mapped, library):
        netlist = read_modules_apart(mapped / NETLIST_JSON, TOP, library)
        lacking = {kind: m for kind, m in rtl.items() if not m.name.startswith("floored_product")}
        with pytest.raises(CheckFailed, match=r"floored_product .* is only in the netlist"):
            prove_modules(lacking, netlist, seed=1)

    def test_a_module_of_neither_library_nor_design(self, tmp_path, mapped, library):
        file = _changed(mapped, tmp_path, _another_module)
        with pytest.raises(InputError, match=r"multiplier.*the Liberty file does not"):
            read_modules_apart(file, TOP, library)

    def test_no_netlist(self, tmp_path, library):
        with pytest.raises(InputError, match="synth-reconfigurable"):
            read_modules_apart(tmp_path / NETLIST_JSON, TOP, library)


def _options(build: Path, **more) -> argparse.Namespace:
    given = {"model": "any", "target": "econ_t", "or_skip": False, "seed": 1, "seconds": 60.0}
    return argparse.Namespace(build=build, **given | more)


def _metrics_file(build: Path) -> Path:
    return shared_layout(build, RECONFIGURABLE, "econ_t").metrics("equivalence-reconfigurable")


def _netlist_folder(build: Path) -> Path:
    return shared_folder(build, RECONFIGURABLE) / "synth-reconfigurable" / "asic"


@pytest.mark.slow
class TestStep:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch, design):
        monkeypatch.setattr(equivalence, "chip_design", lambda _: design)

    @pytest.fixture
    def _read_before(self, monkeypatch, rtl):
        monkeypatch.setattr(equivalence, "modules_of", lambda *_: rtl)

    @staticmethod
    def _found(build: Path):
        return {m.name: m for m in read_metrics(_metrics_file(build))}

    def test_figures(self, tmp_path, mapped, capsys):
        _changed(mapped, _netlist_folder(tmp_path), lambda modules: None)
        carry_out("equivalence-reconfigurable", _options(tmp_path))
        found = self._found(tmp_path)
        assert found["equivalence.proved"].value is True
        assert found["equivalence.control_caught"].value is True
        assert {(m.variant, m.evidence) for m in found.values()} == {("reconfigurable", "synth")}
        assert "6 modules" in capsys.readouterr().out

    @pytest.mark.usefixtures("_read_before")
    def test_a_changed_gate_is_told(self, tmp_path, mapped):
        _changed(mapped, _netlist_folder(tmp_path), _other_gate)
        with pytest.raises(CheckFailed, match=r"floored_product .*product_"):
            carry_out("equivalence-reconfigurable", _options(tmp_path))
        found = self._found(tmp_path)["equivalence.proved"]
        assert found.value is False and "floored_product" in found.reason

    @pytest.mark.usefixtures("_read_before")
    def test_undecided_modules_are_named(self, tmp_path, mapped, monkeypatch):
        def slow(rtl, netlist, *, seconds):
            if "neuron" in netlist.top:
                raise OutOfTime("not done")
            return compare(rtl, netlist, seconds=seconds)

        _changed(mapped, _netlist_folder(tmp_path), lambda modules: None)
        monkeypatch.setattr(module_equivalence, "compare", slow)
        with pytest.raises(OutOfTime, match=r"of 6 modules .* in 60 s each: neuron \(neuron\)$"):
            carry_out("equivalence-reconfigurable", _options(tmp_path))
        assert not _metrics_file(tmp_path).exists()
        carry_out("equivalence-reconfigurable", _options(tmp_path, or_skip=True))
        found = self._found(tmp_path)["equivalence.proved"]
        assert found.value is None and "neuron (neuron)" in found.reason

    @pytest.mark.usefixtures("_read_before")
    def test_a_control_that_is_not_caught_is_no_proof(self, tmp_path, mapped, monkeypatch):
        def blind(*_, **__):
            raise ControlFailed("the control failed")

        _changed(mapped, _netlist_folder(tmp_path), lambda modules: None)
        monkeypatch.setattr(module_equivalence, "control", blind)
        with pytest.raises(CheckFailed, match="the control failed"):
            carry_out("equivalence-reconfigurable", _options(tmp_path))
        found = self._found(tmp_path)
        assert found["equivalence.control_caught"].value is False
        assert found["equivalence.proved"].value is None
