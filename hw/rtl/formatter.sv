// The output links: header, module sum, and the latent bits that the mask keeps.
//
// A frame has 32 bits for each link in use, at most five, the first link on top. Below header and
// sum stand the kept bits, latent 15 first, ending at the frame's end: where they are more than fit,
// the first are lost; where they are fewer, zeros precede them. LATENCY clocks: 0 is combinational,
// 1 registers the links.
module formatter #(
    parameter int LATENCY = 1
) (
    input  logic                                                        clock,
    input  logic                                                        reset,
    input  logic [econ_t_pkg::ETX_BITS-1:0]                             etx,  // links in use
    input  logic [econ_t_pkg::DATA_BITS-1:0]                            output_mask,
    input  logic                                                        valid_in,
    input  logic [econ_t_pkg::HEADER_BITS-1:0]                          header,
    input  logic [econ_t_pkg::SUM_CODE_BITS-1:0]                        sum_code,
    input  logic [econ_t_pkg::LATENTS-1:0][econ_t_pkg::LATENT_BITS-1:0] latents,
    output logic                                                        valid_out,
    output logic [econ_t_pkg::OUTPUT_LINKS-1:0][econ_t_pkg::LINK_BITS-1:0] links
);
  localparam int LINK_BITS = econ_t_pkg::LINK_BITS;
  localparam int OUTPUT_LINKS = econ_t_pkg::OUTPUT_LINKS;
  localparam int ETX_BITS = econ_t_pkg::ETX_BITS;
  localparam int HEAD_BITS = econ_t_pkg::HEADER_BITS + econ_t_pkg::SUM_CODE_BITS;
  localparam int MAX_LINKS = 5;  // more links carry nothing more
  localparam int FRAME_BITS = MAX_LINKS * LINK_BITS;

  logic [econ_t_pkg::DATA_BITS-1:0] data;
  bit_compactor #(
      .WIDTH(econ_t_pkg::DATA_BITS)
  ) compactor (
      .keep(output_mask),
      .d   (latents),
      .q   (data)
  );

  logic [MAX_LINKS-1:0][LINK_BITS-1:0] data_words;  // word 0 holds the end of the data
  assign data_words = FRAME_BITS'(data);

  logic [OUTPUT_LINKS-1:0][LINK_BITS-1:0] unregistered_links;
  always_comb begin
    unregistered_links = '0;
    for (int used = 1; used <= MAX_LINKS; used++) begin
      if (used == MAX_LINKS ? etx >= ETX_BITS'(used) : etx == ETX_BITS'(used)) begin
        for (int link = 0; link < used; link++)
          unregistered_links[link] = data_words[used-1-link];
        unregistered_links[0][LINK_BITS-1-:HEAD_BITS] = {header, sum_code};
      end
    end
  end

  delay_valid #(
      .CYCLES(LATENCY)
  ) valid (
      .clock(clock),
      .reset(reset),
      .d    (valid_in),
      .q    (valid_out)
  );
  delay #(
      .WIDTH (OUTPUT_LINKS * LINK_BITS),
      .CYCLES(LATENCY)
  ) output_stage (
      .clock(clock),
      .d    (unregistered_links),
      .q    (links)
  );
endmodule
