"""The table of costs by layer: parts, what is between layers, the whole, and reasons for dashes."""

from hw.forms import GENERATED
from reports.catalogue import records
from reports.metrics import Evidence, Metric, Provenance, Summary
from reports.tables.layer_costs import layer_cost_table
from reports.tables.values import MISSING

OF_NETWORK = {
    "layers.dense.macs": 12,
    "layers.dense.nonzero_weights": 7,
    "macs.total": 12,
    "nonzero_weights.total": 7,
}
OF_LOGIC = {
    "fpga.lut": 40,
    "logic.adders": 3,
    "logic.depth": 2,
    "logic.delay_ns": 2.5,
    **{
        f"{prefix}.{cost}": value
        for prefix, values in {
            "layers.input": (0, 1, 0, 0.0),
            "layers.dense": (3, 30, 1, 2.0),
            "layers.a.relu": (0, 8, 1, 0.5),
            "between_layers": (0, 1, 0, 0.0),
        }.items()
        for cost, value in zip(("adders", "lut", "depth", "delay_ns"), values, strict=True)
    },
}


def summary(*metrics: Metric) -> Summary:
    return Summary(model="m", target="t", provenance=Provenance(), metrics=metrics)


def test_a_row_a_layer_in_the_order_of_the_network_and_the_whole_last() -> None:
    estimate = Evidence.ESTIMATE
    table = layer_cost_table(
        summary(
            *records(OF_NETWORK, evidence=estimate),
            *records(OF_LOGIC, evidence=estimate, form=GENERATED),
            *records({"fpga.lut": 44}, evidence=Evidence.SYNTH, form=GENERATED),
        ),
        {"synth": "not done; make synth"},
    )
    assert [(c[0], c[2]) for c in table.columns if c[1] == "synth"] == [
        ("look-up tables", ""),
        ("area", "um2"),
    ]
    dash = MISSING
    assert table.rows == (
        ("input", ("0", "0", "0", "1", "0", "0", dash, dash)),
        ("dense", ("12", "7", "3", "30", "1", "2", dash, dash)),
        ("a.relu", ("0", "0", "0", "8", "1", "0.5", dash, dash)),
        ("between layers", ("0", "0", "0", "1", "0", "0", dash, dash)),
        ("whole", ("12", "7", "3", "40", "2", "2.5", "44", dash)),
    )
    reasons = {name: gap.reason for gap in table.gaps for name in gap.names}
    assert "belongs to no one layer" in reasons["look-up tables by layer [synth]"]
    assert reasons["area by layer [synth]"] == "not done; make synth"


def test_what_was_not_measured_is_a_dash_and_no_zero() -> None:
    found = summary(*records(OF_NETWORK, evidence=Evidence.ESTIMATE))
    table = layer_cost_table(found, {"rtl": "no logic", "synth": "no logic"})
    assert [name for name, _ in table.rows] == ["dense", "between layers", "whole"]
    assert all(cells[2:] == (MISSING,) * 6 for _, cells in table.rows)
    assert [gap.reason for gap in table.gaps] == ["no logic"]


def test_without_any_layer_there_is_no_table() -> None:
    assert layer_cost_table(summary(), {}).rows == ()
