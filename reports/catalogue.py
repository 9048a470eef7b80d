"""The catalogue of metrics: name, unit, direction, words and place of each number of this project.

A metric is declared here once.  Steps make their records from it (`records`), and the report's
tables, verdict and comparison are read off it: a metric that is not here cannot be written.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Literal

from hw.forms import Form
from hw.foundation.errors import InputError
from hw.foundation.strict_config import did_you_mean
from reports.metrics import Evidence, Metric

Value = float | int | bool | str
Better = Literal["lower", "higher"] | None

QUALITY = "Compression quality"
ACCURACY = "Bit accuracy"
NETWORK = "Cost of the network"
HARDWARE = "Cost of the hardware"
RADIATION = "Radiation"
DATA = "Data"
TRAINING = "Training"
OTHER = "Other"
SECTIONS = (QUALITY, ACCURACY, NETWORK, HARDWARE, RADIATION, DATA, TRAINING, OTHER)
"""Titles of the sections of a report that have one row a metric, in their order."""

BINS = "Distance in bins"
MEASURES = "Other measures of quality"
ALGORITHMS = "Other algorithms"
CELLS = "Cells of the netlist"
LAYERS = "Costs by layer"
"""This and the four above: places of metrics that are shown in tables of another layout."""

LOWER_BOUND = "no wires, no glitches: a lower bound"
"""What an energy of a netlist before placement is."""

MAPPED_TO = "mapped to"
"""In place of a row in the table of forms: it stands in the note of its column."""


class Demanded(StrEnum):
    """When a demand holds."""

    ALWAYS = "always"
    STAGE_DONE = "where its stage is done"
    MEASURED = "where it has a value"


@dataclass(frozen=True)
class Demand:
    """Bounds (included) that hold on every target, and when they do."""

    max: float
    min: float
    when: Demanded = Demanded.MEASURED

    def is_met(self, value: Value | None) -> bool:
        return isinstance(value, bool | int | float) and self.min <= value <= self.max


_ZERO = Demand(max=0, min=0)
_ZERO_WHERE_DONE = replace(_ZERO, when=Demanded.STAGE_DONE)
_ZERO_ALWAYS = replace(_ZERO, when=Demanded.ALWAYS)
_YES = Demand(max=1, min=1)
_YES_WHERE_DONE = replace(_YES, when=Demanded.STAGE_DONE)


@dataclass(frozen=True)
class Row:
    """What is to be known of one metric, or of all metrics of one pattern.

    Attributes:
        name: dotted.  In a pattern `{word}` stands for any text: `fpga.{family}.lut`.
        unit: the empty string for a pure number.
        better: direction of improvement; None where neither is one.
        label: words for the reader of a report, with the words of the pattern.
        section: where a report shows it: one of SECTIONS, or a table of another layout.
        stage: the one that measures it, without the suffix of a form.
        form_row: its row in the table of the forms of a design; empty where it has none.
        levels: the evidence levels at which a form of a design should have it: where it has not,
            a dash stands there with the reason.
        demand: what must hold on every target.
        promised: whether every summary holds it, without value if need be.
        judged: whether a difference between two designs can be better or worse.  What tells of the
            data, the training or the machine is not judged.
        detail: whether a comparison shows it on demand only.
    """

    name: str
    unit: str = ""
    better: Better = None
    label: str = ""
    section: str = OTHER
    stage: str = ""
    form_row: str = ""
    levels: tuple[Evidence, ...] = ()
    demand: Demand | None = None
    promised: bool = False
    judged: bool = True
    detail: bool = False


@dataclass(frozen=True)
class QualityMeasure:
    """A measure of compression quality; models/quality/measures.py says how it is computed.

    Attributes:
        name: as there, and in the names of its metrics.
        label: words for it.
        axis: words at the axis of a picture, without the unit.
        nearest_to: value of a perfect copy, where neither direction is an improvement.
    """

    name: str
    unit: str
    better: Better
    label: str
    axis: str
    nearest_to: int = 0


_LOWER: Better = "lower"
_HIGHER: Better = "higher"
_HALF_PITCH = "half pitch"
_ESTIMATE, _CSIM, _RTLSIM, _SYNTH, _PNR = ((level,) for level in Evidence)

# fmt: off
DISTANCE = QualityMeasure("emd", _HALF_PITCH, _LOWER, "Earth mover's distance", "EMD")
QUALITY_MEASURES = (
    QualityMeasure("emd_threshold", _HALF_PITCH, _LOWER,
        "Earth mover's distance of cells above 2 % of the charge", "EMD of the larger cells"),
    QualityMeasure("mean_difference", _HALF_PITCH, _LOWER,
        "Difference of the charge-weighted mean", "Shift of the mean"),
    QualityMeasure("rms_difference", _HALF_PITCH, None,
        "Difference of the charge-weighted RMS, before - after",
        r"RMS$_\mathrm{in}$ $-$ RMS$_\mathrm{out}$"),
    QualityMeasure("rms_difference_absolute", _HALF_PITCH, _LOWER,
        "Absolute difference of the charge-weighted RMS",
        r"|RMS$_\mathrm{in}$ $-$ RMS$_\mathrm{out}$|"),
    QualityMeasure("rms_reference_difference", "", None,
        "RMS difference as in the FastML benchmark",
        r"RMS$_\mathrm{in}$ $-$ RMS$_\mathrm{out}$ (FastML)"),
    QualityMeasure("rms_reference_difference_absolute", "", _LOWER,
        "Absolute RMS difference as in the FastML benchmark",
        r"|RMS$_\mathrm{in}$ $-$ RMS$_\mathrm{out}$| (FastML)"),
    QualityMeasure("cross_correlation", "", _HIGHER, "Cross-correlation of the cells",
        "Cross-correlation"),
    QualityMeasure("squared_difference", "", _LOWER, "Sum of squared differences, normalised",
        "Sum of squared differences"),
    QualityMeasure("zero_fraction", "", _LOWER, "Fraction of modules that come back empty",
        "Fraction come back empty"),
    QualityMeasure("charge_response", "", None, "Charge response, after / before",
        "Charge out / charge in", nearest_to=1),
    QualityMeasure("telescope", "", _LOWER, "Telescope loss", "Telescope loss"),
)
"""All measures but the distance, in the order in which they are shown."""


def _measured_by(stage: str, section: str, *rows: Row) -> Iterator[Row]:
    return (replace(row, stage=stage, section=section) for row in rows)


def _statistics(name: str, unit: str, better: Better, label: str = "") -> Iterator[Row]:
    """Statistics of a sample of modules; mean and median have a direction of improvement."""
    for part in ("mean", "std", "standard_error", "median", "quantile_16", "quantile_84"):
        words = f"{label}, {part.replace('_', ' ')}" if label else ""
        yield Row(f"{name}.{part}", unit, better if part in ("mean", "median") else None, words)
    yield Row(f"{name}.modules", "modules", label=f"{label}, modules" if label else "")


def _binned(name: str) -> Iterator[Row]:
    """The distance in bins of occupancy and charge, and the modules that come back empty."""
    for part in (f"{name}.occupancy.{{bin}}", f"{name}.charge.{{bin}}"):
        yield from _statistics(part, _HALF_PITCH, _LOWER)
        yield Row(f"{part}.empty_output", "modules", _LOWER)


def _costs_of_logic(name: str, words: str) -> Iterator[Row]:
    """Parts of the generated logic's estimates."""
    yield Row(f"{name}.adders", "adders", _LOWER, f"Adders, {words}")
    yield Row(f"{name}.lut", "LUT", _LOWER, f"Look-up tables, {words}")
    yield Row(f"{name}.depth", "levels", _LOWER, f"Depth on the slowest path, {words}")
    yield Row(f"{name}.delay_ns", "ns", _LOWER, f"Delay on the slowest path, {words}")


