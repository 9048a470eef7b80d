"""A network's logic as Verilog with our ports, and the record of it that other steps read.

The wrapper has ports `clock`, `reset`, `valid_in`, `valid_out` and one data port each way, packed
with the first element in the lowest bits, as the hand-written RTL in `hw/rtl` has.  Its inputs are
not registered, its outputs are; each further pipeline stage adds a register before the last one.
The weights are wired into the logic.
"""

import importlib.metadata
import itertools
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError, model_validator

from hw.foundation.atomic_file import atomic_directory, write_text
from hw.foundation.errors import InputError
from hw.foundation.fixed_point import Codes, FixedFormat, parse_format
from hw.foundation.record_types import FormatText
from hw.foundation.strict_config import StrictRecord
from hw.generated.layer_costs import LayerCost, layer_costs, own_delay, whole
from hw.generated.layer_labels import layer_of
from hw.generated.network_logic import NetworkLogic, NoLogic, Wiring
from hw.targets.target import Target

TOP = "econt_encoder_rtl"
"""Name of the top module, and of the file that holds it."""

_PIPELINE = "econt_encoder_pipeline"
_PROJECT_FILE = "design.json"
_DELAY_STEP_NS = 0.01  # in the search for the shortest stages
_ADDERS = Path(__file__).with_name("adders")  # in the place of alkaid's
_TIMESCALE = "`timescale 1 ns / 1 ps"


class RtlPort(StrictRecord):
    """A data port.

    Attributes:
        name: of the port.
        number_format: of each element, in the notation of `hw.foundation.fixed_point`.
        count: elements; the first is in the lowest bits.
    """

    name: str
    number_format: FormatText
    count: int

    @property
    def fixed(self) -> FixedFormat:
        return parse_format(self.number_format)

    @property
    def width(self) -> int:
        """Bits of the port."""
        return self.fixed.width * self.count


class InputFormat(StrictRecord):
    """Numbers of the network's inputs, one after the other, in one format."""

    number_format: FormatText
    count: int


