"""Convert the trained encoder to a complete HLS C++ project for one target."""

import argparse
import shutil
from typing import Any

from flows.artefacts.chip_block import make_block
from flows.command_line.step_options import add_design, add_or_skip
from flows.layout import (
    TargetLayout,
    model_layout,
    target_layout,
)
from flows.provenance import file_hash, provenance
from hw.foundation.errors import InputError
from hw.foundation.fixed_point import parse_format
from hw.hls.conversion import HlsProject, NoFixedPoint, NumberFormats, convert, write_layer_types
from hw.targets.target import load_target, target_names
from reports.metrics import Metric, write_metrics

_FLOAT32_BITS = 25  # a sign, and 24 digits in which Keras computes exactly


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_design(
        parser, f"hardware target ({', '.join(target_names())}), or a path to such a YAML file"
    )
    add_or_skip(parser, "where the encoder is not in fixed point, record that and succeed")


def run(arguments: argparse.Namespace) -> None:
    target = load_target(arguments.target)
    layout = target_layout(arguments.build, arguments.model, arguments.target)
    encoder_file = model_layout(arguments.build, arguments.model).network("encoder")
    if not encoder_file.is_file():
        raise InputError(
            f"{encoder_file}: no such file; train the model first: make train "
            f"MODEL={encoder_file.parent.parent.name}"
        )
    _discard(layout)
    from models.networks.econ_t_encoder import has_chip_arithmetic
    from models.networks.encoder import load_network

    encoder = load_network(encoder_file)
    try:
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
    except NoFixedPoint as error:
        if not arguments.or_skip:
            raise
        source = provenance(model_hash=file_hash(encoder_file))
        skipped = Metric(name="hls.layers", value=None, reason=str(error), provenance=source)
        write_metrics(layout.hls_metrics, [skipped])
        print(f"hls skipped: {error}")
        return
    block = make_block(target, layout) if has_chip_arithmetic(encoder) else None
    write_layer_types(layout.hls_types, project.layers)
    write_metrics(layout.hls_metrics, _metrics(project))
    _show(project, layout)
    if block:
        print(block)


def _discard(layout: TargetLayout) -> None:
    """Remove what an earlier run left: nothing may be taken for the present encoder's."""
    for folder in (layout.hls, layout.block):
        shutil.rmtree(folder, ignore_errors=True)
    layout.hls_types.unlink(missing_ok=True)
    layout.hls_metrics.unlink(missing_ok=True)
    layout.vendor_metrics.unlink(missing_ok=True)


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


def for_hls4ml(encoder: Any) -> tuple[Any, NumberFormats | None]:
    """What hls4ml converts, and the number formats with which that equals the encoder; None for
    those that hls4ml finds."""
    from models.networks.econ_t_encoder import has_chip_arithmetic, hls_formats, plain_twin

    if has_chip_arithmetic(encoder):
        return plain_twin(encoder), hls_formats(encoder)
    return encoder, None


def _metrics(project: HlsProject) -> list[Metric]:
    source = provenance(model_hash=project.encoder_hash, packages=("hls4ml",))
    widest = max(parse_format(layer.result).width for layer in project.layers)
    return [
        Metric(name="hls.layers", value=len(project.layers), unit="layers", provenance=source),
        Metric(
            name="hls.widest_result",
            value=widest,
            unit="bits",
            better="lower",
            provenance=source,
        ),
    ]


def _show(project: HlsProject, layout: TargetLayout) -> None:
    width = max(len(layer.name) for layer in project.layers)
    for layer in project.layers:
        weight = f"  weights {layer.weight}" if layer.weight else ""
        print(f"  {layer.name:<{width}}  {layer.kind:<12} {layer.result}{weight}")
        if parse_format(layer.result).width > _FLOAT32_BITS:
            print(f"  {'':<{width}}  wider than float32, in which Keras may round it")
    target = project.target
    print(
        f"{target.backend} project for {target.technology}, {target.clock_period_ns:g} ns, "
        f"{target.io_type}: {layout.hls}"
    )
