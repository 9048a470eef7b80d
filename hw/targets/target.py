"""Hardware targets: what an encoder is built for, with which tool, and what it may cost."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from hw.backends.registry import BACKENDS
from hw.foundation.errors import InputError
from hw.foundation.strict_config import StrictRecord, did_you_mean, read_mapping, validate_record

_FOLDER = Path(__file__).resolve().parent


class Budget(StrictRecord):
    """Bounds on one metric, both included; at least one is given."""

    max: float | None = None
    min: float | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.max is None and self.min is None:
            raise ValueError("a budget needs 'max', 'min' or both")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ValueError(f"'min' {self.min:g} exceeds 'max' {self.max:g}")
        return self

    def holds(self, value: float) -> bool:
        """Whether `value` lies within the bounds."""
        return not (
            (self.max is not None and value > self.max)
            or (self.min is not None and value < self.min)
        )


class Rtl(StrictRecord):
    """How Verilog is made of the network.

    Attributes:
        pipeline_stages: parts of the logic with registers after each, so its latency in clocks; 0
            for combinational logic.
        stage_delay_ns: instead: as many stages as it takes for none to be estimated slower.  With
            neither, the clock period.
        inputs: `module`, the port has the 48 trigger cells, with the range that a normalised module
            has; or `image`, it has all numbers that the network reads, in their whole format.
    """

    pipeline_stages: int | None = Field(default=None, ge=0, le=1000)
    stage_delay_ns: float | None = Field(default=None, gt=0)
    inputs: Literal["module", "image"] = "module"

    @model_validator(mode="after")
    def _one_depth(self) -> Self:
        if self.pipeline_stages is not None and self.stage_delay_ns is not None:
            raise ValueError("give either 'pipeline_stages' or 'stage_delay_ns'")
        return self


class Target(StrictRecord):
    """One hardware target.

    Attributes:
        name: the stem of its YAML file (no key in it), which also names the build folder.
        description: one line for reports.
        backend: hls4ml back end, which is the HLS tool that the C++ is written for.
        part: FPGA part number; None for an ASIC.
        asic_library: Catapult technology library; None for an FPGA.
        clock_period_ns: clock period in ns.
        io_type: `io_parallel` (the whole image each clock) or `io_stream` (pixel by pixel).
        strategy: hls4ml's `Latency` (unrolled) or `Resource` (multipliers shared).
        reuse_factor: how many multiplications share one multiplier.
        rtl: how Verilog is made.
        liberty: Liberty file of the cell library to map to; a relative path starts at the YAML
            file.  None for Nangate45.
        gate_equivalent_cell: cell of that library in whose area gate equivalents are counted.
        budgets: bounds by metric name, such as `csim.mismatches`.
    """

    name: str = Field(pattern=r"^\w[\w.+-]*$")
    description: str
    backend: str
    part: str | None = None
    asic_library: str | None = None
    clock_period_ns: float = Field(gt=0, le=1e6)
    io_type: Literal["io_parallel", "io_stream"] = "io_parallel"
    strategy: Literal["Latency", "Resource"] = "Latency"
    reuse_factor: int = Field(default=1, ge=1, le=1_000_000)
    rtl: Rtl = Rtl()
    liberty: str | None = None
    gate_equivalent_cell: str = "NAND2_X1"
    budgets: dict[str, Budget] = Field(default={})

    @field_validator("backend")
    @classmethod
    def _known_backend(cls, name: str) -> str:
        if name not in BACKENDS:
            raise ValueError(f"unknown backend '{name}'; {did_you_mean(name, list(BACKENDS))}")
        return name

    @model_validator(mode="after")
    def _one_technology(self) -> Self:
        if (self.part is None) == (self.asic_library is None):
            raise ValueError("give either 'part' (FPGA) or 'asic_library' (ASIC)")
        if self.asic_library is not None and not BACKENDS[self.backend].takes_asic_libraries:
            able = " or ".join(b.name for b in BACKENDS.values() if b.takes_asic_libraries)
            raise ValueError(f"'asic_library' needs backend {able}, not {self.backend}")
        return self

    @property
    def technology(self) -> str:
        """The FPGA part or the ASIC library."""
        return self.part or self.asic_library or ""


def target_names() -> list[str]:
    """Names of the targets that come with the project."""
    return sorted(file.stem for file in _FOLDER.glob("*.yaml"))


def target_file(name: str) -> Path:
    """The YAML file of the target of that name, or the one at that path.

    Raises:
        InputError: no such target (with a suggestion).
    """
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    if name in target_names():
        return _FOLDER / f"{name}.yaml"
    raise InputError(
        f"unknown target '{name}'; {did_you_mean(name, target_names())}"
        f" (targets are hw/{_FOLDER.name}/*.yaml; a path to a YAML file works too)"
    )


def load_target(name: str) -> Target:
    """The target of that name, or the one described by the YAML file at that path.

    Raises:
        InputError: no such target (with a suggestion), or a faulty YAML file.
    """
    file = target_file(name)
    data, lines = read_mapping(file)
    if "name" in data:
        raise InputError(
            f"{file}:{lines[('name',)]}: unknown key 'name'; a target is named by its file: "
            f"'{file.stem}'"
        )
    target = validate_record(Target, data | {"name": file.stem}, file, lines)
    if target.liberty is None:
        return target
    return target.model_copy(update={"liberty": str(file.parent / target.liberty)})
