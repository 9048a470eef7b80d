"""What every stage of the hardware does alike, around the measurement that it alone does.

A stage's module has `add_arguments(parser)`, `CANNOT` (the errors for which it cannot be done) and
`measure(stage, design, arguments)`.  The frame lets the stage measure, and writes what was found,
or why nothing was, in one go, sealed with what was read; until then the results of an earlier run
stay.  It tells the outcome in one wording, and `--or-skip` leaves the verdict on it to the report.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType

from flows.artefacts.judged_target import judged_target
from flows.artefacts.seals import Hashes, read_now, write_results
from flows.command_line.options import check_options
from flows.layout import DesignLayout, design_layout
from flows.provenance import file_hash, provenance
from flows.stages import Scope, Stage
from hw.foundation.errors import CheckFailed, InputError
from reports.catalogue import Value, records
from reports.metrics import Metric, with_provenance


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
        InputError: an option, or a file that an earlier stage left, cannot be used, or changed
            while the stage read it.
        CheckFailed: it found a difference; with `--or-skip` it is recorded and told only.
        Exception: one of the CANNOT of its module; with `--or-skip` it is recorded and told only.
    """
    check_options(arguments)
    design = design_layout(arguments.build, arguments.model, arguments.target)
    judged_target(arguments.target)  # a misspelt budget is told before any work
    read = read_now(stage, design)
    try:
        found = module.measure(stage, design, arguments)
    except module.CANNOT as error:
        if not arguments.or_skip:
            raise
        _write(stage, design, arguments, Found(), str(error), read=read)
        print(f"{stage.name} skipped: {error}")
        return
    _require_unchanged(stage, design, read)
    _write(stage, design, arguments, found, found.failure, read=read)
    if found.failure is None:
        for line in found.told:
            print(line)
        return
    message = f"{found.subject or design.name}: {found.failure}"
    if not arguments.or_skip:
        raise CheckFailed(message)
    print(f"error: {message}", file=sys.stderr)


def _require_unchanged(stage: Stage, design: DesignLayout, read: Hashes) -> None:
    """What was measured is what lay there from the first to the last moment."""
    now = read_now(stage, design)
    if changed := [label for label in {**read, **now} if read.get(label) != now.get(label)]:
        raise InputError(
            f"{changed[0]} changed while the {stage.name} stage was at work, so nothing was "
            "written; run it again"
        )


def _write(
    stage: Stage,
    design: DesignLayout,
    arguments: argparse.Namespace,
    found: Found,
    reason: str | None,
    *,
    read: Hashes,
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
    write_results(stage, design, with_provenance(metrics, source), read)
