"""The whole ECON-T autoencoder as one HLS project: converter, generated encoder, formatter.

The C++ in `hw/econ_t/` surrounds the encoder that hls4ml generates; all registers are inputs of the
top function, the encoder's weights among them, so that one design serves every set of weights.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from hw.foundation.atomic_file import atomic_directory
from hw.foundation.errors import InputError, ToolFailed
from hw.foundation.integer_network import IntegerNetwork
from hw.hls.conversion import TOP as ENCODER
from hw.hls.conversion import convert
from hw.targets.target import Target

TOP = "econ_t_block"
"""Name of the top function, and of the C++ file that holds it."""

STIMULUS = "stimulus.bin"
EXPECTED = "links.bin"
"""Files that the script has the bench read."""

_SOURCES = Path(__file__).resolve().parents[1] / "econ_t"
_SCRIPT = "build_prj.tcl"
_TARGET_SCRIPT = "target.tcl"
_FIRMWARE = "firmware"
_TEST_DATA = "tb_data"
_LIBRARIES = ("ac_types", "ac_math", "ac_simutils")
_LIBRARY_PARTS = ("include", "LICENSE")

# What makes hls4ml's encoder a top function, and has a C-simulation read its weights from files:
# within the block it is a function of its arguments.
_EDITS = (
    ("the pragma of the top function", re.compile(r"#pragma hls_design top\n"), ""),
    ("the top function", re.compile(rf"\bCCS_BLOCK\({ENCODER}\)"), ENCODER),
    (
        "the loading of weights",
        re.compile(
            r"#ifndef __SYNTHESIS__\n +static bool loaded_weights\b.*?\n#endif\n", re.DOTALL
        ),
        "",
    ),
)


def obstacle(target: Target) -> str | None:
    """Why the block is not made for a target, or None: it is an ASIC's, one module a clock."""
    if target.asic_library is None:
        return f"target '{target.name}' is no ASIC, for which the block is written"
    if (target.io_type, target.strategy, target.reuse_factor) != ("io_parallel", "Latency", 1):
        return (
            f"target '{target.name}' does not take a module each clock (io_parallel, Latency, "
            "reuse factor 1), as the block does"
        )
    return None


def write_block(
    network: IntegerNetwork,
    target: Target,
    folder: Path,
    *,
    bench: Path,
    test_data: Mapping[str, bytes],
    log: Path,
) -> None:
    """Write the block's project to `folder`, which is replaced as a whole.

    The same arguments give the same files.

    Args:
        network: the encoder.  Its weights must not be zero anywhere: hls4ml counts multipliers by
            them.
        target: one without an `obstacle`.
        bench: C++ source of the test bench.
        test_data: contents of the files that the bench reads, STIMULUS and EXPECTED.
        log: file that receives all that hls4ml prints and warns.

    Raises:
        InputError: the target has an obstacle, or hls4ml cannot convert the network.
        ToolFailed: hls4ml's encoder is not written as it is known.
    """
    reason = obstacle(target)
    if reason:
        raise InputError(reason)
    with atomic_directory(folder) as project:
        generated = project / "hls4ml"
        convert(
            network,
            target,
            generated,
            encoder_hash="",  # of no trained encoder
            log=log,
            weights_as_ports=True,
        )
        firmware = (generated / _FIRMWARE).rename(project / _FIRMWARE)
        shutil.rmtree(generated)
        _keep_what_is_needed(firmware)
        _make_function(firmware / f"{ENCODER}.cpp")
        for source in sorted(_SOURCES.glob("*.[ch]*")):
            shutil.copy(source, firmware)
        shutil.copy(_SOURCES / _SCRIPT, project)
        settings = {"clock_period_ns": target.clock_period_ns, "library": target.asic_library}
        script = "".join(f"set {name} {{{value}}}\n" for name, value in settings.items())
        (project / _TARGET_SCRIPT).write_text(script, encoding="utf-8")
        shutil.copy(bench, project)
        (project / _TEST_DATA).mkdir()
        for name, content in test_data.items():
            (project / _TEST_DATA / name).write_bytes(content)


def source_files(project: Path, bench: str) -> list[Path]:
    """What a compiler is given to simulate the project, with the bench of that file name."""
    firmware = project / _FIRMWARE
    return [firmware / f"{TOP}.cpp", firmware / f"{ENCODER}.cpp", project / bench]


def include_folders(project: Path) -> list[Path]:
    """Where a compiler finds the headers of the project."""
    firmware = project / _FIRMWARE
    return [firmware, *(firmware / library / "include" for library in _LIBRARIES)]


def _keep_what_is_needed(firmware: Path) -> None:
    """Remove generated weights, which nothing reads, and the libraries' own tests and manuals."""
    shutil.rmtree(firmware / "weights")
    for library in _LIBRARIES:
        for part in (firmware / library).iterdir():
            if part.name in _LIBRARY_PARTS:
                continue
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink()


def _make_function(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    for what, pattern, replacement in _EDITS:
        text, count = pattern.subn(replacement, text)
        if count != 1:
            raise ToolFailed(
                f"hls4ml writes {source.name} in a form that is not known: {what} was found "
                f"{count} times, expected once; install the version that constraints.txt names"
            )
    source.write_text(text, encoding="utf-8")
