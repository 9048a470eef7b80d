"""A design so small that all its stages are done in a minute, and what its stages left."""

from pathlib import Path

from flows.__main__ import main

NAME, TARGET = "tiny", "econ_t"
RECORD = """\
label: tiny
arrangement: 4x4x3
latent: 2
epochs: 1
quantisation:
  input: {total: 4, integer: 0, signed: false}
  weight: {total: 3, integer: 0}
  accumulator: {total: 6, integer: 2, signed: false}
  latent: {total: 4, integer: 1, signed: false}
"""
SEED = "1"
VECTORS = ("--vectors", "200", "--seed", SEED)
OF_TARGET = {
    "hls": (), "csim": VECTORS, "rtl": (), "rtlsim": VECTORS, "synth": (), "timing": (),
    "gatesim": VECTORS, "equivalence": ("--seed", SEED),
}  # fmt: skip
"""The stages of a target in their order, with their options."""


def record(folder: Path) -> Path:
    """The model's own YAML file."""
    file = folder / f"{NAME}.yaml"
    file.write_text(RECORD)
    return file


def generate(build: Path) -> int:
    return main(["data", "--build", str(build), "--events", "2000", "--seed", SEED])


def train(build: Path, model: Path | str, seed: str = SEED) -> int:
    data = str(build / "data" / "generated" / "modules.csv")
    return main(
        ["train", "-i", data, "-o", str(build), "--models", str(model), "--seed", seed,
         "--nrowsPerFile", "0", "--trainOnly"]
    )  # fmt: skip


def of_model(stage: str, build: Path, model: Path | str) -> int:
    more = ["--skipBaselines"] if stage == "evaluate" else []
    return main([stage, "--build", str(build), "--model", str(model), *more])


def of_target(stage: str, build: Path, model: Path | str, target: Path | str = TARGET) -> int:
    design = ["--build", str(build), "--model", str(model), "--target", str(target)]
    return main([stage, *design, *OF_TARGET[stage]])


def report(build: Path, model: Path | str = NAME, target: Path | str = TARGET) -> int:
    design = ["--build", str(build), "--model", str(model), "--target", str(target)]
    return main(["report", *design, "--skipPlot"])


def finish(build: Path, model: Path) -> None:
    """Do all stages, and report."""
    assert generate(build) == 0
    assert train(build, model) == 0
    assert of_model("evaluate", build, model) == of_model("flops", build, model) == 0
    for stage in OF_TARGET:
        assert of_target(stage, build, model) == 0, stage
    assert report(build, model) == 0
