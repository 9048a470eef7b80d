"""YAML into strict records: every fault is told with its file, line, key and a suggestion."""

from typing import Annotated

import pytest
from pydantic import Field, model_validator

from hw.foundation.errors import InputError
from hw.foundation.strict_config import StrictRecord, did_you_mean, load_record


class Inner(StrictRecord):
    weight: int
    padding: str = "same"


class Outer(StrictRecord):
    label: str
    rate: Annotated[float, Field(gt=0)] = 1.0
    inner: Inner | None = None
    steps: list[Inner] = []  # noqa: RUF012, pydantic copies defaults
    budgets: dict[str, Inner] = {}  # noqa: RUF012

    @model_validator(mode="after")
    def _sense(self):
        if self.label == "nonsense":
            raise ValueError("label: no nonsense")
        return self


@pytest.fixture
def load(tmp_path):
    def load_text(text: str | bytes):
        file = tmp_path / "x.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_record(file, Outer)

    return load_text


def test_values_and_nesting(load):
    record = load("label: a\nrate: 2\ninner: {weight: 1}\nsteps:\n  - weight: 2\n")
    assert record == Outer(label="a", rate=2, inner=Inner(weight=1), steps=[Inner(weight=2)])


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "1.0e-3", "0.001"])
def test_numbers_with_an_exponent_need_no_point(load, number):
    assert load(f"label: a\nrate: {number}\n").rate == 0.001


def test_version_numbers_stay_texts(load):
    assert load("label: 1e\n").label == "1e"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("label: a\nlabell: b\n", [":2:", "'labell'", "did you mean 'label'?"]),
        ("label: a\ninner:\n  weight: 1\n  pading: x\n", [":4:", "'inner.pading'", "'padding'?"]),
        ("label: a\nsteps:\n  - weight: 1\n  - wieght: 1\n", [":4:", "steps.1", "'weight'?"]),
        ("label: a\nbudgets:\n  lut: {wieght: 1}\n", [":3:", "budgets.lut.wieght", "'weight'?"]),
        ("rate: 1.0\n", [":1:", "'label' is missing"]),
        ("label: a\ninner: {}\n", [":2:", "'inner.weight' is missing"]),
        ("label: a\ninner: {weight: '1'}\n", [":2:", "'inner.weight'", "integer", "'1'"]),
        ("label: 5\n", [":1:", "'label'", "string", "5"]),
        ("label: a\nrate: -1\n", [":2:", "'rate'", "greater than 0", "-1"]),
        ("label: a\nlabel: b\n", [":2:", "'label' is given twice"]),
        ("label: nonsense\n", ["label: no nonsense"]),
        ("- label\n", ["mapping"]),
        ("", ["mapping"]),
        ("label: [\n", ["not valid YAML"]),
        ("? [a, b]\n: c\n", [":1:", "plain word"]),
        (b"label: \xff\xfe\n", ["UTF-8"]),
        ("label: !!python/object/apply:os.getcwd []\n", ["not valid YAML"]),
    ],
)
def test_faults_are_located(load, tmp_path, text, parts):
    with pytest.raises(InputError) as caught:
        load(text)
    assert str(tmp_path / "x.yaml") in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_all_faults_are_told_at_once(load):
    with pytest.raises(InputError) as caught:
        load("labl: a\nrat: 2\n")
    assert all(word in str(caught.value) for word in ("'labl'", "'rat'", "'label' is missing"))


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"absent\.yaml: cannot be read"):
        load_record(tmp_path / "absent.yaml", Outer)


def test_records_are_immutable():
    with pytest.raises(ValueError, match="frozen"):
        Inner(weight=1).weight = 2


def test_suggestion_or_list():
    assert did_you_mean("econt", ["econ_t", "vitis"]) == "did you mean 'econ_t'?"
    assert did_you_mean("zzz", ["econ_t", "vitis"]) == "known: econ_t, vitis"
