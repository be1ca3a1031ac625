// Laws of `arbiter`: at most one grant, to one that asks; who goes on asking is passed over at most by each of the others once.

wire [4:0] asks = {request_4, request_3, request_2, request_1, request_0};
wire [4:0] grants = {grant_4, grant_3, grant_2, grant_1, grant_0};

wire [2:0] who = $anyconst;
always @* assume (who < 5);
reg [3:0] passed = 0;
always @(posedge clock) begin
    if (reset | !asks[who]) passed <= 0;
    else if (advance) passed <= grants[who] ? 4'd0 : passed + 4'd1;
end

always @* if (begun) begin
    assert ((grants & (grants - 5'd1)) == 0);
    assert ((grants & ~asks) == 0);
    assert (any == (grants != 0));
    assert (any == (asks != 0));
    assert (grants == (any ? 5'd1 << granted : 5'd0));
    if (asks[who]) assert (passed < 5);
end

// How it works inside: each grant that is used brings the search closer to the one that waits.
wire [4:0] distance = who >= first ? who - first : who + 5'd5 - first;
always @* if (begun) begin
    assert (first <= 5);
    if (asks[who]) assert (passed + distance < 5);
end
