// One copy of a register. A module of its own, kept through synthesis: equal copies in one module
// would be merged into one, and the redundancy with them.
(* keep_hierarchy *)
module register_copy #(
    parameter int               WIDTH       = 8,
    parameter logic [WIDTH-1:0] RESET_VALUE = '0
) (
    input  logic             clock,
    input  logic             reset,
    input  logic [WIDTH-1:0] d,
    output logic [WIDTH-1:0] q
);
  always_ff @(posedge clock) q <= reset ? RESET_VALUE : d;
endmodule
