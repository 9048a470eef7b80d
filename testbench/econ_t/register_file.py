"""Register files (`init.yaml`): three layouts read into one record, two written.

- Blocks of the ECON-T-P1: `ECON-T: RW: BLOCK: registers: ...`, links counted.  The chip's register
  map itself has this form, each register's `value` beside mask and shift of its `params`.
- Sections of the ECON-T-P1: `Algorithm: Global: select` and so on, links counted.
- Sections of the production chip: `ConfigAlgo: Global: alg_type` and so on.  It counts the four
  trigger cells of an input link the other way round, and has one bit for each output link.

A register left out has the chip's reset value.  docs/econ_t_formats.md shows the layouts.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hw.foundation.atomic_file import write_text
from hw.foundation.errors import InputError
from hw.foundation.strict_config import read_yaml
from models.data.geometry import TRIGGER_CELLS
from testbench.econ_t.encoder_weights import BLOCK_BITS, BLOCKS, EncoderWeights
from testbench.econ_t.links import OUTPUT_LINKS
from testbench.econ_t.registers import Algorithm, Chip, Registers

_MASK_BITS = 144
_MASK_LOW_BITS = 16  # the output mask is mask_ae (its high 128 bits), then mask_ae2
_WEIGHT_BYTES = tuple(range(0, 129, 16))
_WEIGHT_BITS = {byte: 128 if byte < 128 else BLOCK_BITS - 128 * 8 for byte in _WEIGHT_BYTES}
WEIGHT_REGISTERS = BLOCKS * len(_WEIGHT_BYTES)
_EVERY = "*"  # in a key: all places, given by one value or by a list
_MISSPELT = 0.8  # likeness from which on an unknown key is taken for a misspelt one

# width of each register in bits, and of which there are several
_BITS = {
    "select": 3,
    "density": 1,
    "drop_lsb": 8,
    "eporttx_numen": 4,
    "active_etxs": OUTPUT_LINKS,
    "use_sum": 1,
    "stc_type": 3,
    "tx_sync_word": 11,
    "buff_t1": 16,
    "buff_t2": 16,
    "buff_t3": 8,
    "mask_ae": 128,
    "mask_ae2": _MASK_LOW_BITS,
    "mask_ae_bytes": _MASK_BITS,
    "keep_auto_encoder_bits": _MASK_BITS,
    "mux": 6,
    "cal": 12,
    "threshold": 24,
    **{f"weights_byte{byte}": bits for byte, bits in _WEIGHT_BITS.items()},
}
_PLACES = {
    "mux": TRIGGER_CELLS,
    "cal": TRIGGER_CELLS,
    "threshold": TRIGGER_CELLS,
    **{f"weights_byte{byte}": BLOCKS for byte in _WEIGHT_BYTES},
}

# the parameters packed in one register: name -> lowest bit
_CONFIG = {"eporttx_numen": 4, "use_sum": 2, "stc_type": 0}
_ALGO = {"select": 0, "density": 3}
# how the register map tells the place of a parameter, and what else it tells of a register
_PLACE_FORM = ("param_mask", "param_shift")
_REGISTER_FORM = ("value", "addr_offset", "addr_shift", "size_byte", "n_iterations")
_PACKED_SIZE = 8  # bits of such a register
_PACKED_BITS = {"eporttx_numen": 4, "use_sum": 1, "stc_type": 2, "select": 3, "density": 1}

_FORMATTER = ("tx_sync_word", "buff_t1", "buff_t2", "buff_t3", "mask_ae", "mask_ae2")
_WEIGHTS = {f"weights_byte{byte}": f"weights_byte{byte}" for byte in _WEIGHT_BYTES}
# block -> register in the file -> register here, or the parameters packed in it
_BLOCKS: dict[str, dict[str, str | dict[str, int]]] = {
    "FMTBUF_ALL": {**{name: name for name in (*_FORMATTER, *_CONFIG)}, "config": _CONFIG},
    "MFC_MUX_SELECT": {"mux_select_*": "mux"},
    "MFC_CAL_VAL": {"cal_*": "cal"},
    "MFC_ALGORITHM_SEL_DENSITY": {"algo": _ALGO, "select": "select", "density": "density"},
    "ALGO_THRESHOLD_VAL": {"threshold_val_*": "threshold"},
    "ALGO_DROPLSB": {"drop_lsb": "drop_lsb"},
}
_WEIGHT_BLOCK = re.compile(r"AUTOENCODER_(\d+|\*)INPUT")
_ALL_BLOCKS = [*_BLOCKS, "AUTOENCODER_*INPUT"]
_ALGORITHM = {
    "select": "select",
    "density": "density",
    "alg_type": "select",
    "alg_high_density": "density",
}
# section -> key in the file -> register here
_SECTIONS: dict[str, dict[str, str]] = {
    "Algorithm": _ALGORITHM,
    "ConfigAlgo": _ALGORITHM,
    "AlgoDroplsb": {"drop_lsb": "drop_lsb"},
    "FormatterBuffer": {
        **{name: name for name in (*_FORMATTER, *_CONFIG)},
        "active_etxs": "active_etxs",
        "keep_auto_encoder_bits": "keep_auto_encoder_bits",
        "link_reset_pattern": "tx_sync_word",
    },
}
_SECTIONS["FmtBuf"] = _SECTIONS["FormatterBuffer"]
_LIST_SECTIONS = {"Mux": "mux", "Cal": "cal", "AlgoThreshold": "threshold"}
# what only the production chip's files have: sections, and registers of a section
_PRODUCTION_SECTIONS = ("ConfigAlgo", "FmtBuf")
_PRODUCTION_REGISTERS = ("alg_type", "alg_high_density")
_ALL_SECTIONS = [*_SECTIONS, *_LIST_SECTIONS, "Encoder", "ECON-T"]

Path_ = tuple[Any, ...]


@dataclass
class _Found:
    """The registers found in one file, by name and place (0 where there is only one)."""

    file: Path
    lines: dict[Path_, int]
    chip: Chip = Chip.P1
    values: dict[str, dict[int, int]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)

    def ignore(self, path: Path_) -> None:
        self.ignored.append(".".join(str(part) for part in path))

    def fault(self, path: Path_, message: str) -> InputError:
        text = tuple(str(part) for part in path)
        line = next(
            (self.lines[text[:end]] for end in range(len(text), 0, -1) if text[:end] in self.lines),
            1,
        )
        key = f" key '{'.'.join(text)}':" if text else ""
        return InputError(f"{self.file}:{line}:{key} {message}")

    def mapping(self, value: Any, path: Path_) -> dict[Any, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.fault(path, f"expected a mapping of keys to values, found {value!r}")
        return value

    def number(self, value: Any, path: Path_) -> int:
        """An integer written as number or text; also as `value` or the only entry of a mapping."""
        if isinstance(value, dict):
            key = next((key for key in ("value", "param_value") if key in value), None)
            if key is None and len(value) == 1:
                key = next(iter(value))
            if key is not None:
                return self.number(value[key], (*path, key))
        if isinstance(value, int):
            return int(value)
        if isinstance(value, str):
            for base in (0, 10):
                try:
                    return int(value.replace("_", ""), base)
                except ValueError:
                    continue
        raise self.fault(path, f"expected an integer such as 5, 0x1f or 0b101, found {value!r}")

    def put(self, name: str, value: Any, path: Path_, place: int = 0) -> None:
        number = self.number(value, path)
        if not 0 <= number < 1 << _BITS[name]:
            raise self.fault(path, f"{number} is out of range: the register has {_BITS[name]} bits")
        self.values.setdefault(name, {})[place] = number

    def put_all(self, name: str, value: Any, path: Path_) -> None:
        """Store a register that there is several times: one value for all, a list or a mapping."""
        places = _PLACES[name]
        if isinstance(value, list):
            if len(value) != places:
                raise self.fault(path, f"expected {places} values, found {len(value)}")
            for place, item in enumerate(value):
                self.put(name, item, (*path, place), place)
        elif isinstance(value, dict):
            for key, item in value.items():
                if str(key) == _EVERY:
                    self.put_all(name, item, (*path, key))
                else:
                    self.put(name, item, (*path, key), self.place(key, places, path))
        else:
            for place in range(places):
                self.put(name, value, path, place)

    def place(self, key: Any, places: int, path: Path_) -> int:
        place = self.number(key, (*path, key))
        if not 0 <= place < places:
            raise self.fault((*path, key), f"there are places 0 to {places - 1} only")
        return place

    def one(self, name: str, default: int) -> int:
        return self.values.get(name, {}).get(0, default)

    def several(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        given = self.values.get(name, {})
        return tuple(given.get(place, value) for place, value in enumerate(default))


@dataclass(frozen=True)
class RegisterFile:
    """What a register file says.

    Attributes:
        registers: the settings of the data path.
        weight_registers: how many of the `WEIGHT_REGISTERS` it sets.
        ignored: keys that stand among the registers read here but are none of them.
    """

    registers: Registers
    weight_registers: int
    ignored: tuple[str, ...]


def read_register_file(file: Path | str) -> RegisterFile:
    """Read a register file of any of the layouts.

    Blocks and sections of other parts of the chip, and of other tools, are skipped.

    Raises:
        InputError: no such file, no ECON-T registers in it, a key much like a known one, or a value
            that does not fit its register.
    """
    file = Path(file)
    data, lines = read_yaml(file)
    found = _Found(file, lines)
    top = found.mapping(data, ())
    known = [key for key in top if _is_known(found, key, _ALL_SECTIONS, (key,))]
    if not known:
        raise InputError(f"{file}: no ECON-T registers found; known: {', '.join(_ALL_SECTIONS)}")
    if any(section in top for section in _PRODUCTION_SECTIONS):
        found.chip = Chip.PRODUCTION
    for section in known:
        _read_section(found, section, top[section])
    registers = _to_registers(found)
    weight_registers = sum(len(found.values.get(name, {})) for name in _WEIGHTS)
    return RegisterFile(registers, weight_registers, tuple(found.ignored))


def read_registers(file: Path | str) -> Registers:
    """The settings in a register file; raises InputError as `read_register_file` does."""
    return read_register_file(file).registers


def _is_known(found: _Found, key: Any, known: Iterable[str], path: Path_) -> bool:
    """Whether `key` is one of `known`; a misspelt one is an error, not a key of something else."""
    if str(key) in known:
        return True
    near = difflib.get_close_matches(str(key), known, n=1, cutoff=_MISSPELT)
    if near:
        raise found.fault(path, f"unknown key; did you mean '{near[0]}'?")
    return False


def _read_section(found: _Found, section: str, value: Any) -> None:
    if section == "ECON-T":
        path: Path_ = (section, "RW")
        blocks = found.mapping(found.mapping(value, (section,)).get("RW"), path)
        if not blocks:
            raise found.fault(path, "expected the register blocks here")
        for block, content in blocks.items():
            _read_block(found, str(block), content, (*path, block))
    elif section == "Encoder":
        for block, content in found.mapping(value, (section,)).items():
            _read_weights(found, str(block), content, (section, block))
    elif section in _LIST_SECTIONS:
        found.put_all(_LIST_SECTIONS[section], value, (section,))
    else:
        keys, path = _SECTIONS[section], (section,)
        if isinstance(value, dict) and "Global" in value:
            value, path = value["Global"], (section, "Global")
        if len(keys) == 1 and not isinstance(value, dict):  # AlgoDroplsb: Global: 3
            value = {next(iter(keys)): value}
        for key, item in found.mapping(value, path).items():
            here = (*path, key)
            if _is_known(found, key, keys, here):
                found.put(keys[key], item, here)
                if key in _PRODUCTION_REGISTERS:
                    found.chip = Chip.PRODUCTION
            else:
                found.ignore(here)


def _read_block(found: _Found, block: str, content: Any, path: Path_) -> None:
    weights = _WEIGHT_BLOCK.fullmatch(block)
    if not weights and not _is_known(found, block, _ALL_BLOCKS, path):
        return
    registers = found.mapping(found.mapping(content, path).get("registers"), (*path, "registers"))
    path = (*path, "registers")
    if weights:
        _read_weights(found, weights[1], registers, path)
        return
    known = _BLOCKS[block]
    for register, body in registers.items():
        here = (*path, register)
        numbered = re.fullmatch(r"(.*_)(\d+|\*)", str(register))
        target = known.get(f"{numbered[1]}{_EVERY}") if numbered else None
        if isinstance(target, str) and numbered:
            places = numbered[2] if numbered[2] == _EVERY else int(numbered[2])
            found.put_all(target, {places: _value(body)}, here)
            continue
        target = known[register] if _is_known(found, register, known, here) else None
        if isinstance(target, dict):
            _read_packed(found, target, body, here)
        elif target == "mask_ae" and _size_byte(found, body, here) * 8 == _MASK_BITS:
            found.put("mask_ae_bytes", _value(body), here)
        elif target:
            found.put(target, _value(body), here)
        else:
            found.ignore(here)


def _value(body: Any) -> Any:
    return body["value"] if isinstance(body, dict) and "value" in body else body


def _size_byte(found: _Found, body: Any, path: Path_) -> int:
    """Bytes of a register, where its file tells them; else 0."""
    if not isinstance(body, dict) or "size_byte" not in body:
        return 0
    return found.number(body["size_byte"], (*path, "size_byte"))


def _read_packed(found: _Found, parameters: dict[str, int], body: Any, path: Path_) -> None:
    """Read a register of several parameters: as a whole (`value`), one by one, or both.

    Parameters may stand in `params` or beside `value`.  One of which only mask and shift are given
    has its bits in `value`.
    """
    if not isinstance(body, dict):
        body = {"value": body}
    whole = "value" in body
    if whole:
        number = found.number(body["value"], (*path, "value"))
        if not 0 <= number < 1 << _PACKED_SIZE:
            raise found.fault(
                path, f"{number} is out of range: the register has {_PACKED_SIZE} bits"
            )
        for name, low in parameters.items():
            found.put(name, (number >> low) & ((1 << _PACKED_BITS[name]) - 1), path)
    within = (*path, "params") if "params" in body else path
    named = found.mapping(body.get("params", body), within)
    for name, value in named.items():
        here = (*within, name)
        if name in _REGISTER_FORM:
            continue
        if not _is_known(found, name, parameters, here):
            found.ignore(here)
        elif _gives_place_only(value):
            if not whole:
                raise found.fault(
                    here,
                    "gives mask and shift of a parameter, and neither its param_value nor the "
                    "register's value; add one of them",
                )
            _check_place(found, value, parameters[name], _PACKED_BITS[name], here)
        else:
            found.put(name, value, here)


def _gives_place_only(parameter: Any) -> bool:
    """Whether a parameter is given by its place in the register (mask, shift) without a value."""
    return isinstance(parameter, dict) and bool(parameter) and set(parameter) <= set(_PLACE_FORM)


def _check_place(found: _Found, parameter: Any, low: int, bits: int, path: Path_) -> None:
    """Check that the place of a parameter is the chip's."""
    for key, known in zip(_PLACE_FORM, ((1 << bits) - 1, low), strict=True):
        if key in parameter:
            number = found.number(parameter[key], (*path, key))
            if number != known:
                raise found.fault((*path, key), f"the chip has {known:#x} here, found {number:#x}")


