"""Bounds of Keras model descriptions that may come from anywhere, checked before Keras builds them.

A description of some hundred bytes can ask for more memory than any machine has, or for layers that
wait for each other for ever.
"""

import ast
from graphlib import CycleError, TopologicalSorter
from typing import Any

_Use = tuple[str, int]  # a layer by name, and which of its places in the network

LARGEST_EXTENT = 65_536  # of any size in a description: filters, units, pixels
MOST_LAYERS = 1_000
MOST_WEIGHTS = 100_000_000  # a lower bound of what the layers' own sizes ask for

_EXTENTS = (
    "filters", "units", "kernel_size", "strides", "pool_size", "size", "padding", "cropping",
    "target_shape", "batch_input_shape", "dilation_rate", "depth_multiplier", "groups", "axis",
    "dims", "input_dim",
)  # fmt: skip


def fault_of_sizes(config: dict[str, Any]) -> str | None:
    """What is too large in a network's description, in words; None where nothing is."""
    layers = _layers(config)
    if len(layers) > MOST_LAYERS:
        return f"{len(layers)} layers; at most {MOST_LAYERS} are taken"
    weights = 0.0
    for layer in layers:
        settings = layer.get("config")
        if not isinstance(settings, dict):
            continue
        name = settings.get("name", "?")
        for key in _EXTENTS:
            for number in _numbers(settings.get(key)):
                if abs(number) > LARGEST_EXTENT:
                    return f"layer '{name}': {key} {number}; at most {LARGEST_EXTENT} is taken"
        weights += _least_weights(settings)
        if weights > MOST_WEIGHTS:
            return f"layer '{name}': more than {MOST_WEIGHTS:,} weights up to it"
    return None


def _layers(config: dict[str, Any]) -> list[dict[str, Any]]:
    """All layers, those of networks within the network too."""
    inner = config.get("config")
    listed = inner.get("layers", []) if isinstance(inner, dict) else []
    found = []
    for layer in listed if isinstance(listed, list) else []:
        if isinstance(layer, dict):
            found += [layer, *_layers(layer)]
    return found


def _numbers(value: Any) -> list[float]:
    if isinstance(value, list | tuple):
        return [number for part in value for number in _numbers(part)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _least_weights(settings: dict[str, Any]) -> float:
    """Weights that a layer has at least, whatever comes before it."""
    width = settings.get("filters", settings.get("units", 0))
    kernel = 1.0
    for extent in _numbers(settings.get("kernel_size")):
        kernel *= max(extent, 1)
    return sum(_numbers(width)) * kernel


def fault_of_order(config: dict[str, Any]) -> str | None:
    """Why the layers of a functional network cannot be computed one after the other, in words: one
    reads itself, or what does not exist.  None where they can."""
    inner = config.get("config")
    if not isinstance(inner, dict) or config.get("class_name") == "Sequential":
        return None
    reads: dict[_Use, set[_Use]] = {}
    for layer in inner.get("layers", []):
        if not isinstance(layer, dict):
            continue
        settings = layer.get("config")
        own = settings.get("name") if isinstance(settings, dict) else None
        name = str(layer.get("name", own))
        nodes = layer.get("inbound_nodes") or [[]]
        for number, node in enumerate(nodes if isinstance(nodes, list) else [[]]):
            reads[name, number] = set(_sources(node))
        if isinstance(settings, dict) and (fault := fault_of_order(layer)):
            return fault
    for (name, _), sources in reads.items():
        if unknown := sorted(sources - reads.keys()):
            return f"layer '{name}' reads layer '{unknown[0][0]}', which does not exist there"
    try:
        TopologicalSorter(reads).prepare()
    except CycleError as error:
        return f"layer '{error.args[1][0][0]}' reads what itself is computed from"
    return None


def _sources(node: Any) -> list[_Use]:
    """What one use of a layer reads: `[name, use, tensor, ...]`, nested in lists and mappings."""
    if isinstance(node, list):
        if len(node) >= 3 and isinstance(node[0], str) and isinstance(node[1], int):
            return [(node[0], node[1])]
        return [use for part in node for use in _sources(part)]
    if isinstance(node, dict):
        return [use for part in node.values() for use in _sources(part)]
    return []


def fault_of_call(text: str) -> str | None:
    """What keeps a text from being `name` or `name(numbers, key=numbers)`, in words: QKeras would
    read the part of it that it understands.  None where nothing does."""
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "is not a name with its arguments in brackets"
    if isinstance(call, ast.Name):
        return None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return "is not a name with its arguments in brackets"
    keys = [keyword.arg for keyword in call.keywords]
    if None in keys or len(set(keys)) < len(keys):
        return "has an argument twice, or none that is named"
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        try:
            ast.literal_eval(argument)
        except ValueError:
            return (
                f"has the argument {ast.unparse(argument)}, which is no number, text or truth value"
            )
    return None
