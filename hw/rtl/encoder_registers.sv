// The encoder's 2144 weights: the chip's register blocks AUTOENCODER_0INPUT to AUTOENCODER_11INPUT.
//
// TRIPLED tells of which bits there are three copies, in the order of the registers; TMR: of all.
module encoder_registers #(
    parameter bit TMR = 0,
    /* verilator lint_off WIDTHCONCAT */
    parameter logic [econ_t_pkg::WEIGHTS*econ_t_pkg::WEIGHT_BITS-1:0] TRIPLED = '0
    /* verilator lint_on WIDTHCONCAT */
) (
    input  logic                                                        clock,
    input  logic                                                        reset,
    input  logic [econ_t_pkg::ADDRESS_BITS-1:0]                         address,
    input  logic                                                        write,
    input  logic [econ_t_pkg::BYTE-1:0]                                 write_data,
    output logic [econ_t_pkg::BYTE-1:0]                                 read_data,
    output logic [econ_t_pkg::WEIGHTS-1:0][econ_t_pkg::WEIGHT_BITS-1:0] weights,
    output logic                                                        upset
);
  localparam int BASE = 'h0538;
  localparam int BLOCK_SHIFT = 143;  // from one block's first address to the next one's
  localparam int BLOCKS = econ_t_pkg::WEIGHT_BLOCKS;
  localparam int BYTES = econ_t_pkg::WEIGHT_BLOCK_BYTES;
  localparam int BYTE = econ_t_pkg::BYTE;

  logic [BLOCKS-1:0][BYTES*BYTE-1:0] contents;
  logic [BLOCKS-1:0][BYTE-1:0] bytes_read;
  logic [BLOCKS-1:0] upsets;

  for (genvar block = 0; block < BLOCKS; block++) begin : g_block
    register_block #(
        .BASE   (econ_t_pkg::ADDRESS_BITS'(BASE + block * BLOCK_SHIFT)),
        .BYTES  (BYTES),
        .TMR    (TMR),
        .TRIPLED(TRIPLED[BYTES*BYTE*block+:BYTES*BYTE])
    ) registers (
        .clock     (clock),
        .reset     (reset),
        .address   (address),
        .write     (write),
        .write_data(write_data),
        .read_data (bytes_read[block]),
        .contents  (contents[block]),
        .upset     (upsets[block])
    );
  end

  always_comb begin
    read_data = '0;
    for (int block = 0; block < BLOCKS; block++) read_data = read_data | bytes_read[block];
  end
  assign weights = contents;
  assign upset = |upsets;
endmodule
