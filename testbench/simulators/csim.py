"""C-simulation: the generated HLS C++ compiled with g++ and run on float32 vectors.

It runs as a program of its own, so that a crash in generated code is an error here, no more.
"""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hw.backends.registry import BACKENDS
from hw.foundation import external_tool
from hw.foundation.atomic_file import atomic_path, write_text
from hw.foundation.cores import usable_cores
from hw.foundation.errors import InputError, ToolFailed
from hw.foundation.fixed_point import Codes, parse_format
from hw.hls.conversion import HlsProject
from testbench.comparison import LayerTrace

COMPILER = "g++"

_BENCH = Path(__file__).with_name("csim_bench.cpp")
_CHUNK = 2048  # vectors a run of the program: enough to hide its start, few enough for progress


@dataclass(frozen=True)
class Simulator:
    """A compiled HLS project."""

    program: Path
    project: HlsProject

    def run(
        self,
        images: npt.NDArray[np.float32],
        *,
        text_weights: bool = False,
        progress: Callable[[int], None] = lambda count: None,
    ) -> Codes:
        """Output codes for `images` (n, ...), shape (n, outputs), on all processors.

        Args:
            text_weights: read the weights from the project's text files, as the vendors' own
                C-simulations do, instead of the headers that synthesis reads.
            progress: called with the number of vectors done since its last call.

        Raises:
            ToolFailed: the program crashed, or did not answer every vector.
        """
        vectors = self._vectors(images)
        chunks = [vectors[i : i + _CHUNK] for i in range(0, len(vectors), _CHUNK)]

        def simulate(chunk: npt.NDArray[np.float32]) -> Codes:
            answer = self._execute(chunk, *(["text"] if text_weights else []))
            expected = len(chunk) * self.project.output.size * np.dtype(np.int64).itemsize
            if len(answer) != expected:
                raise ToolFailed(
                    f"{self.program}: {len(chunk)} vectors should give {expected} bytes of codes, "
                    f"found {len(answer)}"
                )
            progress(len(chunk))
            return np.frombuffer(answer, dtype=np.int64).reshape(len(chunk), -1)

        with ThreadPoolExecutor(usable_cores()) as pool:
            results = list(pool.map(simulate, chunks))
        return np.concatenate(results) if results else np.zeros((0, self.project.output.size), int)

    def trace(
        self, image: npt.NDArray[np.float32], *, text_weights: bool = False
    ) -> list[LayerTrace]:
        """The result of every layer for one image, the quantised input first.

        Raises:
            ToolFailed: the program crashed, or shows no layers.
        """
        formats = {layer.name: parse_format(layer.result) for layer in self.project.layers}
        answer = self._execute(
            self._vectors(image[None]), "trace", *(["text"] if text_weights else [])
        )
        lines = [line.split() for line in answer.decode().splitlines()]
        if len(lines) < 2:
            raise ToolFailed(f"{self.program}: shows no layers; run the hls stage anew")
        return [
            LayerTrace(name, formats[name], np.array(codes, dtype=np.int64))
            for name, *codes in lines
        ]

    def _vectors(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        vectors = np.ascontiguousarray(images.reshape(len(images), -1), dtype=np.float32)
        if vectors.shape[1] != self.project.input_size:
            raise InputError(
                f"vectors of {vectors.shape[1]} numbers for a design with "
                f"{self.project.input_size} inputs"
            )
        return vectors

    def _execute(self, vectors: npt.NDArray[np.float32], *options: str) -> bytes:
        return execute([str(self.program), *options], vectors.tobytes())


@dataclass(frozen=True)
class WeightDifference:
    """The first number in which an array's text file and its header differ."""

    array: str
    layer: str
    index: int
    header: float
    text: float

    def __str__(self) -> str:
        return (
            f"weights/{self.array}.txt of layer {self.layer} has {self.text:g} at index "
            f"{self.index}, where {self.array}.h, which synthesis reads, has {self.header:g}"
        )


def compiler_version() -> str:
    """Version of g++.

    Raises:
        ToolMissing: it is not installed.
    """
    command = [_compiler(), "-dumpfullversion", "-dumpversion"]
    return external_tool.run(command, f"asking {COMPILER} for its version").strip()


def compile_project(hls: Path, project: HlsProject, folder: Path) -> Simulator:
    """Compile the HLS project in the folder `hls` together with our bench; results in `folder`.

    Raises:
        ToolMissing: no g++.
        ToolFailed: it does not compile; names the log.
    """
    hls, folder = hls.resolve(), folder.resolve()
    firmware = hls / "firmware"
    weights = folder / "weights.h"
    headers = sorted((firmware / "weights").glob("*.h"))
    write_text(weights, "".join(f'#include "firmware/weights/{h.name}"\n' for h in headers))
    program = folder / "bench"
    backend = BACKENDS[project.target.backend]
    arguments = [
        *_definitions(project, firmware, weights),
        f"-I{hls}",
        *(f"-I{firmware / include}" for include in backend.include_folders),
        str(_BENCH),
    ]
    compile_cpp(arguments, program, folder / "compile.log", f"{firmware / project.top}.cpp")
    return Simulator(program, project)


def compile_cpp(arguments: Sequence[str], program: Path, log: Path, what: str) -> None:
    """Compile a C-simulation with g++.

    Args:
        arguments: sources, include folders and definitions.
        program: the executable to make.
        log: receives the command and what the compiler says.
        what: is compiled, for the message.

    Raises:
        ToolMissing: no g++.
        ToolFailed: it does not compile; names the log.
    """
    with atomic_path(program) as temporary:
        command = [_compiler(), "-std=c++17", "-O1", "-w", *arguments, "-o", str(temporary)]
        external_tool.run(
            command,
            f"compilation of {what} with {COMPILER}",
            log=log,
            excerpt=lambda output: external_tool.lines_from(output, " error: "),
        )


def execute(command: Sequence[str], data: bytes = b"") -> bytes:
    """Run a simulation on `data`, its standard input; what it writes to its standard output.

    Raises:
        ToolFailed: it crashed or failed; tells its last output.
    """
    return external_tool.filter_bytes(command, data, f"C-simulation by {command[0]}")


def weight_differences(hls: Path, project: HlsProject) -> list[WeightDifference]:
    """Weight arrays whose text file is not equal to their header; the first number of each.

    Raises:
        InputError: a weight file is missing or unreadable.
    """
    return [
        difference
        for layer in project.layers
        for array in layer.arrays
        if (difference := _weight_difference(hls / "firmware" / "weights", array, layer.name))
    ]


def _weight_difference(folder: Path, array: str, layer: str) -> WeightDifference | None:
    header, text = folder / f"{array}.h", folder / f"{array}.txt"
    try:
        initialised = re.search(r"=\s*\{(.*)\};", header.read_text(encoding="utf-8"), re.DOTALL)
        if not text.exists():
            return None  # the headers are the only source
        in_text = _numbers(text.read_text(encoding="utf-8"))
        in_header = _numbers(initialised[1]) if initialised else []
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}/{array}: {error}; run the hls stage anew") from error
    if len(in_header) != len(in_text):
        raise InputError(
            f"{header} has {len(in_header)} numbers, {text.name} has {len(in_text)}; "
            "run the hls stage anew"
        )
    for index, (a, b) in enumerate(zip(in_header, in_text, strict=True)):
        if a != b:
            return WeightDifference(array, layer, index, a, b)
    return None


def _numbers(text: str) -> list[float]:
    return [float(token) for token in re.split(r"[\s,{}]+", text) if token]


def _compiler() -> str:
    return external_tool.program(COMPILER, "C-simulation")


def _definitions(project: HlsProject, firmware: Path, weights: Path) -> list[str]:
    values = {
        "HEADER": f'"firmware/{project.top}.h"',
        "SOURCE": f'"firmware/{project.top}.cpp"',
        "WEIGHTS": f'"{weights}"',
        "WEIGHTS_DIR": f'"{firmware / "weights"}"',
        "TOP": project.top,
        "INPUT_PORTS(PORT)": " ".join(
            f"PORT({port.name},{port.cpp_type},{port.size})" for port in project.inputs
        ),
        "INPUT_ARGUMENTS": ",".join(f"port_{port.name}" for port in project.inputs),
        "INPUTS": str(project.input_size),
        "OUTPUT_T": project.output.cpp_type,
        "OUTPUTS": str(project.output.size),
        **BACKENDS[project.target.backend].definitions,
    }
    if project.target.io_type == "io_stream":
        values["STREAM"] = "1"
    return [f"-DECONT_{name}={value}" for name, value in values.items()]
