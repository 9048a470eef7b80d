"""Which layer of a network each operation of its logic was made for.

alkaid 0.8.2 keeps no such note.  Its variables and operations carry the time at which their value
is there, which its passes hand on unchanged: here that time, the same number, also knows the layer
that was being built.  So the logic is the same as without.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

NO_LAYER = ""
"""Of operations that no layer asked for."""


class _Time(float):
    """The time at which a value is there, and the layer that it was made for."""

    layer: str

    def __new__(cls, time: float, layer: str) -> "_Time":
        found = super().__new__(cls, time)
        found.layer = layer
        return found


def layer_of(operation: Any) -> str:
    """The layer that an operation of alkaid's logic was made for; NO_LAYER where none was named.

    It is lost where alkaid estimates times anew (`add_surrogate`), outside of `labels`.
    """
    return getattr(operation.latency, "layer", NO_LAYER)


class LayerLabels:
    """What is being built, and what was built for it."""

    def __init__(self) -> None:
        self._layer = NO_LAYER
        self._of: dict[object, str] = {}

    @contextlib.contextmanager
    def building(self, layer: str) -> Iterator[None]:
        """What is made within is made for this layer."""
        before, self._layer = self._layer, layer
        try:
            yield
        finally:
            self._layer = before

    def label(self, variable: Any) -> None:
        """Note the layer of a variable; one that is another shifted or negated is that other."""
        layer = self._of.setdefault(variable.id, self._layer)
        variable.latency = _Time(variable.latency, layer)


@contextlib.contextmanager
def labels() -> Iterator[LayerLabels]:
    """Have all that alkaid makes within, and its passes, keep the layer."""
    from alkaid.trace.fixed_variable import FVariable
    from alkaid.trace.passes import surrogate
    from alkaid.types import CombLogic

    found = LayerLabels()
    with contextlib.ExitStack() as stack:
        for place, name, labelled in (
            (FVariable, "__init__", functools.partial(_labelled_variable, found)),
            (CombLogic, "exec_op", functools.partial(_labelled_run, found)),
            (surrogate, "_with_cost_lat", _labelled_estimate),
        ):
            theirs = getattr(place, name)
            stack.enter_context(mock.patch.object(place, name, labelled(theirs)))
        yield found


def _labelled_variable(found: LayerLabels, theirs: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(theirs)
    def init(variable: Any, *arguments: Any, **more: Any) -> None:
        theirs(variable, *arguments, **more)
        found.label(variable)

    return init


def _labelled_run(found: LayerLabels, theirs: Callable[..., Any]) -> Callable[..., Any]:
    """An operation that is run on variables, as alkaid does to trace logic anew, makes others."""

    @functools.wraps(theirs)
    def exec_op(logic: Any, operation: Any, *arguments: Any) -> Any:
        if not isinstance(operation.latency, _Time):  # of a sum that is being built
            return theirs(logic, operation, *arguments)
        with found.building(layer_of(operation)):
            return theirs(logic, operation, *arguments)

    return exec_op


def _labelled_estimate(theirs: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(theirs)
    def with_cost_lat(operation: Any, cost: float, latency: float) -> Any:
        return theirs(operation, cost, _Time(latency, layer_of(operation)))

    return with_cost_lat
