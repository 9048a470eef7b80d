"""The adders of generated Verilog: right for all parameters, and one carry chain each."""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

import hw.generated.verilog
from hw.foundation.errors import ToolFailed
from hw.open_tools.verilog_design import VerilogDesign
from hw.open_tools.yosys import quoted, run
from hw.synthesis.fpga import XCUP, synthesise_fpga

ADDERS = Path(hw.generated.verilog.__file__).with_name("adders")
KINDS = {2: "shift_adder", 3: "ternary_adder"}
INSTANCES = 40


@dataclass(frozen=True)
class Term:
    bits: int
    signed: bool = False
    negated: bool = False
    shift: int = 0


def parameters(terms: list[Term], width: int, drop: int) -> dict[str, int]:
    found = {"BW_OUT": width, "DROP_LSBS": drop}
    for i, term in enumerate(terms):
        found |= {f"BW_INPUT{i}": term.bits, f"SIGNED{i}": int(term.signed)}
        if len(terms) == 3:
            found |= {f"NEGATE{i}": int(term.negated), f"PAD{i}": term.shift}
    if len(terms) == 2:
        found |= {"SHIFT1": terms[1].shift - terms[0].shift, "IS_SUB": int(terms[1].negated)}
    return found


def adder(name: str, terms: list[Term], width: int, drop: int = 0) -> str:
    """An instance with inputs `<name>_<i>` and output `<name>`."""
    given = ", ".join(f".{key}({value})" for key, value in parameters(terms, width, drop).items())
    pins = ", ".join(f".in{i}({name}_{i})" for i in range(len(terms)))
    return f"  {KINDS[len(terms)]} #({given}) adder_{name} ({pins}, .out({name}));\n"


def compared(name: str, rng: random.Random) -> tuple[list[str], str]:
    """Input ports and text of a random adder, and its comparison with a sum of 40 bits."""
    count = rng.choice(list(KINDS))
    shifts = [0, *(rng.randint(0, 5) for _ in range(count - 1))]
    if count == 2:
        shifts = rng.sample(shifts, 2)
    terms = [
        Term(rng.randint(1, 6), rng.random() < 0.5, i > 0 and rng.random() < 0.5, shift)
        for i, shift in enumerate(shifts)
    ]
    if count == 3:
        terms = rng.sample(terms, 3)
    drop, width = rng.randint(0, 2), rng.randint(1, 12)
    wide = "".join(
        f"  wire signed [39:0] {name}_wide_{i} = $signed({'' if term.signed else chr(39) + 'd0 + '}"
        f"{name}_{i});\n"
        for i, term in enumerate(terms)
    )
    total = " ".join(
        f"{'-' if term.negated else '+'} ({name}_wide_{i} <<< {term.shift})"
        for i, term in enumerate(terms)
    )
    ports = [f"input [{term.bits - 1}:0] {name}_{i}" for i, term in enumerate(terms)]
    return ports, (
        f"{wide}  wire signed [39:0] {name}_sum = {total};\n  wire [{width - 1}:0] {name};\n"
        f"{adder(name, terms, width, drop)}"
        f"  always @* assert ({name} == {name}_sum[{width + drop - 1}:{drop}]);\n"
    )


def prove(folder: Path, text: str) -> None:
    (folder / "top.v").write_text(text)
    sources = " ".join(quoted(file) for file in sorted(ADDERS.glob("*.v")))
    script = f"""read_verilog -formal -sv {sources} top.v
        prep -flatten -top top
        chformal -lower
        sat -verify -prove-asserts -timeout 100 top
        """
    run(script, folder, "proof")


def test_adders_are_sums_modulo_their_width(tmp_path: Path) -> None:
    """By SAT, for all inputs of adders with random parameters."""
    rng = random.Random(1)
    made = [compared(f"y{number}", rng) for number in range(INSTANCES)]
    ports = ", ".join(port for own, _ in made for port in own)
    text = f"module top ({ports});\n{''.join(body for _, body in made)}endmodule\n"
    prove(tmp_path, text)
    assert ".IS_SUB(1)" in text
    with pytest.raises(ToolFailed):
        prove(tmp_path, text.replace(".IS_SUB(1)", ".IS_SUB(0)"))


@pytest.mark.parametrize(
    "terms, width, tables",
    [
        ([Term(8), Term(8, shift=2)], 10, 8),  # the two lowest bits are those of the first number
        ([Term(8, shift=2), Term(8, negated=True)], 11, 10),  # the highest is the last carry
        ([Term(13, shift=2), Term(17, signed=True), Term(13, negated=True)], 17, 17),
        ([Term(11, negated=True), Term(11), Term(10, shift=1)], 13, 13),
        ([Term(8), Term(8, shift=2), Term(8, negated=True)], 12, 12),
        ([Term(8), Term(8, negated=True, shift=3), Term(8, negated=True, shift=3)], 13, 10),
    ],
)
def test_each_is_one_carry_chain(
    tmp_path: Path, terms: list[Term], width: int, tables: int
) -> None:
    ports = ", ".join(f"input [{term.bits - 1}:0] y_{i}" for i, term in enumerate(terms))
    text = f"module top ({ports}, output [{width - 1}:0] y);\n{adder('y', terms, width)}endmodule\n"
    (tmp_path / "top.v").write_text(text)
    design = VerilogDesign((ADDERS / f"{KINDS[len(terms)]}.v", tmp_path / "top.v"), "top")
    found = synthesise_fpga(design, XCUP, tmp_path / "out")
    assert found.lut == tables
    assert found.carry == -(-tables // 8)