def _detail(rows: Iterable[Row]) -> Iterator[Row]:
    return (replace(row, detail=True) for row in rows)


def _not_judged(rows: Iterable[Row]) -> Iterator[Row]:
    return (replace(row, judged=False) for row in rows)


_ROWS: tuple[Row, ...] = (
    # --- compression quality ---
    *_measured_by("evaluate", QUALITY,
        Row("emd.mean", _HALF_PITCH, _LOWER, "Earth mover's distance, mean", promised=True),
        Row("emd.std", _HALF_PITCH, None, "Standard deviation", promised=True),
        Row("emd.standard_error", _HALF_PITCH, None, "Standard error of the mean"),
        Row("emd.median", _HALF_PITCH, _LOWER, "Earth mover's distance, median"),
        Row("emd.quantile_16", _HALF_PITCH, None, "16 % quantile"),
        Row("emd.quantile_84", _HALF_PITCH, None, "84 % quantile"),
        Row("emd.modules", "modules", None, "Validation modules measured"),
        Row("emd.empty", "modules", None, "Empty modules (not in the mean)"),
        Row("emd.empty_output", "modules", _LOWER, "Modules that come back empty"),
        Row("quality.bits", "bits/module", _LOWER, "Bits sent of a module"),
        Row("quality.saturated_latents", "", _LOWER,
            "Share of latents at the largest value of their format"),
        Row("mixture.occupancy.emd.mean", _HALF_PITCH, _LOWER,
            "EMD, mean, the best algorithm in each bin of occupancy"),
        Row("mixture.occupancy.autoencoder", "", None,
            "Of these modules: share in bins where the autoencoder is best"),
        Row("mixture.charge.emd.mean", _HALF_PITCH, _LOWER,
            "EMD, mean, the best algorithm in each bin of charge"),
        Row("mixture.charge.autoencoder", "", None,
            "Of these modules: share in bins where the autoencoder is best"),
        Row("mixture.module.emd.mean", _HALF_PITCH, _LOWER,
            "EMD, mean, the best algorithm for each module (a bound: no setting reaches it)"),
        Row("mixture.module.autoencoder", "", None,
            "Of these modules: share for which the autoencoder is best"),
        *_detail((
            Row("emd.plain.mean", _HALF_PITCH, _LOWER, "Plain training, as trained: mean"),
            Row("emd.plain.std", _HALF_PITCH, None, "Plain training: standard deviation"),
            Row("emd.plain.standard_error", _HALF_PITCH, None, "Plain training: standard error"),
            Row("emd.plain_on_chip.mean", _HALF_PITCH, _LOWER,
                "Plain training, run by the chip: mean"),
            Row("emd.plain_on_chip.std", _HALF_PITCH, None,
                "Run by the chip: standard deviation"),
            Row("emd.plain_on_chip.standard_error", _HALF_PITCH, None,
                "Run by the chip: standard error"),
        )),
    ),
    *_measured_by("evaluate", BINS, *_detail(_binned("emd"))),
    *(
        row
        for measure in QUALITY_MEASURES
        for row in _measured_by("evaluate", MEASURES, *_statistics(
            f"quality.{measure.name}", measure.unit, measure.better, measure.label))
    ),
    *_measured_by("evaluate", ALGORITHMS,
        Row("link.bits", "bits/BX", judged=False),
        *_detail((
            Row("baseline.{algorithm}.{form}.bits", "bits/module", _LOWER),
            *_statistics("baseline.{algorithm}.{form}.emd", _HALF_PITCH, _LOWER),
            Row("baseline.{algorithm}.{form}.emd.empty", "modules"),
            Row("baseline.{algorithm}.{form}.emd.empty_output", "modules", _LOWER),
            *_binned("baseline.{algorithm}.{form}.emd"),
            *(row for measure in QUALITY_MEASURES for row in _statistics(
                f"baseline.{{algorithm}}.{{form}}.{measure.name}", measure.unit, measure.better)),
        )),
    ),
    # --- bit accuracy ---
    *_measured_by("train", ACCURACY,
        Row("golden.vectors", "vectors", None, "Golden vectors compared, Keras", judged=False),
        Row("golden.mismatches", "vectors", _LOWER, "Golden vectors that differ, Keras"),
        Row("decisions.vectors", "vectors", None, "Vectors of known class", judged=False),
        Row("decisions.correct", "vectors", _HIGHER, "Of these: decided as given"),
    ),
    *_measured_by("csim", ACCURACY,
        Row("csim.vectors", "vectors", None, "Vectors compared, C++ against Keras",
            form_row="Vectors compared", levels=_CSIM, promised=True, judged=False),
        Row("csim.mismatches", "vectors", _LOWER, "Vectors that differ",
            form_row="Vectors that differ", levels=_CSIM, promised=True, demand=_ZERO_ALWAYS),
        Row("csim.mismatching_codes", "codes", _LOWER, "Codes that differ"),
        Row("keras.rounded_vectors", "vectors", None,
            "Of these: Keras rounds, in float32, to another code", judged=False),
        Row("csim.vectors_per_second", "vectors/s", _HIGHER, "Speed of the C-simulation",
            judged=False),
        Row("csim.golden.vectors", "vectors", None, "Golden vectors compared, C++", judged=False),
        Row("csim.golden.mismatches", "vectors", _LOWER, "Golden vectors that differ, C++",
            demand=_ZERO),
        Row("csim.golden_model.vectors", "vectors", None,
            "Vectors compared, C++ against the chip's golden model", judged=False),
        Row("csim.golden_model.mismatches", "vectors", _LOWER,
            "Vectors that differ from the golden model", demand=_ZERO),
        Row("csim.block.vectors", "BX", None,
            "Bunch crossings compared, whole chip block against its golden model", judged=False),
        Row("csim.block.mismatches", "BX", _LOWER, "Of these: output links differ", demand=_ZERO),
        Row("csim.block.emulator_bx", "BX", None,
            "Bunch crossings compared, whole chip block against the CMS emulator"),
        Row("csim.block.emulator_mismatches", "BX", _LOWER,
            "Of these: output links differ from the emulator", demand=_ZERO),
        Row("csim.vectors.directed", "vectors", None, "Of these: directed"),
        Row("csim.vectors.validation", "vectors", None, "Of these: validation modules"),
        Row("csim.vectors.generated", "vectors", None, "Of these: generated modules"),
        Row("csim.vectors.golden", "vectors", None, "Of these: golden"),
        Row("csim.vectors.given", "vectors", None, "Of these: given with the network"),
        Row("csim.vectors.random", "vectors", None, "Of these: random"),
    ),
    *_measured_by("vendor", ACCURACY,
        Row("cosim.passed", "", _HIGHER, "C/RTL co-simulation passed", demand=_YES_WHERE_DONE),
        Row("cosim.vectors", "vectors", None, "Vectors compared, RTL of HLS against Keras",
            form_row="Vectors compared", judged=False),
        Row("cosim.mismatches", "vectors", _LOWER, "Vectors that differ, RTL of HLS",
            form_row="Vectors that differ", demand=_ZERO_WHERE_DONE),
        Row("block.cosim.passed", "", _HIGHER,
            "Whole chip block: C/RTL co-simulation passed", demand=_YES_WHERE_DONE),
    ),
    *_measured_by("rtlsim", ACCURACY,
        Row("rtlsim.vectors", "vectors", None, "Vectors compared, RTL simulated",
            form_row="Vectors compared", levels=_RTLSIM, judged=False),
        Row("rtlsim.mismatches", "vectors", _LOWER, "Vectors that differ, RTL simulated",
            form_row="Vectors that differ", levels=_RTLSIM, demand=_ZERO_WHERE_DONE),
        Row("rtlsim.vectors_per_second", "vectors/s", _HIGHER, "Speed of the RTL simulation",
            levels=_RTLSIM, judged=False),
        Row("rtlsim.emulator_bx", "BX", None,
            "Bunch crossings compared, RTL against CMS emulator"),
        Row("rtlsim.emulator_mismatches", "BX", _LOWER,
            "Bunch crossings that differ, RTL against emulator"),
    ),
    *_measured_by("gatesim", ACCURACY,
        Row("gatesim.vectors", "vectors", None, "Vectors compared, netlist simulated",
            form_row="Vectors compared", levels=_SYNTH, judged=False),
        Row("gatesim.mismatches", "vectors", _LOWER, "Vectors that differ, netlist simulated",
            form_row="Vectors that differ", levels=_SYNTH, demand=_ZERO_WHERE_DONE),
        Row("gatesim.vectors_per_second", "vectors/s", _HIGHER,
            "Speed of the netlist's simulation", levels=_SYNTH, judged=False),
        Row("gatesim.emulator_bx", "BX", None,
            "Bunch crossings compared, netlist against CMS emulator"),
        Row("gatesim.emulator_mismatches", "BX", _LOWER,
            "Bunch crossings that differ, netlist against emulator"),
    ),
    *_measured_by("equivalence", ACCURACY,
        Row("equivalence.proved", "", _HIGHER, "Netlist proved equal to its RTL",
            form_row="Equal to RTL, proved", levels=_SYNTH, demand=_YES_WHERE_DONE),
        Row("equivalence.functions", "functions", None, "Functions compared in the proof",
            levels=_SYNTH),
        Row("equivalence.control_caught", "", _HIGHER, "A damaged netlist was told from its RTL",
            levels=_SYNTH, demand=_YES),
    ),
    # --- cost of the network ---
    *_measured_by("flops", NETWORK,
        Row("flops.total", "FLOP", _LOWER, "FLOPs, encoder (TF profiler)", promised=True),
        Row("macs.total", "MAC", _LOWER, "Multiply-accumulates, encoder", promised=True),
        Row("bops.total", "bit operations", _LOWER, "Bit operations, encoder", promised=True),
        Row("params.total", "parameters", _LOWER, "Parameters, encoder", promised=True),
        Row("weight_bits.total", "bit", _LOWER, "Weight memory, encoder"),
        Row("signed_digits.total", "digits", _LOWER, "Signed digits of the weights, encoder"),
        Row("adder_bits.total", "bit", _LOWER, "Adder bits of wired weights, encoder"),
        Row("nonzero_weights.total", "weights", _LOWER, "Non-zero weights, encoder"),
        Row("decoder.flops.total", "FLOP", _LOWER, "FLOPs, decoder (TF profiler)"),
        Row("decoder.macs.total", "MAC", _LOWER, "Multiply-accumulates, decoder"),
        Row("decoder.bops.total", "bit operations", _LOWER, "Bit operations, decoder"),
        Row("decoder.params.total", "parameters", _LOWER, "Parameters, decoder"),
        Row("decoder.weight_bits.total", "bit", _LOWER, "Weight memory, decoder"),
    ),
    *_measured_by("flops", LAYERS, *_detail((
        Row("layers.{layer}.macs", "MAC", _LOWER, "Multiply-accumulates, layer {layer}"),
        Row("layers.{layer}.nonzero_weights", "weights", _LOWER,
            "Non-zero weights, layer {layer}"),
    ))),
    # --- cost of the hardware ---
    *_measured_by("rtl", LAYERS, *_detail((
        *_costs_of_logic("layers.{layer}", "layer {layer}"),
        *_costs_of_logic("between_layers", "between layers"),
    ))),
    *_measured_by("rtl", HARDWARE,
        Row("logic.adders", "adders", _LOWER, "Adders of the generated logic"),
        Row("logic.depth", "levels", _LOWER, "Operations one after another on its slowest path"),
        Row("logic.delay_ns", "ns", _LOWER, "Delay of its slowest path, from input to output"),
    ),
    *_measured_by("hls", HARDWARE,
        Row("hls.layers", "layers", None, "Layers of the C++"),
        Row("hls.widest_result", "bits", _LOWER, "Widest number of the C++"),
    ),
    *_measured_by("rtlsim", HARDWARE,
        Row("latency.cycles", "cycles", _LOWER, "Latency",
            form_row="Latency", levels=_ESTIMATE + _RTLSIM, promised=True),
        Row("latency.ns", "ns", _LOWER, "Latency",
            form_row="Latency", levels=_ESTIMATE + _RTLSIM, promised=True),
        Row("ii.cycles", "cycles", _LOWER, "Initiation interval",
            form_row="Initiation interval", levels=_ESTIMATE + _RTLSIM, promised=True),
    ),
    *_measured_by("synth", HARDWARE,
        Row("fpga.lut", "LUT", _LOWER, "Look-up tables",
            form_row="Look-up tables", levels=_ESTIMATE + _SYNTH, promised=True),
    ),
    *_measured_by("ecp5", HARDWARE,
        Row("timing.ecp5.cells", "logic cells", _LOWER, "Logic cells of that ECP5",
            form_row="Logic cells", levels=_PNR),
    ),
    *_measured_by("synth", HARDWARE,
        Row("fpga.ff", "FF", _LOWER, "Flip-flops",
            form_row="Flip-flops", levels=_ESTIMATE + _SYNTH, promised=True),
        Row("fpga.dsp", "DSP", _LOWER, "DSP blocks",
            form_row="DSP blocks", levels=_ESTIMATE + _SYNTH, promised=True),
        Row("fpga.carry", "carry cells", _LOWER, "Carry cells",
            form_row="Carry cells", levels=_SYNTH),
        Row("fpga.pass_through", "LUT", _LOWER, "Look-up tables that pass one signal on"),
        Row("fpga.family", "", None, "FPGA family", form_row=MAPPED_TO),
        Row("fpga.{family}.lut", "LUT", _LOWER, "Look-up tables, {family}"),
        Row("fpga.{family}.ff", "FF", _LOWER, "Flip-flops, {family}"),
        Row("fpga.{family}.dsp", "DSP", _LOWER, "DSP blocks, {family}"),
        Row("fpga.{family}.carry", "carry cells", _LOWER, "Carry cells, {family}"),
        Row("fpga.{family}.pass_through", "LUT", _LOWER,
            "Look-up tables that pass one signal on, {family}"),
        Row("fpga.{family}.family", "", None, "FPGA family, {family}"),
        Row("asic.area_um2", "um2", _LOWER, "Area of the cells",
            form_row="Area", levels=_SYNTH),
        Row("asic.gate_equivalents", "", _LOWER, "Gate equivalents",
            form_row="Gate equivalents", levels=_SYNTH),
        Row("asic.sequential_share", "", None, "Share of flip-flops in the area"),
        Row("asic.library", "", None, "Cell library", form_row=MAPPED_TO),
        Row("asic.reference_cell", "", None, "Cell that counts as one gate"),
    ),
    *_measured_by("synth", CELLS, Row("asic.cells.{kind}")),
    *_measured_by("timing", HARDWARE,
        Row("timing.critical_path_ns", "ns", _LOWER, "Critical path",
            form_row="Critical path", levels=_SYNTH),
        Row("timing.slack_ns", "ns", _HIGHER, "Slack", form_row="Slack", levels=_SYNTH),
        Row("timing.opensta.critical_path_ns", "ns", _LOWER, "Critical path, by OpenSTA",
            form_row="Critical path, OpenSTA"),
        Row("timing.opensta.slack_ns", "ns", _HIGHER, "Slack, by OpenSTA",
            form_row="Slack, OpenSTA"),
    ),
    *_measured_by("energy", HARDWARE,
        Row("energy.per_module_pj", "pJ", _LOWER, f"Energy per module ({LOWER_BOUND})",
            form_row=f"Energy per module ({LOWER_BOUND})", levels=_SYNTH),
        Row("energy.switching_pj", "pJ", _LOWER,
            "Energy per module: charging of the cells' input pins", levels=_SYNTH),
        Row("energy.internal_pj", "pJ", _LOWER, "Energy per module: inside the cells",
            levels=_SYNTH),
        Row("energy.clock_pj", "pJ", _LOWER,
            "Energy per module: clock pins of the flip-flops, no tree", levels=_SYNTH),
        Row("energy.leakage_pj", "pJ", _LOWER, "Energy per module: leakage", levels=_SYNTH),
        Row("energy.power_mw", "mW", _LOWER, f"Power at the target's clock ({LOWER_BOUND})",
            form_row=f"Power ({LOWER_BOUND})", levels=_SYNTH),
        Row("energy.modules", "modules", None, "Modules that the energy is the mean of",
            levels=_SYNTH, judged=False),
        Row("energy.opensta.power_mw", "mW", _LOWER,
            "Power at the same switching, by OpenSTA (its own rules: docs/energy.md)",
            form_row="Power, OpenSTA", judged=False),
    ),
    *_measured_by("ecp5", HARDWARE,
        Row("timing.ecp5.fmax_mhz", "MHz", _HIGHER,
            "Clock frequency on a Lattice ECP5 (not the target's)",
            form_row="Highest clock", levels=_PNR),
    ),
    *_measured_by("vendor", HARDWARE,
        Row("latency.best_cycles", "cycles", _LOWER, "Latency, best case"),
        Row("timing.clock_target_ns", "ns", None, "Clock period asked for"),
        Row("fpga.bram", "RAMB18", _LOWER, "Block RAM"),
        Row("asic.area_score", "score", _LOWER, "Catapult area score"),
        Row("block.latency.cycles", "cycles", _LOWER, "Whole chip block: latency"),
        Row("block.latency.best_cycles", "cycles", _LOWER, "Whole chip block: latency, best case"),
        Row("block.latency.ns", "ns", _LOWER, "Whole chip block: latency"),
        Row("block.ii.cycles", "cycles", _LOWER, "Whole chip block: initiation interval"),
        Row("block.timing.clock_target_ns", "ns", None,
            "Whole chip block: clock period asked for"),
        Row("block.timing.critical_path_ns", "ns", _LOWER, "Whole chip block: critical path"),
        Row("block.timing.slack_ns", "ns", _HIGHER, "Whole chip block: slack"),
        Row("block.fpga.lut", "LUT", _LOWER, "Whole chip block: look-up tables"),
        Row("block.fpga.ff", "FF", _LOWER, "Whole chip block: flip-flops"),
        Row("block.fpga.dsp", "DSP", _LOWER, "Whole chip block: DSP blocks"),
        Row("block.fpga.carry", "carry cells", _LOWER, "Whole chip block: carry cells"),
        Row("block.fpga.bram", "RAMB18", _LOWER, "Whole chip block: block RAM"),
        Row("block.asic.area_score", "score", _LOWER, "Whole chip block: Catapult area score"),
    ),
    # --- radiation ---
    *_measured_by("upsets", RADIATION,
        Row("upsets.bits", "bit", None, "Stored weight bits, each flipped alone"),
        Row("upsets.modules", "modules", None, "Modules that each flip is measured on",
            judged=False),
        Row("upsets.emd", _HALF_PITCH, _LOWER, "EMD of these without flips, mean"),
        Row("upsets.damage.mean", _HALF_PITCH, _LOWER, "A flip adds to the EMD, mean of the bits"),
        Row("upsets.damage.worst_bit", _HALF_PITCH, _LOWER,
            "The worst bit's flip adds to the EMD"),
        Row("upsets.damage.worst_bit_name", "", None, "The worst bit"),
        Row("upsets.damage.worst_module", _HALF_PITCH, _LOWER,
            "A flip adds to the EMD of one module, at most"),
        Row("upsets.unaffected", "", _HIGHER, "Share of the bits without effect on any module"),
        Row("upsets.changed", "", _LOWER, "Share of the modules that a flip changes, mean"),
        Row("upsets.saturated", "", None,
            "Share of the modules with a latent newly at an end of its range, mean"),
        Row("upsets.emptied", "", _LOWER, "Share of the modules that come back empty, mean"),
        Row("upsets.bits_with.{share}", "", _LOWER,
            "Share of the bits with {share} % of the damage"),
        Row("upsets.bits_above.{change}", "", _LOWER,
            "Share of the bits that add more than {change} half pitch"),
        Row("upsets.array.{array}.damage_share", "", None, "Share of the damage, {array}"),
        Row("upsets.place.{place}.damage", _HALF_PITCH, _LOWER,
            "A flip adds to the EMD, bit {place} from the top (0: sign)"),
        Row("upsets.ranking.spearman", "", _HIGHER,
            "Cheap ranking of the bits: rank correlation with the damage"),
        Row("upsets.ranking.spearman_of_changes", "", _HIGHER,
            "Cheap ranking: rank correlation with the signed change"),
        Row("upsets.ranking.removed", "", _HIGHER,
            "Damage in as many bits of the cheap ranking as have 99 % in the true one"),
        Row("upsets.rate.{rate}.emd", _HALF_PITCH, _LOWER, "EMD at a bit error rate of {rate}"),
        Row("upsets.rate.{rate}.emd.standard_error", _HALF_PITCH, None,
            "Its standard error, rate {rate}"),
        Row("upsets.rate.{rate}.emd.protected", _HALF_PITCH, _LOWER,
            "EMD at {rate}, the bits with 99 % of the damage safe"),
        Row("upsets.rate.{rate}.emd.protected.standard_error", _HALF_PITCH, None,
            "Its standard error, rate {rate}, these bits safe"),
        *_not_judged((
            Row("upsets.flux", "/cm2/s", None, "Flux assumed"),
            Row("upsets.cross_section", "cm2", None, "Upset cross-section of a bit assumed"),
            Row("upsets.threshold", _HALF_PITCH, None,
                "Change of the EMD from which on a flip is called damage"),
            Row("upsets.scrub_interval", "s", None, "Weights are written anew each"),
            Row("upsets.run", "s", None, "Length of a run without that"),
        )),
        Row("upsets.time_to_upset", "s", _HIGHER, "Mean time to an upset of a weight bit"),
        Row("upsets.time_to_damage", "s", _HIGHER, "Mean time to a flip that is damage"),
        Row("upsets.time_to_damage.protected", "s", _HIGHER,
            "The same, the bits with 99 % of the damage safe"),
        Row("upsets.emd.after_run", _HALF_PITCH, _LOWER, "EMD at the end of the run"),
        Row("upsets.emd.scrubbed", _HALF_PITCH, _LOWER,
            "EMD with scrubbing, mean over the interval"),
        Row("upsets.emd.after_run.protected", _HALF_PITCH, _LOWER,
            "EMD at the end of the run, the bits with 99 % of the damage safe"),
        Row("upsets.emd.scrubbed.protected", _HALF_PITCH, _LOWER,
            "EMD with scrubbing, these bits safe"),
    ),
    *_measured_by("gateupsets", RADIATION,
        Row("gateupsets.flip_flops", "FF", None, "Flip-flops of the netlist, each upset alone"),
        Row("gateupsets.times", "", None, "Times at which each is upset", judged=False),
        Row("gateupsets.reaching", "", _LOWER, "Share of the upsets that reach the output"),
        Row("gateupsets.harmless", "", _HIGHER,
            "Share of the flip-flops of which no upset reached the output"),
        Row("gateupsets.lasts", "BX", _LOWER,
            "Bunch crossings that a passing upset shows, mean of those that reach the output"),
        Row("gateupsets.longest", "BX", _LOWER, "Bunch crossings that a passing upset shows, most"),
        Row("gateupsets.staying", "", _LOWER,
            "Share of the upsets that stay until the register is written"),
        Row("gateupsets.damage", _HALF_PITCH, _LOWER,
            "EMD added in a bunch crossing whose latents an upset changes, mean"),
    ),
    *_measured_by("protection", RADIATION,
        Row("protection.{level}.bits", "", _LOWER, "Weight bits tripled, level {level}"),
        Row("protection.{level}.damage_left", "", _LOWER,
            "Share of the damage of single flips that is left, level {level}"),
        Row("protection.{level}.flip_flops", "FF", _LOWER,
            "Flip-flops of the weight registers, level {level}"),
        Row("protection.{level}.area_um2", "um2", _LOWER,
            "Area of the weight registers, level {level}"),
        Row("protection.{level}.critical_path_ns", "ns", _LOWER,
            "Critical path of the weight registers, level {level}"),
        Row("protection.{level}.proved", "", _HIGHER,
            "Three flip-flops and a voter of each tripled bit proved to be kept, level {level}",
            demand=_YES),
        Row("protection.upsets.flip_flops", "FF", None,
            "Flip-flops of the tripled registers, each upset alone"),
        Row("protection.upsets.reaching", "FF", _LOWER, "Of these: upset changes a weight",
            demand=_ZERO),
        Row("protection.control_caught", "", _HIGHER, "A voter left out was found",
            demand=_YES),
    ),
    # --- what it was made from ---
    *_measured_by("data", DATA, *_not_judged((
        Row("data.modules", "", None, "Modules"),
        Row("data.empty", "", None, "Modules without charge"),
        Row("data.distance.occ_all", "", _LOWER, "TV distance to published: cells hit",
            promised=True),
        Row("data.distance.occ_1MT", "", _LOWER, "TV distance: cells > 1 MIP_T", promised=True),
        Row("data.distance.maxQ", "", _LOWER, "TV distance: largest charge", promised=True),
        Row("data.distance.sumQ", "", _LOWER, "TV distance: summed charge", promised=True),
        Row("data.correlation.one_pitch", "", None, "Correlation of log charge, 1 pitch apart"),
        Row("data.correlation.two_pitches", "", None,
            "Correlation of log charge, 2 pitches apart"),
        Row("data.correlation.far", "", None, "Correlation of log charge, farther"),
    ))),
    *_measured_by("train", DATA, *_not_judged((
        Row("validation.modules", "modules", None, "Validation modules"),
        Row("validation.vectors", "vectors", None, "Input vectors given with the network"),
        Row("validation.constant_latents", "latents", _LOWER, "Latents that never change"),
    ))),
    *_measured_by("train", TRAINING, *_not_judged((
        Row("train.epochs", "epochs", None, "Epochs"),
        Row("train.best_epoch", "", None, "Epoch of the lowest validation loss"),
        Row("train.loss", "", _LOWER, "Loss, training"),
        Row("train.val_loss", "", _LOWER, "Loss, validation"),
        Row("train.modules", "modules", None, "Training modules"),
        Row("train.seconds", "s", None, "Time"),
    ))),
    *_measured_by("train", TRAINING, *_not_judged((
        Row("new_decoder.emd.before", _HALF_PITCH, _LOWER, "EMD with the decoder it had, mean"),
        Row("new_decoder.emd.after", _HALF_PITCH, _LOWER, "EMD with the new decoder, mean"),
        Row("new_decoder.emd.modules", "modules", None, "Modules of these two means"),
    ))),
    # --- of stages beside the flow, whose figures no report shows ---
    *_measured_by("graph", OTHER,
        Row("graph.{network}.{form}.difference", "", _LOWER,
            "Largest difference from Keras, {network}, {form}"),
        Row("graph.{network}.nodes", "", None, "Nodes of the frozen graph, {network}"),
    ),
    *_measured_by("emd-cnn", OTHER,
        Row("emd_cnn.pairs.training", "pairs", None, "Pairs to learn from"),
        Row("emd_cnn.pairs.choice", "pairs", None, "Pairs to choose the epoch with"),
        Row("emd_cnn.{kind}.mean_exact", _HALF_PITCH, None, "Mean distance, {kind} pairs"),
        Row("emd_cnn.{kind}.mean_absolute_error", _HALF_PITCH, _LOWER,
            "Mean absolute error, {kind} pairs"),
        Row("emd_cnn.{kind}.bias", _HALF_PITCH, None, "Mean error, {kind} pairs"),
        Row("emd_cnn.{kind}.rms_error", _HALF_PITCH, _LOWER, "RMS error, {kind} pairs"),
        Row("emd_cnn.{kind}.relative_error", "", _LOWER,
            "Mean absolute error over the mean distance, {kind} pairs"),
        Row("emd_cnn.{kind}.trivial_error", _HALF_PITCH, None,
            "Mean absolute error of always saying the mean, {kind} pairs"),
        Row("emd_cnn.{kind}.pairs", "pairs", None, "Pairs measured on, {kind}"),
    ),
)
# fmt: on

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_BY_NAME = {row.name: row for row in _ROWS if "{" not in row.name}
_PATTERNS = [
    (re.compile(_PLACEHOLDER.sub(r"(?P<\1>.+)", row.name.replace(".", r"\."))), row)
    for row in _ROWS
    if "{" in row.name
]


