// Arithmetic on the carry chains of AMD FPGAs, one look-up table (LUT6) a bit.
//
// With its two outputs such a table serves a chain in three ways: adding two numbers, adding three
// (it compresses them to two, the second of which enters at the next bit), and adding two rows of a
// product.  Templates for `techmap`; CARRY4 or CARRY8 is defined by the script.

// Sum of S ^ DI-generated carries: S is propagate, DI what the carry becomes where S is 0.
module _80_econt_carry_chain #(
    parameter WIDTH = 1
) (
    input              CI,
    input  [WIDTH-1:0] DI,
    input  [WIDTH-1:0] S,
    output [WIDTH-1:0] O,
    output [WIDTH-1:0] CO
);
`ifdef CARRY8
  localparam LENGTH = 8;
`else
  localparam LENGTH = 4;
`endif
  localparam BLOCKS = (WIDTH + LENGTH - 1) / LENGTH;
  wire [LENGTH*BLOCKS-1:0] di = DI, s = S, o, co;
  assign O  = o;
  assign CO = co;

  genvar i;
  generate
    for (i = 0; i < BLOCKS; i = i + 1) begin : g_block
      wire [LENGTH-1:0] block_o, block_co;
      assign o[LENGTH*i+:LENGTH]  = block_o;
      assign co[LENGTH*i+:LENGTH] = block_co;
`ifdef CARRY8
      CARRY8 carry (
          .CI    (i == 0 ? CI : co[LENGTH*i-1]),
          .CI_TOP(1'b0),
          .DI    (di[LENGTH*i+:LENGTH]),
          .S     (s[LENGTH*i+:LENGTH]),
          .O     (block_o),
          .CO    (block_co)
      );
`else
      CARRY4 carry (
          .CYINIT(i == 0 ? CI : 1'b0),
          .CI    (i == 0 ? 1'b0 : co[LENGTH*i-1]),
          .DI    (di[LENGTH*i+:LENGTH]),
          .S     (s[LENGTH*i+:LENGTH]),
          .O     (block_o),
          .CO    (block_co)
      );
`endif
    end
  endgenerate
endmodule

// Two numbers.  Short sums, and those with a constant unless they are long, are left to logic: a
// table that only hands one bit to the chain is a table lost.
(* techmap_celltype = "$alu" *)
module _80_econt_alu (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  parameter _TECHMAP_CONSTMSK_A_ = 0;
  parameter _TECHMAP_CONSTMSK_B_ = 0;
  (* force_downto *) input [A_WIDTH-1:0] A;
  (* force_downto *) input [B_WIDTH-1:0] B;
  input CI, BI;
  (* force_downto *) output [Y_WIDTH-1:0] X, Y, CO;

  localparam CONSTANT = &_TECHMAP_CONSTMSK_A_ || &_TECHMAP_CONSTMSK_B_;
  wire _TECHMAP_FAIL_ = Y_WIDTH < (CONSTANT ? `SHORTEST_CHAIN_OF_ONE : `SHORTEST_CHAIN);

  wire [Y_WIDTH-1:0] a, b;
  \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) wide_a (.A(A), .Y(a));
  \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) wide_b (.A(B), .Y(b));
  assign X = a ^ b ^ {Y_WIDTH{BI}};
  _80_econt_carry_chain #(.WIDTH(Y_WIDTH)) chain (.CI(CI), .DI(a), .S(X), .O(Y), .CO(CO));
endmodule

