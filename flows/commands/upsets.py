"""Measure what flips of the encoder's stored weight bits cost: one at a time, and many at once."""

import argparse
import math
import shutil

from flows.artefacts.seals import read_now, write_results
from flows.command_line.options import add_model, require_at_least
from flows.layout import DEFAULT_TARGET, design_layout
from flows.provenance import file_hash, provenance
from flows.radiation.bits_table import write_arrays, write_table
from flows.radiation.model import studied_model
from flows.radiation.upset_metrics import curve_arrays, in_words, upset_metrics
from flows.radiation.upsets import MODULES_OF_A_MEMORY, Conditions, measure_upsets
from flows.stages import BY_NAME
from hw.foundation.errors import InputError
from models.upsets.exposure import Exposure
from reports.metrics import with_provenance

MODULES = 1000
MEMORIES = 40
FLUX = 2e7
CROSS_SECTION = 1e-14
SCRUB_SECONDS = 600.0
RUN_HOURS = 10.0
THRESHOLD = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--modules",
        type=int,
        default=MODULES,
        metavar="MODULES",
        help="validation modules that each flip is measured on, spread over occupancy as all are",
    )
    parser.add_argument(
        "--memories",
        type=int,
        default=MEMORIES,
        metavar="MEMORIES",
        help="faulty memories that are drawn at each bit error rate, each measured on "
        f"{MODULES_OF_A_MEMORY} of the modules",
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the faulty memories")
    parser.add_argument(
        "--flux",
        type=float,
        default=FLUX,
        metavar="PER_CM2_S",
        help="particles that can upset a bit, per cm2 and second (high-energy hadrons at the "
        "calorimeter's concentrators)",
    )
    parser.add_argument(
        "--cross-section",
        type=float,
        default=CROSS_SECTION,
        metavar="CM2",
        help="upset cross-section of a stored bit in cm2; the default is a round number of the "
        "order of a flip-flop's: take the measured one of your cells",
    )
    parser.add_argument(
        "--scrub",
        type=float,
        default=SCRUB_SECONDS,
        metavar="SECONDS",
        help="time after which all weights are written anew",
    )
    parser.add_argument(
        "--hours",
        type=float,
        default=RUN_HOURS,
        metavar="HOURS",
        help="length of a run after which the damage is given",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=THRESHOLD,
        metavar="HALF_PITCH",
        help="change of the mean distance from which on a flip counts as damage",
    )
    parser.add_argument(
        "--skipPlot", "--skip-plot", dest="skip_plot", action="store_true", help="draw no pictures"
    )


def run(arguments: argparse.Namespace) -> None:
    conditions = _conditions(arguments)
    stage = BY_NAME["upsets"]
    design = design_layout(arguments.build, arguments.model, DEFAULT_TARGET)
    layout = design.model
    file = layout.metrics("upsets")
    read = read_now(stage, design)
    model = studied_model(layout, conditions.modules)
    found = measure_upsets(layout, model, conditions)
    write_table(layout.upset_table, found.bits, found.damage, found.scores, model.numbers)
    write_arrays(layout.upset_arrays, found.bits, found.damage, found.scores, curve_arrays(found))
    if arguments.skip_plot:
        shutil.rmtree(layout.upset_plots, ignore_errors=True)
    else:
        from reports.pictures.gallery import write_gallery
        from reports.pictures.upsets import upset_gallery

        write_gallery(layout.upset_plots, upset_gallery(layout.upset_arrays, layout.folder.name))
    source = provenance(
        model_hash=file_hash(layout.network("encoder")),
        data_hash=file_hash(layout.validation),
        seed=conditions.seed,
        packages=("tf-keras", "qkeras", "POT"),
    )
    shutil.rmtree(layout.upset_blocks)
    write_results(stage, design, with_provenance(upset_metrics(found), source), read)
    for line in in_words(found):
        print(line)
    print(f"wrote {file}, {layout.upset_table.name} and pictures in {layout.upset_plots.name}")


def _conditions(arguments: argparse.Namespace) -> Conditions:
    require_at_least(2, arguments, "modules", "memories")
    require_at_least(0, arguments, "seed")
    for name in ("flux", "cross_section", "scrub", "hours", "threshold"):
        value = getattr(arguments, name)
        if not (math.isfinite(value) and value > 0):
            option = name.replace("_", "-")
            raise InputError(f"--{option} {value:g}: give a number above 0")
    return Conditions(
        modules=arguments.modules,
        memories=arguments.memories,
        seed=arguments.seed,
        exposure=Exposure(arguments.flux, arguments.cross_section),
        scrub=arguments.scrub,
        run=arguments.hours * 3600,
        threshold=arguments.threshold,
    )
