"""Training of an autoencoder: seeded, resumable after every epoch, the same result on each run.

The order of the modules in epoch e is a function of (seed, e) alone, and the networks draw no
random numbers while they train; so weights and optimiser state at the end of an epoch are all that
a resumed training needs to give the weights of an uninterrupted one.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hw.foundation.arrays import read_arrays
from hw.foundation.atomic_file import atomic_path
from hw.foundation.errors import CheckFailed, InputError
from hw.foundation.strict_config import StrictRecord
from models.keras_backend import keras, tf
from models.networks.cheaper_weights import LogicCost, Pruning
from models.training.logic_cost import AdderCost
from models.training.pruning import Masks

# Batches in one call of the compiled loop: about a second of work, so that an interruption is
# noticed soon, and enough to hide Python's share (8 % less time than one call a batch).
_BATCHES_PER_CALL = 64
_STEPS_WORTH_FUSING = 100

Images = npt.NDArray[np.float32]
Schedule = Literal["constant", "cosine"]
Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        seed: of the initial weights (through `make_reproducible`) and of the order of modules.
        epochs: passes over the training modules, at most.
        batch: modules in one step of the optimiser.
        patience: epochs without a lower validation loss before training ends.
        optimizer: a Keras optimizer by name.
        learning_rate: of the optimizer; its own default where None.
        schedule: `constant`, or `cosine`: the rate falls along half a period of the cosine, to
            nearly 0 at the end of the last of `epochs`.
        fused: let XLA compile the steps: on a CPU less than half the time where layers and loss
            are many small operations, none gained where convolutions take it.
        pruning: of the weights of the encoder that is given to `train`; None for none.
        logic_cost: what that encoder's adders cost in the loss; None for nothing.
    """

    seed: int
    epochs: int
    batch: int = 500
    patience: int = 30
    optimizer: str = "adam"
    learning_rate: float | None = None
    schedule: Schedule = "constant"
    fused: bool = False
    pruning: Pruning | None = None
    logic_cost: LogicCost | None = None

    @property
    def gradual(self) -> tuple[Pruning | LogicCost, ...]:
        """What comes by and by."""
        return tuple(part for part in (self.pruning, self.logic_cost) if part)

    @property
    def first_settled(self) -> int:
        """Number (from 0) of the first epoch that can be the best."""
        return max((part.first_settled(self.epochs) for part in self.gradual), default=0)

    def rate_factor(self, epochs: float) -> float:
        """What the learning rate is multiplied by after so many epochs, parts of one included."""
        if self.schedule == "constant":
            return 1.0
        return (1.0 + math.cos(math.pi * epochs / self.epochs)) / 2.0


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave: mean losses over the training and validation modules, and its time."""

    loss: float
    val_loss: float
    seconds: float


@dataclass(frozen=True)
class History:
    """All epochs of a training, those before an interruption included.

    Attributes:
        epochs: in their order.
        settled: number of the first one (from 0) that can be the best: the network has its final
            form from there on.
    """

    epochs: tuple[Epoch, ...] = ()
    settled: int = 0

    @property
    def best(self) -> int:
        """Index of the first settled epoch with the lowest validation loss, whose weights are kept;
        of the last epoch where none is settled."""
        last = len(self.epochs) - 1
        settled = range(min(self.settled, last), last + 1)
        return min(settled, key=lambda index: self.epochs[index].val_loss)

    @property
    def seconds(self) -> float:
        return sum(epoch.seconds for epoch in self.epochs)

    def ended(self, settings: TrainingSettings) -> bool:
        """True if all epochs are done or the validation loss has not fallen for too long."""
        done = len(self.epochs)
        return done >= settings.epochs or (done > 0 and done - 1 - self.best >= settings.patience)

    def to_json(self) -> dict[str, Any]:
        """Curves by name, as Keras keeps them, and the number of the best epoch (from 1)."""
        curves = {
            field.name: [getattr(epoch, field.name) for epoch in self.epochs]
            for field in fields(Epoch)
        }
        return {**curves, "best_epoch": self.best + 1}


@dataclass(frozen=True)
class Sample:
    """Modules to train on.

    Attributes:
        images: what the network reads, shape (n, *image).
        targets: what it shall give for them; None for the images themselves.
        weights: importance of each module in the loss, shape (n,); None for equal ones.
    """

    images: Images
    targets: Images | None = None
    weights: npt.NDArray[np.float32] | None = None


def worth_fusing(modules: int, batch: int) -> bool:
    """Whether an epoch has steps enough to repay their compilation by XLA, some ten seconds."""
    return modules >= _STEPS_WORTH_FUSING * batch


def make_reproducible(seed: int) -> None:
    """Make what follows in this process depend on `seed` alone: call before building networks."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def train(
    network: Any,
    loss: Loss,
    images: Images,
    validation_images: Images,
    settings: TrainingSettings,
    *,
    targets: tuple[Images, Images] | None = None,
    weights: npt.NDArray[np.float32] | None = None,
    fresh: Callable[[int], Sample] | None = None,
    encoder: Any = None,
    checkpoint: Path | None = None,
    identity: str = "",
    on_progress: Callable[[History], None] = lambda history: None,
) -> History:
    """Train `network` to give back its input, or `targets`; it ends with its best epoch's weights.

    Args:
        network: Keras model, mostly an autoencoder; its weights are changed.
        loss: `loss(targets, outputs)` of shape (n,), as of `models.training.losses.get_loss`.
        images: training images, shape (n, *image).
        validation_images: shape (m, *image); their mean loss decides which epoch is the best.
        targets: what the network shall give for the training images and for the validation
            images; None for the images themselves.
        weights: importance of each training module in the loss, shape (n,); None for equal ones.
        fresh: gives the modules of each epoch, counted from 0, in place of those given here:
            always the same ones for the same epoch.
        encoder: the network, within `network`, whose weights are pruned and cost logic, where the
            settings say so.
        checkpoint: file written after every epoch; where it exists and carries the same `identity`
            and settings (but for `epochs`, with a constant rate), training goes on from it.
        identity: names all else that must be equal for going on: model, data, loss, selection.
        on_progress: called with the history at the start (empty, or that of the checkpoint) and
            after each epoch, its checkpoint already written.

    Raises:
        InputError: no training or validation modules; an unknown optimizer; a checkpoint that
            cannot be read or is of more epochs than asked for.
        CheckFailed: the loss is no longer a finite number.
    """
    for name, part in (("training", images), ("validation", validation_images)):
        if not len(part):
            raise InputError(f"there are no {name} modules; give more data or a weaker selection")
    optimizer = _optimizer(settings)
    network.compile(optimizer=optimizer, loss=loss)
    optimizer.build(network.trainable_variables)
    masks = Masks(encoder.layers, settings.pruning) if settings.pruning else None
    adders = AdderCost(encoder, settings.logic_cost) if settings.logic_cost else None
    step = network.train_step if adders is None else adders.in_step(network)
    train_pass = _compiled_pass(network, _masked(step, masks), settings)
    test_pass = _compiled_pass(network, network.test_step, settings)
    variables = [*network.variables, *optimizer.variables]
    # the number of epochs decides nothing but when to end, unless what changes depends on it
    endless = settings.schedule == "constant" and not settings.gradual
    same = replace(settings, epochs=0) if endless else settings
    key = json.dumps([identity, asdict(same), len(images)], default=StrictRecord.model_dump)
    learning_rate = float(optimizer.learning_rate)

    history, best = _load(checkpoint, key, variables) if checkpoint else (History(), [])
    history = replace(history, settled=settings.first_settled)
    if len(history.epochs) > settings.epochs:
        raise InputError(
            f"{checkpoint}: this training has come to epoch {len(history.epochs)} already; ask for "
            "as many epochs or more, or delete this checkpoint to train afresh"
        )
    expected, validation_expected = targets or (images, validation_images)
    validation_weights = np.ones(len(validation_images), dtype=np.float32)
    on_progress(history)
    while not history.ended(settings):
        start = time.perf_counter()
        number = len(history.epochs)

        def set_rate(part: float, epoch: int = number) -> None:
            optimizer.learning_rate = learning_rate * settings.rate_factor(epoch + part)

        if masks and settings.pruning:
            masks.shrink(settings.pruning.progress(number, settings.epochs))
        if adders and settings.logic_cost:
            adders.strengthen(settings.logic_cost.progress(number, settings.epochs))
        if fresh:
            sample = fresh(number)
            images, weights = sample.images, sample.weights
            expected = images if sample.targets is None else sample.targets
        if weights is None:
            weights = np.ones(len(images), dtype=np.float32)
        order = np.random.default_rng((settings.seed, number)).permutation(len(images))
        loss_value = train_pass(images, expected, weights, order, set_rate)
        val_loss = test_pass(validation_images, validation_expected, validation_weights)
        for name, value in (("loss", loss_value), ("validation loss", val_loss)):
            if not math.isfinite(value):
                raise CheckFailed(
                    f"training diverged: the {name} is {value} in epoch {number + 1}; set a lower "
                    "learning_rate in the model's YAML file, or choose another loss"
                )
        epoch = Epoch(loss_value, val_loss, time.perf_counter() - start)
        history = replace(history, epochs=(*history.epochs, epoch))
        if history.best == number:
            best = network.get_weights()
        if checkpoint:
            _save(checkpoint, key, history, variables, best)
        on_progress(history)
    network.set_weights(best)
    return history


