"""A target, with budgets that name metrics of this project."""

from hw.foundation.errors import InputError
from hw.foundation.strict_config import did_you_mean, read_yaml
from hw.targets.target import Target, load_target, target_file
from reports.catalogue import find_row, known_names


def judged_target(name: str) -> Target:
    """The target of that name, or of the YAML file at that path.

    Raises:
        InputError: no such target, a faulty file, or a budget of a metric that nothing measures,
            which would never be judged.
    """
    target = load_target(name)
    unknown = [metric for metric in target.budgets if find_row(metric) is None]
    if unknown:
        file = target_file(name)
        line = read_yaml(file)[1].get(("budgets", unknown[0]), 1)
        raise InputError(
            f"{file}:{line}: budgets: nothing measures '{unknown[0]}'; "
            f"{did_you_mean(unknown[0], known_names())}"
        )
    return target
