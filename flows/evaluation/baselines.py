"""The other compression algorithms on a model's validation modules, measured as the model is."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flows.command_line.progress import progress
from flows.evaluation.quality_metrics import (
    MEAN_AND_ERROR,
    Coordinates,
    estimates,
    mean_in_words,
    measured_metrics,
    statistics_metrics,
)
from models.quality import baselines as ideal
from models.quality.measures import measure_modules, measures
from models.quality.quality import statistics
from reports.metrics import Metric
from testbench.econ_t import received
from testbench.econ_t.links import LINK_BITS

IDEAL, CHIP = "ideal", "chip"
PREFIX = "baseline"


@dataclass(frozen=True)
class Baseline:
    """One algorithm in one form, measured on n modules.

    Attributes:
        name: of the algorithm: `stc4`.
        form: `ideal`, charges as they are, or `chip`, as decoded from the codes that it sends.
        values: of each measure by name, shape (n,); NaN for a module without value.
        bits: of each module's frame, shape (n,); None in the ideal form, whose charges have no
            number of bits.
    """

    name: str
    form: str
    values: dict[str, npt.NDArray[np.float32]]
    bits: npt.NDArray[np.int64] | None = None

    @property
    def key(self) -> str:
        """Start of the names of its metrics and arrays."""
        return f"{PREFIX}.{self.name}.{self.form}"


def measure_baselines(
    calq: npt.NDArray[np.float32], elinks: int, *, full: bool = False
) -> list[Baseline]:
    """Measure every algorithm in both forms.

    Args:
        calq: charges in CALQ counts, shape (n, 48).
        elinks: output links that an algorithm may use, 1 to 5.
        full: all measures.
    """
    on_chip = received.algorithms(elinks)
    found = []
    algorithms = ideal.algorithms(elinks)
    with progress("other algorithms", 2 * len(algorithms) * len(calq)) as advance:
        for name, compress in algorithms.items():
            sent = on_chip[name](calq)
            for form, cells, bits in (
                (IDEAL, compress(calq), None),
                (CHIP, sent.calq, sent.bits),
            ):
                values = measure_modules(calq, cells, full=full, progress=advance)
                narrow = {measure: v.astype(np.float32) for measure, v in values.items()}
                found.append(Baseline(name, form, narrow, bits))
    return found


def baseline_arrays(baselines: list[Baseline]) -> dict[str, npt.NDArray]:
    """Values of each module, `baseline.<algorithm>.<form>.<measure>` and `.bits`."""
    arrays: dict[str, npt.NDArray] = {}
    for baseline in baselines:
        for name, values in baseline.values.items():
            arrays[f"{baseline.key}.{name}"] = values
        if baseline.bits is not None:
            arrays[f"{baseline.key}.bits"] = baseline.bits.astype(np.int16)
    return arrays


def baseline_metrics(
    baselines: list[Baseline], where: Coordinates, elinks: int, *, full: bool = False
) -> list[Metric]:
    """Metrics `baseline.<algorithm>.<form>.<measure>.<part>`, and the mean bits of a frame."""
    metrics = estimates({"link.bits": LINK_BITS * elinks})
    for baseline in baselines:
        if baseline.bits is not None:
            bits = baseline.bits[~where.empty]  # of modules with charge
            mean = float(bits.mean()) if len(bits) else None
            metrics += estimates({f"{baseline.key}.bits": mean}, _none(where))
        for measure in measures(full=full):
            name, values = f"{baseline.key}.{measure.name}", baseline.values[measure.name]
            if measure.name == "emd":
                metrics += measured_metrics(name, values, where, parts=MEAN_AND_ERROR)
            else:
                metrics += statistics_metrics(
                    name, statistics(values), none=_none(where), parts=MEAN_AND_ERROR
                )
    return metrics


def _none(where: Coordinates) -> str:
    return "no validation module has charge" if where.empty.all() else "all modules come back empty"


def describe_baselines(metrics: list[Metric]) -> list[str]:
    """A line for each algorithm and form: its distance, and the bits of a module."""
    found = {metric.name: metric.value for metric in metrics}
    lines = []
    for name, value in found.items():
        parts = name.split(".")
        if parts[0] != PREFIX or parts[3:] != ["emd", "mean"]:
            continue
        key = ".".join(parts[:3])
        if value is None:
            lines.append(f"{parts[1]} ({parts[2]}): keeps nothing of any module")
            continue
        bits = found.get(f"{key}.bits")
        nothing = found[f"{key}.emd.empty_output"]
        lines.append(
            f"{parts[1]} ({parts[2]}): EMD "
            + mean_in_words(value, found[f"{key}.emd.standard_error"])
            + (f", {bits:.0f} bits a module" if bits is not None else "")
            + (f", {nothing} modules come back empty" if nothing else "")
        )
    return lines
