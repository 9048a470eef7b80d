"""What the best mixture of algorithms would give: worked examples of four modules."""

import numpy as np
import pytest

from flows.evaluation.baselines import Baseline
from flows.evaluation.mixture import mixture_metrics
from flows.evaluation.quality_metrics import Coordinates

OCCUPANCY = np.array([0, 1, 20, 20])
WHERE = Coordinates(OCCUPANCY, np.array([2.0, 2.0, 2.0, 200.0]), np.zeros(4, dtype=bool))
OWN = np.array([1.0, 1.0, 0.5, 0.3])


def other(*emd: float, bits: int = 100, form: str = "chip") -> Baseline:
    values = {"emd": np.array(emd, dtype=np.float32)}
    return Baseline("stc4", form, values, np.full(len(emd), bits) if form == "chip" else None)


def values(*others: Baseline, own_bits: float | None = 158, where: Coordinates = WHERE):
    found = mixture_metrics(OWN, own_bits, others, where, 160)
    return {metric.name.removeprefix("mixture."): metric.value for metric in found}


def test_each_bin_goes_to_its_best_algorithm():
    found = values(other(0.2, 0.4, 0.4, 0.8))
    # occupancies 0 and 1: the other (0.3 in the mean); 20: the autoencoder (0.4 against 0.6)
    assert found["occupancy.emd.mean"] == pytest.approx((0.2 + 0.4 + 0.5 + 0.3) / 4)
    assert found["occupancy.autoencoder"] == 0.5
    # charges of 2: the other (1/3 against 0.83); of 200: the autoencoder
    assert found["charge.emd.mean"] == pytest.approx((0.2 + 0.4 + 0.4 + 0.3) / 4)
    assert found["charge.autoencoder"] == 0.25
    assert found["module.emd.mean"] == pytest.approx((0.2 + 0.4 + 0.4 + 0.3) / 4)


def test_what_is_not_sent_or_has_too_many_bits_has_no_part():
    better = (0.0, 0.0, 0.0, 0.0)
    found = values(other(*better, form="ideal"), other(*better, bits=161))
    assert found["module.emd.mean"] == pytest.approx(OWN.mean())
    assert found["occupancy.autoencoder"] == 1.0


def test_an_algorithm_that_leaves_modules_empty_wins_no_bin_but_single_modules():
    found = values(other(0.1, np.nan, 0.1, 0.1))
    assert found["occupancy.emd.mean"] == pytest.approx((1.0 + 1.0 + 0.1 + 0.1) / 4)
    assert found["module.emd.mean"] == pytest.approx((0.1 + 1.0 + 0.1 + 0.1) / 4)


def test_empty_modules_do_not_count():
    where = Coordinates(OCCUPANCY, WHERE.charge, np.array([True, False, False, False]))
    found = values(other(np.nan, 0.4, 0.4, 0.8), where=where)
    assert found["module.emd.mean"] == pytest.approx((0.4 + 0.4 + 0.3) / 3)


@pytest.mark.parametrize("bits", [None, 161])
def test_an_autoencoder_that_cannot_be_sent_has_no_mixture(bits: float | None):
    found = mixture_metrics(OWN, bits, [other(0.1, 0.1, 0.1, 0.1)], WHERE, 160)
    assert all(metric.value is None and "do not fit" in metric.reason for metric in found)