class GeneratedRtl(StrictRecord):
    """What other steps need to know of a generated design; kept in its folder as `design.json`.

    Attributes:
        top: name of the top module.
        sources: Verilog files in the order in which tools read them, relative to the folder.
        target: the target it was made for, resolved.
        encoder_hash: of the model file it was made from.
        input, output: data ports.
        network_inputs: formats of the network's numbers, of which the input port may show a part.
        element: element of the input port shown at each number of the network's input (flat); -1
            where the network reads 0.
        largest: input elements are from 0 to this value; None: the whole range of their format.
        latency_cycles: clocks from input to output; 0 for combinational logic.
        pipeline_stages: parts of the logic with registers after each; 1 where there are none.
        register_bits: bits of those registers, those of the valid flag not counted.
        estimated_lut: look-up tables as alkaid estimates them.
        estimated_delay_ns: of the whole logic, as alkaid estimates it for an UltraScale+ FPGA.
        estimated_stage_delay_ns: of the slowest stage.
        layers: what each layer takes of the logic, in the network's order, then what is between
            layers; together the estimates of the whole.
        tools: versions.
    """

    top: str
    sources: tuple[str, ...]
    target: Target
    encoder_hash: str
    input: RtlPort
    output: RtlPort
    network_inputs: tuple["InputFormat", ...]
    element: tuple[int, ...]
    largest: float | None
    latency_cycles: int
    pipeline_stages: int
    register_bits: int
    estimated_lut: int
    estimated_delay_ns: float
    estimated_stage_delay_ns: float
    layers: tuple[LayerCost, ...]
    tools: dict[str, str]

    @model_validator(mode="after")
    def _elements_are_of_the_port(self) -> Self:
        if not all(-1 <= element < self.input.count for element in self.element):
            raise ValueError(f"element: the input port has {self.input.count} elements")
        return self

    def codes(self, images: npt.NDArray[np.float32]) -> Codes:
        """Codes of the input port, shape (n, count), that show images of shape (n, ...)."""
        elements = self.inputs(images).astype(np.float64)
        pixels = np.repeat(
            np.arange(len(self.network_inputs)), [run.count for run in self.network_inputs]
        )
        shown = self._pixels()
        for index, run in enumerate(self.network_inputs):
            own = np.where(shown >= 0, pixels[shown], 0) == index
            elements[:, own] = parse_format(run.number_format).quantise(elements[:, own])
        return self.input.fixed.to_codes(elements)

    def _pixels(self) -> npt.NDArray[np.int64]:
        """The number of the network's inputs that each element shows; -1 where it shows none."""
        pixel = np.full(self.input.count, -1)
        shown = np.flatnonzero(np.array(self.element) >= 0)
        pixel[np.array(self.element)[shown]] = shown
        return pixel

    def inputs(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Elements of the input port, shape (n, count), that show images of shape (n, ...).

        An image is more than the port can show where it is not `images_of` these.
        """
        flat = images.reshape(len(images), -1)
        pixel = self._pixels()
        elements = flat[:, pixel] * (pixel >= 0)
        return elements if self.largest is None else elements.clip(0, self.largest)

    def images_of(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What the network reads, shape (n, numbers), for elements of shape (n, count)."""
        element = np.array(self.element)
        return inputs[:, element] * (element >= 0)


def write_rtl(
    logic: NetworkLogic, wiring: Wiring, target: Target, folder: Path, *, encoder_hash: str
) -> GeneratedRtl:
    """Write the Verilog of a network's logic, pipelined for `target`, and its record.

    The folder is replaced as a whole; the same logic and target give the same files.

    Args:
        wiring: that the logic was made with.
        encoder_hash: hash of the model file, recorded.

    Raises:
        NoLogic: no output depends on any input.
    """
    import alkaid.codegen.rtl
    from alkaid.codegen.rtl.verilog import fsm_logic_gen
    from alkaid.trace.passes import add_surrogate, dead_code_elimin, fuse_ternary_adders

    if not any(op.opcode == -1 for op in logic.logic.ops) or not sum(logic.logic.out_kifs.sum(0)):
        raise NoLogic("the network's outputs are constant: there is no logic to make")
    left = dead_code_elimin(fuse_ternary_adders(logic.logic))
    fused = add_surrogate(left, _skip_op8_cost=True)  # the same operations, without their layers
    costs = layer_costs(fused, [layer_of(op) for op in left.ops], logic.layers)
    stages = _cut(fused, target)
    latency = target.rtl.pipeline_stages
    if latency is None:
        latency = stages.count
    pipeline = _pipeline(fused, stages, latency)
    modules = fsm_logic_gen(pipeline, _PIPELINE, timescale=_TIMESCALE)
    input_port = RtlPort(name="inputs", number_format=str(logic.input), count=logic.inputs)
    output_port = RtlPort(name="latents", number_format=str(logic.output), count=logic.outputs)
    theirs = Path(alkaid.codegen.rtl.__file__).parent / "verilog" / "source"
    library = {file.stem: file for folder in (theirs, _ADDERS) for file in folder.glob("*.v")}
    with atomic_directory(folder) as temporary:
        for name, text in modules.items():
            write_text(temporary / f"{name}.v", text)
        used = [
            library[name]
            for name in sorted(library)
            if any(f" {name} #" in text for text in modules.values())
        ]
        for file in used:
            shutil.copyfile(file, temporary / file.name)
        wrapper = _wrapper(pipeline, input_port, output_port, latency)
        write_text(temporary / f"{TOP}.v", wrapper)
        design = GeneratedRtl(
            top=TOP,
            sources=(*(f.name for f in used), *(f"{name}.v" for name in modules), f"{TOP}.v"),
            target=target,
            encoder_hash=encoder_hash,
            input=input_port,
            output=output_port,
            network_inputs=tuple(
                InputFormat(number_format=str(number), count=len(list(same)))
                for number, same in itertools.groupby(logic.network_inputs)
            ),
            element=tuple(int(e) for e in wiring.element),
            largest=wiring.largest,
            latency_cycles=latency,
            pipeline_stages=len(pipeline.logic),
            register_bits=sum(s.width for s in pipeline.signals.values() if s.reg),
            estimated_lut=whole(costs).lut,
            estimated_delay_ns=round(float(fused.latency[1]), 3),
            estimated_stage_delay_ns=round(stages.delay_ns, 3),
            layers=costs,
            tools={"alkaid": importlib.metadata.version("alkaid")},
        )
        write_text(temporary / _PROJECT_FILE, design.model_dump_json(indent=1) + "\n")
    return design


def wanted_stage_delay_ns(target: Target) -> float:
    """How long a stage may be where the target leaves their number open."""
    return target.rtl.stage_delay_ns or target.clock_period_ns


def read_rtl(folder: Path) -> GeneratedRtl:
    """The record of the generated design in `folder`.

    Raises:
        InputError: no such design, or a damaged one.
    """
    file = folder / _PROJECT_FILE
    try:
        return GeneratedRtl.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"{folder}: holds no generated RTL; run the rtl stage first") from error
    except ValidationError as error:
        raise InputError(f"{file}: damaged; run the rtl stage anew ({error})") from error


@dataclass(frozen=True)
class _Stages:
    """The logic cut into stages.

    Attributes:
        stage: of each operation, from 0.
        delay_ns: estimated, of the slowest stage.
    """

    stage: tuple[int, ...]
    delay_ns: float

    @property
    def count(self) -> int:
        return max(self.stage, default=0) + 1


def _cut(logic: Any, target: Target) -> _Stages:
    """The stages that the target wants: so many, as short as can be, or those short enough.

    A single operation is never cut, however long its estimate.
    """
    wanted = target.rtl.pipeline_stages
    shortest = max((own_delay(logic, op) for op in logic.ops), default=0.0)
    if wanted is None:
        longest = wanted_stage_delay_ns(target)
        return _fill_stages(logic, max(longest, shortest))
    if wanted <= 1:
        return _fill_stages(logic, math.inf)
    low, high = shortest, max(logic.latency[1], shortest)
    while high - low > _DELAY_STEP_NS:
        middle = (low + high) / 2
        low, high = (low, middle) if _fill_stages(logic, middle).count <= wanted else (middle, high)
    return _fill_stages(logic, high)


