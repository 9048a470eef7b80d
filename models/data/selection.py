"""Which modules a training sees: the reference's selections, and a split that respects events."""

import numpy as np
import numpy.typing as npt

from hw.foundation.errors import InputError
from models.data.dataset import ModuleData

FULL_MODULE_TYPES = ("FI", "FM", "FO")  # full inner, middle, outer; all others are partial


def evenly_spaced(available: int, wanted: int) -> npt.NDArray[np.int64]:
    """Indices of at most `wanted` of the `available` modules, spread over all."""
    if available <= wanted:
        return np.arange(available)
    return np.linspace(0, available - 1, wanted).astype(np.int64)


def drop_empty(modules: ModuleData) -> ModuleData:
    """Without the modules whose charges sum to zero.

    Raises:
        InputError: all are empty.
    """
    return _kept(modules, np.any(modules.calq, axis=1), "no module has charge")


def mask_partials(modules: ModuleData) -> ModuleData:
    """Full modules only (`--maskPartials`).

    Raises:
        InputError: the data has no column ModType, or no full module.
    """
    full = np.isin(_column(modules, "ModType", "--maskPartials"), FULL_MODULE_TYPES)
    wanted = ", ".join(FULL_MODULE_TYPES)
    return _kept(modules, full, f"--maskPartials: no module is of ModType {wanted}")


def mask_energies(modules: ModuleData, minimum: float = 0.05) -> ModuleData:
    """Modules whose SimEnergyFraction is above `minimum` (`--maskEnergies`).

    Raises:
        InputError: the data has no column SimEnergyFraction, or no module above `minimum`.
    """
    above = _column(modules, "SimEnergyFraction", "--maskEnergies") > minimum
    return _kept(modules, above, f"--maskEnergies: no SimEnergyFraction is above {minimum}")


def _kept(modules: ModuleData, mask: npt.NDArray[np.bool_], none: str) -> ModuleData:
    if not mask.any():
        raise InputError(f"{none} (of {len(modules)} that were read); give other data")
    return modules.select(mask)


def _column(modules: ModuleData, name: str, option: str) -> npt.NDArray:
    if name not in modules.columns:
        raise InputError(
            f"{option} needs the column {name}, which this data does not have; "
            f"drop {option}, or give files with a header that names {name}"
        )
    return modules.columns[name]


def double(modules: ModuleData, seed: int) -> ModuleData:
    """Twice the pile-up (`--double`): charges of pairs of modules, drawn without return, added.

    The pair keeps the direction and columns of its first module; an odd module is left out.
    A pair belongs to no one event.

    Raises:
        InputError: fewer than two modules.
    """
    if len(modules) < 2:
        raise InputError("--double needs at least 2 modules")
    order = np.random.default_rng(seed).permutation(len(modules))[: len(modules) // 2 * 2]
    first = modules.select(order[0::2])
    return ModuleData(
        first.calq + modules.calq[order[1::2]],
        first.eta,
        first.phi,
        first.columns,
        None,
        modules.content_hash,
    )


def quick(modules: ModuleData, count: int = 5000) -> ModuleData:
    """The first `count` modules (`--quickTrain`)."""
    return modules.select(slice(0, count))


def split(
    modules: ModuleData, validation_fraction: float = 0.2, seed: int = 0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows for training and for validation, each sorted, drawn at random with `seed`.

    Modules of one event stay on one side where the event is known.  Events are drawn for the
    validation side while they fit within `validation_fraction` of the modules; one more is added
    where that comes nearer to it.  Both sides get at least one event.

    Raises:
        InputError: fewer than two modules, or all modules from one event.
    """
    if not 0 < validation_fraction < 1:
        raise InputError(f"the validation fraction must be within 0 and 1: {validation_fraction}")
    if modules.event is None:
        group = np.arange(len(modules))
    else:
        group = np.unique(modules.event, return_inverse=True)[1]
    groups = int(group.max()) + 1 if len(group) else 0
    if groups < 2:
        what = "modules" if modules.event is None else "events"
        raise InputError(f"{groups} {what} cannot be split for training and validation; give more")
    order = np.random.default_rng(seed).permutation(groups)
    sizes = np.bincount(group, minlength=groups)[order]
    wanted = min(max(round(len(modules) * validation_fraction), 1), len(modules) - 1)
    chosen = np.zeros(groups, dtype=bool)
    chosen[order[_fitting(sizes, wanted)]] = True
    in_validation = chosen[group]
    return np.flatnonzero(~in_validation), np.flatnonzero(in_validation)


def _fitting(sizes: npt.NDArray[np.int64], wanted: int) -> npt.NDArray[np.bool_]:
    """Which of two or more groups to take, in their order, for about `wanted` modules in all."""
    taken = np.cumsum(sizes) <= wanted
    missing = wanted - int(sizes[taken].sum())
    for place in range(np.count_nonzero(taken), len(sizes)):
        if not missing:
            break
        if sizes[place] <= missing:
            taken[place] = True
            missing -= int(sizes[place])
    left = np.flatnonzero(~taken)
    smallest = left[np.argmin(sizes[left])]
    excess = int(sizes[smallest]) - missing
    if not taken.any() or (excess < missing and len(left) > 1):
        taken[smallest] = True
    return taken
