"""The summary as tables: one row a metric, one column an evidence level, never mixed."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from reports.metrics import Evidence, Metric, Summary

MISSING = "\u2014"

# title of a section -> the first parts of the names it shows; the last one takes what is left
_SECTIONS = {
    "Compression quality": ("emd", "quality"),
    "Bit accuracy": ("csim", "cosim", "rtlsim", "gatesim", "equivalence", "golden"),
    "Cost of the network": ("flops", "macs", "bops", "params", "weight_bits", "decoder"),
    "Cost of the hardware": ("latency", "ii", "timing", "fpga", "asic", "hls", "block"),
    "Data": ("data", "validation"),
    "Training": ("train",),
    "Other": (),
}
BACKGROUND = ("Data", "Training", "Other")
"""Titles of the sections that tell what the design was made from, not what came out."""

_LABELS = {
    "emd.mean": "Earth mover's distance, mean",
    "emd.std": "Standard deviation",
    "emd.standard_error": "Standard error of the mean",
    "emd.median": "Median",
    "emd.quantile_16": "16 % quantile",
    "emd.quantile_84": "84 % quantile",
    "emd.modules": "Validation modules measured",
    "emd.empty": "Empty modules (not in the mean)",
    "emd.empty_output": "Modules that come back empty",
    "quality.bits": "Bits sent of a module",
    "emd.plain.mean": "Plain training, as trained: mean",
    "emd.plain.std": "Plain training: standard deviation",
    "emd.plain.standard_error": "Plain training: standard error",
    "emd.plain_on_chip.mean": "Plain training, run by the chip: mean",
    "emd.plain_on_chip.std": "Run by the chip: standard deviation",
    "emd.plain_on_chip.standard_error": "Run by the chip: standard error",
    "csim.vectors": "Vectors compared, C++ against Keras",
    "csim.mismatches": "Vectors that differ",
    "csim.vectors.directed": "Of these: directed",
    "csim.vectors.validation": "Of these: validation modules",
    "csim.vectors.generated": "Of these: generated modules",
    "csim.vectors.golden": "Of these: golden",
    "csim.mismatching_codes": "Codes that differ",
    "csim.vectors_per_second": "Speed of the C-simulation",
    "csim.golden_model.vectors": "Vectors compared, C++ against the chip's golden model",
    "csim.golden_model.mismatches": "Vectors that differ from the golden model",
    "csim.block.vectors": "Bunch crossings compared, whole chip block against its golden model",
    "csim.block.mismatches": "Of these: output links differ",
    "csim.block.emulator_bx": "Bunch crossings compared, whole chip block against the CMS emulator",
    "csim.block.emulator_mismatches": "Of these: output links differ from the emulator",
    "csim.golden.vectors": "Golden vectors compared, C++",
    "csim.golden.mismatches": "Golden vectors that differ, C++",
    "golden.vectors": "Golden vectors compared, Keras",
    "golden.mismatches": "Golden vectors that differ, Keras",
    "hls.layers": "Layers of the C++",
    "hls.widest_result": "Widest number of the C++",
    "train.epochs": "Epochs",
    "train.best_epoch": "Epoch of the lowest validation loss",
    "train.loss": "Loss, training",
    "train.val_loss": "Loss, validation",
    "train.modules": "Training modules",
    "train.seconds": "Time",
    "validation.modules": "Validation modules",
    "validation.constant_latents": "Latents that never change",
    "cosim.passed": "C/RTL co-simulation passed",
    "cosim.vectors": "Vectors compared, RTL of HLS against Keras",
    "cosim.mismatches": "Vectors that differ, RTL of HLS",
    "block.cosim.passed": "Whole chip block: C/RTL co-simulation passed",
    "block.latency.cycles": "Whole chip block: latency",
    "block.latency.ns": "Whole chip block: latency",
    "block.ii.cycles": "Whole chip block: initiation interval",
    "block.timing.critical_path_ns": "Whole chip block: critical path",
    "block.timing.slack_ns": "Whole chip block: slack",
    "block.asic.area_score": "Whole chip block: Catapult area score",
    "timing.ecp5.fmax_mhz": "Clock frequency on a Lattice ECP5 (not the target's)",
    "timing.ecp5.cells": "Logic cells of that ECP5",
    "timing.opensta.critical_path_ns": "Critical path, by OpenSTA",
    "timing.opensta.slack_ns": "Slack, by OpenSTA",
    "rtlsim.vectors": "Vectors compared, RTL simulated",
    "rtlsim.mismatches": "Vectors that differ, RTL simulated",
    "rtlsim.vectors_per_second": "Speed of the RTL simulation",
    "rtlsim.emulator_bx": "Bunch crossings compared, RTL against CMS emulator",
    "rtlsim.emulator_mismatches": "Bunch crossings that differ, RTL against emulator",
    "gatesim.emulator_bx": "Bunch crossings compared, netlist against CMS emulator",
    "gatesim.emulator_mismatches": "Bunch crossings that differ, netlist against emulator",
    "gatesim.vectors": "Vectors compared, netlist simulated",
    "gatesim.mismatches": "Vectors that differ, netlist simulated",
    "equivalence.proved": "Netlist proved equal to its RTL",
    "equivalence.functions": "Functions compared in the proof",
    "equivalence.control_caught": "A damaged netlist was told from its RTL",
    "gatesim.vectors_per_second": "Speed of the netlist's simulation",
    "flops.total": "FLOPs, encoder (TF profiler)",
    "macs.total": "Multiply-accumulates, encoder",
    "bops.total": "Bit operations, encoder",
    "params.total": "Parameters, encoder",
    "weight_bits.total": "Weight memory, encoder",
    "decoder.flops.total": "FLOPs, decoder (TF profiler)",
    "decoder.macs.total": "Multiply-accumulates, decoder",
    "decoder.bops.total": "Bit operations, decoder",
    "decoder.params.total": "Parameters, decoder",
    "decoder.weight_bits.total": "Weight memory, decoder",
    "latency.cycles": "Latency",
    "latency.best_cycles": "Latency, best case",
    "latency.ns": "Latency",
    "ii.cycles": "Initiation interval",
    "timing.clock_target_ns": "Clock period asked for",
    "timing.critical_path_ns": "Critical path",
    "timing.slack_ns": "Slack",
    "fpga.lut": "Look-up tables",
    "fpga.ff": "Flip-flops",
    "fpga.dsp": "DSP blocks",
    "fpga.bram": "Block RAM",
    "fpga.carry": "Carry cells",
    "fpga.pass_through": "Look-up tables that pass one signal on",
    "fpga.family": "FPGA family",
    "asic.library": "Cell library",
    "asic.reference_cell": "Cell that counts as one gate",
    "asic.area_um2": "Area of the cells",
    "asic.gate_equivalents": "Gate equivalents",
    "asic.sequential_share": "Share of flip-flops in the area",
    "asic.area_score": "Catapult area score",
    "data.modules": "Modules",
    "data.empty": "Modules without charge",
    "data.correlation.one_pitch": "Correlation of log charge, 1 pitch apart",
    "data.correlation.two_pitches": "Correlation of log charge, 2 pitches apart",
    "data.correlation.far": "Correlation of log charge, farther",
    "data.distance.occ_all": "TV distance to published: cells hit",
    "data.distance.occ_1MT": "TV distance: cells > 1 MIP_T",
    "data.distance.maxQ": "TV distance: largest charge",
    "data.distance.sumQ": "TV distance: summed charge",
}
EVIDENCE = {
    Evidence.ESTIMATE: "calculated, reported by HLS, or measured on the Keras model",
    Evidence.CSIM: "C++ compiled and run",
    Evidence.RTLSIM: "RTL simulated",
    Evidence.SYNTH: "after logic synthesis",
    Evidence.PNR: "after placement and routing",
}
_OCCUPANCY = re.compile(r"emd\.occupancy\.(\d+)-(\d+)\.(\w+)")
# shown by bin (here and in reports.algorithms), as one row a measure (reports.quality) or a kind of
# cell (reports.netlist_cells)
_IN_OWN_TABLES = re.compile(
    r"emd\.(?:occupancy|charge)\.\S+|baseline\.\S+|link\.bits|quality\.\w+\.\w+"
    r"|asic\.cells\.\S+"
)


@dataclass(frozen=True)
class Row:
    """One metric (or one variant of it).

    Attributes:
        label: words for it; `name` is the dotted name.
        cells: the value at each evidence level of the section's columns, MISSING where none.
        reason: why nothing was measured; empty where something was.
    """

    name: str
    label: str
    unit: str
    cells: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True)
class Gap:
    """Metrics that were not measured for one reason."""

    names: tuple[str, ...]
    reason: str


def group_gaps(reasons: Iterable[tuple[str, str]]) -> list[Gap]:
    """Group pairs of name and reason by reason; an empty reason is no gap."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons:
        if reason:
            names.setdefault(reason, []).append(name)
    return [Gap(tuple(dict.fromkeys(members)), reason) for reason, members in names.items()]


