"""How well counts known before synthesis rank encoders by the look-up tables that synthesis counts.

Random encoders of one dense layer, or of a convolution and one, of random number formats and shares
of pruned weights, with random weights; each goes through the project's Verilog and its mapping to
UltraScale+ cells.  Spearman's rank correlation of each count with the look-up tables is printed.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

LEAST_CORRELATION = 0.9
_TARGET = "econ_t"
_COUNTS = ("adder_bits", "signed_digits", "bops", "nonzero_weights", "estimated_lut")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.logic_cost",
        description=__doc__.split("\n", maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--designs", type=int, default=30, help="encoders to synthesise")
    parser.add_argument("--seed", type=int, default=1, help="seed of encoders and weights")
    arguments = parser.parse_args(argv)
    rng = np.random.default_rng(arguments.seed)
    rows = []
    for number in range(arguments.designs):
        rows.append(row := _row(*_random_encoder(rng)))
        told = ", ".join(f"{name} {row[name]:,}" for name in ("lut", *_COUNTS))
        print(f"{number + 1} of {arguments.designs}: {row['name']}: {told}", flush=True)
    lut = [row["lut"] for row in rows]
    found = {n: float(spearmanr([r[n] for r in rows], lut).statistic) for n in _COUNTS}
    for name, correlation in found.items():
        print(f"{name}: Spearman {correlation:.3f} with look-up tables of {len(rows)} designs")
    ratios = np.array([row["lut"] / row["adder_bits"] for row in rows])
    print(f"look-up tables / adder bits: {ratios.min():.2f} to {ratios.max():.2f}")
    return 0 if found["adder_bits"] >= LEAST_CORRELATION else 1


def _random_encoder(rng: np.random.Generator) -> tuple[str, Any, Any]:
    """Words for an encoder of random shape, formats and weights, its arrangement, and it."""
    from models.keras_backend import keras
    from models.networks.cheaper_weights import Pruning
    from models.networks.encoder import build_networks
    from models.networks.zoo import ModelSpec
    from models.training.pruning import Masks

    weight, given, latent = (int(rng.integers(*ends)) for ends in ((2, 7), (4, 9), (3, 10)))
    filters = int(rng.choice([0, 0, 2, 4, 6]))
    pruned = float(rng.uniform(0, 0.85))
    shape: dict[str, Any] = {"arrangement": "4x4x3"}
    if filters:
        convolution = {"filters": filters, "kernel": 3, "stride": 2}
        shape = {"arrangement": "8x8", "convolutions": [convolution]}
    unsigned = {"integer": 1, "signed": False}
    formats = {
        "input": {"total": given, **unsigned},
        "weight": {"total": weight, "integer": 0},
        "accumulator": {"total": given, **unsigned},
        "latent": {"total": latent, **unsigned},
    }
    names = {"name": "random", "label": "random"}
    spec = ModelSpec.model_validate({**names, **shape, "latent": 16, "quantisation": formats})
    keras.backend.clear_session()
    keras.utils.set_random_seed(int(rng.integers(1 << 31)))
    encoder = build_networks(spec).encoder
    Masks(encoder.layers, Pruning(dense=pruned, convolution=pruned / 2)).shrink(1.0)
    kind = f"{filters} filters" if filters else "dense"
    return f"{kind}, weights {weight} b, inputs {given} b, {pruned:.0%} pruned", spec.image, encoder


def _row(name: str, image: Any, encoder: Any) -> dict[str, Any]:
    """What is known of an encoder before synthesis, and its look-up tables after."""
    from flows.artefacts.generated_rtl import module_wiring
    from flows.artefacts.hls_project import network_in_integers
    from hw.generated.network_logic import network_logic
    from hw.generated.verilog import write_rtl
    from hw.open_tools.verilog_design import VerilogDesign
    from hw.synthesis.fpga import FAMILIES, synthesise_fpga
    from hw.targets.target import load_target
    from models.data.normalisation import Normalisation
    from models.networks.complexity import layer_costs, nonzero_weights

    costs = layer_costs(encoder)
    network = network_in_integers(encoder)
    wiring = module_wiring(image, Normalisation.MSB)
    with tempfile.TemporaryDirectory(prefix="econt-bench-") as scratch:
        folder = Path(scratch)
        logic = network_logic(network, wiring)
        rtl = write_rtl(logic, wiring, load_target(_TARGET), folder / "rtl", encoder_hash="0" * 16)
        design = VerilogDesign(tuple(folder / "rtl" / s for s in rtl.sources), rtl.top)
        found = synthesise_fpga(design, FAMILIES[0], folder / FAMILIES[0].name)
    return {
        "name": name,
        "lut": found.lut,
        "estimated_lut": rtl.estimated_lut,
        "nonzero_weights": sum(nonzero_weights(encoder).values()),
        **{
            count: sum(getattr(layer, count) for layer in costs)
            for count in ("adder_bits", "signed_digits", "bops")
        },
    }


if __name__ == "__main__":
    sys.exit(main())
