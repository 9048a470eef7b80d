"""The stage that upsets flip-flops: what it makes of the outputs of many copies of a design."""

from types import SimpleNamespace

import numpy as np

from flows.commands.gateupsets import _note_wrong, _Subject
from hw.foundation.fixed_point import FixedFormat
from testbench.simulators.rtlsim import DataPort


def test_latents_of_the_copies_that_differ_from_the_one_without_upset():
    port = DataPort("latents", 3, 2)
    netlist = SimpleNamespace(outputs={"latents": tuple(range(10, 16))}, top="top")
    subject = _Subject(
        netlist, SimpleNamespace(output=port), np.zeros((1, 1), int), (), 2,
        FixedFormat(3, 3, signed=False),
    )  # fmt: skip
    codes = np.array([[5, 0], [5, 1], [7, 1], [5, 1]])  # three upsets, and the copy without
    values = {
        10 + 3 * latent + bit: sum(int(codes[lane, latent] >> bit & 1) << lane for lane in range(4))
        for latent in range(2)
        for bit in range(3)
    }
    _note_wrong(subject, 9, values, 4)
    ((modules, wrong),) = subject.wrong
    assert modules.tolist() == [9, 9]
    assert wrong.tolist() == [[5, 0], [7, 1]]
    assert subject.right[9].tolist() == [5, 1]
