"""Vectors of the test bench in an HLS project: written for a co-simulation, compared after it."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hw.backends.tool_reports import Figure, Report, report_lines
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError

TEST_DATA = "tb_data"
"""Folder of the bench's data in an HLS project."""

INPUTS = "tb_input_features.dat"
EXPECTED_OUTPUTS = "tb_output_predictions.dat"
SIMULATED_OUTPUTS = "rtl_cosim_results.log"
"""Files in that folder, one line a vector: inputs, expected outputs, outputs of the RTL."""

# a bench prints six significant digits
_PRINTED = 1e-5

Rows = Sequence[Sequence[float]]


def write_vectors(project: Path, inputs: Rows, outputs: Rows) -> None:
    """Write the bench's data, one row a vector."""
    folder = project / TEST_DATA
    folder.mkdir(exist_ok=True)
    for name, rows in ((INPUTS, inputs), (EXPECTED_OUTPUTS, outputs)):
        text = "".join(" ".join(repr(float(n)) for n in row) + "\n" for row in rows)
        write_text(folder / name, text)


def compare_outputs(folder: Path | str, report: Report) -> list[Figure]:
    """How many vectors of a co-simulation differ from those expected: `cosim.vectors` and
    `cosim.mismatches`; none if the bench's data are not there.

    Equal is what agrees in the six digits that a bench prints, so in every code of up to 16 bits.

    Args:
        folder: that of the bench's data.
        report: the co-simulation that gave the outputs.

    Raises:
        InputError: a line that is not numbers.
    """
    expected_file, found_file = Path(folder) / EXPECTED_OUTPUTS, Path(folder) / SIMULATED_OUTPUTS
    if not (expected_file.is_file() and found_file.is_file()):
        return []
    expected, found = _numbers(expected_file), _numbers(found_file)
    vectors = Figure("cosim.vectors", len(found), "vectors", report, better=None)
    mismatches = Figure("cosim.mismatches", None, "vectors", report)
    if len(expected) != len(found):
        short = f"{len(found)} outputs for {len(expected)} vectors in {found_file}"
        return [vectors, replace(mismatches, reason=short)]
    differing = [i for i, pair in enumerate(zip(expected, found, strict=True)) if _differ(*pair)]
    first = f"first difference: vector {differing[0]} of {found_file}" if differing else None
    return [vectors, replace(mismatches, value=len(differing), reason=first)]


def _numbers(path: Path) -> list[list[float]]:
    """The lines of a file of numbers."""
    rows = []
    for number, line in enumerate(report_lines(path), start=1):
        try:
            rows.append([float(word) for word in line.split()])
        except ValueError as error:
            raise InputError(f"{path}:{number}: not a line of numbers: {error}") from error
    return rows


def _differ(expected: list[float], found: list[float]) -> bool:
    return len(expected) != len(found) or any(
        not math.isclose(a, b, rel_tol=_PRINTED) for a, b in zip(expected, found, strict=True)
    )
