// Laws of `mfa_queue`: what `level` counts can be taken, in order, each entry once, as the address and kind it was pushed with.
// One entry is followed on its way, any one; `ahead` counts the entries before it, `behind` those after it.

// The contract: frames of this depth, and there is room, as a frame is in one place at a time (proof `mfa_pair`).
wire [31:0] nothing = 32'hffffffff;
wire putting = push & !reset;
wire taking = take & head != nothing;
reg [4:0] count = 0;
reg [1:0] pushed = 0;
reg settled = 0;
always @* begin
    assume (push_index < 4);
    if (!settled) assume (reset);
    assume (!(push & count == 4));
end
always @(posedge clock) begin
    settled <= begun;
    count <= reset ? 5'd0 : count + putting - taking;
    pushed <= reset ? 2'd0 : {pushed[0], putting};
end
// Entries that were pushed less than hdl::mfa_queue::LATENCY cycles ago.
wire [2:0] young = pushed[0] + pushed[1];

wire pick = $anyseq;
reg followed = 0;
reg [9:0] frame;
reg [25:0] block;
reg [1:0] carries;
reg [4:0] ahead, behind;
reg [2:0] age;
always @(posedge clock) begin
    if (age != 7) age <= age + 1;
    behind <= behind + putting;
    if (putting & pick & !followed) begin
        followed <= 1;
        frame <= push_index;
        block <= push_block;
        carries <= push_kind;
        ahead <= count - taking;
        behind <= 0;
        age <= 1;
    end else if (followed & taking) begin
        followed <= ahead != 0;
        ahead <= ahead - 1;
    end
    if (reset) followed <= 0;
end
wire [31:0] expected = {block, 4'd0, carries};

always @* if (settled) begin
    // The level is exact but for the entries on their way, and a queue that counts an entry is never empty.
    assert (level + young == count);
    assert ((head != nothing) == (level != 0));
    assert (taken == taking);
    assert (arrived == (arriving & !reset_before));
    if (followed & ahead == 0) begin
        if (head != nothing) assert (head == expected & head_index == frame);
        if (age >= 3) assert (head != nothing);
    end
    if (followed & age >= 3) assert (ahead < level);
end
reg arriving = 0;
reg reset_before = 1;
always @(posedge clock) begin
    arriving <= pushed[1];
    reset_before <= reset;
end

wire [10:0] ring = \entries.write_count - \entries.read_count ;

// How it works inside. An entry moves on while there is room before it, so how long ago it came says how far it is at least.
wire [10:0] place = \entries.read_count + ahead - \entries.shown ;
wire [37:0] entry_now = {block, carries, frame};
always @* if (settled) begin
    assert (\entries.held == ring + \entries.shown );
    assert (\entries.is_full == (\entries.held == 4));
    assert (ring <= 4);
    assert (!\entries.fetched |
        (ring != 0 & \entries.entries.read_data == \entries.entries.words [\entries.read_count [1:0]]));
    assert (count == \entries.shown + ring);
    assert (count <= 4);
    assert (waiting <= 4);
    assert ({coming_1, coming_0} == pushed);
    assert (coming_2 == (arriving & !reset_before));
    // It is not further than that either.
    assert (\entries.shown <= waiting);
    assert (\entries.shown + \entries.fetched <= waiting + coming_1);
    if (!\entries.shown ) assert (waiting == 0);
    if (!\entries.fetched ) assert (waiting + coming_1 == \entries.shown );
    if (followed) begin
        assert (age != 0);
        assert (count == ahead + 1 + behind);
        if (age < 3) assert (pushed[age - 1]);
        if (age == 1) assert (behind == 0);
        if (age == 2) assert (behind == pushed[0]);
        if (age >= 3) assert (behind >= young);
        assert (frame < 4);
        if (\entries.shown & ahead == 0) assert (\entries.head == entry_now);
        else assert (\entries.entries.words [place[1:0]] == entry_now);
    end
end
