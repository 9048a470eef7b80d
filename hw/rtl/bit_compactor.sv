// Moves the bits that `keep` selects together at the low end, in order; the rest is 0; combinational.
//
// A kept bit moves down by the number of bits removed below it, one binary digit of that number in
// each step. Moving by small digits first never lets two kept bits meet (the "compress" operation
// of H. S. Warren, Hacker's Delight, section 7-4).
module bit_compactor #(
    parameter int WIDTH = 144
) (
    input  logic [WIDTH-1:0] keep,
    input  logic [WIDTH-1:0] d,
    output logic [WIDTH-1:0] q
);
  localparam int STEPS = $clog2(WIDTH);

  // before each step, and after the last: places of the kept bits, the bits, and where a removed
  // bit is right below
  logic [STEPS:0][WIDTH-1:0] kept, bits, gaps;
  assign kept[0] = keep;
  assign bits[0] = d & keep;
  assign gaps[0] = ~keep << 1;

  for (genvar step = 0; step < STEPS; step++) begin : g_step
    compactor_step #(
        .WIDTH   (WIDTH),
        .DISTANCE(1 << step)
    ) move (
        .kept     (kept[step]),
        .bits     (bits[step]),
        .gaps     (gaps[step]),
        .kept_next(kept[step+1]),
        .bits_next(bits[step+1]),
        .gaps_next(gaps[step+1])
    );
  end
  assign q = bits[STEPS];

  logic unused;
  assign unused = ^{kept[STEPS], gaps[STEPS]};
endmodule
