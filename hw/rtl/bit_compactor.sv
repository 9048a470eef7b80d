// Moves the bits that `keep` selects together at the low end, in order; the rest is 0; combinational.
//
// A kept bit moves down by the number of bits removed below it, one binary digit of that number in
// each step. Which bits move depends on `keep` alone. Moving by small digits first never lets two
// kept bits meet (the "compress" operation of H. S. Warren, Hacker's Delight, section 7-4).
module bit_compactor #(
    parameter int WIDTH = 144
) (
    input  logic [WIDTH-1:0] keep,
    input  logic [WIDTH-1:0] d,
    output logic [WIDTH-1:0] q
);
  localparam int STEPS = $clog2(WIDTH);

  logic [STEPS-1:0][WIDTH-1:0] moves;  // places whose bit moves down by 2**s in step s
  always_comb begin
    logic [WIDTH-1:0] kept;  // places of the kept bits after the steps so far
    logic [WIDTH-1:0] gaps;  // a removed bit is right below; in step s every 2**s-th one counts
    logic [WIDTH-1:0] odd;   // places with an odd number of these gaps up to them
    kept = keep;
    gaps = ~keep << 1;
    for (int s = 0; s < STEPS; s++) begin
      odd = gaps;
      for (int p = 0; p < STEPS; p++) odd = odd ^ (odd << (1 << p));
      moves[s] = odd & kept;
      kept = (kept ^ moves[s]) | (moves[s] >> (1 << s));
      gaps = gaps & ~odd;
    end
  end

  always_comb begin
    q = d & keep;
    for (int s = 0; s < STEPS; s++) q = (q & ~moves[s]) | ((q & moves[s]) >> (1 << s));
  end
endmodule
