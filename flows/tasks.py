"""What a network is for, each purpose declared once: which stages it goes through follows."""

from enum import StrEnum


class Task(StrEnum):
    """The purpose of a model.

    MODULES: an encoder of calorimeter modules, whose input is the charges of 48 trigger cells.
        It is judged by the modules that come back, beside the chip's other algorithms.
    VECTORS: a network of any purpose, known by vectors of its inputs, and of its outputs if given.
    """

    MODULES = "modules"
    VECTORS = "vectors"

    @property
    def about_modules(self) -> bool:
        """Whether stages, metrics and published designs of the calorimeter concern it."""
        return self is Task.MODULES
