"""Convert the trained encoder to a complete HLS C++ project for one target."""

import argparse
import shutil
from collections.abc import Iterator
from typing import Any

from flows.artefacts.chip_block import make_block
from flows.artefacts.encoder import trained_encoder
from flows.artefacts.hls_project import for_hls4ml
from flows.artefacts.seals import discard_results
from flows.command_line.options import add_design, add_or_skip
from flows.frame import Found
from flows.layout import DesignLayout, TargetLayout
from flows.provenance import file_hash
from flows.stages import BY_NAME, Stage
from hw.foundation.fixed_point import parse_format
from hw.hls.conversion import HlsProject, NoFixedPoint, convert, write_layer_types
from hw.targets.target import load_target, target_names

CANNOT = (NoFixedPoint,)

_FLOAT32_BITS = 25  # a sign, and 24 digits in which Keras computes exactly


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(
        parser, f"hardware target ({', '.join(target_names())}), or a path to such a YAML file"
    )
    add_or_skip(parser, "where the encoder is not in fixed point, record that and succeed")


def measure(_stage: Stage, design: DesignLayout, arguments: argparse.Namespace) -> Found:
    target = load_target(arguments.target)
    layout, encoder_file = design.target, trained_encoder(design.model)
    from models.networks.econ_t_encoder import has_chip_arithmetic
    from models.networks.network_files import load_network

    encoder = load_network(encoder_file)
    _require_fixed_point(encoder)
    network, formats = for_hls4ml(encoder)
    _, project = convert(
        network,
        target,
        layout.hls,
        encoder_hash=file_hash(encoder_file),
        log=layout.folder / "hls.log",
        formats=formats,
    )
    write_layer_types(layout.hls_types, project.layers)
    shutil.rmtree(layout.block, ignore_errors=True)  # nothing may be taken for this encoder's
    discard_results(BY_NAME["vendor"], design)
    block = (make_block(target, layout),) if has_chip_arithmetic(encoder) else ()
    widest = max(parse_format(layer.result).width for layer in project.layers)
    return Found(
        {"hls.layers": len(project.layers), "hls.widest_result": widest},
        packages=("hls4ml",),
        told=(*_in_words(project, layout), *block),
    )


def _require_fixed_point(encoder: Any) -> None:
    from models.networks.number_formats import input_format, weight_parts, weight_quantiser

    floating = [] if input_format(encoder) is not None else ["its input"]
    floating += [
        f"{part} of layer '{layer.name}'"
        for layer in encoder.layers
        for part in weight_parts(layer)
        if weight_quantiser(layer, part) is None
    ]
    if floating:
        raise NoFixedPoint(
            f"the encoder is in floating point ({', '.join(floating)}), so no C++ can equal it bit "
            "for bit; take a quantised model of the zoo, or train with --quantize"
        )


def _in_words(project: HlsProject, layout: TargetLayout) -> Iterator[str]:
    width = max(len(layer.name) for layer in project.layers)
    for layer in project.layers:
        weight = f"  weights {layer.weight}" if layer.weight else ""
        yield f"  {layer.name:<{width}}  {layer.kind:<12} {layer.result}{weight}"
        if parse_format(layer.result).width > _FLOAT32_BITS:
            yield f"  {'':<{width}}  wider than float32, in which Keras may round it"
    target = project.target
    yield (
        f"{target.backend} project for {target.technology}, {target.clock_period_ns:g} ns, "
        f"{target.io_type}: {layout.hls}"
    )
