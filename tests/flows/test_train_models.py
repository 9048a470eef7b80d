"""Training as another module calls it: a typed request, a record that is in no zoo."""

from dataclasses import replace

import numpy as np
import pytest

from flows.artefacts.settings import read_settings
from flows.layout import model_layout
from flows.training.train_models import TrainingRequest, make_model, read_modules
from models.networks.zoo import Convolution, ModelSpec


@pytest.fixture(scope="module")
def request_of_one_epoch(tmp_path_factory: pytest.TempPathFactory) -> TrainingRequest:
    folder = tmp_path_factory.mktemp("search")
    calq = np.floor(np.random.default_rng(0).exponential(20, (200, 48)))
    np.savetxt(folder / "modules.csv", calq, fmt="%d", delimiter=",")
    return TrainingRequest(folder / "build", folder / "modules.csv", epochs=1, batch=50, seed=3)


def test_a_record_in_memory_is_trained_and_found_trained(
    request_of_one_epoch: TrainingRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    request = request_of_one_epoch
    spec = ModelSpec(
        name="candidate_1",
        label="candidate",
        arrangement="4x4x3",
        convolutions=(Convolution(filters=2, kernel=3),),
        latent=3,
        loss="mse",
    )
    modules = read_modules(request)
    figures = {metric.name: metric.value for metric in make_model(request, spec, modules)}
    assert figures["train.epochs"] == 1
    assert figures["train.modules"] == 160
    assert figures["validation.modules"] == 40
    settings = read_settings(model_layout(request.build, spec.name))
    assert settings is not None and settings.model == spec and settings.seed == 3
    capsys.readouterr()
    again = {metric.name: metric.value for metric in make_model(request, spec, modules)}
    assert "trained already" in capsys.readouterr().out
    assert again == figures
    make_model(replace(request, seed=4), spec, modules)
    assert "was trained with other settings: seed 3 -> 4" in capsys.readouterr().out
