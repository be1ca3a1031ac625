// Laws of `memory_arbiter` with two memories: one access of a memory in a cycle, and none when a received beat arrives there; who goes on
// asking is passed over at most by each of the others once, and waits one cycle for the turn.

wire [5:0] wants = {writer_valid_2, writer_valid_1, writer_valid_0, reader_valid_2, reader_valid_1, reader_valid_0};
wire [5:0] grants = {writer_grant_2, writer_grant_1, writer_grant_0, reader_grant_2, reader_grant_1, reader_grant_0};
wire [23:0] processors = {writer_processor_2, writer_processor_1, writer_processor_0, reader_processor_2, reader_processor_1, reader_processor_0};

// Clients go on asking for the same memory until they are granted.
reg [5:0] asked = 0;
reg [23:0] asked_of;
always @(posedge clock) begin
    asked <= reset ? 6'd0 : wants & ~grants;
    asked_of <= processors;
end
genvar c;
for (c = 0; c < 6; c = c + 1) always @* if (asked[c]) assume (wants[c] & processors[4 * c +: 4] == asked_of[4 * c +: 4]);

// One memory, and one client of it.
wire memory = $anyconst;
wire [2:0] who = $anyconst;
always @* assume (who < 6);
wire received = memory ? receives_1 : receives_0;
wire [5:0] here;
for (c = 0; c < 6; c = c + 1) assign here[c] = wants[c] & processors[4 * c +: 4] == {3'd0, memory};
reg [3:0] waited = 0;
always @(posedge clock) begin
    if (reset | !here[who] | grants[who]) waited <= 0;
    else if (!received) waited <= waited + 4'd1;
end

always @* if (begun) begin
    assert ((grants & ~wants) == 0);
    assert (((grants & here) & ((grants & here) - 6'd1)) == 0);
    if (received) assert ((grants & here) == 0);
    if (wants[who] & processors[4 * who +: 4] > 1) assert (grants[who]);
    if (here[who] & !grants[who] & !received) assert (waited < 6);
end

// How it works inside: a total order, one turn a memory, and each grant or pass of the turn brings it closer to the one that waits.
wire [35:0] order = {
    goes_first_35, goes_first_34, goes_first_33, goes_first_32, goes_first_31, goes_first_30, goes_first_29, goes_first_28,
    goes_first_27, goes_first_26, goes_first_25, goes_first_24, goes_first_23, goes_first_22, goes_first_21, goes_first_20,
    goes_first_19, goes_first_18, goes_first_17, goes_first_16, goes_first_15, goes_first_14, goes_first_13, goes_first_12,
    goes_first_11, goes_first_10, goes_first_9, goes_first_8, goes_first_7, goes_first_6, goes_first_5, goes_first_4,
    goes_first_3, goes_first_2, goes_first_1, goes_first_0
};
wire [5:0] turns = memory ? {turn_11, turn_10, turn_9, turn_8, turn_7, turn_6} : {turn_5, turn_4, turn_3, turn_2, turn_1, turn_0};
wire [5:0] ahead = order[6 * who +: 6];
wire [2:0] rank = ahead[0] + ahead[1] + ahead[2] + ahead[3] + ahead[4] + ahead[5];
wire idle = !turns[who] & (turns & ahead & here) == 0;
genvar d, e;
for (c = 0; c < 6; c = c + 1) for (d = 0; d < 6; d = d + 1) begin
    always @* if (begun) assert (c == d ? !order[6 * c + d] : order[6 * c + d] != order[6 * d + c]);
    for (e = 0; e < 6; e = e + 1) always @* if (begun & order[6 * c + d] & order[6 * d + e]) assert (order[6 * c + e]);
end
always @* if (begun) begin
    assert (turns != 0 & (turns & (turns - 6'd1)) == 0);
    if (here[who]) assert (waited + rank + idle <= 6);
end
