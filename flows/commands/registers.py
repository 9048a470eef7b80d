"""Encoder weights out of and into the chip's register files, and Keras encoders of them."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flows.artefacts.encoder import trained_encoder
from flows.command_line.options import add_build
from flows.layout import model_layout
from flows.provenance import file_hash
from flows.training.imported_model import (
    ImportedModel,
    add_validation_arguments,
    publish,
    refuse_trained_model,
    require_name,
    validation_modules,
    validation_source,
)
from hw.foundation.errors import InputError
from models.data.normalisation import Normalisation
from models.networks.econ_t_formats import LATENT, LATENT_BITS_OF_ELINKS

if TYPE_CHECKING:
    from testbench.econ_t.encoder_weights import EncoderWeights
    from testbench.econ_t.registers import Registers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="import|export")

    reading = actions.add_parser(
        "import",
        help="make a Keras encoder, or an archive, of the weights in a register file",
        description="Read the encoder weights of a register file (any of its layouts) and make a "
        "Keras encoder in the chip's arithmetic of them, as a model of the build folder.",
    )
    reading.add_argument("file", type=Path, metavar="INIT_YAML", help="register file to read")
    reading.add_argument(
        "--name", help="name of the model; default: the file's, or its folder's for an init.yaml"
    )
    add_build(reading)
    add_validation_arguments(reading)
    reading.add_argument(
        "--out",
        type=Path,
        help="make no Keras encoder but this archive (.npz) of the integer codes: conv_kernel "
        "(3,3,1,8), conv_bias (8), dense_kernel (128,16), dense_bias (16); weight = code / 32; "
        "default: a Keras encoder",
    )

    writing = actions.add_parser(
        "export",
        help="write a register file that makes the chip run an encoder",
        description="Write a complete register file: encoder weights and all other settings, in "
        "the layout of their chip.",
    )
    writing.add_argument("file", type=Path, metavar="INIT_YAML", help="register file to write")
    origin = writing.add_mutually_exclusive_group(required=True)
    origin.add_argument("--model", help="trained or imported model whose encoder is written")
    origin.add_argument(
        "--weights",
        type=Path,
        help="archive (.npz) as `import --out` writes it; floating-point arrays are taken as "
        "weights, which must be multiples of 1/32 in [-1, 31/32]",
    )
    add_build(writing)
    writing.add_argument(
        "--registers",
        type=Path,
        default=None,
        help="register file to take all settings but the weights from; default: those of a "
        "high-density module in the training data's cell order",
    )
    writing.add_argument(
        "--chip",
        choices=("p1", "production"),
        default=None,
        help="generation of the chip, the prototype ECON-T-P1 or the production ECON-T; default: "
        "that of --registers, or p1",
    )
    writing.add_argument(
        "--etx",
        type=int,
        default=None,
        metavar="LINKS",
        help="output links, 1 to 13; default: as --registers says, or as many as the model's "
        "latents need, or 5",
    )
    writing.add_argument(
        "--latent-bits",
        type=int,
        default=None,
        metavar="BITS",
        help="highest bits sent of each 9-bit latent, 1 to 9; default: the model's; for an archive "
        "as many as the links carry (1, 3, 5, 7, 9 on 1 to 5 links), or as --registers says",
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.action == "import":
        _import(arguments)
    else:
        _export(arguments)


def _import(arguments: argparse.Namespace) -> None:
    from testbench.econ_t.register_file import WEIGHT_REGISTERS, read_register_file
    from testbench.econ_t.weight_file import write_weights

    file = arguments.file
    content = read_register_file(file)
    weights = content.registers.weights
    if weights is None or not content.weight_registers:
        raise InputError(f"{file}: sets no encoder weights (registers weights_byte0 and so on)")
    if content.weight_registers < WEIGHT_REGISTERS:
        print(
            f"note: {file} sets {content.weight_registers} of {WEIGHT_REGISTERS} weight registers; "
            "the weights in the others are 0, as the chip resets them"
        )
    if content.ignored:
        print(f"note: {file}: not used: {', '.join(content.ignored)}")
    if arguments.out is None:
        _make_model(arguments, content.registers, weights)
        return
    if arguments.name is not None:
        raise InputError(
            "--name names a Keras encoder, --out asks for an archive: give one of them"
        )
    write_weights(arguments.out, weights)
    count = sum(array.size for array in weights.arrays().values())
    print(f"{arguments.out}: {count} weights of {file}")


def _make_model(
    arguments: argparse.Namespace, registers: "Registers", weights: "EncoderWeights"
) -> None:
    from testbench.econ_t.keras_encoder import network_of

    file: Path = arguments.file
    own = file.resolve().parent.name if file.stem == "init" else file.stem
    layout = model_layout(arguments.build, require_name(arguments.name or own))
    refuse_trained_model(layout)
    source = validation_source(arguments)
    bits = _latent_bits(registers)
    modules = validation_modules(source)
    origin = {"registers": file.name, "hash": file_hash(file)}
    encoder = {"encoder": network_of(weights, bits)}
    publish(layout, ImportedModel(encoder, "8x8", Normalisation.MSB, origin), modules, source)
    print(f"imported {layout.folder.name} with latents of {bits} bits into {layout.train}")


def _latent_bits(registers: "Registers") -> int:
    """Highest bits that the output mask keeps of every latent; all nine if it keeps others."""
    from testbench.econ_t.registers import latent_mask

    for bits in range(1, LATENT.width + 1):
        if registers.output_mask == latent_mask(bits):
            return bits
    print("the output mask does not keep the highest bits of each latent: Keras gives all nine")
    return LATENT.width


def _export(arguments: argparse.Namespace) -> None:
    from testbench.econ_t.links import OUTPUT_LINKS
    from testbench.econ_t.register_file import read_registers, write_registers
    from testbench.econ_t.registers import Algorithm, Chip, autoencoder_registers, latent_mask
    from testbench.econ_t.weight_file import read_weights

    for option, value, largest in (
        ("--etx", arguments.etx, OUTPUT_LINKS),
        ("--latent-bits", arguments.latent_bits, LATENT.width),
    ):
        if value is not None and not 1 <= value <= largest:
            raise InputError(f"{option} must be 1 to {largest}, found {value}")
    bits, etx = arguments.latent_bits, arguments.etx
    if arguments.model is None:
        weights = read_weights(arguments.weights)
    else:
        weights, of_model = _trained_weights(arguments.build, arguments.model)
        # a template's own mask serves a model that leaves all bits of its latents to it
        if bits is None and (arguments.registers is None or of_model < LATENT.width):
            bits = of_model
    if arguments.registers is None:
        links = {carried: links for links, carried in LATENT_BITS_OF_ELINKS.items()}
        registers = autoencoder_registers(weights, etx or links.get(bits, 5), bits)
    else:
        template = read_registers(arguments.registers)
        registers = replace(
            template,
            algorithm=Algorithm.AUTOENCODER,
            weights=weights,
            etx=etx or template.etx,
        )
        if bits:
            registers = replace(registers, output_mask=latent_mask(bits))
    if arguments.chip:
        registers = replace(registers, chip=Chip(arguments.chip))
    write_registers(arguments.file, registers)
    print(f"{arguments.file}: encoder on {registers.etx} eTx")


def _trained_weights(build: Path, model: str) -> tuple["EncoderWeights", int]:
    """Weights of a model's encoder, and the bits of its latents that the chip is to send.

    Raises:
        InputError: no such model, or one that the chip cannot run.
    """
    from models.networks.econ_t_encoder import has_chip_arithmetic
    from models.networks.network_files import load_network
    from models.networks.number_formats import output_format
    from testbench.econ_t.keras_encoder import weights_of

    layout = model_layout(build, model)
    file = trained_encoder(layout)
    encoder = load_network(file)
    try:
        weights = weights_of(encoder)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    if not has_chip_arithmetic(encoder):
        print(
            f"note: {layout.folder.name} was not trained in the chip's arithmetic; on the chip its "
            "latents are other ones"
        )
    latent = output_format(encoder)
    return weights, min(latent.width, LATENT.width) if latent else LATENT.width
