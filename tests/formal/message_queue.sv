// Laws of `message_queue` with two senders: per ring nothing lost, nothing twice, order kept, nothing overwritten, and what was taken last
// can be read until another is taken. Words are 8 bits wide here: every bit takes the same way.
// One message of one ring is followed, any one, by any one of its words; `ahead` counts the messages of its ring before it.

wire ring = $anyconst;
wire [1:0] which = $anyconst;
wire [4:0] levels = ring ? level_1 : level_0;

// The words of a message come in order, and no other sender's between them.
reg [1:0] next_word = 0;
reg [3:0] sends;
always @* assume (sender < 2);
always @* if (put) assume (put_word == next_word & (next_word == 0 | sender == sends));
always @(posedge clock) begin
    if (put) begin
        next_word <= next_word + 2'd1;
        sends <= sender;
    end
    if (reset) next_word <= 0;
end
reg [7:0] came;
wire [7:0] comes = put_word == which ? put_data : came;
always @(posedge clock) if (put) came <= comes;

// A take meets the rings a cycle later.
reg asks = 0;
reg [3:0] asks_ring;
always @(posedge clock) begin
    asks <= take & !reset;
    asks_ring <= take_ring;
end
reg [4:0] count = 0;
wire putting = put & put_word == 3 & sender == ring & !refused;
wire taking = asks & asks_ring == ring & count != 0;
wire any_taken = asks & (asks_ring == 0 & level_0 != 0 | asks_ring == 1 & level_1 != 0);
always @(posedge clock) count <= reset ? 5'd0 : count + putting - taking;

wire pick = $anyseq;
reg followed = 0, is_last = 0;
reg [7:0] data;
reg [4:0] ahead;
wire leaves = followed & taking & ahead == 0;
wire last_now = any_taken ? leaves : is_last;
reg [1:0] reads = 0, gives = 0;
always @(posedge clock) begin
    is_last <= last_now & !reset;
    reads <= reset ? 2'd0 : {reads[0], last_now & word == which};
    gives <= reset ? 2'd0 : {gives[0], any_taken};
    if (putting & pick & !followed & !last_now & reads == 0) begin
        followed <= 1;
        data <= comes;
        ahead <= count - taking;
    end else if (followed & taking) begin
        followed <= ahead != 0;
        ahead <= ahead - 1;
    end
    if (reset) followed <= 0;
end

always @* if (begun) begin
    assert (levels == count);
    assert (count <= 16);
    assert (pending == {level_1 != 0, level_0 != 0});
    if (sender == ring) assert (refused == (put & put_word == 3 & count == 16));
    if (followed) assert (ahead < count);
    assert (taken_valid == gives[1]);
    if (reads[1]) assert (word_data == data);
end

// How it works inside.
wire [4:0] in_at = ring ? next_in_1 : next_in_0;
wire [4:0] out_at = ring ? next_out_1 : next_out_0;
wire [4:0] place = out_at + ahead;
always @* if (begun) begin
    assert (in_at - out_at == count);
    assert (held_0 <= 16 & held_1 <= 16);
    assert (asked == asks & (!asks | asked_ring == asks_ring));
    assert (reading == gives[0] & valid == gives[1]);
    if (next_word > which & sends == ring) assert (\rings.words [{ring, in_at, which}] == came);
    if (followed) assert (\rings.words [{ring, place, which}] == data);
    if (is_last) begin
        assert (!followed);
        assert (taken_ring == ring & taken_place == out_at - 5'd1);
        assert (\rings.words [{ring, taken_place, which}] == data);
    end
    if (reads != 0) assert (!followed);
    if (reads[0]) assert (\rings.read_data == data);
    if (reads[1]) assert (out == data);
end
