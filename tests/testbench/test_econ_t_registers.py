"""Register files of the ECON-T: layouts, spellings, faults, and weights to the bit and back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.__main__ import main
from hw.foundation.errors import InputError
from testbench.econ_t.encoder_weights import BLOCK_BITS, BLOCKS, EncoderWeights
from testbench.econ_t.register_file import read_register_file, read_registers, write_registers
from testbench.econ_t.registers import (
    Algorithm,
    Chip,
    Registers,
    autoencoder_registers,
    encoder_cells,
    latent_mask,
)
from testbench.econ_t.weight_file import read_weights, write_weights

CASES = Path(__file__).parents[3] / "shared" / "cases" / "registers"
SHAPES = {
    "conv_kernel": (3, 3, 1, 8),
    "conv_bias": (8,),
    "dense_kernel": (128, 16),
    "dense_bias": (16,),
}


def random_weights(seed: int) -> EncoderWeights:
    random = np.random.default_rng(seed)
    return EncoderWeights(*(random.integers(-32, 32, shape) for shape in SHAPES.values()))


def read(tmp_path: Path, text: str) -> Registers:
    file = tmp_path / "init.yaml"
    file.write_text(text)
    return read_registers(file)


# weights -------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 2**BLOCK_BITS - 1), min_size=BLOCKS, max_size=BLOCKS))
@settings(max_examples=25)
def test_register_bits_and_weights_are_inverse(blocks: list[int]) -> None:
    assert EncoderWeights.from_blocks(tuple(blocks)).to_blocks() == tuple(blocks)


def test_weights_are_laid_out_from_the_lowest_bit() -> None:
    arrays = {name: np.zeros(shape, dtype=int) for name, shape in SHAPES.items()}
    arrays["conv_kernel"][0, 0, 0, 1] = 5  # second weight
    arrays["conv_bias"][0] = -1  # weight 72
    arrays["dense_kernel"][1, 0] = -32  # weight 80 + 1: outputs are the slower index
    arrays["dense_kernel"][0, 1] = 7  # weight 80 + 128
    arrays["dense_bias"][15] = 31  # the last one
    everything = sum(
        block << (BLOCK_BITS * index)
        for index, block in enumerate(EncoderWeights(**arrays).to_blocks())
    )
    expected = {1: 5, 72: 63, 81: 32, 208: 7, 2143: 31}
    assert everything == sum(code << (6 * place) for place, code in expected.items())


def test_weights_off_the_grid_are_refused() -> None:
    values = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    values["conv_kernel"][2, 0, 0, 3] = 31 / 32
    values["dense_bias"][4] = -1.0
    codes = EncoderWeights.from_values(**values)
    assert codes.conv_kernel[2, 0, 0, 3] == 31 and codes.dense_bias[4] == -32
    for name, index, value, message in (
        ("conv_kernel", (1, 2, 0, 7), 1.0, r"layer 'c1' kernel\[1, 2, 0, 7\] = 1 is outside"),
        ("conv_bias", (3,), float("nan"), r"layer 'c1' bias\[3\] = nan is outside"),
        ("dense_kernel", (127, 15), -1.03125, r"'d1' kernel\[127, 15\] = -1.03125 is outside"),
        ("conv_bias", (2,), np.nextafter(31 / 32, 1), r"bias\[2\] = 0.9687500000000001 is outside"),
        ("dense_bias", (0,), 1 / 64, r"'d1' bias\[0\] = 0.015625 is not a multiple of 1/32"),
    ):
        faulty = {key: array.copy() for key, array in values.items()}
        faulty[name][index] = value
        with pytest.raises(InputError, match=message):
            EncoderWeights.from_values(**faulty, conv="c1", dense="d1")


def test_weights_of_another_network_are_refused() -> None:
    arrays = dict(random_weights(0).arrays())
    with pytest.raises(InputError, match=r"dense_kernel: .* shape \(128, 16\), found \(64, 16\)"):
        EncoderWeights(**{**arrays, "dense_kernel": np.zeros((64, 16), dtype=int)})
    with pytest.raises(InputError, match=r"conv_bias\[2\] = 32 is outside -32 to 31"):
        EncoderWeights(**{**arrays, "conv_bias": np.array([0, 0, 32, 0, 0, 0, 0, 0])})
    with pytest.raises(InputError, match="expected integer codes"):
        EncoderWeights(**{**arrays, "conv_bias": np.zeros(8)})


def test_weight_archive(tmp_path) -> None:
    weights = random_weights(1)
    write_weights(tmp_path / "w.npz", weights)
    assert read_weights(tmp_path / "w.npz") == weights
    values = {name: codes / 32 for name, codes in weights.arrays().items()}
    np.savez(tmp_path / "values.npz", **values)
    assert read_weights(tmp_path / "values.npz") == weights
    del values["conv_bias"]
    np.savez(tmp_path / "less.npz", **values)
    with pytest.raises(InputError, match="array 'conv_bias' is missing"):
        read_weights(tmp_path / "less.npz")
    (tmp_path / "text.npz").write_text("no archive")
    for name in ("text.npz", "none.npz"):
        with pytest.raises(InputError, match=name):
            read_weights(tmp_path / name)


# register files ------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(
    st.permutations(range(48)),
    st.lists(st.integers(0, 4095), min_size=48, max_size=48),
    st.integers(0, 2**144 - 1),
    st.integers(0, 2**32 - 1),
)
def test_written_registers_are_read_back(tmp_path_factory, mux, cal, mask, seed) -> None:
    registers = Registers(
        chip=list(Chip)[seed >> 2 & 1],
        algorithm=Algorithm.AUTOENCODER,
        high_density=bool(seed & 1),
        mux=tuple(mux),
        calibration=tuple(cal),
        threshold=tuple(cal[::-1]),
        drop_lsb=seed % 5,
        etx=1 + seed % 13,
        stc_type=seed % 4,
        use_sum=bool(seed & 2),
        sync_word=seed % 2048,
        buffer_t1=seed % 400,
        buffer_t2=seed % 500,
        buffer_t3=seed % 50,
        output_mask=mask,
        weights=random_weights(seed),
    )
    file = tmp_path_factory.mktemp("registers") / "init.yaml"
    write_registers(file, registers)
    assert read_registers(file) == registers


def test_what_is_left_out_has_its_reset_value(tmp_path) -> None:
    empty = read(tmp_path, "ECON-T:\n RW:\n  ERX_ALL: {}\n")
    assert empty == Registers()
    assert (empty.etx, empty.use_sum, empty.stc_type, empty.sync_word) == (2, True, 1, 0x70F)
    assert (empty.buffer_t1, empty.buffer_t2, empty.buffer_t3) == (48, 511, 0)
    assert empty.output_mask == 2**144 - 1 and empty.calibration == (2048,) * 48


BLOCKS_TEXT = """
i2c: {emulator_addr: 1}
ECON-T:
 RW:
  MFC_ALGORITHM_SEL_DENSITY: {registers: {algo: {params: {select: {param_value: 4},
                                                          density: {param_value: '0b1'}}}}}
  MFC_MUX_SELECT: {registers: {mux_select_*: {value: 7}, mux_select_3: {value: '0x1_1'}}}
  MFC_CAL_VAL: {registers: {cal_*: {value: {'5': 1_000}}}}
  ALGO_THRESHOLD_VAL: {registers: {threshold_val_*: {value: 47}}}
  ALGO_DROPLSB: {registers: {drop_lsb: {value: 3}}}
  FMTBUF_ALL:
   registers:
    mask_ae: {value: 0xffff_0000_ffff_0000_ffff_0000_ffff_0000}
    mask_ae2: {value: "1"}
    config: {params: {eporttx_numen: {param_value: 0xd}, use_sum: {param_value: 0}}}
  AUTOENCODER_2INPUT: {registers: {weights_byte128: {value: '0x3f'}}}
