// The position of a sum's leading one (0 for an empty sum), and the sum as a 5E4M code; combinational.
module sum_encoder (
    input  logic [        econ_t_pkg::SUM_BITS-1:0] sum,
    output logic [$clog2(econ_t_pkg::SUM_BITS)-1:0] leading,
    output logic [   econ_t_pkg::SUM_CODE_BITS-1:0] code
);
  localparam int SUM_BITS = econ_t_pkg::SUM_BITS;
  localparam int POSITION_BITS = $clog2(SUM_BITS);
  localparam int MANTISSA = 4;

  always_comb begin
    leading = '0;
    for (int i = 0; i < SUM_BITS; i++) if (sum[i]) leading = POSITION_BITS'(i);
  end

  // Below 2**4 the code is the sum. Else exponent 1 stands for a leading one at bit 4, and the
  // mantissa is the four bits after it. The exponent is at most 24, so nothing saturates.
  logic [POSITION_BITS-1:0] exponent;
  logic [     SUM_BITS-1:0] aligned;
  assign exponent = leading - POSITION_BITS'(MANTISSA - 1);
  assign aligned = sum >> (exponent - 1'b1);

  assign code = leading < POSITION_BITS'(MANTISSA)
      ? {{POSITION_BITS{1'b0}}, sum[MANTISSA-1:0]} : {exponent, aligned[MANTISSA-1:0]};

  logic unused;
  assign unused = |aligned[SUM_BITS-1:MANTISSA];
endmodule
