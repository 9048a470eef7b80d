"""What the synth step measures of one form of the design, and the same without values."""

from collections.abc import Mapping
from typing import Literal

from reports.form_metrics import Names, form_metrics
from reports.metrics import Evidence, Metric

Value = float | int | str

_PROMISED: dict[str, str] = {
    "fpga.lut": "LUT",
    "fpga.ff": "FF",
    "fpga.dsp": "DSP",
    "fpga.carry": "carry cells",
    "asic.area_um2": "um2",
    "asic.gate_equivalents": "",
}
_UNITS = {name.split(".")[1]: unit for name, unit in _PROMISED.items()} | {"pass_through": "LUT"}
_DESCRIPTIONS = (".family", ".library", ".reference_cell", ".sequential_share")


def synthesis_metrics(variant: str, values: Mapping[str, Value]) -> list[Metric]:
    """Metrics of a mapped design.

    Args:
        variant: `generated` or `reconfigurable`.
        values: by name: `fpga.<count>` of the target's family, `fpga.<family>.<count>` of another,
            `asic.<figure>`, `asic.cells.<kind>`.
    """
    return [
        Metric(
            name=name,
            value=value,
            unit="" if ".cells." in name else _UNITS.get(name.rpartition(".")[2], ""),
            evidence=Evidence.SYNTH,
            better=_better(name),
            variant=variant,
        )
        for name, value in values.items()
    ]


def unmeasured_synthesis(variant: str, reason: str) -> list[Metric]:
    """The figures that a report shows as dashes, for that reason."""
    names: Names = tuple((name, unit, "lower") for name, unit in _PROMISED.items())
    return form_metrics(names, Evidence.SYNTH, variant, {}, reason)


def _better(name: str) -> Literal["lower"] | None:
    describes = ".cells." in name or name.endswith(_DESCRIPTIONS)
    return None if describes else "lower"
