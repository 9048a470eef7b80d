"""The stages of the flow, each declared once: what it does, needs, works on, and always records.

The command line, `make status`, the report's rows of what is not done and the demands of a stage
that is asked for by name are derived from this table; the Makefile says the same needs as files.
"""

from dataclasses import dataclass
from enum import Enum

from hw.forms import CHIP, CHIP_TRIPLED, GENERATED, RECONFIGURABLE, Form
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
        module: the module in flows/commands that carries it out.
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


_D, _M, _T, _F = Scope  # one letter each, so that a stage stays one row of the table

# fmt: off
STAGES = (
    Stage("data", "generate module data, or inspect given data, against the real one", _D, "data",
          key_figures=("data.modules", "data.distance.occ_all")),
    Stage("train", "train models of the zoo on module data", _M, "train",
          needs=("data",), key_figures=("train.val_loss", "golden.mismatches")),
    Stage("emd-cnn", "teach a network the earth mover's distance, for use as a loss", _M, "emd_cnn",
          needs=("train",), reported=False),
    Stage("evaluate", "measure compression quality on the validation modules", _M, "evaluate",
          needs=("train",), key_figures=("emd.mean",), beside=True),
    Stage("flops", "count FLOPs, MACs, BOPs, parameters and weight bits", _M, "flops",
          needs=("train",), key_figures=("flops.total",)),
    Stage("upsets", "measure what flips of the encoder's stored weight bits cost", _M, "upsets",
          needs=("train",), key_figures=("upsets.damage.mean",)),
    Stage("graph", "write the networks as TensorFlow graphs, SavedModels and ONNX", _M, "graph",
          needs=("train",), reported=False),
    Stage("hls", "convert the trained encoder to an HLS C++ project", _T, "hls",
          needs=("train",), records=("hls.layers",), key_figures=("hls.layers",)),
    Stage("csim", "compile the C++ and compare its integer codes with Keras", _T, "csim",
          needs=("hls",), evidence=Evidence.CSIM,
          records=names_measured_by("csim"), key_figures=("csim.mismatches",)),
    Stage("rtl", "make Verilog of the encoder, its weights wired in", _T, "rtl",
          needs=("hls",), form=GENERATED, key_figures=("fpga.lut",),
          records=("latency.cycles", "latency.ns", "fpga.lut", "fpga.ff",
                   "timing.critical_path_ns")),
    Stage("rtlsim", "simulate the Verilog and compare its integer codes with Keras", _T, "rtlsim",
          needs=("rtl",), form=GENERATED, evidence=Evidence.RTLSIM,
          records=names_measured_by("rtlsim"), key_figures=("rtlsim.mismatches",)),
    Stage("synth", "map the RTL to FPGA cells and to a cell library, and count them", _T, "synth",
          needs=("rtl",), form=GENERATED, evidence=Evidence.SYNTH,
          records=names_measured_by("synth"), key_figures=("asic.area_um2",)),
    Stage("timing", "find the critical path of the mapped netlist", _T, "timing",
          needs=("synth",), form=GENERATED, evidence=Evidence.SYNTH, promised=True,
          records=names_measured_by("timing"), key_figures=("timing.critical_path_ns",)),
    Stage("gatesim", "simulate the mapped netlist and compare its codes with Keras", _T, "gatesim",
          needs=("synth",), form=GENERATED, evidence=Evidence.SYNTH, promised=True,
          records=names_measured_by("gatesim"), key_figures=("gatesim.mismatches",)),
    Stage("equivalence", "prove that the mapped netlist equals the RTL", _T, "equivalence",
          needs=("synth",), form=GENERATED, evidence=Evidence.SYNTH, promised=True,
          records=names_measured_by("equivalence"), key_figures=("equivalence.proved",)),
    Stage("ecp5", "place and route the RTL on a Lattice ECP5 with open tools", _T, "ecp5",
          needs=("rtl",), form=GENERATED, evidence=Evidence.PNR, promised=True,
          records=names_measured_by("ecp5"), key_figures=("timing.ecp5.fmax_mhz",)),
    Stage("rtlsim-reconfigurable",
          "simulate the reconfigurable ECON-T RTL against golden model and CMS emulator", _T,
          "rtlsim_reconfigurable",
          needs=("train",), form=RECONFIGURABLE, evidence=Evidence.RTLSIM, promised=True,
          chip_only=True,
          records=names_measured_by("rtlsim"), key_figures=("rtlsim.mismatches",)),
    Stage("synth-reconfigurable",
          "map the chip's own encoder, whose weights are registers: once for all models", _F,
          "synth",
          form=RECONFIGURABLE, evidence=Evidence.SYNTH, promised=True,
          records=names_measured_by("synth"), key_figures=("asic.area_um2",)),
    Stage("timing-reconfigurable", "find the critical path of that netlist", _F, "timing",
          needs=("synth-reconfigurable",), form=RECONFIGURABLE, evidence=Evidence.SYNTH,
          records=names_measured_by("timing"), key_figures=("timing.critical_path_ns",)),
    Stage("gatesim-reconfigurable",
          "simulate the reconfigurable encoder's netlist with the weights of an econ_t model", _T,
          "gatesim_reconfigurable",
          needs=("train", "synth-reconfigurable"), form=RECONFIGURABLE, evidence=Evidence.SYNTH,
          chip_only=True,
          records=names_measured_by("gatesim"), key_figures=("gatesim.mismatches",)),
    Stage("equivalence-reconfigurable", "prove that it equals its RTL, module by module", _F,
          "equivalence",
          needs=("synth-reconfigurable",), form=RECONFIGURABLE, evidence=Evidence.SYNTH,
          records=names_measured_by("equivalence"), key_figures=("equivalence.proved",)),
    *(
        stage
        for form in (CHIP, CHIP_TRIPLED)
        for stage in (
            Stage(f"synth{form.suffix}", f"map the {form.name} to a cell library", _F, "synth",
                  form=form, evidence=Evidence.SYNTH, chip_only=True,
                  records=("asic.area_um2", "asic.gate_equivalents"),
                  key_figures=("asic.area_um2",)),
            Stage(f"timing{form.suffix}", f"find the critical path of the {form.name}", _F,
                  "timing", needs=(f"synth{form.suffix}",), form=form, evidence=Evidence.SYNTH,
                  chip_only=True, records=names_measured_by("timing"),
                  key_figures=("timing.critical_path_ns",)),
            Stage(f"equivalence{form.suffix}", f"prove that the {form.name} equals its RTL", _F,
                  "equivalence", needs=(f"synth{form.suffix}",), form=form,
                  evidence=Evidence.SYNTH, chip_only=True,
                  records=names_measured_by("equivalence"), key_figures=("equivalence.proved",)),
        )
    ),
    *(
        Stage(f"gateupsets{form.suffix}",
              f"upset each flip-flop of the {form.name} netlist in simulation", _T, "gateupsets",
              needs=("train", f"synth{form.suffix}"), form=form, evidence=Evidence.SYNTH,
              chip_only=form is RECONFIGURABLE, key_figures=("gateupsets.reaching",),
              records=("gateupsets.reaching", "gateupsets.harmless", "gateupsets.staying"))
        for form in (GENERATED, RECONFIGURABLE)
    ),
    Stage("protection", "triple chosen weight registers of the chip's encoder and prove it", _T,
          "protection",
          needs=("train", "upsets"), form=RECONFIGURABLE, evidence=Evidence.SYNTH, chip_only=True,
          records=("protection.upsets.reaching", "protection.control_caught"),
          key_figures=("protection.damage_99.bits",)),
    Stage("vendor", "run vendor tools (Vitis HLS, Catapult) on the HLS projects", _T, "vendor",
          needs=("hls",), key_figures=("latency.ns", "latency.cycles"),
          remedy_note="needs Vitis HLS or Catapult: make doctor"),
)
# fmt: on
BY_NAME = {stage.name: stage for stage in STAGES}