// Any number of numbers: a tree of sums of three.
(* techmap_celltype = "$macc_v2" *)
module _80_econt_macc (A, B, C, Y);
  parameter NPRODUCTS = 0;
  parameter NADDENDS = 1;
  parameter A_WIDTHS = 0;
  parameter B_WIDTHS = 0;
  parameter [16*NADDENDS-1:0] C_WIDTHS = {NADDENDS{16'd1}};
  parameter Y_WIDTH = 1;
  parameter PRODUCT_NEGATED = 0;
  parameter [NADDENDS-1:0] ADDEND_NEGATED = 0;
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter [NADDENDS-1:0] C_SIGNED = 0;
  function integer total;
    input integer count;
    integer i;
    begin
      total = 0;
      for (i = 0; i < count; i = i + 1) total = total + C_WIDTHS[16*i+:16];
    end
  endfunction
  localparam BITS = total(NADDENDS);
  input A, B;
  (* force_downto *) input [BITS-1:0] C;
  (* force_downto *) output [Y_WIDTH-1:0] Y;

  wire _TECHMAP_FAIL_ = NPRODUCTS != 0;
  \$__econt_sum #(
      .N(NADDENDS), .WIDTHS(C_WIDTHS), .SIGNED(C_SIGNED), .NEGATED(ADDEND_NEGATED), .Y_WIDTH(Y_WIDTH)
  ) sum (.C(C), .Y(Y));
endmodule

(* techmap_celltype = "$__econt_sum" *)
module _80_econt_sum (C, Y);
  parameter N = 1;
  parameter [16*N-1:0] WIDTHS = {N{16'd1}};
  parameter [N-1:0] SIGNED = 0;
  parameter [N-1:0] NEGATED = 0;
  parameter Y_WIDTH = 1;

  function integer total;  // bits of the numbers before number `count`
    input integer count;
    integer i;
    begin
      total = 0;
      for (i = 0; i < count; i = i + 1) total = total + WIDTHS[16*i+:16];
    end
  endfunction
  function all_negated;
    input integer first, count;
    integer i;
    begin
      all_negated = 1;
      for (i = first; i < first + count; i = i + 1) all_negated = all_negated & NEGATED[i];
    end
  endfunction
  function integer sum_width;  // holds any sum of these numbers, their common sign taken out
    input integer first, count;
    integer i, width, mixed;
    begin
      sum_width = 1;
      mixed = 0;
      for (i = first; i < first + count; i = i + 1) begin
        width = WIDTHS[16*i+:16] + (SIGNED[i] ? 0 : 1);
        if (width > sum_width) sum_width = width;
        if (NEGATED[i] != all_negated(first, count)) mixed = 1;
      end
      sum_width = sum_width + $clog2(count) + mixed;
      if (sum_width > Y_WIDTH) sum_width = Y_WIDTH;
    end
  endfunction

  // three parts; odd ones where possible, since a sum of three lessens the numbers by two
  localparam N0 = N < 3 ? 1 : (N / 3) | 1;
  localparam N1 = N < 2 ? 1 : N < 3 ? 1 : ((N - N0) / 2) | 1;
  localparam N2 = N < 3 ? 1 : N - N0 - N1;
  localparam F1 = N < 2 ? 0 : N0;
  localparam F2 = N < 3 ? 0 : N0 + N1;
  localparam W0 = sum_width(0, N0);
  localparam W1 = sum_width(F1, N1);
  localparam W2 = sum_width(F2, N2);
  localparam B0 = total(N0);
  localparam B1 = total(F1 + N1);
  localparam B2 = total(F2 + N2);
  localparam [2:0] PART_NEGATED = {
    N > 2 ? all_negated(F2, N2) : 1'b0, N > 1 ? all_negated(F1, N1) : 1'b0, all_negated(0, N0)
  };

  (* force_downto *) input [total(N)-1:0] C;
  (* force_downto *) output [Y_WIDTH-1:0] Y;

  wire signed [W0-1:0] part0;
  wire signed [W1-1:0] part1;
  wire signed [W2-1:0] part2;
  generate
    if (N0 == 1)
      \$pos #(.A_SIGNED(SIGNED[0]), .A_WIDTH(WIDTHS[15:0]), .Y_WIDTH(W0))
          wide0 (.A(C[B0-1:0]), .Y(part0));
    else
      \$__econt_sum #(
          .N(N0), .WIDTHS(WIDTHS[16*N0-1:0]), .SIGNED(SIGNED[N0-1:0]),
          .NEGATED(NEGATED[N0-1:0] ^ {N0{PART_NEGATED[0]}}), .Y_WIDTH(W0)
      ) sum0 (.C(C[B0-1:0]), .Y(part0));
    if (N > 1 && N1 == 1)
      \$pos #(.A_SIGNED(SIGNED[F1]), .A_WIDTH(WIDTHS[16*F1+:16]), .Y_WIDTH(W1))
          wide1 (.A(C[B1-1:total(F1)]), .Y(part1));
    else if (N > 1)
      \$__econt_sum #(
          .N(N1), .WIDTHS(WIDTHS[16*F1+:16*N1]), .SIGNED(SIGNED[F1+:N1]),
          .NEGATED(NEGATED[F1+:N1] ^ {N1{PART_NEGATED[1]}}), .Y_WIDTH(W1)
      ) sum1 (.C(C[B1-1:total(F1)]), .Y(part1));
    if (N > 2 && N2 == 1)
      \$pos #(.A_SIGNED(SIGNED[F2]), .A_WIDTH(WIDTHS[16*F2+:16]), .Y_WIDTH(W2))
          wide2 (.A(C[B2-1:total(F2)]), .Y(part2));
    else if (N > 2)
      \$__econt_sum #(
          .N(N2), .WIDTHS(WIDTHS[16*F2+:16*N2]), .SIGNED(SIGNED[F2+:N2]),
          .NEGATED(NEGATED[F2+:N2] ^ {N2{PART_NEGATED[2]}}), .Y_WIDTH(W2)
      ) sum2 (.C(C[B2-1:total(F2)]), .Y(part2));

    if (N == 1) begin : g_one
      assign Y = PART_NEGATED[0] ? -part0 : part0;
    end else if (N == 2) begin : g_two
      if (PART_NEGATED[1:0] == 2'b00) assign Y = part0 + part1;
      else if (PART_NEGATED[1:0] == 2'b10) assign Y = part0 - part1;
      else if (PART_NEGATED[1:0] == 2'b01) assign Y = part1 - part0;
      else begin : g_all_negated
        wire [Y_WIDTH-1:0] x = part0, y = part1, none = 0;
        \$__econt_sum_of_three #(.NEGATED(3'b011), .Y_WIDTH(Y_WIDTH))
            three (.A(x), .B(y), .C(none), .Y(Y));
      end
    end else begin : g_three
      wire [Y_WIDTH-1:0] x = part0, y = part1, z = part2, sum;
      \$__econt_sum_of_three #(
          .NEGATED(PART_NEGATED == 3'b111 ? 3'b000 : PART_NEGATED), .Y_WIDTH(Y_WIDTH)
      ) three (.A(x), .B(y), .C(z), .Y(sum));
      assign Y = PART_NEGATED == 3'b111 ? -sum : sum;
    end
  endgenerate
endmodule

// Three numbers, of which at most two are subtracted.
(* techmap_celltype = "$__econt_sum_of_three" *)
module _80_econt_sum_of_three (A, B, C, Y);
  parameter [2:0] NEGATED = 0;
  parameter Y_WIDTH = 1;
  input [Y_WIDTH-1:0] A, B, C;
  output [Y_WIDTH-1:0] Y;

  // O5 (upper inputs 10): majority of the three; O6: their sum and the majority of the bit below
  function [63:0] contents;
    input [2:0] negated;
    integer i;
    reg a, b, c;
    begin
      for (i = 0; i < 32; i = i + 1) begin
        a = i[0] ^ negated[0];
        b = i[1] ^ negated[1];
        c = i[2] ^ negated[2];
        contents[i] = (a & b) | (a & c) | (b & c);
        contents[32+i] = a ^ b ^ c ^ i[3];
      end
    end
  endfunction
  localparam integer COUNT = NEGATED[0] + NEGATED[1] + NEGATED[2];

  generate
    if (Y_WIDTH < `SHORTEST_CHAIN) begin : g_logic
      wire [Y_WIDTH-1:0] x = NEGATED[0] ? -A : A, y = NEGATED[1] ? -B : B, z = NEGATED[2] ? -C : C;
      assign Y = x + y + z;
    end else begin : g_chain
      wire [Y_WIDTH:0] majority;  // of bit i - 1
      wire [Y_WIDTH-1:0] s;
      assign majority[0] = COUNT > 1;  // -x = ~x + 1: one 1 enters here, one as the chain's carry
      genvar i;
      for (i = 0; i < Y_WIDTH; i = i + 1) begin : g_bit
        LUT6_2 #(.INIT(contents(NEGATED))) compress (
            .I0(A[i]), .I1(B[i]), .I2(C[i]), .I3(majority[i]), .I4(1'b0), .I5(1'b1),
            .O5(majority[i+1]), .O6(s[i])
        );
      end
      _80_econt_carry_chain #(.WIDTH(Y_WIDTH)) chain (
          .CI(COUNT > 0), .DI(majority[Y_WIDTH-1:0]), .S(s), .O(Y), .CO()
      );
    end
  endgenerate
endmodule

// A product: pairs of bits of the narrower factor select the rows, which are then summed.
(* techmap_celltype = "$__soft_mul" *)
module _80_econt_product (A, B, Y);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  parameter [A_WIDTH-1:0] _TECHMAP_CONSTMSK_A_ = 0;
  parameter [B_WIDTH-1:0] _TECHMAP_CONSTMSK_B_ = 0;
  parameter [A_WIDTH-1:0] _TECHMAP_CONSTVAL_A_ = 0;
  parameter [B_WIDTH-1:0] _TECHMAP_CONSTVAL_B_ = 0;
  (* force_downto *) input [A_WIDTH-1:0] A;
  (* force_downto *) input [B_WIDTH-1:0] B;
  (* force_downto *) output [Y_WIDTH-1:0] Y;

  // a highest bit that is always 0 makes an unsigned number of a signed one
  localparam A_POSITIVE = _TECHMAP_CONSTMSK_A_[A_WIDTH-1] && !_TECHMAP_CONSTVAL_A_[A_WIDTH-1];
  localparam B_POSITIVE = _TECHMAP_CONSTMSK_B_[B_WIDTH-1] && !_TECHMAP_CONSTVAL_B_[B_WIDTH-1];
  localparam A_BITS = A_WIDTH - A_POSITIVE;
  localparam B_BITS = B_WIDTH - B_POSITIVE;
  localparam A_NEGATIVE = A_SIGNED && !A_POSITIVE;
  localparam B_NEGATIVE = B_SIGNED && !B_POSITIVE;

  generate
    if (&_TECHMAP_CONSTMSK_A_ || &_TECHMAP_CONSTMSK_B_ || A_BITS < 2 || B_BITS < 2) begin : g_logic
      \$mul #(
          .A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED), .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH),
          .Y_WIDTH(Y_WIDTH)
      ) product (.A(A), .B(B), .Y(Y));
    end else if (A_BITS < B_BITS) begin : g_swapped
      \$__econt_rows #(
          .X_BITS(B_BITS), .W_BITS(A_BITS), .X_SIGNED(B_NEGATIVE), .W_SIGNED(A_NEGATIVE),
          .Y_WIDTH(Y_WIDTH)
      ) product (.X(B[B_BITS-1:0]), .W(A[A_BITS-1:0]), .Y(Y));
    end else begin : g_straight
      \$__econt_rows #(
          .X_BITS(A_BITS), .W_BITS(B_BITS), .X_SIGNED(A_NEGATIVE), .W_SIGNED(B_NEGATIVE),
          .Y_WIDTH(Y_WIDTH)
      ) product (.X(A[A_BITS-1:0]), .W(B[B_BITS-1:0]), .Y(Y));
    end
  endgenerate
endmodule

(* techmap_celltype = "$__econt_rows" *)
module _80_econt_rows (X, W, Y);
  parameter X_BITS = 2;
  parameter W_BITS = 2;
  parameter X_SIGNED = 0;
  parameter W_SIGNED = 0;
  parameter Y_WIDTH = 1;
  input [X_BITS-1:0] X;
  input [W_BITS-1:0] W;
  output [Y_WIDTH-1:0] Y;

  localparam PAIRS = (W_BITS + 1) / 2;
  localparam ROW = X_BITS + 2;  // from -2 X to 3 X
  wire [2*PAIRS-1:0] w;
  wire high = X_SIGNED ? X[X_BITS-1] : 1'b0;
  generate
    if (2 * PAIRS == W_BITS) assign w = W;
    else assign w = {W_SIGNED ? W[W_BITS-1] : 1'b0, W};
  endgenerate

  // O5: X or 0; O6: that and 2 X or 0 added without carry
  function [63:0] contents;
    input subtract;
    integer i;
    begin
      for (i = 0; i < 32; i = i + 1) begin
        contents[i] = i[0] & i[1];
        contents[32+i] = (i[0] & i[1]) ^ (i[2] & i[3]) ^ subtract;
      end
    end
  endfunction

  function [16*PAIRS-1:0] widths;
    input integer unused;
    integer i;
    for (i = 0; i < PAIRS; i = i + 1) widths[16*i+:16] = ROW + 2 * i;
  endfunction
  function [PAIRS-1:0] signs;
    input integer unused;
    integer i;
    for (i = 0; i < PAIRS; i = i + 1) signs[i] = X_SIGNED || (W_SIGNED && i == PAIRS - 1);
  endfunction
  function integer start;  // of a row among all rows' bits
    input integer pair;
    integer i;
    begin
      start = 0;
      for (i = 0; i < pair; i = i + 1) start = start + ROW + 2 * i;
    end
  endfunction

  wire [start(PAIRS)-1:0] rows;
  genvar pair, i;
  generate
    for (pair = 0; pair < PAIRS; pair = pair + 1) begin : g_pair
      // the highest bit of a signed factor counts negatively
      localparam SUBTRACT = W_SIGNED && pair == PAIRS - 1;
      wire [ROW-1:0] single = {high, high, X}, double = {high, X, 1'b0}, s, di, row;
      for (i = 0; i < ROW; i = i + 1) begin : g_bit
        if (i > X_BITS && !X_SIGNED) begin : g_sign
          assign s[i]  = SUBTRACT;
          assign di[i] = 1'b0;
        end else begin : g_select
          LUT6_2 #(.INIT(contents(SUBTRACT))) select (
              .I0(single[i]), .I1(w[2*pair]), .I2(double[i]), .I3(w[2*pair+1]),
              .I4(1'b0), .I5(1'b1), .O5(di[i]), .O6(s[i])
          );
        end
      end
      _80_econt_carry_chain #(.WIDTH(ROW)) chain (
          .CI(SUBTRACT), .DI(di), .S(s), .O(row), .CO()
      );
      assign rows[start(pair)+:ROW+2*pair] = {row, {2 * pair{1'b0}}};
    end
  endgenerate
  \$__econt_sum #(
      .N(PAIRS), .WIDTHS(widths(0)), .SIGNED(signs(0)), .NEGATED({PAIRS{1'b0}}), .Y_WIDTH(Y_WIDTH)
  ) sum (.C(rows), .Y(Y));
endmodule