@dataclass(frozen=True)
class Section:
    """One table: `columns` names the evidence level of each cell."""

    title: str
    columns: tuple[Evidence, ...]
    rows: tuple[Row, ...]

    @property
    def gaps(self) -> list["Gap"]:
        """Why rows are without value: one entry a reason."""
        return group_gaps((row.name, row.reason) for row in self.rows)


@dataclass(frozen=True)
class OccupancyRow:
    """The earth mover's distance of the modules of one occupancy bin."""

    cells: str
    modules: str
    mean: str
    std: str
    median: str
    quantiles: str


def sections(summary: Summary, elsewhere: Collection[str] = ()) -> list[Section]:
    """The metrics in tables, in the order of the summary; none is left out but those that stand
    `elsewhere`."""
    rest = [
        metric
        for metric in summary.metrics
        if metric.name not in elsewhere and not _IN_OWN_TABLES.fullmatch(metric.name)
    ]
    found = []
    for title, prefixes in _SECTIONS.items():
        members = [m for m in rest if not prefixes or m.name.split(".")[0] in prefixes]
        rest = [metric for metric in rest if metric not in members]
        if members:
            found.append(_section(title, members))
    return found


def occupancy_rows(summary: Summary) -> list[OccupancyRow]:
    """The distance by occupancy, for each bin of the summary; none if no bin was measured."""
    bins: dict[tuple[int, int], dict[str, Metric]] = {}
    for metric in summary.metrics:
        if match := _OCCUPANCY.fullmatch(metric.name):
            edges = (int(match[1]), int(match[2]))
            bins.setdefault(edges, {})[match[3]] = metric
    if not any(metric.value for parts in bins.values() for metric in parts.values()):
        return []
    last = max((upper for _, upper in bins), default=0)
    rows = []
    for (lower, upper), parts in sorted(bins.items()):
        shown = {
            name: format_value(m.value) if name == "modules" else _three_decimals(m.value)
            for name, m in parts.items()
        }
        measured = parts["mean"].value is not None
        rows.append(
            OccupancyRow(
                cells=f"{lower} to {upper if upper == last else upper - 1}",
                modules=shown["modules"],
                mean=f"{shown['mean']} \u00b1 {shown['standard_error']}" if measured else MISSING,
                std=shown["std"],
                median=shown["median"],
                quantiles=f"{shown['quantile_16']} to {shown['quantile_84']}"
                if measured
                else MISSING,
            )
        )
    return rows


