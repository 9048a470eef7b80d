"""The stages of a design in their order, and how far each has come."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows.artefacts.trained_model import read_settings
from flows.evaluation.arithmetic import compared_layout
from flows.layout import (
    DataLayout,
    ModelLayout,
    TargetLayout,
    data_layout,
    model_layout,
    reconfigurable_equivalence,
    reconfigurable_synth_metrics,
    reconfigurable_timing,
    target_layout,
)
from flows.provenance import file_hash
from reports.metrics import Metric, read_metrics
from reports.netlist import ECP5, EQUIVALENCE, GATESIM, TIMING, netlist_metrics
from reports.report import Progress, StageState
from reports.rtlsim import rtlsim_metrics
from reports.side_by_side import GENERATED, RECONFIGURABLE
from reports.synthesis import unmeasured_synthesis
from reports.tables import format_value


@dataclass(frozen=True)
class Stage:
    """One step of the flow and the metrics file that its end leaves.

    Attributes:
        name: as on the Make command line.
        metrics: its metrics file.
        remedy: the command that does it.
        key_figures: metric names, the first one that is there is shown.
        encoder: the encoder that it measures; None where it measures none.
        compared: another one that it measures along with it.
        promised: its metrics without values, where a report shows them though it is not done.
    """

    name: str
    metrics: Path
    remedy: str
    key_figures: tuple[str, ...]
    encoder: Path | None = None
    compared: Path | None = None
    promised: tuple[Metric, ...] = ()


def stages(build: Path, model: str, target: str, data: DataLayout) -> list[Stage]:
    """All stages of one model on one target."""
    of_model, of_target = model_layout(build, model), target_layout(build, model, target)
    for_model = f"MODEL={of_model.folder.name}"
    for_target = f"{for_model} TARGET={of_target.folder.name}"
    encoder = of_model.network("encoder")
    plain = compared_layout(of_model)
    given = "" if data == data_layout(build, None) else f" DATA=<path of {data.folder.name}>"
    return [
        Stage("data", data.metrics, f"make data{given}", ("data.modules", "data.distance.occ_all")),
        Stage(
            "train",
            of_model.train_metrics,
            f"make train {for_model}",
            ("train.val_loss", "golden.mismatches"),
        ),
        Stage(
            "evaluate",
            of_model.evaluate_metrics,
            f"make evaluate {for_model}",
            ("emd.mean",),
            encoder,
            plain.network("encoder") if plain else None,
        ),
        Stage(
            "flops",
            of_model.complexity_metrics,
            f"make flops {for_model}",
            ("flops.total",),
            encoder,
        ),
        Stage(
            "hls",
            of_target.hls_metrics,
            f"make hls {for_target}",
            ("hls.layers",),
            encoder,
        ),
        Stage(
            "csim",
            of_target.csim_metrics,
            f"make csim {for_target}",
            ("csim.mismatches",),
            encoder,
        ),
        Stage(
            "rtl",
            of_target.rtl_metrics,
            f"make rtl {for_target}",
            ("fpga.lut",),
            encoder,
        ),
        Stage(
            "rtlsim",
            of_target.rtlsim_metrics,
            f"make rtlsim {for_target}",
            ("rtlsim.mismatches",),
            encoder,
        ),
        Stage(
            "synth",
            of_target.synth_metrics,
            f"make synth {for_target}",
            ("asic.area_um2",),
            encoder,
        ),
        *_of_the_netlist(of_target, for_target, encoder),
        *_of_the_chip(of_model, of_target, for_target),
        _synthesis_of_the_chip(build, of_model, target),
        *_of_the_chips_netlist(build, target),
        Stage(
            "vendor",
            of_target.vendor_metrics,
            f"make vendor {for_target} (needs Vitis HLS or Catapult: make doctor)",
            ("latency.ns", "latency.cycles"),
            encoder,
        ),
    ]


def _of_the_netlist(of_target: TargetLayout, for_target: str, encoder: Path) -> list[Stage]:
    """What is measured on the generated RTL's netlists."""
    return [
        Stage(
            name,
            metrics,
            f"make {name} {for_target}",
            key_figures,
            encoder,
            promised=tuple(
                netlist_metrics(promised, GENERATED, {}, f"not done; make {name} {for_target}")
            ),
        )
        for name, metrics, key_figures, promised in (
            ("timing", of_target.timing_metrics, ("timing.critical_path_ns",), TIMING),
            ("gatesim", of_target.gatesim_metrics, ("gatesim.mismatches",), GATESIM),
            ("equivalence", of_target.equivalence_metrics, ("equivalence.proved",), EQUIVALENCE),
            ("ecp5", of_target.ecp5_metrics, ("timing.ecp5.fmax_mhz",), ECP5),
        )
    ]


