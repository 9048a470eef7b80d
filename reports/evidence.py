"""How a number was obtained."""

from enum import StrEnum


class Evidence(StrEnum):
    """How a number was obtained, weakest first. Levels never share a column of a table.

    `estimate` is anything computed without executing the generated hardware description:
    operation counts, and quality measured on the Keras model.
    """

    ESTIMATE = "estimate"
    CSIM = "csim"
    RTLSIM = "rtlsim"
    SYNTH = "synth"
    PNR = "pnr"
