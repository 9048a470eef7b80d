"""Newly generated modules for each epoch of a training."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from models.data.dataset import ModuleData
from models.data.generator import generate_modules

_STREAM = 0x45504F43  # sets these seeds apart from others that are made of a seed and a number


def modules_of_epochs(count: int, seed: int, epochs: int) -> Callable[[int], ModuleData]:
    """A function that gives `count` modules for an epoch, counted from 0.

    They are a function of `seed` and epoch alone, so that a training can be resumed.  The next
    epoch's are made while this one trains: numpy and TensorFlow both leave the interpreter free.
    """
    maker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="generator")
    ahead: dict[int, Future[ModuleData]] = {}

    def start(epoch: int) -> Future[ModuleData]:
        return maker.submit(generate_modules, count, seed_of_epoch(seed, epoch))

    def of_epoch(epoch: int) -> ModuleData:
        wanted = ahead.pop(epoch, None) or start(epoch)
        if epoch + 1 < epochs:
            ahead[epoch + 1] = start(epoch + 1)
        return wanted.result()

    return of_epoch


def seed_of_epoch(seed: int, epoch: int) -> int:
    """A generator's seed of 64 random bits, which no user's seed equals but by chance."""
    return int(np.random.SeedSequence((_STREAM, seed, epoch)).generate_state(1, np.uint64)[0])
