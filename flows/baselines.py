"""The other compression algorithms on a model's validation modules, measured as the model is."""

import numpy as np

from flows.evaluate import EMD_UNIT, MODULES, chosen_validation
from flows.layout import ModelLayout
from flows.progress import progress
from flows.provenance import file_hash, provenance
from models.baselines import algorithms
from models.quality import Statistics, statistics
from reports.metrics import Metric, write_metrics


def compare_baselines(layout: ModelLayout, elinks: int, *, full: bool = False) -> list[Metric]:
    """Measure, print and write the earth mover's distance of every algorithm.

    Modules of which an algorithm keeps nothing have no distance: they are counted apart.

    Args:
        elinks: active eLinks, the link budget of best choice.
        full: on all validation modules, else on those of the autoencoder's evaluation.

    Returns:
        The metrics as written, with the algorithm's name as their variant.
    """
    from models.emd import emd

    calq = chosen_validation(layout, limit=0 if full else MODULES).calq
    source = provenance(data_hash=file_hash(layout.validation), packages=("POT",))
    metrics: list[Metric] = []
    for name, compress in algorithms(elinks).items():
        kept = compress(calq)
        with progress(f"earth mover's distance, {name}", len(calq)) as advance:
            found = statistics(emd(calq, kept, progress=advance))
        nothing = int(np.count_nonzero((kept.sum(axis=1) == 0) & (calq.sum(axis=1) > 0)))
        origin = {"variant": name, "provenance": source}
        metrics += [metric.model_copy(update=origin) for metric in _metrics(found, nothing)]
        print(
            f"{name}: EMD {found.mean:.5g}, EMD std {found.std:.5g} "
            f"({found.count} modules; {nothing} of which nothing is kept)"
        )
    write_metrics(layout.baseline_metrics, metrics)
    return metrics


def _metrics(found: Statistics, nothing: int) -> list[Metric]:
    none = None if found.count else "the algorithm keeps nothing of any module"
    mean, std = (found.mean, found.std) if found.count else (None, None)
    return [
        Metric(name="emd.mean", value=mean, unit=EMD_UNIT, better="lower", reason=none),
        Metric(name="emd.std", value=std, unit=EMD_UNIT, reason=none),
        Metric(name="emd.modules", value=found.count, unit="modules"),
        Metric(name="emd.empty_output", value=nothing, unit="modules", better="lower"),
    ]
