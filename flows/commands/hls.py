"""Convert the trained encoder to a complete HLS C++ project for one target."""

import argparse
import shutil
from collections.abc import Iterator

from flows.artefacts.chip_block import make_block
from flows.artefacts.encoder import trained_encoder
from flows.artefacts.hls_project import network_in_integers
from flows.artefacts.seals import discard_results
from flows.command_line.options import add_design, add_or_skip
from flows.frame import Found
from flows.layout import DesignLayout, TargetLayout
from flows.provenance import file_hash
from flows.stages import BY_NAME, Stage
from hw.foundation.fixed_point import parse_format
from hw.foundation.integer_network import NoFixedPoint
from hw.hls.conversion import HlsProject, convert, write_layer_types
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
    _, project = convert(
        network_in_integers(encoder),
        target,
        layout.hls,
        encoder_hash=file_hash(encoder_file),
        log=layout.folder / "hls.log",
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
