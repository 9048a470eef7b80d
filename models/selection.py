"""Which modules a training sees: the reference's selections, and a split that respects events."""

import numpy as np
import numpy.typing as npt

from hw.errors import InputError
from models.dataset import ModuleData

FULL_MODULE_TYPES = ("FI", "FM", "FO")  # full inner, middle, outer; all others are partial


def drop_empty(modules: ModuleData) -> ModuleData:
    """Without the modules whose charges sum to zero."""
    return modules.select(modules.calq.any(axis=1))


def mask_partials(modules: ModuleData) -> ModuleData:
    """Full modules only (`--maskPartials`).

    Raises:
        InputError: the data has no column ModType.
    """
    kinds = _column(modules, "ModType", "--maskPartials")
    return modules.select(np.isin(kinds, FULL_MODULE_TYPES))


def mask_energies(modules: ModuleData, minimum: float = 0.05) -> ModuleData:
    """Modules whose SimEnergyFraction is above `minimum` (`--maskEnergies`).

    Raises:
        InputError: the data has no column SimEnergyFraction.
    """
    return modules.select(_column(modules, "SimEnergyFraction", "--maskEnergies") > minimum)


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

    Modules of one event stay on one side where the event is known.  The validation side gets
    events until it holds at least `validation_fraction` of the modules.

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
    held = np.cumsum(np.bincount(group, minlength=groups)[order])
    wanted = round(len(modules) * validation_fraction)
    taken = min(int(np.searchsorted(held, wanted)) + 1, groups - 1)
    chosen = np.zeros(groups, dtype=bool)
    chosen[order[:taken]] = True
    in_validation = chosen[group]
    return np.flatnonzero(~in_validation), np.flatnonzero(in_validation)
