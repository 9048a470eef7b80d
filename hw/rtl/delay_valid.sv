// A valid bit delayed by CYCLES clocks; 0 is a wire. Reset empties the pipeline. TMR as in `delay`.
module delay_valid #(
    parameter int CYCLES = 1,
    parameter bit TMR    = 0
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
  end else if (TMR) begin : g_tripled
    logic [CYCLES:0] stage  /* verilator split_var */;
    assign stage[0] = d;
    for (genvar i = 0; i < CYCLES; i++) begin : g_stage
      tripled_register registers (
          .clock(clock),
          .reset(reset),
          .d    (stage[i]),
          .q    (stage[i+1])
      );
    end
    assign q = stage[CYCLES];
  end else begin : g_registers
    logic [CYCLES-1:0] stages;
    always_ff @(posedge clock) stages <= reset ? '0 : CYCLES'({stages, d});
    assign q = stages[CYCLES-1];
  end
endmodule
