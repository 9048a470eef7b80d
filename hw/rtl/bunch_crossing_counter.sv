// Numbers the bunch crossings (BX) of an orbit and gives each its output header: BX modulo 16, and
// 31 for BX 0, which `orbit_start` marks. After reset the first BX counts as 0 too.
module bunch_crossing_counter (
    input  logic                               clock,
    input  logic                               reset,
    input  logic                               valid,
    input  logic                               orbit_start,
    output logic [econ_t_pkg::HEADER_BITS-1:0] header
);
  localparam int COUNT_BITS = $clog2(econ_t_pkg::BX_PER_ORBIT);
  localparam int LAST = econ_t_pkg::BX_PER_ORBIT - 1;
  localparam int LOW_BITS = econ_t_pkg::HEADER_BITS - 1;

  logic [COUNT_BITS-1:0] expected, crossing;
  assign crossing = orbit_start ? '0 : expected;
  assign header = crossing == 0 ? '1 : {1'b0, crossing[LOW_BITS-1:0]};

  always_ff @(posedge clock) begin
    if (reset) expected <= '0;
    else if (valid) expected <= crossing == COUNT_BITS'(LAST) ? '0 : crossing + 1'b1;
  end
endmodule
