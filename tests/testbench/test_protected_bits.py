"""Chosen weight bits as the mask of the registers, and as text for TMRG."""

import re

import numpy as np
import pytest

from hw.foundation.errors import InputError
from hw.open_tools import verilator
from hw.open_tools.verilog_design import VerilogDesign
from models.networks.econ_t_formats import CONV_KERNEL, DENSE_KERNEL
from testbench.econ_t.encoder_weights import BLOCK_BITS, EncoderWeights
from testbench.econ_t.protected_bits import (
    BITS,
    mask_of,
    register_order,
    tmrg_module,
)

SHAPES = (CONV_KERNEL, (8,), DENSE_KERNEL, (16,))


def bits_of(codes):
    """The bits of codes, the lowest first, in a last axis."""
    return (codes[..., None] >> np.arange(6) & 1).astype(bool)


def test_the_order_is_that_of_the_registers():
    """Where the chosen bits are the bits of some weights, the mask is their register contents."""
    rng = np.random.default_rng(3)
    codes = [rng.integers(-32, 32, shape) for shape in SHAPES]
    mask = mask_of(register_order([bits_of(array) for array in codes]))
    blocks = EncoderWeights(*codes).to_blocks()
    assert mask == sum(block << BLOCK_BITS * i for i, block in enumerate(blocks))


def test_bits_of_another_encoder_are_refused():
    with pytest.raises(InputError, match=r"expected shape \(128, 16, 6\), found \(64, 16, 6\)"):
        register_order([np.zeros((*s, 6), bool) for s in (*SHAPES[:2], (64, 16), (16,))])


def chosen(count):
    bits = np.zeros(BITS, bool)
    bits[np.random.default_rng(1).choice(BITS, count, replace=False)] = True
    return bits


@pytest.mark.parametrize("count", [0, 37, BITS])
def test_tmrg_is_told_which_register_to_triplicate(count):
    """Against TMRG's documentation: a directive is a comment `tmrg <word> <name>` inside a module;
    no block assigns both a triplicated and another signal, and none of them is a concatenation."""
    bits = chosen(count)
    lines = list(tmrg_module(bits))
    text = "\n".join(lines)
    directives = re.findall(r"^  // tmrg (.+)$", text, flags=re.M)
    expected = ["default do_not_triplicate"] + ["triplicate chosen"] * (count > 0)
    assert directives == expected
    assert not re.search(r"\{[^}]*\}\s*(<=|=)", text)
    for block in re.findall(r"begin\n(.*?)\n  end", text, flags=re.S):
        assert len(set(re.findall(r"^    (\w+)\[", block, flags=re.M))) == 1
    stored = dict(re.findall(r"(chosen\[\d+\]|others\[\d+\]) <= next\[(\d+)\];", text))
    shown = re.findall(r"assign weights\[(\d+)\] = (\w+\[\d+\]);", text)
    assert len(shown) == len(stored) == BITS
    for number, name in shown:
        assert stored[name] == number
        assert name.startswith("chosen") == bool(bits[int(number)])


@pytest.mark.slow
def test_what_tmrg_reads_is_verilog(tmp_path):
    file = tmp_path / "encoder_weight_registers.v"
    file.write_text("\n".join(tmrg_module(chosen(50))) + "\n")
    verilator.lint(VerilogDesign((file,), "encoder_weight_registers"))
