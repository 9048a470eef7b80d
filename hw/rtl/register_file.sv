// All registers of the autoencoder's data path, at the chip's bus addresses (docs/econ_t_rtl.md).
module register_file #(
    parameter bit TMR = 0
) (
    input  logic                                                        clock,
    input  logic                                                        reset,
    input  logic [econ_t_pkg::ADDRESS_BITS-1:0]                         address,
    input  logic                                                        write,
    input  logic [econ_t_pkg::BYTE-1:0]                                 write_data,
    output logic [econ_t_pkg::BYTE-1:0]                                 read_data,
    output logic [econ_t_pkg::ETX_BITS-1:0]                             etx,
    output logic [econ_t_pkg::DATA_BITS-1:0]                            output_mask,
    output logic [econ_t_pkg::CELLS-1:0][econ_t_pkg::MUX_BITS-1:0]      mux,
    output logic [econ_t_pkg::CELLS-1:0][econ_t_pkg::CALIBRATION_BITS-1:0] calibration,
    output logic                                                        high_density,
    output logic [econ_t_pkg::WEIGHTS-1:0][econ_t_pkg::WEIGHT_BITS-1:0] weights,
    output logic                                                        upset
);
  localparam int BYTE = econ_t_pkg::BYTE;
  localparam int CELLS = econ_t_pkg::CELLS;
  localparam int MUX_BITS = econ_t_pkg::MUX_BITS;
  localparam int CALIBRATION_BITS = econ_t_pkg::CALIBRATION_BITS;
  localparam int MASK_BYTES = econ_t_pkg::DATA_BITS / BYTE;
  localparam int MASK_AE_BITS = 128;
  localparam int ADDRESS_BITS = econ_t_pkg::ADDRESS_BITS;

  // addresses of the chip's register blocks
  localparam int FMTBUF_CONFIG = 'h03b0;
  localparam int FMTBUF_MASK_AE = 'h03b1;
  localparam int MFC_MUX_SELECT = 'h03c4;
  localparam int MFC_CAL_VAL = 'h03f4;
  localparam int MFC_ALGO = 'h0454;
  localparam int MISC_RW = 'h0bec;
  localparam int FORMATTER_ERRORS = 'h0c17;
  localparam int CONVERTER_ERRORS = 'h0c18;
  localparam int ALGORITHM_ERRORS = 'h0c19;

  // lowest bits of fields
  localparam int ETX_AT = 4;
  localparam int DENSITY_AT = 3;
  localparam int CLEAR_AT = 0;

  localparam int CALIBRATION_ONE = 1 << econ_t_pkg::CALIBRATION_FRACTION;
  function automatic logic [CELLS*BYTE-1:0] mux_in_order();
    for (int i = 0; i < CELLS; i++) mux_in_order[BYTE*i+:BYTE] = BYTE'(i);
  endfunction

  logic [BYTE-1:0] config_read, mask_read, mux_read, calibration_read, algo_read, misc_read;
  logic [BYTE-1:0] weights_read, formatter_count, converter_count, algorithm_count;
  logic config_upset, mask_upset, mux_upset, calibration_upset, algo_upset, misc_upset;
  logic weights_upset;

  assign read_data = config_read | mask_read | mux_read | calibration_read | algo_read | misc_read
      | weights_read | formatter_count | converter_count | algorithm_count;

  // formatter
  logic [BYTE-1:0] config_byte;
  register_block #(
      .BASE       (ADDRESS_BITS'(FMTBUF_CONFIG)),
      .WRITABLE   (8'hf7),
      .RESET_VALUE(8'h25),
      .TMR        (TMR)
  ) fmtbuf_config (
      .read_data(config_read),
      .contents (config_byte),
      .upset    (config_upset),
      .*
  );
  assign etx = config_byte[ETX_AT+:econ_t_pkg::ETX_BITS];

  logic [MASK_BYTES*BYTE-1:0] mask_bytes;
  register_block #(
      .BASE       (ADDRESS_BITS'(FMTBUF_MASK_AE)),
      .BYTES      (MASK_BYTES),
      .RESET_VALUE('1),
      .TMR        (TMR)
  ) fmtbuf_mask (
      .read_data(mask_read),
      .contents (mask_bytes),
      .upset    (mask_upset),
      .*
  );
  // mask_ae comes first and holds the high bits of the mask, mask_ae2 the low ones
  assign output_mask = {mask_bytes[MASK_AE_BITS-1:0], mask_bytes[MASK_BYTES*BYTE-1:MASK_AE_BITS]};

  // converter
  logic [CELLS-1:0][BYTE-1:0] mux_bytes;
  register_block #(
      .BASE       (ADDRESS_BITS'(MFC_MUX_SELECT)),
      .BYTES      (CELLS),
      .WRITABLE   ({CELLS{BYTE'((1 << MUX_BITS) - 1)}}),
      .RESET_VALUE(mux_in_order()),
      .TMR        (TMR)
  ) mfc_mux_select (
      .read_data(mux_read),
      .contents (mux_bytes),
      .upset    (mux_upset),
      .*
  );

  logic [CELLS-1:0][2*BYTE-1:0] calibration_words;
  register_block #(
      .BASE       (ADDRESS_BITS'(MFC_CAL_VAL)),
      .BYTES      (2 * CELLS),
      .WRITABLE   ({CELLS{(2 * BYTE)'((1 << CALIBRATION_BITS) - 1)}}),
      .RESET_VALUE({CELLS{(2 * BYTE)'(CALIBRATION_ONE)}}),
      .TMR        (TMR)
  ) mfc_cal_val (
      .read_data(calibration_read),
      .contents (calibration_words),
      .upset    (calibration_upset),
      .*
  );

  logic [CELLS-1:0] unused_bits;
  for (genvar i = 0; i < CELLS; i++) begin : g_cell
    assign mux[i] = mux_bytes[i][MUX_BITS-1:0];
    assign calibration[i] = calibration_words[i][CALIBRATION_BITS-1:0];
    assign unused_bits[i] =
        ^{mux_bytes[i][BYTE-1:MUX_BITS], calibration_words[i][2*BYTE-1:CALIBRATION_BITS]};
  end

  logic [BYTE-1:0] algo_byte;
  register_block #(
      .BASE    (ADDRESS_BITS'(MFC_ALGO)),
      .WRITABLE(8'h0f),
      .TMR     (TMR)
  ) mfc_algo (
      .read_data(algo_read),
      .contents (algo_byte),
      .upset    (algo_upset),
      .*
  );
  assign high_density = algo_byte[DENSITY_AT];

  // encoder
  encoder_registers #(
      .TMR(TMR)
  ) autoencoder (
      .read_data(weights_read),
      .upset    (weights_upset),
      .*
  );

  // upsets
  logic [BYTE-1:0] misc_byte;
  register_block #(
      .BASE    (ADDRESS_BITS'(MISC_RW)),
      .WRITABLE(8'h01),
      .TMR     (TMR)
  ) misc (
      .read_data(misc_read),
      .contents (misc_byte),
      .upset    (misc_upset),
      .*
  );

  upset_counter #(
      .ADDRESS(ADDRESS_BITS'(FORMATTER_ERRORS))
  ) formatter_errors (
      .clear    (misc_byte[CLEAR_AT]),
      .upset    (config_upset || mask_upset),
      .read_data(formatter_count),
      .*
  );
  upset_counter #(
      .ADDRESS(ADDRESS_BITS'(CONVERTER_ERRORS))
  ) converter_errors (
      .clear    (misc_byte[CLEAR_AT]),
      .upset    (mux_upset || calibration_upset || algo_upset),
      .read_data(converter_count),
      .*
  );
  upset_counter #(
      .ADDRESS(ADDRESS_BITS'(ALGORITHM_ERRORS))
  ) algorithm_errors (
      .clear    (misc_byte[CLEAR_AT]),
      .upset    (weights_upset),
      .read_data(algorithm_count),
      .*
  );
  assign upset = config_upset || mask_upset || mux_upset || calibration_upset || algo_upset
      || misc_upset || weights_upset;

  logic unused;
  assign unused = ^{unused_bits, algo_byte, config_byte, misc_byte};
endmodule
