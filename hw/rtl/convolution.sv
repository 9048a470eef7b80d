// 3 x 3 convolution of 8 filters with stride 2, and ReLU; combinational.
//
// The 48 inputs fill an 8 x 8 image: 0 to 31 the upper half row by row, 32 to 47 the lower left
// quadrant. The lower right quadrant is 0, and so is the padding below and at the right.
module convolution (
    input  logic [econ_t_pkg::CELLS-1:0][econ_t_pkg::INPUT_BITS-1:0] inputs,
    input  logic [econ_t_pkg::TAPS-1:0][econ_t_pkg::FILTERS-1:0][econ_t_pkg::WEIGHT_BITS-1:0] kernel,
    input  logic [econ_t_pkg::FILTERS-1:0][econ_t_pkg::WEIGHT_BITS-1:0] bias,
    output logic [econ_t_pkg::FEATURES-1:0][econ_t_pkg::FEATURE_BITS-1:0] features
);
  localparam int TAPS = econ_t_pkg::TAPS;
  localparam int SIDE = econ_t_pkg::IMAGE_SIDE;
  localparam int HALF = SIDE / 2;
  localparam int FILTERS = econ_t_pkg::FILTERS;
  localparam int FEATURE_SIDE = econ_t_pkg::FEATURE_SIDE;
  localparam int FEATURE_BITS = econ_t_pkg::FEATURE_BITS;
  localparam int SUM_BITS = econ_t_pkg::CONV_SUM_BITS;

  function automatic int row_of(input int feature_row, input int tap);
    row_of = econ_t_pkg::STRIDE * feature_row + tap / econ_t_pkg::KERNEL;
  endfunction

  function automatic int column_of(input int feature_column, input int tap);
    column_of = econ_t_pkg::STRIDE * feature_column + tap % econ_t_pkg::KERNEL;
  endfunction

  function automatic logic shows_input(input int row, input int column);
    shows_input = row < SIDE && column < SIDE && (row < HALF || column < HALF);
  endfunction

  function automatic logic [TAPS-1:0] wired_taps(input int feature_row, input int feature_column);
    for (int tap = 0; tap < TAPS; tap++)
      wired_taps[tap] = shows_input(row_of(feature_row, tap), column_of(feature_column, tap));
  endfunction

  function automatic int input_at(input int row, input int column);
    input_at = row < HALF ? SIDE * row + column : SIDE * HALF + HALF * (row - HALF) + column;
  endfunction

  logic [FILTERS-1:0][TAPS-1:0][econ_t_pkg::WEIGHT_BITS-1:0] filters;
  for (genvar filter = 0; filter < FILTERS; filter++) begin : g_filter
    for (genvar tap = 0; tap < TAPS; tap++) begin : g_tap
      assign filters[filter][tap] = kernel[tap][filter];
    end
  end

  logic [FEATURE_SIDE*FEATURE_SIDE-1:0][TAPS-1:0][econ_t_pkg::INPUT_BITS-1:0] windows;
  for (genvar row = 0; row < FEATURE_SIDE; row++) begin : g_row
    for (genvar column = 0; column < FEATURE_SIDE; column++) begin : g_column
      localparam int PLACE = FEATURE_SIDE * row + column;
      localparam logic [TAPS-1:0] WIRED = wired_taps(row, column);

      for (genvar tap = 0; tap < TAPS; tap++) begin : g_tap
        if (WIRED[tap]) begin : g_wired
          assign windows[PLACE][tap] = inputs[input_at(row_of(row, tap), column_of(column, tap))];
        end else begin : g_zero
          assign windows[PLACE][tap] = '0;
        end
      end

      for (genvar filter = 0; filter < FILTERS; filter++) begin : g_feature
        logic signed [SUM_BITS-1:0] sum;
        neuron #(
            .INPUTS    (TAPS),
            .WIRED     (WIRED),
            .X_BITS    (econ_t_pkg::INPUT_BITS),
            .DROP      (econ_t_pkg::CONV_DROP),
            .BIAS_SHIFT(econ_t_pkg::CONV_BIAS_SHIFT),
            .SUM_BITS  (SUM_BITS)
        ) neuron (
            .x      (windows[PLACE]),
            .weights(filters[filter]),
            .bias   (bias[filter]),
            .sum    (sum)
        );
        // ReLU
        assign features[FILTERS*PLACE+filter] = sum[SUM_BITS-1] ? '0 : sum[FEATURE_BITS-1:0];
      end
    end
  end
endmodule
