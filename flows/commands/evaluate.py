"""Measure how well the autoencoder compresses its validation modules, beside other algorithms."""

import argparse

from flows.command_line.options import add_model
from flows.evaluation.baselines import describe_baselines
from flows.evaluation.evaluation import MODULES, evaluate
from flows.evaluation.quality_metrics import mean_in_words
from flows.layout import model_layout
from models.networks.econ_t_formats import DEFAULT_ELINKS
from models.quality.baselines import BASELINE_ELINKS
from models.quality.measures import EMD_UNIT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--modules",
        type=int,
        default=MODULES,
        metavar="MODULES",
        help="largest number of validation modules, evenly spaced over all; 0 for all",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="all validation modules and all measures (else: without the EMD above a threshold, "
        "which takes as long as the EMD)",
    )
    parser.add_argument(
        "--nELinks",
        dest="elinks",
        type=int,
        choices=BASELINE_ELINKS,
        help="active eLinks that the other compression algorithms may use, 32 bits each; default: "
        f"those the model was trained for, else {DEFAULT_ELINKS}",
    )
    parser.add_argument(
        "--skipBaselines",
        "--skip-baselines",
        dest="skip_baselines",
        action="store_true",
        help="evaluate the autoencoder only, without the other compression algorithms",
    )
    parser.add_argument(
        "--skipPlot", "--skip-plot", dest="skip_plot", action="store_true", help="draw no pictures"
    )


def run(arguments: argparse.Namespace) -> None:
    metrics = evaluate(
        arguments.build,
        arguments.model,
        full=arguments.full,
        skip_plot=arguments.skip_plot,
        baselines=not arguments.skip_baselines,
        elinks=arguments.elinks,
        modules=arguments.modules,
    )
    layout = model_layout(arguments.build, arguments.model)
    found = {metric.name: metric for metric in metrics}
    mean = found["emd.mean"]
    if mean.value is None:
        print(f"EMD not measured: {mean.reason}")
    else:
        print(
            f"EMD {mean_in_words(mean.value, found['emd.standard_error'].value)} {EMD_UNIT}, "
            f"standard deviation {found['emd.std'].value:.4f}, "
            f"{found['emd.modules'].value} modules ({found['emd.empty'].value} empty ones apart)"
        )
    for line in describe_baselines(metrics):
        print(line)
    print(f"wrote {layout.metrics('evaluate')}")
