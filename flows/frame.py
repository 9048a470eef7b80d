"""What every stage of the hardware does alike, around the measurement that it alone does.

A stage's module has `add_arguments(parser)`, `CANNOT` (the errors for which it cannot be done) and
`measure(stage, design, arguments)`.  The frame removes the metrics of an earlier run, lets the
stage measure, and writes what was found, or why nothing was, in one go; it tells the outcome in
one wording, and `--or-skip` leaves the verdict on it to the report.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType

from flows.artefacts.stage_results import metrics_file
from flows.command_line.options import check_options
from flows.layout import DesignLayout, design_layout
from flows.provenance import file_hash, provenance
from flows.stages import Scope, Stage
from hw.foundation.errors import CheckFailed
from reports.catalogue import Value, records
from reports.metrics import Metric, with_provenance, write_metrics


@dataclass(frozen=True)
class Found:
    """What a stage measured.

    Attributes:
        values: by metric name; of the stage's form, at its evidence level.
        reasons: why a metric has no value, by its name, where nothing is wrong.
        more: records of another level or form.
        failure: what is wrong, in words; None where nothing is.
        subject: what it is wrong with; empty for the design.
        told: lines for the reader, where nothing is wrong.
        packages: installed packages whose versions matter to the figures.
        tools: further tools with their versions.
        of_modules: the figures depend on the model's validation modules.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    more: tuple[Metric, ...] = ()
    failure: str | None = None
    subject: str = ""
    told: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    of_modules: bool = False


def run(stage: Stage, module: ModuleType, arguments: argparse.Namespace) -> None:
    """Carry out one stage.

    Raises:
        InputError: an option, or a file that an earlier stage left, cannot be used.
        CheckFailed: it found a difference; with `--or-skip` it is recorded and told only.
        Exception: one of the CANNOT of its module; with `--or-skip` it is recorded and told only.
    """
    check_options(arguments)
    design = design_layout(arguments.build, arguments.model, arguments.target)
    file = metrics_file(stage, design)
    file.unlink(missing_ok=True)
    try:
        found = module.measure(stage, design, arguments)
    except module.CANNOT as error:
        if not arguments.or_skip:
            raise
        _write(stage, design, arguments, Found(), str(error))
        print(f"{stage.name} skipped: {error}")
        return
    _write(stage, design, arguments, found, found.failure)
    if found.failure is None:
        for line in found.told:
            print(line)
        return
    message = f"{found.subject or design.name}: {found.failure}"
    if not arguments.or_skip:
        raise CheckFailed(message)
    print(f"error: {message}", file=sys.stderr)


def _write(
    stage: Stage,
    design: DesignLayout,
    arguments: argparse.Namespace,
    found: Found,
    reason: str | None,
) -> None:
    encoder = design.model.network("encoder")
    source = provenance(
        model_hash=None if stage.scope is Scope.FORM else file_hash(encoder),
        data_hash=file_hash(design.model.validation) if found.of_modules else None,
        seed=getattr(arguments, "seed", None),
        packages=found.packages,
        tools=dict(found.tools),
    )
    make = partial(records, evidence=stage.evidence, form=stage.form)
    metrics = [
        *(m for name, why in found.reasons.items() for m in make({}, names=(name,), reason=why)),
        *make(
            found.values,
            names=[name for name in stage.records if name not in found.reasons],
            reason=reason,
        ),
        *found.more,
    ]
    write_metrics(metrics_file(stage, design), with_provenance(metrics, source))
