"""The stages of the flow, each declared once: what it does, needs, works on, and always records.

The command line, `make status`, the report's rows of what is not done and the demands of a stage
that is asked for by name are derived from this table; the Makefile says the same needs as files.
"""

from dataclasses import dataclass
from enum import Enum

from hw.forms import CHIP, CHIP_TRIPLED, GENERATED, RECONFIGURABLE, Form
from reports.evidence import Evidence


class Scope(Enum):
    """What a stage's results belong to, and so the folder that they lie in."""

    DATA = "data set"
    MODEL = "model"
    TARGET = "model on a target"
    FORM = "form on a target"  # the same for all models


class Artefact(Enum):
    """A kind of files, or a record, that stages read or write; `flows.artefacts.seals` says which
    files of a design these are."""

    MODEL_RECORD = "record of the model"
    TARGET_RECORD = "record of the target"
    LIBRARY = "cell library"
    MODULES = "modules"
    DISTRIBUTIONS = "distributions of the modules"
    TRAINED = "all that the training wrote"
    ENCODER = "encoder"
    DECODER = "decoder"
    SETTINGS = "settings of the model"
    VALIDATION = "validation modules"
    COMPARED = "the plain model that the model is compared with"
    EVALUATION = "results for each module, and pictures"
    GRAPHS = "networks for other tools"
    LEARNED_EMD = "learned earth mover's distance"
    HLS = "HLS project"
    BLOCK = "HLS project of the whole chip block"
    RTL = "generated Verilog"
    CHIP_RTL = "the chip's own RTL"
    NETLIST = "netlist of library cells"
    NETLISTS = "netlists of all technologies"
    UPSETS = "damage of each flipped weight bit"
    PROTECTION = "netlists and masks of protected weight registers"


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: as on the command line, with the suffix of its form.
        does: what it does, for the list of commands.
        scope: what its results belong to.
        module: the module in flows/commands that carries it out.
        needs: the stages whose results it reads.
        reads: what its figures depend on, and is sealed with them.
        writes: its results beside its metrics, which are sealed too.
        form: the form of the design that it measures; None before there are any.
        evidence: the level of its figures.
        few_records: the metrics that it writes whether measured or not, where these are few.
        own_records: else the name under which the catalogue has them.
        key_figures: the first of these that it measured is shown by `status`.
        promised: a report names its `records`, with the reason, even where it is not done.
        modules_only: only an encoder of calorimeter modules can go through it.
        chip_only: only an encoder in the ECON-T's arithmetic can go through it.
        reported: a report on a design speaks of it.
        remedy_note: what the user needs for it, where a command does not suffice.
    """

    name: str
    does: str
    scope: Scope
    module: str
    needs: tuple[str, ...] = ()
    reads: tuple[Artefact, ...] = ()
    writes: tuple[Artefact, ...] = ()
    form: Form | None = None
    evidence: Evidence = Evidence.ESTIMATE
    few_records: tuple[str, ...] = ()
    own_records: str = ""
    key_figures: tuple[str, ...] = ()
    promised: bool = False
    modules_only: bool = False
    chip_only: bool = False
    reported: bool = True
    remedy_note: str = ""

    @property
    def records(self) -> tuple[str, ...]:
        """The metrics that it writes whether measured or not, all at its evidence level."""
        if not self.own_records:
            return self.few_records
        from reports.catalogue import names_measured_by  # slow to import for a list of stages

        return names_measured_by(self.own_records)


_D, _M, _T, _F = Scope  # one letter each, so that a stage stays one row of the table
_A = Artefact
_NETWORKS = (_A.ENCODER, _A.DECODER)
_VECTORS = (_A.ENCODER, _A.SETTINGS, _A.VALIDATION)  # what a comparison of codes starts from
_MAPPED = (_A.NETLIST, _A.LIBRARY, _A.TARGET_RECORD)

# fmt: off
STAGES = (
    Stage("data", "generate module data, or inspect given data, against the real one", _D, "data",
          writes=(_A.MODULES, _A.DISTRIBUTIONS),
          modules_only=True,
          key_figures=("data.modules", "data.distance.occ_all")),
    Stage("train", "train models of the zoo on module data", _M, "train",
          reads=(_A.MODEL_RECORD,), writes=(_A.TRAINED,),
          needs=("data",), key_figures=("train.val_loss", "golden.mismatches")),
    Stage("emd-cnn", "teach a network the earth mover's distance, for use as a loss", _M, "emd_cnn",
          reads=(*_NETWORKS, _A.SETTINGS, _A.VALIDATION), writes=(_A.LEARNED_EMD,),
          needs=("train",), reported=False),
    Stage("evaluate", "measure compression quality on the validation modules", _M, "evaluate",
          reads=(*_NETWORKS, _A.SETTINGS, _A.VALIDATION, _A.COMPARED), writes=(_A.EVALUATION,),
          needs=("train",), key_figures=("emd.mean",), modules_only=True),
    Stage("flops", "count FLOPs, MACs, BOPs, parameters and weight bits", _M, "flops",
          reads=_NETWORKS,
          needs=("train",), key_figures=("flops.total",)),
    Stage("upsets", "measure what flips of the encoder's stored weight bits cost", _M, "upsets",
          reads=(*_NETWORKS, _A.SETTINGS, _A.VALIDATION), writes=(_A.UPSETS,),
          needs=("train",), key_figures=("upsets.damage.mean",)),
    Stage("graph", "write the networks as TensorFlow graphs, SavedModels and ONNX", _M, "graph",
          reads=(*_NETWORKS, _A.SETTINGS, _A.VALIDATION), writes=(_A.GRAPHS,),
          needs=("train",), reported=False),
    Stage("hls", "convert the trained encoder to an HLS C++ project", _T, "hls",
          reads=(_A.ENCODER, _A.TARGET_RECORD), writes=(_A.HLS, _A.BLOCK),
          needs=("train",), few_records=("hls.layers",), key_figures=("hls.layers",)),
    Stage("csim", "compile the C++ and compare its integer codes with Keras", _T, "csim",
          reads=(*_VECTORS, _A.HLS, _A.BLOCK),
          needs=("hls",), evidence=Evidence.CSIM,
          own_records="csim", key_figures=("csim.mismatches",)),
    Stage("rtl", "make Verilog of the encoder, its weights wired in", _T, "rtl",
          reads=(_A.ENCODER, _A.SETTINGS, _A.HLS, _A.TARGET_RECORD), writes=(_A.RTL,),
          needs=("hls",), form=GENERATED, key_figures=("fpga.lut",),
          few_records=("latency.cycles", "latency.ns", "fpga.lut", "fpga.ff",
                   "timing.critical_path_ns")),
    Stage("rtlsim", "simulate the Verilog and compare its integer codes with Keras", _T, "rtlsim",
          reads=(*_VECTORS, _A.RTL),
          needs=("rtl",), form=GENERATED, evidence=Evidence.RTLSIM,
          own_records="rtlsim", key_figures=("rtlsim.mismatches",)),
    Stage("synth", "map the RTL to FPGA cells and to a cell library, and count them", _T, "synth",
          reads=(_A.ENCODER, _A.RTL, _A.LIBRARY, _A.TARGET_RECORD), writes=(_A.NETLISTS,),
          needs=("rtl",), form=GENERATED, evidence=Evidence.SYNTH,
          own_records="synth", key_figures=("asic.area_um2",)),
    Stage("timing", "find the critical path of the mapped netlist", _T, "timing",
          reads=(_A.ENCODER, _A.RTL, *_MAPPED),
          needs=("synth",), form=GENERATED, evidence=Evidence.SYNTH, promised=True,
          own_records="timing", key_figures=("timing.critical_path_ns",)),
    Stage("gatesim", "simulate the mapped netlist and compare its codes with Keras", _T, "gatesim",
          reads=(*_VECTORS, _A.RTL, *_MAPPED),
          needs=("synth",), form=GENERATED, evidence=Evidence.SYNTH, promised=True,
          own_records="gatesim", key_figures=("gatesim.mismatches",)),
    Stage("equivalence", "prove that the mapped netlist equals the RTL", _T, "equivalence",
          reads=(_A.ENCODER, _A.RTL, *_MAPPED),
          needs=("synth",), form=GENERATED, evidence=Evidence.SYNTH, promised=True,
          own_records="equivalence", key_figures=("equivalence.proved",)),
    Stage("energy", "compute the netlist's energy per module from its switching", _T, "energy",
          reads=(*_VECTORS, _A.RTL, *_MAPPED),
          needs=("synth",), form=GENERATED, evidence=Evidence.SYNTH, promised=True,
          modules_only=True,
          own_records="energy", key_figures=("energy.per_module_pj",)),
    Stage("ecp5", "place and route the RTL on a Lattice ECP5 with open tools", _T, "ecp5",
          reads=(_A.ENCODER, _A.RTL, _A.TARGET_RECORD),
          needs=("rtl",), form=GENERATED, evidence=Evidence.PNR, promised=True,
          own_records="ecp5", key_figures=("timing.ecp5.fmax_mhz",)),
    Stage("rtlsim-reconfigurable",
          "simulate the reconfigurable ECON-T RTL against golden model and CMS emulator", _T,
          "rtlsim_reconfigurable",
          reads=(*_VECTORS, _A.CHIP_RTL, _A.TARGET_RECORD),
          needs=("train",), form=RECONFIGURABLE, evidence=Evidence.RTLSIM, promised=True,
          chip_only=True,
          own_records="rtlsim", key_figures=("rtlsim.mismatches",)),
    Stage("synth-reconfigurable",
          "map the chip's own encoder, whose weights are registers: once for all models", _F,
          "synth",
          reads=(_A.CHIP_RTL, _A.LIBRARY, _A.TARGET_RECORD), writes=(_A.NETLISTS,),
          form=RECONFIGURABLE, evidence=Evidence.SYNTH, promised=True,
          own_records="synth", key_figures=("asic.area_um2",)),
    Stage("timing-reconfigurable", "find the critical path of that netlist", _F, "timing",
          reads=(_A.CHIP_RTL, *_MAPPED),
          needs=("synth-reconfigurable",), form=RECONFIGURABLE, evidence=Evidence.SYNTH,
          own_records="timing", key_figures=("timing.critical_path_ns",)),
    Stage("gatesim-reconfigurable",
          "simulate the reconfigurable encoder's netlist with the weights of an econ_t model", _T,
          "gatesim_reconfigurable",
          reads=(*_VECTORS, _A.CHIP_RTL, *_MAPPED),
          needs=("train", "synth-reconfigurable"), form=RECONFIGURABLE, evidence=Evidence.SYNTH,
          chip_only=True,
          own_records="gatesim", key_figures=("gatesim.mismatches",)),
    Stage("equivalence-reconfigurable", "prove that it equals its RTL, module by module", _F,
          "equivalence",
          reads=(_A.CHIP_RTL, *_MAPPED),
          needs=("synth-reconfigurable",), form=RECONFIGURABLE, evidence=Evidence.SYNTH,
          own_records="equivalence", key_figures=("equivalence.proved",)),
    *(
        stage
        for form in (CHIP, CHIP_TRIPLED)
        for stage in (
            Stage(f"synth{form.suffix}", f"map the {form.name} to a cell library", _F, "synth",
                  reads=(_A.CHIP_RTL, _A.LIBRARY, _A.TARGET_RECORD), writes=(_A.NETLISTS,),
                  form=form, evidence=Evidence.SYNTH, chip_only=True,
                  few_records=("asic.area_um2", "asic.gate_equivalents"),
                  key_figures=("asic.area_um2",)),
            Stage(f"timing{form.suffix}", f"find the critical path of the {form.name}", _F,
                  "timing", needs=(f"synth{form.suffix}",), form=form, evidence=Evidence.SYNTH,
                  reads=(_A.CHIP_RTL, *_MAPPED),
                  chip_only=True, own_records="timing",
                  key_figures=("timing.critical_path_ns",)),
            Stage(f"equivalence{form.suffix}", f"prove that the {form.name} equals its RTL", _F,
                  "equivalence", needs=(f"synth{form.suffix}",), form=form,
                  reads=(_A.CHIP_RTL, *_MAPPED),
                  evidence=Evidence.SYNTH, chip_only=True,
                  own_records="equivalence", key_figures=("equivalence.proved",)),
        )
    ),
    *(
        Stage(f"gateupsets{form.suffix}",
              f"upset each flip-flop of the {form.name} netlist in simulation", _T, "gateupsets",
              reads=(*_NETWORKS, _A.SETTINGS, _A.VALIDATION, *_MAPPED,
                     _A.RTL if form is GENERATED else _A.CHIP_RTL),
              needs=("train", f"synth{form.suffix}"), form=form, evidence=Evidence.SYNTH,
              chip_only=form is RECONFIGURABLE, key_figures=("gateupsets.reaching",),
              few_records=("gateupsets.reaching", "gateupsets.harmless", "gateupsets.staying"))
        for form in (GENERATED, RECONFIGURABLE)
    ),
    Stage("protection", "triple chosen weight registers of the chip's encoder and prove it", _T,
          "protection",
          reads=(_A.ENCODER, _A.SETTINGS, _A.UPSETS, _A.CHIP_RTL, _A.LIBRARY, _A.TARGET_RECORD),
          writes=(_A.PROTECTION,),
          needs=("train", "upsets"), form=RECONFIGURABLE, evidence=Evidence.SYNTH, chip_only=True,
          few_records=("protection.upsets.reaching", "protection.control_caught"),
          key_figures=("protection.damage_99.bits",)),
    Stage("vendor", "run vendor tools (Vitis HLS, Catapult) on the HLS projects", _T, "vendor",
          reads=(*_VECTORS, _A.HLS, _A.BLOCK),
          needs=("hls",), key_figures=("latency.ns", "latency.cycles"),
          remedy_note="needs Vitis HLS or Catapult: make doctor"),
)
# fmt: on
BY_NAME = {stage.name: stage for stage in STAGES}