def format_value(value: object) -> str:
    """A value for reading: thousands apart, four significant digits, a dash for None."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return f"{int(value):,}"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)


def _three_decimals(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float | int) else MISSING


def _section(title: str, members: Sequence[Metric]) -> Section:
    measured = {metric.evidence for metric in members if metric.value is not None}
    promised = {metric.evidence for metric in members}
    columns = tuple(level for level in Evidence if level in (measured or promised))
    rows: dict[tuple[str, str | None], list[Metric]] = {}
    for metric in members:
        rows.setdefault((metric.name, metric.variant), []).append(metric)
    return Section(title, columns, tuple(_row(records, columns) for records in rows.values()))


def label_of(name: str) -> str:
    """Words for a metric; its name where there are none."""
    if of_family := re.fullmatch(r"fpga\.(\w+)\.(\w+)", name):  # of another than the target's
        family, figure = of_family.groups()
        return f"{_LABELS.get(f'fpga.{figure}', figure)}, {family}"
    return _LABELS.get(name, name)


def _row(records: list[Metric], columns: tuple[Evidence, ...]) -> Row:
    first = records[0]
    values = {m.evidence: format_value(m.value) for m in records if m.value is not None}
    label = label_of(first.name)
    return Row(
        name=first.name,
        label=f"{label} ({first.variant})" if first.variant else label,
        unit=first.unit,
        cells=tuple(values.get(level, MISSING) for level in columns),
        reason="" if values else "; ".join(dict.fromkeys(m.reason or "" for m in records)),
    )
