"""Run the ECON-T golden model on recorded input links and compare its output links."""

import argparse
from pathlib import Path

from hw.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="holds testInput.csv (12 input links, a row each bunch crossing) and folders, each "
        "with init.yaml (registers) and testOutput.csv (13 output links)",
    )


def run(arguments: argparse.Namespace) -> int:
    from testbench.econ_t.conformance import Verdict, check_folder, read_inputs

    folder: Path = arguments.folder
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    inputs = read_inputs(folder)
    sets = sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if not sets:
        raise InputError(
            f"{folder}: holds no folder to check; each needs init.yaml and testOutput.csv"
        )
    width = max(len(path.name) for path in sets)

    def describe(verdict: Verdict) -> str:
        line = f"{verdict.name:<{width}}  "
        if verdict.algorithm:
            line += f"{verdict.algorithm}, {verdict.etx} eTx: "
        if verdict.reason:
            return f"{line}FAILED: {' '.join(verdict.reason.split())}"
        line += f"{verdict.exact} of {verdict.total} BX exact"
        if verdict.difference:
            first = verdict.difference
            line += (
                f"; FAILED: first difference at BX {first.bx}, {first.field}: "
                f"expected {first.expected}, found {first.found}"
            )
        return line

    verdicts = []
    for path in sets:
        verdict = check_folder(path, inputs)
        verdicts.append(verdict)
        print(describe(verdict))
        if verdict.ignored:
            print(f"{'':<{width}}  not used by the model: {', '.join(verdict.ignored)}")
    passed = sum(verdict.passed for verdict in verdicts)
    print(f"{passed} passed, {len(verdicts) - passed} failed")
    return 0 if passed == len(verdicts) else 1
