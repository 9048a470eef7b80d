"""A search with real trials: every stage of the flow, from the space to a model that make takes."""

import json
from pathlib import Path

import pytest

from flows.__main__ import main
from flows.layout import search_layout, target_layout
from flows.search.records import read_record
from models.networks.zoo import load_model_spec
from reports.metrics import read_summary
from reports.summary import strongest

SPACE = """\
base: 8x8_c8_S2_qK
space:
  convolutions.0.filters: [1]
  quantisation.weight.total: [3]
  quantisation.weight.integer: [0]
trials: 1
epochs: 1
events: 2000
vectors: 200
"""


@pytest.mark.slow
def test_a_search_of_one_trial_goes_through_every_stage(tmp_path: Path) -> None:
    space = tmp_path / "tiny.yaml"
    space.write_text(SPACE)
    command = ["search", str(space), "--build", str(tmp_path), "--workers", "1"]
    assert main(command) == 0
    layout = search_layout(tmp_path, "tiny")
    record = read_record(layout.trial(0))
    assert record
    assert record.is_complete, record.reason
    assert len(record.val_loss) == 1
    summary = read_summary(target_layout(layout.designs, "tiny-0000", "econ_t").summary)
    assert strongest(summary, "csim.mismatches")[0].value == 0
    lut = strongest(summary, "fpga.lut")[0]
    assert lut.evidence.value == "synth"
    trial = json.loads(layout.trials.read_text())["trials"][0]
    assert lut.value in [m["value"] for m in trial["metrics"] if m["name"] == "fpga.lut"]
    spec = load_model_spec(str(layout.front / "tiny-0000.yaml"))
    assert (spec.convolutions[0].filters, spec.epochs) == (1, 1)
    log = layout.trial(0).log.read_text()
    assert main(command) == 0  # all is done
    assert layout.trial(0).log.read_text() == log
