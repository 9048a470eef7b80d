"""The damage of every stored bit, block by block; finished blocks are kept and not done again."""

import json
import shutil
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flows.command_line.progress import progress
from hw.foundation.arrays import read_arrays
from hw.foundation.atomic_file import atomic_path, write_text
from hw.foundation.errors import InputError
from models.upsets.damage import Damage, Measure, in_order
from models.upsets.stored_bits import Block

if TYPE_CHECKING:  # Keras is slow to import
    from models.upsets.flippable_encoder import FlippableEncoder

_KEY = "key.json"
_ARRAYS = tuple(field.name for field in fields(Damage))


def measure_single_flips(
    encoder: "FlippableEncoder", measure: Measure, folder: Path, key: dict[str, str | int]
) -> Damage:
    """The damage of all bits, in the order of `encoder.bits`.

    Args:
        folder: keeps what is done after an interruption.
        key: what decides the figures; blocks of another key are not used.
    """
    _start(folder, key)
    blocks = encoder.blocks()
    found = []
    with progress("flips of single bits", len(encoder.bits)) as advance:
        for block in blocks:
            file = folder / f"{block.layer.replace('/', '_')}.{block.output}.npz"
            damage = _done_before(file, block)
            if damage is None:
                damage = measure.of_block(block)
                with atomic_path(file) as temporary:
                    np.savez(temporary, bits=block.bits, **damage.arrays())  # type: ignore[arg-type]
            found.append(damage)
            advance(len(block.bits))
    return in_order(encoder, blocks, found)


def _start(folder: Path, key: dict[str, str | int]) -> None:
    text = json.dumps(key, indent=1, sort_keys=True) + "\n"
    file = folder / _KEY
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        shutil.rmtree(folder, ignore_errors=True)
        write_text(file, text)


def _done_before(file: Path, block: Block) -> Damage | None:
    if not file.is_file():
        return None
    try:
        arrays = read_arrays(
            file, required=("bits", *_ARRAYS), shapes=dict.fromkeys(("bits", *_ARRAYS), ("n",))
        )
    except InputError:
        return None  # measured anew
    if not np.array_equal(arrays["bits"], block.bits):
        return None
    return Damage(**{name: arrays[name] for name in _ARRAYS})
