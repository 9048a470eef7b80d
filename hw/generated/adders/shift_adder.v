`timescale 1ns / 1ps

// in0 + in1 * 2^SHIFT1, or in0 - in1 * 2^SHIFT1, without the DROP_LSBS lowest bits.
//
// Everything is computed modulo the width of the result, in one sum that starts where both numbers
// have bits: one carry chain.
module shift_adder #(
    parameter BW_INPUT0 = 32,
    parameter BW_INPUT1 = 32,
    parameter SIGNED0 = 0,
    parameter SIGNED1 = 0,
    parameter BW_OUT = 32,
    parameter DROP_LSBS = 0,
    parameter SHIFT1 = 0,
    parameter IS_SUB = 0
) (
    input [BW_INPUT0-1:0] in0,
    input [BW_INPUT1-1:0] in1,
    output [BW_OUT-1:0] out
);

  localparam WIDTH = BW_OUT + DROP_LSBS;
  localparam PAD0 = SHIFT1 < 0 ? -SHIFT1 : 0;
  localparam PAD1 = SHIFT1 > 0 ? SHIFT1 : 0;
  localparam HIGHER = PAD0 > PAD1 ? PAD0 : PAD1;
  // below START the result is the number that has bits there
  localparam START = IS_SUB && PAD1 < PAD0 ? 0 : HIGHER < WIDTH ? HIGHER : WIDTH;

  // verilator lint_off UNUSEDSIGNAL
  wire [WIDTH+BW_INPUT0+PAD0-1:0] x = {{WIDTH{SIGNED0 ? in0[BW_INPUT0-1] : 1'b0}}, in0, {PAD0{1'b0}}};
  wire [WIDTH+BW_INPUT1+PAD1-1:0] y = {{WIDTH{SIGNED1 ? in1[BW_INPUT1-1] : 1'b0}}, in1, {PAD1{1'b0}}};
  wire [WIDTH-1:0] sum;
  // verilator lint_on UNUSEDSIGNAL

  generate
    if (START > 0) begin : g_lower
      assign sum[START-1:0] = PAD0 < PAD1 ? x[START-1:0] : y[START-1:0];
    end
    if (START < WIDTH) begin : g_upper
      if (IS_SUB) begin : g_difference
        assign sum[WIDTH-1:START] = x[WIDTH-1:START] - y[WIDTH-1:START];
      end else begin : g_sum
        assign sum[WIDTH-1:START] = x[WIDTH-1:START] + y[WIDTH-1:START];
      end
    end
  endgenerate
  assign out = sum[WIDTH-1:DROP_LSBS];

endmodule
