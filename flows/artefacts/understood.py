"""What was understood of a network: its layers with their number formats, and what can follow."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from flows.stages import STAGES, Scope
from hw.foundation.integer_network import (
    Input,
    IntegerNetwork,
    Operation,
    Scale,
    WeightedSum,
)
from hw.hls.layer_list import layer_list
from hw.targets.target import load_target

_WIDTH = 130


def understood(
    network: Any, integers: IntegerNetwork | None, obstacle: str, targets: Sequence[str]
) -> Iterator[str]:
    """Lines for the reader.

    Args:
        network: Keras's.
        integers: the same in integers; None where it is in floating point.
        obstacle: why it is in floating point.
        targets: names of the targets that it shall be made for.

    Raises:
        InputError: a target is unknown, or the network cannot be converted for one; names the
            layer.
    """
    parameters = network.count_params()
    if integers is None:
        yield f"{len(network.layers)} layers, {parameters:,} parameters; {obstacle}"
        yield "stages that can follow: flops, evaluate, report; none that makes hardware"
        return
    yield _table(network, integers)
    weights = [o for o in integers.operations if isinstance(o, WeightedSum)]
    bits = max(o.number.width for o in integers.operations)
    yield (
        f"{parameters:,} parameters, {len(weights)} operations with weights, results of at most "
        f"{bits} bits; approximated: nothing"
    )
    if any(_is_normalisation(network, o) for o in integers.operations):
        yield (
            "normalisations are a factor and an offset for each channel, each rounded to 22 binary "
            "digits counted from the layer's largest; Keras rounds them in float32"
        )
    for name in targets:
        target = load_target(name)
        layer_list(integers, target.io_type)
    stages = [s for s in STAGES if s.scope is Scope.TARGET and not s.chip_only]
    can = ", ".join(stage.name for stage in stages)
    yield f"stages that can follow on {', '.join(targets)}: {can}"


def _is_normalisation(network: Any, operation: Operation) -> bool:
    return isinstance(operation, Scale) and any(
        layer.name == operation.layer and "BatchNormalization" in type(layer).__name__
        for layer in network.layers
    )


def _table(network: Any, integers: IntegerNetwork) -> str:
    """One row a layer, with the format of its result and of its weights."""
    kinds = {layer.name: type(layer).__name__ for layer in network.layers}
    table = Table(title=f"network '{network.name}'", title_justify="left")
    for heading in ("layer", "kind", "result", "shape", "weights", "bias"):
        table.add_column(heading, overflow="fold")
    table.add_column("parameters", justify="right")
    counts = {layer.name: layer.count_params() for layer in network.layers}
    by_layer: dict[str, list[Operation]] = {}
    for operation in integers.operations:
        by_layer.setdefault(operation.layer, []).append(operation)
    for name, operations in by_layer.items():
        last = operations[-1]
        sums = [o for o in operations if isinstance(o, WeightedSum) and counts.get(name)]
        table.add_row(
            name,
            kinds.get(name, "Input" if isinstance(last, Input) else "nested"),
            str(last.number),
            "x".join(map(str, last.shape)),
            ", ".join(str(o.kernel.number) for o in sums),
            str(sums[-1].bias.number) if sums and sums[-1].bias.codes.any() else "",
            f"{counts[name]:,}" if counts.get(name) else "",
        )
    text = io.StringIO()
    Console(file=text, width=_WIDTH, no_color=True).print(table)
    return text.getvalue().rstrip()
