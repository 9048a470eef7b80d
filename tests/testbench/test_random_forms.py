"""Random networks agree in all their forms, and a form that is wrong is caught."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hw.foundation.errors import InputError
from hw.foundation.integer_network import IntegerNetwork, WeightedSum
from tests import random_forms
from tests.random_forms import Outcome, all_forms, main, outcomes_in

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
ALL_FORMS = ("Keras", "C++", "Verilog")
OF_SUMS = 3  # number of a network with weighted sums that its outputs depend on


@pytest.mark.slow
@needs_compiler
@settings(deadline=None, max_examples=4, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 2**31 - 1))
def test_random_networks_agree_in_all_forms(number: int) -> None:
    outcome = all_forms(number)
    assert outcome.verdict in ("agreed", "refused"), outcome.reason
    if outcome.verdict == "agreed":
        assert outcome.compared == ALL_FORMS


def with_other_weights(network: IntegerNetwork) -> IntegerNetwork:
    """The same but for the lowest bit of each weight."""
    operations = [
        replace(o, kernel=replace(o.kernel, codes=o.kernel.codes ^ 1))
        if isinstance(o, WeightedSum)
        else o
        for o in network.operations
    ]
    return replace(network, operations=tuple(operations))


@pytest.mark.slow
@needs_compiler
def test_wrong_forms_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("convert", "network_logic"):
        right = getattr(random_forms, name)

        def wrong(network: IntegerNetwork, *rest: Any, right: Any = right, **more: Any) -> Any:
            return right(with_other_weights(network), *rest, **more)

        monkeypatch.setattr(random_forms, name, wrong)
    outcome = all_forms(OF_SUMS)
    assert outcome.verdict == "differed"
    assert "C++: " in outcome.reason and "Verilog: " in outcome.reason
    assert "first difference: vector" in outcome.reason


def of_number(number: int) -> Outcome:
    verdict, reason = "agreed", ""
    if number == 1:
        verdict, reason = "refused", "layer 'x': quotients by 9; use 8"
    return Outcome(number=number, target="vitis", verdict=verdict, reason=reason)  # type: ignore[arg-type]


def test_an_interrupted_run_goes_on_and_a_defect_is_its_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[int] = []

    def try_all(numbers: Any, workers: int) -> Any:
        for number in numbers:
            tried.append(number)
            yield of_number(number)

    monkeypatch.setattr(random_forms, "try_all", try_all)
    results = tmp_path / "new" / "results.jsonl"
    words = ["--results", str(results), "--networks"]
    assert main([*words, "2"]) == 0
    with results.open("a") as file:
        file.write('{"number": 2, "targ')  # cut off
    assert main([*words, "4"]) == 0
    assert tried == [0, 1, 2, 3]
    assert list(outcomes_in(results)) == tried
    told = capsys.readouterr().out
    assert "4 networks: 3 agreed, 1 refused, 0 differed, 0 failed" in told
    assert "refused 1: layer '...': quotients by N; use N" in told
    failed = Outcome(number=4, target="econ_t", verdict="failed", reason="it broke")
    with results.open("a") as file:
        file.write(failed.model_dump_json() + "\n")
    assert main([*words, "5"]) == 1
    assert "network 4 (econ_t) failed: it broke" in capsys.readouterr().out
    results.write_text("no outcome\n")
    with pytest.raises(InputError, match=r"results\.jsonl: line 1 is no outcome"):
        outcomes_in(results)


def test_whatever_breaks_is_told_as_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(number: int) -> Any:
        raise KeyError("a layer")

    monkeypatch.setattr(random_forms, "random_network", broken)
    outcome = all_forms(7)
    assert (outcome.verdict, outcome.target) == ("failed", "vitis")
    assert outcome.reason == "KeyError: 'a layer'"
