// Dense layer of 16 outputs on 128 features, clipped to 0..511; combinational.
module dense (
    input  logic [econ_t_pkg::FEATURES-1:0][econ_t_pkg::FEATURE_BITS-1:0] features,
    input  logic [econ_t_pkg::LATENTS-1:0][econ_t_pkg::FEATURES-1:0][econ_t_pkg::WEIGHT_BITS-1:0] kernel,
    input  logic [econ_t_pkg::LATENTS-1:0][econ_t_pkg::WEIGHT_BITS-1:0] bias,
    output logic [econ_t_pkg::LATENTS-1:0][econ_t_pkg::LATENT_BITS-1:0] latents
);
  localparam int SUM_BITS = econ_t_pkg::DENSE_SUM_BITS;
  localparam int LATENT_BITS = econ_t_pkg::LATENT_BITS;

  for (genvar latent = 0; latent < econ_t_pkg::LATENTS; latent++) begin : g_latent
    logic signed [SUM_BITS-1:0] sum;
    neuron #(
        .INPUTS    (econ_t_pkg::FEATURES),
        .X_BITS    (econ_t_pkg::FEATURE_BITS),
        .DROP      (econ_t_pkg::DENSE_DROP),
        .BIAS_SHIFT(econ_t_pkg::DENSE_BIAS_SHIFT),
        .SUM_BITS  (SUM_BITS)
    ) neuron (
        .x      (features),
        .weights(kernel[latent]),
        .bias   (bias[latent]),
        .sum    (sum)
    );

    logic negative, above;
    assign negative = sum[SUM_BITS-1];
    assign above = |sum[SUM_BITS-2:LATENT_BITS];
    assign latents[latent] = negative ? '0 : above ? '1 : sum[LATENT_BITS-1:0];
  end
endmodule
