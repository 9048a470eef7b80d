// Widths and sizes of the ECON-T's autoencoder, and the bounds that prove no sum can wrap.
//
// Number formats: charges and sums are integers (CALQ counts); network numbers are fixed-point
// codes, *_FRACTION telling how many of their bits stand behind the binary point.
package econ_t_pkg;
  // verilator lint_off UNUSEDPARAM
  // (the encoder alone needs no link and converter sizes)

  // links
  localparam int INPUT_LINKS = 12;
  localparam int OUTPUT_LINKS = 13;
  localparam int LINK_BITS = 32;
  localparam int LINK_CELLS = 4;
  localparam int LINK_HEADER_BITS = 4;
  localparam int BX_PER_ORBIT = 3564;

  // charges
  localparam int CELLS = INPUT_LINKS * LINK_CELLS;
  localparam int CODE_BITS = 7;  // 4E3M
  localparam int CHARGE_BITS = 21;
  localparam int CALIBRATION_BITS = 12;
  localparam int CALIBRATION_FRACTION = 11;
  localparam int CALQ_BITS = CHARGE_BITS + CALIBRATION_BITS - CALIBRATION_FRACTION;
  localparam int SUM_BITS = CALQ_BITS + $clog2(CELLS);  // 48 < 2**6: the exact sum never wraps
  localparam int SUM_CODE_BITS = 9;  // 5E4M
  localparam int MUX_BITS = 6;

  // encoder input: ufixed<8,1>
  localparam int INPUT_BITS = 8;
  localparam int INPUT_FRACTION = 7;
  localparam int MAX_SHIFT = 21;  // position of the highest bit of one CALQ
  localparam int MAX_INPUT = (1 << INPUT_BITS) - 1;

  // weights: fixed<6,1>
  localparam int WEIGHT_BITS = 6;
  localparam int WEIGHT_FRACTION = 5;
  localparam int WEIGHT_REACH = 1 << (WEIGHT_BITS - 1);  // weights are -32 to 31

  // convolution: 3 x 3, stride 2, on an 8 x 8 image of which the inputs fill three quadrants
  localparam int IMAGE_SIDE = 8;
  localparam int FEATURE_SIDE = 4;
  localparam int FILTERS = 8;
  localparam int KERNEL = 3;
  localparam int STRIDE = 2;
  localparam int TAPS = KERNEL * KERNEL;
  localparam int FEATURE_FRACTION = 7;
  localparam int CONV_DROP = INPUT_FRACTION + WEIGHT_FRACTION - FEATURE_FRACTION;
  localparam int CONV_BIAS_SHIFT = FEATURE_FRACTION - WEIGHT_FRACTION;
  localparam int FEATURES = FEATURE_SIDE * FEATURE_SIDE * FILTERS;
  // No sum, nor a part of one, reaches CONV_BOUND in magnitude, whatever the inputs and weights:
  // floored products stay within MAX_INPUT * WEIGHT_REACH >> CONV_DROP (a whole number), biases
  // within WEIGHT_REACH.
  localparam int CONV_BOUND =
      TAPS * ((MAX_INPUT * WEIGHT_REACH) >> CONV_DROP) + (WEIGHT_REACH << CONV_BIAS_SHIFT) + 1;
  localparam int CONV_SUM_BITS = 1 + $clog2(CONV_BOUND);
  // A feature is largest where all inputs and weights are; ReLU makes 0 the smallest.
  localparam int MAX_FEATURE =
      TAPS * ((MAX_INPUT * (WEIGHT_REACH - 1)) >> CONV_DROP)
      + ((WEIGHT_REACH - 1) << CONV_BIAS_SHIFT);
  localparam int FEATURE_BITS = $clog2(MAX_FEATURE + 1);

  // dense layer
  localparam int LATENTS = 16;
  localparam int LATENT_BITS = 9;  // ufixed<9,1>
  localparam int LATENT_FRACTION = 8;
  localparam int DENSE_DROP = FEATURE_FRACTION + WEIGHT_FRACTION - LATENT_FRACTION;
  localparam int DENSE_BIAS_SHIFT = LATENT_FRACTION - WEIGHT_FRACTION;
  // as CONV_BOUND; the product's bound is rounded up
  localparam int DENSE_BOUND =
      FEATURES * (((MAX_FEATURE * WEIGHT_REACH) >> DENSE_DROP) + 1)
      + (WEIGHT_REACH << DENSE_BIAS_SHIFT) + 1;
  localparam int DENSE_SUM_BITS = 1 + $clog2(DENSE_BOUND);
  localparam int DATA_BITS = LATENTS * LATENT_BITS;

  // order of the weights in the registers, in codes of WEIGHT_BITS
  localparam int CONV_BIAS_AT = TAPS * FILTERS;
  localparam int DENSE_AT = CONV_BIAS_AT + FILTERS;
  localparam int DENSE_BIAS_AT = DENSE_AT + FEATURES * LATENTS;
  localparam int WEIGHTS = DENSE_BIAS_AT + LATENTS;
  localparam int WEIGHT_BLOCKS = 12;
  localparam int WEIGHT_BLOCK_BYTES = WEIGHTS * WEIGHT_BITS / WEIGHT_BLOCKS / 8;

  // output frame
  localparam int HEADER_BITS = 5;
  localparam int ETX_BITS = 4;

  // register bus
  localparam int ADDRESS_BITS = 16;
  localparam int BYTE = 8;

  // verilator lint_on UNUSEDPARAM
endpackage
