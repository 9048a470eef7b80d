// A word delayed by CYCLES clocks; 0 is a wire. Not reset: the valid bit beside it tells its worth.
//
// TMR keeps three copies of each stage and hands on what two of them agree on.
module delay #(
    parameter int WIDTH  = 1,
    parameter int CYCLES = 1,
    parameter bit TMR    = 0
) (
    input  logic             clock,
    input  logic [WIDTH-1:0] d,
    output logic [WIDTH-1:0] q
);
  if (CYCLES == 0) begin : g_wire
    assign q = d;

    logic unused;
    assign unused = clock;
  end else if (TMR) begin : g_tripled
    logic [(CYCLES+1)*WIDTH-1:0] stage  /* verilator split_var */;
    assign stage[WIDTH-1:0] = d;
    for (genvar i = 0; i < CYCLES; i++) begin : g_stage
      tripled_register #(
          .WIDTH(WIDTH)
      ) registers (
          .clock(clock),
          .reset(1'b0),
          .d    (stage[WIDTH*i+:WIDTH]),
          .q    (stage[WIDTH*(i+1)+:WIDTH])
      );
    end
    assign q = stage[WIDTH*CYCLES+:WIDTH];
  end else begin : g_registers
    logic [CYCLES*WIDTH-1:0] stages;  // the oldest word on top
    always_ff @(posedge clock) stages <= (CYCLES * WIDTH)'({stages, d});
    assign q = stages[CYCLES*WIDTH-1-:WIDTH];
  end
endmodule
