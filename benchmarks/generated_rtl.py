"""Making Verilog of an encoder against da4ml, and RTL simulation against hls4ml's C-simulation.

The encoder is one of the zoo, untrained, with random weights.  Both simulations run the same
modules, each compiled before its time is taken.
"""

import argparse
import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

LEAST_SPEEDUP = 10.0
_TARGET = "econ_t"
_SIDES = (("top", "bottom"), ("left", "right"))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.generated_rtl",
        description=__doc__.split("\n", maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", default="8x8_c8_S2_qK", help="quantised model of the zoo")
    parser.add_argument("--modules", type=int, default=20_000, help="modules to simulate")
    parser.add_argument("--seed", type=int, default=1, help="seed of modules and weights")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="econt-bench-") as folder:
        return _bench(Path(folder), arguments.model, arguments.modules, arguments.seed)


def _bench(folder: Path, model: str, modules: int, seed: int) -> int:
    from flows.artefacts.generated_rtl import module_wiring, port_codes, simulated_design
    from flows.artefacts.hls_project import network_in_integers
    from hw.generated.network_logic import network_logic
    from hw.generated.verilog import write_rtl
    from hw.hls.conversion import convert
    from hw.targets.target import load_target
    from models.data.generator import generate_modules
    from models.data.normalisation import Normalisation, normalise
    from models.keras_backend import keras
    from models.networks.encoder import build_networks
    from models.networks.zoo import load_model_spec
    from testbench.simulators.csim import compile_project
    from testbench.simulators.rtlsim import Feed, compile_design

    keras.utils.set_random_seed(seed)
    spec, target = load_model_spec(model), load_target(_TARGET)
    network = network_in_integers(build_networks(spec).encoder)
    graph, project = convert(
        network,
        target,
        folder / "hls",
        encoder_hash="0" * 16,
        log=folder / "hls.log",
    )
    image = spec.image
    wiring = module_wiring(image, Normalisation.MSB)
    start = time.process_time()
    logic = network_logic(network, wiring)
    design = write_rtl(logic, wiring, target, folder / "rtl", encoder_hash="0" * 16)
    seconds = time.process_time() - start
    print(
        f"Verilog of {model}: {seconds:.2f} s of processor time, {design.estimated_lut:,} LUT "
        "estimated"
    )
    fast_enough = _against_da4ml(graph, wiring, logic, folder / "da4ml", seconds)

    calq = generate_modules(modules, seed).calq
    images = image.to_images(normalise(calq)[0]).astype(np.float32)
    rtl = compile_design(simulated_design(design, folder / "rtl"), folder / "simulator")
    codes = port_codes(images, design)
    run = rtl.run([Feed(codes)])
    cpp = compile_project(folder / "hls", project, folder / "csim")
    start = time.perf_counter()
    found = cpp.run(images)
    rates = modules / run.seconds, modules / (time.perf_counter() - start)
    equal = np.array_equal(found, run.codes)
    print(
        f"simulation of {modules:,} modules: {rates[0]:,.0f} vectors/s of the RTL on one core, "
        f"{rates[1]:,.0f} of the C++ on all; ratio {rates[0] / rates[1]:.1f}; codes "
        f"{'equal' if equal else 'DIFFER'}"
    )
    return 0 if fast_enough and equal else 1


def _against_da4ml(graph: Any, wiring: Any, logic: Any, folder: Path, seconds: float) -> bool:
    """Whether ours is fast enough; True where da4ml is not there to be compared with."""
    if importlib.util.find_spec("da4ml") is None:
        print(
            "da4ml: not run, it is not installed (pip install da4ml==0.5.2 into .venv, for this "
            "comparison only)"
        )
        return True
    theirs = _da4ml_seconds(graph, wiring, logic, folder)
    ratio = theirs / seconds
    print(
        f"da4ml, with rounding half up in place of half to even: {theirs:.2f} s; ratio "
        f"{ratio:.1f} (at least {LEAST_SPEEDUP:g})"
    )
    return ratio >= LEAST_SPEEDUP


def _da4ml_seconds(graph: Any, wiring: Any, logic: Any, folder: Path) -> float:
    """Processor time of da4ml for one convolution, ReLU and dense layer, with the same formats."""
    from da4ml.codegen import VerilogModel
    from da4ml.trace import FixedVariableArray, comb_trace

    conv, dense, read = (
        next(layer for layer in graph.get_layers() if layer.class_name == kind)
        for kind in ("Conv2D", "Dense", "Input")
    )
    features, latents = (a for a in graph.get_layers() if a.class_name == "Activation")
    kernel, weights = (np.asarray(layer.weights["weight"].data) for layer in (conv, dense))
    size, filters = kernel.shape[0], kernel.shape[-1]
    sides = [(conv.get_attr(f"pad_{a}"), conv.get_attr(f"pad_{b}")) for a, b in _SIDES]
    shown = wiring.element.reshape(read.get_output_variable().shape[:2])
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(shown, sides, constant_values=-1), (size, size)
    )
    stride = conv.get_attr("stride_height")
    windows = windows[::stride, ::stride].reshape(-1, size * size)
    live = (windows >= 0).any(axis=1)

    start = time.process_time()
    number, ones = logic.input, np.ones(wiring.count, int)
    port = FixedVariableArray.from_kif(0 * ones, number.integer * ones, number.fraction * ones)
    kernel = kernel.reshape(-1, filters)
    found = [
        _da4ml_cast(port[window[window >= 0]] @ kernel[window >= 0], features)
        for window in windows[live]
    ]
    chosen = weights.reshape(len(windows), filters, -1)[live].reshape(-1, weights.shape[-1])
    output = _da4ml_cast(np.concatenate(found) @ chosen, latents)
    VerilogModel(comb_trace(port, output), "encoder", folder).write()
    return time.process_time() - start


def _da4ml_cast(values: Any, layer: Any) -> Any:
    from hw.foundation.fixed_point import parse_format

    number = parse_format(str(layer.get_output_variable().type.precision))
    return values.relu().quantize(
        np.zeros(values.shape, int),
        np.full(values.shape, number.integer),
        np.full(values.shape, number.fraction),
        overflow_mode="SAT",
        round_mode="RND",
    )


if __name__ == "__main__":
    sys.exit(main())