def _fill_stages(logic: Any, longest: float) -> _Stages:
    """Each operation in the first stage in which it ends in time."""
    stage: list[int] = []
    arrival: list[float] = []
    for op in logic.ops:
        own = own_delay(logic, op)
        here = max((stage[i] for i in op.addr), default=0)
        ready = max((arrival[i] for i in op.addr if stage[i] == here), default=0.0)
        if ready + own > longest:
            here, ready = here + 1, 0.0
        stage.append(here)
        arrival.append(ready + own)
    return _Stages(tuple(stage), max(arrival, default=0.0))


def _pipeline(logic: Any, stages: _Stages, latency: int) -> Any:
    """alkaid's state machine of the logic with registers after each stage; of none, for latency 0.

    alkaid cuts by the time at which a result is there, so that is made the number of the stage.
    """
    from alkaid.trace.pipeline import to_pipeline

    last = latency or 1
    empty = last - stages.count  # where the target wants more than there are
    numbers = [
        stage + empty if op.addr else 0 for op, stage in zip(logic.ops, stages.stage, strict=True)
    ]
    numbered = [
        op._replace(latency=float(last) if number == last - 1 else number + 0.5)
        for op, number in zip(logic.ops, numbers, strict=True)
    ]
    return to_pipeline(
        logic._replace(ops=numbered),
        n_stages=last,
        reg_inp=False,
        reg_out=latency > 0,
        verbose=False,
    )


# --- the wrapper ---------------------------------------------------------------------------------
def _wrapper(pipeline: Any, inputs: RtlPort, outputs: RtlPort, latency: int) -> str:
    (packed_in,), (packed_out,) = pipeline.inp_signals, pipeline.out_signals
    clock = "\n        .clk(clock)," if latency else ""
    return f"""{_TIMESCALE}

// A network with its weights wired in, latency {latency} clocks.
// {inputs.name}: {inputs.count} elements {inputs.number_format}
// {outputs.name}: {outputs.count} elements {outputs.number_format}
module {TOP} (
    input wire clock,
    input wire reset,
    input wire valid_in,
    input wire [{inputs.width - 1}:0] {inputs.name},
    output wire valid_out,
    output wire [{outputs.width - 1}:0] {outputs.name}
);

    wire [{packed_in.width - 1}:0] packed_in;
    wire [{packed_out.width - 1}:0] packed_out;

    {_PIPELINE} pipeline ({clock}
        .model_inp(packed_in),
        .model_out(packed_out)
    );

{_packing(packed_in, inputs)}

{_unpacking(packed_out, outputs)}

{_valid(latency)}

endmodule
"""


def _packing(signal: Any, port: RtlPort) -> str:
    """The bits that the logic reads of each element."""
    number = port.fixed
    lines = []
    for index, (low, precision) in enumerate(_fields(signal)):
        width = sum(precision)
        if width:
            start = index * number.width + number.fraction - precision.fractional
            lines.append(
                f"    assign packed_in[{low} +: {width}] = {port.name}[{start} +: {width}];"
            )
    return "\n".join(lines)


def _unpacking(signal: Any, port: RtlPort) -> str:
    """Codes of the port's format from the bits that the logic gives of each element."""
    number = port.fixed
    lines = []
    for index, (low, precision) in enumerate(_fields(signal)):
        width = sum(precision)
        below = number.fraction - precision.fractional if width else number.width
        above = number.width - width - below if width else 0
        high_bit = f"packed_out[{low + width - 1}]" if precision.signed else "1'b0"
        parts = [f"{{{above}{{{high_bit}}}}}"] * bool(above)
        parts += [f"packed_out[{low} +: {width}]"] * bool(width)
        parts += [f"{below}'b0"] * bool(below)
        start = index * number.width
        lines.append(f"    assign {port.name}[{start} +: {number.width}] = {{{', '.join(parts)}}};")
    return "\n".join(lines)


def _fields(signal: Any) -> list[tuple[int, Any]]:
    """Lowest bit and precision of each element in alkaid's packing."""
    widths = [sum(precision) for precision in signal.precisions]
    return list(zip(itertools.accumulate(widths, initial=0), signal.precisions, strict=False))


def _valid(latency: int) -> str:
    if not latency:
        return "    assign valid_out = valid_in;"
    shifted = f"{{valid[{latency - 2}:0], valid_in}}" if latency > 1 else "valid_in"
    return f"""    reg [{latency - 1}:0] valid;
    always @(posedge clock)
        if (reset) valid <= {latency}'b0;
        else valid <= {shifted};
    assign valid_out = valid[{latency - 1}];"""
