"""The distance of a finished model and of the chip's other algorithms on any module data.

Nothing of the model's folder changes: what the report shows stays its validation modules.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from flows.artefacts.settings import ModelSettings, read_settings
from flows.artefacts.validation import Validation, read_validation
from flows.command_line.options import add_model
from flows.evaluation.evaluation import sent_bits
from flows.evaluation.reconstruction import reconstruct
from flows.layout import ModelLayout, cache_folder, model_layout
from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError
from models.data.dataset import load_modules
from models.data.selection import evenly_spaced
from models.quality.baselines import BASELINE_ELINKS
from models.quality.emd import emd
from models.quality.quality import OCCUPANCY_BINS, occupancy, profile, statistics
from reports.catalogue import algorithm_label
from reports.tables.algorithms import AUTOENCODER, bin_words
from testbench.econ_t import received
from testbench.econ_t.links import LINK_BITS

_NONE = "\u2014"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="DATA",
        help="module data: CSV files or folders of them; default: the model's validation modules",
    )
    parser.add_argument(
        "--above",
        type=float,
        default=0.0,
        metavar="COUNTS",
        help="leave out modules of a summed charge of so many CALQ counts or less (default: 0, "
        "the empty ones)",
    )
    parser.add_argument(
        "--modules",
        type=int,
        default=0,
        metavar="MODULES",
        help="at most so many modules of each data set, evenly spaced over all; 0 for all",
    )
    parser.add_argument(
        "--nELinks",
        dest="elinks",
        type=int,
        choices=BASELINE_ELINKS,
        help="eLinks of the other algorithms; default: those of the model",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write the table to FILE too; default: only print",
    )


@dataclass(frozen=True)
class _Row:
    """Distances of one algorithm, shape (n,), and the mean bits of a module's frame."""

    name: str
    bits: float | None
    distances: npt.NDArray[np.float64]


def run(arguments: argparse.Namespace) -> None:
    layout = model_layout(arguments.build, arguments.model)
    validation = read_validation(layout)
    settings = read_settings(layout)
    assert settings  # read_validation has found them
    elinks = arguments.elinks or settings.links
    sets = {str(file): _charges(file, layout) for file in arguments.files} or {
        "validation modules": validation.calq
    }
    networks, tables = _networks(layout), []
    for name, calq in sets.items():
        chosen = _chosen(name, calq, arguments.above, arguments.modules)
        own = _autoencoder(networks, settings, replace(validation, calq=chosen, eta=None))
        rows = [own, *_others(chosen, elinks)]
        tables.append(_markdown(f"{name}: {len(chosen)} modules", occupancy(chosen), rows, elinks))
    text = "\n\n".join(tables) + "\n"
    print(text, end="")
    if arguments.output:
        write_text(arguments.output, text)


def _charges(file: Path, layout: ModelLayout) -> npt.NDArray[np.float32]:
    return load_modules(file, cache=cache_folder(layout.folder.parent)).calq


def _chosen(
    name: str, calq: npt.NDArray[np.float32], above: float, most: int
) -> npt.NDArray[np.float32]:
    chosen = calq[calq.sum(axis=1) > above]
    if not len(chosen):
        raise InputError(f"{name}: no module has a charge above {above:g} CALQ counts")
    return chosen[evenly_spaced(len(chosen), most)] if most > 0 else chosen


def _networks(layout: ModelLayout) -> list[Any]:
    """Encoder and decoder."""
    from models.networks.network_files import load_network

    for part in ("encoder", "decoder"):
        if not layout.network(part).is_file():
            raise InputError(
                f"{layout.network(part)}: no such file, so nothing comes back to be compared; "
                f"python -m flows decoder --model {layout.folder.name} trains one"
            )
    return [load_network(layout.network(part)) for part in ("encoder", "decoder")]


def _autoencoder(networks: list[Any], settings: ModelSettings, modules: Validation) -> _Row:
    encoder, decoder = networks
    cells, latents = reconstruct(encoder, decoder, modules)
    return _Row(AUTOENCODER, sent_bits(settings, latents.shape[1]), emd(modules.calq, cells))


def _others(calq: npt.NDArray[np.float32], elinks: int) -> Iterator[_Row]:
    for name, send in received.algorithms(elinks).items():
        sent = send(calq)
        yield _Row(algorithm_label(name), float(sent.bits.mean()), emd(calq, sent.calq))


def _markdown(title: str, occupancies: npt.NDArray[np.int64], rows: list[_Row], elinks: int) -> str:
    """A table: bits and means of each algorithm, in all and in bins of occupancy."""
    edges = [(str(low), str(high)) for low, high in pairwise(OCCUPANCY_BINS)]
    bins = [bin_words("occupancy", *edge, last=edge == edges[-1]) for edge in edges]
    heads = ["algorithm", "bits", "modules", "mean", "standard error", *bins]
    lines = [
        f"{title}; EMD in half pitches as transmitted on {elinks} eLinks of {LINK_BITS} bits "
        "(estimate: measured on the Keras model), by trigger cells above 1 MIP_T",
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
    ]
    for row in rows:
        total = statistics(row.distances)
        means = [b.statistics.mean for b in profile(row.distances, occupancies, OCCUPANCY_BINS)]
        cells = [_number(mean) for mean in (total.mean, total.standard_error, *means)]
        bits = _NONE if row.bits is None else f"{row.bits:.0f}"
        lines.append(f"| {row.name} | {bits} | {total.count} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return _NONE if np.isnan(value) else f"{value:.3f}"
