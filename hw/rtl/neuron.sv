// One output of a layer: the exact sum of its floored products and its bias.
//
// WIRED tells which inputs exist: an input that is always 0 needs no multiplier.
// SUM_BITS must hold every possible sum (econ_t_pkg proves it for both layers).
module neuron #(
    parameter int                INPUTS     = 9,
    parameter logic [INPUTS-1:0] WIRED      = '1,
    parameter int                X_BITS     = 8,
    parameter int                DROP       = 5,
    parameter int                BIAS_SHIFT = 2,
    parameter int                SUM_BITS   = 13
) (
    input  logic        [INPUTS-1:0][                 X_BITS-1:0] x,
    input  logic        [INPUTS-1:0][econ_t_pkg::WEIGHT_BITS-1:0] weights,
    input  logic signed [            econ_t_pkg::WEIGHT_BITS-1:0] bias,
    output logic signed [                           SUM_BITS-1:0] sum
);
  localparam int PRODUCT_BITS = X_BITS + econ_t_pkg::WEIGHT_BITS - DROP;

  // Balanced tree of adders, as a heap: node i adds nodes 2 i and 2 i + 1, node 1 is the sum. The
  // leaves are the products and the bias.
  localparam int TERMS = INPUTS + 1;
  logic [2*TERMS-1:1][SUM_BITS-1:0] node  /* verilator split_var */;
  assign sum = node[1];
  assign node[TERMS+INPUTS] = SUM_BITS'(bias) <<< BIAS_SHIFT;

  for (genvar i = 1; i < TERMS; i++) begin : g_adder
    assign node[i] = $signed(node[2*i]) + $signed(node[2*i+1]);
  end

  for (genvar i = 0; i < INPUTS; i++) begin : g_input
    if (WIRED[i]) begin : g_wired
      logic signed [PRODUCT_BITS-1:0] product;
      floored_product #(
          .X_BITS(X_BITS),
          .DROP  (DROP)
      ) multiplier (
          .x      (x[i]),
          .weight (weights[i]),
          .product(product)
      );
      assign node[TERMS+i] = SUM_BITS'(product);
    end else begin : g_zero
      assign node[TERMS+i] = '0;

      logic unused;
      assign unused = ^{x[i], weights[i]};
    end
  end
endmodule
