"""The ECON-T in integers: register files, the data path from input links to output links.

Bit-exact to the CMS emulator's arithmetic; formats and sources in docs/econ_t_formats.md.  Each
stage is a plain function on NumPy arrays, so that another form of the chip (C++, RTL) can be
compared at every stage; `golden_model` ties them together.
"""
