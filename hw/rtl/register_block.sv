// BYTES registers at consecutive bus addresses from BASE on.
//
// A byte is written at the clock edge at which `write` and its address stand; `read_data` follows
// `address` without a clock and is 0 for addresses of others. Bits outside WRITABLE are always 0.
//
// Of the bits in TRIPLED (of all with TMR) there are three copies, and what two of them agree on is
// used. Every clock writes the agreed value back (scrubbing), so an upset lasts one clock; `upset`
// shows it during that clock.
module register_block #(
    parameter logic [econ_t_pkg::ADDRESS_BITS-1:0] BASE = '0,
    parameter int BYTES = 1,
    parameter logic [BYTES*econ_t_pkg::BYTE-1:0] WRITABLE = '1,
    parameter logic [BYTES*econ_t_pkg::BYTE-1:0] RESET_VALUE = '0,
    parameter bit TMR = 0,
    parameter logic [BYTES*econ_t_pkg::BYTE-1:0] TRIPLED = '0
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
  localparam int ADDRESS_BITS = econ_t_pkg::ADDRESS_BITS;
  localparam int WIDTH = BYTES * econ_t_pkg::BYTE;
  localparam bit ALL = TMR || &TRIPLED;  // copies of whole words are faster to simulate

  logic [ADDRESS_BITS-1:0] offset;  // addresses below BASE wrap to large offsets
  assign offset = address - BASE;

  logic [WIDTH-1:0] next;
  register_bus #(
      .BYTES   (BYTES),
      .WRITABLE(WRITABLE)
  ) bus (
      .offset    (offset),
      .write     (write),
      .write_data(write_data),
      .contents  (contents),
      .next      (next),
      .read_data (read_data)
  );

  logic [WIDTH-1:0] copy_a, copy_b, copy_c;
  if (ALL) begin : g_tmr
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
  end else begin : g_some
    register_copy #(
        .WIDTH      (WIDTH),
        .RESET_VALUE(RESET_VALUE)
    ) a (
        .clock(clock),
        .reset(reset),
        .d    (next),
        .q    (copy_a)
    );
    for (genvar i = 0; i < WIDTH; i++) begin : g_bit
      if (TRIPLED[i]) begin : g_tripled
        register_copy #(
            .WIDTH      (1),
            .RESET_VALUE(RESET_VALUE[i])
        ) b (
            .clock(clock),
            .reset(reset),
            .d    (next[i]),
            .q    (copy_b[i])
        );
        register_copy #(
            .WIDTH      (1),
            .RESET_VALUE(RESET_VALUE[i])
        ) c (
            .clock(clock),
            .reset(reset),
            .d    (next[i]),
            .q    (copy_c[i])
        );
      end else begin : g_single
        assign copy_b[i] = copy_a[i];
        assign copy_c[i] = copy_a[i];
      end
    end
  end
  assign contents = (copy_a & copy_b) | (copy_a & copy_c) | (copy_b & copy_c);
  assign upset = copy_a != copy_b || copy_a != copy_c;
endmodule
