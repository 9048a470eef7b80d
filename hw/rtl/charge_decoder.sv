// The charge that a 4E3M code stands for: the centre of the code's bin, raised by the bits that the
// front end dropped (3 on a high-density module, 1 on a low-density one); combinational.
module charge_decoder (
    input  logic [  econ_t_pkg::CODE_BITS-1:0] code,
    input  logic                               high_density,
    output logic [econ_t_pkg::CHARGE_BITS-1:0] charge
);
  localparam int MANTISSA = 3;
  localparam int EXPONENT = econ_t_pkg::CODE_BITS - MANTISSA;
  localparam int CHARGE_BITS = econ_t_pkg::CHARGE_BITS;

  logic [EXPONENT-1:0] exponent;
  logic                normal;  // there is a leading one in front of the mantissa
  assign exponent = code[MANTISSA+:EXPONENT];
  assign normal = exponent != 0;

  // leading one, mantissa, and the half bin behind them; low density drops one bit, which is it
  logic [MANTISSA+1:0] significant;
  logic [EXPONENT-1:0] shift;
  assign significant = {normal, code[MANTISSA-1:0], 1'b1};
  assign shift = normal ? exponent - 1'b1 : '0;

  logic [CHARGE_BITS-1:0] low_density_charge;
  assign low_density_charge = CHARGE_BITS'(significant) << shift;
  assign charge = high_density ? low_density_charge << 2 : low_density_charge;
endmodule
