"""Hardware targets: the ones that come along, and what a faulty file is told."""

from pathlib import Path

import pytest

from hw.foundation.errors import InputError
from hw.targets.target import Budget, load_target, target_names

GOOD = """\
description: a test target
backend: Vitis
part: xc7z020clg400-1
clock_period_ns: 5
"""


def write(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    return str(file)


def test_targets_that_come_along() -> None:
    assert {"econ_t", "vitis", "xc7z020"} <= set(target_names())
    for name in target_names():
        target = load_target(name)
        assert target.name == name
        assert target.technology
        assert target.budgets["csim.mismatches"].max == 0


def test_the_econ_t_target_is_the_chip() -> None:
    target = load_target("econ_t")
    assert (target.backend, target.clock_period_ns, target.io_type, target.reuse_factor) == (
        *("Catapult", 25.0, "io_parallel", 1),
    )
    assert target.asic_library
    assert target.part is None


def test_a_path_to_a_yaml_file_is_a_target_named_by_its_stem(tmp_path: Path) -> None:
    target = load_target(write(tmp_path, GOOD))
    assert target.name == "mine"
    assert target.clock_period_ns == 5.0
    assert target.strategy == "Latency"
    assert target.budgets == {}


def test_a_mistyped_target_gets_a_suggestion() -> None:
    with pytest.raises(InputError, match="did you mean 'econ_t'"):
        load_target("econt_t")
    with pytest.raises(InputError, match=r"known: econ_t.*xc7z020"):
        load_target("q")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read"):
        load_target(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "reuse_facter: 2\n", r"mine.yaml:5: unknown key 'reuse_facter'; did you mean 'reu"),
        (GOOD + "name: other\n", r"mine.yaml:5: unknown key 'name'"),
        (GOOD.replace("Vitis", "Vitus"), r"mine.yaml:2: key 'backend'"),
        (GOOD.replace("part: xc7z020clg400-1\n", ""), r"either 'part' .* or 'asic_library'"),
        (GOOD + "asic_library: x\n", r"either 'part' .* or 'asic_library'"),
        (GOOD.replace("part:", "asic_library:"), "needs backend Catapult, not Vitis"),
        (GOOD.replace("5", "0"), "clock_period_ns"),
        (GOOD + "reuse_factor: 0\n", "mine.yaml:5: key 'reuse_factor'"),
        (GOOD + "reuse_factor: two\n", "mine.yaml:5: key 'reuse_factor'"),
        (GOOD + "budgets:\n  ii.cycles: {mx: 1}\n", "did you mean 'max'"),
        (GOOD + "budgets:\n  ii.cycles: {}\n", "needs 'max', 'min' or both"),
        (GOOD + "budgets:\n  ii.cycles: {min: 2, max: 1}\n", "'min' 2 exceeds 'max' 1"),
        ("- a list\n", "expected a mapping"),
        (GOOD.replace("description: a test target\n", ""), "'description' is missing"),
    ],
)
def test_a_faulty_file_is_told_where(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_target(write(tmp_path, text))


def test_bounds_of_a_budget_are_included() -> None:
    assert Budget(max=50.0).holds(50.0)
    assert not Budget(max=50.0).holds(50.1)
    assert Budget(min=1.0, max=2.0).holds(1.0)
    assert not Budget(min=1.0).holds(0.9)
