// One step of the bit compactor: the kept bits with an odd number of gaps from the lowest place up to
// them move down by DISTANCE. Which bits move depends on `kept` and `gaps` alone. Of the gaps every
// second one remains: the number that counts in the next step is halved. Combinational.
//
// A module of its own, so that a synthesis that keeps the hierarchy meets one step at a time.
module compactor_step #(
    parameter int WIDTH    = 144,
    parameter int DISTANCE = 1
) (
    input  logic [WIDTH-1:0] kept,
    input  logic [WIDTH-1:0] bits,
    input  logic [WIDTH-1:0] gaps,
    output logic [WIDTH-1:0] kept_next,
    output logic [WIDTH-1:0] bits_next,
    output logic [WIDTH-1:0] gaps_next
);
  logic [WIDTH-1:0] odd, moves, moved;
  always_comb begin
    odd = gaps;
    for (int p = 0; p < $clog2(WIDTH); p++) odd = odd ^ (odd << (1 << p));
  end
  assign moves = odd & kept;
  assign moved = bits & moves;
  assign kept_next = (kept ^ moves) | (moves >> DISTANCE);
  assign bits_next = (bits ^ moved) | (moved >> DISTANCE);
  assign gaps_next = gaps & ~odd;
endmodule
