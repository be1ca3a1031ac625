// Laws of `frame_ledger`: every operation on a frame sees all operations on it before, and answers whether it changed its bit.

wire [9:0] frame = $anyconst;
always @* begin
    assume (frame < 32);
    assume (index < 32);
    if (begun) assume (!reset);
end

wire on_frame = operate & index == frame;
reg is_set = 0;
reg [2:0] changes = 0;
reg [2:0] asked = 0;
always @(posedge clock) begin
    if (on_frame & !reset) is_set <= set;
    changes <= {changes[1:0], on_frame & !reset & set != is_set};
    asked <= {asked[1:0], on_frame & !reset};
end

always @* if (begun) begin
    if (asked[2]) assert (changed == changes[2] & answer_index == frame);
    if (changed & answer_index == frame) assert (asked[2]);
end

// How it works inside: what the memory holds, and what the operations under way will make of it.
wire stored = \marks.words [frame[4:2]][frame[1:0]];
wire holding = held & held_index == frame;
wire then = holding ? held_set : stored;
wire reads = reading & reading_index == frame;
always @* if (begun) begin
    assert (is_set == (reads ? reading_set : then));
    assert (asked == {written & written_index == frame, holding, reads});
    assert (changes[0] == (reads & reading_set != then));
    assert (changes[1] == (holding & held_set != stored));
    assert (changes[2] == (answer & written_index == frame));
    assert (!answer | written);
    assert (reading_index < 32 & held_index < 32 & written_index < 32);
    if (held & held_index[4:2] == frame[4:2]) assert (word[frame[1:0]] == stored);
    if (written & written_index[4:2] == frame[4:2]) assert (written_word[frame[1:0]] == stored);
    else if (reading & reading_index[4:2] == frame[4:2] & !(held & held_index[4:2] == frame[4:2]))
        assert (\marks.read_data [frame[1:0]] == stored);
end
