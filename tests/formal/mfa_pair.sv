// The law of `mfa_pair`: a frame that the filler has given and not taken back is in exactly one place, any other in none. So none is
// queued twice, none is lost, nothing is posted that the poster does not hold, and the queues always have room.
// Four frames, every one of them followed. Which MFA is which frame is the proof `frame_region`'s matter: here any hand may be
// any frame, or none.

always @* begin
    // The contract: one operation per side and cycle, and reset only to begin with.
    assume (!(give & take_posted) & !(post & take_free));
    if (begun) assume (!reset);
end

genvar g;
generate for (g = 0; g < 4; g = g + 1) begin : frame

    // The filler's ledger: what it holds, and what the operations under way will make of it.
    wire filler_stored = \filler.ledger.marks.words [0][g];
    wire filler_holds = \filler.ledger.held & \filler.ledger.held_index == g;
    wire filler_then = filler_holds ? \filler.ledger.held_set : filler_stored;
    wire filler_reads = \filler.ledger.reading & \filler.ledger.reading_index == g;
    wire filler_set = filler_reads ? \filler.ledger.reading_set : filler_then;
    // Times it was handed in and will be accepted, and times it was taken without the ledger having heard of it.
    wire [4:0] filler_accepts = (filler_reads & \filler.handed_4 & !filler_then)
        + (filler_holds & \filler.handed_5 & !filler_stored)
        + (\filler.accepted & \filler.index == g);
    wire [4:0] filler_took = (\filler.taken_0 & \filler.taken_index_0 == g)
        + (\filler.taken_1 & \filler.taken_index_1 == g)
        + (\filler.taken_2 & \filler.taken_index_2 == g)
        + (\filler.taken_3 & \filler.taken_index_3 == g);
    always @* if (begun) begin
        if (\filler.ledger.held ) assert (\filler.ledger.word [g] == filler_stored);
        if (\filler.ledger.written ) assert (\filler.ledger.written_word [g] == filler_stored);
        else if (\filler.ledger.reading & !\filler.ledger.held ) assert (\filler.ledger.marks.read_data [g] == filler_stored);
    end

    // The poster's ledger: what it holds, and what the operations under way will make of it.
    wire poster_stored = \poster.ledger.marks.words [0][g];
    wire poster_holds = \poster.ledger.held & \poster.ledger.held_index == g;
    wire poster_then = poster_holds ? \poster.ledger.held_set : poster_stored;
    wire poster_reads = \poster.ledger.reading & \poster.ledger.reading_index == g;
    wire poster_set = poster_reads ? \poster.ledger.reading_set : poster_then;
    // Times it was handed in and will be accepted, and times it was taken without the ledger having heard of it.
    wire [4:0] poster_accepts = (poster_reads & \poster.handed_4 & poster_then)
        + (poster_holds & \poster.handed_5 & poster_stored)
        + (\poster.accepted & \poster.index == g);
    wire [4:0] poster_took = (\poster.taken_0 & \poster.taken_index_0 == g)
        + (\poster.taken_1 & \poster.taken_index_1 == g)
        + (\poster.taken_2 & \poster.taken_index_2 == g)
        + (\poster.taken_3 & \poster.taken_index_3 == g);
    always @* if (begun) begin
        if (\poster.ledger.held ) assert (\poster.ledger.word [g] == poster_stored);
        if (\poster.ledger.written ) assert (\poster.ledger.written_word [g] == poster_stored);
        else if (\poster.ledger.reading & !\poster.ledger.held ) assert (\poster.ledger.marks.read_data [g] == poster_stored);
    end

    // How often it is in the queue.
    reg [4:0] in_free_frames;
    integer free_frames_k;
    always @* begin
        in_free_frames = (\free_frames.entries.shown & \free_frames.entries.head [9:0] == g);
        for (free_frames_k = 0; free_frames_k < 4; free_frames_k = free_frames_k + 1)
            if ({9'd0, free_frames_k[1:0] - \free_frames.entries.read_count [1:0]} < free_frames_ring)
                in_free_frames = in_free_frames + (\free_frames.entries.entries.words [free_frames_k][9:0] == g);
    end

    // How often it is in the queue.
    reg [4:0] in_posted_frames;
    integer posted_frames_k;
    always @* begin
        in_posted_frames = (\posted_frames.entries.shown & \posted_frames.entries.head [9:0] == g);
        for (posted_frames_k = 0; posted_frames_k < 4; posted_frames_k = posted_frames_k + 1)
            if ({9'd0, posted_frames_k[1:0] - \posted_frames.entries.read_count [1:0]} < posted_frames_ring)
                in_posted_frames = in_posted_frames + (\posted_frames.entries.entries.words [posted_frames_k][9:0] == g);
    end

    // With the filler it is nowhere here; given, it is being accepted, free, with the poster, being accepted, posted, or just taken.
    always @* if (begun)
        assert (filler_set == filler_accepts + in_free_frames + poster_took + poster_set + poster_accepts
            + in_posted_frames + filler_took);
end endgenerate

always @* if (begun) begin
    assert (!(\free_frames.push & \free_frames.entries.full ));
    assert (!(\posted_frames.push & \posted_frames.entries.full ));
end

// How it works inside: the gates, which tell hands from takes by the bit they write, and the queues.
always @* begin
    // What `frame_region` promises.
    assume (give_frame < 4);
    if (begun) begin
        assert (!(\filler.handed_0 & \filler.taken_0 ));
        assert (!\filler.taken_0 | \filler.taken_index_0 < 4);
        assert (!(\filler.handed_1 & \filler.taken_1 ));
        assert (!\filler.taken_1 | \filler.taken_index_1 < 4);
        assert (!(\filler.handed_2 & \filler.taken_2 ));
        assert (!\filler.taken_2 | \filler.taken_index_2 < 4);
        assert (!(\filler.handed_3 & \filler.taken_3 ));
        assert (!\filler.taken_3 | \filler.taken_index_3 < 4);
        assert (!\filler.ledger.reading | \filler.ledger.reading_index < 4 & \filler.ledger.reading_set == \filler.handed_4 );
        assert (!\filler.ledger.held | \filler.ledger.held_index < 4 & \filler.ledger.held_set == \filler.handed_5 );
        assert (!\filler.ledger.written | \filler.ledger.written_index < 4);
        assert (!\filler.ledger.answer | \filler.ledger.written );
    end
end
always @* begin
    // What `frame_region` promises.
    assume (post_frame < 4);
    if (begun) begin
        assert (!(\poster.handed_0 & \poster.taken_0 ));
        assert (!\poster.taken_0 | \poster.taken_index_0 < 4);
        assert (!(\poster.handed_1 & \poster.taken_1 ));
        assert (!\poster.taken_1 | \poster.taken_index_1 < 4);
        assert (!(\poster.handed_2 & \poster.taken_2 ));
        assert (!\poster.taken_2 | \poster.taken_index_2 < 4);
        assert (!(\poster.handed_3 & \poster.taken_3 ));
        assert (!\poster.taken_3 | \poster.taken_index_3 < 4);
        assert (!\poster.ledger.reading | \poster.ledger.reading_index < 4 & \poster.ledger.reading_set == !\poster.handed_4 );
        assert (!\poster.ledger.held | \poster.ledger.held_index < 4 & \poster.ledger.held_set == !\poster.handed_5 );
        assert (!\poster.ledger.written | \poster.ledger.written_index < 4);
        assert (!\poster.ledger.answer | \poster.ledger.written );
    end
end

wire [10:0] free_frames_ring = \free_frames.entries.write_count - \free_frames.entries.read_count ;
integer free_frames_w;
always @* if (begun) begin
    assert (\free_frames.entries.held == free_frames_ring + \free_frames.entries.shown );
    assert (\free_frames.entries.is_full == (\free_frames.entries.held == 4));
    assert (free_frames_ring <= 4 & \free_frames.entries.held <= 4);
    assert (!\free_frames.entries.fetched | free_frames_ring != 0);
    if (\free_frames.entries.fetched )
        assert (\free_frames.entries.entries.read_data [9:0]
            == \free_frames.entries.entries.words [\free_frames.entries.read_count [1:0]][9:0]);
    assert (!\free_frames.entries.shown | \free_frames.entries.head [9:0] < 4);
    for (free_frames_w = 0; free_frames_w < 4; free_frames_w = free_frames_w + 1)
        assert (\free_frames.entries.entries.words [free_frames_w][9:0] < 4);
end
wire [10:0] posted_frames_ring = \posted_frames.entries.write_count - \posted_frames.entries.read_count ;
integer posted_frames_w;
always @* if (begun) begin
    assert (\posted_frames.entries.held == posted_frames_ring + \posted_frames.entries.shown );
    assert (\posted_frames.entries.is_full == (\posted_frames.entries.held == 4));
    assert (posted_frames_ring <= 4 & \posted_frames.entries.held <= 4);
    assert (!\posted_frames.entries.fetched | posted_frames_ring != 0);
    if (\posted_frames.entries.fetched )
        assert (\posted_frames.entries.entries.read_data [9:0]
            == \posted_frames.entries.entries.words [\posted_frames.entries.read_count [1:0]][9:0]);
    assert (!\posted_frames.entries.shown | \posted_frames.entries.head [9:0] < 4);
    for (posted_frames_w = 0; posted_frames_w < 4; posted_frames_w = posted_frames_w + 1)
        assert (\posted_frames.entries.entries.words [posted_frames_w][9:0] < 4);
end