def constant_latents(latents: npt.NDArray) -> int:
    """Number of latents, of shape (n, latents), that have one value for all modules: they carry
    no information (dead where that value is 0)."""
    return int(np.count_nonzero(latents.min(axis=0) == latents.max(axis=0)))


def occupancy_weights(occupancy: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Weights, shape (n,) and mean 1, under which each occupancy counts as much as any other.

    Args:
        occupancy: number of hit trigger cells of each module, shape (n,).
    """
    counts = np.bincount(occupancy)
    return (len(occupancy) / (np.count_nonzero(counts) * counts[occupancy])).astype(np.float32)


def _optimizer(settings: TrainingSettings) -> Any:
    try:
        optimizer = keras.optimizers.get(settings.optimizer)
    except ValueError as error:
        raise InputError(
            f"optimizer '{settings.optimizer}' is unknown to Keras; 'adam' is the usual one"
        ) from error
    if settings.learning_rate is not None:
        optimizer.learning_rate = settings.learning_rate
    return optimizer


def _masked(step: Callable[[Any], Any], masks: Masks | None) -> Callable[[Any], Any]:
    """The training step, after which pruned weights are 0 again."""
    if masks is None:
        return step

    def masked_step(data: Any) -> Any:
        found = step(data)
        masks.apply()
        return found

    return masked_step


def _compiled_pass(
    model: Any, step: Callable[[Any], Any], settings: TrainingSettings
) -> Callable[..., float]:
    """A function that runs Keras's `step` on all batches and returns the mean loss over modules.

    It takes images, targets, weights, the order in which to go through them (None: as they are),
    and what is called with the part of the modules done before each part; it returns at once when
    the loss is no longer a finite number.
    """
    batch = settings.batch
    if settings.fused:
        step = tf.function(step, jit_compile=True)  # compiled once for each size of batch

    @tf.function(reduce_retracing=True)
    def run(images: Any, targets: Any, weights: Any) -> None:
        for index in tf.range(tf.shape(images)[0]):
            step((images[index], targets[index], weights[index]))

    def all_batches(
        images: Images,
        targets: Images,
        weights: npt.NDArray,
        order: npt.NDArray | None = None,
        before_part: Callable[[float], None] = lambda part: None,
    ) -> float:
        model.reset_metrics()
        full = len(images) // batch * batch
        edges = [*range(0, full, batch * _BATCHES_PER_CALL), full, len(images)]
        for first, end in pairwise(edges):
            if first == end:
                continue
            before_part(first / len(images))
            rows = slice(first, end) if order is None else order[first:end]
            size = min(batch, end - first)
            arrays = (images, weights) if targets is images else (images, weights, targets)
            batches = [tf.constant(a[rows].reshape(-1, size, *a.shape[1:])) for a in arrays]
            run(batches[0], batches[0] if targets is images else batches[2], batches[1])
            mean = float(next(x for x in model.metrics if x.name == "loss").result())
            if not math.isfinite(mean):
                break
        return mean

    return all_batches


def _save(
    file: Path, key: str, history: History, variables: list[Any], best: list[npt.NDArray]
) -> None:
    state = json.dumps({"key": key, "epochs": [asdict(epoch) for epoch in history.epochs]})
    arrays: dict[str, Any] = {"state": np.array(state)}
    arrays |= {f"variable_{index}": np.asarray(value) for index, value in enumerate(variables)}
    arrays |= {f"best_{index}": value for index, value in enumerate(best)}
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def _load(file: Path, key: str, variables: list[Any]) -> tuple[History, list[npt.NDArray]]:
    """Read a checkpoint into `variables`; an empty history where there is none of this `key`."""
    if not file.exists():
        return History(), []
    remedy = "delete it to train afresh"
    content = read_arrays(file, required=("state",), remedy=remedy)
    try:
        state = json.loads(str(content["state"]))
        if state["key"] != key:
            return History(), []
        history = History(tuple(Epoch(**epoch) for epoch in state["epochs"]))
        values = [content[f"variable_{index}"] for index in range(len(variables))]
        names = [name for name in content if name.startswith("best_")]
        best = [content[f"best_{index}"] for index in range(len(names))]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file}: not a checkpoint of this training ({error}); {remedy}"
        ) from error
    for variable, value in zip(variables, values, strict=True):
        if variable.shape != value.shape:
            raise InputError(
                f"{file}: a weight has shape {value.shape}, the model needs {variable.shape}; "
                "delete this checkpoint to train afresh"
            )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return history, best
