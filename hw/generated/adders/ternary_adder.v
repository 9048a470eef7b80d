`timescale 1ns / 1ps

// Sum of three numbers in<i> * 2^PAD<i>, of which at most two are subtracted (NEGATE<i>), without
// the DROP_LSBS lowest bits.
//
// Everything is computed modulo the width of the result, in one expression that starts where two
// numbers have bits, a number that is added first: synthesis makes one carry chain of it, since all
// partial sums have one width (the attribute has hw/synthesis/netlist.py take them together).
(* one_sum *)
module ternary_adder #(
    parameter BW_INPUT0 = 32,
    parameter SIGNED0 = 0,
    parameter NEGATE0 = 0,
    parameter PAD0 = 0,
    parameter BW_INPUT1 = 32,
    parameter SIGNED1 = 0,
    parameter NEGATE1 = 0,
    parameter PAD1 = 0,
    parameter BW_INPUT2 = 32,
    parameter SIGNED2 = 0,
    parameter NEGATE2 = 0,
    parameter PAD2 = 0,
    parameter BW_OUT = 32,
    parameter DROP_LSBS = 0
) (
    input [BW_INPUT0-1:0] in0,
    input [BW_INPUT1-1:0] in1,
    input [BW_INPUT2-1:0] in2,
    output [BW_OUT-1:0] out
);

  function integer smaller;
    input integer a, b;
    smaller = a < b ? a : b;
  endfunction
  function integer larger;
    input integer a, b;
    larger = a > b ? a : b;
  endfunction

  localparam WIDTH = BW_OUT + DROP_LSBS;
  localparam LOWEST = smaller(PAD0, smaller(PAD1, PAD2));
  localparam SECOND = larger(smaller(PAD0, PAD1), smaller(larger(PAD0, PAD1), PAD2));
  localparam LOWEST_NEGATED =
      PAD0 == LOWEST && NEGATE0 || PAD1 == LOWEST && NEGATE1 || PAD2 == LOWEST && NEGATE2;
  // below START the result is the one number that has bits there
  localparam START = LOWEST_NEGATED ? 0 : smaller(SECOND, WIDTH);

  // verilator lint_off UNUSEDSIGNAL
  wire [WIDTH+BW_INPUT0+PAD0-1:0] x = {{WIDTH{SIGNED0 ? in0[BW_INPUT0-1] : 1'b0}}, in0, {PAD0{1'b0}}};
  wire [WIDTH+BW_INPUT1+PAD1-1:0] y = {{WIDTH{SIGNED1 ? in1[BW_INPUT1-1] : 1'b0}}, in1, {PAD1{1'b0}}};
  wire [WIDTH+BW_INPUT2+PAD2-1:0] z = {{WIDTH{SIGNED2 ? in2[BW_INPUT2-1] : 1'b0}}, in2, {PAD2{1'b0}}};
  wire [WIDTH-1:0] sum;
  // verilator lint_on UNUSEDSIGNAL

  generate
    if (START > 0) begin : g_lower
      assign sum[START-1:0] =
          PAD0 == LOWEST ? x[START-1:0] : PAD1 == LOWEST ? y[START-1:0] : z[START-1:0];
    end
    if (START < WIDTH) begin : g_upper
      wire [WIDTH-1:START] a = x[WIDTH-1:START], b = y[WIDTH-1:START], c = z[WIDTH-1:START];
      case ({NEGATE0[0], NEGATE1[0], NEGATE2[0]})
        3'b000: assign sum[WIDTH-1:START] = a + b + c;
        3'b001: assign sum[WIDTH-1:START] = a + b - c;
        3'b010: assign sum[WIDTH-1:START] = a + c - b;
        3'b011: assign sum[WIDTH-1:START] = a - b - c;
        3'b100: assign sum[WIDTH-1:START] = b + c - a;
        3'b101: assign sum[WIDTH-1:START] = b - a - c;
        3'b110: assign sum[WIDTH-1:START] = c - a - b;
        default: assign sum[WIDTH-1:START] = -(a + b + c);
      endcase
    end
  endgenerate
  assign out = sum[WIDTH-1:DROP_LSBS];

endmodule
