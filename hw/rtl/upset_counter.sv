// Counts the clocks with an upset in a group of registers, to 255 at most; read at ADDRESS.
module upset_counter #(
    parameter logic [econ_t_pkg::ADDRESS_BITS-1:0] ADDRESS = '0
) (
    input  logic                                clock,
    input  logic                                reset,
    input  logic                                clear,
    input  logic                                upset,
    input  logic [econ_t_pkg::ADDRESS_BITS-1:0] address,
    output logic [        econ_t_pkg::BYTE-1:0] read_data
);
  logic [econ_t_pkg::BYTE-1:0] count;
  always_ff @(posedge clock) begin
    if (reset || clear) count <= '0;
    else if (upset && count != '1) count <= count + 1'b1;
  end
  assign read_data = address == ADDRESS ? count : '0;
endmodule
