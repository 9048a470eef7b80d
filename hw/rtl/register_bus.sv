// What BYTES registers hold next, and what the bus reads of them; combinational.
//
// A module of its own, the same for all blocks of registers of a size, so that it is mapped once.
module register_bus #(
    parameter int BYTES = 1,
    parameter logic [BYTES*econ_t_pkg::BYTE-1:0] WRITABLE = '1
) (
    input  logic [econ_t_pkg::ADDRESS_BITS-1:0] offset,
    input  logic                                write,
    input  logic [        econ_t_pkg::BYTE-1:0] write_data,
    input  logic [  BYTES*econ_t_pkg::BYTE-1:0] contents,
    output logic [  BYTES*econ_t_pkg::BYTE-1:0] next,
    output logic [        econ_t_pkg::BYTE-1:0] read_data
);
  localparam int BYTE = econ_t_pkg::BYTE;
  localparam int ADDRESS_BITS = econ_t_pkg::ADDRESS_BITS;

  always_comb begin
    read_data = '0;
    for (int i = 0; i < BYTES; i++) begin
      next[BYTE*i+:BYTE] = contents[BYTE*i+:BYTE];
      if (offset == ADDRESS_BITS'(i)) begin
        read_data = contents[BYTE*i+:BYTE];
        if (write) next[BYTE*i+:BYTE] = write_data & WRITABLE[BYTE*i+:BYTE];
      end
    end
  end
endmodule
