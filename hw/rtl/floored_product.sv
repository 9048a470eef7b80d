// floor(x * weight / 2**DROP): the chip floors every product before it is summed.
module floored_product #(
    parameter int X_BITS = 8,
    parameter int DROP   = 5
) (
    input  logic        [                              X_BITS-1:0] x,
    input  logic signed [             econ_t_pkg::WEIGHT_BITS-1:0] weight,
    output logic signed [X_BITS+econ_t_pkg::WEIGHT_BITS-DROP-1:0] product
);
  localparam int FULL_BITS = X_BITS + econ_t_pkg::WEIGHT_BITS;

  logic signed [FULL_BITS-1:0] full;
  assign full = FULL_BITS'($signed({1'b0, x})) * FULL_BITS'(weight);
  assign product = full[FULL_BITS-1:DROP];

  logic unused;
  assign unused = |full[DROP-1:0];
endmodule
