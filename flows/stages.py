"""The stages of the flow, each declared once: what it does, needs, works on, and always records.

The command line, `make status`, the report's rows of what is not done and the demands of a stage
that is asked for by name are derived from this table; the Makefile says the same needs as files.
"""

from dataclasses import dataclass
from enum import Enum

from hw.forms import GENERATED, RECONFIGURABLE, Form
from reports.catalogue import names_measured_by
from reports.metrics import Evidence


class Scope(Enum):
    """What a stage's results belong to, and so the folder that they lie in."""

    DATA = "data set"
    MODEL = "model"
    TARGET = "model on a target"
    FORM = "form on a target"  # the same for all models


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: as on the command line, with the suffix of its form.
        does: what it does, for the list of commands.
        scope: what its results belong to.
        module: the module in flows/steps that carries it out.
        needs: the stages whose results it reads.
        form: the form of the design that it measures; None before there are any.
        evidence: the level of its figures.
        records: the metrics that it writes whether measured or not, all at its evidence level.
        key_figures: the first of these that it measured is shown by `status`.
        promised: a report names its `records`, with the reason, even where it is not done.
        chip_only: only an encoder in the ECON-T's arithmetic can go through it.
        reported: a report on a design speaks of it.
        beside: it also measures the plain model that the model's record names beside it.
        remedy_note: what the user needs for it, where a command does not suffice.
    """

    name: str
    does: str
    scope: Scope
    module: str
    needs: tuple[str, ...] = ()
    form: Form | None = None
    evidence: Evidence = Evidence.ESTIMATE
    records: tuple[str, ...] = ()
    key_figures: tuple[str, ...] = ()
    promised: bool = False
    chip_only: bool = False
    reported: bool = True
    beside: bool = False
    remedy_note: str = ""


STAGES = (
    Stage(
        "data",
        "generate module data, or inspect given data, against the real one",
        Scope.DATA,
        "data",
        key_figures=("data.modules", "data.distance.occ_all"),
    ),
    Stage(
        "train",
        "train models of the zoo on module data",
        Scope.MODEL,
        "train",
        needs=("data",),
        key_figures=("train.val_loss", "golden.mismatches"),
    ),
    Stage(
        "emd-cnn",
        "teach a network the earth mover's distance, for use as a loss",
        Scope.MODEL,
        "emd_cnn",
        needs=("train",),
        key_figures=("emd_cnn.real.mean_absolute_error",),
        reported=False,
    ),
    Stage(
        "evaluate",
        "measure compression quality on the validation modules",
        Scope.MODEL,
        "evaluate",
        needs=("train",),
        key_figures=("emd.mean",),
        beside=True,
    ),
    Stage(
        "flops",
        "count FLOPs, MACs, BOPs, parameters and weight bits",
        Scope.MODEL,
        "flops",
        needs=("train",),
        key_figures=("flops.total",),
    ),
    Stage(
        "graph",
        "write the networks as TensorFlow graphs, SavedModels and ONNX",
        Scope.MODEL,
        "graph",
        needs=("train",),
        reported=False,
    ),
    Stage(
        "hls",
        "convert the trained encoder to an HLS C++ project",
        Scope.TARGET,
        "hls",
        needs=("train",),
        records=("hls.layers",),
        key_figures=("hls.layers",),
    ),
    Stage(
        "csim",
        "compile the C++ and compare its integer codes with Keras",
        Scope.TARGET,
        "csim",
        needs=("hls",),
        evidence=Evidence.CSIM,
        records=names_measured_by("csim"),
        key_figures=("csim.mismatches",),
    ),
    Stage(
        "rtl",
        "make Verilog of the encoder, its weights wired in",
        Scope.TARGET,
        "rtl",
        needs=("hls",),
        form=GENERATED,
        records=("latency.cycles", "latency.ns", "fpga.lut", "fpga.ff", "timing.critical_path_ns"),
        key_figures=("fpga.lut",),
    ),
    Stage(
        "rtlsim",
        "simulate the Verilog and compare its integer codes with Keras",
        Scope.TARGET,
        "rtlsim",
        needs=("rtl",),
        form=GENERATED,
        evidence=Evidence.RTLSIM,
        records=names_measured_by("rtlsim"),
        key_figures=("rtlsim.mismatches",),
    ),
    Stage(
        "synth",
        "map the RTL to FPGA cells and to a cell library, and count them",
        Scope.TARGET,
        "synth",
        needs=("rtl",),
        form=GENERATED,
        evidence=Evidence.SYNTH,
        records=names_measured_by("synth"),
        key_figures=("asic.area_um2",),
    ),
    Stage(
        "timing",
        "find the critical path of the mapped netlist",
        Scope.TARGET,
        "timing",
        needs=("synth",),
        form=GENERATED,
        evidence=Evidence.SYNTH,
        records=names_measured_by("timing"),
        key_figures=("timing.critical_path_ns",),
        promised=True,
    ),
    Stage(
        "gatesim",
        "simulate the mapped netlist and compare its codes with Keras",
        Scope.TARGET,
        "gatesim",
        needs=("synth",),
        form=GENERATED,
        evidence=Evidence.SYNTH,
        records=names_measured_by("gatesim"),
        key_figures=("gatesim.mismatches",),
        promised=True,
    ),
    Stage(
        "equivalence",
        "prove that the mapped netlist equals the RTL",
        Scope.TARGET,
        "equivalence",
        needs=("synth",),
        form=GENERATED,
        evidence=Evidence.SYNTH,
        records=names_measured_by("equivalence"),
        key_figures=("equivalence.proved",),
        promised=True,
    ),
    Stage(
        "ecp5",
        "place and route the RTL on a Lattice ECP5 with open tools",
        Scope.TARGET,
        "ecp5",
        needs=("rtl",),
        form=GENERATED,
        evidence=Evidence.PNR,
        records=names_measured_by("ecp5"),
        key_figures=("timing.ecp5.fmax_mhz",),
        promised=True,
    ),
    Stage(
        "rtlsim-reconfigurable",
        "simulate the reconfigurable ECON-T RTL against golden model and CMS emulator",
        Scope.TARGET,
        "rtlsim_reconfigurable",
        needs=("train",),
        form=RECONFIGURABLE,
        evidence=Evidence.RTLSIM,
        records=names_measured_by("rtlsim"),
        key_figures=("rtlsim.mismatches",),
        promised=True,
        chip_only=True,
    ),
    Stage(
        "synth-reconfigurable",
        "map the chip's own encoder, whose weights are registers: once for all models",
        Scope.FORM,
        "synth",
        form=RECONFIGURABLE,
        evidence=Evidence.SYNTH,
        records=names_measured_by("synth"),
        key_figures=("asic.area_um2",),
        promised=True,
    ),
    Stage(
        "timing-reconfigurable",
        "find the critical path of that netlist",
        Scope.FORM,
        "timing",
        needs=("synth-reconfigurable",),
        form=RECONFIGURABLE,
        evidence=Evidence.SYNTH,
        records=names_measured_by("timing"),
        key_figures=("timing.critical_path_ns",),
    ),
    Stage(
        "gatesim-reconfigurable",
        "simulate the reconfigurable encoder's netlist with the weights of an econ_t model",
        Scope.TARGET,
        "gatesim_reconfigurable",
        needs=("train", "synth-reconfigurable"),
        form=RECONFIGURABLE,
        evidence=Evidence.SYNTH,
        records=names_measured_by("gatesim"),
        key_figures=("gatesim.mismatches",),
        chip_only=True,
    ),
    Stage(
        "equivalence-reconfigurable",
        "prove that it equals its RTL, module by module",
        Scope.FORM,
        "equivalence",
        needs=("synth-reconfigurable",),
        form=RECONFIGURABLE,
        evidence=Evidence.SYNTH,
        records=names_measured_by("equivalence"),
        key_figures=("equivalence.proved",),
    ),
    Stage(
        "vendor",
        "run vendor tools (Vitis HLS, Catapult) on the HLS projects",
        Scope.TARGET,
        "vendor",
        needs=("hls",),
        key_figures=("latency.ns", "latency.cycles"),
        remedy_note="needs Vitis HLS or Catapult: make doctor",
    ),
)
BY_NAME = {stage.name: stage for stage in STAGES}
