"""Run the ECON-T golden model on recorded input links and compare its output links."""

import argparse
from pathlib import Path

from hw.foundation.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        type=Path,
        metavar="DIR",
        help="holds testInput.csv (12 input links, a row each bunch crossing) and folders, each "
        "with init.yaml (registers) and testOutput.csv (13 output links)",
    )


def run(arguments: argparse.Namespace) -> int:
    from testbench.econ_t.conformance import Verdict, check_folder, folders_to_check, read_inputs

    folder: Path = arguments.folder
    sets = folders_to_check(folder)
    inputs, fault = None, ""
    try:
        inputs = read_inputs(folder)
    except InputError as error:  # then each folder fails for this reason
        fault = str(error)
    width = max(len(path.name) for path in sets)

    def describe(verdict: Verdict) -> str:
        line = f"{' '.join(verdict.name.split()):<{width}}  "
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
        verdict = Verdict(path.name, reason=fault) if inputs is None else check_folder(path, inputs)
        verdicts.append(verdict)
        print(describe(verdict))
        if verdict.ignored:
            print(f"{'':<{width}}  not used by the model: {', '.join(verdict.ignored)}")
    passed = sum(verdict.passed for verdict in verdicts)
    print(f"{passed} passed, {len(verdicts) - passed} failed")
    return 0 if passed == len(verdicts) else 1
