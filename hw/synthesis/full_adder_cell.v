// Full adders of one bit as cells of a library that has one.  Template for `techmap`, which is given
// the cell's name and those of its pins.

// With a constant input it is less than a full adder: left to logic.
(* techmap_celltype = "$__econt_full_adder" *)
module _80_econt_full_adder (A, B, C, SUM, CARRY);
  parameter _TECHMAP_CONSTMSK_A_ = 0;
  parameter _TECHMAP_CONSTMSK_B_ = 0;
  parameter _TECHMAP_CONSTMSK_C_ = 0;
  input A, B, C;
  output SUM, CARRY;
  localparam CONSTANT = _TECHMAP_CONSTMSK_A_ || _TECHMAP_CONSTMSK_B_ || _TECHMAP_CONSTMSK_C_;
  generate
`ifdef FULL_ADDER
    if (!CONSTANT) begin : g_cell
      `FULL_ADDER adder (
          .`INPUT_A(A), .`INPUT_B(B), .`INPUT_C(C), .`OUTPUT_SUM(SUM), .`OUTPUT_CARRY(CARRY)
      );
    end else
`endif
    begin : g_logic
      assign SUM   = A ^ B ^ C;
      assign CARRY = (A & B) | (C & (A | B));
    end
  endgenerate
endmodule
