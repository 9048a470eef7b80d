"""What the ECON-T's arithmetic costs, and what training in it saves: three distances side by side.

Measured on the same validation modules: (a) a plainly trained model as it was trained, its products
summed as they are; (b) the same weights run by the chip, with the decoder trained for (a); (c) the
model trained in the chip's arithmetic.  (c) is the model's own evaluation.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.settings import ModelSettings, compared_layout, read_settings
from flows.artefacts.validation import Validation
from flows.command_line.progress import progress
from flows.evaluation.quality_metrics import estimates, part_metrics
from flows.evaluation.reconstruction import reconstruct
from flows.layout import ModelLayout
from flows.provenance import file_hash, provenance
from hw.foundation.atomic_file import atomic_path
from models.quality.quality import PROFILE_BINS, occupancy, profile, statistics
from reports.metrics import Metric, with_provenance

PLAIN, PLAIN_ON_CHIP = "emd.plain", "emd.plain_on_chip"
_PARTS = ("mean", "std", "standard_error")

Distances = npt.NDArray[np.float64]


def compare_arithmetic(
    layout: ModelLayout, validation: Validation, exact: Distances
) -> list[Metric]:
    """Measure (a) and (b) for a model in the chip's arithmetic, and write the curves of all three.

    Args:
        layout: of the model, which has been evaluated on `validation`.
        exact: its earth mover's distances, shape (n,).

    Returns:
        Metrics of (a) and (b); without value, with the reason, where the plain model is missing or
        was trained otherwise.  None at all for a model in another arithmetic.

    Raises:
        InputError: a file of either model is damaged.
    """
    layout.arithmetic.unlink(missing_ok=True)
    settings = read_settings(layout)
    if settings is None or not settings.of_chip:
        return []
    plain = compared_layout(layout)
    reason = _obstacle(layout, plain, settings)
    if plain is None or reason:
        names = (f"{name}.{part}" for name in (PLAIN, PLAIN_ON_CHIP) for part in _PARTS)
        return estimates({}, reason, names)
    found = _measure(plain, validation)
    curves = {"exact": exact, "plain": found.as_trained, "plain_on_chip": found.on_chip}
    _write_curves(layout, validation, curves)
    source = provenance(
        model_hash=file_hash(plain.network("encoder")),
        data_hash=file_hash(layout.validation),
        packages=("POT",),
    )
    metrics = _metrics(PLAIN, found.as_trained) + _metrics(PLAIN_ON_CHIP, found.on_chip)
    return with_provenance(metrics, source)


def _metrics(name: str, distances: Distances) -> list[Metric]:
    none = "no validation module has charge before and after"
    return part_metrics(name, statistics(distances), none=none, parts=_PARTS)


def _obstacle(
    layout: ModelLayout, plain: ModelLayout | None, settings: ModelSettings
) -> str | None:
    """Why there is nothing to compare with, or None."""
    if plain is None:
        return f"{layout.folder.name} names no plain model to compare with (compare_with)"
    name, remedy = plain.folder.name, f"make train MODEL={plain.folder.name}"
    theirs = read_settings(plain)
    if theirs is None or not all(plain.network(x).is_file() for x in ("encoder", "decoder")):
        return f"{name} has not been trained in {plain.folder.parent}; {remedy} trains it"
    ours, others = settings.training(), theirs.training()
    different = [key for key in ours if key != "model" and ours[key] != others[key]]
    if different:
        return (
            f"{name} was trained with other settings than {layout.folder.name} "
            f"({', '.join(different)}); {remedy}, with the same settings, trains it anew"
        )
    return None


@dataclass(frozen=True)
class _Plain:
    """Distances of the plain model's charges, shape (n,)."""

    as_trained: Distances
    on_chip: Distances


def _measure(plain: ModelLayout, validation: Validation) -> _Plain:
    from models.networks.econ_t_encoder import on_chip
    from models.networks.network_files import load_network
    from models.quality.emd import emd

    encoder, decoder = (load_network(plain.network(part)) for part in ("encoder", "decoder"))

    def distances(network: Any, words: str) -> Distances:
        cells, _ = reconstruct(network, decoder, validation)
        with progress(f"earth mover's distance, {words}", len(cells)) as advance:
            return emd(validation.calq, cells, progress=advance)

    return _Plain(
        as_trained=distances(encoder, "plain training"),
        on_chip=distances(on_chip(encoder), "plain training on the chip"),
    )


def _write_curves(
    layout: ModelLayout, validation: Validation, curves: dict[str, Distances]
) -> None:
    """The mean of each, in all and in bins of occupancy, for the picture."""
    occupancies = occupancy(validation.calq)
    arrays = {"edges": np.array(PROFILE_BINS)}
    for name, distances in curves.items():
        whole = statistics(distances)
        bins = [b.statistics for b in profile(distances, occupancies, PROFILE_BINS)]
        for field in ("mean", "standard_error"):
            arrays[f"{name}_{field}"] = np.array(getattr(whole, field))
            arrays[f"{name}_profile_{field}"] = np.array([getattr(b, field) for b in bins])
    with atomic_path(layout.arithmetic) as temporary:
        np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]
