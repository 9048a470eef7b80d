"""Run the ECON-T golden model on recorded input links and compare its output links."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testbench.econ_t.conformance import Verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="holds recordings, in it or in folders below it: each a folder with init.yaml "
        "(registers) and testOutput.csv (13 output links); testInput.csv (12 input links, a row "
        "each bunch crossing) lies beside these files or in a folder above them",
    )


def run(arguments: argparse.Namespace) -> int:
    from testbench.econ_t.conformance import check_recordings
    from testbench.econ_t.recordings import find_recordings

    search = find_recordings(arguments.folder)
    width = max(len(_one_line(recording.name)) for recording in search.recordings)
    verdicts = []
    for verdict in check_recordings(search.recordings):
        verdicts.append(verdict)
        print(f"{_one_line(verdict.name):<{width}}  {_describe(verdict)}")
        if verdict.ignored:
            print(f"{'':<{width}}  not used by the model: {', '.join(verdict.ignored)}")
    if search.skipped:
        print(f"no recording in: {', '.join(_one_line(name) for name in search.skipped)}")
    print(_total(verdicts))
    return 0 if all(verdict.passed for verdict in verdicts) else 1


def _describe(verdict: "Verdict") -> str:
    line = f"{verdict.algorithm}, {verdict.etx} eTx: " if verdict.algorithm else ""
    if verdict.reason:
        return f"{line}FAILED: {_one_line(verdict.reason)}"
    line += f"{verdict.exact} of {verdict.total} BX exact"
    if verdict.unrecorded:
        line += f" (the recording ends {verdict.unrecorded} BX before its input)"
    if verdict.difference:
        first = verdict.difference
        line += (
            f"; FAILED: first difference at BX {first.bx}, {first.field}: "
            f"expected {first.expected}, found {first.found}"
        )
    if verdict.cause:
        line += f"; {verdict.cause}"
    return line


def _total(verdicts: "list[Verdict]") -> str:
    passed = sum(verdict.passed for verdict in verdicts)
    line = f"{passed} passed, {len(verdicts) - passed} failed"
    short = [verdict for verdict in verdicts if verdict.unrecorded]
    if short:
        missing = sum(verdict.unrecorded for verdict in short)
        line += (
            f"; {len(short)} shorter than the input and compared as far as recorded "
            f"({missing} BX not compared)"
        )
    return line


def _one_line(text: str) -> str:
    return " ".join(text.split())
