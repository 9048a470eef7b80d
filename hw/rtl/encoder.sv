// The encoder network: 48 inputs to 16 latents, one module each clock.
//
// LATENCY clocks from inputs to latents: 0 is combinational, 1 registers the latents, 2 (and more)
// the features before the dense layer too. Weights are in the order of the chip's registers. TMR
// keeps three copies of these registers.
module encoder #(
    parameter int LATENCY = 2,
    parameter bit TMR     = 0
) (
    input  logic                                                      clock,
    input  logic                                                      reset,
    input  logic [econ_t_pkg::WEIGHTS-1:0][econ_t_pkg::WEIGHT_BITS-1:0] weights,
    input  logic                                                      valid_in,
    input  logic [econ_t_pkg::CELLS-1:0][econ_t_pkg::INPUT_BITS-1:0]  inputs,
    output logic                                                      valid_out,
    output logic [econ_t_pkg::LATENTS-1:0][econ_t_pkg::LATENT_BITS-1:0] latents
);
  localparam int OUTPUT_STAGES = LATENCY > 0 ? 1 : 0;
  localparam int FEATURE_STAGES = LATENCY - OUTPUT_STAGES;

  delay_valid #(
      .CYCLES(LATENCY),
      .TMR   (TMR)
  ) valid (
      .clock(clock),
      .reset(reset),
      .d    (valid_in),
      .q    (valid_out)
  );

  logic [econ_t_pkg::FEATURES-1:0][econ_t_pkg::FEATURE_BITS-1:0] features, registered_features;
  convolution convolution (
      .inputs  (inputs),
      .kernel  (weights[econ_t_pkg::CONV_BIAS_AT-1:0]),
      .bias    (weights[econ_t_pkg::DENSE_AT-1:econ_t_pkg::CONV_BIAS_AT]),
      .features(features)
  );
  delay #(
      .WIDTH (econ_t_pkg::FEATURES * econ_t_pkg::FEATURE_BITS),
      .CYCLES(FEATURE_STAGES),
      .TMR   (TMR)
  ) feature_stage (
      .clock(clock),
      .d    (features),
      .q    (registered_features)
  );

  logic [econ_t_pkg::LATENTS-1:0][econ_t_pkg::LATENT_BITS-1:0] unregistered_latents;
  dense dense (
      .features(registered_features),
      .kernel  (weights[econ_t_pkg::DENSE_BIAS_AT-1:econ_t_pkg::DENSE_AT]),
      .bias    (weights[econ_t_pkg::WEIGHTS-1:econ_t_pkg::DENSE_BIAS_AT]),
      .latents (unregistered_latents)
  );
  delay #(
      .WIDTH (econ_t_pkg::DATA_BITS),
      .CYCLES(OUTPUT_STAGES),
      .TMR   (TMR)
  ) latent_stage (
      .clock(clock),
      .d    (unregistered_latents),
      .q    (latents)
  );
endmodule
