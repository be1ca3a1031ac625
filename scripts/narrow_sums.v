// A yosys techmap: sums and comparisons of at most 8 bits without a carry chain.
(* techmap_celltype = "$alu" *)
module narrow_sum (A, B, CI, BI, X, Y, CO);
    parameter A_SIGNED = 0;
    parameter B_SIGNED = 0;
    parameter A_WIDTH = 1;
    parameter B_WIDTH = 1;
    parameter Y_WIDTH = 1;
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    input CI, BI;
    output [Y_WIDTH-1:0] X, Y, CO;
    wire _TECHMAP_FAIL_ = Y_WIDTH > 8 || A_WIDTH == 0 || B_WIDTH == 0;
    generate if (A_WIDTH > 0 && B_WIDTH > 0) begin
        wire [Y_WIDTH-1:0] a, b;
        \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_a (.A(A), .Y(a));
        \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) extend_b (.A(B), .Y(b));
        wire [Y_WIDTH-1:0] c = {Y_WIDTH{BI}} ^ b;
        assign X = a ^ c;
        \$lcu #(.WIDTH(Y_WIDTH)) carry (.P(X), .G(a & c), .CI(CI), .CO(CO));
        assign Y = X ^ {CO, CI};
    end endgenerate
endmodule
