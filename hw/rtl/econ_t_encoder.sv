// The reconfigurable encoder: 48 inputs to 16 latents each clock, its weights written over the bus.
//
// TRIPLED tells of which weight bits there are three copies, in the order of the registers; TMR: of
// all. TMR_PIPELINE keeps three copies of the registers that the data go through.
module econ_t_encoder #(
    parameter int LATENCY = 2,
    parameter bit TMR = 0,
    /* verilator lint_off WIDTHCONCAT */
    parameter logic [econ_t_pkg::WEIGHTS*econ_t_pkg::WEIGHT_BITS-1:0] TRIPLED = '0,
    /* verilator lint_on WIDTHCONCAT */
    parameter bit TMR_PIPELINE = 0
) (
    input  logic                                                        clock,
    input  logic                                                        reset,
    // register bus: a byte is written at the clock edge; read data are those of the clock before
    input  logic [econ_t_pkg::ADDRESS_BITS-1:0]                         address,
    input  logic                                                        write,
    input  logic [econ_t_pkg::BYTE-1:0]                                 write_data,
    output logic [econ_t_pkg::BYTE-1:0]                                 read_data,
    output logic                                                        upset,
    // data
    input  logic                                                        valid_in,
    input  logic [econ_t_pkg::CELLS-1:0][econ_t_pkg::INPUT_BITS-1:0]    inputs,
    output logic                                                        valid_out,
    output logic [econ_t_pkg::LATENTS-1:0][econ_t_pkg::LATENT_BITS-1:0] latents
);
  logic [econ_t_pkg::BYTE-1:0] unregistered_read_data;
  logic [econ_t_pkg::WEIGHTS-1:0][econ_t_pkg::WEIGHT_BITS-1:0] weights;

  encoder_registers #(
      .TMR    (TMR),
      .TRIPLED(TRIPLED)
  ) registers (
      .read_data(unregistered_read_data),
      .*
  );
  always_ff @(posedge clock) read_data <= unregistered_read_data;

  encoder #(
      .LATENCY(LATENCY),
      .TMR    (TMR_PIPELINE)
  ) encoder (
      .*
  );
endmodule
