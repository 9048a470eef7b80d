"""Everything the upsets stage measures: single flips, many flips, time, and the cheap ranking."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from flows.command_line.progress import progress
from flows.layout import ModelLayout
from flows.provenance import file_hash
from flows.radiation.model import StudiedModel
from flows.radiation.single_flips import measure_single_flips
from hw.foundation.errors import InputError
from models.data.selection import evenly_spaced
from models.upsets.damage import Damage, Measure, bits_for
from models.upsets.exposure import Curve, Exposure
from models.upsets.many_flips import RATES, sample_rate
from models.upsets.stored_bits import StoredBits

MODULES_OF_A_MEMORY = 250
RANKED_WITH = 100  # modules of the cheap ranking
REMOVED = 0.99
"""Share of the damage that the bits of the protected curve have together."""


@dataclass(frozen=True)
class Conditions:
    """What is measured, and what the chip is exposed to.

    Attributes:
        modules: that each single flip is measured on.
        memories: that are drawn at each bit error rate.
        seed: of these, and of the cheap ranking.
        scrub: time in seconds after which all weights are written anew.
        run: length of a run in seconds.
        threshold: change of the mean distance from which on a flip is damage, in half pitches.
    """

    modules: int
    memories: int
    seed: int
    exposure: Exposure
    scrub: float
    run: float
    threshold: float


@dataclass(frozen=True)
class Upsets:
    """What was found.

    Attributes:
        before: distances without flips, shape (modules,).
        scores: of the cheap ranking, shape (bits,).
        protected: bits without which the damage of single flips is 1 - REMOVED of all.
        unprotected_curve, protected_curve: without and with these bits safe.
    """

    bits: StoredBits
    before: npt.NDArray[np.float64]
    damage: Damage
    scores: npt.NDArray[np.float64]
    protected: npt.NDArray[np.bool_]
    unprotected_curve: Curve
    protected_curve: Curve
    conditions: Conditions

    @property
    def curves(self) -> Mapping[str, Curve]:
        """Both, by their place in the names of metrics."""
        return {"": self.unprotected_curve, ".protected": self.protected_curve}

    def rank_correlation(self) -> float:
        """Spearman's, of the cheap scores with the measured damage."""
        return float(spearmanr(self.scores, self.damage.harm).statistic)

    def rank_correlation_of_changes(self) -> float:
        """The same with the measured change, whose sign a first-order score cannot tell."""
        return float(spearmanr(self.scores, self.damage.mean).statistic)


def measure_upsets(layout: ModelLayout, model: StudiedModel, conditions: Conditions) -> Upsets:
    """Measure them all on the model's modules.

    Raises:
        InputError: the encoder has no stored bits, or its layers cannot be followed.
    """
    from models.networks.number_formats import integer_weights, is_quantised, weight_formats
    from models.upsets.cheap_ranking import first_order_scores
    from models.upsets.flippable_encoder import FlippableEncoder
    from models.upsets.stored_bits import stored_bits

    file, images = layout.network("encoder"), model.images
    if not is_quantised(model.encoder):
        raise InputError(
            f"{file}: not all in fixed point, so it has no stored bits whose flips could be "
            "measured; take a quantised model"
        )
    try:
        # before the encoder is made flippable, which takes its quantisers away
        bits = stored_bits(integer_weights(model.encoder), weight_formats(model.encoder))
        some = evenly_spaced(len(images), RANKED_WITH)
        scores = first_order_scores(
            model.encoder,
            model.decoder,
            bits,
            images=images[some],
            arrangement=model.validation.arrangement,
            seed=conditions.seed,
        )
        encoder = FlippableEncoder(model.encoder, images)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    measure = Measure(encoder, model.validation.calq, model.decode)
    key: dict[str, str | int] = {
        "networks": file_hash(file, layout.network("decoder")),
        "validation": file_hash(layout.validation, layout.settings),
        "modules": conditions.modules,
    }
    damage = measure_single_flips(encoder, measure, layout.upset_blocks, key)
    protected = most_harmful(damage.harm, bits_for(damage.harm, REMOVED))

    total = 2 * len(RATES) * conditions.memories
    with progress("flips of many bits, memories", total) as advance:

        def curve(safe: npt.NDArray[np.bool_]) -> Curve:
            sampled = [
                sample_rate(
                    encoder,
                    measure,
                    rate,
                    memories=conditions.memories,
                    modules=min(MODULES_OF_A_MEMORY, len(images)),
                    seed=(conditions.seed, place),
                    safe=safe,
                    progress=advance,
                )
                for place, rate in enumerate(RATES)
            ]
            return Curve(float(damage.mean[~safe].sum()), sampled)

        curves = curve(np.zeros_like(protected)), curve(protected)
    return Upsets(bits, measure.before, damage, scores, protected, *curves, conditions)


def most_harmful(harm: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.bool_]:
    """Which are the first `count` bits in the order of harm (or score), shape (bits,)."""
    chosen = np.zeros(len(harm), dtype=bool)
    chosen[np.argsort(-harm, kind="stable")[:count]] = True
    return chosen