def _read_weights(found: _Found, block: str, registers: Any, path: Path_) -> None:
    for register, body in found.mapping(registers, path).items():
        here = (*path, register)
        if not _is_known(found, register, _WEIGHTS, here):
            found.ignore(here)
        elif block == _EVERY:
            found.put_all(register, _value(body), here)
        else:
            found.put(register, _value(body), here, found.place(block, BLOCKS, path[:-1]))


def _to_registers(found: _Found) -> Registers:
    reset = Registers()
    mux = found.several("mux", reset.mux)
    for place, source in enumerate(mux):
        if source >= TRIGGER_CELLS:
            raise InputError(
                f"{found.file}: mux of trigger cell {place} selects input {source}; "
                f"there are inputs 0 to {TRIGGER_CELLS - 1}"
            )
    select = found.one("select", reset.algorithm)
    return Registers(
        chip=found.chip,
        algorithm=Algorithm(select) if select in list(Algorithm) else Algorithm.REPEATER,
        high_density=bool(found.one("density", reset.high_density)),
        mux=tuple(found.chip.select(source) for source in mux),
        calibration=found.several("cal", reset.calibration),
        threshold=found.several("threshold", reset.threshold),
        drop_lsb=found.one("drop_lsb", reset.drop_lsb),
        etx=_etx(found, reset.etx),
        stc_type=found.one("stc_type", reset.stc_type),
        use_sum=bool(found.one("use_sum", reset.use_sum)),
        sync_word=found.one("tx_sync_word", reset.sync_word),
        buffer_t1=found.one("buff_t1", reset.buffer_t1),
        buffer_t2=found.one("buff_t2", reset.buffer_t2),
        buffer_t3=found.one("buff_t3", reset.buffer_t3),
        output_mask=_output_mask(found, reset.output_mask),
        weights=_weights(found, required=select == Algorithm.AUTOENCODER),
    )


