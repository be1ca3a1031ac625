// Laws of `interrupt_controller`: a cause stays until it is acknowledged in a later cycle than its last one, masked or not; nothing
// else sets a status bit; the line follows the unmasked ones.

wire [2:0] which = $anyconst;
// The timer, computed in one piece: reached two cycles ago and not set anew since.
reg [1:0] reached = 0;
always @(posedge clock) reached <= {reached[0] & !rearm & !reset, now >= compare & !rearm & !reset};
wire [7:0] raised = {cause, reached[1]};

reg owed = 0;
always @(posedge clock) owed <= !reset & (raised[which] | (owed & !ack[which]));
reg line_due = 0;
always @(posedge clock) line_due <= !reset & (status & ~mask) != 0;

always @* if (begun) begin
    assert (status[which] == owed);
    assert (irq == line_due);
end

// How it works inside.
reg [63:0] now_before, compare_before;
reg usable = 0;
always @(posedge clock) {now_before, compare_before, usable} <= {now, compare, !rearm & !reset};
always @* if (begun) begin
    assert (due == reached[1]);
    assert (halves_stale == !usable);
    assert (high_above == (now_before[63:32] > compare_before[63:32]));
    assert (high_equal == (now_before[63:32] == compare_before[63:32]));
    assert (low_reached == (now_before[31:0] >= compare_before[31:0]));
    assert (reached[0] == (usable & now_before >= compare_before));
end