def _of_the_chips_netlist(build: Path, target: str) -> list[Stage]:
    """What is measured on the reconfigurable RTL's netlist, the same for all models."""
    return [
        Stage(name, metrics, f"make {name} TARGET={metrics.stem}", (key_figure,))
        for name, metrics, key_figure in (
            (
                "timing-reconfigurable",
                reconfigurable_timing(build, target),
                "timing.critical_path_ns",
            ),
            (
                "equivalence-reconfigurable",
                reconfigurable_equivalence(build, target),
                "equivalence.proved",
            ),
        )
    ]


def _synthesis_of_the_chip(build: Path, of_model: ModelLayout, target: str) -> Stage:
    """That of the reconfigurable RTL: the same for all models, shown wherever it is done."""
    metrics = reconfigurable_synth_metrics(build, target)
    remedy = f"make synth-reconfigurable TARGET={metrics.stem}"
    promised = unmeasured_synthesis(RECONFIGURABLE, f"not done; {remedy}")
    return Stage(
        "synth-reconfigurable",
        metrics,
        remedy,
        ("asic.area_um2",),
        promised=tuple(promised) if _is_of_the_chip(of_model) else (),
    )


def _is_of_the_chip(of_model: ModelLayout) -> bool:
    """Whether it is a model of the zoo in the ECON-T's arithmetic."""
    return bool(((read_settings(of_model) or {}).get("model") or {}).get("econ_t"))


def _of_the_chip(of_model: ModelLayout, of_target: TargetLayout, for_target: str) -> list[Stage]:
    """The stages that only an encoder in the ECON-T's arithmetic can go through."""
    if not _is_of_the_chip(of_model):
        return []
    remedy = f"make rtlsim-reconfigurable {for_target}"
    return [
        Stage(
            "rtlsim-reconfigurable",
            of_target.reconfigurable_metrics,
            remedy,
            ("rtlsim.mismatches",),
            of_model.network("encoder"),
            promised=tuple(rtlsim_metrics(RECONFIGURABLE, {}, f"not done; {remedy}")),
        ),
        Stage(
            "gatesim-reconfigurable",
            of_target.gatesim_reconfigurable_metrics,
            f"make gatesim-reconfigurable {for_target}",
            ("gatesim.mismatches",),
            of_model.network("encoder"),
        ),
    ]


def state(stage: Stage) -> StageState:
    """How far the stage is.

    Raises:
        InputError: its metrics file is damaged.
    """
    return result(stage)[0]


def result(stage: Stage) -> tuple[StageState, list[Metric]]:
    """How far the stage is, and its metrics; those of a replaced encoder lose their values.

    Raises:
        InputError: its metrics file is damaged.
    """
    if not stage.metrics.is_file():
        return StageState(stage.name, Progress.MISSING, stage.remedy), list(stage.promised)
    metrics = read_metrics(stage.metrics)
    written = datetime.fromtimestamp(stage.metrics.stat().st_mtime, tz=UTC)
    if _is_stale(stage, metrics):
        reason = f"measured on an encoder that has been replaced; {stage.remedy}"
        return StageState(stage.name, Progress.STALE, reason, written), [
            metric.model_copy(update={"value": None, "reason": reason}) for metric in metrics
        ]
    measured = [metric for metric in metrics if metric.value is not None]
    if metrics and not measured:
        return StageState(stage.name, Progress.SKIPPED, metrics[0].reason or "", written), metrics
    return StageState(stage.name, Progress.DONE, _key_figure(stage, measured), written), metrics


def _is_stale(stage: Stage, metrics: list[Metric]) -> bool:
    encoder = stage.encoder
    if encoder is None or not encoder.is_file():
        return False
    measured = {m.provenance.model_hash for m in metrics if m.provenance} - {None}
    files = (encoder, encoder.with_stem("decoder"), stage.compared)
    return bool(measured - {file_hash(file) for file in files if file and file.is_file()})


def data_of_model(build: Path, model: str, data: Path | None) -> DataLayout:
    """The data set of a design: the one named, else the one that the model was trained on."""
    if data is not None:
        return data_layout(build, data)
    settings = read_settings(model_layout(build, model))
    name = (settings or {}).get("data", {}).get("name")
    return DataLayout(build / "data" / name) if name else data_layout(build, None)


def _key_figure(stage: Stage, measured: list[Metric]) -> str:
    by_name = {metric.name: metric for metric in measured}
    for name in stage.key_figures:
        if name in by_name:
            metric = by_name[name]
            return f"{name} = {format_value(metric.value)} {metric.unit}".rstrip()
    return f"{len(measured)} figures"
