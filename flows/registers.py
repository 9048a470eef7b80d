"""Encoder weights out of and into the chip's register files."""

import argparse
from dataclasses import replace
from pathlib import Path

from hw.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="import|export")

    reading = actions.add_parser(
        "import",
        help="read the encoder weights of a register file",
        description="Read the encoder weights of a register file (any of its layouts).",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    reading.add_argument("file", type=Path, metavar="INIT_YAML", help="register file to read")
    reading.add_argument(
        "--out",
        type=Path,
        required=True,
        help="archive (.npz) to write: integer codes conv_kernel (3,3,1,8), conv_bias (8), "
        "dense_kernel (128,16), dense_bias (16); weight = code / 32",
    )

    writing = actions.add_parser(
        "export",
        help="write a register file that makes the chip run an encoder",
        description="Write a complete register file: encoder weights and all other settings.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    writing.add_argument("file", type=Path, metavar="INIT_YAML", help="register file to write")
    writing.add_argument(
        "--weights",
        type=Path,
        required=True,
        help="archive (.npz) as `import` writes it; floating-point arrays are taken as weights, "
        "which must be multiples of 1/32 in [-1, 31/32]",
    )
    writing.add_argument(
        "--registers",
        type=Path,
        default=None,
        help="register file to take all settings but the weights from; without it, those of a "
        "high-density module in the training data's cell order",
    )
    writing.add_argument(
        "--etx",
        type=int,
        default=None,
        help="output links, 1 to 13; default 5, or as --registers says",
    )
    writing.add_argument(
        "--latent-bits",
        type=int,
        default=None,
        help="highest bits sent of each 9-bit latent, 1 to 9; by default as many as the links "
        "carry (1, 3, 5, 7, 9 on 1 to 5 links), or as --registers says",
    )


def run(arguments: argparse.Namespace) -> None:
    if arguments.action == "import":
        _import(arguments.file, arguments.out)
    else:
        _export(arguments)


def _import(file: Path, out: Path) -> None:
    from testbench.econ_t.register_file import read_register_file
    from testbench.econ_t.weight_file import write_weights

    content = read_register_file(file)
    weights = content.registers.weights
    if weights is None or not content.sets_weights:
        raise InputError(f"{file}: sets no encoder weights (registers weights_byte0 and so on)")
    write_weights(out, weights)
    print(f"{out}: {sum(array.size for array in weights.arrays().values())} weights of {file}")


def _export(arguments: argparse.Namespace) -> None:
    from testbench.econ_t.links import OUTPUT_LINKS
    from testbench.econ_t.register_file import read_registers, write_registers
    from testbench.econ_t.registers import (
        LATENT_BITS,
        Algorithm,
        autoencoder_registers,
        latent_mask,
    )
    from testbench.econ_t.weight_file import read_weights

    for option, value, largest in (
        ("--etx", arguments.etx, OUTPUT_LINKS),
        ("--latent-bits", arguments.latent_bits, LATENT_BITS),
    ):
        if value is not None and not 1 <= value <= largest:
            raise InputError(f"{option} must be 1 to {largest}, found {value}")
    weights = read_weights(arguments.weights)
    if arguments.registers is None:
        registers = autoencoder_registers(weights, arguments.etx or 5, arguments.latent_bits)
    else:
        template = read_registers(arguments.registers)
        registers = replace(
            template,
            algorithm=Algorithm.AUTOENCODER,
            weights=weights,
            etx=arguments.etx or template.etx,
        )
        if arguments.latent_bits:
            registers = replace(registers, output_mask=latent_mask(arguments.latent_bits))
    write_registers(arguments.file, registers)
    print(f"{arguments.file}: encoder on {registers.etx} eTx")