def _output_mask(found: _Found, default: int) -> int:
    if "keep_auto_encoder_bits" in found.values:
        return found.one("keep_auto_encoder_bits", default)
    high_bits = _MASK_BITS - _MASK_LOW_BITS
    # the register map has mask_ae and mask_ae2 as one register of 18 bytes, the lowest first
    both = found.one(
        "mask_ae_bytes", default >> _MASK_LOW_BITS | default % (1 << _MASK_LOW_BITS) << high_bits
    )
    high = found.one("mask_ae", both % (1 << high_bits))
    return high << _MASK_LOW_BITS | found.one("mask_ae2", both >> high_bits)


def _etx(found: _Found, default: int) -> int:
    """The output links in use; the ECON-T-P1's sections give their number by the mask's name."""
    active = found.one("active_etxs", 0)
    if "active_etxs" not in found.values or (found.chip is Chip.P1 and active <= OUTPUT_LINKS):
        count = active if "active_etxs" in found.values else found.one("eporttx_numen", default)
        if not 1 <= count <= OUTPUT_LINKS:
            raise InputError(
                f"{found.file}: {count} output links selected; the chip has 1 to {OUTPUT_LINKS}"
            )
        return count
    if active == 0 or active & (active + 1):
        raise InputError(
            f"{found.file}: active_etxs {active:#b} has one bit for each link; only links in a row "
            "from link 0 on are supported"
        )
    return active.bit_count()