"""


def test_block_layout(tmp_path) -> None:
    registers = read(tmp_path, BLOCKS_TEXT)
    assert registers.algorithm is Algorithm.AUTOENCODER and registers.high_density
    assert registers.mux == (7, 7, 7, 17, *(7,) * 44)
    assert registers.calibration[5] == 1000 and registers.calibration[6] == 2048
    assert registers.threshold == (47,) * 48 and registers.drop_lsb == 3
    assert registers.output_mask == (0xFFFF_0000_FFFF_0000_FFFF_0000_FFFF_0000 << 16) | 1
    assert registers.etx == 13 and not registers.use_sum and registers.stc_type == 1
    assert registers.weights is not None
    assert registers.weights.to_blocks()[2] == 0x3F << 1024


@pytest.mark.parametrize(
    "spelling",
    [
        "eporttx_numen: {value: 6}",
        "eporttx_numen: 6",
        "config: {eporttx_numen: {param_value: 6}}",
        "config: {value: 0x60}",
        "config: 0b0110_0000",
    ],
)
def test_spellings_of_the_links_in_use(tmp_path, spelling: str) -> None:
    text = f"ECON-T: {{RW: {{FMTBUF_ALL: {{registers: {{{spelling}}}}}}}}}"
    assert read(tmp_path, text).etx == 6


PLACES = (
    "{eporttx_numen: {param_mask: 0x0F, param_shift: 4}, "
    "use_sum: {param_mask: 1, param_shift: 2}, stc_type: {param_mask: 3, param_shift: 0}}"
)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (f"{{value: 0x69, params: {PLACES}}}", (6, False, 1)),
        (
            "{value: 0x25, params: {eporttx_numen: {param_mask: 0x0F, param_shift: 4}}}",
            (2, True, 1),
        ),
        (f"{{value: [0x2_5], params: {PLACES}}}", None),
        ("{value: 0x25, params: {use_sum: {param_mask: 1, param_value: 0}}}", (2, False, 1)),
        ("{addr_offset: 7, size_byte: 1, value: 0x62, params: {}}", (6, False, 2)),
        ("{value: 0x25, params: }", (2, True, 1)),
        ("{value: 0x62, use_sum: {param_value: 1}}", (6, True, 2)),
    ],
)
def test_a_registers_value_beside_its_parameters(tmp_path, config, expected) -> None:
    text = f"ECON-T: {{RW: {{FMTBUF_ALL: {{registers: {{config: {config}}}}}}}}}"
    if expected is None:
        with pytest.raises(InputError, match=r"config\.value': expected an integer"):
            read(tmp_path, text)
        return
    registers = read(tmp_path, text)
    assert (registers.etx, registers.use_sum, registers.stc_type) == expected


def register_map(weights: EncoderWeights) -> dict:
    """A register map of the whole chip in its own form: every register with its value."""
    places = {
        "eporttx_numen": {"param_mask": 15, "param_shift": 4},
        "use_sum": {"param_mask": 1, "param_shift": 2},
        "stc_type": {"param_mask": 3, "param_shift": 0},
    }
    mask = latent_mask(5)
    blocks = {
        "CH_ALIGNER_*INPUT_ALL": {"config": {"value": 0, "params": {"patt_en": places["use_sum"]}}},
        "FMTBUF_ALL": {
            "tx_sync_word": {"size_byte": 2, "value": 0x122},
            "buff_t1": {"addr_offset": 2, "size_byte": 2, "value": 338},
            "buff_t3": {"addr_offset": 6, "value": 25},
            "config": {"addr_offset": 7, "value": 0xD2, "params": places},
            "mask_ae": {
                "addr_offset": 8,
                "size_byte": 18,
                "value": mask >> 16 | (mask & 0xFFFF) << 128,
            },
        },
        "MFC_MUX_SELECT": {
            "mux_select_*": {
                "addr_shift": 1,
                "n_iterations": 48,
                "param_mask": 63,
                "param_shift": 0,
                "value": list(range(47, -1, -1)),
            }
        },
        "MFC_CAL_VAL": {"cal_*": {"size_byte": 2, "n_iterations": 48, "value": [300] * 48}},
        "MFC_ALGORITHM_SEL_DENSITY": {
            "algo": {
                "value": 0xC,
                "params": {
                    "select": {"param_mask": 7, "param_shift": 0},
                    "density": {"param_mask": 1, "param_shift": 3},
                },
            }
        },
        "ALGO_THRESHOLD_VAL": {"threshold_val_*": {"size_byte": 3, "value": [47] * 48}},
        "ALGO_DROPLSB": {"drop_lsb": {"value": 3}},
        "ERX_ALL": {"config_ch_*": {"value": [5] * 12, "params": {"enable": places["use_sum"]}}},
        "MISC_ALL": {"misc_rw_0": {"value": 0, "params": {"run": places["use_sum"]}}},
    }
    for index, registers in encoder_section(weights).items():
        blocks[f"AUTOENCODER_{index}INPUT"] = {
            name: {"size_byte": 16, "value": value} for name, value in registers.items()
        }
    written = {
        name: {"addr_base": 0x100, "registers": registers} for name, registers in blocks.items()
    }
    status = {"FMTBUF_ALL": {"registers": {"buffer_out_err": {"value": 0}}}}
    return {"ECON-T": {"ninput": 12, "noutput": 13, "RW": written, "RO": status, "WO": {}}}


def test_a_whole_register_map_is_read(tmp_path) -> None:
    weights = random_weights(4)
    (tmp_path / "map.yaml").write_text(yaml.dump(register_map(weights)))
    found = read_register_file(tmp_path / "map.yaml")
    assert found.weight_registers == 108 and found.ignored == ()
    assert found.registers == Registers(
        algorithm=Algorithm.AUTOENCODER,
        high_density=True,
        mux=tuple(range(47, -1, -1)),
        calibration=(300,) * 48,
        threshold=(47,) * 48,
        drop_lsb=3,
        etx=13,
        stc_type=2,
        use_sum=False,
        sync_word=0x122,
        buffer_t1=338,
        buffer_t3=25,
        output_mask=latent_mask(5),
        weights=weights,
    )


def test_the_map_of_all_weights_of_every_block(tmp_path) -> None:
    block = "AUTOENCODER_*INPUT: {block_shift: 143, registers: {weights_byte0: {value: 0x1}}}"
    found = read(tmp_path, f"ECON-T: {{RW: {{{block}}}}}")
    assert found.weights is not None
    assert found.weights.to_blocks() == (1,) * 12


@pytest.mark.skipif(not CASES.is_dir(), reason="needs the register files in ../shared/cases")
@pytest.mark.shared
def test_the_shared_register_file_is_read() -> None:
    found = read_register_file(CASES / "params_beside_value.yaml")
    assert found.registers.etx == 2 and found.registers.use_sum
    assert found.registers.weights is not None
    assert found.registers.weights.to_blocks() == (1, *(0,) * 11)
    assert (found.weight_registers, found.ignored) == (1, ())


def sections(algorithm: str, active: str, more: str = "") -> str:
    return (
        f"{algorithm}\nFormatterBuffer: {{Global: {{active_etxs: {active}, stc_type: 2}}}}\n{more}"
    )


OLDER = "Algorithm: {Global: {select: 1, density: 1}}"
PRODUCTION = "ConfigAlgo: {Global: {alg_type: 1, alg_high_density: 1}}"


@pytest.mark.parametrize(
    ("algorithm", "active", "etx"),
    [
        (OLDER, "13", 13),
        (OLDER, "3", 3),
        (OLDER, "0x1F", 5),
        (PRODUCTION, "0x1FFF", 13),
        (PRODUCTION, "3", 2),
        (PRODUCTION, "'0x1'", 1),
    ],
)
def test_links_in_use_are_counted_or_masked(tmp_path, algorithm, active, etx) -> None:
    registers = read(tmp_path, sections(algorithm, active))
    assert registers.etx == etx and registers.stc_type == 2
    assert registers.algorithm is Algorithm.SUPER_TRIGGER_CELL and registers.high_density


def test_production_chip_numbers_a_links_cells_backwards(tmp_path) -> None:
    identity = "Mux: {" + ", ".join(f"{place}: {place}" for place in range(48)) + "}"
    assert read(tmp_path, sections(OLDER, "1", identity)).mux == tuple(range(48))
    assert read(tmp_path, sections(PRODUCTION, "1", identity)).mux[:8] == (3, 2, 1, 0, 7, 6, 5, 4)


@pytest.mark.parametrize(
    ("text", "chip"),
    [
        ("Algorithm: {Global: {select: 2}}\nFormatterBuffer: {Global: {active_etxs: 3}}", "p1"),
        ("ECON-T: {RW: {ALGO_DROPLSB: {registers: {drop_lsb: 3}}}}", "p1"),
        ("ConfigAlgo: {Global: {alg_type: 2}}\nFormatterBuffer: {active_etxs: 3}", "production"),
        ("Algorithm: {Global: {select: 2}}\nFmtBuf: {Global: {active_etxs: 3}}", "production"),
        ("Algorithm: {Global: {alg_type: 2}}\nFormatterBuffer: {active_etxs: 3}", "production"),
        ("Algorithm: {Global: {alg_high_density: 1}}\nMux: {0: 0}", "production"),
    ],
)
def test_the_chip_is_told_by_its_registers(tmp_path, text, chip) -> None:
    registers = read(tmp_path, text)
    assert registers.chip is Chip(chip)
    assert registers.mux[0] == (0 if chip == "p1" else 3)
    if "active" in text:
        assert registers.etx == (3 if chip == "p1" else 2)  # a number of links, or a mask


def encoder_section(weights: EncoderWeights) -> dict[int, dict[str, int]]:
    low = 2**128 - 1
    return {
        index: {f"weights_byte{byte}": (block >> (8 * byte)) & low for byte in range(0, 129, 16)}
        for index, block in enumerate(weights.to_blocks())
    }


def test_the_three_layouts_say_the_same(tmp_path) -> None:
    mask = latent_mask(5)
    blocks = replace(autoencoder_registers(random_weights(9), etx=3), output_mask=mask, drop_lsb=0)
    write_registers(tmp_path / "blocks.yaml", blocks)
    assert blocks.weights is not None
    older = {
        "Algorithm": {"Global": {"select": 4, "density": 1}},
        "Cal": dict.fromkeys(range(48), 2048),
        "Mux": dict(enumerate(blocks.mux)),
        "Encoder": encoder_section(blocks.weights),
        "FormatterBuffer": {
            "Global": {"active_etxs": 3, "mask_ae": mask >> 16, "mask_ae2": mask & 0xFFFF}
        },
    }
    production = {
        "ConfigAlgo": {"Global": {"alg_type": 4, "alg_high_density": 1}},
        "Mux": {place: source ^ 3 for place, source in enumerate(blocks.mux)},
        "Encoder": encoder_section(blocks.weights),
        "FormatterBuffer": {"Global": {"active_etxs": 0b111, "keep_auto_encoder_bits": mask}},
    }
    for name, content, chip in (
        ("older", older, Chip.P1),
        ("production", production, Chip.PRODUCTION),
    ):
        (tmp_path / f"{name}.yaml").write_text(yaml.dump(content))
        found = read_registers(tmp_path / f"{name}.yaml")
        assert found == replace(blocks, chip=chip), name
    assert read_registers(tmp_path / "blocks.yaml") == blocks


@pytest.mark.parametrize(
    ("text", "drop"),
    [
        ("AlgoDroplsb: {Global: 3}", 3),
        ("AlgoDroplsb: {Global: {drop_lsb: 2}}", 2),
        ("AlgoDroplsb: {drop_lsb: '0x1'}", 1),
        ("AlgoDroplsb: 4", 4),
    ],
)
def test_spellings_of_drop_lsb(tmp_path, text: str, drop: int) -> None:
    assert read(tmp_path, f"{OLDER}\n{text}").drop_lsb == drop


def test_sections_with_weights(tmp_path) -> None:
    text = f"""
{PRODUCTION}
Cal: {{0: 1, '1': 0x2, '47': 0b11}}
AlgoThreshold: {{'*': 47, 3: 5}}
Mux: [{", ".join(["0"] * 48)}]
Encoder: {{0: {{weights_byte0: 1}}, '11': {{weights_byte16: 0x2}}}}
FmtBuf: {{Global: {{eporttx_numen: 4, keep_auto_encoder_bits: 0xF, link_reset_pattern: 290}}}}
"""
    registers = read(tmp_path, text)
    assert registers.calibration == (1, 2, *(2048,) * 45, 3)
    assert registers.threshold == (47, 47, 47, 5, *(47,) * 44)
    assert registers.mux == (3,) * 48 and registers.etx == 4
    assert registers.output_mask == 15 and registers.sync_word == 290
    assert registers.weights is not None
    assert registers.weights.to_blocks() == (1, *(0,) * 10, 2 << 128)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no ECON-T registers found"),
        ("- 1", "expected a mapping"),
        ("ECON-T: {}", r"key 'ECON-T.RW': expected the register blocks"),
        ("ConfigAlg: {Global: {alg_type: 1}}", "did you mean 'ConfigAlgo'"),
        (f"{OLDER}\nFormatterBuffer:\n  Global:\n    active_etx: 3", ":4: .*'active_etxs'"),
        (f"{OLDER}\nCal: [1, 2]", "key 'Cal': expected 48 values, found 2"),
        (f"{OLDER}\nCal: {{48: 1}}", "key 'Cal.48': there are places 0 to 47"),
        (f"{OLDER}\nCal: {{x: 1}}", "expected an integer"),
        (f"{OLDER}\nCal:\n  0: 4096", ":3: key 'Cal.0': 4096 is out of range: .* 12 bits"),
        (f"{OLDER}\nCal: {{0: 1.5}}", "expected an integer such as"),
        (f"{OLDER}\nCal: {{0: }}", "expected an integer such as"),
        (f"{OLDER}\nMux: {{0: 48}}", "mux of trigger cell 0 selects input 48"),
        (f"{OLDER}\nMux: {{0: -1}}", "out of range"),
        (sections(OLDER, "0"), "0 output links selected"),
        (sections(PRODUCTION, "5"), "active_etxs 0b101"),
        (sections(PRODUCTION, "0x2000"), "out of range"),
        ("Algorithm: {Global: 3}", "expected a mapping"),
        ("ECON-T: {RW: {FMTBUF_ALL: {registers: {mask_ae: {value: x}}}}}", "'x'"),
        ("ECON-T: {RW: {FMTBUF_ALL: {registers: {mask_ea: 1}}}}", "did you mean 'mask_ae'"),
        ("ECON-T: {RW: {AUTOENCODER_12INPUT: {registers: {weights_byte0: 1}}}}", "places 0 to 11"),
        (
            "ECON-T: {RW: {FMTBUF_ALL: {registers: {config: {params: "
            "{use_sum: {param_mask: 1, param_shift: 2}}}}}}}",
            r"config\.params\.use_sum': gives mask and shift .*add one of them",
        ),
        (
            "ECON-T: {RW: {FMTBUF_ALL: {registers: {config: {value: 5, params: "
            "{use_sum: {param_mask: 1, param_shift: 3}}}}}}}",
            r"use_sum\.param_shift': the chip has 0x2 here, found 0x3",
        ),
        (
            "ECON-T: {RW: {FMTBUF_ALL: {registers: {config: {value: 0x125}}}}}",
            "293 is out of range: the register has 8 bits",
        ),
        (
            "ECON-T: {RW: {FMTBUF_ALL: {registers: {mask_ae: "
            "{size_byte: 16, value: 0x1_0000_0000_0000_0000_0000_0000_0000_0000}}}}}",
            "out of range: the register has 128 bits",
        ),
        (f"{OLDER}\n{OLDER}", "given twice"),
        ("Algorithm: [", "not valid YAML"),
        ("Cal: {0: 2024-99-99}", "not valid YAML"),
    ],
)
def test_faults_are_told(tmp_path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_binary_file_is_told(tmp_path) -> None:
    (tmp_path / "init.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match=r"init\.yaml"):
        read_registers(tmp_path / "init.yaml")


def test_unknown_registers_are_named(tmp_path) -> None:
    (tmp_path / "init.yaml").write_text(f"{OLDER}\nFmtBuf: {{Global: {{colour: 3}}}}")
    assert read_register_file(tmp_path / "init.yaml").ignored == ("FmtBuf.Global.colour",)


def test_selectors_5_to_7_repeat_and_drops_above_4_mean_0(tmp_path) -> None:
    repeater = read(tmp_path, "Algorithm: {Global: {select: 6}}")
    assert repeater.algorithm is Algorithm.REPEATER
    assert replace(repeater, drop_lsb=5).effective_drop_lsb == 0
    assert replace(repeater, drop_lsb=4).effective_drop_lsb == 4


# what the encoder is given -------------------------------------------------------------------


def test_latent_mask_keeps_the_highest_bits() -> None:
    assert latent_mask(9) == 2**144 - 1
    assert latent_mask(3) & 0x1FF == 0b111_000_000
    assert latent_mask(3).bit_count() == 48


def test_autoencoder_registers_take_each_cell_once() -> None:
    registers = autoencoder_registers(random_weights(0), etx=2)
    assert sorted(registers.mux) == list(range(48)) == sorted(encoder_cells())
    assert registers.output_mask == latent_mask(3)
    assert autoencoder_registers(random_weights(0), etx=7).output_mask == latent_mask(9)
    with pytest.raises(ValueError, match="etx"):
        autoencoder_registers(random_weights(0), etx=14)


# the command ---------------------------------------------------------------------------------


def test_export_and_import_are_inverse(tmp_path, capsys) -> None:
    weights = random_weights(7)
    archive, file, again = (str(tmp_path / name) for name in ("w.npz", "init.yaml", "again.npz"))
    write_weights(archive, weights)
    assert main(["registers", "export", "--weights", archive, file]) == 0
    assert main(["registers", "import", file, "--out", again]) == 0
    assert read_weights(again) == weights
    registers = read_registers(file)
    assert registers == autoencoder_registers(weights)
    template = str(tmp_path / "template.yaml")
    Path(template).write_text(BLOCKS_TEXT)
    assert main(["registers", "export", "--weights", archive, "--registers", template, file]) == 0
    assert read_registers(file) == replace(read_registers(template), weights=weights)
    options = ["--etx", "3", "--latent-bits", "4"]
    assert main(["registers", "export", "--weights", archive, *options, file]) == 0
    assert read_registers(file).etx == 3
    assert read_registers(file).output_mask == latent_mask(4)


def test_export_writes_the_layout_of_the_chip(tmp_path, capsys) -> None:
    archive, file = str(tmp_path / "w.npz"), str(tmp_path / "init.yaml")
    again = str(tmp_path / "again.yaml")
    write_weights(archive, random_weights(7))
    export = ["registers", "export", "--weights", archive]
    assert main([*export, "--chip", "production", "--etx", "3", file]) == 0
    found = read_registers(file)
    assert Path(file).read_text().startswith("ConfigAlgo:")
    assert found == replace(autoencoder_registers(random_weights(7), 3), chip=Chip.PRODUCTION)
    assert main([*export, "--registers", file, again]) == 0
    assert read_registers(again) == found
    assert main([*export, "--registers", file, "--chip", "p1", again]) == 0
    assert Path(again).read_text().startswith("ECON-T:")
    assert read_registers(again) == replace(found, chip=Chip.P1)


def test_import_without_weights_fails(tmp_path, capsys) -> None:
    (tmp_path / "init.yaml").write_text(OLDER)
    arguments = [str(tmp_path / "init.yaml"), "--out", str(tmp_path / "w.npz")]
    assert main(["registers", "import", *arguments]) == 2
    assert "sets no encoder weights" in capsys.readouterr().err
    assert not (tmp_path / "w.npz").exists()


def test_import_tells_weights_that_a_file_leaves_out(tmp_path, capsys) -> None:
    write_registers(tmp_path / "all.yaml", autoencoder_registers(random_weights(8)))
    arguments = ["registers", "import", "--out", str(tmp_path / "w.npz")]
    assert main([*arguments, str(tmp_path / "all.yaml")]) == 0
    assert "note" not in capsys.readouterr().out
    content = yaml.safe_load((tmp_path / "all.yaml").read_text())
    del content["ECON-T"]["RW"]["AUTOENCODER_4INPUT"]
    content["ECON-T"]["RW"]["FMTBUF_ALL"]["registers"]["other"] = 5
    (tmp_path / "part.yaml").write_text(yaml.safe_dump(content))
    assert main([*arguments, str(tmp_path / "part.yaml")]) == 0
    told = capsys.readouterr().out
    assert "sets 99 of 108 weight registers" in told
    assert "not used: ECON-T.RW.FMTBUF_ALL.registers.other" in told


@pytest.mark.parametrize(
    ("file", "told"),
    [(".", "cannot be written: Is a directory"), ("w.npz/init.yaml", "w.npz: cannot be written")],
)
def test_export_tells_where_it_cannot_write(tmp_path, capsys, file, told) -> None:
    write_weights(tmp_path / "w.npz", random_weights(0))
    arguments = ["--weights", str(tmp_path / "w.npz"), str(tmp_path / file)]
    assert main(["registers", "export", *arguments]) == 2
    assert told in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]


def test_export_refuses_bad_options(tmp_path, capsys) -> None:
    write_weights(tmp_path / "w.npz", random_weights(0))
    arguments = ["--weights", str(tmp_path / "w.npz"), "--etx", "14", str(tmp_path / "init.yaml")]
    assert main(["registers", "export", *arguments]) == 2
    assert "--etx must be 1 to 13" in capsys.readouterr().err
    assert not (tmp_path / "init.yaml").exists()
