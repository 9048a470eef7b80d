// A register of three copies and their vote.
module tripled_register #(
    parameter int WIDTH = 1
) (
    input  logic             clock,
    input  logic             reset,
    input  logic [WIDTH-1:0] d,
    output logic [WIDTH-1:0] q
);
  logic [2:0][WIDTH-1:0] copies;
  for (genvar i = 0; i < 3; i++) begin : g_copy
    register_copy #(
        .WIDTH(WIDTH)
    ) copy (
        .clock(clock),
        .reset(reset),
        .d    (d),
        .q    (copies[i])
    );
  end
  assign q = (copies[0] & copies[1]) | (copies[0] & copies[2]) | (copies[1] & copies[2]);
endmodule