def _weights(found: _Found, required: bool) -> EncoderWeights | None:
    if not required and not any(name in found.values for name in _WEIGHTS):
        return None
    reset = (0,) * BLOCKS
    columns = {byte: found.several(f"weights_byte{byte}", reset) for byte in _WEIGHT_BYTES}
    return EncoderWeights.from_blocks(
        tuple(
            sum(column[block] << (8 * byte) for byte, column in columns.items())
            for block in range(BLOCKS)
        )
    )


def write_registers(file: Path | str, registers: Registers) -> None:
    """Write `registers` in the layout of their chip, blocks of the ECON-T-P1 or sections of the
    production chip: the inverse of `read_registers`."""
    lines = _section_lines if registers.chip is Chip.PRODUCTION else _block_lines
    write_text(file, "\n".join(lines(registers)) + "\n")


def _section_lines(registers: Registers) -> Iterator[str]:
    yield from _section(
        "ConfigAlgo",
        {
            "alg_type": int(registers.algorithm),
            "alg_high_density": int(registers.high_density),
        },
    )
    mux = tuple(registers.chip.select(source) for source in registers.mux)
    for name, values in (
        ("Mux", mux),
        ("Cal", registers.calibration),
        ("AlgoThreshold", registers.threshold),
    ):
        yield f"{name}:"
        yield from (f" {place}: {value}" for place, value in enumerate(values))
    yield from _section("AlgoDroplsb", {"drop_lsb": registers.drop_lsb})
    yield from _section(
        "FormatterBuffer",
        {
            "active_etxs": f"{(1 << registers.etx) - 1:#x}",
            "use_sum": int(registers.use_sum),
            "stc_type": registers.stc_type,
            "link_reset_pattern": registers.sync_word,
            "buff_t1": registers.buffer_t1,
            "buff_t2": registers.buffer_t2,
            "buff_t3": registers.buffer_t3,
            "keep_auto_encoder_bits": f"{registers.output_mask:#x}",
        },
    )
    if registers.weights is None:
        return
    yield "Encoder:"
    for index, contents in enumerate(registers.weights.to_blocks()):
        yield f" {index}:"
        yield from (f"  {name}: {value}" for name, value in _weight_registers(contents).items())


