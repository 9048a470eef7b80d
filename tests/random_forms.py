"""Random small networks in all their forms: Keras, exact integers, HLS C++ and Verilog.

    python -m tests.random_forms --networks 2000

Each network follows from its number.  It is read as integers and converted as the flow does it;
the C++ is compiled and run, and the Verilog's own text, read by yosys, is simulated gate by gate,
on the same vectors.  All must agree in every code; a network may also be refused, with a reason.
One line of the file of results is one network, so that an interrupted run goes on where it was.
"""

import argparse
import multiprocessing
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from flows.artefacts.generated_rtl import simulated_design
from flows.command_line.progress import progress
from hw.foundation.errors import InputError
from hw.foundation.fixed_point import Codes
from hw.foundation.integer_network import IntegerNetwork, NoFixedPoint, Refused
from hw.foundation.strict_config import StrictRecord
from hw.generated.network_logic import NoLogic, network_logic, straight_wiring
from hw.generated.verilog import write_rtl
from hw.hls.conversion import convert
from hw.netlist.gate_netlist import read_netlist
from hw.netlist.liberty import Library, read_liberty
from hw.open_tools.yosys import quoted, run
from hw.synthesis.nangate45 import nangate45
from hw.targets.target import Target, load_target
from testbench.comparison import compare, in_words
from testbench.simulators.csim import compile_project
from testbench.simulators.gatesim import simulate
from testbench.simulators.rtlsim import Feed, RtlDesign
from testbench.vectors import Images, VectorGroup, reference
from tests.random_networks import random_inputs, random_network

TARGETS = ("econ_t", "vitis")
"""Of even and odd numbers: Catapult's C++ and a pipeline of given depth; Vitis's and a free one."""

VECTORS = 200
_NETWORKS_A_PROCESS = 200  # TensorFlow keeps something of each network
_HASH = "0" * 16  # no model file is hashed here
# the Verilog as simple gates; constants are folded once in each module, before its many instances
_AS_GATES = (
    "proc", "techmap", "simplemap", "opt_expr", "opt_clean -purge", "flatten -noscopeinfo",
    "dfflegalize -cell $_DFF_P_ x", "opt_clean -purge", "write_json gates.json",
)  # fmt: skip

Verdict = Literal["agreed", "refused", "differed", "failed"]
DEFECTS: tuple[Verdict, ...] = ("differed", "failed")


class Outcome(StrictRecord):
    """What became of a network.

    Attributes:
        number: that the network follows from.
        reason: of a refusal, or what differed or failed; empty where all forms agreed.
        layers: kinds of its layers in Keras.
        compared: forms that were simulated.
        seconds: of each step, by the clock.
    """

    number: int
    target: str
    verdict: Verdict
    reason: str = ""
    layers: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    seconds: dict[str, float] = Field(default_factory=dict)


@dataclass
class _Work:
    """A network on its way through the forms."""

    compared: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 3)

    def compare(self, form: str, expected: Codes, found: Codes) -> None:
        self.compared.append(form)
        comparison = compare(expected, found, [f"random vector {i}" for i in range(len(expected))])
        if comparison.first:
            self.differences.append(
                f"{form}: {comparison.mismatches} of {comparison.vectors} vectors differ; "
                f"{in_words(comparison.first)}"
            )


def all_forms(number: int, vectors: int = VECTORS) -> Outcome:
    """Make the network of that number in all forms and compare these; nothing is raised."""
    target, work = load_target(TARGETS[number % 2]), _Work()
    layers: tuple[str, ...] = ()
    verdict: Verdict
    try:
        with work.step("Keras"):
            network = random_network(number)
        layers = tuple(type(layer).__name__ for layer in network.layers)
        with tempfile.TemporaryDirectory(prefix="econt-forms-") as scratch:
            _through(network, random_inputs(network, vectors, number), target, Path(scratch), work)
        verdict = "differed" if work.differences else "refused" if work.refused else "agreed"
        reason = "; ".join(work.differences or work.refused)
    except Exception as error:  # whatever it is, the other networks are tried too
        verdict, reason = "failed", f"{type(error).__name__}: {error}"
    return Outcome(
        number=number,
        target=target.name,
        verdict=verdict,
        reason=reason,
        layers=layers,
        compared=tuple(work.compared),
        seconds=work.seconds,
    )


def _through(network: Any, inputs: Images, target: Target, folder: Path, work: _Work) -> None:
    from models.networks.integer_reader import read_network

    try:
        with work.step("integers"):
            integers = read_network(network)
            group = VectorGroup("random", inputs, [""] * len(inputs))
            expected = reference(integers, network, [group], lambda _: None).codes
        work.compared.append("Keras")
        work.compare("C++", expected, _of_cpp(integers, inputs, target, folder, work))
    except (Refused, NoFixedPoint) as error:
        work.refused.append(str(error))
        return
    try:
        work.compare("Verilog", expected, _of_verilog(integers, inputs, target, folder, work))
    except NoLogic as error:
        work.refused.append(str(error))


def _of_cpp(
    integers: IntegerNetwork, inputs: Images, target: Target, folder: Path, work: _Work
) -> Codes:
    with work.step("C++"):
        _, project = convert(
            integers, target, folder / "hls", encoder_hash=_HASH, log=folder / "hls.log"
        )
    with work.step("g++"):
        simulator = compile_project(folder / "hls", project, folder / "csim")
    with work.step("C-simulation"):
        return simulator.run(inputs)


