"""Train models of the zoo on module data, with the options of the reference's train.py."""

import argparse

from flows.evaluation.baselines import describe_baselines
from flows.layout import ModelLayout, model_layout
from flows.training.train_models import how_to_go_on, make_model, read_modules
from flows.training.train_options import add_arguments, check, request_of, specs_of
from hw.foundation.errors import InputError
from reports.metrics import Metric

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int | None:
    check(arguments)
    specs, request = specs_of(arguments), request_of(arguments)
    if arguments.evalOnly:
        _require_models([model_layout(request.build, spec.name) for spec in specs])
    modules = read_modules(request)
    figures = {}
    for spec in specs:
        try:
            figures[spec.name] = make_model(request, spec, modules)
        except KeyboardInterrupt:
            layout = model_layout(request.build, spec.name)
            print(f"\ninterrupted; {how_to_go_on(layout)}", flush=True)
            return 130
        if not arguments.trainOnly:
            from flows.evaluation.evaluation import evaluate

            metrics = evaluate(
                request.build,
                spec.name,
                full=arguments.full,
                skip_plot=arguments.skipPlot,
                baselines=arguments.full or not arguments.AEonly,
                elinks=request.elinks,
            )
            figures[spec.name] = [*figures[spec.name], *metrics]
            for line in describe_baselines(metrics):
                print(line)
    for name, metrics in figures.items():
        _print_result(name, metrics)
    return None


def _require_models(layouts: list[ModelLayout]) -> None:
    for layout in layouts:
        if not layout.settings.is_file():
            raise InputError(
                f"--evalOnly: there is no trained model in {layout.train}; train it first, without "
                "--evalOnly"
            )


def _print_result(name: str, metrics: list[Metric]) -> None:
    """One line of the figures that compare models."""
    values = {metric.name: metric.value for metric in metrics}
    shown = [
        f"{label} {values[key]:.5g}"
        for key, label in (
            ("train.val_loss", "val_loss"), ("emd.mean", "EMD"), ("emd.std", "EMD std")
        )
        if isinstance(values.get(key), int | float)
    ]  # fmt: skip
    print(f"{name}: {', '.join(shown)}")