def _section(name: str, values: Mapping[str, int | str]) -> Iterator[str]:
    yield f"{name}:"
    yield " Global:"
    yield from (f"  {register}: {value}" for register, value in values.items())


def _weight_registers(block: int) -> dict[str, str]:
    """The registers that hold one block of weights."""
    return {
        f"weights_byte{byte}": f"{(block >> (8 * byte)) & ((1 << bits) - 1):#x}"
        for byte, bits in _WEIGHT_BITS.items()
    }


def _block_lines(registers: Registers) -> Iterator[str]:
    yield "ECON-T:"
    yield " RW:"
    yield from _packed_block(
        "MFC_ALGORITHM_SEL_DENSITY",
        "algo",
        {"select": int(registers.algorithm), "density": int(registers.high_density)},
    )
    for block, register, values in (
        ("MFC_MUX_SELECT", "mux_select_*", registers.mux),
        ("MFC_CAL_VAL", "cal_*", registers.calibration),
        ("ALGO_THRESHOLD_VAL", "threshold_val_*", registers.threshold),
    ):
        yield from _block(block, {register: f"[{', '.join(map(str, values))}]"})
    yield from _block("ALGO_DROPLSB", {"drop_lsb": str(registers.drop_lsb)})
    low = registers.output_mask & ((1 << _MASK_LOW_BITS) - 1)
    yield from _block(
        "FMTBUF_ALL",
        {
            "tx_sync_word": f"{registers.sync_word:#x}",
            "buff_t1": str(registers.buffer_t1),
            "buff_t2": str(registers.buffer_t2),
            "buff_t3": str(registers.buffer_t3),
            "mask_ae": f"{registers.output_mask >> _MASK_LOW_BITS:#x}",
            "mask_ae2": f"{low:#x}",
        },
    )
    yield from _parameters(
        "config",
        {
            "eporttx_numen": registers.etx,
            "use_sum": int(registers.use_sum),
            "stc_type": registers.stc_type,
        },
    )
    if registers.weights is None:
        return
    for index, contents in enumerate(registers.weights.to_blocks()):
        yield from _block(f"AUTOENCODER_{index}INPUT", _weight_registers(contents))


def _block(name: str, values: dict[str, str]) -> Iterator[str]:
    yield f"  {name}:"
    yield "   registers:"
    for register, value in values.items():
        yield f"    {register}:"
        yield f"     value: {value}"


def _packed_block(name: str, register: str, parameters: dict[str, int]) -> Iterator[str]:
    yield f"  {name}:"
    yield "   registers:"
    yield from _parameters(register, parameters)


def _parameters(register: str, parameters: dict[str, int]) -> Iterator[str]:
    yield f"    {register}:"
    yield "     params:"
    for name, value in parameters.items():
        yield f"      {name}:"
        yield f"       param_value: {value}"
