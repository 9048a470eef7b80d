// From charge codes to the encoder's inputs: select, decode, calibrate, sum, normalise.
//
// LATENCY clocks: 0 is combinational, 1 registers the results, 2 (and more) the calibrated charges
// too. An encoder input is floor(CALQ * 2**7 / 2**n), n the position of the sum's leading one, at
// most 21: as CALQ does not exceed the sum, it is below 2**(n+1) and the input fits 8 bits.
// Selectors number the codes of an input link from the lowest bits on in the ECON-T-P1, and from
// the highest on in the production chip (PRODUCTION).
module converter #(
    parameter int LATENCY    = 2,
    parameter bit PRODUCTION = 0
) (
    input  logic                                                           clock,
    input  logic                                                           reset,
    input  logic                                                           high_density,
    input  logic [econ_t_pkg::CELLS-1:0][        econ_t_pkg::MUX_BITS-1:0] mux,
    input  logic [econ_t_pkg::CELLS-1:0][econ_t_pkg::CALIBRATION_BITS-1:0] calibration,
    input  logic                                                           valid_in,
    input  logic [econ_t_pkg::CELLS-1:0][       econ_t_pkg::CODE_BITS-1:0] codes,
    output logic                                                           valid_out,
    output logic [econ_t_pkg::SUM_CODE_BITS-1:0]                           sum_code,
    output logic [econ_t_pkg::CELLS-1:0][      econ_t_pkg::INPUT_BITS-1:0] inputs
);
  localparam int CELLS = econ_t_pkg::CELLS;
  localparam int SOURCES = 1 << econ_t_pkg::MUX_BITS;
  localparam int CALQ_BITS = econ_t_pkg::CALQ_BITS;
  localparam int SUM_BITS = econ_t_pkg::SUM_BITS;
  localparam int POSITION_BITS = $clog2(SUM_BITS);
  localparam int PRODUCT_BITS = econ_t_pkg::CHARGE_BITS + econ_t_pkg::CALIBRATION_BITS;
  localparam int SCALED_BITS = CALQ_BITS + econ_t_pkg::INPUT_FRACTION;
  localparam int INPUT_BITS = econ_t_pkg::INPUT_BITS;
  localparam int OUTPUT_STAGES = LATENCY > 0 ? 1 : 0;

  delay_valid #(
      .CYCLES(LATENCY)
  ) valid (
      .clock(clock),
      .reset(reset),
      .d    (valid_in),
      .q    (valid_out)
  );

  // selectors beyond the last input (48 to 63) select code 0
  logic [SOURCES-1:0][econ_t_pkg::CODE_BITS-1:0] sources;
  for (genvar i = 0; i < SOURCES; i++) begin : g_source
    if (i < CELLS) begin : g_code
      assign sources[i] = codes[PRODUCTION?i^(econ_t_pkg::LINK_CELLS-1) : i];
    end else begin : g_none
      assign sources[i] = '0;
    end
  end

  logic [CELLS-1:0][CALQ_BITS-1:0] calq, registered_calq;
  for (genvar tc = 0; tc < CELLS; tc++) begin : g_calibrate
    logic [econ_t_pkg::CHARGE_BITS-1:0] charge;
    charge_decoder decoder (
        .code        (sources[mux[tc]]),
        .high_density(high_density),
        .charge      (charge)
    );

    logic [PRODUCT_BITS-1:0] product;
    assign product = PRODUCT_BITS'(charge) * PRODUCT_BITS'(calibration[tc]);
    assign calq[tc] = product[PRODUCT_BITS-1:econ_t_pkg::CALIBRATION_FRACTION];

    logic unused;
    assign unused = |product[econ_t_pkg::CALIBRATION_FRACTION-1:0];
  end

  delay #(
      .WIDTH (CELLS * CALQ_BITS),
      .CYCLES(LATENCY - OUTPUT_STAGES)
  ) calq_stage (
      .clock(clock),
      .d    (calq),
      .q    (registered_calq)
  );

  logic [SUM_BITS-1:0] sum;
  always_comb begin
    sum = '0;
    for (int i = 0; i < CELLS; i++) sum = sum + SUM_BITS'(registered_calq[i]);
  end

  logic [POSITION_BITS-1:0] leading, shift;
  logic [econ_t_pkg::SUM_CODE_BITS-1:0] unregistered_sum_code;
  sum_encoder sum_encoder (
      .sum    (sum),
      .leading(leading),
      .code   (unregistered_sum_code)
  );
  assign shift =
      leading > POSITION_BITS'(econ_t_pkg::MAX_SHIFT) ? POSITION_BITS'(econ_t_pkg::MAX_SHIFT) : leading;

  logic [CELLS-1:0][INPUT_BITS-1:0] normalised;
  for (genvar tc = 0; tc < CELLS; tc++) begin : g_normalise
    logic [SCALED_BITS-1:0] scaled;
    assign scaled = {registered_calq[tc], econ_t_pkg::INPUT_FRACTION'(0)} >> shift;
    assign normalised[tc] = scaled[INPUT_BITS-1:0];

    logic unused;
    assign unused = |scaled[SCALED_BITS-1:INPUT_BITS];
  end

  delay #(
      .WIDTH (CELLS * INPUT_BITS + econ_t_pkg::SUM_CODE_BITS),
      .CYCLES(OUTPUT_STAGES)
  ) output_stage (
      .clock(clock),
      .d    ({normalised, unregistered_sum_code}),
      .q    ({inputs, sum_code})
  );
endmodule
