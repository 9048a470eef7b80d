"""The command line: `python -m flows <step> ...`, one module a step."""

import importlib
import sys
from types import ModuleType

from flows.command_line.step_parser import StepParser
from hw.foundation.errors import EcontError
from hw.foundation.strict_config import did_you_mean

# in the order of the work: step -> (module, what it does); a step's module has
# add_arguments(parser) and run(arguments)
STEPS = {
    "doctor": ("flows.steps.doctor", "name each tool found or missing, with version and remedy"),
    "data": (
        "flows.steps.data",
        "generate module data, or inspect given data, against the real one",
    ),
    "train": ("flows.steps.train", "train models of the zoo on module data"),
    "emd-cnn": (
        "flows.steps.emd_cnn",
        "teach a network the earth mover's distance, for use as a loss",
    ),
    "import": (
        "flows.steps.import_model",
        "take a foreign Keras/QKeras encoder through the whole flow",
    ),
    "evaluate": ("flows.steps.evaluate", "measure compression quality on the validation modules"),
    "flops": ("flows.steps.flops", "count FLOPs, MACs, BOPs, parameters and weight bits"),
    "graph": ("flows.steps.graph", "write the networks as TensorFlow graphs, SavedModels and ONNX"),
    "hls": ("flows.steps.hls", "convert the trained encoder to an HLS C++ project"),
    "csim": ("flows.steps.csim", "compile the C++ and compare its integer codes with Keras"),
    "rtl": ("flows.steps.rtl", "make Verilog of the encoder, its weights wired in"),
    "rtlsim": (
        "flows.steps.rtlsim",
        "simulate the Verilog and compare its integer codes with Keras",
    ),
    "synth": (
        "flows.steps.synth",
        "map the RTL to FPGA cells and to a cell library, and count them",
    ),
    "timing": ("flows.steps.timing", "find the critical path of the mapped netlist"),
    "gatesim": (
        "flows.steps.gatesim",
        "simulate the mapped netlist and compare its codes with Keras",
    ),
    "equivalence": ("flows.steps.equivalence", "prove that the mapped netlist equals the RTL"),
    "ecp5": ("flows.steps.ecp5", "place and route the RTL on a Lattice ECP5 with open tools"),
    "rtlsim-reconfigurable": (
        "flows.steps.rtlsim_reconfigurable",
        "simulate the reconfigurable ECON-T RTL against golden model and CMS emulator",
    ),
    "gatesim-reconfigurable": (
        "flows.steps.gatesim_reconfigurable",
        "simulate the reconfigurable encoder's netlist with the weights of an econ_t model",
    ),
    "vendor": ("flows.steps.vendor", "run vendor tools (Vitis HLS, Catapult) on the HLS projects"),
    "report": (
        "flows.steps.report",
        "collect all metrics in summary.json, report.md and report.html",
    ),
    "compare": (
        "flows.steps.compare",
        "compare designs by summary.json: table, Markdown, overlays",
    ),
    "status": ("flows.steps.status", "say which stages of a design are done"),
    "registers": ("flows.steps.registers", "write or read the chip's weight registers"),
    "conformance": ("flows.steps.conformance", "run the golden model on ECON-T emulator vectors"),
}


def _usage() -> str:
    width = max(map(len, STEPS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in STEPS.items()]
    return "usage: python -m flows <step> [options]   (--help after a step explains it)\n\n" + (
        "\n".join(lines)
    )


def load_step(name: str) -> tuple[ModuleType, StepParser]:
    """The module of the step `name`, and the parser of its options."""
    module_name, description = STEPS[name]
    step = importlib.import_module(module_name)
    parser = StepParser(
        prog=f"python -m flows {name}", description=f"{description[0].upper()}{description[1:]}."
    )
    step.add_arguments(parser)
    return step, parser


def main(argv: list[str] | None = None) -> int:
    """Run one step; returns the exit status: 0 done, 1 a check failed, 2 bad input or no tool."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(_usage())
        return 0 if argv else 2
    name, rest = argv[0], argv[1:]
    if name not in STEPS:
        print(f"error: unknown step '{name}'; {did_you_mean(name, list(STEPS))}", file=sys.stderr)
        return 2
    step, parser = load_step(name)
    try:
        return step.run(parser.parse_args(rest)) or 0
    except EcontError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
