"""RTL simulation: vectors in, integer codes out, latency and initiation interval as measured.

Serves any design with ports `clock`, `reset`, `valid_in`, `valid_out` and one data port each way;
where it has the register bus too, its registers can be written and read between the vectors.
"""

import struct
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.foundation import external_tool
from hw.foundation.errors import CheckFailed, ToolFailed
from hw.foundation.fixed_point import Codes
from hw.open_tools.verilator import build
from hw.open_tools.verilog_design import VerilogDesign
from testbench.comparison import Comparison, compare

_BENCH = Path(__file__).with_name("rtl_bench.cpp")
_WORD = 32
_CHUNK = 8192  # vectors packed at a time
_DRAIN = 256  # idle clocks at the end of a run: more than the latency of any design here
_ANSWERS = ("fed", "answers", "reads", "upsets")  # files that the bench writes
_MARGIN = 2  # clocks shown before and after the failing vector

Bytes = npt.NDArray[np.uint8]
Clocks = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DataPort:
    """A data port: `count` codes of `bits` bits, the first in the lowest bits."""

    name: str
    bits: int
    count: int
    signed: bool = False

    @property
    def width(self) -> int:
        return self.bits * self.count

    @property
    def words(self) -> int:
        return -(-self.width // _WORD)

    def to_words(self, codes: Codes) -> npt.NDArray[np.uint32]:
        """Words, shape (n, words), of codes, shape (n, count).

        Raises:
            ValueError: codes of another shape, or that do not fit the port.
        """
        codes = np.asarray(codes)
        if codes.ndim != 2 or codes.shape[1] != self.count:
            raise ValueError(f"port {self.name} takes {self.count} codes, found {codes.shape}")
        low = -(1 << (self.bits - 1)) if self.signed else 0
        if codes.size and not low <= codes.min() <= codes.max() < low + (1 << self.bits):
            raise ValueError(f"port {self.name}: codes outside {self.bits} bits")
        words = np.empty((len(codes), self.words), dtype="<u4")
        for start in range(0, len(codes), _CHUNK):
            rows = codes[start : start + _CHUNK].astype(np.int64)
            bits = ((rows[:, :, None] >> np.arange(self.bits)) & 1).astype(np.uint8)
            padded = np.zeros((len(rows), self.words * _WORD), dtype=np.uint8)
            padded[:, : self.width] = bits.reshape(len(rows), -1)
            words[start : start + _CHUNK] = np.packbits(padded, axis=1, bitorder="little").view(
                "<u4"
            )
        return words

    def to_codes(self, words: npt.NDArray[np.uint32]) -> Codes:
        """Codes, shape (n, count), of words, shape (n, words): the inverse of `to_words`."""
        codes = np.empty((len(words), self.count), dtype=np.int64)
        weights = 1 << np.arange(self.bits, dtype=np.int64)
        if self.signed:
            weights[-1] = -weights[-1]
        for start in range(0, len(words), _CHUNK):
            rows = np.ascontiguousarray(words[start : start + _CHUNK], dtype="<u4")
            bits = np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little")[:, : self.width]
            codes[start : start + _CHUNK] = bits.reshape(len(rows), self.count, -1) @ weights
        return codes


@dataclass(frozen=True)
class RtlDesign:
    """A design with its data ports.

    Attributes:
        verilog: sources, top module and parameters.
        input, output: the data ports.
        bus: whether it has the register bus (and its `upset` flag).
        upsets: whether bits of its register copies can be flipped (`Upset`).
    """

    verilog: VerilogDesign
    input: DataPort
    output: DataPort
    bus: bool = False
    upsets: bool = False


# what a run does, in order ---------------------------------------------------------------------


@dataclass(frozen=True)
class Write:
    """Write registers, one byte each clock: pairs of address and byte."""

    pairs: Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Read:
    """Read registers, one byte each clock."""

    addresses: Sequence[int]


@dataclass(frozen=True)
class Feed:
    """Feed vectors, one each clock.

    Attributes:
        codes: shape (n, codes of the input port).
        gaps: idle clocks before each vector, shape (n,), at most 255; None for none.
    """

    codes: Codes
    gaps: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Idle:
    """Let clocks pass without input."""

    clocks: int = _DRAIN


@dataclass(frozen=True)
class Upset:
    """Flip one bit of a register copy, between two clocks."""

    register: str
    bit: int


Step = Write | Read | Feed | Idle | Upset


@dataclass(frozen=True)
class RtlRun:
    """What a design did.

    Attributes:
        codes: its answers, shape (n, codes of the output port).
        fed: clock of each vector, shape (n,); clocks count from reset.
        answered: clock of each answer, shape (n,).
        reads: bytes read from registers, in order.
        upsets: clocks in which its upset flag stood.
        seconds: time the simulation took.
    """

    codes: Codes
    fed: Clocks
    answered: Clocks
    reads: Bytes
    upsets: Clocks
    seconds: float

    @property
    def latency(self) -> int:
        """Clocks from a vector to its answer.

        Raises:
            CheckFailed: it is not the same for all vectors.
        """
        latencies = np.unique(self.answered - self.fed)
        if len(latencies) != 1:
            raise CheckFailed(
                f"the latency is not constant: {latencies.min()} to {latencies.max()} clocks"
            )
        return int(latencies[0])

    @property
    def initiation_interval(self) -> int:
        """Clocks between answers to vectors fed in consecutive clocks, the longest seen.

        Raises:
            CheckFailed: no two vectors were fed in consecutive clocks.
        """
        intervals = np.diff(self.answered)[np.diff(self.fed) == 1]
        if not len(intervals):
            raise CheckFailed("no two vectors were fed in consecutive clocks")
        return int(intervals.max())


@dataclass(frozen=True)
class RtlSimulator:
    """A compiled design."""

    design: RtlDesign
    program: Path

    def run(self, steps: Iterable[Step]) -> RtlRun:
        """Carry out `steps` from reset on, then wait for the last answers.

        Raises:
            CheckFailed: there are not as many answers as vectors.
            ToolFailed: the simulation crashed.
        """
        return self._run(steps, ())

    def write_waveform(self, steps: Iterable[Step], file: Path, first: int, last: int) -> None:
        """Carry out `steps` and write the clocks `first` to `last` of all signals as VCD."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._run(steps, (str(file.resolve()), str(max(first, 0)), str(last)))

    def _run(self, steps: Iterable[Step], waveform: Sequence[str]) -> RtlRun:
        with tempfile.TemporaryDirectory(prefix="econt-rtlsim-") as scratch:
            commands = Path(scratch) / "commands"
            with commands.open("wb") as file:
                for step in [*steps, Idle()]:
                    file.write(_encode(step, self.design.input))
            command = [str(self.program), str(commands), scratch, *waveform]
            start = time.perf_counter()
            external_tool.run(command, f"RTL simulation by {self.program}")
            seconds = time.perf_counter() - start
            return self._read(Path(scratch), seconds)

    def _read(self, folder: Path, seconds: float) -> RtlRun:
        port = self.design.output
        if lacking := [n for n in _ANSWERS if not (folder / n).is_file()]:
            raise ToolFailed(
                f"{self.program}: ended well and wrote no {lacking[0]}; remove it, and it is built "
                "again"
            )
        fed = np.fromfile(folder / "fed", dtype="<i8")
        answers = np.fromfile(
            folder / "answers", dtype=[("clock", "<i8"), ("words", "<u4", (port.words,))]
        )
        if len(fed) != len(answers):
            raise CheckFailed(
                f"{self.design.verilog.top}: {len(fed)} vectors were fed, {len(answers)} answered"
            )
        return RtlRun(
            port.to_codes(answers["words"]),
            fed,
            answers["clock"],
            np.fromfile(folder / "reads", dtype=np.uint8),
            np.fromfile(folder / "upsets", dtype="<i8"),
            seconds,
        )


def compile_design(design: RtlDesign, folder: Path, *, waveforms: bool = False) -> RtlSimulator:
    """Compile a design with the bench in `folder`; one compiled before is used again.

    Raises:
        ToolMissing: Verilator, a C++ compiler or make is not installed.
        ToolFailed: it does not compile.
    """
    definitions = {
        "ECONT_INPUT": design.input.name,
        "ECONT_INPUT_BITS": str(design.input.width),
        "ECONT_OUTPUT": design.output.name,
        "ECONT_OUTPUT_BITS": str(design.output.width),
    }
    definitions |= {"ECONT_BUS": "1"} if design.bus else {}
    definitions |= {"ECONT_UPSETS": "1"} if design.upsets else {}
    definitions |= {"ECONT_TRACE": "1"} if waveforms else {}
    program = build(
        design.verilog,
        folder,
        _BENCH,
        definitions=definitions,
        waveforms=waveforms,
        configuration=_PUBLIC_COPIES if design.upsets else "",
    )
    return RtlSimulator(design, program)


_PUBLIC_COPIES = """\
`verilator_config
public_flat_rw -module "register_copy" -var "q"
"""


@dataclass(frozen=True)
class Verification:
    """The verdict on a design.

    Attributes:
        run: what it did.
        comparison: its answers against the expected codes.
        waveform: of the first failing vector, where there is one.
    """

    run: RtlRun
    comparison: Comparison
    waveform: Path | None


def verify(
    simulator: RtlSimulator,
    steps: Sequence[Step],
    expected: Codes,
    origins: Sequence[str],
    waveform: Path,
    *,
    finer: int = 0,
) -> Verification:
    """Run a design and compare its answers, in order, with the expected codes.

    Where a vector fails, the design is compiled again with waveforms, in the folder of `waveform`,
    and that file shows all signals from before the first failing vector until after its answer.

    Args:
        expected: shape (n, codes of the output port), in the order of the vectors fed.
        origins: a name for each vector.
        waveform: VCD file; removed where all vectors are right.
        finer: fraction bits that the expected codes have beyond those of the output port.

    Raises:
        CheckFailed: there are not as many answers as vectors.
        ToolFailed: the simulation crashed.
    """
    run = simulator.run(steps)
    comparison = compare(expected, run.codes << finer, origins)
    if comparison.first is None:
        waveform.unlink(missing_ok=True)
        return Verification(run, comparison, None)
    vector = comparison.first.vector
    tracer = compile_design(simulator.design, waveform.parent / "waveform_build", waveforms=True)
    first, last = int(run.fed[vector]) - _MARGIN, int(run.answered[vector]) + _MARGIN
    tracer.write_waveform(steps, waveform, first, last)
    return Verification(run, comparison, waveform)


# the bench's command file ----------------------------------------------------------------------


def _encode(step: Step, port: DataPort) -> bytes:
    match step:
        case Write(pairs):
            return _header(b"w", len(pairs)) + b"".join(struct.pack("<HB", *p) for p in pairs)
        case Read(addresses):
            return _header(b"r", len(addresses)) + struct.pack(f"<{len(addresses)}H", *addresses)
        case Idle(clocks):
            return _header(b"i", clocks)
        case Upset(register, bit):
            name = register.encode()
            return _header(b"u", 1) + struct.pack("<IB", bit, len(name)) + name
        case Feed(codes, gaps):
            records = np.zeros(len(codes), dtype=[("gap", "u1"), ("words", "<u4", (port.words,))])
            records["words"] = port.to_words(codes)
            if gaps is not None:
                records["gap"] = gaps
            return _header(b"v", len(codes)) + records.tobytes()


def _header(letter: bytes, count: int) -> bytes:
    return letter + struct.pack("<I", count)


def measured_latency(run: RtlRun, clock_period_ns: float) -> dict[str, float]:
    """Latency and initiation interval as the simulation showed them, by metric name.

    Raises:
        CheckFailed: the latency is not the same for all vectors.
    """
    return {
        "latency.cycles": run.latency,
        "latency.ns": run.latency * clock_period_ns,
        "ii.cycles": run.initiation_interval,
    }