def _of_verilog(
    integers: IntegerNetwork, inputs: Images, target: Target, folder: Path, work: _Work
) -> Codes:
    with work.step("Verilog"):
        wiring = straight_wiring(integers.input_size)
        logic = network_logic(integers, wiring)
        design = write_rtl(logic, wiring, target, folder / "rtl", encoder_hash=_HASH)
    return _simulated(simulated_design(design, folder / "rtl"), design.codes(inputs), folder, work)


def _simulated(design: RtlDesign, codes: Codes, folder: Path, work: _Work) -> Codes:
    """What the Verilog answers to codes of its input port."""
    verilog = design.verilog
    script = [
        f"read_verilog -sv {' '.join(quoted(source) for source in verilog.sources)}",
        f"hierarchy -check -top {verilog.top}",
        *_AS_GATES,
    ]
    with work.step("yosys"):
        run("\n".join(script) + "\n", folder, f"reading {verilog.top}")
    with work.step("gates"):
        netlist = read_netlist(folder / "gates.json", verilog.top, _library())
        return simulate(netlist, design, [Feed(codes)]).codes


@cache
def _library() -> Library:
    """A netlist has one, also where all its gates are simple ones."""
    return read_liberty(nangate45())


# --- many of them ---------------------------------------------------------------------------------
def outcomes_in(file: Path) -> dict[int, Outcome]:
    """The outcomes that a file of results has, by number.

    A last line that an interruption cut off is taken out of the file.

    Raises:
        InputError: a line that is no outcome.
    """
    if not file.exists():
        return {}
    text = file.read_bytes()
    if not text.endswith(b"\n"):
        text = text[: text.rfind(b"\n") + 1]
        file.write_bytes(text)
    found = {}
    for line, content in enumerate(text.splitlines(), 1):
        try:
            outcome = Outcome.model_validate_json(content)
        except ValidationError as error:
            raise InputError(
                f"{file}: line {line} is no outcome of a network: {error}; remove that line, or "
                "choose another file: --results"
            ) from error
        found[outcome.number] = outcome
    return found


def try_all(numbers: Iterable[int], workers: int) -> Iterator[Outcome]:
    """The outcomes of these networks, as they come; a network that ends its process has failed."""
    pending = list(reversed(list(numbers)))
    while pending:
        started: dict[Future[Outcome], int] = {}
        try:
            with ProcessPoolExecutor(
                workers,
                mp_context=multiprocessing.get_context("spawn"),
                max_tasks_per_child=_NETWORKS_A_PROCESS,
            ) as pool:
                while pending or started:
                    while pending and len(started) < workers:
                        number = pending.pop()
                        started[pool.submit(all_forms, number)] = number
                    for future in wait(started, return_when=FIRST_COMPLETED).done:
                        yield future.result()
                        del started[future]
        except BrokenProcessPool:
            for number in started.values():
                reason = "the process ended at this network, or at one beside it"
                target = TARGETS[number % 2]
                yield Outcome(number=number, target=target, verdict="failed", reason=reason)


def summary(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """How many networks had which outcome, lines of text."""
    from models.networks.integer_reader import READABLE

    verdicts = Counter(outcome.verdict for outcome in outcomes)
    told = ", ".join(f"{verdicts[verdict]:,} {verdict}" for verdict in Verdict.__args__)
    yield f"{len(outcomes):,} networks: {told}"
    forms = Counter(form for outcome in outcomes for form in outcome.compared)
    yield "compared: " + ", ".join(f"{count:,} {form}" for form, count in forms.items())
    refused = Counter(_kind(o.reason) for o in outcomes if o.verdict == "refused")
    for reason, count in refused.most_common():
        yield f"  refused {count:,}: {reason}"
    for outcome in outcomes:
        if outcome.verdict in DEFECTS:
            which = f"network {outcome.number} ({outcome.target})"
            yield f"  {which} {outcome.verdict}: {outcome.reason}"
    layers = Counter(kind for outcome in outcomes for kind in set(outcome.layers))
    agreed = Counter(k for o in outcomes if o.verdict == "agreed" for k in set(o.layers))
    yield "networks with a layer of each kind, and of these agreed: " + ", ".join(
        f"{kind} {layers[kind]:,}/{agreed[kind]:,}" for kind in sorted(layers)
    )
    if lacking := [kind for kind in READABLE if kind not in layers]:
        yield f"layers of no network: {', '.join(lacking)}"
    steps = dict.fromkeys(name for outcome in outcomes for name in outcome.seconds)
    yield "mean seconds: " + ", ".join(
        f"{name} {np.mean([o.seconds[name] for o in outcomes if name in o.seconds]):.2f}"
        for name in steps
    )


def _kind(reason: str) -> str:
    """A refusal without what is particular to a network: names and numbers."""
    return re.sub(r"-?\d+(\.\d+)?", "N", re.sub(r"'[^']*'", "'...'", reason))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.random_forms",
        description=__doc__.split("\n", maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--networks", type=int, default=2000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("build/random_networks.jsonl"),
        help="file that each outcome is added to; networks in it are not tried again",
    )
    arguments = parser.parse_args(argv)
    wanted = range(arguments.first, arguments.first + arguments.networks)
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    found = outcomes_in(arguments.results)
    left = [number for number in wanted if number not in found]
    with (
        arguments.results.open("a", encoding="utf-8") as file,
        progress("random networks", len(left)) as advance,
    ):
        for outcome in try_all(left, arguments.workers):
            file.write(outcome.model_dump_json() + "\n")
            file.flush()
            found[outcome.number] = outcome
            if outcome.verdict in DEFECTS:
                print(f"network {outcome.number} {outcome.verdict}: {outcome.reason}", flush=True)
            advance(1)
    outcomes = [found[number] for number in wanted]
    print("\n".join(summary(outcomes)))
    return int(any(outcome.verdict in DEFECTS for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
