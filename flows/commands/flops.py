"""Count operations, parameters and bits: of a trained model, or of any Keras model files."""

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from flows.artefacts.encoder import trained_encoder
from flows.artefacts.seals import read_now, write_results
from flows.artefacts.settings import read_settings
from flows.command_line.console import output_console
from flows.command_line.options import add_model
from flows.layout import DEFAULT_TARGET, ModelLayout, design_layout
from flows.provenance import file_hash, provenance
from flows.stages import BY_NAME
from hw.foundation.errors import InputError
from reports.catalogue import Value, records, required_row
from reports.metrics import Evidence, Metric, with_provenance
from reports.tables.values import MISSING

_KINDS = ("flops", "macs", "bops", "params", "weight_bits")
"""Counts of a network for one inference; models/networks/complexity.py defines each."""
_WIRED_KINDS = ("signed_digits", "adder_bits")
"""Counts of an encoder whose weights, in integers, are wired in."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="Keras model files (.json architecture, .keras, .h5): print their counts; "
        "default: count the trained model --model and write its metrics",
    )
    add_model(parser)
    parser.add_argument(
        "--json", action="store_true", help="print the counts of FILE as JSON instead of tables"
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.files:
        _show_files(arguments.files, as_json=arguments.json)
    else:
        stage = BY_NAME["flops"]
        design = design_layout(arguments.build, arguments.model, DEFAULT_TARGET)
        read = read_now(stage, design)
        metrics = count(design.model)
        write_results(stage, design, metrics, read)
        _show_metrics(metrics)


def count(layout: ModelLayout) -> list[Metric]:
    """Metrics of a trained model's encoder (`macs.total`) and decoder (`decoder.macs.total`).

    Raises:
        InputError: the model has no encoder yet.
    """
    encoder, decoder = trained_encoder(layout), layout.network("decoder")
    network, totals, layers = _count_file(encoder)
    metrics = [*_metrics(encoder, "", totals), *_layer_metrics(encoder, network, layers)]
    if decoder.exists():
        _, totals, _ = _count_file(decoder)
        return metrics + _metrics(decoder, "decoder.", totals)
    settings = read_settings(layout)
    if settings is not None and not settings.task.about_modules:
        return metrics
    missing = {f"decoder.{kind}.total": None for kind in _KINDS}
    reason = "the encoder came without a decoder"
    return metrics + records(missing, evidence=Evidence.ESTIMATE, reason=reason)


def _metrics(file: Path, prefix: str, totals: Mapping[str, int | None]) -> list[Metric]:
    from models.keras_backend import tf

    origin = provenance(model_hash=file_hash(file), tools={"tensorflow": tf.__version__})
    kinds = _KINDS if prefix else (*_KINDS, *_WIRED_KINDS)  # the decoder becomes no hardware
    values = {f"{prefix}{kind}.total": totals[kind] for kind in kinds}
    reason = "not all layers multiply with integer weights, whose digits could be counted"
    return with_provenance(records(values, evidence=Evidence.ESTIMATE, reason=reason), origin)


def _layer_metrics(file: Path, network: Any, layers: Iterable[Any]) -> list[Metric]:
    """Parts of the encoder's counts, by layer under the names that its hardware has for them."""
    from models.networks.complexity import nonzero_weights

    values: dict[str, Value] = {}
    weights = nonzero_weights(network)
    for layer in layers:
        name = layer.name.replace("/", "_")  # of a network within the network
        values[f"layers.{name}.macs"] = layer.macs
        values[f"layers.{name}.nonzero_weights"] = weights[layer.name]
    values["nonzero_weights.total"] = sum(weights.values())
    origin = provenance(model_hash=file_hash(file), packages=("tf-keras", "qkeras"))
    return with_provenance(records(values, evidence=Evidence.ESTIMATE), origin)


def _count_file(file: Path) -> tuple[Any, dict[str, int | None], list[Any]]:
    """The network in a Keras model file, its totals by kind, and the cost of each layer."""
    from models.networks.complexity import float_ops, layer_costs
    from models.networks.network_files import load_architecture, load_network

    is_trained = file.suffix != ".json"
    network = load_network(file) if is_trained else load_architecture(file)
    try:
        layers, flops = layer_costs(network), float_ops(network)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    if not is_trained:  # an architecture has no weights whose digits could be counted
        layers = [replace(layer, signed_digits=None, adder_bits=None) for layer in layers]
    totals: dict[str, int | None] = {
        "flops": flops,
        "macs": sum(layer.macs for layer in layers),
        "bops": sum(layer.bops for layer in layers),
        "params": sum(layer.parameters for layer in layers),
        "weight_bits": sum(layer.weight_bits for layer in layers),
        "signed_digits": _total(layer.signed_digits for layer in layers),
        "adder_bits": _total(layer.adder_bits for layer in layers),
    }
    return network, totals, layers


def _total(counts: Iterable[int | None]) -> int | None:
    """The sum; None where one is unknown."""
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)


def _text(count: int | None) -> str:
    return MISSING if count is None else f"{count:,}"


def _show_files(files: list[Path], *, as_json: bool) -> None:
    counts = [(file, *_count_file(file)[1:]) for file in files]
    if as_json:
        records = [
            {
                "file": str(file),
                **{f"{kind}.total": value for kind, value in totals.items()},
                "layers": [asdict(layer) for layer in layers],
            }
            for file, totals, layers in counts
        ]
        print(json.dumps(records, indent=1))
        return
    console = output_console()
    for file, totals, layers in counts:
        console.print(str(file), style="bold", markup=False, highlight=False, soft_wrap=True)
        table = Table(show_footer=True)
        table.add_column("layer", "total", overflow="fold")
        table.add_column("kind", overflow="fold")
        for heading, total in (
            ("MACs", totals["macs"]),
            ("BOPs", totals["bops"]),
            ("parameters", totals["params"]),
            ("weight bits", totals["weight_bits"]),
            ("signed digits", totals["signed_digits"]),
            ("adder bits", totals["adder_bits"]),
        ):
            table.add_column(heading, _text(total), justify="right")
        for layer in layers:
            numbers = (
                layer.macs, layer.bops, layer.parameters, layer.weight_bits,
                layer.signed_digits, layer.adder_bits,
            )  # fmt: skip
            table.add_row(layer.name, layer.kind, *map(_text, numbers))
        console.print(table)
        console.print(f"FLOPs (total_float_ops of TensorFlow's profiler): {totals['flops']:,}\n")


def _show_metrics(metrics: list[Metric]) -> None:
    value = {metric.name: metric.value for metric in metrics}
    table = Table()
    table.add_column("count")
    table.add_column("encoder", justify="right")
    table.add_column("decoder", justify="right")
    for kind in (*_KINDS, *_WIRED_KINDS):
        cells = (value[f"{kind}.total"], value.get(f"decoder.{kind}.total"))
        shown = ("---" if cell is None else f"{cell:,}" for cell in cells)
        table.add_row(f"{kind} ({required_row(f'{kind}.total').unit})", *shown)
    output_console().print(table)
