// BYTES registers at consecutive bus addresses from BASE on.
//
// A byte is written at the clock edge at which `write` and its address stand; `read_data` follows
// `address` without a clock and is 0 for addresses of others. Bits outside WRITABLE are always 0.
//
// TMR keeps three copies and uses what two of them agree on. Every clock writes the agreed value back
// (scrubbing), so an upset lasts one clock; `upset` shows it during that clock.
module register_block #(
    parameter logic [econ_t_pkg::ADDRESS_BITS-1:0] BASE = '0,
    parameter int BYTES = 1,
    parameter logic [BYTES*econ_t_pkg::BYTE-1:0] WRITABLE = '1,
    parameter logic [BYTES*econ_t_pkg::BYTE-1:0] RESET_VALUE = '0,
    parameter bit TMR = 0
) (
    input  logic                                clock,
    input  logic                                reset,
    input  logic [econ_t_pkg::ADDRESS_BITS-1:0] address,
    input  logic                                write,
    input  logic [        econ_t_pkg::BYTE-1:0] write_data,
    output logic [        econ_t_pkg::BYTE-1:0] read_data,
    output logic [  BYTES*econ_t_pkg::BYTE-1:0] contents,
    output logic                                upset
);
  localparam int BYTE = econ_t_pkg::BYTE;
  localparam int ADDRESS_BITS = econ_t_pkg::ADDRESS_BITS;
  localparam int WIDTH = BYTES * BYTE;

  logic [ADDRESS_BITS-1:0] offset;  // addresses below BASE wrap to large offsets
  assign offset = address - BASE;

  logic [WIDTH-1:0] next;
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

  if (TMR) begin : g_tmr
    logic [WIDTH-1:0] copy_a, copy_b, copy_c;
    register_copy #(
        .WIDTH      (WIDTH),
        .RESET_VALUE(RESET_VALUE)
    ) a (
        .clock(clock),
        .reset(reset),
        .d    (next),
        .q    (copy_a)
    );
    register_copy #(
        .WIDTH      (WIDTH),
        .RESET_VALUE(RESET_VALUE)
    ) b (
        .clock(clock),
        .reset(reset),
        .d    (next),
        .q    (copy_b)
    );
    register_copy #(
        .WIDTH      (WIDTH),
        .RESET_VALUE(RESET_VALUE)
    ) c (
        .clock(clock),
        .reset(reset),
        .d    (next),
        .q    (copy_c)
    );
    assign contents = (copy_a & copy_b) | (copy_a & copy_c) | (copy_b & copy_c);
    assign upset = copy_a != copy_b || copy_a != copy_c;
  end else begin : g_single
    register_copy #(
        .WIDTH      (WIDTH),
        .RESET_VALUE(RESET_VALUE)
    ) single (
        .clock(clock),
        .reset(reset),
        .d    (next),
        .q    (contents)
    );
    assign upset = 1'b0;
  end
endmodule
