"""The step that simulates the chip's mapped encoder; the netlist's part is played by the golden
model, since mapping the whole takes minutes."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.commands import gatesim_reconfigurable as step
from flows.dispatch import carry_out
from flows.layout import model_layout, target_layout
from hw.foundation.errors import CheckFailed, ToolMissing
from reports.metrics import read_metrics
from testbench.econ_t.block_sets import random_sets
from testbench.econ_t.encoder import conv_codes, latent_codes
from testbench.econ_t.golden_model import autoencoder_stages
from testbench.econ_t.reconfigurable import EncoderSet, weight_writes
from testbench.econ_t.stimulus import directed_inputs, random_weights
from testbench.simulators.rtlsim import Feed, Read, RtlRun, Write

WEIGHTS = random_weights(np.random.default_rng(1), 0.3)


def _netlist_run(steps, *, latency=2, codes=lambda codes: codes, reads=lambda reads: reads):
    """What a right netlist does with these steps: it knows only what is written to it."""
    stored: dict[int, int] = {}
    answers, bytes_read = [], []
    for item in steps:
        match item:
            case Write(pairs):
                stored |= dict(pairs)
                weights = next(w for w in LOADED if dict(weight_writes(w)) == stored)
            case Read(addresses):
                bytes_read += [stored[address] for address in addresses]
            case Feed(inputs):
                answers.append(latent_codes(conv_codes(inputs, weights), weights))
    found = codes(np.concatenate(answers))
    fed = np.arange(len(found))
    return RtlRun(found, fed, fed + latency, np.array(reads(bytes_read)), fed[:0], 1.0)


RECORDED = [
    replace(item, links=autoencoder_stages(item.words, item.registers).links)
    for item in random_sets(np.random.default_rng(2), 2)
]
LOADED = [WEIGHTS, *(item.registers.weights for item in RECORDED)]


@pytest.fixture
def build(tmp_path, monkeypatch):
    of_model = model_layout(tmp_path, "econ_t")
    for file in (of_model.network("encoder"), of_model.validation):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"a trained model")
    inputs = np.stack(list(directed_inputs().values()))
    monkeypatch.setattr(step, "chip_encoder", lambda _: (None, WEIGHTS))
    monkeypatch.setattr(step, "network_in_integers", lambda _: None)
    monkeypatch.setattr(step, "mapped_netlist", lambda *_: None)
    monkeypatch.setattr(step, "vector_groups", lambda *_: [])
    monkeypatch.setattr(step, "encoder_sets", lambda *_: [EncoderSet("mine", WEIGHTS, inputs)])
    monkeypatch.setattr(step, "recorded_by_emulator", lambda _: RECORDED)
    _play(monkeypatch)
    return tmp_path


def _play(monkeypatch, **how):
    monkeypatch.setattr(step, "simulate", lambda _, __, steps, ___: _netlist_run(steps, **how))


def _options(build: Path, **more) -> argparse.Namespace:
    given = {"model": "econ_t", "target": "econ_t", "or_skip": False, "seed": 1, "vectors": 10}
    return argparse.Namespace(build=build, recorded=Path("recorded"), **given | more)


def _found(build: Path):
    file = target_layout(build, "econ_t", "econ_t").metrics("gatesim-reconfigurable")
    return {m.name: m for m in read_metrics(file)}


def test_a_right_netlist(build, capsys):
    carry_out("gatesim-reconfigurable", _options(build))
    found = _found(build)
    recorded = sum(len(item.words) for item in RECORDED)
    assert found["gatesim.mismatches"].value == 0
    assert found["gatesim.vectors"].value == len(directed_inputs()) + recorded
    assert found["gatesim.emulator_bx"].value == recorded
    assert found["gatesim.emulator_mismatches"].value == 0
    assert {(m.variant, m.evidence) for m in found.values()} == {("reconfigurable", "synth")}
    assert "1,608 bytes of weights read back" in capsys.readouterr().out


def test_a_wrong_latent_is_told(build, monkeypatch, capsys):
    def wrong(codes):
        codes[3, 5] ^= 1
        return codes

    _play(monkeypatch, codes=wrong)
    with pytest.raises(CheckFailed, match=r"golden model: 1 of .*mine, vector 3"):
        carry_out("gatesim-reconfigurable", _options(build))
    found = _found(build)["gatesim.mismatches"]
    assert found.value == 1 and "mine, vector 3" in found.reason
    carry_out("gatesim-reconfigurable", _options(build, or_skip=True))
    assert "mine, vector 3" in capsys.readouterr().err


def test_a_wrong_link_is_told(build, monkeypatch):
    """The emulator's links are compared with those that carry the netlist's latents."""
    rows = range(len(directed_inputs()), len(directed_inputs()) + len(RECORDED[0].words))

    def wrong(codes):
        codes[rows] ^= 511
        return codes

    _play(monkeypatch, codes=wrong)
    with pytest.raises(CheckFailed, match=r"netlist of econ_t_encoder: CMS emulator: \d+ of"):
        carry_out("gatesim-reconfigurable", _options(build))
    found = _found(build)
    assert 0 < found["gatesim.emulator_mismatches"].value <= len(rows)
    assert found["gatesim.mismatches"].value == found["gatesim.emulator_mismatches"].value


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"latency": 3}, "latency 3 clocks"),
        ({"reads": lambda reads: [reads[0] ^ 4, *reads[1:]]}, "read 0x.* at 0x0538, where 0x"),
    ],
)
def test_another_latency_or_other_bytes(build, monkeypatch, how, message):
    _play(monkeypatch, **how)
    with pytest.raises(CheckFailed, match=message):
        carry_out("gatesim-reconfigurable", _options(build))
    found = _found(build)["gatesim.mismatches"]
    assert found.value is None and found.reason


def test_without_recorded_vectors(build, monkeypatch):
    monkeypatch.setattr(step, "recorded_by_emulator", lambda _: [])
    carry_out("gatesim-reconfigurable", _options(build))
    found = _found(build)
    assert found["gatesim.mismatches"].value == 0
    assert found["gatesim.emulator_bx"].value is None
    assert "recorded: holds no recorded set" in found["gatesim.emulator_bx"].reason


def test_without_a_tool(build, monkeypatch):
    def missing(*_):
        raise ToolMissing("yosys is not installed")

    monkeypatch.setattr(step, "mapped_netlist", missing)
    with pytest.raises(ToolMissing):
        carry_out("gatesim-reconfigurable", _options(build))
    carry_out("gatesim-reconfigurable", _options(build, or_skip=True))
    assert _found(build)["gatesim.mismatches"].reason == "yosys is not installed"
