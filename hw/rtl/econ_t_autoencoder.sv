// The autoencoder's whole data path, from input links to output links, one bunch crossing each clock.
//
// Latency in clocks: CONVERTER_LATENCY + ENCODER_LATENCY + FORMATTER_LATENCY, 5 as set here.
// PRODUCTION chooses the generation of the chip: 0 is the ECON-T-P1.
module econ_t_autoencoder #(
    parameter int CONVERTER_LATENCY = 2,
    parameter int ENCODER_LATENCY   = 2,
    parameter int FORMATTER_LATENCY = 1,
    parameter bit PRODUCTION        = 0,
    parameter bit TMR               = 0
) (
    input  logic                                                           clock,
    input  logic                                                           reset,
    // register bus: a byte is written at the clock edge; read data are those of the clock before
    input  logic [econ_t_pkg::ADDRESS_BITS-1:0]                            address,
    input  logic                                                           write,
    input  logic [econ_t_pkg::BYTE-1:0]                                    write_data,
    output logic [econ_t_pkg::BYTE-1:0]                                    read_data,
    output logic                                                           upset,
    // data; the header on link 0 marks bunch crossing 0
    input  logic                                                           valid_in,
    input  logic [econ_t_pkg::INPUT_LINKS-1:0][econ_t_pkg::LINK_BITS-1:0]  links_in,
    output logic                                                           valid_out,
    output logic [econ_t_pkg::OUTPUT_LINKS-1:0][econ_t_pkg::LINK_BITS-1:0] links_out
);
  localparam int CODE_BITS = econ_t_pkg::CODE_BITS;
  localparam int LINK_CELLS = econ_t_pkg::LINK_CELLS;
  localparam int LINK_HEADER_BITS = econ_t_pkg::LINK_HEADER_BITS;
  localparam logic [LINK_HEADER_BITS-1:0] ORBIT_HEADER = 4'h9;

  // registers
  logic [econ_t_pkg::BYTE-1:0] unregistered_read_data;
  logic [econ_t_pkg::ETX_BITS-1:0] etx;
  logic [econ_t_pkg::DATA_BITS-1:0] output_mask;
  logic [econ_t_pkg::CELLS-1:0][econ_t_pkg::MUX_BITS-1:0] mux;
  logic [econ_t_pkg::CELLS-1:0][econ_t_pkg::CALIBRATION_BITS-1:0] calibration;
  logic high_density;
  logic [econ_t_pkg::WEIGHTS-1:0][econ_t_pkg::WEIGHT_BITS-1:0] weights;

  register_file #(
      .TMR(TMR)
  ) registers (
      .read_data(unregistered_read_data),
      .*
  );
  always_ff @(posedge clock) read_data <= unregistered_read_data;

  // input links: four codes each, numbered from the lowest bits on
  logic [econ_t_pkg::INPUT_LINKS-1:0][LINK_CELLS*CODE_BITS-1:0] codes;
  logic [econ_t_pkg::INPUT_LINKS-1:0][LINK_HEADER_BITS-1:0] link_headers;
  for (genvar link = 0; link < econ_t_pkg::INPUT_LINKS; link++) begin : g_link
    assign {link_headers[link], codes[link]} = links_in[link];
  end

  logic [econ_t_pkg::HEADER_BITS-1:0] header, delayed_header;
  bunch_crossing_counter counter (
      .clock      (clock),
      .reset      (reset),
      .valid      (valid_in),
      .orbit_start(link_headers[0] == ORBIT_HEADER),
      .header     (header)
  );
  delay #(
      .WIDTH (econ_t_pkg::HEADER_BITS),
      .CYCLES(CONVERTER_LATENCY + ENCODER_LATENCY)
  ) header_delay (
      .clock(clock),
      .d    (header),
      .q    (delayed_header)
  );

  logic converted_valid;
  logic [econ_t_pkg::SUM_CODE_BITS-1:0] sum_code, delayed_sum_code;
  logic [econ_t_pkg::CELLS-1:0][econ_t_pkg::INPUT_BITS-1:0] inputs;
  converter #(
      .LATENCY   (CONVERTER_LATENCY),
      .PRODUCTION(PRODUCTION)
  ) converter (
      .clock       (clock),
      .reset       (reset),
      .high_density(high_density),
      .mux         (mux),
      .calibration (calibration),
      .valid_in    (valid_in),
      .codes       (codes),
      .valid_out   (converted_valid),
      .sum_code    (sum_code),
      .inputs      (inputs)
  );
  delay #(
      .WIDTH (econ_t_pkg::SUM_CODE_BITS),
      .CYCLES(ENCODER_LATENCY)
  ) sum_delay (
      .clock(clock),
      .d    (sum_code),
      .q    (delayed_sum_code)
  );

  logic encoded_valid;
  logic [econ_t_pkg::LATENTS-1:0][econ_t_pkg::LATENT_BITS-1:0] latents;
  encoder #(
      .LATENCY(ENCODER_LATENCY)
  ) encoder (
      .clock    (clock),
      .reset    (reset),
      .weights  (weights),
      .valid_in (converted_valid),
      .inputs   (inputs),
      .valid_out(encoded_valid),
      .latents  (latents)
  );

  formatter #(
      .LATENCY(FORMATTER_LATENCY)
  ) formatter (
      .clock      (clock),
      .reset      (reset),
      .etx        (etx),
      .output_mask(output_mask),
      .valid_in   (encoded_valid),
      .header     (delayed_header),
      .sum_code   (delayed_sum_code),
      .latents    (latents),
      .valid_out  (valid_out),
      .links      (links_out)
  );

  logic unused;
  assign unused = ^link_headers;
endmodule
