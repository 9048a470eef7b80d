"""Fit of the generator's prior to the published ttbar distributions.

    python -m models.data.generator_calibration            # refits models/data/generator_prior.yaml

A random search moves the constants of the simulation, from those in the present file and within
physically sensible bounds.  For each set of constants, expectation-maximisation gives the density
of each ring and the rates of hard showers, from a pool of modules simulated in all combinations of
these.  Only histograms of the real data enter, never modules.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml
from rich.console import Console
from rich.progress import Progress

from hw.foundation.atomic_file import write_text
from models.data.distributions import (
    BINS,
    NAMES,
    PUBLISHED,
    distributions,
    quantities,
    total_variation,
)
from models.data.generator import (
    PRIOR_FILE,
    Latents,
    PileUp,
    Prior,
    Ring,
    draw_latents,
    load_prior,
    simulate_seen,
)
from models.data.readout import Readout
from models.data.wafers import wafer_map

_HEADER = """\
# The prior of models/data/generator.py: constants of the simulation, density factor of the pile-up
# by ring of modules, rates of hard showers.  The docstrings of its records tell meanings and units.
# Written by `python -m models.data.generator_calibration`, which fits it to the published
# distributions of the real ttbar nElinks_5 data (models/data/published_distributions.yaml).
"""
_Floats = npt.NDArray[np.float64]

# bounds of the random search, by record and field (of one sensor class: field.class)
_BOUNDS = {
    "pile_up": {
        "photons": (200, 1200),
        "photon_fall": (0.2, 1.5),
        "charged": (50, 800),
        "charged_fall": (0.2, 2.0),
        "photon_pt_scale": (0.2, 1.0),
        "photon_pt_power": (5, 15),
        "shower_fluctuation": (0.3, 1.2),
    },
    "readout": {
        "collection.FI": (0.5, 1.2),
        "collection.FM": (0.6, 1.2),
        "collection.FO": (0.6, 1.2),
        "noise_hits.FI": (0.05, 3.0),
        "noise_hits.FM": (0.003, 0.05),
        "noise_hits.FO": (0.003, 0.05),
        "noise_fall": (0.5, 4.0),
        "noise_excess": (0.05, 1.0),
        "crossing_shape": (1.0, 10.0),
    },
}
_DENSITY_EDGES = np.linspace(-2.2, 2.2, 23)  # of the log density factor
_EXPECTED_RATE = {"electromagnetic": 0.06, "hadronic": 0.1}  # of hard showers from 1 GeV
_RATE_PULL = 0.2  # weight of the expected rates against the data's
_MEAN_PULL = 0.005  # part by which each step pulls a ring's mean log density towards 0
_LEAST_WIDTH = 0.1  # of a ring's log density: pile-up itself fluctuates by this much
_SEARCH_MODULES = 40_000
_STEP = 0.2  # relative step of the random search at its start


def discrepancy(prior: Prior, seed: int, modules: int = _SEARCH_MODULES) -> float:
    """Root mean square of the four distances, with and without modules outside their ranges."""
    rng = np.random.default_rng(seed)
    calq, _, _ = simulate_seen(draw_latents(modules, prior, rng), prior, rng)
    found = distributions(calq)
    inside = [total_variation(found[name].counts, PUBLISHED[name].counts) for name in NAMES]
    every = [
        total_variation(found[name].all_modules(), PUBLISHED[name].all_modules()) for name in NAMES
    ]
    return float(np.sqrt(np.mean(np.square(inside + every))))


def fit_latents(prior: Prior, seed: int, *, per_cell: int = 16, iterations: int = 60) -> Prior:
    """`prior` with densities and rates of hard showers fitted for its constants.

    The model is a mixture over (ring, density bin, hard shower) with independent hard showers and
    a log-normal density in each ring; the share of each ring is fixed by its number of places.
    The steps raise the sum of the log-likelihoods of the four histograms, held back by what is
    expected: a density factor of 1, and rates that fall with the transverse momentum.
    """
    latents, shape = _pool(prior, per_cell, seed)
    calq, _, _ = simulate_seen(latents, prior, np.random.default_rng([seed, 1]))
    classes = _class_shares(calq, per_cell)
    observed = [entry.all_modules() / entry.all_modules().sum() for entry in PUBLISHED.values()]

    wafers = wafer_map()
    ring = np.bincount(prior.ring_of(wafers.radius)) / len(wafers.u)
    centres = (_DENSITY_EDGES[1:] + _DENSITY_EDGES[:-1]) / 2
    mean = np.array([entry.mean for entry in prior.rings])
    width = np.array([entry.width for entry in prior.rings])
    expected = np.array([_EXPECTED_RATE[s.kind] * s.pt_low**-1.5 for s in prior.hard_showers])
    expected = np.append(expected, 1 - expected.sum())
    hard = expected
    for _ in range(iterations):
        density = np.exp(-(((centres - mean[:, None]) / width[:, None]) ** 2) / 2)
        density /= density.sum(axis=1, keepdims=True)
        weights = ((ring[:, None] * density)[:, :, None] * hard).ravel()
        posterior = np.zeros_like(weights)
        for shares, real in zip(classes, observed, strict=True):
            posterior += weights * (shares @ (real / np.maximum(weights @ shares, 1e-12)))
        table = (posterior / posterior.sum()).reshape(shape)
        hard = (table.sum(axis=(0, 1)) + _RATE_PULL * expected) / (1 + _RATE_PULL)
        by_ring = table.sum(axis=2)
        by_ring /= by_ring.sum(axis=1, keepdims=True)
        mean = (1 - _MEAN_PULL) * (by_ring @ centres)
        spread = (by_ring * (centres - mean[:, None]) ** 2).sum(axis=1)
        width = np.maximum(np.sqrt(spread), _LEAST_WIDTH)
    return prior.model_copy(
        update={
            "rings": tuple(
                Ring(radius=entry.radius, mean=_rounded(m), width=_rounded(w))
                for entry, m, w in zip(prior.rings, mean, width, strict=True)
            ),
            "hard_showers": tuple(
                shower.model_copy(update={"probability": _rounded(rate)})
                for shower, rate in zip(prior.hard_showers, hard[:-1], strict=True)
            ),
        }
    )


def _pool(prior: Prior, per_cell: int, seed: int) -> tuple[Latents, tuple[int, int, int]]:
    """`per_cell` latents of each ring, density bin and hard shower, in that order; none is last."""
    rng = np.random.default_rng([seed, 0])
    shape = (len(prior.rings), len(_DENSITY_EDGES) - 1, len(prior.hard_showers) + 1)
    ring, density, hard = (np.repeat(index.ravel(), per_cell) for index in np.indices(shape))
    hard = np.where(hard < len(prior.hard_showers), hard, -1)
    ring_of = prior.ring_of(wafer_map().radius)
    wafer = np.empty(len(ring), dtype=np.int64)
    for index in range(len(prior.rings)):
        here = ring == index
        wafer[here] = rng.choice(np.flatnonzero(ring_of == index), here.sum())
    step = _DENSITY_EDGES[1] - _DENSITY_EDGES[0]
    factor = np.exp(_DENSITY_EDGES[density] + step * rng.random(len(ring)))
    low = np.array([shower.pt_low for shower in prior.hard_showers])[hard]
    high = np.array([shower.pt_high for shower in prior.hard_showers])[hard]
    pt = low * (high / low) ** rng.random(len(ring))
    return Latents(wafer, factor, hard, pt), shape


def _class_shares(calq: npt.NDArray, per_cell: int) -> list[_Floats]:
    """For each distribution the share of its 51 classes in each cell of the pool, (cells, 51)."""
    shares = []
    for name, values in quantities(calq).items():
        edges = PUBLISHED[name].edges
        outside = (values < edges[0]) | (values > edges[-1])
        place = np.where(outside, BINS, np.searchsorted(edges, values, side="right") - 1)
        place = np.where(values == edges[-1], BINS - 1, place)
        cell = np.arange(len(values)) // per_cell
        flat = np.bincount(cell * (BINS + 1) + place, minlength=(cell[-1] + 1) * (BINS + 1))
        shares.append(flat.reshape(-1, BINS + 1) / per_cell)
    return shares


def calibrate(
    prior: Prior, seed: int, trials: int, *, progress: Callable[[int], None] | None = None
) -> Prior:
    """Fit the latents of `prior` and move its constants, a few at a time, if that fits better.

    Raises:
        ValueError: fewer than 0 trials.
    """
    if trials < 0:
        raise ValueError(f"{trials} trials; use 0 or more")
    rng = np.random.default_rng([seed, 2])
    names = [(record, field) for record, fields in _BOUNDS.items() for field in fields]
    step = dict.fromkeys(names, _STEP)
    best, least = min(
        ((start, discrepancy(start, seed)) for start in (prior, fit_latents(prior, seed))),
        key=lambda pair: pair[1],
    )
    for _ in range(trials):
        moved = [name for name in names if rng.random() < 0.3]
        candidate = best
        for record, field in moved:
            low, high = _BOUNDS[record][field]
            value = _get(candidate, record, field) * np.exp(step[record, field] * rng.normal())
            candidate = _set(candidate, record, field, _rounded(np.clip(value, low, high)))
        candidate = fit_latents(candidate, seed)
        found = discrepancy(candidate, seed)
        for name in moved:
            step[name] = (
                min(1.3 * step[name], 0.5) if found < least else max(0.97 * step[name], 0.02)
            )
        if found < least:
            best, least = candidate, found
        if progress:
            progress(1)
    return best


def _get(prior: Prior, record: str, field: str) -> float:
    value = getattr(prior, record)
    for part in field.split("."):
        value = getattr(value, part)
    return value


def _set(prior: Prior, record: str, field: str, value: float) -> Prior:
    owner: PileUp | Readout = getattr(prior, record)
    name, _, sensor = field.partition(".")
    content = getattr(owner, name).model_copy(update={sensor: value}) if sensor else value
    return prior.model_copy(update={record: owner.model_copy(update={name: content})})


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def write_prior(prior: Prior, path: Path) -> None:
    """Write a prior as `load_prior` reads it."""
    content = prior.model_dump(mode="json")
    body = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
    write_text(path, _HEADER + body)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m models.data.generator_calibration",
        description="Refit the generator's prior to the published distributions.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--trials", type=int, default=100, help="steps of the search, 4 s each")
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers")
    parser.add_argument("--start", type=Path, default=PRIOR_FILE, help="prior to start from")
    parser.add_argument("--output", type=Path, default=PRIOR_FILE, help="file to write")
    arguments = parser.parse_args(argv)
    start = load_prior(arguments.start)
    with Progress(console=Console(stderr=True)) as bars:
        task = bars.add_task("calibrating the generator", total=arguments.trials)
        prior = calibrate(
            start,
            arguments.seed,
            arguments.trials,
            progress=lambda count: bars.advance(task, count),
        )
    write_prior(prior, arguments.output)
    print("root mean square distance, fresh modules:")
    for text, fitted in (("before", start), ("after", prior)):
        print(f"  {text}: {discrepancy(fitted, arguments.seed + 1, 200_000):.4f}")


if __name__ == "__main__":
    main()
