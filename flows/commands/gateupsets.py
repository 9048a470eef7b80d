"""Upset each flip-flop of a mapped netlist in simulation: what reaches the output, for how long.

All flip-flops are upset at a few times, while modules go through the design one each clock.  The
reconfigurable encoder has the model's weights in its registers.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flows.artefacts.chip_encoder import chip_encoder
from flows.artefacts.generated_rtl import generated_design, port_codes, simulated_design
from flows.artefacts.netlists import cell_library, chip_design, mapped_folder
from flows.command_line.options import add_design, add_or_skip
from flows.command_line.progress import progress
from flows.frame import Found
from flows.layout import DesignLayout
from flows.radiation.model import StudiedModel, studied_model
from flows.stages import Stage
from hw.forms import GENERATED
from hw.foundation.errors import CheckFailed, ToolMissing
from hw.foundation.fixed_point import FixedFormat
from hw.generated.network_logic import NoLogic
from hw.netlist.gate_netlist import GateNetlist, Register, mapped_netlist
from hw.netlist.simple_gates import Net
from hw.open_tools.yosys import DISTRIBUTION
from hw.targets.target import load_target
from reports.catalogue import Value
from testbench.simulators.flip_machine import Effect, FlipMachine, bits_of
from testbench.simulators.gatesim import inputs_of_vectors, states_after
from testbench.simulators.rtlsim import Feed, RtlDesign, Step, Write

CANNOT = (NoLogic, ToolMissing)

_TIMES = 4
_MODULES_OF_A_TIME = 64
_VALID = "valid_out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(parser, "hardware target: its Liberty file")
    parser.add_argument(
        "--times",
        type=int,
        default=_TIMES,
        metavar="TIMES",
        help="times at which each flip-flop is upset",
    )
    add_or_skip(parser, "where there is no netlist or no tool, record that and succeed")


def measure(stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    times = max(1, arguments.times)
    model = studied_model(design.model, times * _MODULES_OF_A_TIME)
    subject = _subject(stage, design, arguments.target, model)
    print(
        f"{len(subject.netlist.registers):,} flip-flops, {times} times", file=sys.stderr, flush=True
    )
    if not subject.netlist.registers:
        raise NoLogic("logic without registers has no flip-flop to be upset")
    effects = _simulate(subject, times)
    return Found(
        _values(effects, subject, model, times),
        told=(_in_words(effects),),
        packages=(DISTRIBUTION,),
        of_modules=True,
    )


@dataclass
class _Subject:
    """A netlist, and what goes through it.

    Attributes:
        codes: of the input port, one vector a studied module.
        first: steps that come before any vector.
        latency: clocks from input to output.
        output: format of a latent.
        wrong: indices of modules, and latent codes that came in place of theirs.
        right: latent codes that came without upset, by index of the module.
    """

    netlist: GateNetlist
    design: RtlDesign
    codes: npt.NDArray[np.int64]
    first: Sequence[Step]
    latency: int
    output: FixedFormat
    wrong: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = field(default_factory=list)

    right: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict)

    @property
    def clocks(self) -> int:
        """Modules that fill the pipeline before an upset, and clocks looked at from it on."""
        return self.latency + 4


def _subject(stage: Stage, design: DesignLayout, target_name: str, model: StudiedModel) -> _Subject:
    library = cell_library(load_target(target_name))
    if stage.form is GENERATED:
        rtl = generated_design(design)
        netlist = mapped_netlist(mapped_folder(design, GENERATED), rtl.top, library)
        return _Subject(
            netlist,
            simulated_design(rtl, design.target.rtl),
            port_codes(model.images, rtl),
            (),
            rtl.latency_cycles,
            rtl.output.fixed,
        )
    assert stage.form is not None
    _, weights = chip_encoder(design.model)

    from models.networks.econ_t_formats import INPUT, LATENT
    from testbench.econ_t.reconfigurable import encoder_design, weight_writes
    from testbench.econ_t.registers import encoder_cells

    netlist = mapped_netlist(
        mapped_folder(design, stage.form), chip_design(stage.form).top, library
    )
    cells = model.validation.arrangement.to_cells(model.images)
    ports = encoder_design()
    return _Subject(
        netlist,
        ports,
        INPUT.to_codes(cells)[:, list(encoder_cells())],
        (Write(weight_writes(weights)),),
        int(ports.verilog.parameters["LATENCY"]),
        LATENT,
    )


def _simulate(subject: _Subject, times: int) -> list[list[Effect]]:
    """For each time the effect of each flip-flop's upset."""
    clocks = subject.clocks
    starts = [2 * clocks * time for time in range(times)]

    def parts() -> Iterator[list[Step]]:
        for number, start in enumerate(starts):
            feed = Feed(subject.codes[start : start + clocks])
            yield [*(subject.first if number == 0 else ()), feed]

    machine = FlipMachine(subject.netlist)
    registers = list(subject.netlist.registers)
    ports = (subject.design.output.name, _VALID)
    found = []
    states = states_after(subject.netlist, subject.design, parts())
    with progress("upsets of flip-flops", times * len(registers)) as advance:
        for start, state in zip(starts, states, strict=True):
            at = start + clocks
            after = inputs_of_vectors(
                subject.netlist, subject.design, subject.codes[at : at + clocks]
            )

            def seen(
                upset: Sequence[Register], clock: int, values: Mapping[Net, int], at: int = at
            ) -> None:
                _note_wrong(subject, at + clock - subject.latency, values, len(upset) + 1)

            found.append(
                machine.effects(state, after, registers, ports=ports, seen=seen, progress=advance)
            )
    return found


