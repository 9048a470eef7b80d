"""Time of an epoch in the ECON-T's arithmetic against the same network as plain QKeras layers.

Both train in this process on the same generated modules with the same loss, by turns.
"""

import argparse
import sys

import numpy as np

from models.data.generator import generate_modules
from models.data.normalisation import normalise

LARGEST_RATIO = 3.0
_MODELS = ("econ_t", "econ_t_plain")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.exact_training",
        description=__doc__.split("\n", maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--modules", type=int, default=100_000, help="modules in an epoch")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each model")
    parser.add_argument("--epochs", type=int, default=3, help="epochs in a turn; fastest counts")
    parser.add_argument("--seed", type=int, default=1, help="seed of modules and weights")
    arguments = parser.parse_args(argv)

    calq = generate_modules(arguments.modules, arguments.seed).calq
    seconds: dict[str, list[float]] = {name: [] for name in _MODELS}
    for _ in range(arguments.rounds):
        for name in _MODELS:
            seconds[name].append(_fastest_epoch(name, calq, arguments.epochs, arguments.seed))
    exact, plain = (min(seconds[name]) for name in _MODELS)
    ratio = exact / plain
    print(
        f"epoch of {len(calq)} modules: {exact:.2f} s in the chip's arithmetic, {plain:.2f} s "
        f"plain; ratio {ratio:.2f} (at most {LARGEST_RATIO:g})"
    )
    return 0 if ratio <= LARGEST_RATIO else 1


def _fastest_epoch(name: str, calq: np.ndarray, epochs: int, seed: int) -> float:
    """Seconds of the fastest epoch; the first one, in which TensorFlow compiles, is not counted."""
    from models.networks.encoder import build_networks
    from models.networks.zoo import load_model_spec
    from models.training.losses import get_loss
    from models.training.training import TrainingSettings, make_reproducible, train

    spec = load_model_spec(name)
    images = spec.image.to_images(normalise(calq)[0]).astype(np.float32)
    make_reproducible(seed)
    networks = build_networks(spec)
    history = train(
        networks.autoencoder,
        get_loss(spec.loss, spec.arrangement),
        images,
        images[:1000],
        TrainingSettings(
            seed, 1 + epochs, learning_rate=spec.learning_rate, schedule=spec.schedule
        ),
    )
    return min(epoch.seconds for epoch in history.epochs[1:])


if __name__ == "__main__":
    sys.exit(main())
