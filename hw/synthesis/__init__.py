"""Logic synthesis of Verilog to the cells of an FPGA or a cell library; see docs/synthesis.md."""
