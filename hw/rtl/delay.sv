// A word delayed by CYCLES clocks; 0 is a wire. Not reset: the valid bit beside it tells its worth.
module delay #(
    parameter int WIDTH  = 1,
    parameter int CYCLES = 1
) (
    input  logic             clock,
    input  logic [WIDTH-1:0] d,
    output logic [WIDTH-1:0] q
);
  if (CYCLES == 0) begin : g_wire
    assign q = d;

    logic unused;
    assign unused = clock;
  end else begin : g_registers
    logic [CYCLES*WIDTH-1:0] stages;  // the oldest word on top
    always_ff @(posedge clock) stages <= (CYCLES * WIDTH)'({stages, d});
    assign q = stages[CYCLES*WIDTH-1-:WIDTH];
  end
endmodule
