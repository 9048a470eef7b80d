"""Metric records of upsets, and what is told of them."""

from collections.abc import Iterator

import numpy as np

from flows.radiation.upsets import REMOVED, Upsets, most_harmful
from models.upsets.damage import bits_for
from reports.catalogue import Value, records
from reports.metrics import Evidence, Metric

_SHARES = (90, 95, 99)


def upset_metrics(found: Upsets) -> list[Metric]:
    """All records of the stage."""
    values: dict[str, Value | None] = {
        **_of_single_flips(found),
        **_of_parts(found),
        **_of_many_flips(found),
    }
    lacking = {name: why for name, why in _of_time(found).items() if isinstance(why, str)}
    values |= {name: v for name, v in _of_time(found).items() if name not in lacking}
    made = records(values, evidence=Evidence.ESTIMATE)
    for name, reason in lacking.items():
        made += records({name: None}, evidence=Evidence.ESTIMATE, reason=reason)
    return made


def _of_single_flips(found: Upsets) -> dict[str, Value]:
    damage, bits = found.damage, found.bits
    total = damage.harm.sum()
    worst = int(damage.mean.argmax())
    values: dict[str, Value] = {
        "upsets.bits": len(bits),
        "upsets.modules": len(found.before),
        "upsets.emd": float(found.before.mean()),
        "upsets.damage.mean": float(damage.mean.mean()),
        "upsets.damage.worst_bit": float(damage.mean[worst]),
        "upsets.damage.worst_bit_name": bit_name(found, worst),
        "upsets.damage.worst_module": float(damage.worst.max()),
        "upsets.unaffected": float((damage.changed == 0).mean()),
        "upsets.changed": float(damage.changed.mean()),
        "upsets.saturated": float(damage.saturated.mean()),
        "upsets.emptied": float(damage.emptied.mean()),
    }
    for share in _SHARES:
        values[f"upsets.bits_with.{share}"] = bits_for(damage.harm, share / 100) / len(bits)
    for above in ("0.01", "0.05", "0.1", "0.2"):
        values[f"upsets.bits_above.{above}"] = float((damage.mean > float(above)).mean())
    same = most_harmful(found.scores, int(found.protected.sum()))
    return values | {
        "upsets.ranking.spearman": found.rank_correlation(),
        "upsets.ranking.spearman_of_changes": found.rank_correlation_of_changes(),
        "upsets.ranking.removed": float(damage.harm[same].sum() / total) if total else 1.0,
    }


def _of_parts(found: Upsets) -> dict[str, Value]:
    damage, bits = found.damage, found.bits
    total = damage.harm.sum() or 1.0
    values: dict[str, Value] = {}
    for index, array in enumerate(bits.arrays):
        share = damage.harm[bits.array == index].sum() / total
        values[f"upsets.array.{array.name}.damage_share"] = float(share)
    for place in range(int(bits.from_top.max()) + 1):
        values[f"upsets.place.{place}.damage"] = float(damage.mean[bits.from_top == place].mean())
    return values


def _of_many_flips(found: Upsets) -> dict[str, Value]:
    base = float(found.before.mean())
    values: dict[str, Value] = {}
    for suffix, curve in found.curves.items():
        for point in curve.sampled:
            name = f"upsets.rate.{point.rate:g}.emd{suffix}"
            values[name] = base + point.change
            values[f"{name}.standard_error"] = point.standard_error
    return values


def _of_time(found: Upsets) -> dict[str, float | str]:
    """Values, or the reason why there is none."""
    conditions, exposure = found.conditions, found.conditions.exposure
    base = float(found.before.mean())
    above = found.damage.mean > conditions.threshold
    values: dict[str, float | str] = {
        "upsets.flux": exposure.flux,
        "upsets.cross_section": exposure.cross_section,
        "upsets.threshold": conditions.threshold,
        "upsets.scrub_interval": conditions.scrub,
        "upsets.run": conditions.run,
        "upsets.time_to_upset": 1 / (len(found.bits) * exposure.upset_rate),
    }
    for name, bits in (("", above), (".protected", above & ~found.protected)):
        mean = exposure.mean_time(int(bits.sum()))
        values[f"upsets.time_to_damage{name}"] = (
            f"no such bit, if it flips alone, adds {conditions.threshold:g} to the mean distance"
            if mean is None
            else mean
        )
    for suffix, curve in found.curves.items():
        values[f"upsets.emd.after_run{suffix}"] = base + curve.at(exposure, conditions.run)
        values[f"upsets.emd.scrubbed{suffix}"] = base + curve.mean_over(exposure, conditions.scrub)
    return values


def bit_name(found: Upsets, number: int) -> str:
    """A stored bit in words: `encoded_vector/kernel[3, 5] bit 5`."""
    array = found.bits.arrays[found.bits.array[number]]
    index = ", ".join(map(str, array.index(int(found.bits.element[number]))))
    return f"{array.name}[{index}] bit {found.bits.bit[number]}"


def in_words(found: Upsets) -> Iterator[str]:
    """Lines for the reader."""
    damage, bits = found.damage, found.bits
    protected = int(found.protected.sum())
    yield (
        f"{len(bits):,} stored bits on {len(found.before):,} modules: "
        f"EMD {found.before.mean():.4f} half pitch without flips; a flip adds "
        f"{damage.mean.mean():.4f} on average, "
        f"{damage.mean.max():.3f} at worst ({bit_name(found, int(damage.mean.argmax()))})"
    )
    yield (
        f"{np.mean(damage.changed == 0):.0%} of the bits have no effect; {REMOVED:.0%} of the "
        f"damage sits in {protected / len(bits):.1%} of them"
    )
    yield (
        f"cheap ranking: Spearman {found.rank_correlation():.3f} with the damage "
        f"({found.rank_correlation_of_changes():.3f} with the signed change)"
    )


def curve_arrays(found: Upsets) -> dict[str, np.ndarray]:
    """The sampled curves, for the pictures."""
    arrays: dict[str, np.ndarray] = {"before": found.before, "protected": found.protected}
    for suffix, curve in found.curves.items():
        name = f"curve{suffix}"
        arrays[f"{name}.rate"] = np.array([point.rate for point in curve.sampled])
        arrays[f"{name}.change"] = np.array([point.change for point in curve.sampled])
        arrays[f"{name}.standard_error"] = np.array([p.standard_error for p in curve.sampled])
    exposure, conditions = found.conditions.exposure, found.conditions
    times = np.geomspace(1.0, max(conditions.run, 10.0) * 100, 200)
    arrays["time"] = times
    for suffix, curve in found.curves.items():
        arrays[f"time.change{suffix}"] = curve.change(exposure.bit_error_rate(times))
    arrays["conditions"] = np.array([exposure.flux, exposure.cross_section, conditions.scrub])
    return arrays
