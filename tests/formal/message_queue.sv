// Laws of `message_queue` with two senders: per ring nothing lost, nothing twice, order kept, nothing overwritten.
// Messages are 8 bits wide here: every bit takes the same way.
// One message of one ring is followed, any one; `ahead` counts the messages of its ring before it.

wire ring = $anyconst;
wire [4:0] levels = ring ? level_1 : level_0;
always @* assume (sender < 2);

// A take meets the rings a cycle later, and is answered two cycles after that.
reg asks = 0;
reg [3:0] asks_ring;
always @(posedge clock) begin
    asks <= take & !reset;
    asks_ring <= take_ring;
end
reg [4:0] count = 0;
wire putting = put & sender == ring & !refused;
wire taking = asks & asks_ring == ring & count != 0;
always @(posedge clock) count <= reset ? 5'd0 : count + putting - taking;

wire pick = $anyseq;
reg followed = 0;
reg [7:0] data;
reg [4:0] ahead;
reg [1:0] leaving = 0;
always @(posedge clock) begin
    leaving <= reset ? 2'd0 : {leaving[0], followed & taking & ahead == 0};
    if (putting & pick & !followed & leaving == 0) begin
        followed <= 1;
        data <= message;
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
    if (sender == ring) assert (refused == (put & count == 16));
    if (followed) assert (ahead < count);
    if (leaving[1]) assert (taken_valid & taken == data);
end

// How it works inside.
wire [3:0] writes_at = ring ? write_place_1 : write_place_0;
wire [3:0] reads_at = ring ? read_place_1 : read_place_0;
wire [3:0] place = reads_at + ahead[3:0];
always @* if (begun) begin
    assert (writes_at - reads_at == count[3:0]);
    assert (held_0 <= 16 & held_1 <= 16);
    assert (asked == asks & (!asks | asked_ring == asks_ring));
    if (followed) assert (\rings.words [{ring, place}] == data);
    if (leaving[0]) assert (reading & \rings.read_data == data);
    if (leaving[1]) assert (valid & out == data);
    if (leaving != 0) assert (!followed);
end
