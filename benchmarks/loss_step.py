"""Time of a training step with the Sinkhorn divergence against one with the telescope loss.

Both train the flagship's networks in this process on the same generated modules, by turns.
"""

import argparse
import sys
import time
from typing import Any

import numpy as np

from models.data.generator import generate_modules
from models.data.normalisation import normalise

LARGEST_RATIO = 3.0
_MODEL = "econ_t"
_LOSSES = ("telescopeMSE", "sinkhorn_divergence:1", "sinkhorn_divergence")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loss_step",
        description=__doc__.split("\n", maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--batch", type=int, default=500, help="modules in a step")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each loss")
    parser.add_argument("--steps", type=int, default=30, help="steps in a turn; fastest counts")
    parser.add_argument("--seed", type=int, default=1, help="seed of modules and weights")
    arguments = parser.parse_args(argv)

    calq = generate_modules(arguments.batch, arguments.seed).calq
    steps = {loss: _compiled_step(loss, calq, arguments.seed) for loss in _LOSSES}
    fastest = dict.fromkeys(_LOSSES, np.inf)
    for _ in range(arguments.rounds):
        for loss, step in steps.items():
            for _ in range(arguments.steps):
                start = time.perf_counter()
                step()
                fastest[loss] = min(fastest[loss], time.perf_counter() - start)
    reference = fastest[_LOSSES[0]]
    ratios = {loss: fastest[loss] / reference for loss in _LOSSES[1:]}
    print(f"step of {len(calq)} modules with {_LOSSES[0]}: {1e3 * reference:.1f} ms")
    for loss, ratio in ratios.items():
        print(
            f"with {loss}: {1e3 * fastest[loss]:.1f} ms; ratio {ratio:.2f} "
            f"(at most {LARGEST_RATIO:g})"
        )
    return 0 if max(ratios.values()) <= LARGEST_RATIO else 1


def _compiled_step(loss: str, calq: np.ndarray, seed: int) -> Any:
    """A function that makes one training step on `calq` and returns its loss."""
    from models.keras_backend import keras, tf
    from models.networks.encoder import build_networks
    from models.networks.zoo import load_model_spec
    from models.training.losses import get_loss

    spec = load_model_spec(_MODEL)
    images = tf.constant(spec.image.to_images(normalise(calq)[0]).astype(np.float32))
    keras.utils.set_random_seed(seed)
    network = build_networks(spec).autoencoder
    network.compile(optimizer="adam", loss=get_loss(loss, spec.arrangement))
    network.optimizer.build(network.trainable_variables)
    compiled = tf.function(lambda: network.train_step((images, images))["loss"])
    return lambda: float(compiled())


if __name__ == "__main__":
    sys.exit(main())