@cache
def find_row(name: str) -> Row | None:
    """The row of a metric, its label filled in; None where the catalogue has none."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    for pattern, row in _PATTERNS:
        if match := pattern.fullmatch(name):
            return replace(row, name=name, label=row.label.format(**match.groupdict()))
    return None


def row_of(name: str) -> Row:
    """The row of a metric that was read from a file.

    A name of another version of this toolchain is no fault: it is shown among the others.
    """
    return find_row(name) or Row(name)


def required_row(name: str) -> Row:
    """The row of a metric that is to be written.

    Raises:
        ValueError: the catalogue has none.
    """
    if row := find_row(name):
        return row
    hint = did_you_mean(name, known_names())
    raise ValueError(f"reports/catalogue.py has no metric '{name}'; {hint}")


_COUNTED = {
    "vectors", "codes", "modules", "BX", "functions", "FLOP", "MAC", "bit operations",
    "parameters", "bit", "bits", "layers", "cycles", "LUT", "FF", "DSP", "carry cells",
    "logic cells", "RAMB18", "epochs", "latents", "pairs", "weights", "adders", "levels",
}  # fmt: skip
"""Units of what is counted, and so never negative."""


def require_sound(metrics: Iterable[Metric], file: object) -> None:
    """Refuse records that no stage writes: of another kind or unit than the catalogue says, a
    count below zero, or without provenance.

    Args:
        file: that they were read from, for the message.

    Raises:
        InputError: names the metric.
    """
    for metric in metrics:
        if fault := _fault(metric):
            raise InputError(f"{file}: damaged: {metric.name}: {fault}")


def _fault(metric: Metric) -> str | None:
    row, value = find_row(metric.name), metric.value
    if metric.provenance is None:
        return "has no provenance"
    if row is None or value is None:
        return None
    # vendor tools count carry cells of their own kinds, CARRY4 or CARRY8
    same_unit = metric.unit == row.unit or (
        row.unit == "carry cells" and metric.unit.startswith("CARRY")
    )
    if not same_unit:
        return f"is in '{metric.unit}', expected '{row.unit}'"
    is_yes_or_no = isinstance(row.demand, Demand) and row.demand.min == 1
    if isinstance(value, bool) != is_yes_or_no:
        return f"is {value!r}, expected {'true or false' if is_yes_or_no else 'a number'}"
    if isinstance(value, str) and (row.unit or row.better):
        return f"is '{value}', expected a number"
    if row.unit in _COUNTED and not isinstance(value, str) and value < 0:
        return f"is {value}, and a count is never negative"
    return None


def label_of(name: str) -> str:
    """Words for a metric; its name where there are none."""
    return row_of(name).label or name


def algorithm_label(name: str) -> str:
    """Words for another compression algorithm, `{algorithm}` in names: `STC4`, `best choice`."""
    return name.upper() if any(map(str.isdigit, name)) else name.replace("_", " ")


def named_rows() -> tuple[Row, ...]:
    """All rows but the patterns, in the order of the catalogue."""
    return tuple(_BY_NAME.values())


def known_names() -> list[str]:
    """Names and patterns of all metrics."""
    return [row.name for row in _ROWS]


def names_measured_by(stage: str) -> tuple[str, ...]:
    """The metrics of which the stage leaves a record though it was skipped."""
    return tuple(row.name for row in named_rows() if row.stage == stage and row.levels)


def records(
    values: Mapping[str, Value | None],
    *,
    evidence: Evidence,
    form: Form | None = None,
    reason: str | None = None,
    names: Iterable[str] = (),
) -> list[Metric]:
    """Records of the values measured, with unit and direction of the catalogue.

    Args:
        values: by metric name.
        form: the form of the design that was measured; None where it has only one.
        reason: why values are missing, or what went wrong: it stands with each record without
            value, and with each value that breaks its demand.
        names: metrics that have a record in any case; theirs come first.

    Raises:
        ValueError: the catalogue has no such metric; a value is missing without a reason.
    """
    found = []
    for name in dict.fromkeys((*names, *values)):
        row, value = required_row(name), values.get(name)
        wrong = value is None or (row.demand is not None and not row.demand.is_met(value))
        found.append(
            Metric(
                name=name,
                value=value,
                unit=row.unit,
                evidence=evidence,
                better=row.better,
                reason=reason if wrong else None,
                variant=form.name if form else None,
            )
        )
    return found
