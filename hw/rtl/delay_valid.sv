// A valid bit delayed by CYCLES clocks; 0 is a wire. Reset empties the pipeline.
module delay_valid #(
    parameter int CYCLES = 1
) (
    input  logic clock,
    input  logic reset,
    input  logic d,
    output logic q
);
  if (CYCLES == 0) begin : g_wire
    assign q = d;

    logic unused;
    assign unused = clock ^ reset;
  end else begin : g_registers
    logic [CYCLES-1:0] stages;
    always_ff @(posedge clock) stages <= reset ? '0 : CYCLES'({stages, d});
    assign q = stages[CYCLES-1];
  end
endmodule