def _note_wrong(subject: _Subject, module: int, values: Mapping[Net, int], lanes: int) -> None:
    """Keep the latent codes of the copies of the design in which they differ from the last's."""
    port = subject.design.output
    words = [values[net] for net in subject.netlist.outputs[port.name]]
    bits = bits_of(words, lanes).reshape(port.count, port.bits, lanes)
    weights = np.int64(1) << np.arange(port.bits)
    if port.signed:
        weights[-1] = -weights[-1]
    codes = np.tensordot(bits.astype(np.int64), weights, axes=([1], [0])).T
    wrong = codes[(codes != codes[-1]).any(axis=1)]
    subject.wrong.append((np.full(len(wrong), module), wrong))
    subject.right[module] = codes[-1]


def _values(
    effects: list[list[Effect]], subject: _Subject, model: StudiedModel, times: int
) -> dict[str, Value]:
    every = [effect for at_time in effects for effect in at_time]
    reaching = [effect for effect in every if effect.differs.any()]
    passing = [effect.lasts for effect in reaching if not effect.stays]
    values: dict[str, Value] = {
        "gateupsets.flip_flops": len(effects[0]),
        "gateupsets.times": times,
        "gateupsets.reaching": len(reaching) / len(every),
        "gateupsets.harmless": float(
            np.mean([not any(e.differs.any() for e in of) for of in zip(*effects, strict=True)])
        ),
        "gateupsets.staying": float(np.mean([effect.stays for effect in every])),
    }
    if passing:
        values |= {
            "gateupsets.lasts": float(np.mean(passing)),
            "gateupsets.longest": max(passing),
        }
    if any(len(modules) for modules, _ in subject.wrong):
        values["gateupsets.damage"] = _damage(subject, model)
    return values


def _damage(subject: _Subject, model: StudiedModel) -> float:
    """Mean change of the distance where an upset changed the latents, in half pitches.

    Raises:
        CheckFailed: without upset, too, the netlist gives other latents than the encoder.
    """
    from models.upsets.damage import Measure
    from models.upsets.flippable_encoder import FlippableEncoder

    encoder = FlippableEncoder(model.encoder, model.images)
    measure = Measure(encoder, model.validation.calq, model.decode)
    modules = np.concatenate([modules for modules, _ in subject.wrong])
    finer = encoder.format.fraction - subject.output.fraction

    def as_encoders(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return codes << finer if finer >= 0 else codes >> -finer

    for module, right in subject.right.items():
        if not np.array_equal(as_encoders(right), encoder.codes[module]):
            raise CheckFailed(
                f"netlist of {subject.netlist.top}: without upset, too, it gives other latents "
                "than the encoder; run the synth stage anew"
            )
    codes = as_encoders(np.concatenate([codes for _, codes in subject.wrong]))
    distances, _ = measure.distances(modules, codes)
    return float((distances - measure.before[modules]).mean())


def _in_words(effects: list[list[Effect]]) -> str:
    every = [effect for at_time in effects for effect in at_time]
    reaching = sum(bool(effect.differs.any()) for effect in every)
    staying = sum(effect.stays for effect in every)
    return (
        f"{len(effects[0]):,} flip-flops upset at {len(effects)} times: "
        f"{reaching / len(every):.1%} of the upsets reach the output, "
        f"{staying / len(every):.1%} stay until rewritten"
    )
