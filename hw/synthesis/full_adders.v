// Arithmetic on a library's full adders, whose carries ripple: the least area.
// Templates for `techmap`; full_adder_cell.v makes cells of the full adders of one bit.

// The highest carry is rarely used: as logic it vanishes where it is not.
module _80_econt_adder_row #(
    parameter WIDTH = 1
) (
    input  [WIDTH-1:0] A,
    input  [WIDTH-1:0] B,
    input  [WIDTH-1:0] C,
    output [WIDTH-1:0] SUM,
    output [WIDTH-1:0] CARRY
);
  genvar i;
  generate
    for (i = 0; i < WIDTH; i = i + 1) begin : g_bit
      if (i < WIDTH - 1) begin : g_cell
        \$__econt_full_adder adder (
            .A(A[i]), .B(B[i]), .C(C[i]), .SUM(SUM[i]), .CARRY(CARRY[i])
        );
      end else begin : g_highest
        assign SUM[i]   = A[i] ^ B[i] ^ C[i];
        assign CARRY[i] = (A[i] & B[i]) | (C[i] & (A[i] | B[i]));
      end
    end
  endgenerate
endmodule

(* techmap_celltype = "$fa" *)
module _80_econt_fa (A, B, C, X, Y);
  parameter WIDTH = 1;
  (* force_downto *) input [WIDTH-1:0] A, B, C;
  (* force_downto *) output [WIDTH-1:0] X, Y;
  _80_econt_adder_row #(.WIDTH(WIDTH)) row (.A(A), .B(B), .C(C), .SUM(Y), .CARRY(X));
endmodule

(* techmap_celltype = "$alu" *)
module _80_econt_alu (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  (* force_downto *) input [A_WIDTH-1:0] A;
  (* force_downto *) input [B_WIDTH-1:0] B;
  input CI, BI;
  (* force_downto *) output [Y_WIDTH-1:0] X, Y, CO;

  wire [Y_WIDTH-1:0] a, wide_b, b;
  \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_a (.A(A), .Y(a));
  \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_b (.A(B), .Y(wide_b));
  assign b = wide_b ^ {Y_WIDTH{BI}};
  assign X = a ^ b;
  wire [Y_WIDTH:0] below = {CO, CI};
  _80_econt_adder_row #(.WIDTH(Y_WIDTH)) row (
      .A(a), .B(b), .C(below[Y_WIDTH-1:0]), .SUM(Y), .CARRY(CO)
  );
endmodule
