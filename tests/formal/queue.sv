// Laws of `queue`, with a late pop or without: nothing lost, nothing twice, order kept, never falsely empty, never more than it holds.
// One entry is followed on its way, any one; `ahead` counts the entries before it.

wire taking = pop & head_valid;
wire putting = push & !full;

reg [4:0] count = 0;
always @(posedge clock) count <= reset ? 5'd0 : count + putting - taking;

wire pick = $anyseq;
reg followed = 0;
reg [7:0] data;
reg [4:0] ahead;
reg [2:0] age;
always @(posedge clock) begin
    if (age != 7) age <= age + 1;
    if (putting & pick & !followed) begin
        followed <= 1;
        data <= push_data;
        ahead <= count - taking;
        age <= 1;
    end else if (followed & taking) begin
        followed <= ahead != 0;
        ahead <= ahead - 1;
    end
    if (reset) followed <= 0;
end

always @* if (begun) begin
    // Levels are exact, but for what a late pop has taken in the last cycle, and a full queue refuses.
    assert (level == count + late);
    assert (level <= 4);
    assert (full == (level == 4));
    assert (!head_valid | count != 0);
    if (followed) begin
        assert (ahead < count);
        // What comes out in its turn is what went in.
        if (ahead == 0 & head_valid) assert (head_data == data);
        // hdl::queue::LATENCY cycles after the push at the latest, if nothing is ahead, it is on show.
        if (ahead == 0 & age >= 3) assert (head_valid);
    end
end

// How it works inside: what makes the laws provable by induction.
wire [4:0] ring = write_count - read_count;
wire [4:0] place = read_count + ahead + late - shown;
always @* if (begun) begin
    assert (held == ring + shown);
    assert (ring <= 4);
    assert (!late | shown);
    assert (!fetched | (ring != 0 & \entries.read_data == \entries.words [read_count[1:0]]));
    if (followed) begin
        assert (age != 0);
        if (ahead == 0 & shown & !late) assert (head == data);
        else begin
            assert (\entries.words [place[1:0]] == data);
            if (age >= 2 & place == read_count) assert (fetched);
        end
    end
end
